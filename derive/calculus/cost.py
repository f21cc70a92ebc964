"""What equations cost: multiplications and additions, as a formula in T, B and the sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import sympy as sp

from bptt.derive.calculus.bounds import Index, coefficient
from bptt.derive.calculus.system import Equation


def cost(equations: Iterable[Equation]) -> sp.Expr:
    """The number of summands that are formed: one for each point of each term's indices.

    A condition that ties two indices to each other takes one of them away; other conditions are
    not counted.
    """
    counts: Counter[tuple[Index, ...]] = Counter()
    for equation in equations:
        for term in equation.terms:
            box = list(equation.box(term))
            for equal in term.equals:
                tied = next((i for i in box if coefficient(equal, i.symbol) != 0), None)
                if tied is not None:
                    box.remove(tied)
            counts[tuple(box)] += 1
    return sp.expand(
        sp.Add(*(number * sp.Mul(*(i.length for i in box)) for box, number in counts.items()))
    )
