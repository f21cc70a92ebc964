"""Syntax trees to equations in normal form: matrix and index notation become the same terms.

An expression is elaborated *at* indices: `W @ v` at (i) is `sum_j` of W at (i, j) times v at
(j); `A.T` at (i, j) is A at (j, i). Whatever the normal form cannot hold in one place (a
contraction inside a function or a product) becomes a signal with an equation of its own, named
after what it is: `n_h`, the net input of h.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import sympy as sp

from derive.bounds import Index, substitute
from derive.canonical import canonical
from derive.constants import checked, constant_call, exact_number, exponent_of, power_of
from derive.errors import UserError, did_you_mean
from derive.functions import PRIMITIVES
from derive.language import (
    OVER_AN_INDEX,
    Binary,
    Call,
    Negative,
    Node,
    Number,
    Reference,
    Statement,
    Transpose,
    addends,
    children,
    factors,
    index_letter,
    references,
    uses_index_notation,
)
from derive.shapes import ELEMENTWISE, FUNCTIONS, Shapes
from derive.system import BATCH, TIME, Axis, Equation, Quantity, Term, index_symbol

t, b = index_symbol("t"), index_symbol("b")
Terms = list[Term]


class Elaborator:
    """Collects the equations that statements stand for.

    Quantities that lifting makes are named after the short names in `local` (the names within
    a cell), with `suffix` behind them (its layer); `output` is the cell's output, whose net
    input is plainly `n`.
    """

    def __init__(
        self,
        quantities: dict[str, Quantity],
        shapes: Shapes,
        *,
        local: Mapping[str, str] | None = None,
        suffix: str = "",
        output: str = "",
    ) -> None:
        self.quantities = quantities
        self.equations: list[Equation] = []
        self._shapes = shapes
        self._local = dict(local or {})
        self._suffix = suffix
        self._output = output
        self._lifted: dict[object, str] = {}
        self._letters: dict[str, sp.Expr] = {}
        self._sizes: dict[sp.Symbol, sp.Expr] = {}
        self._target = ""

    def define(self, number: int, statement: Statement) -> None:
        """Append the equations of one statement. `number` is its place in shape inference."""
        self._target = statement.target.name
        self._letters = self._shapes.letters.get(number, {})
        quantity = self.quantities[statement.target.name]
        if uses_index_notation(statement):
            indices = self._declared_indices(quantity, statement.target)
            self._sizes = self._features(quantity, indices)
            self._sizes |= {index_symbol(name): size for name, size in self._letters.items()}
            terms = self._at_letters(statement.expression, {i.symbol.name for i in indices})
        else:
            indices = quantity.canonical_indices()
            self._sizes = self._features(quantity, indices)
            terms = self._at(statement.expression, tuple(self._sizes))
        self._append(quantity, indices, terms)

    @staticmethod
    def _features(quantity: Quantity, indices: tuple[Index, ...]) -> dict[sp.Symbol, sp.Expr]:
        pairs = zip(quantity.axes, indices, strict=True)
        return {index.symbol: axis.size for axis, index in pairs if axis.kind == "feature"}

    def _declared_indices(self, quantity: Quantity, target: Reference) -> tuple[Index, ...]:
        features = [s for s in target.subscripts or () if s.name != "t"]
        names = [s.name for s in features]
        if None in names or any(s.offset for s in features) or len(set(names)) < len(names):
            raise UserError(
                f"the left side {target.name}[...] needs a letter for each axis",
                place=target.at,
                remedy="write it as n[t,i]",
            )
        letters = iter(index_symbol(name) for name in names if name)
        return tuple(
            axis.index(t if axis.kind == "time" else b if axis.kind == "batch" else next(letters))
            for axis in quantity.axes
        )

    def _append(self, quantity: Quantity, indices: tuple[Index, ...], terms: Terms) -> None:
        equation = Equation(0, quantity, indices, tuple(m for m in terms if m.factor != 0))
        self.equations.append(canonical(equation))

    # Matrix notation: an expression at given feature indices.

    def _at(self, node: Node, at: tuple[sp.Expr, ...]) -> Terms:
        match node:
            case Number(text, place):
                return [Term(exact_number(text, place))]
            case Reference():
                return [Term(self._read(node, at))]
            case Negative(operand):
                return scaled(self._at(operand, at), -1)
            case Transpose(operand):
                return self._at(operand, at[::-1])
            case Binary("@"):
                return [self._contraction(node, at)]
            case Binary():
                return self._arithmetic(node, lambda n: self._at(n, at))
            case Call():
                return self._call(node, at, lambda n: self._at(n, at))

    def _read(self, node: Reference, at: tuple[sp.Expr, ...]) -> sp.Expr:
        quantity = self.quantities[node.name]
        rank = sum(axis.kind == "feature" for axis in quantity.axes)
        features = iter(at[:rank])
        subscripts: list[sp.Expr] = []
        for axis in quantity.axes:
            if axis.kind == "time":
                subscripts.append(t + time_offset(node))
            else:
                subscripts.append(b if axis.kind == "batch" else next(features))
        return quantity[subscripts]

    def _contraction(self, node: Binary, at: tuple[sp.Expr, ...]) -> Term:
        left, right = self._shapes.of(node.left), self._shapes.of(node.right)
        assert left
        assert right
        index = self._fresh(left[-1])
        split = len(left) - 1
        operands = []
        for operand, place in (
            (node.left, (*at[:split], index.symbol)),
            (node.right, (index.symbol, *at[split:])),
        ):
            terms = self._at(operand, place)
            is_atomic = len(terms) == 1 and terms[0].is_pointwise and _is_atomic(terms[0].factor)
            operands.append(
                terms[0].factor if is_atomic else self._lift(terms, self._product_name(operand))
            )
        return Term(operands[0] * operands[1], sums=(index,))

    def _fresh(self, size: sp.Expr) -> Index:
        """An index that no other expression of the statement has; `canonical` renames it."""
        symbol = index_symbol(f"_{len(self._sizes)}")
        self._sizes[symbol] = size
        return Axis("feature", size).index(symbol)

    # Index notation: an expression whose indices are letters, repeated ones summed.

    def _at_letters(self, node: Node, bound: set[str]) -> Terms:
        match node:
            case Number(text, place):
                return [Term(exact_number(text, place))]
            case Negative(operand):
                return scaled(self._at_letters(operand, bound), -1)
            case Binary("+" | "-"):
                return self._arithmetic(node, lambda n: self._at_letters(n, bound))
            case Reference() | Binary("*" | "/"):
                return self._summed_product(node, bound)
            case Binary("**"):
                return self._arithmetic(node, lambda n: self._at_letters(n, bound))
            case Call("sum" | "mean"):
                return self._explicit_sum(node, bound)
            case Call():
                return self._call(node, (), lambda n: self._at_letters(n, bound), bound)
            case _:
                raise UserError(
                    "matrix notation and index notation are mixed",
                    place=node.at,
                    remedy="write the whole equation in one of them",
                )

    def _summed_product(self, node: Node, bound: set[str]) -> Terms:
        operands = [n for _, n in factors(node)]
        counts = [_letter_counts(n) for n in operands]
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
        inner = bound | set(summed)
        if isinstance(node, Reference):
            terms = [Term(self._read(node, self._subscripts(node)))]
        else:
            terms = self._arithmetic(node, lambda n: self._at_letters(n, inner))
        return self._sum_over(terms, summed)

    def _subscripts(self, node: Reference) -> tuple[sp.Expr, ...]:
        quantity = self.quantities[node.name]
        subscripts = list(node.subscripts or ())
        if quantity.time_axis is not None:
            subscripts = subscripts[1:]
        sizes = [axis.size for axis in quantity.axes if axis.kind == "feature"]
        for subscript, size in zip(subscripts, sizes, strict=True):
            length = self._letters[subscript.name] if subscript.name else sp.Integer(1)
            reach = self._shapes.number(length) + subscript.offset
            if subscript.offset < 0 or reach > self._shapes.number(size):
                raise UserError(
                    f"a subscript of {node.name!r} leaves its {self._shapes.number(size)} units",
                    place=node.at,
                    remedy="keep it between 0 and the size less one",
                )
        return tuple(
            (index_symbol(s.name) if s.name else sp.Integer(0)) + s.offset for s in subscripts
        )

    def _sum_over(self, terms: Terms, letters: list[str]) -> Terms:
        indices = tuple(
            Axis("feature", self._letters[name]).index(index_symbol(name)) for name in letters
        )
        return [Term(term.factor, term.sums + indices, term.bounds, term.equals) for term in terms]

    def _explicit_sum(self, node: Call, bound: set[str]) -> Terms:
        reference = index_letter(node)
        letter = reference.name if reference else ""
        if letter in bound or letter not in self._letters:
            raise UserError(
                f"{node.function} does not say which index it runs over",
                place=node.at,
                remedy=f"write {node.function}(..., i), with an index that is not on the left",
            )
        terms = self._at_letters(node.arguments[0], bound | {letter})
        terms = self._sum_over(terms, [letter])
        return scaled(terms, 1 / self._letters[letter]) if node.function == "mean" else terms

    # What both notations share.

    def _arithmetic(self, node: Binary | Node, go: Callable[[Node], Terms]) -> Terms:
        assert isinstance(node, Binary)
        if node.operator in "+-":
            return [term for sign, n in addends(node) for term in scaled(go(n), sign)]
        if node.operator == "**":
            return [
                Term(power_of(self._pointwise(node.left, go), exponent_of(node.right), node.at))
            ]
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
            return scaled(go(others[0][1]), constant)
        product = constant
        for power, operand in others:
            product *= power_of(self._pointwise(operand, go), sp.Integer(power), node.at)
        return [Term(checked(product, node.at))]

    def _pointwise(self, node: Node, go: Callable[[Node], Terms], name: str = "") -> sp.Expr:
        """The expression as one pointwise expression; what is not becomes a signal."""
        terms = go(node)
        if all(term.is_pointwise for term in terms):
            return sp.Add(*(term.factor for term in terms))
        return self._lift(terms, name or self._product_name(node))

    def _call(
        self,
        node: Call,
        at: tuple[sp.Expr, ...],
        go: Callable[[Node], Terms],
        bound: set[str] | None = None,
    ) -> Terms:
        name, arguments = node.function, node.arguments
        if name == "concat":
            return self._concat(arguments, at)
        if name in ("sum", "mean"):
            return self._feature_sum(node)
        if name in ("softmax", "log_softmax"):
            return self._softmax(node, at, bound)
        if name == "linear":
            return go(arguments[0])
        label = f"n_{self._local_target()}"
        argument = self._pointwise(arguments[0], go, label)
        if argument.atoms(sp.Function):
            # A function of a function: the inner value is a quantity of its own.
            argument = self._lift([Term(argument)], label)
        match name:
            case "gaussian":
                value = sp.exp(-(argument**2))
            case "square":
                value = power_of(argument, sp.Integer(2), node.at)
            case "sqrt":
                value = sp.sqrt(argument)
            case _:
                primitive = PRIMITIVES[ELEMENTWISE[name]]
                if argument.is_number:
                    value = constant_call(primitive, argument, node.at)
                else:
                    value = primitive.symbolic(argument)
        return [Term(checked(value, node.at))]

    def _concat(self, arguments: tuple[Node, ...], at: tuple[sp.Expr, ...]) -> Terms:
        terms: Terms = []
        start: sp.Expr = sp.Integer(0)
        for argument in arguments:
            shape = self._shapes.of(argument)
            assert shape is not None
            stop = start + shape[0]
            bounds = (at[0] - start, stop - 1 - at[0])
            index = self._fresh(shape[0])
            place = {index.symbol: at[0] - start}
            for term in self._at(argument, (index.symbol,)):
                terms.append(
                    Term(
                        term.factor.xreplace(place),
                        term.sums,
                        substitute(term.bounds, place) + bounds,
                        substitute(term.equals, place),
                    )
                )
            start = stop
        return terms

    def _feature_sum(self, node: Call) -> Terms:
        shape = self._shapes.of(node.arguments[0])
        assert shape is not None
        indices = [self._fresh(size) for size in shape]
        terms = self._at(node.arguments[0], tuple(i.symbol for i in indices))
        count = sp.Mul(*shape) if node.function == "mean" else sp.Integer(1)
        return [
            Term(term.factor / count, term.sums + tuple(indices), term.bounds, term.equals)
            for term in terms
        ]

    def _softmax(self, node: Call, at: tuple[sp.Expr, ...], bound: set[str] | None) -> Terms:
        """exp(z_i - log sum_j exp(z_j)): stable, and its derivative follows from its parts."""
        name = node.function
        if bound is None:
            shape = self._shapes.of(node.arguments[0])
            if not shape or len(shape) != 1 or len(node.arguments) != 1:
                raise UserError(
                    f"{name} of something that is not one vector",
                    place=node.at,
                    remedy=f"write {name}(z[t]) with a vector z",
                )
            index = self._fresh(shape[0])
            terms, place = self._at(node.arguments[0], (index.symbol,)), at[0]
        else:
            letter = index_letter(node)
            if letter is None or letter.name not in bound & set(self._letters):
                raise UserError(
                    f"{name} does not say over which index of the left side it normalises",
                    place=node.at,
                    remedy=f"write {name}(z[t,i], i)",
                )
            place = index_symbol(letter.name)
            index = Axis("feature", self._letters[letter.name]).index(place)
            terms = self._at_letters(node.arguments[0], bound)
            if not any(place in term.factor.free_symbols for term in terms):
                raise UserError(
                    f"{name} over {letter.name!r} of something that does not vary with it",
                    place=node.at,
                    remedy=f"write {name}(z[t,i], i)",
                )
        logits = self._lift_unless_atomic(terms, f"n_{self._local_target()}")
        total = self._lift(
            [Term(logits, (index,), reduction="logsumexp")],
            f"logsumexp_{self._local_target()}",
        )
        value = logits.xreplace({index.symbol: place}) - total
        return [Term(sp.exp(value) if name == "softmax" else value)]

    def _lift_unless_atomic(self, terms: Terms, name: str) -> sp.Expr:
        if len(terms) == 1 and terms[0].is_pointwise and isinstance(terms[0].factor, sp.Indexed):
            return terms[0].factor
        return self._lift(terms, name)

    # Signals that the normal form makes necessary.

    def _lift(self, terms: Terms, label: str) -> sp.Expr:
        """A quantity of its own for these terms, read at the indices that they leave free."""
        used = {s for term in terms for s in term.factor.free_symbols}
        summed = {i.symbol for term in terms for i in term.sums}
        axes = {t: TIME, b: BATCH}
        axes |= {s: Axis("feature", size) for s, size in self._sizes.items()}
        at = tuple(s for s in axes if s in used - summed)
        name = self._unique(label.rstrip("_") + self._suffix)
        role = "net input" if label.startswith("n_") else "intermediate value"
        quantity = Quantity(
            name, "signal", tuple(axes[s] for s in at), f"{role} of {self._target}", True
        )
        indices = tuple(axes[s].index(s) for s in at)
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

    def _local_target(self) -> str:
        if self._target == self._output:
            return ""
        return self._local.get(self._target, self._target)

    def _product_name(self, node: Node) -> str:
        """A name made of the quantities in an expression: `r_h` for r[t] * h[t-1]."""
        names = dict.fromkeys(
            self._local.get(r.name, r.name) for r in references(node) if r.name in self.quantities
        )
        if len(names) == 1:
            return f"{next(iter(names))}_part"
        return "_".join(names) if 1 < len(names) <= 3 else f"part_{self._local_target()}"


def scaled(terms: Terms, factor: sp.Expr | int) -> Terms:
    if factor == 1:
        return terms
    if any(term.reduction != "sum" for term in terms):
        raise AssertionError("a reduction is always a quantity of its own")
    return [Term(factor * m.factor, m.sums, m.bounds, m.equals) for m in terms]


def time_offset(node: Reference) -> int:
    """The d of `h[t+d]`."""
    return node.subscripts[0].offset if node.subscripts else 0


def check_functions(statements: tuple[Statement, ...]) -> None:
    """Refuse unknown functions and a wrong number of arguments, with the place."""
    for statement in statements:
        stack = [statement.expression]
        while stack:
            node = stack.pop()
            stack.extend(children(node))
            if isinstance(node, Call):
                _check_call(node)


def _check_call(node: Call) -> None:
    if node.function not in FUNCTIONS:
        raise UserError(
            f"the function {node.function!r} is not known{did_you_mean(node.function, FUNCTIONS)}",
            place=node.at,
            remedy=f"known are {', '.join(FUNCTIONS)}",
        )
    most = {"concat": 100}.get(node.function, 2 if node.function in OVER_AN_INDEX else 1)
    if len(node.arguments) > most:
        raise UserError(
            f"{node.function} has {len(node.arguments)} arguments",
            place=node.at,
            remedy=f"it takes {most}" if most == 1 else f"it takes at most {most}",
        )


def _is_atomic(factor: sp.Expr) -> bool:
    """A quantity, perhaps with a constant in front."""
    return isinstance(factor.as_coeff_Mul()[1], sp.Indexed)


def _letter_counts(node: Node) -> dict[str, int]:
    """How often each index letter stands in an expression, explicit sums' own letters left out."""
    counts: dict[str, int] = {}
    stack: list[tuple[Node, frozenset[str]]] = [(node, frozenset())]
    while stack:
        top, hidden = stack.pop()
        if isinstance(top, Reference):
            for subscript in top.subscripts or ():
                name = subscript.name
                if name and name != "t" and name not in hidden:
                    counts[name] = counts.get(name, 0) + 1
        letter = index_letter(top)
        if letter is not None and isinstance(top, Call) and top.function in ("sum", "mean"):
            hidden = hidden | {letter.name}
        stack.extend((child, hidden) for child in children(top))
    return counts
