"""From the description of a recurrent network to its equations and their derivatives."""

from derive.adjoint import adjoint
from derive.build import build
from derive.errors import InternalError, UserError
from derive.interpret import interpret
from derive.network import Cell, Connection, Input, Layer, LossSpec, Network
from derive.system import Equation, Quantity, System, Term
from derive.topology import load, loads

__all__ = [
    "Cell",
    "Connection",
    "Equation",
    "Input",
    "InternalError",
    "Layer",
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
]
