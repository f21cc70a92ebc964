"""From a system of equations to a NumPy module that stands alone."""

from bptt.codegen.check import check
from bptt.codegen.emit import Generated, generate

__all__ = ["Generated", "check", "generate"]
