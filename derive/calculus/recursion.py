"""Sensitivities as one recursion in the states: what real-time recurrent learning carries on.

What a step needs of others are its states: the signals that are read at another step. Let u be a
state or a signal whose derivative is wanted, and v the states. Then

    E_u_W[t]     derivative of u at t by W, all states of other steps held fixed
    A_u_v_d[t]   derivative of u at t by v at t-d, held likewise
    u_by_W[t] =  E_u_W[t] + sum over v and d of A_u_v_d[t] v_by_W[t-d]

E and A are static derivatives: adjoints within one step, of each element of u, that need nothing
of other steps. A parameter acts on its own layer alone, so that most of E is zero, and is left out.
Signals that are neither have no sensitivities at all. The recursion itself is the textbook's
(Williams and Zipser 1989; `sensitivity.py`) with what lies between the states put into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import sympy as sp

from bptt.derive.calculus.adjoint import Adjoint
from bptt.derive.calculus.bounds import Index
from bptt.derive.calculus.canonical import canonical, renamed
from bptt.derive.calculus.contraction import collected, without_deltas
from bptt.derive.calculus.dependence import dependences, upstream
from bptt.derive.calculus.inline import inlined
from bptt.derive.calculus.quantity import Derivative, Made, Quantity, index_symbol, make
from bptt.derive.calculus.sensitivity import MOST, sensitivities
from bptt.derive.calculus.system import Equation, System, Term, name_of
from bptt.derive.errors import UserError

# A state at another step: its name, and how many steps before.
Past = tuple[str, int]


def recursive_sensitivities(system: System, of: Iterable[str], by: Iterable[str]) -> System:
    """The system with the derivatives of the quantities `of` by the parameters `by`.

    Those of signals with steps are computed by the recursion in the states. Where a step reads
    others in another way than so many steps before or after, the derivatives of all signals are
    made, as `sensitivities` does. Raises UserError where there are too many of them.
    """
    of, by = tuple(of), tuple(by)
    split = _Split.of(system, of, by)
    if split is None or split.count > _count(system, of, by):
        return sensitivities(system, of, by)
    if split.count > MOST:
        raise UserError(
            f"forward sensitivities of this network are {split.count} equations, and up to {MOST} "
            "are derived",
            remedy="leave out jacobian and rtrl",
        )
    return sensitivities(split.system(), of, by, {*split.timed} - {*split.ends})


@dataclass(frozen=True)
class _Split:
    """A system cut between its steps.

    `timed` are the signals with steps that depend on the parameters, `ends` those of them whose
    sensitivities are needed, `past` names what stands for a state at another step.
    """

    whole: System
    by: tuple[str, ...]
    timed: tuple[str, ...]
    ends: tuple[str, ...]
    past: Mapping[Past, Quantity]

    @classmethod
    def of(cls, system: System, of: tuple[str, ...], by: tuple[str, ...]) -> _Split | None:
        """The cut; None where the steps cannot be cut apart."""
        depends, wanted = dependences(system, by), upstream(system, of)
        moving = [e for e in system.equations if e.quantity.name in wanted]
        moving = [e for e in moving if depends.get(e.quantity.name)]
        timed = {e.quantity.name for e in moving if e.quantity.time_axis is not None}
        past: dict[Past, Quantity] = {}
        ends = {name for name in timed if name in of}
        known = dict(system.quantities)
        for equation in moving:
            is_timed = equation.quantity.name in timed
            if is_timed and not _has_one_step(equation):
                return None
            for read in (r for term in equation.terms for r in term.reads()):
                name = name_of(read)
                if name not in timed:
                    if is_timed and depends.get(name):
                        return None
                    continue
                quantity = system.quantities[name]
                if not is_timed:
                    ends.add(name)
                    continue
                back = equation.indices[0].symbol - read.indices[0]
                is_alike = len(_sequences(quantity)) <= len(_sequences(equation.quantity))
                if not back.is_Integer or not is_alike:
                    return None
                if back != 0:
                    ends.add(name)
                    if (name, int(back)) not in past:
                        origin = Made(f"{name} {int(back)} before", name, derived=True)
                        held = make(origin, "input", quantity.axes, "", known)
                        past[name, int(back)] = known[held.name] = held
        order = [e.quantity.name for e in moving]
        return cls(
            system,
            by,
            tuple(n for n in order if n in timed),
            tuple(n for n in order if n in ends),
            past,
        )

    @property
    def count(self) -> int:
        """How many equations the recursion has, with its static derivatives, at the most."""
        return len(self.ends) * (len(self.by) + len(self.timed) + len(self.past))

    def system(self) -> System:
        """The whole with the static derivatives, and the recursion of the sensitivities."""
        found = self.whole
        direct: dict[tuple[str, str], Equation] = {}
        for end in self.ends:
            static = {e.quantity.origin: e for e in self._static(end, found)}
            for by in self.by:
                equation = static.pop(self._origin(end, by, found), None)
                if equation is not None:
                    direct[end, by] = equation
            found = found.extended(static.values())
        known = dict(found.quantities)
        made = {(end, by): self._sensitivity(end, by, found, known) for end, by in self._pairs()}
        return found.extended(
            self._recursion(end, by, made, direct.get((end, by)), found, known) for end, by in made
        )

    def _pairs(self) -> Iterator[tuple[str, str]]:
        """Ends with the parameters that they depend on, at any step."""
        depends = dependences(self.whole, self.by)
        for end in self.ends:
            for place, name in enumerate(self.by):
                if depends[end] >> place & 1:
                    yield end, name

    def _sensitivity(
        self, end: str, by: str, found: System, known: dict[str, Quantity]
    ) -> Quantity:
        axes = found.quantities[end].axes + found.quantities[by].axes
        origin = Derivative(end, by, forward=True)
        own = found.by_origin.get(origin)
        own = own or make(origin, "signal", axes, f"derivative of {end} by {by}", known)
        known[own.name] = own
        return own

    def _origin(self, end: str, by: str, found: System, back: int = 0) -> Derivative:
        """What a static derivative is."""
        has_batch = bool(_sequences(found.quantities[end]))
        return Derivative(end, by, "static", per_sequence=has_batch, back=back)

    def _static(self, end: str, found: System) -> list[Equation]:
        """The static derivatives of an end, by parameters and by states of other steps."""
        held = {q.name: past for past, q in self.past.items()}
        quantities = {**found.quantities, **{q.name: q for q in self.past.values()}}
        cut = replace(
            found,
            quantities=quantities,
            equations=tuple(self._cut(found.definitions[n]) for n in self.timed),
        )
        has_batch = bool(_sequences(found.quantities[end]))
        given = (*self.by, *held)
        within = Adjoint(cut, end, given, way="static", per_sequence=has_batch).system()
        derived = {
            name: o.by
            for name in within.definitions
            if isinstance(o := within.quantities[name].origin, Derivative)
            and o.of == end
            and o.way == "static"
            and name not in found.quantities
        }
        needed = upstream(within, [n for n, q in derived.items() if q in given])
        names = {n for n in derived if n in needed and within.definitions[n].terms}
        own = within.restricted(names)
        between = {n for n in names if derived[n] not in given}
        while short := {n for n in between & own.definitions.keys() if _is_short(own, n)}:
            own = inlined(own, short)
        known = dict(found.quantities)
        return [self._restored(e, held, known) for e in own.equations if e.terms]

    def _cut(self, equation: Equation) -> Equation:
        """An equation with what stands for states in place of what other steps give it."""
        step = equation.indices[0].symbol
        terms = []
        for term in equation.terms:
            at: dict[sp.Expr, sp.Expr] = {}
            for read in term.reads():
                back = step - read.indices[0] if read.indices else sp.Integer(0)
                held = self.past.get((name_of(read), int(back))) if back.is_Integer else None
                if held is not None:
                    at[read] = held[(step, *read.indices[1:])]
            terms.append(replace(term, factor=term.factor.xreplace(at)))
        return replace(equation, terms=tuple(terms))

    def _restored(
        self, equation: Equation, held: Mapping[str, Past], known: dict[str, Quantity]
    ) -> Equation:
        """An equation with the states where something stands for them."""
        terms = []
        for term in equation.terms:
            at = {}
            for read in (r for r in term.reads() if name_of(r) in held):
                name, back = held[name_of(read)]
                step, *rest = read.indices
                at[read] = known[name][(step - back, *rest)]
            terms.append(replace(term, factor=term.factor.xreplace(at), mentions=()))
        quantity, origin = equation.quantity, equation.quantity.origin
        assert isinstance(origin, Derivative)
        if origin.by in held:
            name, back = held[origin.by]
            steps = f"{abs(back)} step{'s' * (abs(back) > 1)} {'before' if back > 0 else 'after'}"
            about = f"derivative of {origin.of} by {name} {steps}, other states held fixed"
            at_other = replace(origin, by=name, back=back)
            quantity = make(at_other, quantity.role, quantity.axes, about, known)
        known[quantity.name] = quantity
        return replace(equation, quantity=quantity, terms=tuple(terms))

    def _recursion(
        self,
        end: str,
        by: str,
        made: Mapping[tuple[str, str], Quantity],
        direct: Equation | None,
        found: System,
        known: Mapping[str, Quantity],
    ) -> Equation:
        """The sensitivity of an end by a parameter."""
        quantity = made[end, by]
        indices = quantity.canonical_indices()
        count = len(found.quantities[end].axes)
        own, element = indices[:count], indices[count:]
        terms: list[Term] = []
        if direct is not None:
            terms += self._direct(direct, indices)
        for (name, back), held in self.past.items():
            factor = found.by_origin.get(self._origin(end, name, found, back))
            if factor is None or factor.name not in found.definitions or (name, by) not in made:
                continue
            sums = tuple(
                replace(i, symbol=index_symbol(f"_{i.symbol.name}_of"))
                for i in held.canonical_indices()
                if i.kind == "feature"
            )
            units = [i.symbol for i in sums]
            outer = [i.symbol for i in own if i.kind != "feature"]
            rows = [i.symbol for i in own if i.kind == "feature"]
            past = [own[0].symbol - back, *(i.symbol for i in own if i.kind == "batch")]
            past = past[: len(held.axes) - len(sums)]
            by_unit = made[name, by][(*past, *units, *(i.symbol for i in element))]
            terms.append(Term(factor[(*outer, *rows, *units)] * by_unit, sums))
        return canonical(Equation(0, quantity, indices, collected(terms, known)))

    @staticmethod
    def _direct(definition: Equation, wanted: Iterable[Index]) -> Iterator[Term]:
        """The terms of the derivative by the parameter itself, at the indices of a sensitivity."""
        places = zip(definition.indices, wanted, strict=True)
        at = {old.symbol: new.symbol for old, new in places}
        for term in definition.terms:
            fresh = {i.symbol: index_symbol(f"_{i.symbol.name}_in") for i in term.sums}
            sums = tuple(replace(i, symbol=fresh[i.symbol]) for i in term.sums)
            yield without_deltas(renamed(term, at | fresh, sums))


def _count(system: System, of: Iterable[str], by: Iterable[str]) -> int:
    """How many sensitivities of all signals by the parameters there are."""
    depends = dependences(system, by)
    return sum(depends.get(name, 0).bit_count() for name in upstream(system, of))


def _has_one_step(equation: Equation) -> bool:
    """Whether an equation has one axis of steps, in front, and sums over none."""
    kinds = [axis.kind for axis in equation.quantity.axes]
    sums = {index.kind for term in equation.terms for index in term.sums}
    is_plain = kinds[:1] == ["time"] and "time" not in kinds[1:] and kinds.count("batch") <= 1
    return is_plain and not sums & {"time", "batch", "delay"}


def _sequences(quantity: Quantity) -> list[object]:
    return [axis for axis in quantity.axes if axis.kind == "batch"]


def _is_short(system: System, name: str) -> bool:
    """Whether a static derivative costs nothing where it is read: one product, or read once."""
    (first, *others) = system.definitions[name].terms
    if others or first.sums:
        return False
    readers = sum(
        name_of(r) == name for e in system.equations for term in e.terms for r in term.reads()
    )
    steps = (system.quantity_of(r).time_axis for r in first.reads())
    return readers < 2 or all(axis is None for axis in steps) or bool(first.equals)
