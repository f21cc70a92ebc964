"""Matrices that products read across their rows are turned once, so that they read along rows.

    n[t,b,i] += sum_j U[i,j]*h[t-1,b,j]      is      n[t,b,i] += sum_j U_turned[j,i]*h[t-1,b,j]

where U_turned[j,i] = U[i,j] is filled at the start of the function. What lies in rows can be
computed several elements at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bptt.codegen.nodes import (
    ZERO,
    Affine,
    Contract,
    Node,
    Range,
    Read,
    Subscript,
    mapped,
    rewritten,
)
from bptt.codegen.program import Assign, Buffer, Function, Program, Statement, assignments, changed
from bptt.derive.calculus.quantity import unused


def transposed(program: Program) -> Program:
    """The program with such matrices turned.

    Needs: matrices that are filled before what reads them. Gives: a buffer for each, and a
    statement that fills it, in every function that reads it so.
    """
    buffers = dict(program.buffers)
    names: dict[str, str] = {}
    functions = tuple(_turned(function, buffers, names) for function in program.functions)
    return replace(program, buffers=buffers, functions=functions)


def _turned(function: Function, buffers: dict[str, Buffer], names: dict[str, str]) -> Function:
    filled: dict[str, int] = {}
    for place, statement in enumerate(function.body):
        inner = [statement] if isinstance(statement, Assign) else assignments(statement.body)
        for assign in inner:
            is_top = assign is statement
            filled[assign.target.name] = place if is_top else len(function.body)
    # The places of the statements behind which a matrix is turned.
    after: dict[str, int] = {}

    def turn(assign: Assign) -> Iterator[Assign]:
        yield replace(assign, value=_rewritten(assign, assign.value))

    def _rewritten(assign: Assign, node: Node) -> Node:
        if not isinstance(node, Contract):
            return mapped(node, lambda child: _rewritten(assign, child))
        if not _is_repeated(assign, node):
            return node
        return rewritten(node, lambda read: _of(assign, node, read))

    def _of(assign: Assign, node: Contract, read: Read) -> Read:
        last = assign.target.subscripts[-1].index if assign.target.subscripts else None
        if last is None or not _is_across(read, last, node, buffers):
            return read
        place = filled.get(read.name, -1)
        if place >= len(function.body):
            return read
        if read.name not in names:
            name = names[read.name] = unused(f"{read.name}_turned", buffers)
            old = buffers[read.name]
            buffers[name] = replace(old, name=name, lengths=old.lengths[::-1], alias=None)
        after[read.name] = place
        return Read(names[read.name], read.subscripts[::-1])

    body = changed(function.body, turn)
    if not after:
        return function
    found: list[Statement] = []
    for place in range(-1, len(body)):
        if place >= 0:
            found.append(body[place])
        for name, at in after.items():
            if at == place:
                found.append(_turning(buffers[name], names[name]))
    return replace(function, body=tuple(found))


def _is_across(read: Read, last: str, node: Contract, buffers: dict[str, Buffer]) -> bool:
    """Whether a matrix is read with a target's last index along its rows' beginnings."""
    buffer = buffers[read.name]
    if len(read.subscripts) != 2 or set(buffer.kinds) != {"feature"} or buffer.alias is not None:
        return False
    if Affine(1) in buffer.lengths:
        # One row, or one column, stands in a row either way.
        return False
    row, column = read.subscripts
    is_plain = row.offset == ZERO and column.offset == ZERO
    return is_plain and row.index == last and column.index in node.over


def _is_repeated(assign: Assign, node: Contract) -> bool:
    """Whether a product is formed for several steps or sequences, all with one matrix."""
    kinds = {r.name: r.kind for r in assign.ranges}
    own = {s.index for s in assign.target.subscripts if s.index in kinds}
    return any(kinds[n] != "feature" for n in own if n is not None)


def _turning(old: Buffer, name: str) -> Assign:
    letters = ("i0", "i1")
    row, column = (Subscript(letter, ZERO) for letter in letters)
    ranges = []
    for letter, length in zip(letters, old.lengths, strict=True):
        assert length is not None
        ranges.append(Range(letter, "feature", length, (ZERO,), (length,)))
    target, value = Read(name, (column, row)), Read(old.name, (row, column))
    return Assign((), target, "=", value, tuple(ranges))
