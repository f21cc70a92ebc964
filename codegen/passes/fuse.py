"""Loops over the same steps that need nothing of each other become one."""

from __future__ import annotations

from dataclasses import replace

from bptt.codegen.passes.order import Order
from bptt.codegen.program import Body, Loop, Program, Statement

# How many earlier loops one is tried with, the last ones: the work grows with their number.
MOST_TRIED = 4


def fused(program: Program) -> Program:
    """The program with such loops in one.

    Needs: nothing. Gives: fewer loops; the statements of a function in another order if need be.
    """
    functions = tuple(replace(f, body=_fused(f.body, program)) for f in program.functions)
    return replace(program, functions=functions)


def _fused(body: Body, program: Program) -> Body:
    loops = [n for n, s in enumerate(body) if isinstance(s, Loop)]
    if len(loops) < 2:
        return body
    order = Order(body, program.buffers)
    heads: list[int] = []
    for place in loops:
        near = (h for h in heads[-MOST_TRIED:] if _fit(body[h], body[place]))
        if not any(not order.follows(h, place) and order.joined([h, place]) for h in near):
            heads.append(place)
    found: list[Statement] = []
    for place in order.sorted():
        statement = body[place]
        if isinstance(statement, Loop):
            loops_in_one = (body[n] for n in order.members(place))
            inner = tuple(s for loop in loops_in_one if isinstance(loop, Loop) for s in loop.body)
            statement = replace(statement, body=inner)
        found.append(statement)
    return tuple(found)


def _fit(one: Statement, other: Statement) -> bool:
    """Whether two loops run over the same steps the same way."""
    assert isinstance(one, Loop)
    assert isinstance(other, Loop)
    return replace(one, body=()) == replace(other, body=())
