"""The adjoint of a system: backpropagation through time as index substitution.

For every quantity q that a scalar depends on, the adjoint d_q is the scalar's total derivative by
q. What a mention of q adds to it is a `Contribution`: the explicit derivative of the term that
mentions it, times the adjoint of what the term defines, contracted (`calculus.contraction`). The
adjoint is the collection of these contributions, and again a system.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import sympy as sp

from bptt.derive.calculus.bounds import AxisKind, Index, always_holds, prune, substitute
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.contraction import (
    Solution,
    collected,
    contract,
    explicit_derivative,
    in_forward_values,
)
from bptt.derive.calculus.dependence import dependent, upstream
from bptt.derive.calculus.forward_values import ForwardValues
from bptt.derive.calculus.quantity import (
    AXIS_ORDER,
    BATCH,
    Axis,
    Derivative,
    Outside,
    Quantity,
    Way,
    index_symbol,
    make,
)
from bptt.derive.calculus.system import Equation, Mention, System, Term, name_of
from bptt.derive.errors import UserError, did_you_mean, shown


@dataclass(frozen=True)
class Contribution:
    """What one mention of a quantity adds to the derivative by it.

    `explicit` is the derivative of the term by the mention, `partial` the same in forward values;
    `result` is that times the adjoint of the equation's quantity, contracted, which the deltas'
    `solution` has done.
    """

    equation: Equation
    term: Term
    read: sp.Indexed
    explicit: sp.Expr
    partial: sp.Expr
    solution: Solution
    result: Term


def adjoint(
    system: System,
    of: str = "loss",
    *,
    by: Iterable[str] | None = None,
    way: Way = "total",
    per_sequence: bool = False,
) -> System:
    """The system with the adjoints of `of`, any quantity that it defines, behind its equations.

    Every signal that `of` depends on and that depends on a parameter, an input or a value before
    the first step or after the last gets its derivative, and these get theirs; with `by`, the
    given quantities named there in their place.

    Where `of` is a signal with axes of its own, every adjoint carries these axes too: the
    derivative of each of its elements. With `per_sequence` the derivatives by parameters are not
    summed over the sequences of a batch. `static` derivatives hold fixed what is read at another
    step, and an element has the step of what it is derived by; `explicit` ones are those of a
    system restricted to the equations that may move.

    Raises UserError where `of` is nothing that the system computes, and where the system holds
    its adjoint already.
    """
    if not isinstance(system, System):
        raise TypeError(
            f"a System is needed, not a {type(system).__name__}: build(network) makes one"
        )
    found = Adjoint(system, of, by, way, per_sequence).system()
    known = any(isinstance(o, Derivative) and o.of == of for o in system.by_origin)
    if known and len(found.equations) == len(system.equations) and by is None:
        raise UserError(
            f"the system holds the adjoint of {of} already",
            remedy="name another quantity, or a derivative of this one, with of=",
        )
    return found


def contributions(system: System, of: str = "loss") -> dict[str, tuple[Contribution, ...]]:
    """What the total derivative of `of` by each quantity is made of, by the quantity's name."""
    return Adjoint(system, of).contributions


