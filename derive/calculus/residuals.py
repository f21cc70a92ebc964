"""A loss that is a sum of squares, as its residuals: loss = sum r^2.

That is seen in the form of its terms, c e^2 with a factor c that nothing learnt moves: then
r = sqrt(c) e. Levenberg-Marquardt and its kin need the residuals, and their Jacobian.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.dependence import dependent
from bptt.derive.calculus.quantity import Axis, Made, make
from bptt.derive.calculus.system import Equation, System, Term, name_of, reads
from bptt.derive.errors import UserError


def residuals(system: System, of: str = "loss") -> System:
    """The system with the residuals of a loss, a signal for each of its terms.

    Raises UserError where the loss is no sum of squares.
    """
    moving = dependent(system.primal, [q.name for q in system.of_role("parameter")])
    known = dict(system.quantities)
    equations = []
    for loss, number, term in _squares(system, of, sp.Integer(1), moving):
        axes = tuple(Axis(i.kind, i.length) for i in term.sums)
        # Of a loss with several terms each has residuals of its own.
        origin = Made(f"residual {number}" if number else "residual", loss, derived=True)
        made = make(origin, "signal", axes, f"residual of {loss}", known)
        known[made.name] = made
        alone = replace(term, sums=())
        equations.append(canonical(Equation(0, made, term.sums, (alone,))))
    return system.extended(equations)


def is_sum_of_squares(system: System, of: str = "loss") -> bool:
    """Whether a loss has residuals."""
    try:
        residuals(system, of)
    except UserError:
        return False
    return True


def _squares(
    system: System, of: str, weight: sp.Expr, moving: set[str]
) -> Iterator[tuple[str, int, Term]]:
    """The terms of a loss as r with sum r^2; of a weighted sum of losses those of each."""
    for number, term in enumerate(system.definitions[of].terms):
        parts = [r for r in reads(term.factor) if system.quantities[name_of(r)].role == "loss"]
        if len(parts) == 1:
            share = weight * term.factor.coeff(parts[0])
            yield from _squares(system, name_of(parts[0]), share, moving)
            continue
        factors = sp.Mul.make_args(weight * term.factor)
        squares = [f for f in factors if isinstance(f, sp.Pow) and f.exp == 2 and any(reads(f))]
        errors = [f for f in factors if moving.intersection(map(name_of, reads(f)))] or squares
        scale = sp.Mul(*(f for f in factors if f not in errors))
        if (
            len(errors) != 1
            or errors[0] not in squares
            or scale.could_extract_minus_sign()
            or not term.reduction.is_linear
        ):
            raise UserError(
                f"{of} is no sum of squares",
                place="loss",
                remedy="use mse, or train with lbfgs or adam: they need no residuals",
            )
        yield of, number, replace(term, factor=sp.sqrt(scale) * errors[0].base)
