"""The equation language: text to syntax trees. Nothing is ever evaluated.

    equation   = NAME "[" subscripts "]" "=" sum
    sum        = product { ("+" | "-") product }
    product    = unary { ("*" | "/" | "@") unary }
    unary      = ("-" | "+") unary | power
    power      = postfix [ "**" unary ]
    postfix    = primary { ".T" | "[" INTEGER [ ":" INTEGER ] "]" }
    primary    = NUMBER | NAME [ "[" subscripts "]" ] | NAME "(" arguments ")" | "(" sum ")"
    subscripts = subscript { "," subscript }
    subscript  = NAME [ ("+" | "-") INTEGER ] | INTEGER
    arguments  = argument { "," argument }
    argument   = sum [ ("<" | "<=" | ">" | ">=") sum [ ("<" | "<=" | ">" | ">=") sum ] ]

One equation a line; a line goes on while a parenthesis is open; `#` starts a comment. The
letters t, s, r and u are indices of steps; `end` is the last step of an axis. `v[t][2:5]` is a
part of a vector; `sum(a[t,s], s <= t)` runs over the s that the comparison admits.
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
OVER_AN_INDEX = ("sum", "mean", "softmax", "log_softmax", "logsumexp")
TIME_LETTERS = ("t", "s", "r", "u")
NUMBER = "t"  # the index that may stand for its own number
END = "end"
COMPARISONS = ("<", "<=", ">", ">=")


@dataclass(frozen=True)
class Number:
    text: str
    at: str


@dataclass(frozen=True)
class Subscript:
    """`name + offset`; without a name, the fixed position `offset`.

    The name is an index, or `end`: the last step.
    """

    name: str | None
    offset: int

    @property
    def is_fixed(self) -> bool:
        return self.name is None or self.name == END

    @property
    def is_step(self) -> bool:
        """Whether this can only be a step: an index of steps, or the last one."""
        return self.name in TIME_LETTERS or self.name == END


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
class Part:
    """The elements start..stop-1 of a vector (of the first axis of a matrix).

    Without `stop`, the one element `start`.
    """

    operand: Node
    start: int
    stop: int | None
    at: str


@dataclass(frozen=True)
class Comparison:
    """`operands[0] operators[0] operands[1] ...`: which values an index takes."""

    operands: tuple[Node, ...]
    operators: tuple[str, ...]
    at: str


@dataclass(frozen=True)
class Call:
    function: str
    arguments: tuple[Node, ...]
    at: str


Node = Number | Reference | Negative | Binary | Transpose | Part | Comparison | Call


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
    r"|(?P<operator>\*\*|<=|>=|[-+*/@=(),.\[\]:<>])"
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
        if isinstance(target, Part):
            raise UserError("the left side is a part", place=target.at, remedy="define the whole")
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
        while token := self._accept(".", "["):
            if token.text == "[":
                node = self._part(node, token.at)
                continue
            if self._next.kind != "name" or self._next.text != "T":
                raise self._unexpected("after '.' only T, the transpose, has a meaning")
            self._take()
            node = node.operand if isinstance(node, Transpose) else Transpose(node, token.at)
        return node

    def _part(self, node: Node, at: str) -> Node:
        start = self._offset()
        stop = self._offset() if self._accept(":") else None
        self._expect("]", "to close the part of a vector, such as [0:4] or [2]")
        if stop is not None and stop <= start:
            raise UserError(
                f"the part [{start}:{stop}] is empty", place=at, remedy="let the second be greater"
            )
        return Part(node, start, stop, at)

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
        arguments = [self._argument()]
        while self._accept(","):
            arguments.append(self._argument())
        self._expect(")", f"to close {name.text}(...)")
        return Call(name.text, tuple(arguments), name.at)

    def _argument(self) -> Node:
        at = self._next.at
        operands, operators = [self._sum()], []
        while token := self._accept(*COMPARISONS):
            operators.append(token.text)
            operands.append(self._sum())
        if len(operators) > 2:
            raise UserError(
                "a comparison of more than three", place=at, remedy="write t-4 <= s <= t"
            )
        return Comparison(tuple(operands), tuple(operators), at) if operators else operands[0]

    def _reference(self) -> Reference | Part:
        name = self._take()
        if not self._accept("["):
            return Reference(name.text, None, name.at)
        following = self._tokens[self._position + 1]
        if self._next.kind == "number" and following.text == ":":
            part = self._part(Reference(name.text, None, name.at), name.at)
            assert isinstance(part, Part)
            return part
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
        case Negative(operand) | Transpose(operand) | Part(operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Call(_, arguments):
            return arguments
        case Comparison(operands):
            return operands


def index_letter(node: Node) -> Reference | None:
    """The index that `sum(..., i)`, `softmax(..., s)` or `sum(..., s <= t)` runs over.

    In a comparison it is the first that stands alone and is not t, if there is one.
    """
    if isinstance(node, Call) and node.function in OVER_AN_INDEX and len(node.arguments) >= 2:
        letter = node.arguments[1]
        if isinstance(letter, Comparison):
            alone = [o for o in letter.operands if isinstance(o, Reference)]
            letter = next((o for o in alone if o.name != "t"), alone[0] if alone else letter)
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
            if not is_index(top):
                yield top
            continue
        below = children(top)
        stack.extend(reversed((below[0], *below[2:]) if index_letter(top) else below))


def is_index(node: Node) -> bool:
    """Whether this is an index of steps that stands for its own number: the t of `sin(t)`."""
    return isinstance(node, Reference) and node.subscripts is None and node.name == NUMBER


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
    """Whether any subscript is an index of units."""
    mentioned = [statement.target, *references(statement.expression)]
    return any(not (s.is_fixed or s.is_step) for r in mentioned for s in r.subscripts or ())
