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
part of a vector; `sum(a[t,s], s <= t)` runs over the s that the comparison admits. `^` is `**`.

Derived equations, as `bptt show` prints them, have more: sums in front of a product, conditions
behind a term, lengths in subscripts, `=` in conditions, and a number in front of an equation.

    primary    = ... | "sum_" LETTER { "," LETTER } product
    term       = product [ "[" condition { "," condition } "]" ]
    subscript  = ... { ("+" | "-") NAME }
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from bptt.derive.calculus.reductions import BIG
from bptt.derive.errors import UserError, shown
from bptt.derive.language import syntax

MAX_TEXT = 50_000
MAX_DEPTH = 40
MAX_NAME = 64
MAX_OFFSET = 10_000
MAX_EQUATIONS = 500
MAX_FACTORS = 12
MAX_TERMS = 200
MAX_LENGTHS = 8
Piece = TypeVar("Piece")
COMPARISONS = ("<", "<=", ">", ">=")
_BIG = re.compile(rf"({'|'.join(BIG)}|prod|rising|falling)_([A-Za-z]\d*)", re.ASCII)
_KINDS: dict[str, syntax.BigKind] = {
    "sum": "sum",
    "prod": "product",
    "rising": "rising",
    "falling": "falling",
}


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int
    column: int

    @property
    def at(self) -> str:
        return f"line {self.line}, column {self.column}"


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(
        r"(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)"
        rf"|(?P<name>{name})"
        r"|(?P<operator>\*\*|<=|>=|[-+*/@^=(),.\[\]:<>])"
        r"|(?P<space>[ \t\r]+)"
        r"|(?P<comment>#[^\n]*)"
        r"|(?P<newline>\n)",
        re.ASCII,
    )


_TOKEN = _pattern(r"[A-Za-z_]\w*")
# Names of claims have holes for labels, and functions a prime: `W_{m}_{l}`, `tanh'(x)`.
_CLAIM_TOKEN = _pattern(r"(?:[A-Za-z_]|\{\w+\})(?:\w|\{\w+\})*'?")


def _tokens(text: str, pattern: re.Pattern[str]) -> Iterator[_Token]:
    position, line, start, depth = 0, 1, 0, 0
    while position < len(text):
        match = pattern.match(text, position)
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


def _joined(tokens: list[_Token]) -> list[_Token]:
    """The tokens without the ends of lines that the next line goes on with + or -."""
    following = [*tokens[1:], tokens[-1]]
    return [
        token
        for token, after in zip(tokens, following, strict=True)
        if not (token.kind == "newline" and after.text in ("+", "-"))
    ]


