"""From the description of a recurrent network to its equations and their derivatives."""

from bptt.derive.calculus.adjoint import adjoint
from bptt.derive.calculus.quantity import Quantity
from bptt.derive.calculus.system import Equation, System, Term
from bptt.derive.description.build import build
from bptt.derive.description.network import (
    Cell,
    Connection,
    Input,
    Layer,
    LossKind,
    LossSpec,
    Network,
)
from bptt.derive.description.topology import load, loads
from bptt.derive.errors import InternalError, UserError
from bptt.derive.interpreter import interpret
from bptt.derive.notation.notebook import system_latex

__all__ = [
    "Cell",
    "Connection",
    "Equation",
    "Input",
    "InternalError",
    "Layer",
    "LossKind",
    "LossSpec",
    "Network",
    "Quantity",
    "System",
    "Term",
    "UserError",
    "adjoint",
    "build",
    "interpret",
    "load",
    "loads",
    "system_latex",
]
