"""Syntax trees to equations in normal form: matrix and index notation become the same terms.

An expression is elaborated *at* indices: `W @ v` at (i) is `sum_j` of W at (i, j) times v at
(j); `A.T` at (i, j) is A at (j, i). Whatever the normal form cannot hold in one place (a
contraction inside a function or a product) becomes a signal with an equation of its own, named
after what it is: `n_h`, the net input of h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import sympy as sp
from bptt.derive.calculus.bounds import Index, prune
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.system import BATCH, Axis, Equation, Quantity, Term, index_symbol
from bptt.derive.errors import UserError
from bptt.derive.language.constants import checked, exact_number, exponent_of, power_of
from bptt.derive.language.shapes import Shapes
from bptt.derive.language.shorthands import SHORTHANDS
from bptt.derive.language.syntax import (
    END,
    Big,
    Binary,
    Call,
    Comparison,
    Negative,
    Node,
    Number,
    Part,
    Reference,
    Statement,
    Subscript,
    Sum,
    Transpose,
    Where,
    addends,
    children,
    factors,
    index_letter,
    is_index,
    references,
    uses_index_notation,
)

b = index_symbol("b")
Terms = list[Term]


@dataclass(frozen=True)
class Place:
    """Where an expression is elaborated.

    In matrix notation `at` gives its unit indices; in index notation `letters` are the indices
    in use around it, the left side's and those that are summed already.
    """

    at: tuple[sp.Expr, ...] = ()
    letters: frozenset[str] | None = None

    @property
    def by_letters(self) -> bool:
        return self.letters is not None

    def inside(self, names: list[str]) -> Place:
        """Within a sum over these letters."""
        return replace(self, letters=(self.letters or frozenset()) | set(names))


class Elaborator:
    """Collects the equations that statements stand for.

    Quantities that lifting makes are named after the short names in `local` (the names within
    a cell), with the name of their `layer` behind them, if they have one; the layer's output has
    a net input that is plainly `n`.
    """

    def __init__(
        self,
        quantities: dict[str, Quantity],
        shapes: Shapes,
        *,
        local: Mapping[str, str] | None = None,
        layer: str = "",
    ) -> None:
        self.quantities = quantities
        self.equations: list[Equation] = []
        self.shapes = shapes
        self.axes: dict[sp.Symbol, Axis] = {}
        self._local = dict(local or {})
        self._layer = layer
        self._lifted: dict[object, str] = {}
        self._target = ""
        self._left: set[sp.Symbol] = set()

    def define(self, number: int, statement: Statement, steps: Mapping[str, Axis]) -> None:
        """Append the equations of one statement.

        `number` is its place in shape inference; `steps` says what its indices of steps run over.
        """
        self._target = statement.target.name
        quantity = self.quantities[statement.target.name]
        by_letters = uses_index_notation(statement)
        self.axes = {index_symbol(name): axis for name, axis in steps.items()}
        self.axes[b] = BATCH
        if by_letters:
            letters = self.shapes.letters.get(number, {})
            self.axes |= {index_symbol(n): Axis("feature", size) for n, size in letters.items()}
        indices = self._left_indices(quantity, statement.target, by_letters)
        self._left = {index.symbol for index in indices}
        units = [i.symbol for i in indices if i.kind == "feature"]
        if by_letters:
            place = Place(letters=frozenset(i.symbol.name for i in indices))
        else:
            self.axes |= {
                s: Axis("feature", size) for s, size in zip(units, quantity.features, strict=True)
            }
            place = Place(tuple(units))
        terms = self.terms(statement.expression, place)
        self._check_free(terms, statement)
        self.equations.append(_normal(quantity, indices, terms))

    def _left_indices(
        self, quantity: Quantity, target: Reference, by_letters: bool
    ) -> tuple[Index, ...]:
        names = [s.name for s in target.subscripts or ()]
        if None in names or any(s.offset for s in target.subscripts or ()):
            raise self._no_letters(target)
        if not by_letters:
            usual = (i.symbol for i in quantity.canonical_indices() if i.kind == "feature")
            names += [symbol.name for symbol in usual]
        if len(set(names)) < len(names):
            raise self._no_letters(target)
        letters = iter(index_symbol(str(name)) for name in names)
        return tuple(
            axis.index(b if axis.kind == "batch" else next(letters)) for axis in quantity.axes
        )

    @staticmethod
    def _no_letters(target: Reference) -> UserError:
        return UserError(
            f"the left side {target.name}[...] needs a letter for each axis",
            place=target.at,
            remedy="write it as n[t,i]",
        )

    def _check_free(self, terms: Terms, statement: Statement) -> None:
        """Refuse an index that is neither on the left side nor summed."""
        for term in terms:
            exprs = (term.factor, *term.bounds, *term.equals)
            used = set[sp.Symbol]().union(*(e.free_symbols for e in exprs))
            free = used & self.axes.keys() - self._left - {i.symbol for i in term.sums} - {b}
            if free:
                letter = min(symbol.name for symbol in free)
                raise UserError(
                    f"the index {letter!r} is neither on the left side nor summed",
                    place=statement.target.at,
                    remedy=f"write it on the left, or sum(..., {letter})",
                )

    # Expressions.

    def terms(self, node: Node, place: Place) -> Terms:
        """The terms that an expression stands for."""
        if place.by_letters and (
            isinstance(node, Reference)
            or (isinstance(node, Binary) and node.operator in ("*", "/"))
        ):
            return self._summed_product(node, place)
        match node:
            case Number(text, at):
                return [Term(exact_number(text, at))]
            case Reference():
                fixed = (s.offset for s in self.shapes.unit_subscripts(node))
                return [self._read(node, (*map(sp.Integer, fixed), *place.at))]
            case Negative(operand):
                return scaled(self.terms(operand, place), -1)
            case Binary("@") | Transpose() | Part() if place.by_letters:
                raise UserError(
                    "matrix notation and index notation are mixed",
                    place=node.at,
                    remedy="write the whole equation in one of them",
                )
            case Transpose(operand):
                return self.terms(operand, Place(place.at[::-1]))
            case Part(operand, start, None):
                return self.terms(operand, Place((sp.Integer(start), *place.at)))
            case Part(operand, start, _):
                return self.terms(operand, Place((place.at[0] + start, *place.at[1:])))
            case Binary("@"):
                return [self._contraction(node, place)]
            case Binary():
                return self._arithmetic(node, place)
            case Comparison() | Sum() | Big() | Where():
                raise UserError(
                    "a comparison stands where a value should",
                    place=node.at,
                    remedy="comparisons say what a sum runs over: sum(a[t,s], s <= t)",
                )
            case Call(function):
                return SHORTHANDS[function](self, node, place)

    def _read(self, node: Reference, at: tuple[sp.Expr, ...]) -> Term:
        """A mention of a quantity, at unit indices.

        A second axis of steps has no values outside its steps: there the term is zero.
        """
        if is_index(node):
            symbol = index_symbol(node.name)
            if symbol not in self.axes:
                raise UserError(
                    f"{node.name!r} is the index of no axis here",
                    place=node.at,
                    remedy="use an index of the left side",
                )
            return Term(symbol)
        quantity = self.quantities[node.name]
        given = list(node.subscripts or ())
        subscripts: list[sp.Expr] = []
        bounds: list[sp.Expr] = []
        for position, axis in enumerate(quantity.axes):
            if axis.kind != "time":
                break
            step = self._step(given.pop(0), axis)
            subscripts.append(step)
            index = next((s for s in step.free_symbols if s in self.axes), None)
            if position and index is None and step not in (0, axis.size - 1):
                raise UserError(
                    f"{node.name!r} is read at one step of its second axis, within it",
                    place=node.at,
                    remedy="read 0 or end there",
                )
            if position and index is not None and step != index:
                bounds += [step, axis.size - 1 - step]
        if any(axis.kind == "batch" for axis in quantity.axes):
            subscripts.append(b)
        subscripts += at[: len(quantity.features)]
        return Term(quantity[subscripts], bounds=tuple(bounds))

    @staticmethod
    def _step(subscript: Subscript, axis: Axis) -> sp.Expr:
        if subscript.name == END:
            return axis.size - 1 + subscript.offset
        return (index_symbol(subscript.name) if subscript.name else 0) + sp.Integer(
            subscript.offset
        )

    def _contraction(self, node: Binary, place: Place) -> Term:
        left, right = self.shapes.of(node.left), self.shapes.of(node.right)
        assert left
        assert right
        index = self.fresh(left[-1])
        split = len(left) - 1
        operands = []
        for operand, at in (
            (node.left, (*place.at[:split], index.symbol)),
            (node.right, (index.symbol, *place.at[split:])),
        ):
            terms = self.terms(operand, Place(at))
            is_atomic = len(terms) == 1 and _is_atomic(terms[0])
            name = self.product_name(operand)
            operands.append(terms[0] if is_atomic else Term(self.lift(terms, name)))
        return _product_over(operands[0], operands[1], index)

    def fresh(self, size: sp.Expr) -> Index:
        """An index that no other expression of the statement has; `canonical` renames it."""
        symbol = index_symbol(f"_{len(self.axes)}")
        self.axes[symbol] = Axis("feature", size)
        return self.axes[symbol].index(symbol)

    # Index notation: repeated indices are summed.

    def _summed_product(self, node: Node, place: Place) -> Terms:
        operands = [n for _, n in factors(node)]
        counts = [_letter_counts(n) for n in operands]
        bound = place.letters or frozenset()
        summed: list[str] = []
        for letter in sorted({letter for c in counts for letter in c} - bound):
            holders = [(n, c[letter]) for n, c in zip(operands, counts, strict=True) if letter in c]
            direct = [n for n, _ in holders if isinstance(n, Reference)]
            if len(holders) == 1 and not direct:
                continue
            if sum(count for _, count in holders) == 1:
                raise UserError(
                    f"the index {letter!r} stands once, and not on the left side",
                    place=operands[0].at,
                    remedy=f"repeat it in a factor, or write sum(..., {letter})",
                )
            if any(count > 1 and not isinstance(n, Reference) for n, count in holders):
                raise UserError(
                    f"the index {letter!r} can be summed in more than one way",
                    place=operands[0].at,
                    remedy="use different letters for different sums",
                )
            summed.append(letter)
        if isinstance(node, Reference):
            terms = [self._read(node, () if is_index(node) else self._unit_indices(node))]
        else:
            terms = self._arithmetic(node, place.inside(summed))
        over = tuple(self.axes[s].index(s) for s in map(index_symbol, summed))
        return [replace(term, sums=term.sums + over) for term in terms]

    def _unit_indices(self, node: Reference) -> tuple[sp.Expr, ...]:
        found: list[sp.Expr] = []
        subscripts = self.shapes.unit_subscripts(node)
        for subscript, size in zip(subscripts, self.quantities[node.name].features, strict=True):
            symbol = index_symbol(subscript.name) if subscript.name else None
            length = self.axes[symbol].size if symbol else sp.Integer(1)
            reach = self.shapes.number(length) + subscript.offset
            if subscript.offset < 0 or reach > self.shapes.number(size):
                raise UserError(
                    f"a subscript of {node.name!r} leaves its {self.shapes.number(size)} units",
                    place=node.at,
                    remedy="keep it between 0 and the size less one",
                )
            found.append((symbol or sp.Integer(0)) + subscript.offset)
        return tuple(found)

    # What both notations share.

    def _arithmetic(self, node: Node, place: Place) -> Terms:
        assert isinstance(node, Binary)
        if node.operator in "+-":
            return [
                term for sign, n in addends(node) for term in scaled(self.terms(n, place), sign)
            ]
        if node.operator == "**":
            base = self.pointwise(node.left, place)
            return [Term(power_of(base, exponent_of(node.right), node.at))]
        constant, others = sp.Integer(1), []
        for power, operand in factors(node):
            if isinstance(operand, Number):
                factor = power_of(
                    exact_number(operand.text, operand.at), sp.Integer(power), node.at
                )
                constant = checked(constant * factor, node.at)
            else:
                others.append((power, operand))
        if len(others) == 1 and others[0][0] == 1:
            return scaled(self.terms(others[0][1], place), constant)
        product = constant
        for power, operand in others:
            product *= power_of(self.pointwise(operand, place), sp.Integer(power), node.at)
        return [Term(checked(product, node.at))]

    def pointwise(self, node: Node, place: Place, name: str = "") -> sp.Expr:
        """The expression as one pointwise expression; what is not becomes a signal."""
        terms = self.terms(node, place)
        if all(term.is_pointwise for term in terms):
            return sp.Add(*(term.factor for term in terms))
        return self.lift(terms, name or self.product_name(node))

    def span(self, node: Call) -> tuple[Index, tuple[sp.Expr, ...]] | None:
        """The index that a call runs over, with the bounds that a comparison puts on it."""
        letter = index_letter(node)
        if letter is None:
            return None
        symbol = index_symbol(letter.name)
        if symbol not in self.axes:
            raise UserError(
                f"{node.function} runs over {letter.name!r}, which is the index of no axis here",
                place=node.at,
                remedy=f"write {node.function}(..., s) with an index of what it sums",
            )
        condition = node.arguments[1]
        bounds: list[sp.Expr] = []
        if isinstance(condition, Comparison):
            values = [self._affine(operand) for operand in condition.operands]
            for left, right, operator in zip(values, values[1:], condition.operators, strict=False):
                gap = right - left if "<" in operator else left - right
                bounds.append(gap if "=" in operator else gap - 1)
        return self.axes[symbol].index(symbol), tuple(bounds)

    def _affine(self, node: Node) -> sp.Expr:
        """An operand of a comparison: an index, a whole number, a sum of both."""
        match node:
            case Number(text, _) if text.isdigit():
                return exact_number(text, node.at)
            case Negative(operand):
                return -self._affine(operand)
            case Binary(operator, left, right) if operator in "+-":
                sign = 1 if operator == "+" else -1
                return self._affine(left) + sign * self._affine(right)
            case Reference(name, None) if index_symbol(name) in self.axes:
                return index_symbol(name)
            case _:
                raise UserError(
                    "a comparison compares indices",
                    place=node.at,
                    remedy="write s <= t, or t-4 <= s <= t",
                )

    def is_on_left(self, index: Index) -> bool:
        return index.symbol in self._left

    # Signals that the normal form makes necessary.

    def lift_unless_atomic(self, terms: Terms, name: str) -> sp.Expr:
        if len(terms) == 1 and terms[0].is_pointwise and isinstance(terms[0].factor, sp.Indexed):
            return terms[0].factor
        return self.lift(terms, name)

    def lift(self, terms: Terms, label: str) -> sp.Expr:
        """A quantity of its own for these terms, read at the indices that they leave free."""
        used: set[sp.Symbol] = set()
        for term in terms:
            conditions = (*term.bounds, *term.equals)
            mentioned = term.factor.free_symbols.union(*(e.free_symbols for e in conditions))
            used |= mentioned - {index.symbol for index in term.sums}
        at = tuple(s for s in self.axes if s in used)
        name = self._unique("_".join(filter(None, (label.rstrip("_"), self._layer))))
        role = "net input" if label.startswith("n_") else "intermediate value"
        axes = tuple(self.axes[s] for s in at)
        quantity = Quantity(name, "signal", axes, f"{role} of {self._target}", True, self._layer)
        indices = tuple(self.axes[s].index(s) for s in at)
        equation = _normal(quantity, indices, terms)
        key = (quantity.axes, equation.terms)
        if key not in self._lifted:
            self.quantities[name] = quantity
            self._lifted[key] = name
            self.equations.append(equation)
        return self.quantities[self._lifted[key]][at]

    def _unique(self, name: str) -> str:
        if name not in self.quantities:
            return name
        # Letters, for a number behind a name is a delay.
        letters = (
            f"{name}_{'abcdefghijklmnopqrstuvwxyz'[n % 26] * (n // 26 + 1)}"
            for n in range(1, 10**6)
        )
        return next(n for n in letters if n not in self.quantities)

    @property
    def local_target(self) -> str:
        """The short name of what is being defined; none for a cell's output."""
        if self._target == self._layer:
            return ""
        return self._local.get(self._target, self._target)

    def product_name(self, node: Node) -> str:
        """A name made of the quantities in an expression: `r_h` for r[t] * h[t-1]."""
        names = dict.fromkeys(
            self._local.get(r.name, r.name) for r in references(node) if r.name in self.quantities
        )
        if len(names) == 1:
            return f"{next(iter(names))}_part"
        return "_".join(names) if 1 < len(names) <= 3 else f"part_{self.local_target}"


