"""What a function of a value makes takes the value's place, where nobody reads the value again."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from bptt.codegen.nodes import Call, Read
from bptt.codegen.program import Assign, Block, Buffer, Loop, Program, assignments


def reused(program: Program) -> Program:
    """The program with activations in the arrays of their net inputs.

    Needs: nothing. Gives: aliases of whole buffers, each written after the last read of the other.
    """
    every = [a for f in program.functions for a in assignments(f.body)]
    reads = Counter(read.name for a in every for read in a.reads)
    writes = Counter(a.target.name for a in every)
    fixed = {n for f in program.functions for n in (*f.takes, *f.gives, *f.allocates)}
    buffers = dict(program.buffers)
    for function in program.functions:
        taken = set(function.takes)
        loops = (s for s in function.body if isinstance(s, Loop))
        for assign in (s for loop in loops for s in loop.body if isinstance(s, Assign)):
            source = _argument(assign)
            if source is None or writes[assign.target.name] > 1 or assign.target.name in taken:
                continue
            old, new = buffers[source.name], buffers[assign.target.name]
            if source.name not in fixed and reads[source.name] == 1 and _fit(old, new):
                buffers[new.name] = replace(new, alias=Block(old.name, 0, 0))
    return replace(program, buffers=buffers)


def _argument(assign: Assign) -> Read | None:
    """The value of which a statement is a function, element by element; None if it is not."""
    match assign.value:
        case Call(_, (Read() as read,)) if read.subscripts == assign.target.subscripts:
            return read if assign.operator == "=" else None
    return None


def _fit(old: Buffer, new: Buffer) -> bool:
    """Whether one array can hold both, and holds all steps of them."""
    is_plain = all(not b.padded and b.window is None and b.alias is None for b in (old, new))
    return is_plain and old.lengths == new.lengths and len(old.lengths) > 0
