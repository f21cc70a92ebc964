"""The one elaboration of the language: expressions to terms, whoever has written them.

An expression is elaborated *at* unit indices: `W @ v` at (i) is `sum_j` of W at (i, j) times v at
(j); `A.T` at (i, j) is A at (j, i). In index notation it has its letters, and those that are
repeated in a product are summed. The text of networks, printed equations and claims differ in what
a mention means and in what becomes of a sum where one value is needed: a `Reading` says that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import sympy as sp

from bptt.derive.calculus.bounds import Index, is_nonnegative, minimum, substitute
from bptt.derive.calculus.quantity import Axis, index_symbol
from bptt.derive.calculus.reductions import REDUCTIONS, SUM, Reduction
from bptt.derive.calculus.system import Term
from bptt.derive.errors import UserError
from bptt.derive.language import syntax
from bptt.derive.language.constants import checked, exact_number, exponent_of, power_of
from bptt.derive.language.place import Place, Scope, affine, conditions_of, position, repeated
from bptt.derive.language.terms import Terms, is_atomic, joined, multiplied, scaled

Shape = tuple[sp.Expr, ...]
ZERO = sp.Integer(0)


class Reading(Protocol):
    """What those who read the language have of their own."""

    @property
    def lift(self) -> Callable[[Terms, syntax.Node, str], sp.Expr] | None:
        """Makes a quantity of terms where one value is needed; None where that is refused."""

    def shape(self, node: syntax.Node) -> Shape:
        """The sizes of an expression's axes of units; none for what is written with its indices."""

    def read(self, node: syntax.Reference, place: Place) -> Terms:
        """What a mention stands for."""

    def call(self, node: syntax.Call, place: Place) -> Terms:
        """What a function of some arguments stands for."""

    def axis(
        self, letter: str, node: syntax.Summed, conditions: syntax.Conditions, place: Place
    ) -> Axis:
        """What a letter in front of a sum runs over, as `conditions` behind it may say."""