class _Parser:
    def __init__(self, text: str, *, derived: bool = False, claim: bool = False) -> None:
        self._tokens = list(_tokens(text, _CLAIM_TOKEN if claim else _TOKEN))
        if derived:
            self._tokens = _joined(self._tokens)
        self._position = 0
        self._depth = 0
        self._derived = derived
        self._claim = claim

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

    def statements(self) -> tuple[syntax.Statement, ...]:
        found: list[syntax.Statement] = []
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

    def expression(self) -> syntax.Node:
        """The whole text as one expression, over several lines if need be."""
        found = self._sum()
        while self._next.kind == "newline":
            self._take()
        if self._next.kind != "end":
            raise self._unexpected("an expression ends here")
        return found

    def _skip_number(self) -> None:
        """An equation's number, `(12)`, before a derived equation."""
        if self._derived and self._accept("("):
            self._offset()
            self._expect(")", "behind the number of an equation")

    def _statement(self) -> syntax.Statement:
        self._skip_number()
        if self._next.kind != "name":
            raise self._unexpected("an equation starts with what it defines, such as h[t] = ...")
        target = self._reference()
        if isinstance(target, syntax.Part):
            raise UserError("the left side is a part", place=target.at, remedy="define the whole")
        self._expect("=", "after the left side of an equation")
        expression = self._sum()
        if self._next.kind != "newline":
            raise self._unexpected("an operator or the end of the line was expected")
        return syntax.Statement(target, expression)

    def _sum(self) -> syntax.Node:
        first = self._next
        self._enter(first)
        node = self._chain(("+", "-"), self._term, MAX_TERMS, "sum", "terms")
        self._depth -= 1
        syntax.check_height(node, first.at)
        return node

    def _term(self) -> syntax.Node:
        node = self._product()
        if not (self._derived and self._accept("[")):
            return node
        conditions = [self._condition()]
        while self._accept(","):
            conditions.append(self._condition())
            if len(conditions) > MAX_FACTORS:
                raise self._unexpected(f"a term has at most {MAX_FACTORS} conditions")
        self._expect("]", "to close the conditions of a term")
        return syntax.Where(node, tuple(conditions), conditions[0].at)

    def equality(self) -> tuple[syntax.Node, ...]:
        """Two or more expressions with equals signs between them, and nothing behind."""
        return self._alone(self._sum, "=", "an operator, = or the end was expected")

    def conditions(self) -> tuple[syntax.Comparison, ...]:
        """Conditions with commas between them, and nothing behind."""
        return self._alone(self._condition, ",", "a comma or the end was expected")

    def _alone(self, part: Callable[[], Piece], mark: str, remedy: str) -> tuple[Piece, ...]:
        """All of a text: parts with marks between them."""
        self._skip_lines()
        found = [part()]
        while self._accept(mark):
            found.append(part())
        self._skip_lines()
        if self._next.kind != "end":
            raise self._unexpected(remedy)
        return tuple(found)

    def _skip_lines(self) -> None:
        while self._next.kind == "newline":
            self._take()

    def _condition(self) -> syntax.Comparison:
        if self._claim and self._tokens[self._position + 1].text == "in":
            letter = self._take()
            self._take()
            members = self._take()
            operands = tuple(
                syntax.Reference(token.text, None, token.at) for token in (letter, members)
            )
            return syntax.Comparison(operands, ("in",), letter.at)
        found = self._argument((*COMPARISONS, "="))
        if not isinstance(found, syntax.Comparison):
            raise self._unexpected("a condition is a comparison, such as t <= T-2")
        return found

    def _product(self) -> syntax.Node:
        return self._chain(("*", "/", "@"), self._unary, MAX_FACTORS, "product", "factors")

    def _chain(
        self,
        operators: tuple[str, ...],
        operand: Callable[[], syntax.Node],
        most: int,
        what: str,
        parts: str,
    ) -> syntax.Node:
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
            node = syntax.Binary(token.text, node, operand(), token.at)
        return node

    def _unary(self) -> syntax.Node:
        negative, at = False, self._next.at
        while token := self._accept("-", "+"):
            negative ^= token.text == "-"
        operand = self._power()
        return syntax.Negative(operand, at) if negative else operand

    def _power(self) -> syntax.Node:
        base = self._postfix()
        if token := self._accept("**", "^"):
            negative = self._accept("-")
            exponent = self._postfix()
            if negative:
                exponent = syntax.Negative(exponent, negative.at)
            return syntax.Binary("**", base, exponent, token.at)
        return base

    def _postfix(self) -> syntax.Node:
        node = self._primary()
        count = 0
        while not self._is_condition() and (token := self._accept(".", "[")):
            count += 1
            if count > MAX_FACTORS:
                raise UserError(
                    f"more than {MAX_FACTORS} parts and transposes of one thing",
                    place=token.at,
                    remedy="use fewer",
                )
            if token.text == "[":
                node = self._part(node, token.at)
                continue
            if self._next.kind != "name" or self._next.text != "T":
                raise self._unexpected("after '.' only T, the transpose, has a meaning")
            self._take()
            node = (
                node.operand
                if isinstance(node, syntax.Transpose)
                else syntax.Transpose(node, token.at)
            )
        return node

    def _is_condition(self) -> bool:
        """Whether the bracket that comes next holds a comparison."""
        if not self._derived or self._next.text != "[":
            return False
        for token in self._tokens[self._position :]:
            if token.text in (*COMPARISONS, "=") or (self._claim and token.text == "in"):
                return True
            if token.text == "]" or token.kind in ("newline", "end"):
                return False
        return False

    def _part(self, node: syntax.Node, at: str) -> syntax.Node:
        start = self._offset()
        stop = self._offset() if self._accept(":") else None
        self._expect("]", "to close the part of a vector, such as [0:4] or [2]")
        if stop is not None and stop <= start:
            raise UserError(
                f"the part [{start}:{stop}] is empty", place=at, remedy="let the second be greater"
            )
        return syntax.Part(node, start, stop, at)

    def _primary(self) -> syntax.Node:
        token = self._next
        if token.kind == "number":
            self._take()
            return syntax.Number(token.text, token.at)
        if self._accept("("):
            inner = self._sum()
            self._expect(")", "to close the parenthesis")
            return inner
        if token.kind != "name":
            raise self._unexpected("a number, a name or '(' was expected")
        if self._derived and self._starts_sum():
            return self._summed()
        following = self._tokens[self._position + 1]
        if following.kind == "operator" and following.text == "(":
            return self._call()
        return self._reference()

    def _starts_sum(self) -> bool:
        """Whether `sum_j,k` stands before something: as a name it would stand before no other."""
        match = _BIG.fullmatch(self._next.text)
        if match is None or match[1] not in (_KINDS if self._claim else BIG):
            return False
        at = self._position + 1
        while self._tokens[at].text == "," and self._tokens[at + 1].kind == "name":
            at += 2
        token = self._tokens[at]
        return token.kind in ("name", "number") or token.text in ("(", "-")

    def _summed(self) -> syntax.Node:
        first = self._take()
        kind, _, letter = first.text.partition("_")
        letters = [letter]
        while self._accept(","):
            letters.append(self._take().text)
        self._enter(first)
        operand = self._product()
        self._depth -= 1
        if not self._claim:
            return syntax.Sum(tuple(letters), operand, first.at, kind)
        for letter in reversed(letters):
            operand = syntax.Big(_KINDS[kind], letter, None, None, "", operand, first.at)
        return operand

    def _enter(self, token: _Token) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UserError(
                f"the expression is nested deeper than {MAX_DEPTH} levels",
                place=token.at,
                remedy="name a part of it in an equation of its own",
            )

    def _call(self) -> syntax.Node:
        name = self._take()
        self._take()
        arguments = [self._argument()]
        while self._accept(","):
            arguments.append(self._argument())
        self._expect(")", f"to close {name.text}(...)")
        return syntax.Call(name.text, tuple(arguments), name.at)

    def _argument(self, comparisons: tuple[str, ...] = COMPARISONS) -> syntax.Node:
        at = self._next.at
        operands, operators = [self._sum()], []
        while token := self._accept(*comparisons):
            operators.append(token.text)
            operands.append(self._sum())
        if len(operators) > 2:
            raise UserError(
                "a comparison of more than three", place=at, remedy="write t-4 <= s <= t"
            )
        return (
            syntax.Comparison(tuple(operands), tuple(operators), at) if operators else operands[0]
        )

    def _reference(self) -> syntax.Reference | syntax.Part:
        name = self._take()
        if self._is_condition() or not self._accept("["):
            return syntax.Reference(name.text, None, name.at)
        following = self._tokens[self._position + 1]
        if self._next.kind == "number" and following.text == ":":
            part = self._part(syntax.Reference(name.text, None, name.at), name.at)
            assert isinstance(part, syntax.Part)
            return part
        subscripts = [self._subscript()]
        while self._accept(","):
            subscripts.append(self._subscript())
        self._expect("]", "to close the subscripts")
        return syntax.Reference(name.text, tuple(subscripts), name.at)

    def _subscript(self) -> syntax.Subscript:
        token = self._next
        if token.kind == "number":
            return syntax.Subscript(None, self._offset())
        if token.kind != "name":
            raise self._unexpected("a subscript is an index such as t, t-1 or i")
        self._take()
        offset = 0
        also: list[tuple[int, str]] = []
        while sign := self._accept("+", "-"):
            factor = 1 if sign.text == "+" else -1
            if len(also) > MAX_LENGTHS:
                raise self._unexpected(f"at most {MAX_LENGTHS} lengths stand in a subscript")
            if self._derived and self._next.kind == "name":
                also.append((factor, self._take().text))
                continue
            offset += factor * self._offset()
            if not self._derived:
                break
        return syntax.Subscript(token.text, offset, tuple(also))

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


