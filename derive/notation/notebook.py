"""Systems and equations as notebooks show them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp
from bptt.derive.calculus.bounds import Index
from bptt.derive.calculus.system import (
    PREFIX,
    TIME,
    Axis,
    Equation,
    Kind,
    Quantity,
    System,
    name_of,
)
from bptt.derive.notation.index import index_statement
from bptt.derive.notation.latex import aligned, tagged
from bptt.derive.notation.typeset import Typesetter


def system_latex(system: System) -> str:
    """All equations, aligned and numbered."""
    typesetter = Typesetter(system)
    formulas = (
        typesetter.statement(index_statement(e, system.quantities), e.number) for e in system
    )
    return f"$${aligned(formulas, tagged)}$$"


def equation_latex(equation: Equation) -> str:
    """One equation; of what it reads no more is known than the names and the subscripts."""
    system = System("", _mentioned(equation), (equation,), {})
    statement = index_statement(equation, system.quantities)
    return f"$${aligned([Typesetter(system).statement(statement, equation.number)], tagged)}$$"


def _mentioned(equation: Equation) -> dict[str, Quantity]:
    """The quantities of an equation, with the axes that their subscripts tell of."""
    found = {equation.quantity.name: equation.quantity}
    for term in equation.terms:
        for read in term.reads():
            name = name_of(read)
            axes = tuple(_axis(s, equation.box(term)) for s in read.indices if s != 0)
            kind: Kind = "adjoint" if name.startswith(PREFIX) else "signal"
            found.setdefault(name, Quantity(name, kind, axes))
    for name, quantity in tuple(found.items()):
        of = name.removeprefix(PREFIX)
        found.setdefault(of, replace(quantity, name=of, kind="signal"))
    return found


def _axis(subscript: sp.Expr, box: Iterable[Index]) -> Axis:
    index = next((i for i in box if subscript.has(i.symbol)), None)
    return TIME if index is None else Axis(index.kind, index.length)
