"""Syntax trees to equations in normal form: matrix and index notation become the same terms.

An expression is elaborated *at* indices: `W @ v` at (i) is `sum_j` of W at (i, j) times v at
(j); `A.T` at (i, j) is A at (j, i). Whatever the normal form cannot hold in one place (a
contraction inside a function or a product) becomes a signal with an equation of its own, named
after what it is: `n_h`, the net input of h.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import sympy as sp

from bptt.derive.calculus.bounds import Index, is_nonnegative, minimum, prune
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.quantity import BATCH, Axis, Local, Made, Quantity, index_symbol
from bptt.derive.calculus.system import Equation, Term
from bptt.derive.errors import UserError
from bptt.derive.language.constants import checked, exact_number, exponent_of, power_of
from bptt.derive.language.shapes import Shapes
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
    step_apart,
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
    """Collects the equations that statements stand for, with the `functions` of the language.

    Quantities that lifting makes are named after the short names in `local` (the names within
    a cell), with the name of their `layer` behind them, if they have one; the layer's output has
    a net input that is plainly `n`. `apart` names the signals of which one step, the first or the
    last, has an equation of its own.
    """

    def __init__(
        self,
        quantities: dict[str, Quantity],
        shapes: Shapes,
        functions: Functions,
        *,
        local: Mapping[str, str] | None = None,
        layer: str = "",
        apart: Mapping[str, Subscript] | None = None,
    ) -> None:
        self.quantities = quantities
        self.equations: list[Equation] = []
        self.shapes = shapes
        self._functions = functions
        self.axes: dict[sp.Symbol, Axis] = {}
        self._local = dict(local or {})
        self._layer = layer
        self._apart = dict(apart or {})
        # What limits the steps of the statement at hand: all that is made for it is limited so.
        self._where: tuple[sp.Expr, ...] = ()
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
        equals = self._limit(statement, indices)
        terms = self.terms(statement.expression, self.broadcast(statement.expression, place))
        self._check_free(terms, statement)
        terms = [replace(t, bounds=t.bounds + self._where, equals=t.equals + equals) for t in terms]
        equation = canonical(Equation(0, quantity, indices, tuple(self._live(terms))))
        if quantity.name in self._apart:
            equation = self._with_other_steps(equation)
        self.equations.append(equation)

    def _with_other_steps(self, equation: Equation) -> Equation:
        """The equation with the terms of the one that defines the quantity at its other steps."""
        other = next((e for e in self.equations if e.quantity == equation.quantity), None)
        if other is None:
            return equation
        self.equations.remove(other)
        return replace(equation, terms=other.terms + equation.terms)

    def _limit(self, statement: Statement, indices: tuple[Index, ...]) -> tuple[sp.Expr, ...]:
        """What ties the step of an equation to one step; all steps but that go to `_where`."""
        self._where = ()
        apart = self._apart.get(statement.target.name)
        if apart is None:
            return ()
        step, last = indices[0].symbol, indices[0].high
        if step_apart(statement):
            return (step - last if apart.name == END else step,)
        self._where = (last - 1 - step if apart.name == END else step - 1,)
        return ()

    def _left_indices(
        self, quantity: Quantity, target: Reference, by_letters: bool
    ) -> tuple[Index, ...]:
        subscripts = list(target.subscripts or ())
        if subscripts and subscripts[0] == self._apart.get(target.name):
            # The step of its own has no letter: the axis gets one.
            subscripts[0] = Subscript("_0", 0)
            self.axes[index_symbol("_0")] = quantity.axes[0]
        names = [s.name for s in subscripts]
        if None in names or any(s.offset for s in subscripts):
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
                return [self._read(node, (*self._fixed(node), *place.at))]
            case Negative(operand):
                return scaled(self.terms(operand, place), -1)
            case Binary("@") | Transpose() | Part() if place.by_letters:
                raise UserError(
                    "matrix notation and index notation are mixed",
                    place=node.at,
                    remedy="write the whole equation in one of them",
                )
            case Transpose(operand):
                rank = len(self.shapes.of(operand) or ())
                return self.terms(operand, Place(place.at[:rank][::-1]))
            case Part(operand, start, None):
                return self.terms(operand, Place((sp.Integer(start), *place.at)))
            case Part(operand, start, stop) if stop == start + 1:
                return self.terms(operand, Place((sp.Integer(start), *place.at[1:])))
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
                return self._functions[function](self, node, place)

    def _read(self, node: Reference, at: tuple[sp.Expr, ...]) -> Term:
        """A mention of a quantity, at unit indices (of a scalar, none of them).

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

    def _fixed(self, node: Reference) -> list[sp.Expr]:
        """The numbers among the subscripts of units: in matrix notation they come first."""
        return [sp.Integer(s.offset) for s in self.shapes.unit_subscripts(node)]

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
            found.append((symbol or 0) + sp.Integer(subscript.offset))
        return tuple(found)

    # What both notations share.

    def _arithmetic(self, node: Node, place: Place) -> Terms:
        assert isinstance(node, Binary)
        if node.operator in "+-":
            return [
                term
                for sign, n in addends(node)
                for term in scaled(self.terms(n, self.broadcast(n, place)), sign)
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
            value = self.pointwise(operand, self.broadcast(operand, place))
            product *= power_of(value, sp.Integer(power), node.at)
        return [Term(checked(product, node.at))]

    def broadcast(self, operand: Node, place: Place) -> Place:
        """Where an operand is read: the same for all units along an axis of one."""
        if not place.at:
            return place
        shape = self.shapes.of(operand) or ()
        single = (self.shapes.number(size) == 1 for size in shape)
        at = (
            sp.Integer(0) if one and self._is_long(symbol) else symbol
            for symbol, one in zip(place.at, single, strict=False)
        )
        return replace(place, at=(*at, *place.at[len(shape) :]))

    def _is_long(self, symbol: sp.Expr) -> bool:
        return symbol in self.axes and self.shapes.number(self.axes[symbol].size) > 1

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

    def _live(self, terms: Terms) -> Terms:
        """The terms that are not zero everywhere, without bounds that always hold.

        Sizes of units count as the numbers that they are, lengths of time as any.
        """
        found = []
        for term in terms:
            if term.factor != 0 and not (term.bounds or term.equals):
                found.append(term)
                continue
            symbols = set[sp.Symbol]().union(*(bound.free_symbols for bound in term.bounds))
            box = tuple(self.axes[s].index(s) for s in self.axes if s in symbols)
            equals = tuple(equal for equal in term.equals if equal != 0)
            never = any(self._always(-bound - 1, box) for bound in term.bounds)
            if never or term.factor == 0 or any(equal.is_number for equal in equals):
                continue
            bounds = [bound for bound in term.bounds if not self._always(bound, box)]
            found.append(replace(term, bounds=prune(bounds, box), equals=equals))
        return found

    def _always(self, bound: sp.Expr, box: tuple[Index, ...]) -> bool:
        return is_nonnegative(minimum(bound, box).xreplace(self.shapes.numbers))

    # Signals that the normal form makes necessary.

    def lift_unless_atomic(
        self, terms: Terms, name: str, over: Collection[sp.Symbol] = ()
    ) -> sp.Expr:
        if len(terms) == 1 and terms[0].is_pointwise:
            value = terms[0].factor
            if isinstance(value, sp.Indexed) and value.free_symbols.issuperset(over):
                return value
        return self.lift(terms, name, over)

    @property
    def net_input(self) -> str:
        """The label of what the function that defines a signal is applied to."""
        return f"n_{self.local_target}"

    def lift(self, terms: Terms, label: str, over: Collection[sp.Symbol] = ()) -> sp.Expr:
        """A quantity of its own for these terms, read at the indices that they leave free.

        It has the indices in `over` even where no term mentions them.
        """
        terms = self._live(terms)
        used: set[sp.Symbol] = set(over)
        for term in terms:
            conditions = (*term.bounds, *term.equals)
            mentioned = term.factor.free_symbols.union(*(e.free_symbols for e in conditions))
            used |= mentioned - {index.symbol for index in term.sums}
        at = tuple(s for s in self.axes if s in used)
        where = tuple(e for e in self._where if used.issuperset(e.free_symbols & self.axes.keys()))
        terms = [replace(term, bounds=term.bounds + where) for term in terms]
        name = self._unique("_".join(filter(None, (label.rstrip("_"), self._layer))))
        axes = tuple(self.axes[s] for s in at)
        about = "net input" if label == self.net_input else "intermediate value"
        reductions = {term.reduction for term in terms} - {"sum"}
        what = next(iter(reductions), about)
        quantity = Quantity(
            name,
            "signal",
            axes,
            f"{about} of {self._target}",
            internal=True,
            layer=self._layer,
            origin=Made(what, self._target),
            local=Local(label.rstrip("_"), self._layer) if self._layer else None,
        )
        indices = tuple(self.axes[s].index(s) for s in at)
        equation = canonical(Equation(0, quantity, indices, tuple(terms)))
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


# What the functions of the language stand for, by their names.
Functions = Mapping[str, Callable[[Elaborator, Call, Place], Terms]]


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
    core = term.factor.as_coeff_Mul()[1]
    return is_plain and (isinstance(core, sp.Indexed) or core == 1)


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
