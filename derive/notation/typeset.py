"""Syntax trees as boxes: the one place that knows how mathematics is set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.quantity import B
from bptt.derive.errors import InternalError
from bptt.derive.language.syntax import (
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
    Sum,
    Transpose,
    Where,
    addends,
    factors,
)
from bptt.derive.notation.boxes import (
    BigSum,
    Box,
    Digits,
    Fence,
    Fraction,
    Gap,
    Mark,
    Name,
    Root,
    Row,
    Script,
    has_superscript,
    listed,
    row,
    width,
)
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

    def statement(self, statement: Statement, number: int = 0) -> Typeset:
        """A statement with its number."""
        return self.formula(statement.target, statement.expression, number)

    def formula(self, left: Node, right: Node, number: int = 0) -> Typeset:
        """Two expressions with an equals sign between them."""
        terms = tuple((sign, self.term(node)) for sign, node in signed(right))
        return Typeset(number, self.box(left), terms)

    def term(self, node: Node) -> Box:
        """A term with its sums and its conditions."""
        return self.factor(node, alone=True) if isinstance(node, Binary) else self.box(node)

    # Expressions.

    def box(self, node: Node) -> Box:
        match node:
            case Number(text):
                return number(text)
            case Reference():
                return self.reference(node)
            case Negative(operand):
                return row(Mark("-"), self.factor(operand))
            case Transpose(operand):
                inner = self.factor(operand)
                is_open = has_superscript(inner) or isinstance(inner, Row | Fraction)
                is_weight = isinstance(operand, Reference) and self.is_delayed(operand.name)
                base = Fence(inner) if is_open and not is_weight else inner
                return Script(base, None, Mark("⊤"))
            case Part(operand, start, stop):
                return self._part(operand, start, stop)
            case Comparison():
                return self.comparison(node)
            case Sum():
                return self.summed(node, ())
            case Big():
                raise InternalError("a claim's sum stands in a system's equation")
            case Where(operand, conditions):
                return self._where(operand, conditions)
            case Call():
                return self.call(node)
            case Binary(operator):
                return self._binary(node, operator)

    def _binary(self, node: Binary, operator: str) -> Box:
        if operator in ("+", "-"):
            items: list[Box] = []
            for position, (sign, operand) in enumerate(addends(node)):
                if position or sign < 0:
                    items.append(Mark("+" if sign > 0 else "-"))
                items.append(self.box(operand) if position == 0 else self._addend(operand))
            return row(*items)
        if operator == "**":
            inner = self.factor(node.left)
            is_atom = isinstance(inner, Name | Digits | Script) and not has_superscript(inner)
            exponent = self._exponent(node.right)
            if isinstance(inner, Script) and is_atom:
                return replace(inner, above=exponent)
            base = inner if is_atom or isinstance(inner, Fence) else Fence(inner)
            return Script(base, None, exponent)
        if operator == "@":
            return self.matrix_product(node)
        return self.product(node)

    def _exponent(self, node: Node) -> Box:
        if isinstance(node, Binary) and node.operator == "/":
            return row(self.box(node.left), Mark("/"), self.box(node.right))
        return self.box(node)

    def _addend(self, node: Node) -> Box:
        is_sum = isinstance(node, Negative) or (isinstance(node, Binary) and node.operator in "+-")
        return Fence(self.box(node)) if is_sum else self.box(node)

    def factor(self, node: Node, *, alone: bool = False) -> Box:
        """A factor of a product: a sum stands in parentheses."""
        box = self.box(node)
        if isinstance(node, Binary) and node.operator in "+-":
            return Fence(box)
        if not alone and isinstance(node, Negative | Sum | Where):
            return Fence(box)
        return box

    def product(self, node: Binary) -> Box:
        """Factors side by side, numbers and lengths in a fraction in front."""
        above, below = _split(node)
        if not below:
            return self.times([n for n in above if n != Number("1", "")] or above)
        plain = [n for n in above if self._is_constant(n)]
        rest = [n for n in above if n not in plain]
        whole = all(self._is_constant(n) for n in below)
        under = self.times(below, bare=True)
        if rest and (whole or width(self.times(above)) > NARROW):
            ahead = Fraction(self.times(plain) if plain else Digits("1"), under)
            vectors = max(map(self.rank, below)) > 0
            return row(ahead, Mark("⊙") if vectors else Gap(), self.times(rest))
        return Fraction(self.times(above, bare=True) if above else Digits("1"), under)

    def _is_constant(self, node: Node) -> bool:
        """Whether this is a number or a length."""
        if isinstance(node, Reference):
            return node.name not in self.system.quantities
        return isinstance(node, Number)

    def times(self, nodes: Sequence[Node], *, bare: bool = False) -> Box:
        """A product of some factors."""
        if len(nodes) == 1:
            return self.box(nodes[0]) if bare else self.factor(nodes[0])
        items: list[Box] = []
        before: Node | None = None
        for node in nodes:
            if before is not None:
                items.append(self._between(before, node))
            items.append(self.factor(node))
            before = node
        return row(*items)

    def _between(self, left: Node, right: Node) -> Box:
        if isinstance(right, Number):
            return Mark("·")
        ranks = (self.rank(left), self.rank(right))
        return Mark("⊙") if min(ranks) > 0 else Gap()

    def rank(self, node: Node) -> int:
        return rank(node, self.system.quantities)

    def matrix_product(self, node: Binary) -> Box:
        left, right = self.factor(node.left), self.factor(node.right)
        if isinstance(node.right, Binary) and node.right.operator in ("*", "@", "/"):
            right = Fence(right)
        if isinstance(node.left, Binary) and node.left.operator in ("*", "/"):
            left = Fence(left)
        if self.rank(node.left) == 1:
            base = Fence(left) if has_superscript(left) or isinstance(left, Row) else left
            left = Script(base, None, Mark("⊤"))
        return row(left, Gap(), right)

    def summed(self, node: Sum, conditions: Sequence[Comparison]) -> Box:
        """Summation signs with their limits, then the product that is summed."""
        signs: list[Box] = []
        for letter in node.letters:
            low, high = self.limits(letter, node.operand, conditions)
            if node.big == "max":
                below = row(low, Mark("≤"), Name(letter), Mark("≤"), high)
                signs.append(BigSum(below, None, "max"))
            else:
                signs.append(BigSum(row(Name(letter), Mark("="), low), high))
        ahead, operand = self._constant_ahead(node.operand)
        return row(*ahead, *signs, Gap(), self.factor(operand))

    def _constant_ahead(self, node: Node) -> tuple[list[Box], Node]:
        """A constant factor, which stands before the summation signs, and what is left."""
        if not (isinstance(node, Binary) and node.operator in ("*", "/")):
            return [], node
        above, below = _split(node)
        plain = [n for n in above if self._is_constant(n)]
        rest = [n for n in above if n not in plain]
        if not rest or not all(map(self._is_constant, below)) or not (plain or below):
            return [], node
        factor = self.times(plain) if plain else Digits("1")
        if below:
            factor = Fraction(factor, self.times(below))
        return [factor, Gap()], product(rest)

    def limits(self, letter: str, node: Node, conditions: Sequence[Comparison]) -> tuple[Box, Box]:
        """From where to where an index runs: over its axis, or as far as the conditions say."""
        low: Box = Digits("0")
        high = self.subscript(affine_subscript(self.length_of(letter, node) - 1))
        for condition in conditions:
            limit = self.box(condition.operands[1])
            if condition.operators == ("<=",):
                high = limit
            elif isinstance(condition.operands[1], Number | Reference):
                low = limit
            else:
                low = row(Name("max"), Fence(listed((Digits("0"), limit))))
        return low, high

    def length_of(self, letter: str, node: Node) -> sp.Expr:
        """The length of the axis that a summed index stands on."""
        if letter.rstrip("'") == "b":
            return B
        axis = axis_of(letter, node, lambda r: self.system.quantities.get(r.name))
        return sp.Symbol("N", integer=True) if axis is None else axis.size

    def _where(self, operand: Node, conditions: Sequence[Comparison]) -> Box:
        """A term with conditions: those on a summed index alone are its limits."""
        inner, sign = operand, False
        if isinstance(inner, Negative):
            inner, sign = inner.operand, True
        taken = [c for c in conditions if isinstance(inner, Sum) and _limits(c, inner.letters)]
        rest = [c for c in conditions if c not in taken]
        box = self.summed(inner, taken) if isinstance(inner, Sum) else self.factor(inner)
        if sign:
            box = row(Mark("-"), box)
        if not rest:
            return box
        if sign:
            box = Fence(box)
        return row(Fence(listed(map(self.comparison, rest)), "["), Gap(), box)

    def comparison(self, node: Comparison) -> Box:
        items = [self.box(node.operands[0])]
        for operator, operand in zip(node.operators, node.operands[1:], strict=True):
            items += [Mark(RELATIONS[operator]), self.box(operand)]
        return row(*items)

    def _part(self, operand: Node, start: int, stop: int | None) -> Box:
        box = self.box(operand)
        at: Box = Digits(str(start))
        if stop is not None:
            at = row(Digits(str(start)), Mark(":"), Digits(str(stop)))
        if isinstance(box, Row | Fraction):
            return Script(Fence(box), at)
        if isinstance(box, Script):
            below = at if box.below is None else listed((box.below, at))
            return replace(box, below=below)
        return Script(box, at)

    def call(self, node: Call) -> Box:
        name, arguments = node.function, node.arguments
        if name == "partial":
            return Fraction(*ratio(*(self.box(a) for a in arguments), explicit=True))
        if name == "delta":
            return Script(Mark("δ"), listed(map(self.box, arguments)))
        if name == "outer":
            left, right = (self._operand(a) for a in arguments)
            return row(left, Gap(), Script(_based(right), None, Mark("⊤")))
        if name == "sum" and _is_square(arguments[0]):
            assert isinstance(arguments[0], Binary)
            return Script(Fence(self.box(arguments[0].left), "‖"), None, Digits("2"))
        if name == "sum":
            ones = Script(Name("1", bold=True), None, Mark("⊤"))
            return row(ones, Gap(), self._operand(arguments[0]))
        if name == "diag" and isinstance(arguments[0], Number):
            return Name("I", bold=True)
        if name == "sqrt":
            return Root(self.box(arguments[0]))
        if name == "is_zero":
            return Fence(row(*self._compared(arguments[0])), "[")
        if name == "abs":
            return Fence(self.box(arguments[0]), "|")
        inner = listed(self.box(a) for a in arguments)
        return row(Name(WORDS.get(name, name)), Fence(inner))

    def _compared(self, node: Node) -> tuple[Box, ...]:
        """What is zero, as an equation: a difference is of equal operands."""
        if isinstance(node, Binary) and node.operator == "-":
            return self.box(node.left), Mark("="), self._addend(node.right)
        return self.box(node), Mark("="), Digits("0")

    def _operand(self, node: Node) -> Box:
        """An operand of a product of vectors."""
        box = self.factor(node)
        product = isinstance(node, Binary) and node.operator in ("*", "/")
        return Fence(box) if product else box


def signed(node: Node) -> list[tuple[int, Node]]:
    """The terms of an expression, with their signs in front."""
    found = addends(node)
    sign, first = found[0]
    if isinstance(first, Negative):
        found[0] = (-sign, first.operand)
    return found


def number(text: str) -> Box:
    """A number; powers of ten as such."""
    mantissa, _, exponent = text.lower().partition("e")
    if not exponent:
        return Digits(text)
    power = Script(Digits("10"), None, row(*_digits(int(exponent))))
    if mantissa in ("1", "1.0"):
        return power
    return row(Digits(mantissa), Mark("·"), power)


def _digits(value: int) -> Iterator[Box]:
    if value < 0:
        yield Mark("-")
    yield Digits(str(abs(value)))


def _is_square(node: Node) -> bool:
    return isinstance(node, Binary) and node.operator == "**" and node.right == Number("2", "")


def _based(box: Box) -> Box:
    return Fence(box) if has_superscript(box) or isinstance(box, Row | Fraction) else box


def _split(node: Binary) -> tuple[list[Node], list[Node]]:
    """The factors of a product above and below the fraction bar."""
    above: list[Node] = []
    below: list[Node] = []
    for power, operand in factors(node):
        inner = [operand]
        if isinstance(operand, Binary) and operand.operator == "*":
            inner = [n for _, n in factors(operand)]
        (above if power > 0 else below).extend(inner)
    return above, below


def _limits(condition: Comparison, letters: Sequence[str]) -> bool:
    """Whether a condition is a limit of a summed index that stands on its left."""
    first = condition.operands[0]
    one = len(condition.operands) == 2 and condition.operators[0] in ("<=", ">=")
    return one and isinstance(first, Reference) and first.name in letters
