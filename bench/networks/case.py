"""What a network is timed on, and what its contenders have in common."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import types
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bptt.codegen.emit import module_source
from bptt.codegen.extras import extend
from bptt.codegen.targets import files_of
from bptt.derive import Network, System, adjoint, build

Arrays = dict[str, Any]
Size = tuple[int, ...]
# One evaluation: the loss, and gradients of all parameters in the contender's own order. Each
# contender may stack them as it likes, but has each of them once.
Run = Callable[[], tuple[float, Iterable[Any]]]


@dataclass(frozen=True)
class Problem:
    """Parameters, inputs and targets by the names that they have in the generated module."""

    parameters: Arrays
    inputs: Arrays
    targets: Arrays


@dataclass(frozen=True)
class Case:
    """A network, the sizes at which it is timed, and who else computes its gradients."""

    name: str
    about: str
    axes: str
    sizes: tuple[Size, ...]
    network: Callable[[Size], Network]
    problem: Callable[[Size, str], Problem]
    others: Mapping[str, Callable[[Problem], Run]]

    def run(self, contender: str, size: Size, dtype: str) -> Run:
        """A contender's evaluation at a size, ready to be called."""
        problem = self.problem(size, dtype)
        if contender.startswith("generated"):
            network = self.network(size)
            module = compiled if contender == "generated C" else module_of
            return called(module(build(network)), problem)
        return self.others[contender](problem)


def normal(rng: np.random.Generator, shapes: Mapping[str, Size], dtype: str) -> Arrays:
    """Standard normal numbers by name."""
    return {n: rng.standard_normal(shape).astype(dtype) for n, shape in shapes.items()}


def weights(rng: np.random.Generator, shapes: Mapping[str, Size], dtype: str) -> Arrays:
    """Parameters that let no activation saturate: normal numbers over the root of the fan-in."""
    return {
        name: (0.5 / shape[-1] ** 0.5 * rng.standard_normal(shape)).astype(dtype)
        for name, shape in shapes.items()
    }


def module_of(system: System, extras: Iterable[str] = ()) -> Any:
    """The generated module of a forward system, without a file."""
    module = types.ModuleType(system.name)
    exec(module_source(adjoint(system), extras), module.__dict__)
    return module


def compiled(system: System) -> Any:
    """The generated module for which C computes; its files stay until the process ends."""
    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder)
    files = files_of(extend(adjoint(system), ()), "c")
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    module = types.ModuleType(system.name)
    module.__file__ = str(folder / f"{system.name}.py")
    exec(files[f"{system.name}.py"], module.__dict__)
    return module


def called(module: Any, problem: Problem) -> Run:
    """A generated module, called as anyone calls it: what it is given is checked each time."""

    def run() -> tuple[float, Iterable[Any]]:
        loss, gradients = module.loss_and_gradients(
            problem.parameters, problem.inputs, problem.targets
        )
        return float(loss), gradients.values()

    return run


def rows(array: Any) -> Any:
    """(..., width) as a matrix with one row for each step and sequence."""
    return array.reshape(-1, array.shape[-1])


def batch_last(array: Any) -> Any:
    """(T, B, width) as (T, width, B), or back. So laid out, each of several layers or gates that
    are stacked is one block of memory at every step."""
    return array.transpose(0, 2, 1)


def projected(W: Any, b: Any, x: Any) -> Any:
    """W x + b of all steps at once, the batch last."""
    products = (rows(x) @ W.T).reshape(*x.shape[:2], -1)
    sums = np.empty(batch_last(products).shape, x.dtype)
    return np.add(batch_last(products), b[:, None], out=sums)


def tensors(arrays: Arrays) -> Arrays:
    """The arrays as PyTorch's."""
    import torch

    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def leaves(arrays: Iterable[Any]) -> list[Any]:
    """Copies of the arrays as tensors that PyTorch takes gradients of."""
    import torch

    return [torch.tensor(array, requires_grad=True) for array in arrays]


def pytorch(parameters: Iterable[Any], loss: Callable[[], Any]) -> Run:
    """An evaluation by PyTorch: the loss of a function of nothing, the parameters' gradients."""
    parameters = list(parameters)

    def run() -> tuple[float, Iterable[Any]]:
        for parameter in parameters:
            parameter.grad = None
        value = loss()
        value.backward()
        return value.item(), [parameter.grad for parameter in parameters]

    return run


def device_arrays(arrays: Arrays) -> Arrays:
    """The arrays as JAX's, of the dtype that they have."""
    import jax

    config: Any = jax.config
    config.update("jax_enable_x64", True)
    return {name: jax.numpy.asarray(array) for name, array in arrays.items()}


def jax_compiled(loss: Callable[..., Any], parameters: Arrays, *data: Any) -> Run:
    """An evaluation by JAX: loss(parameters, *data) and its gradients, compiled together."""
    import jax

    compiled = jax.jit(jax.value_and_grad(loss))
    finished: Any = jax.block_until_ready

    def run() -> tuple[float, Iterable[Any]]:
        value, gradients = finished(compiled(parameters, *data))
        return float(value), gradients.values()

    return run