def parse(text: str) -> tuple[syntax.Statement, ...]:
    """The equations of a text, in their order. Raises UserError with line and column."""
    if len(text) > MAX_TEXT:
        raise UserError(
            f"equations of {len(text)} characters", remedy=f"at most {MAX_TEXT} are read"
        )
    return _Parser(text).statements()


def parse_expression(text: str) -> syntax.Node:
    """One expression. Raises UserError as `parse` does."""
    if len(text) > MAX_TEXT:
        raise UserError(f"{len(text)} characters", remedy=f"at most {MAX_TEXT} are read")
    return _Parser(text).expression()


def parse_derived(text: str) -> tuple[syntax.Statement, ...]:
    """Derived equations, one a line, as they are printed. Raises UserError as `parse` does."""
    return _Parser(text, derived=True).statements()


def parse_claim(text: str) -> tuple[syntax.Node, ...]:
    """The sides of an equality that somebody claims. Raises UserError as `parse` does.

    To derived equations it adds products over a letter, `rising_j`, `falling_j` and `prod_j`,
    primes behind functions, holes for labels in names, and `l in NAME` in conditions.
    """
    if len(text) > MAX_TEXT:
        raise UserError(f"a claim of {len(text)} characters", remedy=f"at most {MAX_TEXT} are read")
    return _Parser(text, derived=True, claim=True).equality()


def parse_conditions(text: str) -> tuple[syntax.Comparison, ...]:
    """Conditions such as `t < T, k in U`. Raises UserError as `parse` does."""
    if len(text) > MAX_TEXT:
        raise UserError(f"{len(text)} characters of conditions", remedy="use fewer")
    return _Parser(text, derived=True, claim=True).conditions()
