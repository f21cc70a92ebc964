"""What a Python module does to let compiled code compute: the functions stand in every such module.

They read its tables, and are kept apart here because they are ordinary Python.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import importlib.util
import math
import os
import pathlib
import platform
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

import numpy as np

# What the tables of a module are, where these functions stand in one.
_NAME, _SIZE, _MUCH = "", 0, 262_144
_KERNELS: dict[str, tuple[Any, ...]] = {}
_PARTS: dict[str, tuple[str, int, int, int, Callable[..., tuple[int, ...]]]] = {}
_FLAGS = ("-std=c99", "-O3", "-march=native", "-ffp-contract=fast", "-fPIC", "-shared")
_LIBRARIES: dict[str, ctypes.CDLL] = {}
_PRODUCTS: dict[str, int] = {}


def _compiled(name: str, arrays: Any, sizes: Any, dtype: Any) -> bool:
    """Whether compiled code computes a part of the equations, and has: of real numbers it does."""
    if dtype.kind != "f":
        return False
    count, taken, given, own, shapes, parts, counts = _KERNELS[name]
    pointers = [0] * count
    addresses = arrays.setdefault(("addresses",), {})
    for place, n in taken:
        pointers[place] = _address(addresses, n, arrays[n], dtype)
    made = shapes(*sizes)
    for (place, n), shape in zip(given, made, strict=False):
        array = arrays[n] = np.zeros(shape, dtype)
        pointers[place] = _address(addresses, n, array, dtype)
    lengths = [math.prod(shape) for shape in made[len(given) :]]
    workspace = np.zeros(sum(lengths), dtype)
    at = _place(workspace)
    for place, length in zip(own, lengths, strict=True):
        pointers[place] = at
        at += length * dtype.itemsize
    numbers = [*sizes, *(int(arrays.get(n, 0)) for n in counts)]
    kernel = getattr(_library(dtype), f"{_NAME}_compute{name}")
    # Nothing is as large as all parameters times all steps.
    gemm = _gemm(dtype) if math.prod(sizes) * _SIZE >= _MUCH else 0
    kernel(struct.pack(f"{count + 1}P", *pointers, gemm), *map(ctypes.c_long, numbers))
    for _, n in given:
        if arrays[n].ndim == 0:
            arrays[n] = arrays[n][()]
    for n in parts:
        whole, axis, start, stop, part = _PARTS[n]
        places = (slice(None),) * axis + (slice(start, stop),)
        arrays[n] = arrays[whole][places].reshape(part(*sizes))
    return True


def _address(known: Any, name: str, array: Any, dtype: Any) -> int:
    """Where the elements of an array stand, row after row."""
    found = known.get(name)
    if found is None or found[0] is not array:
        rows = np.asarray(array, dtype, order="C")
        found = known[name] = (array, rows, _place(rows))
    return int(found[2])


def _place(rows: Any) -> int:
    """Where the first element of an array stands; quicker than NumPy says it, where that can be."""
    try:
        return ctypes.addressof(ctypes.c_char.from_buffer(rows))
    except (TypeError, ValueError):  # what may not be written, or is empty
        return int(rows.ctypes.data)


def _gemm(dtype: Any) -> int:
    """Where the product of matrices stands in the BLAS that SciPy brings; 0 without SciPy."""
    found = _PRODUCTS.get(dtype.char)
    if found is None:
        try:
            capsules = importlib.import_module("scipy.linalg.cython_blas").__pyx_capi__
        except ImportError:
            capsules = {}
        capsule = capsules.get("sgemm" if dtype.itemsize == 4 else "dgemm")
        python = ctypes.pythonapi
        python.PyCapsule_GetName.restype = ctypes.c_char_p
        python.PyCapsule_GetPointer.restype = ctypes.c_void_p
        name = python.PyCapsule_GetName(ctypes.py_object(capsule)) if capsule else b""
        # The sizes of another BLAS may be of another type.
        found = 0
        if name and name.startswith(b"void (char *, char *, int *, int *, int *,"):
            found = python.PyCapsule_GetPointer(ctypes.py_object(capsule), ctypes.c_char_p(name))
        _PRODUCTS[dtype.char] = found
    return found


def _library(dtype: Any) -> ctypes.CDLL:
    """The compiled code for a dtype: made once, and kept with the sources' sum as its name."""
    found = _LIBRARIES.get(dtype.char)
    if found is None:
        source = pathlib.Path(__file__).with_name(f"{_NAME}.c")
        try:
            text = source.read_bytes() + source.with_suffix(".h").read_bytes()
        except OSError as error:
            raise ImportError(
                f"{error.filename} is missing; it belongs beside {__file__}"
            ) from None
        flags = [*_FLAGS, *([f"-D{_NAME.upper()}_FLOAT"] if dtype.itemsize == 4 else [])]
        command = [*_compiler(), *flags, *shlex.split(os.environ.get("CFLAGS", ""))]
        machine = f"{platform.platform()} {platform.processor()} {platform.node()} {command}"
        key = hashlib.sha256(text + machine.encode()).hexdigest()[:24]
        cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
        path = pathlib.Path(cache) / "bptt" / f"{_NAME}-{key}.so"
        if not path.exists():
            path = _made(command, source, path)
        found = _LIBRARIES[dtype.char] = ctypes.CDLL(str(path))
    return found


def _compiler() -> list[str]:
    """The command of a C compiler: CC, else cc, else the one that the package ziglang brings."""
    named = shlex.split(os.environ.get("CC", ""))
    command = named or ["cc"]
    if shutil.which(command[0]) is None:
        if not named and importlib.util.find_spec("ziglang"):
            return [sys.executable, "-m", "ziglang", "cc"]
        raise ImportError(
            f"there is no C compiler {command[0]!r}; install gcc or clang, set CC, or "
            "pip install ziglang"
        )
    return command


def _made(command: list[str], source: pathlib.Path, path: pathlib.Path) -> pathlib.Path:
    """Compile a source; where the cache cannot be written, into a folder of this process."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(dir=path.parent)
    except OSError:
        folder = tempfile.mkdtemp(prefix="bptt-")
        path = pathlib.Path(folder) / path.name
    made = pathlib.Path(folder) / f"{path.name}.new"
    run = subprocess.run(
        [*command, "-o", str(made), str(source), "-lm"], capture_output=True, text=True, check=False
    )
    if run.returncode:
        shutil.rmtree(folder)
        silent = f"it ends with status {run.returncode} and says nothing"
        first = (run.stderr.strip().splitlines() or [silent])[0]
        raise ImportError(f"{command[0]} does not compile {source}: {first}")
    made.replace(path)
    if pathlib.Path(folder) != path.parent:
        pathlib.Path(folder).rmdir()
    return path