class Adjoint:
    """The derivatives of one quantity of a system: their contributions, and their equations."""

    def __init__(
        self,
        system: System,
        of: str = "loss",
        by: Iterable[str] | None = None,
        way: Way = "total",
        per_sequence: bool = False,
    ) -> None:
        if of not in system.definitions:
            raise UserError(
                f"{shown(of)} is nothing that an equation of {system.name} defines"
                f"{did_you_mean(of, system.definitions)}",
                remedy="name a loss, a signal or a derivative",
            )
        self._system, self._of, self._way = system, of, way
        self._per_sequence = per_sequence
        self._given = self._leaves() if by is None else tuple(by)
        self._outer = self._started() if by is None else ()
        self._active = dependent(system, {*self._given, *self._outer})
        self._upstream = upstream(system, [of], self._followed)
        self._values = ForwardValues.of(system, [of])
        self._known = dict(system.quantities)
        self._made: dict[Derivative, Quantity] = {}
        judged = system.quantities[of]
        self._shared = ("batch", "time") if way == "static" else ("batch",)
        # What a derivative is not summed over, though the quantity that it is by lacks it.
        steps = (axis for axis in judged.axes if axis.kind == "time" and way == "static")
        self._apart = (*steps, *((BATCH,) if per_sequence else ()))
        kept = [i for i in judged.canonical_indices() if i.kind not in self._shared]
        # The element of `of` that is differentiated; `canonical` gives it customary letters.
        self._element = tuple(replace(i, symbol=index_symbol(f"_{i.symbol.name}_of")) for i in kept)

    def _leaves(self) -> tuple[str, ...]:
        return tuple(
            q.name for q in self._system.of_role("parameter", "input", differentiable=True)
        )

    def _started(self) -> tuple[str, ...]:
        """What has values outside its steps that the derivative is taken by."""
        known = self._system.quantities
        found = (known[n] for n in self._system.reach)
        return tuple(q.name for q in found if q.differentiable and not q.is_derived)

    def _followed(self, equation: Equation) -> frozenset[str]:
        """The names of what an equation is differentiated by."""
        found = (r for term in equation.terms for r in term.reads())
        return frozenset(name_of(r) for r in found if not self._is_fixed(equation, r))

    def _is_fixed(self, equation: Equation, read: sp.Indexed) -> bool:
        """Whether a mention is of another step, and those are held fixed."""
        axis = self._system.quantity_of(read).time_axis
        steps = {i.symbol for i in equation.indices if i.kind == "time"}
        return self._way == "static" and axis is not None and read.indices[axis] not in steps

    # The derivatives, as quantities.

    def quantity(self, name: str, outside: Outside = "", axes: tuple[Axis, ...] = ()) -> Quantity:
        """The derivative by a quantity; by its values outside the steps it has axes of its own."""
        origin = Derivative(self._of, name, self._way, outside, per_sequence=self._per_sequence)
        known = self._system.by_origin.get(origin) or self._made.get(origin)
        if known is not None:
            return known
        element = tuple(Axis(i.kind, i.length) for i in self._element)
        side = {"": "", "initial": "before the first step", "after": "after the last step"}[outside]
        by = f"the values of {name} {side}" if outside else name
        axes = axes or woven(self._axes(self._system.quantities[name]), element)
        held = ", values of other steps held fixed" if self._way == "static" else ""
        about = f"derivative of {self._of} by {by}{held}"
        found = make(origin, "signal", axes, about, self._known)
        self._made[origin] = self._known[found.name] = found
        return found

    def _axes(self, quantity: Quantity) -> tuple[Axis, ...]:
        """The axes of what an adjoint is about: its own, and what it is not summed over."""
        return woven(quantity.axes, self._lacking(quantity))

    def _lacking(self, quantity: Quantity) -> tuple[Axis, ...]:
        """The axes that a derivative is not summed over and its quantity lacks."""
        kinds = {axis.kind for axis in quantity.axes}
        return tuple(axis for axis in self._apart if axis.kind not in kinds)

    # One mention, and all of them.

    @cached_property
    def contributions(self) -> dict[str, tuple[Contribution, ...]]:
        """What each derivative is made of, by the name of what it is by."""
        found: dict[str, list[Contribution]] = {}
        for equation in reversed(self._system.equations):
            if equation.quantity.name in self._upstream:
                for term in equation.terms:
                    for read in term.reads():
                        if name_of(read) in self._active and not self._is_fixed(equation, read):
                            found.setdefault(name_of(read), []).extend(
                                self._contribution(equation, term, read)
                            )
        return {name: tuple(made) for name, made in found.items() if made}

    def _contribution(
        self, equation: Equation, term: Term, read: sp.Indexed
    ) -> Iterator[Contribution]:
        explicit = explicit_derivative(self._system, equation, term, read)
        if explicit == 0:
            return
        partial = in_forward_values(explicit, term, self._values)
        target = self._system.quantity_of(read)
        axes, subscripts = self._axes(target), self._system.subscripts(read)
        box = equation.box(term)
        found: dict[AxisKind, Index] = {i.kind: i for i in reversed(box) if i.kind != "feature"}
        for axis in self._lacking(target):
            if axis.kind not in found:
                found[axis.kind] = axis.index(index_symbol(f"_{axis.kind}"))
                box = (*box, found[axis.kind])
            position = next(p for p, a in enumerate(axes) if a.kind == axis.kind)
            at = found[axis.kind].symbol
            subscripts = (*subscripts[:position], at, *subscripts[position:])
        wanted = replace(target, axes=axes).canonical_indices()
        summand = self._adjoint_at(equation, found) * partial
        result, solution = contract(summand, box, term, subscripts, wanted)
        result = replace(result, mentions=(Mention(equation.number, read),))
        yield Contribution(equation, term, read, explicit, partial, solution, result)

    def _adjoint_at(self, equation: Equation, found: Mapping[AxisKind, Index]) -> sp.Expr:
        name = equation.quantity.name
        if name == self._of and not self._element:
            return sp.Integer(1)
        lacking = (axis.kind for axis in self._lacking(equation.quantity))
        added = tuple(found[kind] for kind in lacking if kind in found)
        indices = woven(woven(equation.indices, added), self._element)
        return self.quantity(name)[[i.symbol for i in indices]]

    # Their collection.

    def system(self) -> System:
        """The system with the adjoints: signals from `of` backwards, then what is given."""
        system = self._system
        names = [e.quantity.name for e in reversed(system.equations)]
        known = {n for n in names if n in self.contributions}
        if self._element:
            known.add(self._of)
        equations = [self.equation(n) for n in names if n in known]
        equations += [self.equation(n) for n in self._given]
        equations += [e for name in self._outer for e in self._outside(name)]
        return system.extended(self._without_seeds(equations))

    def equation(self, name: str) -> Equation:
        """The derivative by a quantity: what its mentions contribute, collected."""
        return self.collected(name, self._terms(name))

    def collected(self, name: str, terms: Iterable[Term]) -> Equation:
        """Some contributions to the derivative by a quantity, as its equation."""
        quantity = self._system.quantities[name]
        own = replace(quantity, axes=self._axes(quantity)).canonical_indices()
        indices = woven(own, self._element)
        pruned = [replace(t, bounds=prune(t.bounds, indices + t.sums)) for t in terms]
        return self._collected(self.quantity(name), indices, pruned)

    def _terms(self, name: str) -> list[Term]:
        terms = [c.result for c in self.contributions.get(name, ())]
        if name == self._of and self._element:
            terms.insert(0, self._unit())
        return terms

    def _unit(self) -> Term:
        """The derivative of an element by itself."""
        element = iter(self._element)
        judged = self._system.quantities[self._of]
        ties = [
            i.symbol - next(element).symbol
            for i in judged.canonical_indices()
            if i.kind not in self._shared
        ]
        return Term(sp.Integer(1), equals=tuple(ties))

    def _collected(
        self, quantity: Quantity, indices: tuple[Index, ...], terms: Iterable[Term]
    ) -> Equation:
        return canonical(Equation(0, quantity, indices, collected(terms, self._known)))

    def _outside(self, name: str) -> Iterator[Equation]:
        """The derivatives by the values at steps before the first and after the last."""
        if name not in self._active or self._element:
            return
        reach = self._system.reach[name]
        quantity = self._system.quantities[name]
        position = quantity.time_axis
        assert position is not None
        sides: tuple[tuple[Outside, int], ...] = (("initial", reach.before), ("after", reach.after))
        for side, steps in sides:
            if not steps:
                continue
            axes = list(quantity.axes)
            axes[position] = Axis("delay", sp.Integer(steps))
            gradient = self.quantity(name, side, tuple(axes))
            indices = gradient.canonical_indices()
            own = quantity.canonical_indices()
            step = indices[position].symbol
            mapping: dict[sp.Expr, sp.Expr] = {
                old.symbol: new.symbol for old, new in zip(own, indices, strict=True)
            }
            shift = step - steps if side == "initial" else own[position].length + step
            mapping[own[position].symbol] = shift
            moved = (_moved(term, mapping, indices) for term in self._terms(name))
            yield self._collected(gradient, indices, [t for t in moved if t is not None])

    def _without_seeds(self, equations: list[Equation]) -> list[Equation]:
        """Put known adjoints of scalars and of quantities without units where they are read.

        Such an adjoint has one term, mentions no other adjoint, and costs nothing to repeat:
        the weight of a loss, one over the number of steps.
        """
        seeds: dict[str, Equation] = {}
        own = {quantity.name for quantity in self._made.values()}
        kept = []
        for equation in equations:
            if equation.needs & seeds.keys():
                terms = [_inlined(term, seeds) for term in equation.terms]
                equation = replace(equation, terms=collected(terms, self._known))
            if not equation.needs & own and self._is_seed(equation):
                seeds[equation.quantity.name] = equation
            else:
                kept.append(equation)
        return kept

    def _is_seed(self, equation: Equation) -> bool:
        origin = equation.quantity.origin
        assert isinstance(origin, Derivative)
        return (
            origin.by in self._system.definitions
            and not origin.outside
            and all(axis.kind != "feature" for axis in equation.quantity.axes)
            and len(equation.terms) == 1
            and not equation.terms[0].sums
        )


