"""Nodes as C: an expression, and the statements that have to stand before it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from bptt.codegen.c.memory import Memory, affine_code
from bptt.codegen.c.names import Names
from bptt.codegen.c.runtime import OTHERWISE
from bptt.codegen.nodes import (
    Affine,
    Call,
    Condition,
    Contract,
    Node,
    Number,
    Place,
    Power,
    Product,
    Range,
    Read,
    Reduce,
    Size,
    Sum,
    Where,
)

CHOICE, SUM, PRODUCT, UNARY, ATOM = range(5)
# Whole numbers up to this are exact in float, and C makes them real where they meet one.
EXACT = 1 << 24


@dataclass(frozen=True)
class Source:
    """An expression, how tightly it binds, and whether C takes it for a whole number."""

    code: str
    precedence: int = ATOM
    is_whole: bool = False

    def within(self, precedence: int) -> str:
        return self.code if self.precedence >= precedence else f"({self.code})"


@dataclass(frozen=True)
class Block:
    """Statements under a head: a loop or a condition."""

    head: str
    body: tuple[Item, ...]


# A statement of one line, or a block.
Item = str | Block


def under(heads: Iterable[str], body: Iterable[Item]) -> tuple[Item, ...]:
    """Statements under some heads, the first the outermost."""
    found = tuple(body)
    for head in reversed([*heads]):
        found = (Block(head, found),)
    return found


@dataclass(frozen=True)
class Scope:
    """What expressions of one function are written with.

    `letters` are the variables of indices, `ranges` where they run, `first_step` the number of the
    first step. `helpers` collects what is called.
    """

    memory: Memory
    names: Names
    letters: Mapping[str, str]
    ranges: Mapping[str, Range]
    first_step: str
    helpers: set[str] = field(default_factory=set)

    def place(self, place: Affine) -> str:
        return affine_code(place, self.letters)

    def bounds(self, index: str) -> tuple[str, str]:
        """Where an index starts, and before what it stops."""
        span = self.ranges[index]
        if span.kind == "batch":
            return "0", "B"
        return self._extreme("larger", span.starts), self._extreme("smaller", span.stops)

    def _extreme(self, which: str, places: Sequence[Affine]) -> str:
        """The greatest or the least of some places; those of numbers alone are compared now."""
        fixed = [p.constant for p in places if not p.names]
        codes = [str(max(fixed) if which == "larger" else min(fixed))] if fixed else []
        codes += [self.place(p) for p in dict.fromkeys(places) if p.names]
        found = codes[0]
        for code in codes[1:]:
            found = f"{self.helper(which)}({found}, {code})"
        return found

    def loop(self, index: str) -> str:
        """The head of the loop over an index."""
        start, stop = self.bounds(index)
        letter = self.letters[index]
        return f"for (long {letter} = {start}; {letter} < {stop}; ++{letter})"

    def helper(self, name: str) -> str:
        """What a helper is called in the file."""
        self.helpers.add(name)
        return f"{self.names.prefix}_{name}"

    @property
    def real(self) -> str:
        return f"{self.names.prefix}_real"

    def element(self, read: Read) -> str:
        array, place = self.memory.place(read, self.letters)
        return f"{self.names[array]}[{place}]"


class Expression:
    """The source of one node; `before` are the lines that have to stand before it."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.before: list[Item] = []

    def value(self, node: Node) -> Source:
        scope = self._scope
        match node:
            case Number(value):
                return self._number(value)
            case Size(name):
                return Source(f"({scope.real}){name}", UNARY)
            case Place(index, offset):
                more = f" + {scope.first_step}" if scope.first_step else ""
                place = affine_code(offset, scope.letters, index)
                return Source(f"({scope.real})({place}{more})", UNARY)
            case Read():
                return Source(scope.element(node))
            case Sum(operands, signs):
                return self._sum(operands, signs)
            case Product(above, below):
                return self._product(above, below)
            case Power(base, exponent):
                return self._power(base, exponent)
            case Call(function, arguments):
                return self._call(function, arguments)
            case Where(conditions, value, otherwise):
                return self._where(conditions, value, otherwise)
            case Contract(operands, over):
                return self._contract(operands, over)
            case Reduce():
                return self._reduce(node)
        raise AssertionError(node)

    def real(self, node: Node) -> Source:
        """A node, a whole number made a real one."""
        return self._real(self.value(node))

    def _real(self, source: Source) -> Source:
        if not source.is_whole:
            return source
        return Source(f"({self._scope.real}){source.within(ATOM)}", UNARY)

    def _number(self, value: Fraction | float) -> Source:
        real = self._scope.real
        if isinstance(value, Fraction) and value.denominator == 1 and abs(value) <= EXACT:
            return Source(str(value), ATOM if value >= 0 else UNARY, is_whole=True)
        if isinstance(value, Fraction):
            if max(abs(value.numerator), value.denominator) > EXACT:
                return self._number(float(value))
            return Source(f"({real})({value.numerator}.0 / {value.denominator}.0)", UNARY)
        return Source(f"({real}){value!r}" if value >= 0 else f"({real})({value!r})", UNARY)

    def _sum(self, operands: Sequence[Node], signs: Sequence[int]) -> Source:
        code, is_whole = "", True
        for operand, sign in zip(operands, signs, strict=True):
            source = self.value(operand)
            is_whole = is_whole and source.is_whole
            if not code:
                code = source.within(SUM) if sign > 0 else f"-{source.within(UNARY)}"
            elif sign > 0:
                code += f" + {source.within(PRODUCT)}"
            else:
                code += f" - {source.within(PRODUCT)}"
        return Source(code, SUM, is_whole)

    def _product(self, above: Sequence[Node], below: Sequence[Node]) -> Source:
        sources = [self.value(n) for n in above]
        # A number's quotient is computed once, and not as one of whole numbers.
        sources.sort(key=lambda s: not s.is_whole)
        divisors = [self.value(n) for n in below]
        is_whole = all(s.is_whole for s in sources)
        if divisors and is_whole:
            first = sources[0] if sources else Source("1", is_whole=True)
            sources = [self._real(first), *sources[1:]]
        code = " * ".join(s.within(UNARY if n else PRODUCT) for n, s in enumerate(sources))
        if len(divisors) == 1:
            code += f" / {divisors[0].within(UNARY)}"
        elif divisors:
            code += f" / ({' * '.join(s.within(UNARY) for s in divisors)})"
        if not divisors and len(sources) == 1:
            return sources[0]
        return Source(code, PRODUCT, is_whole and not divisors)

    def _power(self, base: Node, exponent: Fraction) -> Source:
        inner = self.real(base).code
        scope, size = self._scope, abs(exponent)
        if size == Fraction(1, 2):
            found = Source(f"{scope.helper('sqrt')}({inner})")
        elif size == 1:
            found = Source(f"({inner})")
        elif size == 2:
            found = Source(f"{scope.helper('square')}({inner})")
        elif size.denominator == 1 and size <= 64:
            found = Source(f"{scope.helper('power')}({inner}, {size})")
        else:
            other = self._number(exponent).code
            return Source(f"{scope.helper('pow')}({inner}, {other})")
        return found if exponent > 0 else Source(f"1 / {found.within(UNARY)}", PRODUCT)

    def _call(self, function: str, arguments: Sequence[Node]) -> Source:
        sources = [self.real(n).code for n in arguments]
        name = self._scope.helper(OTHERWISE.get(function, function))
        return Source(f"{name}({', '.join(sources)})")

    def _condition(self, condition: Condition) -> str:
        """`s <= t`: what is counted positively on the right."""
        left, right = Affine(0), condition.offset
        for name, count in condition.counts:
            if count < 0:
                left += Affine(0, ((name, -count),))
            else:
                right += Affine(0, ((name, count),))
        if right.constant < 0:
            left, right = left + -right.constant, right + -right.constant
        return f"{self._scope.place(left)} <= {self._scope.place(right)}"

    def conditions(self, conditions: Sequence[Condition]) -> str:
        codes = [self._condition(c) for c in conditions]
        return codes[0] if len(codes) == 1 else " && ".join(codes)

    def _where(self, conditions: Sequence[Condition], value: Node, otherwise: int) -> Source:
        source = self.real(value)
        code = f"{self.conditions(conditions)} ? {source.within(SUM)} : {otherwise}"
        return Source(code, CHOICE)

    def _contract(self, operands: Sequence[Node], over: Sequence[str]) -> Source:
        """A variable to which the products are added."""
        scope = self._scope
        name = scope.names.fresh("total")
        inner = Expression(scope)
        code = inner.value(Product(tuple(operands))).code
        self.before.append(f"{scope.real} {name} = 0;")
        self.before += under(map(scope.loop, over), (*inner.before, f"{name} += {code};"))
        return Source(name)

    def _reduce(self, node: Reduce) -> Source:
        """Loops that fold the values, one after the other, and what is made of the results."""
        scope, reduction = self._scope, node.reduction
        known: dict[str, str] = {}
        count = scope.names.fresh("found")
        self.before.append(f"int {count} = 0;")
        for fold in reduction.folds:
            name = known[fold.name] = scope.names.fresh(fold.name)
            inner = Expression(scope)
            value = inner.real(node.value).code
            summand = scope.names.fresh("summand")
            update = self._filled(fold.update, {**known, "x": summand})
            heads = [scope.loop(index) for index in node.over]
            if node.conditions:
                heads.append(f"if ({self.conditions(node.conditions)})")
            self.before.append(f"{scope.real} {name} = {self._filled(fold.start, known)};")
            self.before += under(
                heads,
                (
                    *inner.before,
                    f"const {scope.real} {summand} = {value};",
                    f"{name} = {update};",
                    f"{count} = 1;",
                ),
            )
            if fold.settled:
                self.before.append(f"{name} = {self._filled(fold.settled, known)};")
        return Source(f"{count} ? {self._filled(reduction.result, known)} : 0", CHOICE)

    def _filled(self, text: str, known: Mapping[str, str]) -> str:
        """The text of a fold with the variables and helpers of this place."""
        text = re.sub(r"\b[a-z]+\b(?!\()", lambda m: known.get(m[0], m[0]), text)
        return re.sub(r"@(\w+)", lambda m: self._scope.helper(m[1]), text)
