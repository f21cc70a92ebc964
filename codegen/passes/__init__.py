"""Passes: from a program to one that computes the same, faster."""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce

from bptt.codegen.passes.fuse import fused
from bptt.codegen.passes.reuse import reused
from bptt.codegen.passes.slopes import sloped
from bptt.codegen.passes.stack import stacked
from bptt.codegen.program import Pass, Program

# In this order.
PASSES: tuple[Pass, ...] = (fused, sloped, reused, stacked)


def optimised(program: Program, passes: Iterable[Pass] = PASSES) -> Program:
    """The program after all passes, those of NumPy unless others are given."""
    return reduce(lambda found, change: change(found), passes, program)
