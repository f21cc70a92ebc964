"""From a system of equations to a NumPy module that stands alone."""

from codegen.check import check
from codegen.emit import Generated, generate

__all__ = ["Generated", "check", "generate"]