Item = TypeVar("Item", Axis, Index)


def woven(own: tuple[Item, ...], added: tuple[Item, ...]) -> tuple[Item, ...]:
    """Axes or indices in one customary order: steps, sequences, units.

    Of one kind, steps and sequences of `own` come first, and its units last.
    """
    units = tuple(i for i in own if i.kind == "feature")
    others = tuple(i for i in own if i.kind != "feature")
    return tuple(sorted(others + added + units, key=lambda item: AXIS_ORDER[item.kind]))


def _moved(
    term: Term, mapping: Mapping[sp.Expr, sp.Expr], indices: tuple[Index, ...]
) -> Term | None:
    """The term at other indices, or None where its conditions never hold there."""
    box = indices + term.sums
    bounds = substitute(term.bounds, mapping)
    equals = substitute(term.equals, mapping)
    if any(always_holds(-bound - 1, box) for bound in bounds) or any(
        always_holds(sign * equal - 1, box) for equal in equals for sign in (1, -1)
    ):
        return None
    return replace(
        term,
        factor=term.factor.xreplace(dict(mapping)),
        bounds=prune(bounds, box),
        equals=equals,
    )


def _inlined(term: Term, seeds: Mapping[str, Equation]) -> Term:
    """The term with seeds in place of their names; it then holds only where they do."""
    for read in term.reads():
        seed = seeds.get(name_of(read))
        if seed is None:
            continue
        subscripts = read.indices if seed.quantity.axes else ()
        at = {i.symbol: s for i, s in zip(seed.indices, subscripts, strict=True)}
        known = seed.terms[0]
        term = replace(
            term,
            factor=term.factor.xreplace({read: known.factor.xreplace(at)}),
            bounds=tuple(dict.fromkeys(term.bounds + substitute(known.bounds, at))),
            equals=tuple(dict.fromkeys(term.equals + substitute(known.equals, at))),
        )
    return term
