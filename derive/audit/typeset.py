"""Claims as boxes, in the source's own symbols: what is read from LaTeX is written back."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bptt.derive.audit.claim import Claim
from bptt.derive.audit.indices import labels_of
from bptt.derive.audit.symbols import FUNCTIONS, Slot, Spelling
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
    Subscript,
    Sum,
    Transpose,
    Where,
)
from bptt.derive.notation.boxes import (
    GREEK,
    BigSum,
    Box,
    Digits,
    Dotted,
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
)

RELATIONS = {"<=": "≤", ">=": "≥", "<": "<", ">": ">", "=": "=", "!=": "≠", "in": "∈"}
ACCENTS = ("hat", "tilde", "bar", "dot")
SUM, PRODUCT, CHAIN, ATOM = range(4)


class ClaimSetter:
    """Sets the trees of one claim as its source writes them."""

    def __init__(self, claim: Claim) -> None:
        self._spellings = claim.spellings
        self._families = claim.context.spellings if claim.is_latex else ()
        text = claim.text if claim.is_latex else ""
        self._nabla = r"\nabla" in text or not claim.is_latex
        self._explicit = "e" if re.search(r"\\partial\s*\^\s*\{?\s*(\\mathrm\{)?e", text) else "+"
        self._d = re.search(r"\\d?frac\s*\{\s*(d|\\mathrm\{d\})", text) is not None
        self._names = {v: k for k, v in _functions(claim).items()}

    def equality(self, sides: Sequence[Node]) -> Box:
        """The sides with equals signs between them."""
        return listed((self.box(s) for s in sides), "=")

    def box(self, node: Node) -> Box:
        match node:
            case Number(text):
                return Digits(text)
            case Reference():
                return self.reference(node)
            case Negative(operand):
                return row(Mark("-"), self.inner(operand, PRODUCT))
            case Transpose(operand):
                return Script(self._base(operand), None, Mark("⊤"))
            case Part(operand, start, stop):
                at = str(start) if stop is None else f"{start}:{stop}"
                return Script(self._base(operand), Digits(at))
            case Comparison(operands, operators):
                items = [self.box(operands[0])]
                for operator, operand in zip(operators, operands[1:], strict=True):
                    items += [Mark(RELATIONS[operator]), self.box(operand)]
                return row(*items)
            case Where(Number("1"), (Comparison((left, right), ("=",)),)):
                return Script(Mark("δ"), row(self.box(left), Gap(), self.box(right)))
            case Where(operand, conditions):
                held = Fence(listed(map(self.box, conditions)), "[")
                return row(held, Gap(), self.inner(operand, CHAIN))
            case Big():
                return self._big(node)
            case Binary():
                return self._binary(node)
            case Call():
                return self._call(node)
            case Sum(letters, operand):
                return row(BigSum(listed(map(Name, letters))), Gap(), self.inner(operand, PRODUCT))

    def inner(self, node: Node, rank: int) -> Box:
        """A node, in parentheses where it binds less than `rank`."""
        box = self.box(node)
        return Fence(box) if _rank(node) < rank else box

    def _base(self, node: Node) -> Box:
        """What something stands above of."""
        box = self.inner(node, ATOM)
        is_open = has_superscript(box) or isinstance(box, Row | Fraction)
        return Fence(box) if is_open and not isinstance(box, Fence) else box

    def _binary(self, node: Binary) -> Box:
        left, right, operator = node.left, node.right, node.operator
        if operator in ("+", "-"):
            return row(self.inner(left, SUM), Mark(operator), self.inner(right, PRODUCT))
        if operator == "*" and isinstance(left, Number):
            return row(self.box(left), Gap(), self._factor(right))
        if operator == "*":
            return row(self.inner(left, PRODUCT), Mark("⊙"), self.inner(right, CHAIN))
        if operator == "@":
            return row(self._factor(left, first=True), Gap(), self._factor(right))
        if operator == "/":
            return Fraction(self.box(left), self.box(right))
        return Script(self._base(left), None, self.box(right))

    def _factor(self, node: Node, *, first: bool = False) -> Box:
        """A factor: products behind others keep their parentheses, gradients have some."""
        is_product = isinstance(node, Binary) and node.operator == "@"
        if (is_product and not first) or self._is_gradient(node):
            return Fence(self.box(node))
        return self.inner(node, CHAIN)

    def _is_gradient(self, node: Node) -> bool:
        """Whether a derivative is written with a nabla."""
        if not (isinstance(node, Call) and node.function == "total" and self._nabla):
            return False
        of = node.arguments[0]
        is_number = isinstance(of, Reference) and not of.subscripts
        return is_number and len(node.arguments) == 2

    def _big(self, node: Big) -> Box:
        sign: BigSum
        letter = Name(node.letter)
        if node.members:
            below = row(letter, Mark("∈"), self._set(node.members))
            return row(BigSum(below), Gap(), self.inner(node.operand, PRODUCT))
        below = letter if node.low is None else row(letter, Mark("="), self.box(node.low))
        above = None if node.high is None else self.box(node.high)
        if node.kind == "falling" and node.low is not None and node.high is not None:
            below = row(self.box(node.high), Mark("≥"), letter, Mark("≥"), self.box(node.low))
            above = None
        sign = BigSum(below, above, "∑" if node.kind == "sum" else "∏")
        return row(sign, Gap(), self.inner(node.operand, PRODUCT))

    def _set(self, name: str) -> Box:
        for spelling in self._families:
            is_letter = spelling.template.startswith("{")
            if not is_letter and labels_of(spelling.template, name) is not None:
                return self.reference(Reference(name, None, ""))
        head, *rest = name.split("_")
        return (
            Script(_word(head), listed(_word(r.strip("{}")) for r in rest)) if rest else _word(head)
        )

    def _call(self, node: Call) -> Box:
        name, arguments = node.function, node.arguments
        if name in ("total", "explicit", "derivative"):
            return self._derivative(node)
        if name == "inv":
            return Script(self._base(arguments[0]), None, row(Mark("-"), Digits("1")))
        if name == "sqrt":
            return Root(self.box(arguments[0]))
        if name in ("kron", "dot"):
            sign = "⊗" if name == "kron" else "·"
            left, right = (self.inner(a, CHAIN) for a in arguments)
            return row(left, Mark(sign), right)
        if name == "outer":
            left, right = self.inner(arguments[0], CHAIN), self._base(arguments[1])
            return row(left, Gap(), Script(right, None, Mark("⊤")))
        if name in ("abs", "norm"):
            return Fence(self.box(arguments[0]), "|" if name == "abs" else "‖")
        stem = name.removesuffix("'")
        spelt = self._names.get(stem)
        if spelt is None:
            spelt = {"sigmoid": "sigma", "trace": "tr"}.get(stem, stem)
        function: Box = _word(spelt)
        if name.endswith("'"):
            function = row(function, Mark("'"))
        return row(function, Fence(listed(map(self.box, arguments))))

    def _derivative(self, node: Call) -> Box:
        of, by, *held = node.arguments
        if self._is_gradient(node):
            return row(Script(Mark("∇"), self.box(by)), Gap(), self.box(of))
        sign: Box = Name("d") if self._d and node.function == "total" else Mark("∂")
        top = Script(sign, None, Mark(self._explicit)) if node.function == "explicit" else sign
        found: Box = Fraction(row(top, self.box(of)), row(sign, self.box(by)))
        if held:
            # What is held stands below, as in thermodynamics.
            found = Script(Fence(found), listed(map(self.box, held)))
        return found

    def reference(self, node: Reference) -> Box:
        """A quantity, its labels, steps and units where the source puts them."""
        spelling, labels = self._spelling(node.name)
        subscripts = [self._subscript(s) for s in node.subscripts or ()]
        at: dict[str, list[Box]] = {"above": [], "below": [], "behind": []}
        written = set()
        for slot in spelling.slots:
            if slot.hole:
                at[slot.place].append(_word(labels.get(slot.hole, slot.hole).strip("{}")))
            elif slot.word:
                at[slot.place].append(_word(slot.word))
            elif slot.subscript < len(subscripts):
                written.add(slot.subscript)
                box = subscripts[slot.subscript]
                at[slot.place].append(Fence(box) if slot.enclosed else box)
        at["below"] += [b for n, b in enumerate(subscripts) if n not in written]
        above, below, behind = (listed(at[p]) if at[p] else None for p in at)
        box = _spelt(spelling.base)
        if above is not None or below is not None:
            box = Script(box, below, above)
        return row(box, Fence(behind)) if behind is not None else box

    def _spelling(self, name: str) -> tuple[Spelling, dict[str, str]]:
        """How a name is spelt, and what its holes hold."""
        for spelling in (*self._spellings.values(), *self._families):
            is_letter = spelling.template.startswith("{")
            labels = labels_of(spelling.template, name) if spelling.template else None
            if labels is not None and is_letter == name.startswith("{"):
                return spelling, labels
        return self._spellings.get(name) or _guessed(name), {}

    @staticmethod
    def _subscript(subscript: Subscript) -> Box:
        items: list[Box] = [_word(subscript.name)] if subscript.name else []
        for sign, name in subscript.also:
            items += [Mark("+" if sign > 0 else "-")] if items or sign < 0 else []
            items.append(_word(name))
        if subscript.offset or not items:
            if items or subscript.offset < 0:
                items.append(Mark("+" if subscript.offset > 0 else "-"))
            items.append(Digits(str(abs(subscript.offset))))
        return row(*items)


def _functions(claim: Claim) -> dict[str, str]:
    """The names that the source has for functions."""
    found = dict(claim.functions)
    return {k: v for k, v in found.items() if k not in FUNCTIONS or FUNCTIONS[k] != v}


def _rank(node: Node) -> int:
    match node:
        case Binary(operator) if operator in ("+", "-"):
            return SUM
        case Negative():
            return SUM
        case Where(Number("1"), (Comparison(operators=("=",)),)):
            return ATOM
        case Binary("*") | Call("kron" | "dot") | Big() | Where() | Sum():
            return PRODUCT
        case Binary("@") | Call("outer"):
            return CHAIN
        case Call("total") | Call("explicit") | Call("derivative"):
            return CHAIN
        case _:
            return ATOM


def _guessed(name: str) -> Spelling:
    """How a name of the project's own language is spelt: `W_hh`, `delta`, `S_{u}_{m}`."""
    parts = [p for p in name.split("_") if p]
    head, rest = (parts[0], parts[1:]) if parts else (name, [])
    head = _command(head)
    if rest and rest[0] in ACCENTS:
        head, rest = f"\\{rest[0]}{{{head}}}", rest[1:]
    return Spelling(head, tuple(Slot("below", word=r.strip("{}")) for r in rest))


def _command(name: str) -> str:
    return f"\\{name}" if name in GREEK else name


def _word(text: str | None) -> Box:
    text = text or ""
    if text.isdigit():
        return Digits(text)
    return Name(text)


def _spelt(text: str) -> Box:
    """A symbol from its LaTeX: an accent, a bold letter, a Greek one, a word."""
    match = re.fullmatch(r"\\(hat|widehat|tilde|widetilde|bar|overline|dot)\{(.*)\}", text)
    if match:
        accent = {"widehat": "hat", "widetilde": "tilde", "overline": "bar"}.get(match[1], match[1])
        return Dotted(_spelt(match[2]), accent)  # type: ignore[arg-type]
    match = re.fullmatch(r"\\(mathbf|boldsymbol|bm|vec|pmb|textbf)\{(.*)\}", text)
    if match:
        inner = _spelt(match[2])
        return Name(inner.text, True) if isinstance(inner, Name) else inner
    match = re.fullmatch(r"\\[a-zA-Z*]+\{(.*)\}", text)
    if match:
        return _spelt(match[1])
    return Name(text.removeprefix("\\"))
