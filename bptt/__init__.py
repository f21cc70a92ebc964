"""Backpropagation through time, derived: equations, NumPy modules, audits, training.

    network = bptt.load("narx.toml")
    system = bptt.build(network)
    print(bptt.listing(bptt.adjoint(system)))
    files = bptt.generate(system).files()

Every name is loaded when it is first used: whoever derives does not wait for the optimisers.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bptt.codegen.check import check
    from bptt.codegen.emit import Generated, generate
    from bptt.derive import (
        Cell,
        Connection,
        Equation,
        Input,
        InternalError,
        Layer,
        LossKind,
        LossSpec,
        Network,
        Quantity,
        System,
        Term,
        UserError,
        adjoint,
        build,
        interpret,
        load,
        loads,
    )
    from bptt.derive.audit.audit import audit_file as audit
    from bptt.derive.calculus.open_loop import opened
    from bptt.derive.calculus.residuals import residuals
    from bptt.derive.calculus.sensitivity import sensitivities
    from bptt.derive.calculus.tangent import tangent
    from bptt.derive.notation.listing import system_text as listing
    from bptt.training import Fitted, Model, Options, fit, forecast, load_model

__version__ = version("bptt")

# Where each public name lives: a module, and its name there where that is another.
_HOMES = {
    **dict.fromkeys(("adjoint", "build", "interpret", "load", "loads"), ("bptt.derive", "")),
    **dict.fromkeys(
        ("Cell", "Connection", "Input", "Layer", "LossKind", "LossSpec"), ("bptt.derive", "")
    ),
    **dict.fromkeys(("Equation", "Network", "Quantity", "System", "Term"), ("bptt.derive", "")),
    **dict.fromkeys(("InternalError", "UserError"), ("bptt.derive", "")),
    "tangent": ("bptt.derive.calculus.tangent", ""),
    "residuals": ("bptt.derive.calculus.residuals", ""),
    "sensitivities": ("bptt.derive.calculus.sensitivity", ""),
    "opened": ("bptt.derive.calculus.open_loop", ""),
    "listing": ("bptt.derive.notation.listing", "system_text"),
    "check": ("bptt.codegen.check", ""),
    **dict.fromkeys(("Generated", "generate"), ("bptt.codegen.emit", "")),
    "audit": ("bptt.derive.audit.audit", "audit_file"),
    **dict.fromkeys(("Fitted", "Model", "Options"), ("bptt.training", "")),
    **dict.fromkeys(("fit", "forecast", "load_model"), ("bptt.training", "")),
}

__all__ = [
    "Cell",
    "Connection",
    "Equation",
    "Fitted",
    "Generated",
    "Input",
    "InternalError",
    "Layer",
    "LossKind",
    "LossSpec",
    "Model",
    "Network",
    "Options",
    "Quantity",
    "System",
    "Term",
    "UserError",
    "__version__",
    "adjoint",
    "audit",
    "build",
    "check",
    "fit",
    "forecast",
    "generate",
    "interpret",
    "listing",
    "load",
    "load_model",
    "loads",
    "opened",
    "residuals",
    "sensitivities",
    "tangent",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bptt' has no attribute {name!r}")
    module, known = _HOMES[name]
    found = getattr(import_module(module), known or name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
