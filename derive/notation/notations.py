"""The notations that equations can be written in.

A notation says how an equation becomes a syntax tree, and how the tree's symbols are set. To add
one, write a function from an equation to a statement (or take one of those there are), a subclass
of Typesetter if its symbols are its own, and an entry below.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bptt.derive.calculus.lddn import is_layered, layered
from bptt.derive.calculus.system import Equation, System
from bptt.derive.errors import UserError, did_you_mean
from bptt.derive.language.syntax import Statement
from bptt.derive.notation.hagan import LayeredTypesetter, legend, remark
from bptt.derive.notation.index import index_statement
from bptt.derive.notation.matrix import matrix_statement
from bptt.derive.notation.typeset import Typesetter
from bptt.derive.notation.vectors import VectorTypesetter


@dataclass(frozen=True)
class Notation:
    """A way to write equations: its name, what it is in words, and the steps of it.

    `prepared` is the derivation that the notation is for, of a system that holds its own adjoint;
    `legend` says what its symbols stand for in a system, `remark` why a system cannot have it.
    """

    name: str
    about: str
    statement: Callable[[Equation, System], Statement]
    typesetter: Callable[[System], Typesetter]
    prepared: Callable[[System], System] = lambda system: system
    legend: Callable[[System], str] = lambda system: ""
    remark: Callable[[System], str] = lambda system: ""


NOTATIONS = {
    n.name: n
    for n in (
        Notation(
            "index",
            "every index shown; t and s are steps, b is a sequence, i, j and k are units; W(2) is "
            "the weight of a connection with delay 2",
            lambda equation, system: index_statement(equation, system.quantities),
            Typesetter,
        ),
        Notation(
            "matrix",
            "vectors and matrices of one sequence; functions and powers are elementwise, a sum "
            "over b is one over the sequences; W(2) is the weight of a connection with delay 2, v "
            "with 0:2 below it the elements 0 and 1; what has no such form stays in index notation",
            matrix_statement,
            VectorTypesetter,
        ),
        Notation(
            "hagan",
            'the symbols of "Neural Network Design", chapter 14',
            matrix_statement,
            LayeredTypesetter,
            lambda system: layered(system) if is_layered(system) else system,
            legend,
            remark,
        ),
    )
}


def notation(name: str) -> Notation:
    """The notation of a name. Raises UserError."""
    if name not in NOTATIONS:
        raise UserError(
            f"{name[:40]!r} is no notation{did_you_mean(name, NOTATIONS)}",
            place="--notation",
            remedy=f"use one of {', '.join(NOTATIONS)}",
        )
    return NOTATIONS[name]
