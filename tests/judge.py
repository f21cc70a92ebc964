"""The judgement of one random network, by its seed."""

from __future__ import annotations

import types

import numpy as np

from bptt.codegen.emit import module_source
from bptt.derive import Network, adjoint, build
from tests.numeric import Example, derivative, load_module, relative

VALUES = 1e-12
GRADIENTS = 1e-11
EXACT = 1e-10
DIFFERENCES = 1e-6


def judge(network: Network, seed: int) -> None:
    """Compare one network's module with the interpreter and with numerical derivatives.

    Generated values must agree with the interpreter to 1e-12 and gradients to 1e-11, on the
    scale of the gradient or of a hundredth of the loss, whose rounding they inherit. Gradients
    must agree with complex step to 1e-10 (functions with kinks take the branch of the real
    part) and, where a function is not analytic, with central differences to 1e-6 as well.
    """
    system = build(network)
    derived = adjoint(system)
    module = load_module(module_source(derived))
    example = moderate_example(module, seed)
    loss, gradients = module.loss_and_gradients(
        *example.arguments, wrt=("parameters", "inputs", "initial")
    )
    assert np.isfinite(loss), f"seed {seed}"
    values = example.interpreted(derived)
    signals = module.forward(example.parameters, example.inputs, example.initial, **example.free)
    for name, array in signals.items():
        assert relative(array, values[name], 1e-3) < VALUES, f"seed {seed}: signal {name}"
    assert relative(loss, values["loss"], 1e-3) < VALUES, f"seed {seed}: loss"
    floor = 1e-4 * max(float(np.abs(g).max(initial=0.0)) for g in gradients.values())
    for name, gradient in gradients.items():
        key = derived.derivative("loss", name)
        if name.startswith("initial_"):
            key = module._INITIAL_GRADIENTS[name.removeprefix("initial_")]
        assert relative(gradient, values[key], max(floor, 0.01 * abs(loss))) < GRADIENTS, (
            f"seed {seed}: {name}"
        )
        exact = derivative(module, example, name, "complex")
        assert relative(gradient, exact, floor) < EXACT, f"seed {seed}: {name}, complex step"
        if not system.is_analytic:
            close = derivative(module, example, name, "central", gradient)
            assert relative(gradient, close, floor) < DIFFERENCES, f"seed {seed}: {name}, central"


def moderate_example(module: types.ModuleType, seed: int) -> Example:
    """Arguments under which no signal explodes: squares that feed themselves soon would."""
    for scale in (0.5, 0.2, 0.05):
        example = Example(module, seed, 1 + seed % 8, 1 + seed % 3, scale)
        with np.errstate(all="ignore"):
            signals = module.forward(
                example.parameters, example.inputs, example.initial, **example.free
            )
        if all(np.abs(array).max() < 50 for array in signals.values()):
            break
    return example
