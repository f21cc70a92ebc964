"""Sums over steps as running sums: what a loop adds up as it goes.

    q = sum_t f[t]   is   r[t] = r[t-1] + f[t],  q = r[T-1].

Of a sum over pairs of steps, sum_s sum_t f[s,t], step u adds the pairs of which it is the later:
f[u,u], f[u,t] and f[s,u] with s, t < u. A system of running sums is computed in one pass over the
steps that keeps nothing else of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.bounds import Index
from bptt.derive.calculus.canonical import canonical, renamed
from bptt.derive.calculus.causality import reached
from bptt.derive.calculus.quantity import Axis, Made, index_symbol, make
from bptt.derive.calculus.system import Equation, System, Term, name_of

NOW = index_symbol("_now")


def running_sum_of(name: str) -> Made:
    """What has been added up of a quantity, at each step."""
    return Made("running", name, derived=True)


def accumulated(system: System) -> System:
    """The system with running sums of the signals' values in place of sums over all their steps.

    Sums that need what is known after the last step alone stay as they are.
    """
    timed = {n for n in system.definitions if system.quantities[n].time_axis is not None}
    lengths = {system.quantities[n].last_step + 1 for n in timed}
    if len(lengths) != 1:
        return system
    axis = Axis("time", lengths.pop())
    late = reached(timed, ((e.quantity.name, e.needs) for e in system)) - timed
    found, known = [], dict(system.quantities)
    for equation in system:
        summed = [t for t in equation.terms if _adds_up(t, axis, timed, late, system)]
        quantity = equation.quantity
        if quantity.name not in late or not summed:
            found.append(equation)
            continue
        about = f"what has been added up of {quantity.name}"
        axes = (axis, *quantity.axes)
        running = make(running_sum_of(quantity.name), "signal", axes, about, known)
        known[running.name] = running
        units = [i.symbol for i in equation.indices]
        box = (axis.index(NOW), *equation.indices)
        terms = [Term(running[NOW - 1, *units]), *(p for t in summed for p in _parts(t, axis))]
        found.append(canonical(Equation(equation.number, running, box, tuple(terms))))
        rest = (t for t in equation.terms if t not in summed)
        last = Term(running[axis.last, *units])
        found.append(replace(equation, terms=(*rest, last)))
    return replace(system, quantities=known, equations=tuple(found))


def _adds_up(term: Term, axis: Axis, timed: set[str], late: set[str], system: System) -> bool:
    """Whether a term is a sum over steps of what is known at each of them."""
    steps = {i.symbol for i in _steps(term, axis)}
    read = [r for r in term.reads() if name_of(r) in timed]
    at = (r.indices[system.quantity_of(r).time_axis or 0] for r in read)
    is_known = late.isdisjoint(map(name_of, term.reads()))
    return bool(read) and is_known and term.reduction.is_linear and steps.issuperset(at)


def _steps(term: Term, axis: Axis) -> list[Index]:
    return [i for i in term.sums if i.kind == "time" and i.length == axis.size]


def _parts(term: Term, axis: Axis) -> Iterator[Term]:
    """What one step adds: for each of the indices of steps, the terms whose latest it is."""
    steps = _steps(term, axis)
    for place, latest in enumerate(steps):
        before: Iterator[sp.Expr] = (latest.symbol - 1 - i.symbol for i in steps[:place])
        until: Iterator[sp.Expr] = (latest.symbol - i.symbol for i in steps[place + 1 :])
        limited = replace(term, bounds=(*term.bounds, *before, *until))
        others = tuple(i for i in term.sums if i != latest)
        yield renamed(limited, {latest.symbol: NOW}, others)
