"""The equation language: text to syntax trees. Nothing is ever evaluated.

    equation   = NAME "[" subscripts "]" "=" sum
    sum        = product { ("+" | "-") product }
    product    = unary { ("*" | "/" | "@") unary }
    unary      = ("-" | "+") unary | power
    power      = postfix [ "**" unary ]
    postfix    = primary { ".T" }
    primary    = NUMBER | NAME [ "[" subscripts "]" ] | NAME "(" sum { "," sum } ")" | "(" sum ")"
    subscripts = subscript { "," subscript }
    subscript  = NAME [ ("+" | "-") INTEGER ] | INTEGER

One equation a line; a line goes on while a parenthesis is open; `#` starts a comment.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from derive.errors import UserError, shown

MAX_TEXT = 50_000
MAX_DEPTH = 60
MAX_NAME = 64
MAX_OFFSET = 10_000
MAX_EQUATIONS = 500
MAX_FACTORS = 12
MAX_TERMS = 200
OVER_AN_INDEX = ("sum", "mean", "softmax", "log_softmax")


@dataclass(frozen=True)
class Number:
    text: str
    at: str


@dataclass(frozen=True)
class Subscript:
    """`name + offset`; without a name, the fixed position `offset`."""

    name: str | None
    offset: int


@dataclass(frozen=True)
class Reference:
    """A quantity, with its subscripts (None: written bare)."""

    name: str
    subscripts: tuple[Subscript, ...] | None
    at: str


@dataclass(frozen=True)
class Negative:
    operand: Node
    at: str


@dataclass(frozen=True)
class Binary:
    """`+ - * / @ **` applied to two operands."""

    operator: str
    left: Node
    right: Node
    at: str


@dataclass(frozen=True)
class Transpose:
    operand: Node
    at: str


@dataclass(frozen=True)
class Call:
    function: str
    arguments: tuple[Node, ...]
    at: str


Node = Number | Reference | Negative | Binary | Transpose | Call


@dataclass(frozen=True)
class Statement:
    """One equation: what is defined, and by what."""

    target: Reference
    expression: Node


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int
    column: int

    @property
    def at(self) -> str:
        return f"line {self.line}, column {self.column}"


_TOKEN = re.compile(
    r"(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[A-Za-z_]\w*)"
    r"|(?P<operator>\*\*|[-+*/@=(),.\[\]])"
    r"|(?P<space>[ \t\r]+)"
    r"|(?P<comment>#[^\n]*)"
    r"|(?P<newline>\n)",
    re.ASCII,
)


def _tokens(text: str) -> Iterator[_Token]:
    position, line, start, depth = 0, 1, 0, 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise UserError(
                f"the character {shown(text[position])} has no meaning in an equation",
                place=f"line {line}, column {position - start + 1}",
                remedy="equations use names, numbers, [ ] ( ) , + - * / @ ** .T and =",
            )
        kind = match.lastgroup or ""
        token = _Token(kind, match.group(), line, position - start + 1)
        position = match.end()
        if kind == "newline":
            line, start = line + 1, position
            if depth == 0:
                yield token
        elif kind not in ("space", "comment"):
            if token.text in "([":
                depth += 1
            elif token.text in ")]":
                depth = max(depth - 1, 0)
            if len(token.text) > MAX_NAME:
                raise UserError(
                    f"a {kind} of {len(token.text)} characters",
                    place=token.at,
                    remedy=f"at most {MAX_NAME} are read",
                )
            yield token
    yield _Token("newline", "\n", line, position - start + 1)
    yield _Token("end", "", line, position - start + 1)


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._position = 0
        self._depth = 0

    @property
    def _next(self) -> _Token:
        return self._tokens[self._position]

    def _take(self) -> _Token:
        token = self._next
        self._position += 1
        return token

    def _accept(self, *texts: str) -> _Token | None:
        if self._next.kind == "operator" and self._next.text in texts:
            return self._take()
        return None

    def _expect(self, text: str, what: str) -> _Token:
        token = self._accept(text)
        if token is None:
            raise self._unexpected(f"{text!r} was expected {what}")
        return token

    def _unexpected(self, remedy: str) -> UserError:
        token = self._next
        found = {"newline": "the end of the line", "end": "the end of the text"}.get(
            token.kind, shown(token.text)
        )
        return UserError(f"{found} stands where it cannot", place=token.at, remedy=remedy)

    def statements(self) -> tuple[Statement, ...]:
        found: list[Statement] = []
        while self._next.kind != "end":
            if self._next.kind == "newline":
                self._take()
                continue
            if len(found) == MAX_EQUATIONS:
                raise UserError(
                    f"more than {MAX_EQUATIONS} equations", place=self._next.at, remedy="use fewer"
                )
            found.append(self._statement())
        return tuple(found)

    def _statement(self) -> Statement:
        if self._next.kind != "name":
            raise self._unexpected("an equation starts with what it defines, such as h[t] = ...")
        target = self._reference()
        self._expect("=", "after the left side of an equation")
        expression = self._sum()
        if self._next.kind != "newline":
            raise self._unexpected("an operator or the end of the line was expected")
        return Statement(target, expression)

    def _sum(self) -> Node:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UserError(
                f"the expression is nested deeper than {MAX_DEPTH} levels",
                place=self._next.at,
                remedy="name a part of it in an equation of its own",
            )
        node = self._chain(("+", "-"), self._product, MAX_TERMS, "sum", "terms")
        self._depth -= 1
        return node

    def _product(self) -> Node:
        return self._chain(("*", "/", "@"), self._unary, MAX_FACTORS, "product", "factors")

    def _chain(
        self,
        operators: tuple[str, ...],
        operand: Callable[[], Node],
        most: int,
        what: str,
        parts: str,
    ) -> Node:
        """Operands between operators of one rank, from the left, `most` of them."""
        node = operand()
        count = 1
        while token := self._accept(*operators):
            count += 1
            if count > most:
                raise UserError(
                    f"a {what} of more than {most} {parts}",
                    place=token.at,
                    remedy="name a part of it in an equation of its own",
                )
            node = Binary(token.text, node, operand(), token.at)
        return node

    def _unary(self) -> Node:
        negative, at = False, self._next.at
        while token := self._accept("-", "+"):
            negative ^= token.text == "-"
        operand = self._power()
        return Negative(operand, at) if negative else operand

    def _power(self) -> Node:
        base = self._postfix()
        if token := self._accept("**"):
            negative = self._accept("-")
            exponent = self._postfix()
            if negative:
                exponent = Negative(exponent, negative.at)
            return Binary("**", base, exponent, token.at)
        return base

    def _postfix(self) -> Node:
        node = self._primary()
        while token := self._accept("."):
            if self._next.kind != "name" or self._next.text != "T":
                raise self._unexpected("after '.' only T, the transpose, has a meaning")
            self._take()
            node = node.operand if isinstance(node, Transpose) else Transpose(node, token.at)
        return node

    def _primary(self) -> Node:
        token = self._next
        if token.kind == "number":
            self._take()
            return Number(token.text, token.at)
        if self._accept("("):
            inner = self._sum()
            self._expect(")", "to close the parenthesis")
            return inner
        if token.kind != "name":
            raise self._unexpected("a number, a name or '(' was expected")
        following = self._tokens[self._position + 1]
        if following.kind == "operator" and following.text == "(":
            return self._call()
        return self._reference()

    def _call(self) -> Node:
        name = self._take()
        self._take()
        arguments = [self._sum()]
        while self._accept(","):
            arguments.append(self._sum())
        self._expect(")", f"to close {name.text}(...)")
        return Call(name.text, tuple(arguments), name.at)

    def _reference(self) -> Reference:
        name = self._take()
        if not self._accept("["):
            return Reference(name.text, None, name.at)
        subscripts = [self._subscript()]
        while self._accept(","):
            subscripts.append(self._subscript())
        self._expect("]", "to close the subscripts")
        return Reference(name.text, tuple(subscripts), name.at)

    def _subscript(self) -> Subscript:
        token = self._next
        if token.kind == "number":
            return Subscript(None, self._offset())
        if token.kind != "name":
            raise self._unexpected("a subscript is an index such as t, t-1 or i")
        self._take()
        sign = self._accept("+", "-")
        if sign is None:
            return Subscript(token.text, 0)
        return Subscript(token.text, self._offset() * (1 if sign.text == "+" else -1))

    def _offset(self) -> int:
        token = self._next
        if token.kind != "number" or not token.text.isdigit() or len(token.text) > 9:
            raise self._unexpected("a whole number was expected")
        self._take()
        if int(token.text) > MAX_OFFSET:
            raise UserError(
                f"the offset {token.text} is too large",
                place=token.at,
                remedy=f"at most {MAX_OFFSET} is read",
            )
        return int(token.text)


def parse(text: str) -> tuple[Statement, ...]:
    """The equations of a text, in their order. Raises UserError with line and column."""
    if len(text) > MAX_TEXT:
        raise UserError(
            f"equations of {len(text)} characters", remedy=f"at most {MAX_TEXT} are read"
        )
    return _Parser(text).statements()


def children(node: Node) -> tuple[Node, ...]:
    """The operands of a node."""
    match node:
        case Number() | Reference():
            return ()
        case Negative(operand) | Transpose(operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Call(_, arguments):
            return arguments


def index_letter(node: Node) -> Reference | None:
    """The index that `sum(..., i)`, `mean(..., i)` or `softmax(..., i)` runs over."""
    if isinstance(node, Call) and node.function in OVER_AN_INDEX and len(node.arguments) == 2:
        letter = node.arguments[1]
        if isinstance(letter, Reference) and letter.subscripts is None:
            return letter
        raise UserError(
            f"the second argument of {node.function} is not an index",
            place=node.at,
            remedy=f"write {node.function}(..., i)",
        )
    return None


def references(node: Node) -> Iterator[Reference]:
    """Every mention of a quantity, from left to right."""
    stack: list[Node] = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, Reference):
            yield top
        below = children(top)
        stack.extend(reversed(below[:1] if index_letter(top) else below))


def addends(node: Node) -> list[tuple[int, Node]]:
    """The operands of a chain of + and -, each with its sign."""
    found: list[tuple[int, Node]] = []
    while isinstance(node, Binary) and node.operator in "+-":
        found.append((1 if node.operator == "+" else -1, node.right))
        node = node.left
    found.append((1, node))
    return found[::-1]


def factors(node: Node) -> list[tuple[int, Node]]:
    """The operands of a chain of * and /, each with its power, 1 or -1."""
    found: list[tuple[int, Node]] = []
    while isinstance(node, Binary) and node.operator in ("*", "/"):
        found.append((1 if node.operator == "*" else -1, node.right))
        node = node.left
    found.append((1, node))
    return found[::-1]


def uses_index_notation(statement: Statement) -> bool:
    """Whether any subscript is another than the time index; `@`, `.T` and `concat` never do."""
    mentioned = [statement.target, *references(statement.expression)]
    return any(
        s.name != "t" or position > 0
        for r in mentioned
        for position, s in enumerate(r.subscripts or ())
    )
