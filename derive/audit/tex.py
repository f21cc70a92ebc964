"""Claims in LaTeX, as they stand in the source: a documented subset, read to syntax trees.

equality   = sum { "=" sum }
sum        = [ "-" ] term { ("+" | "-") term }
term       = chain { ("\\odot" | "\\circ" | "\\otimes" | "\\cdot" | "\\times" | "/") chain }
chain      = factor { factor }                       products of matrices, in order
factor     = atom { "^" script | "_" script | "'" }
atom       = number | symbol | "(" sum ")" | \\frac | \\nabla | \\partial | \\sum | \\prod
           | function | \\begin{cases}
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bptt.derive.audit.indices import letters_in
from bptt.derive.audit.readings import CENTRED, CIRCLED, speaks_of
from bptt.derive.audit.symbols import Mention, Spelling, Vocabulary
from bptt.derive.audit.tex_symbols import SymbolReader
from bptt.derive.audit.tex_tokens import BEGIN, CLOSING, END, PARTED, Token
from bptt.derive.audit.text import limited
from bptt.derive.errors import UserError, shown
from bptt.derive.language import syntax

MAX_LENGTH = 20_000
MAX_FACTORS = 40
MAX_TERMS = 100
_TRANSPOSES = ("T", r"\top", r"\intercal", r"\mathsf", r"\mathrm", r"\text", r"\mathit", r"\mathbf")
_OPERATORS = {
    r"\odot": "*",
    r"\circ": "*",
    r"\ast": "*",
    "*": "*",
    r"\times": "@",
    r"\cdot": "·",
    r"\otimes": "⊗",
    "/": "/",
}
_RELATIONS = {"<": "<", ">": ">", r"\le": "<=", r"\leq": "<=", r"\ge": ">=", r"\geq": ">="}
_RELATIONS |= {r"\lt": "<", r"\gt": ">", "=": "=", r"\ne": "!=", r"\neq": "!=", r"\leqslant": "<="}
_CLOSERS = (")", "]", r"\}", r"\rangle", "}", "|", r"\|", r"\rVert", ",", ";", ":", ".", r"\in")


@dataclass(frozen=True)
class Read:
    """An equality, and how the source spells the quantities that it mentions."""

    sides: tuple[syntax.Node, ...]
    spellings: dict[str, Spelling]


def read_latex(text: str, vocabulary: Vocabulary) -> Read:
    """The sides of an equality in LaTeX. Raises UserError, which points at the place."""
    if len(text) > MAX_LENGTH:
        raise UserError(f"{len(text)} characters of LaTeX", remedy=f"at most {MAX_LENGTH} are read")
    parser = _Parser(text, vocabulary)
    sides = parser.equality()
    return Read(sides, parser.spellings)


class _Parser(SymbolReader):
    def equality(self) -> tuple[syntax.Node, ...]:
        sides = [self.sum()]
        while self.accept("=", r"\equiv") or self._accept_colon():
            sides.append(self.sum())
        if self.next is not None:
            raise self.refuse("an operator, = or the end was expected")
        return tuple(sides)

    def _accept_colon(self) -> bool:
        if self.next == ":" and self._peek(1) == "=":
            self._position += 2
            return True
        return False

    def sum(self) -> syntax.Node:
        self._enter()
        start = at = self.at
        negative = False
        while sign := self.accept("+", "-"):
            negative ^= sign == "-"
        node = self.term()
        if negative:
            node = syntax.Negative(node, at)
        count = 0
        while self.next in ("+", "-"):
            at = self.at
            operator = self.take()
            count += 1
            if count > MAX_TERMS:
                raise UserError(f"more than {MAX_TERMS} terms", place=at, remedy="use fewer")
            node = syntax.Binary(operator, node, self.term(), at)
        self._depth -= 1
        syntax.check_height(node, start)
        return node

    def term(self) -> syntax.Node:
        node = self.chain()
        count = 0
        while self.next in _OPERATORS:
            count += 1
            at, operator = self.at, _OPERATORS[self.take()]
            right = self.chain()
            if count > MAX_FACTORS:
                raise UserError(f"more than {MAX_FACTORS} factors", place=at, remedy="use fewer")
            if operator == "⊗":
                node = syntax.Call(CIRCLED, (node, right), at)
            elif operator == "·":
                node = syntax.Call(CENTRED, (node, right), at)
            else:
                node = syntax.Binary(operator, node, right, at)
        return node

    def chain(self) -> syntax.Node:
        node = self.factor()
        count = 0
        while self._starts_factor():
            count += 1
            if count > MAX_FACTORS:
                raise UserError(
                    f"more than {MAX_FACTORS} factors", place=self.at, remedy="use fewer"
                )
            at = self.at
            node = syntax.Binary("@", node, self.factor(), at)
        return node

    def _starts_factor(self) -> bool:
        text = self.next
        if text is None or text in _OPERATORS or text in _RELATIONS or text in ("+", "-"):
            return False
        return text not in (*_CLOSERS, "&", r"\\", END, PARTED)

    def factor(self) -> syntax.Node:
        self._enter()
        node = self._atom()
        self._depth -= 1
        return node

    def _atom(self) -> syntax.Node:
        text, at = self.next, self.at
        if text is None:
            raise self.refuse("a factor was expected")
        if text in ("-", "+"):
            sign = self.take()
            inner = self.factor()
            return syntax.Negative(inner, at) if sign == "-" else inner
        if text[0].isdigit():
            return self._scripted(syntax.Number(self.take(), at))
        if text in ("(", "[", r"\{", "{"):
            self.take()
            inner = self.sum()
            self.expect(CLOSING[text])
            return self._scripted(inner)
        if text in (r"\frac", r"\dfrac", r"\tfrac"):
            return self._scripted(self._fraction())
        if text == r"\nabla":
            return self._gradient()
        if text == r"\partial":
            return self._flat_derivative()
        if text in (r"\sum", r"\prod"):
            return self._big()
        if text == r"\sqrt":
            self.take()
            inner = self._braced(self.sum)
            return syntax.Call("sqrt", (inner,), at)
        if text == BEGIN:
            return self._cases()
        if text == "|" or text in (r"\|", r"\Vert", r"\lVert"):
            return self._norm()
        if text == r"\langle":
            return self._inner()
        return self._named()

    def _inner(self) -> syntax.Node:
        """`\\langle a, b \\rangle`: the sum of the products of elements, of vectors or matrices."""
        at = self.at
        self.take()
        left = self.sum()
        self.expect(",")
        right = self.sum()
        self.expect(r"\rangle")
        return syntax.Call("sum", (syntax.Binary("*", left, right, at),), at)

    def _norm(self) -> syntax.Node:
        at, sign = self.at, self.take()
        closing = {r"\lVert": r"\rVert"}.get(sign, sign)
        inner = self.sum()
        self.expect(closing)
        if sign != "|" and self.next == "_":
            # The Euclidean norm may say that it is.
            self.take()
            self._two()
        return self._scripted(syntax.Call("abs" if sign == "|" else "norm", (inner,), at))

    def _two(self) -> None:
        in_braces = self.accept("{") is not None
        if self.accept("2") is None:
            raise self.refuse("the norm that is read is the Euclidean one, \\|x\\|_2")
        if in_braces:
            self.expect("}")

    def _fraction(self) -> syntax.Node:
        at = self.at
        self.take()
        start = self._position
        derivative = self._derivative_fraction(at)
        if derivative is not None:
            return derivative
        self._position = start
        above = self._group()
        below = self._group()
        return syntax.Binary("/", above, below, at)

    def _group(self) -> syntax.Node:
        if self.next == "{":
            return self._braced(self.sum)
        at, text = self.at, self.take()
        if text.isdigit():
            # \frac12 is one half.
            if len(text) > 1:
                self._tokens.insert(self._position, Token(text[1:], 0))
            return syntax.Number(text[0], at)
        self._position -= 1
        return self.factor()

    # Derivatives.

    def _derivative_fraction(self, at: str) -> syntax.Node | None:
        if not (self.next == "{" and self._is_d(1)):
            return None
        self.take()
        kind = self._d()
        of = self.chain()
        self.expect("}")
        self.expect("{")
        if not self._is_d(0):
            if kind == "total":
                return None
            raise self.refuse("the derivative is by something: \\partial x")
        other = self._d()
        by = self.chain()
        self.expect("}")
        kind = kind if kind != "derivative" else other
        return syntax.Call(kind, (of, by), at)

    def _is_d(self, ahead: int) -> bool:
        text = self._peek(ahead)
        if text == r"\partial":
            return True
        if text == r"\mathrm" and [self._peek(ahead + n) for n in (1, 2, 3)] == ["{", "d", "}"]:
            return True
        following = self._peek(ahead + 1)
        starts = following is not None and (following[0].isalpha() or following[0] == "\\")
        return text == "d" and starts

    def _d(self) -> str:
        text = self.take()
        if text == r"\mathrm":
            self._position += 3
            return "total"
        if text == "d":
            return "total"
        if self.accept("^"):
            mark = self.take()
            if mark == "{":
                mark = self.take()
                if mark == r"\mathrm":
                    self._position += 1
                    mark = self.take()
                    self.expect("}")
                self.expect("}")
            if mark not in ("e", "+"):
                raise self.refuse("only e and + stand above \\partial")
            return "explicit"
        return "derivative"

    def _flat_derivative(self) -> syntax.Node:
        at = self.at
        kind = self._d()
        of = self.factor()
        self.expect("/")
        if not self._is_d(0):
            raise self.refuse("a derivative is written \\partial y / \\partial x")
        other = self._d()
        by = self.factor()
        return syntax.Call(kind if kind != "derivative" else other, (of, by), at)

    def _gradient(self) -> syntax.Node:
        at = self.at
        self.take()
        if not self.accept("_"):
            raise self.refuse("say by what: \\nabla_{W} L")
        by = self._scripted_group()
        of = self.factor()
        return self._scripted(syntax.Call("total", (of, by), at))

    def _scripted_group(self) -> syntax.Node:
        if self.next == "{":
            return self._braced(self.chain)
        return self._quantity(self.symbol())

    def _braced(self, read: Callable[[], syntax.Node]) -> syntax.Node:
        self.expect("{")
        inner = read()
        self.expect("}")
        return inner

    # Sums and products.

    def _big(self) -> syntax.Node:
        at = self.at
        kind: syntax.BigKind = "sum" if self.take() == r"\sum" else "product"
        low: list[syntax.Comparison] = []
        letter, start, high = "", None, None
        while self.next in ("_", "^"):
            if self.take() == "^":
                high = self._limit()
                continue
            if self.next == "{":
                self.take()
                letter, start, low = self._below()
                self.expect("}")
            else:
                letter = self._letter()
        if not letter:
            raise self.refuse("say over what: \\sum_{t}")
        operand = self.term()
        if kind == "product":
            return _ended(
                operand, letter, lambda factors: _big(kind, letter, start, high, factors, low, at)
            )
        return _big(kind, letter, start, high, operand, low, at)

    def _limit(self) -> syntax.Node:
        if self.next == "{":
            return self._braced(self.sum)
        return self.factor_of_limit()

    def factor_of_limit(self) -> syntax.Node:
        at, text = self.at, self.next or ""
        if text[:1].isdigit():
            return syntax.Number(self.take(), at)
        return syntax.Reference(self._letter(), None, at)

    def _letter(self) -> str:
        text = self.take()
        name = text.removeprefix("\\")
        if not name.isalpha():
            self._position -= 1
            raise self.refuse("an index was expected")
        return self._vocabulary.renamed.get(name, name)

    def _below(self) -> tuple[str, syntax.Node | None, list[syntax.Comparison]]:
        """What stands below a sign of summation: `t = 1`, `t`, `l \\in U`, `t \\ge i > k`."""
        at = self.at
        first = self.sum()
        if self.accept(r"\in"):
            if not isinstance(first, syntax.Reference):
                raise self.refuse("a set is given for a letter: l \\in U")
            members = self._set_name()
            return (
                first.name,
                None,
                [syntax.Comparison((first, syntax.Reference(members, None, at)), ("in",), at)],
            )
        operands, operators = [first], []
        while self.next in _RELATIONS:
            operators.append(_RELATIONS[self.take()])
            operands.append(self.sum())
        if operators == ["="] and isinstance(first, syntax.Reference):
            return first.name, operands[1], []
        if not operators:
            if not isinstance(first, syntax.Reference):
                raise self.refuse("say over what: \\sum_{t=1}^{T}")
            return first.name, None, []
        middle = operands[1] if len(operands) == 3 else operands[0]
        if not isinstance(middle, syntax.Reference):
            raise self.refuse("the index stands in the middle: t \\ge i > k")
        pairs = [
            syntax.Comparison((a, b), (o,), at)
            for a, b, o in zip(operands, operands[1:], operators, strict=False)
        ]
        return middle.name, None, pairs

    def _set_name(self) -> str:
        """`U`, `DL_{m,l}`, `L^b_m`: its letters are the holes of a name."""
        mention = self.symbol()
        for pattern in self._vocabulary.patterns:
            found = pattern.matches(mention)
            if found is not None:
                return found.name
        holes = [e for e in (*mention.above, *mention.below) for e in e.letters]
        return "_".join(
            (mention.base, *(f"{{{e.word}}}" if len(e.word) == 1 else e.word for e in holes))
        )

    def _cases(self) -> syntax.Node:
        """Each case where its condition holds; `otherwise` where no other does."""
        at = self.at
        self.take()
        rows: list[tuple[syntax.Node, tuple[syntax.Comparison, ...] | None]] = []
        while self.next not in (END, None):
            value = self.sum()
            self.accept(",")
            self.expect("&")
            rows.append((value, self._case_condition()))
            if not self.accept(r"\\"):
                break
        if self.accept(END) is None:
            raise self.refuse("a case is written: value & condition \\\\")
        total: syntax.Node | None = None
        known = [c for _, conditions in rows for c in conditions or ()]
        for value, conditions in rows:
            if conditions is None:
                conditions = tuple(_negated(c) for c in known)
                if len(rows) > 2:
                    raise UserError(
                        "otherwise stands behind more than one case", place=at, remedy="say when"
                    )
            piece = syntax.Where(value, conditions, at)
            total = piece if total is None else syntax.Binary("+", total, piece, at)
        if total is None:
            raise UserError("no cases", place=at, remedy="write value & condition")
        return total

    def _case_condition(self) -> tuple[syntax.Comparison, ...] | None:
        at = self.at
        if self.next in (r"\text", r"\mathrm", r"\textrm"):
            self.take()
            self.expect("{")
            word = ""
            while self.next not in ("}", None):
                word += self.take()
            self.expect("}")
            if word.strip() == "otherwise":
                return None
            if word.strip() != "if":
                raise UserError(
                    f"{shown(word)} is no condition", place=at, remedy="write t < T, or otherwise"
                )
        operands, operators = [self.sum()], []
        while self.next in _RELATIONS:
            operators.append(_RELATIONS[self.take()])
            operands.append(self.sum())
        self.accept(".", ",")
        if not operators:
            raise UserError("a case without a condition", place=at, remedy="write t < T")
        return (syntax.Comparison(tuple(operands), tuple(operators), at),)

    # Quantities, functions and what stands above them.

    def _named(self) -> syntax.Node:
        """A quantity, a letter, or a function with its argument."""
        at, start = self.at, self._position
        base, _ = self._base()
        function = self._vocabulary.function(base)
        if function is not None:
            found = self._application(function, at)
            if found is not None:
                return found
        self._position = start
        mention = self.symbol()
        return self._scripted(self._quantity(mention))

    def _application(self, function: str, at: str) -> syntax.Node | None:
        power: syntax.Node | None = None
        while self.next in ("'", "^", "_"):
            if self.accept("'"):
                function += "'"
                continue
            if self.next == "^" and self._peek(1) == r"\prime":
                self._position += 2
                function += "'"
                continue
            if self.next == "_" or power is not None:
                return None
            self.take()
            power = self._limit()
            if isinstance(power, syntax.Negative):
                raise UserError(
                    "a negative power stands at a function: its inverse, or one by its value?",
                    place=at,
                    remedy="write 1 / f(x)",
                )
        if self.next in ("(", "[", r"\{", "{"):
            closing = CLOSING[self.take()]
            arguments = [self.sum()]
            while self.accept(","):
                arguments.append(self.sum())
            self.expect(closing)
            node: syntax.Node = syntax.Call(function, tuple(arguments), at)
            if power is None:
                return self._scripted(node)
        elif self._starts_factor():
            node = syntax.Call(function, (self.factor(),), at)
        else:
            return None
        return node if power is None else syntax.Binary("**", node, power, at)

    def _quantity(self, mention: Mention) -> syntax.Node:
        if mention.base in ("mathbf", "mathrm"):
            raise self.refuse("a style without a symbol")
        found = self._vocabulary.meaning(mention)
        if found is not None:
            reference, spelling = found
            self.spellings.setdefault(reference.name, spelling)
            return reference
        base = self._vocabulary.renamed.get(mention.base, mention.base)
        if mention.counts == (0, 0, 0):
            return syntax.Reference(base, None, mention.at)
        if mention.above:
            # What stands above may be a power: (W)^{t-j}.
            bare = replace(mention, above=())
            inner = self._vocabulary.meaning(bare)
            if inner is not None and len(mention.above) == 1 and mention.above[0].subscript:
                self.spellings.setdefault(inner[0].name, inner[1])
                exponent = _from_subscript(mention.above[0].subscript, mention.at)
                return syntax.Binary("**", inner[0], exponent, mention.at)
        below = [e for entry in mention.below for e in entry.letters]
        if base == "delta" and len(below) == 2 and mention.counts[::2] == (0, 0):
            first, second = (
                _from_subscript(e.subscript or syntax.Subscript(None, 0), "") for e in below
            )
            return syntax.Where(
                syntax.Number("1", mention.at),
                (syntax.Comparison((first, second), ("=",), mention.at),),
                "",
            )
        raise self._vocabulary.unknown(mention)

    def _scripted(self, node: syntax.Node) -> syntax.Node:
        """A node with transposes, inverses, powers and primes behind it."""
        while self.next in ("^", "'"):
            at = self.at
            if self.take() == "'":
                raise UserError(
                    "a prime stands behind what is no function",
                    place=at,
                    remedy='say in [functions] what is one: f = "tanh"',
                )
            node = self._raised(node, at)
        if self.next == "_":
            return self._element(node)
        return node

    def _element(self, node: syntax.Node) -> syntax.Node:
        """An element of a derivative: `(\\nabla_{o} L)_i`."""
        if not isinstance(node, syntax.Call) or node.function not in (
            "total",
            "explicit",
            "derivative",
        ):
            raise self.refuse("a subscript stands behind what has none")
        self.take()
        entries = self._entries()
        of, by = node.arguments[:2]
        if entries is None or not isinstance(by, syntax.Reference):
            raise self.refuse("an element is given by indices")
        subscripts = tuple(e.subscript for x in entries for e in x.letters if e.subscript)
        by = replace(by, subscripts=(*(by.subscripts or ()), *subscripts))
        return self._scripted(replace(node, arguments=(of, by, *node.arguments[2:])))

    def _raised(self, node: syntax.Node, at: str) -> syntax.Node:
        in_braces = self.accept("{") is not None
        text = self.next
        is_power = isinstance(node, syntax.Number) and text == "T"
        if text in _TRANSPOSES and not is_power and self._is_transpose(in_braces):
            if in_braces:
                self.expect("}")
            return syntax.Transpose(node, at)
        exponent = self.sum() if in_braces else self.factor_of_limit()
        if in_braces:
            self.expect("}")
        if exponent == syntax.Negative(syntax.Number("1", getattr(exponent, "at", "")), "") or (
            isinstance(exponent, syntax.Negative)
            and isinstance(exponent.operand, syntax.Number)
            and exponent.operand.text == "1"
        ):
            return syntax.Call("inv", (node,), at)
        return syntax.Binary("**", node, exponent, at)

    def _is_transpose(self, in_braces: bool) -> bool:
        start = self._position
        text = self.take()
        if text in ("T", r"\top", r"\intercal"):
            if not in_braces or self.next == "}":
                return True
        elif self.accept("{") and self.accept("T", r"\top") and self.accept("}"):
            return True
        self._position = start
        return False


def _negated(condition: syntax.Comparison) -> syntax.Comparison:
    opposite = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "!=", "!=": "="}
    if len(condition.operators) != 1:
        raise UserError(
            "otherwise stands behind a double condition", place=condition.at, remedy="say when"
        )
    return replace(condition, operators=(opposite[condition.operators[0]],))


def _from_subscript(subscript: syntax.Subscript, at: str) -> syntax.Node:
    node: syntax.Node | None = (
        syntax.Reference(subscript.name, None, at) if subscript.name else None
    )
    for sign, name in subscript.also:
        other = syntax.Reference(name, None, at)
        if node is None:
            node = other if sign > 0 else syntax.Negative(other, at)
        else:
            node = syntax.Binary("+" if sign > 0 else "-", node, other, at)
    if subscript.offset or node is None:
        number = syntax.Number(str(abs(subscript.offset)), at)
        if node is None:
            return number if subscript.offset >= 0 else syntax.Negative(number, at)
        node = syntax.Binary("+" if subscript.offset > 0 else "-", node, number, at)
    return node


def _big(
    kind: syntax.BigKind,
    letter: str,
    start: syntax.Node | None,
    high: syntax.Node | None,
    operand: syntax.Node,
    low: list[syntax.Comparison],
    at: str,
) -> syntax.Node:
    """A sum or product over a letter, with the conditions below its sign as limits."""
    node = syntax.Big(kind, letter, start, high, "", operand, at)
    if not low:
        return node
    found = limited(syntax.Where(node, tuple(low), at))
    falls = kind == "product" and low[0].operators[0].startswith(">")
    # t >= i > k counts down, and so do the factors.
    return replace(found, kind="falling") if falls and isinstance(found, syntax.Big) else found


def _ended(
    operand: syntax.Node, letter: str, product: Callable[[syntax.Node], syntax.Node]
) -> syntax.Node:
    """A product that ends with the last factor that speaks of its letter, and constants behind it.

    What comes behind is multiplied with it. Where no factor speaks of the letter, all are meant;
    which constants are, readings say.
    """
    pairs, first = list[syntax.Node](), operand
    while _is_product(first):
        pairs.insert(0, first)
        first = syntax.children(first)[0]
    behind = [syntax.children(pair)[1] for pair in pairs]
    spoken = [n for n, factor in enumerate([first, *behind]) if speaks_of(factor, letter)]
    if not spoken:
        return product(operand)
    end = spoken[-1]
    while end < len(pairs) and _is_chain(pairs[end]) and not letters_in(behind[end]):
        end += 1
    found = product(pairs[end - 1] if end else first)
    for pair, factor in zip(pairs[end:], behind[end:], strict=True):
        found = syntax.with_children(pair, [found, factor])
    return found


def _is_chain(node: syntax.Node) -> bool:
    return isinstance(node, syntax.Binary) and node.operator == "@"


def _is_product(node: syntax.Node) -> bool:
    if isinstance(node, syntax.Call):
        return node.function in (CENTRED, CIRCLED)
    return isinstance(node, syntax.Binary) and node.operator in ("@", "*", "/")
