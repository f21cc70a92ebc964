"""Syntax trees as boxes: the one place that knows how mathematics is set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.quantity import B
from bptt.derive.errors import InternalError
from bptt.derive.language import syntax
from bptt.derive.notation import boxes
from bptt.derive.notation.index import product
from bptt.derive.notation.index import subscript as affine_subscript
from bptt.derive.notation.lines import Typeset
from bptt.derive.notation.mentions import Mentions, ratio
from bptt.derive.notation.rank import axis_of, rank

WORDS = {"sigmoid": "sigma"}
RELATIONS = {"<=": "≤", ">=": "≥", "<": "<", ">": ">", "=": "="}
NARROW = 9.0


class Typesetter(Mentions):
    """Sets the statements of one system in index notation; subclasses set them otherwise."""

    def statement(self, statement: syntax.Statement, number: int = 0) -> Typeset:
        """A statement with its number."""
        return self.formula(statement.target, statement.expression, number)

    def formula(self, left: syntax.Node, right: syntax.Node, number: int = 0) -> Typeset:
        """Two expressions with an equals sign between them."""
        terms = tuple((sign, self.term(node)) for sign, node in signed(right))
        return Typeset(number, self.box(left), terms)

    def term(self, node: syntax.Node) -> boxes.Box:
        """A term with its sums and its conditions."""
        return self.factor(node, alone=True) if isinstance(node, syntax.Binary) else self.box(node)

    # Expressions.

    def box(self, node: syntax.Node) -> boxes.Box:
        match node:
            case syntax.Number(text):
                return number(text)
            case syntax.Reference():
                return self.reference(node)
            case syntax.Negative(operand):
                return boxes.row(boxes.Mark("-"), self.factor(operand))
            case syntax.Transpose(operand):
                inner = self.factor(operand)
                is_open = boxes.has_superscript(inner) or isinstance(
                    inner, boxes.Row | boxes.Fraction
                )
                is_weight = isinstance(operand, syntax.Reference) and self.is_delayed(operand.name)
                base = boxes.Fence(inner) if is_open and not is_weight else inner
                return boxes.Script(base, None, boxes.Mark("⊤"))
            case syntax.Part(operand, start, stop):
                return self._part(operand, start, stop)
            case syntax.Comparison():
                return self.comparison(node)
            case syntax.Sum():
                return self.summed(node, ())
            case syntax.Big():
                raise InternalError("a claim's sum stands in a system's equation")
            case syntax.Where(operand, conditions):
                return self._where(operand, conditions)
            case syntax.Call():
                return self.call(node)
            case syntax.Binary(operator):
                return self._binary(node, operator)

    def _binary(self, node: syntax.Binary, operator: str) -> boxes.Box:
        if operator in ("+", "-"):
            items: list[boxes.Box] = []
            for position, (sign, operand) in enumerate(syntax.addends(node)):
                if position or sign < 0:
                    items.append(boxes.Mark("+" if sign > 0 else "-"))
                items.append(self.box(operand) if position == 0 else self._addend(operand))
            return boxes.row(*items)
        if operator == "**":
            inner = self.factor(node.left)
            is_atom = isinstance(
                inner, boxes.Name | boxes.Digits | boxes.Script
            ) and not boxes.has_superscript(inner)
            exponent = self._exponent(node.right)
            if isinstance(inner, boxes.Script) and is_atom:
                return replace(inner, above=exponent)
            base = inner if is_atom or isinstance(inner, boxes.Fence) else boxes.Fence(inner)
            return boxes.Script(base, None, exponent)
        if operator == "@":
            return self.matrix_product(node)
        return self.product(node)

    def _exponent(self, node: syntax.Node) -> boxes.Box:
        if isinstance(node, syntax.Binary) and node.operator == "/":
            return boxes.row(self.box(node.left), boxes.Mark("/"), self.box(node.right))
        return self.box(node)

    def _addend(self, node: syntax.Node) -> boxes.Box:
        is_sum = isinstance(node, syntax.Negative) or (
            isinstance(node, syntax.Binary) and node.operator in "+-"
        )
        return boxes.Fence(self.box(node)) if is_sum else self.box(node)

    def factor(self, node: syntax.Node, *, alone: bool = False) -> boxes.Box:
        """A factor of a product: a sum stands in parentheses."""
        box = self.box(node)
        if isinstance(node, syntax.Binary) and node.operator in "+-":
            return boxes.Fence(box)
        if not alone and isinstance(node, syntax.Negative | syntax.Sum | syntax.Where):
            return boxes.Fence(box)
        return box

    def product(self, node: syntax.Binary) -> boxes.Box:
        """Factors side by side, numbers and lengths in a fraction in front."""
        above, below = _split(node)
        if not below:
            return self.times([n for n in above if n != syntax.Number("1", "")] or above)
        plain = [n for n in above if self._is_constant(n)]
        rest = [n for n in above if n not in plain]
        whole = all(self._is_constant(n) for n in below)
        under = self.times(below, bare=True)
        if rest and (whole or boxes.width(self.times(above)) > NARROW):
            ahead = boxes.Fraction(self.times(plain) if plain else boxes.Digits("1"), under)
            vectors = max(map(self.rank, below)) > 0
            return boxes.row(ahead, boxes.Mark("⊙") if vectors else boxes.Gap(), self.times(rest))
        return boxes.Fraction(self.times(above, bare=True) if above else boxes.Digits("1"), under)

    def _is_constant(self, node: syntax.Node) -> bool:
        """Whether this is a number or a length."""
        if isinstance(node, syntax.Reference):
            return node.name not in self.system.quantities
        return isinstance(node, syntax.Number)

    def times(self, nodes: Sequence[syntax.Node], *, bare: bool = False) -> boxes.Box:
        """A product of some factors."""
        if len(nodes) == 1:
            return self.box(nodes[0]) if bare else self.factor(nodes[0])
        items: list[boxes.Box] = []
        before: syntax.Node | None = None
        for node in nodes:
            if before is not None:
                items.append(self._between(before, node))
            items.append(self.factor(node))
            before = node
        return boxes.row(*items)

    def _between(self, left: syntax.Node, right: syntax.Node) -> boxes.Box:
        if isinstance(right, syntax.Number):
            return boxes.Mark("·")
        ranks = (self.rank(left), self.rank(right))
        return boxes.Mark("⊙") if min(ranks) > 0 else boxes.Gap()

    def rank(self, node: syntax.Node) -> int:
        return rank(node, self.system.quantities)

    def matrix_product(self, node: syntax.Binary) -> boxes.Box:
        left, right = self.factor(node.left), self.factor(node.right)
        if isinstance(node.right, syntax.Binary) and node.right.operator in ("*", "@", "/"):
            right = boxes.Fence(right)
        if isinstance(node.left, syntax.Binary) and node.left.operator in ("*", "/"):
            left = boxes.Fence(left)
        if self.rank(node.left) == 1:
            base = (
                boxes.Fence(left)
                if boxes.has_superscript(left) or isinstance(left, boxes.Row)
                else left
            )
            left = boxes.Script(base, None, boxes.Mark("⊤"))
        return boxes.row(left, boxes.Gap(), right)

    def summed(self, node: syntax.Sum, conditions: Sequence[syntax.Comparison]) -> boxes.Box:
        """Summation signs with their limits, then the product that is summed."""
        signs: list[boxes.Box] = []
        for letter in node.letters:
            low, high = self.limits(letter, node.operand, conditions)
            if node.big == "max":
                below = boxes.row(low, boxes.Mark("≤"), boxes.Name(letter), boxes.Mark("≤"), high)
                signs.append(boxes.BigSum(below, None, "max"))
            else:
                signs.append(
                    boxes.BigSum(boxes.row(boxes.Name(letter), boxes.Mark("="), low), high)
                )
        ahead, operand = self._constant_ahead(node.operand)
        return boxes.row(*ahead, *signs, boxes.Gap(), self.factor(operand))

    def _constant_ahead(self, node: syntax.Node) -> tuple[list[boxes.Box], syntax.Node]:
        """A constant factor, which stands before the summation signs, and what is left."""
        if not (isinstance(node, syntax.Binary) and node.operator in ("*", "/")):
            return [], node
        above, below = _split(node)
        plain = [n for n in above if self._is_constant(n)]
        rest = [n for n in above if n not in plain]
        if not rest or not all(map(self._is_constant, below)) or not (plain or below):
            return [], node
        factor = self.times(plain) if plain else boxes.Digits("1")
        if below:
            factor = boxes.Fraction(factor, self.times(below))
        return [factor, boxes.Gap()], product(rest)

    def limits(
        self, letter: str, node: syntax.Node, conditions: Sequence[syntax.Comparison]
    ) -> tuple[boxes.Box, boxes.Box]:
        """From where to where an index runs: over its axis, or as far as the conditions say."""
        low: boxes.Box = boxes.Digits("0")
        high = self.subscript(affine_subscript(self.length_of(letter, node) - 1))
        for condition in conditions:
            limit = self.box(condition.operands[1])
            if condition.operators == ("<=",):
                high = limit
            elif isinstance(condition.operands[1], syntax.Number | syntax.Reference):
                low = limit
            else:
                low = boxes.row(
                    boxes.Name("max"), boxes.Fence(boxes.listed((boxes.Digits("0"), limit)))
                )
        return low, high

    def length_of(self, letter: str, node: syntax.Node) -> sp.Expr:
        """The length of the axis that a summed index stands on."""
        if letter.rstrip("'") == "b":
            return B
        axis = axis_of(letter, node, lambda r: self.system.quantities.get(r.name))
        return sp.Symbol("N", integer=True) if axis is None else axis.size

    def _where(self, operand: syntax.Node, conditions: Sequence[syntax.Comparison]) -> boxes.Box:
        """A term with conditions: those on a summed index alone are its limits."""
        inner, sign = operand, False
        if isinstance(inner, syntax.Negative):
            inner, sign = inner.operand, True
        taken = [
            c for c in conditions if isinstance(inner, syntax.Sum) and _limits(c, inner.letters)
        ]
        rest = [c for c in conditions if c not in taken]
        box = self.summed(inner, taken) if isinstance(inner, syntax.Sum) else self.factor(inner)
        if sign:
            box = boxes.row(boxes.Mark("-"), box)
        if not rest:
            return box
        if sign:
            box = boxes.Fence(box)
        return boxes.row(
            boxes.Fence(boxes.listed(map(self.comparison, rest)), "["), boxes.Gap(), box
        )

    def comparison(self, node: syntax.Comparison) -> boxes.Box:
        items = [self.box(node.operands[0])]
        for operator, operand in zip(node.operators, node.operands[1:], strict=True):
            items += [boxes.Mark(RELATIONS[operator]), self.box(operand)]
        return boxes.row(*items)

    def _part(self, operand: syntax.Node, start: int, stop: int | None) -> boxes.Box:
        box = self.box(operand)
        at: boxes.Box = boxes.Digits(str(start))
        if stop is not None:
            at = boxes.row(boxes.Digits(str(start)), boxes.Mark(":"), boxes.Digits(str(stop)))
        if isinstance(box, boxes.Row | boxes.Fraction):
            return boxes.Script(boxes.Fence(box), at)
        if isinstance(box, boxes.Script):
            below = at if box.below is None else boxes.listed((box.below, at))
            return replace(box, below=below)
        return boxes.Script(box, at)

    def call(self, node: syntax.Call) -> boxes.Box:
        name, arguments = node.function, node.arguments
        if name == "partial":
            return boxes.Fraction(*ratio(*(self.box(a) for a in arguments), explicit=True))
        if name == "delta":
            return boxes.Script(boxes.Mark("δ"), boxes.listed(map(self.box, arguments)))
        if name == "outer":
            left, right = (self._operand(a) for a in arguments)
            return boxes.row(left, boxes.Gap(), boxes.Script(_based(right), None, boxes.Mark("⊤")))
        if name == "sum" and _is_square(arguments[0]):
            assert isinstance(arguments[0], syntax.Binary)
            return boxes.Script(
                boxes.Fence(self.box(arguments[0].left), "‖"), None, boxes.Digits("2")
            )
        if name == "sum":
            ones = boxes.Script(boxes.Name("1", bold=True), None, boxes.Mark("⊤"))
            return boxes.row(ones, boxes.Gap(), self._operand(arguments[0]))
        if name == "diag" and isinstance(arguments[0], syntax.Number):
            return boxes.Name("I", bold=True)
        if name == "sqrt":
            return boxes.Root(self.box(arguments[0]))
        if name == "is_zero":
            return boxes.Fence(boxes.row(*self._compared(arguments[0])), "[")
        if name == "abs":
            return boxes.Fence(self.box(arguments[0]), "|")
        inner = boxes.listed(self.box(a) for a in arguments)
        return boxes.row(boxes.Name(WORDS.get(name, name)), boxes.Fence(inner))

    def _compared(self, node: syntax.Node) -> tuple[boxes.Box, ...]:
        """What is zero, as an equation: a difference is of equal operands."""
        if isinstance(node, syntax.Binary) and node.operator == "-":
            return self.box(node.left), boxes.Mark("="), self._addend(node.right)
        return self.box(node), boxes.Mark("="), boxes.Digits("0")

    def _operand(self, node: syntax.Node) -> boxes.Box:
        """An operand of a product of vectors."""
        box = self.factor(node)
        product = isinstance(node, syntax.Binary) and node.operator in ("*", "/")
        return boxes.Fence(box) if product else box


def signed(node: syntax.Node) -> list[tuple[int, syntax.Node]]:
    """The terms of an expression, with their signs in front."""
    found = syntax.addends(node)
    sign, first = found[0]
    if isinstance(first, syntax.Negative):
        found[0] = (-sign, first.operand)
    return found


def number(text: str) -> boxes.Box:
    """A number; powers of ten as such."""
    mantissa, _, exponent = text.lower().partition("e")
    if not exponent:
        return boxes.Digits(text)
    power = boxes.Script(boxes.Digits("10"), None, boxes.row(*_digits(int(exponent))))
    if mantissa in ("1", "1.0"):
        return power
    return boxes.row(boxes.Digits(mantissa), boxes.Mark("·"), power)


def _digits(value: int) -> Iterator[boxes.Box]:
    if value < 0:
        yield boxes.Mark("-")
    yield boxes.Digits(str(abs(value)))


def _is_square(node: syntax.Node) -> bool:
    return (
        isinstance(node, syntax.Binary)
        and node.operator == "**"
        and node.right == syntax.Number("2", "")
    )


def _based(box: boxes.Box) -> boxes.Box:
    return (
        boxes.Fence(box)
        if boxes.has_superscript(box) or isinstance(box, boxes.Row | boxes.Fraction)
        else box
    )


def _split(node: syntax.Binary) -> tuple[list[syntax.Node], list[syntax.Node]]:
    """The factors of a product above and below the fraction bar."""
    above: list[syntax.Node] = []
    below: list[syntax.Node] = []
    for power, operand in syntax.factors(node):
        inner = [operand]
        if isinstance(operand, syntax.Binary) and operand.operator == "*":
            inner = [n for _, n in syntax.factors(operand)]
        (above if power > 0 else below).extend(inner)
    return above, below


def _limits(condition: syntax.Comparison, letters: Sequence[str]) -> bool:
    """Whether a condition is a limit of a summed index that stands on its left."""
    first = condition.operands[0]
    one = len(condition.operands) == 2 and condition.operators[0] in ("<=", ">=")
    return one and isinstance(first, syntax.Reference) and first.name in letters
