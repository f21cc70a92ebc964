"""A scalar of arrays: the sum over all elements of a quantity times its weight.

`<u, y>` turns a signal, or a derivative, into a scalar that can be differentiated: its adjoint is
J' u. The dot test of a tangent against an adjoint, <u, J v> = <J' u, v>, is about such scalars.
"""

from __future__ import annotations

from collections.abc import Iterable

from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.quantity import Made, Quantity, make
from bptt.derive.calculus.system import Equation, System, Term


def paired(
    system: System, pairs: Iterable[tuple[Quantity, str]], origin: Made, about: str = ""
) -> System:
    """The system with the sum of weights times quantities; a weight has its quantity's axes.

    A weight that the system does not know is given.
    """
    terms, given = [], []
    for weight, name in pairs:
        indices = system.quantities[name].canonical_indices()
        at = [i.symbol for i in indices]
        terms.append(Term(weight[at] * system.quantities[name][at], indices))
        if weight.name not in system.quantities:
            given.append(weight)
    scalar = make(origin, "loss", (), about, system.quantities)
    return system.extended([canonical(Equation(0, scalar, (), tuple(terms)))], given)
