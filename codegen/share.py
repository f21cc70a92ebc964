"""What the gradient needs again is kept: `tanh(c)` inside h = o tanh(c), an output's error.

A part of a forward equation that its adjoint holds too, a function's value or a difference of
two quantities, becomes a signal of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.dependence import network_side
from bptt.derive.calculus.forward_values import ForwardValues
from bptt.derive.calculus.quantity import AXIS_ORDER, LETTERS, Axis, Made, Quantity, unused
from bptt.derive.calculus.system import Equation, System, Term, calls, name_of, parts, reads


def share_values(system: System, apart: Collection[str] = ()) -> System:
    """The system with a signal for every value that forward and adjoint equations both compute.

    Such a signal has the number of the equation that it was a part of. The quantities `apart`
    are computed without the losses: they share only what the network's signals are made of.
    """
    forward, backward = system.primal.equations, system.derived
    wanted = {part for e in backward for term in e.terms for part in _parts(term)}
    quantities = dict(system.quantities)
    added: list[Equation] = []
    for equation in forward:
        for term in equation.terms:
            if term.bounds:
                continue  # where a condition fails, its functions may have no value
            for part in sorted(_parts(term) & wanted, key=sp.default_sort_key):
                if part == term.factor and term.is_pointwise:
                    continue
                shared = _shared(equation, part, system, quantities)
                if shared is not None:
                    quantities[shared.quantity.name] = shared.quantity
                    added.append(shared)
    if not added:
        return system
    of_network = network_side(system)
    signals = {e.number for e in forward if e.quantity.name in of_network}
    of_signals = tuple(a for a in added if a.number in signals)
    every = ForwardValues(replace(system, quantities=quantities, equations=tuple(added)))
    some = ForwardValues(replace(system, quantities=quantities, equations=of_signals))

    def express(equation: Equation) -> Equation:
        values = some if equation.quantity.name in apart else every
        terms = tuple(replace(m, factor=values.express(m.factor)) for m in equation.terms)
        return replace(equation, terms=terms)

    expressed = [express(e) for e in (*forward, *backward)]
    read = set().union(*(e.needs for e in (*expressed, *added)))
    # A difference inside a shared function's argument is not read on its own any more.
    added = [a for a in added if a.quantity.name in read]
    inserted: dict[int, list[Equation]] = {}
    for a in added:
        inserted.setdefault(a.number, []).append(a)
    merged: list[Equation] = []
    for equation in expressed[: len(forward)]:
        merged += [*inserted.get(equation.number, ()), equation]
    names = {a.quantity.name for a in added}
    return replace(
        system,
        quantities={n: q for n, q in quantities.items() if n in system.quantities or n in names},
        equations=(*merged, *expressed[len(forward) :]),
    )


def _parts(term: Term) -> set[sp.Expr]:
    """Function values and differences in a term."""
    found = set(calls(term.factor))
    for addition in parts(term.factor):
        if (
            isinstance(addition, sp.Add)
            and len(addition.args) == 2
            and all(isinstance(a, sp.Indexed) or isinstance(-a, sp.Indexed) for a in addition.args)
        ):
            found.add(addition)
    return found


def _shared(
    equation: Equation, part: sp.Expr, system: System, quantities: dict[str, Quantity]
) -> Equation | None:
    """The equation of the new signal, on the axes of the quantities that it is made of."""
    axes: dict[sp.Symbol, Axis] = {}
    numbers = part.xreplace({read: sp.Integer(1) for read in reads(part)}).free_symbols
    if not reads(part) or numbers & {index.symbol for index in equation.indices}:
        return None
    for read in reads(part):
        places = zip(system.subscripts(read), system.quantity_of(read).axes, strict=True)
        for at, axis in places:
            if not at.is_Symbol:
                return None
            axes.setdefault(at, axis)
    first = LETTERS["time"][0]
    symbols = sorted(axes, key=lambda s: (AXIS_ORDER[axes[s].kind], s.name != first, s.name))
    name = unused(_name(part, quantities), quantities)
    quantity = Quantity(
        name,
        "signal",
        tuple(axes[s] for s in symbols),
        f"part of {equation.quantity.name}",
        internal=True,
    )
    indices = tuple(axes[s].index(s) for s in symbols)
    return canonical(Equation(equation.number, quantity, indices, (Term(part),)))


def _name(part: sp.Expr, quantities: Mapping[str, Quantity]) -> str:
    names = list(dict.fromkeys(name_of(r) for r in reads(part)))
    if isinstance(part, sp.Add):
        targets = (quantities[n].origin for n in names)
        judged = [o.of for o in targets if isinstance(o, Made) and o.what == "target"]
        return f"error_{judged[0]}" if judged else "_minus_".join(names)[:60]
    return "_".join([type(part).__name__, *names])[:60]
