"""What equations cost: multiplications and additions, as a formula in T, B and the sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import sympy as sp

from bptt.derive.calculus.bounds import coefficient
from bptt.derive.calculus.system import Equation


def cost(equations: Iterable[Equation]) -> sp.Expr:
    """The number of summands that are formed: one for each point of each term's indices.

    A condition that ties two indices to each other takes one of them away; other conditions are
    not counted.
    """
    counts: Counter[sp.Expr] = Counter()
    for equation in equations:
        for term in equation.terms:
            points = sp.Mul(*(index.length for index in equation.box(term)))
            for equal in term.equals:
                tied = [i for i in equation.box(term) if coefficient(equal, i.symbol) != 0]
                points = points / tied[0].length if tied else points
            counts[points] += 1
    return sp.expand(sp.Add(*(number * points for points, number in counts.items())))
