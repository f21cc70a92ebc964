"""C code on an emulated Cortex-M4 with 64 KiB of memory: a network learns there."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bptt.codegen.extras import extend
from bptt.codegen.targets import files_of
from bptt.derive import adjoint, build, load
from tests.numeric import module_of

FOLDER = Path(__file__).parent / "chip"
GENERATED = Path(__file__).parent.parent / "generated"
NAMES = sorted(path.stem for path in GENERATED.glob("*.toml"))
COMPILER = (
    "arm-none-eabi-gcc -std=c99 -O2 -Wall -mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 "
    "-mfloat-abi=hard -ffunction-sections -fdata-sections"
).split()
LINKED = "-nostartfiles --specs=rdimon.specs -T chip.ld -Wl,--gc-sections -lm".split()
EMULATOR = (
    "qemu-system-arm -M mps2-an386 -nographic -semihosting-config enable=on,target=native -kernel"
).split()
STEPS = 8

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, (COMPILER[0], EMULATOR[0]))),
    reason=f"{COMPILER[0]} or {EMULATOR[0]} is not installed",
)


def written(folder: Path, path: Path) -> str:
    """The C files of a network, and what the board needs, in a folder; the network's name."""
    system = build(load(path))
    for name, text in files_of(extend(adjoint(system), ()), "c").items():
        (folder / name).write_text(text, encoding="utf-8")
    for name in ("startup.c", "chip.ld", "learn.c"):
        shutil.copy(FOLDER / name, folder)
    return system.name


def built(folder: Path, *arguments: str) -> str:
    """Compile and link for the board; what the linker has to say, where that fails."""
    command = [*COMPILER, *arguments, "startup.c", "-o", "board.elf", *LINKED]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return run.stderr if run.returncode else ""


def ran(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*EMULATOR, "board.elf"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def by_numpy() -> dict[str, Any]:
    """The gradients of the first step of learn.c, as NumPy computes them."""
    module = module_of(build(load(FOLDER / "learner.toml")))
    count = sum(int(np.prod(shape)) for shape in module.PARAMETERS.values())
    numbers = np.sin(1.0 + 2.399963 * np.arange(count))
    parameters, start = {}, 0
    for name, shape in module.PARAMETERS.items():
        size = int(np.prod(shape))
        parameters[name] = 0.25 * numbers[start : start + size].reshape(shape)
        start += size
    told = np.where(numbers[:STEPS] > 0, 1.0, -1.0)
    x = np.stack([told, np.ones(STEPS)], axis=1)[:, None]
    y = np.concatenate([np.zeros(2), told[:-2]])[:, None, None]
    gradients: dict[str, Any] = module.loss_and_gradients(parameters, {"x": x}, {"y": y})[1]
    return gradients


@pytest.mark.parametrize(("macro", "close"), [("", 1e-12), ("-DLEARNER_FLOAT", 1e-5)])
def test_a_network_learns(macro: str, close: float, tmp_path: Path) -> None:
    written(tmp_path, FOLDER / "learner.toml")
    flags = [macro] if macro else []
    assert not built(tmp_path, *flags, "learn.c", "learner.c")
    run = ran(tmp_path)
    assert run.returncode == 0, run.stderr
    found: dict[str, list[float]] = {"loss": [], "slope": []}
    for name, bits in re.findall(r"^(loss|slope) ([0-9a-f]{16})$", run.stdout, re.MULTILINE):
        found[name].append(struct.unpack(">d", bytes.fromhex(bits))[0])
    expected = np.concatenate([g.ravel() for g in by_numpy().values()])
    assert np.abs(found["slope"] - expected).max() <= close * np.abs(expected).max()
    assert found["loss"][0] > 0.5
    assert found["loss"][-1] < 0.01


def test_the_object_asks_for_no_memory(tmp_path: Path) -> None:
    written(tmp_path, FOLDER / "learner.toml")
    command = [*COMPILER, "-c", "learner.c"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    table = subprocess.run(
        ["arm-none-eabi-nm", "-u", "learner.o"], cwd=tmp_path, capture_output=True, text=True
    ).stdout
    assert not re.search(r"alloc|free|memory|sbrk", table), table


@pytest.mark.parametrize("name", NAMES)
def test_every_network_that_fits_is_right_there(name: str, tmp_path: Path) -> None:
    written(tmp_path, GENERATED / f"{name}.toml")
    macro = f"-D{name.upper()}_FLOAT"
    complaint = built(tmp_path, macro, f"test_{name}.c", f"{name}.c")
    if "will not fit" in complaint or "overflowed" in complaint:
        pytest.skip("it needs more than the board has")
    assert not complaint
    run = ran(tmp_path)
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr
    assert f"0 of {name} wrong" in run.stdout