def _normal(quantity: Quantity, indices: tuple[Index, ...], terms: Terms) -> Equation:
    """The equation of some terms, without bounds that always hold, in customary letters."""
    kept = (
        replace(term, bounds=prune(term.bounds, indices + term.sums)) if term.bounds else term
        for term in terms
        if term.factor != 0
    )
    return canonical(Equation(0, quantity, indices, tuple(kept)))


def scaled(terms: Terms, factor: sp.Expr | int) -> Terms:
    """Every term times a factor."""
    if factor == 1:
        return terms
    if any(term.reduction != "sum" for term in terms):
        raise AssertionError("a reduction is always a quantity of its own")
    return [replace(term, factor=factor * term.factor) for term in terms]


def _is_atomic(term: Term) -> bool:
    """A quantity, perhaps with a constant in front; on the diagonal of a matrix, perhaps."""
    is_plain = not (term.sums or term.bounds or term.reduction != "sum")
    return is_plain and isinstance(term.factor.as_coeff_Mul()[1], sp.Indexed)


def _product_over(left: Term, right: Term, index: Index) -> Term:
    """`sum over index of left * right`; a diagonal matrix puts another index in its place."""
    equals = left.equals + right.equals
    factor = left.factor * right.factor
    for equal in equals:
        c = equal.coeff(index.symbol)
        if c != 0:
            other = index.symbol - equal / c
            rest = tuple(e.xreplace({index.symbol: other}) for e in equals if e != equal)
            return Term(factor.xreplace({index.symbol: sp.expand(other)}), equals=rest)
    return Term(factor, (index,), equals=equals)


def _letter_counts(node: Node) -> dict[str, int]:
    """How often each index letter stands in an expression, explicit sums' own letters left out."""
    counts: dict[str, int] = {}
    stack: list[tuple[Node, frozenset[str]]] = [(node, frozenset())]
    while stack:
        top, hidden = stack.pop()
        if isinstance(top, Reference):
            for subscript in top.subscripts or ():
                name = subscript.name
                if name and name != END and name not in hidden:
                    counts[name] = counts.get(name, 0) + 1
        letter = index_letter(top)
        if letter is not None and isinstance(top, Call):
            if top.function in ("sum", "mean", "logsumexp"):
                hidden = hidden | {letter.name}
            stack.extend((child, hidden) for child in (top.arguments[0], *top.arguments[2:]))
            continue
        stack.extend((child, hidden) for child in children(top))
    return counts