@dataclass
class Elaboration:
    """Elaborates expressions for a reading.

    `sizes` are the numbers of the sizes that have one, `first` is the number of the first step,
    `axes` what every index symbol runs over.
    """

    reading: Reading
    sizes: Mapping[sp.Symbol, int] = field(default_factory=dict)
    first: int = 0
    axes: dict[sp.Symbol, Axis] = field(default_factory=dict)

    def fresh(self, axis: Axis) -> Index:
        """An index that no other expression of the statement has; `canonical` renames it."""
        symbol = index_symbol(f"_{len(self.axes)}")
        self.axes[symbol] = axis
        return axis.index(symbol)

    def unit(self, size: sp.Expr) -> Index:
        return self.fresh(Axis("feature", size))

    def always(self, bound: sp.Expr) -> bool:
        """Whether a bound holds wherever the indices run; lengths of time count as any."""
        box = (self.axes[s].index(s) for s in bound.free_symbols if s in self.axes)
        return is_nonnegative(minimum(bound, box).xreplace(self.sizes))

    # Expressions.

    def terms(self, node: syntax.Node, place: Place) -> Terms:
        """The terms that an expression stands for."""
        if place.by_letters and (
            isinstance(node, syntax.Reference)
            or (isinstance(node, syntax.Binary) and node.operator in ("*", "/"))
        ):
            return self._summed_product(node, place)
        match node:
            case syntax.Number(text, at):
                return [Term(exact_number(text, at))]
            case syntax.Reference():
                return self.reading.read(node, place)
            case syntax.Negative(operand):
                return scaled(self.terms(operand, place), -1, node)
            case syntax.Binary("@") | syntax.Transpose() | syntax.Part() if place.by_letters:
                raise UserError(
                    "matrix notation and index notation are mixed",
                    place=node.at,
                    remedy="write the whole equation in one of them",
                )
            case syntax.Transpose(operand):
                return self.terms(operand, replace(place, at=place.at[::-1]))
            case syntax.Part(operand, start, stop):
                # Of one element it is known which; of more, how far it is from the first.
                first = sp.Integer(start) if stop in (None, start + 1) else place.at[0] + start
                rest = place.at if stop is None else place.at[1:]
                return self.terms(operand, replace(place, at=(first, *rest)))
            case syntax.Binary("@"):
                return self._contraction(node, place)
            case syntax.Binary():
                return self._arithmetic(node, place)
            case syntax.Sum() | syntax.Big() | syntax.Where():
                return self._limited(node, (), place)
            case syntax.Comparison():
                raise UserError(
                    "a comparison stands where a value should",
                    place=node.at,
                    remedy="comparisons say what a sum runs over: sum(a[t,s], s <= t)",
                )
            case syntax.Call():
                return self.reading.call(node, place)

    def value(self, node: syntax.Node, place: Place, label: str = "") -> sp.Expr:
        """The expression as one pointwise expression, as functions, powers and quotients need."""
        terms = self.terms(node, place)
        if all(term.is_pointwise for term in terms):
            return sp.Add(*(term.factor for term in terms))
        if self.reading.lift is None:
            raise UserError(
                "a product or a diagonal matrix within a function, a sum or a power",
                place=syntax.begin(node),
                remedy="name it in an equation of its own",
            )
        return self.reading.lift(terms, node, label)

    def operand(self, node: syntax.Node, place: Place, *, contracted: bool = False) -> Terms:
        """What multiplies something: as it is, where sums are multiplied out; else one term."""
        terms = self.terms(node, place)
        if self.reading.lift is None:
            return joined(terms)
        if contracted:
            plain = len(terms) == 1 and is_atomic(terms[0])
            return terms if plain else [Term(self.reading.lift(terms, node, ""))]
        if all(term.is_pointwise for term in terms):
            return [Term(sp.Add(*(term.factor for term in terms)))]
        return [Term(self.reading.lift(terms, node, ""))]

    def _arithmetic(self, node: syntax.Binary, place: Place) -> Terms:
        if node.operator in "+-":
            return [
                term
                for sign, n in syntax.addends(node)
                for term in scaled(self.terms(n, self.beside(n, place)), sign, n)
            ]
        if node.operator == "**":
            base = self.value(node.left, place)
            return [Term(power_of(base, exponent_of(node.right), node.at))]
        constant, others = sp.Integer(1), []
        for power, operand in syntax.factors(node):
            if isinstance(operand, syntax.Number):
                number = exact_number(operand.text, operand.at)
                constant *= power_of(number, sp.Integer(power), node.at)
                constant = checked(constant, node.at)
            else:
                others.append((power, operand))
        if len(others) == 1 and others[0][0] == 1:
            (_, operand) = others[0]
            return scaled(self.terms(operand, self.beside(operand, place)), constant, node)
        product = [Term(constant)]
        for power, operand in others:
            at = self.beside(operand, place)
            if power == 1:
                terms = self.operand(operand, at)
            else:
                terms = [Term(power_of(self.value(operand, at), sp.Integer(-1), node.at))]
            product = multiplied(product, terms, node)
        return [replace(term, factor=checked(term.factor, node.at)) for term in product]

    def beside(self, operand: syntax.Node, place: Place) -> Place:
        """Where an operand is read: the same for all units along an axis of one."""
        if not place.at:
            return place
        shape = self.reading.shape(operand)
        at = (
            ZERO if size.xreplace(self.sizes) == 1 and self._is_long(index) else index
            for index, size in zip(place.at, shape, strict=False)
        )
        return replace(place, at=tuple(at))

    def _is_long(self, symbol: sp.Expr) -> bool:
        return symbol in self.axes and self.axes[symbol].size.xreplace(self.sizes) != 1

    # Products over units.

    def _contraction(self, node: syntax.Binary, place: Place) -> Terms:
        left, right = self.reading.shape(node.left), self.reading.shape(node.right)
        if not left or not right:
            first, second = (
                self.operand(n, self.beside(n, place)) for n in (node.left, node.right)
            )
            return multiplied(first, second, node)
        # An identity is as large as what it stands beside.
        size = left[-1] if left[-1] != 1 else right[0]
        index = None if size == 1 else self.unit(size)
        over = ZERO if index is None else index.symbol
        split = len(left) - 1
        # A row times a column is a number: its only entry.
        at = place.at or (ZERO,) * (split + len(right) - 1)
        terms = multiplied(
            self.operand(node.left, replace(place, at=(*at[:split], over)), contracted=True),
            self.operand(node.right, replace(place, at=(over, *at[split:])), contracted=True),
            node,
        )
        return terms if index is None else [self._over(term, index) for term in terms]

    def _over(self, term: Term, index: Index) -> Term:
        """`sum over index of term`; a diagonal matrix puts another index in its place."""
        for equal in term.equals:
            c = equal.coeff(index.symbol)
            if abs(c) != 1:
                continue
            other = sp.expand(index.symbol - equal / c)
            mapping = {index.symbol: other}
            within = (e for e in (other - index.low, index.high - other) if not self.always(e))
            return replace(
                term,
                factor=term.factor.xreplace(mapping),
                bounds=(*substitute(term.bounds, mapping), *within),
                equals=substitute((e for e in term.equals if e != equal), mapping),
            )
        return replace(term, sums=(*term.sums, index))

    def outer(self, node: syntax.Call, place: Place) -> Terms:
        """outer(a, b) at (i, j) is a_i b_j."""
        first, second = (
            self.operand(argument, replace(place, at=(at,)))
            for argument, at in zip(node.arguments, place.at, strict=True)
        )
        return multiplied(first, second, node)

    def diagonal(self, node: syntax.Call, place: Place) -> Terms:
        """diag(v) at (i, j) is v_i where i = j, else zero; of a number it is that for all i."""
        (argument,) = node.arguments
        row, column = place.at
        rest = self.reading.shape(argument)
        at = (row, *(ZERO for _ in rest[1:])) if rest else ()
        equal = sp.expand(row - column)
        terms = self.operand(argument, replace(place, at=at), contracted=True)
        return [replace(term, equals=(*term.equals, equal)) for term in terms]

    def over_units(self, operand: syntax.Node, place: Place) -> tuple[Terms, tuple[Index, ...]]:
        """An expression at all its units, and the indices of these."""
        sizes = self.reading.shape(operand)
        indices = [None if size == 1 else self.unit(size) for size in sizes]
        at = tuple(ZERO if i is None else i.symbol for i in indices)
        return self.terms(operand, replace(place, at=at)), tuple(i for i in indices if i)

    def total(self, node: syntax.Call, place: Place, how: Reduction = SUM) -> Terms:
        """A sum over all units, or what reduces them in another way."""
        (operand,) = node.arguments
        terms, indices = self.over_units(operand, place)
        return self._reduced(terms, indices, how, operand)

    @staticmethod
    def _reduced(
        terms: Terms, indices: tuple[Index, ...], how: Reduction, node: syntax.Node
    ) -> Terms:
        if how.is_linear:
            return [replace(term, sums=(*term.sums, *indices)) for term in terms]
        # What is no sum is of one value, wherever its conditions hold.
        (first, *rest) = joined(terms)
        if rest or first.sums or not first.reduction.is_linear:
            raise UserError(
                f"a product or a sum within a function: a {how.name} is of one value",
                place=syntax.begin(node),
                remedy="name it in an equation of its own",
            )
        return [replace(first, sums=indices, reduction=how)]

    # Sums over letters, and conditions behind them.

    def _limited(
        self, node: syntax.Node, conditions: tuple[syntax.Comparison, ...], place: Place
    ) -> Terms:
        """A term under conditions, which may speak of the letters of its sums."""
        match node:
            case syntax.Negative(operand):
                return scaled(self._limited(operand, conditions, place), -1, node)
            case syntax.Where(operand, more):
                return self._limited(operand, (*conditions, *more), place)
            case syntax.Sum(letters, operand):
                axes = {n: self.reading.axis(n, node, conditions, place) for n in letters}
                inner, indices = self._opened(axes, letters, node, place)
                terms = self._limited(operand, conditions, inner)
                return self._reduced(terms, indices, REDUCTIONS.get(node.big, SUM), operand)
            case syntax.Big(letter=letter, operand=operand):
                axis = self.reading.axis(letter, node, conditions, place)
                inner, indices = self._opened({letter: axis}, (letter,), node, place)
                limits = tuple(self._limits(node, indices[0], place))
                terms = self._limited(operand, conditions, inner)
                return [
                    replace(t, sums=(*t.sums, *indices), bounds=(*t.bounds, *limits)) for t in terms
                ]
        bounds, equals = conditions_of(conditions, place.scope)
        return [
            replace(term, bounds=(*term.bounds, *bounds), equals=(*term.equals, *equals))
            for term in self.terms(node, place)
        ]

    def _opened(
        self, axes: Mapping[str, Axis], letters: tuple[str, ...], node: syntax.Node, place: Place
    ) -> tuple[Place, tuple[Index, ...]]:
        """Within a sum over letters, and the indices that they stand for."""
        indices = []
        for letter in letters:
            if letter in place.scope:
                raise UserError(
                    f"the index {letter!r} of a sum is in use already",
                    place=node.at,
                    remedy="use another letter",
                )
            index = self.fresh(axes[letter])
            place = place.inside({letter: index.symbol + self.first})
            indices.append(index)
        return place, tuple(indices)

    def _limits(self, node: syntax.Big, index: Index, place: Place) -> Iterator[sp.Expr]:
        """The limits of a sum, as bounds of its index; beyond its axis nothing is known."""
        if node.kind != "sum" or node.members:
            raise UserError(
                "a product over a letter, or a sum over names",
                place=node.at,
                remedy="write a sum over an index",
            )
        for limit, sign in ((node.low, 1), (node.high, -1)):
            if limit is None:
                continue
            at = affine(limit, place.scope) - self.first
            if not self.always(sp.expand(at - index.low if sign > 0 else index.high - at)):
                raise UserError(
                    "the limit of a sum lies outside its axis",
                    place=node.at,
                    remedy="let it run over steps or units that there are",
                )
            yield sp.expand(sign * (index.symbol - at))

    # Index notation: repeated indices are summed.

    def _summed_product(self, node: syntax.Node, place: Place) -> Terms:
        summed = repeated(node, place.scope.keys())
        inner = place.inside({letter: index_symbol(letter) for letter in summed})
        if isinstance(node, syntax.Binary):
            terms = self._arithmetic(node, inner)
        else:
            assert isinstance(node, syntax.Reference)
            terms = self.reading.read(node, inner)
        over = tuple(self.axes[s].index(s) for s in map(index_symbol, summed))
        return [replace(term, sums=term.sums + over) for term in terms]

    def position(self, subscript: syntax.Subscript, scope: Scope, at: str) -> sp.Expr:
        """Where a subscript stands, counted from 0."""
        return position(subscript, scope, at) - self.first
