"""Claims as boxes, in the source's own symbols: what is read from LaTeX is written back."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bptt.derive.audit.claim import Claim
from bptt.derive.audit.indices import labels_of
from bptt.derive.audit.readings import CENTRED, CIRCLED
from bptt.derive.audit.symbols import FUNCTIONS, Slot, Spelling
from bptt.derive.language import syntax
from bptt.derive.notation import boxes

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

    def equality(self, sides: Sequence[syntax.Node]) -> boxes.Box:
        """The sides with equals signs between them."""
        return boxes.listed((self.box(s) for s in sides), "=")

    def box(self, node: syntax.Node) -> boxes.Box:
        match node:
            case syntax.Number(text):
                return boxes.Digits(text)
            case syntax.Reference():
                return self.reference(node)
            case syntax.Negative(operand):
                return boxes.row(boxes.Mark("-"), self.inner(operand, PRODUCT))
            case syntax.Transpose(operand):
                return boxes.Script(self._base(operand), None, boxes.Mark("⊤"))
            case syntax.Part(operand, start, stop):
                at = str(start) if stop is None else f"{start}:{stop}"
                return boxes.Script(self._base(operand), boxes.Digits(at))
            case syntax.Comparison(operands, operators):
                items = [self.box(operands[0])]
                for operator, operand in zip(operators, operands[1:], strict=True):
                    items += [boxes.Mark(RELATIONS[operator]), self.box(operand)]
                return boxes.row(*items)
            case syntax.Where(syntax.Number("1"), (syntax.Comparison((left, right), ("=",)),)):
                return boxes.Script(
                    boxes.Mark("δ"), boxes.row(self.box(left), boxes.Gap(), self.box(right))
                )
            case syntax.Where(operand, conditions):
                held = boxes.Fence(boxes.listed(map(self.box, conditions)), "[")
                return boxes.row(held, boxes.Gap(), self.inner(operand, CHAIN))
            case syntax.Big():
                return self._big(node)
            case syntax.Binary():
                return self._binary(node)
            case syntax.Call():
                return self._call(node)
            case syntax.Sum(letters, operand):
                return boxes.row(
                    boxes.BigSum(boxes.listed(map(boxes.Name, letters))),
                    boxes.Gap(),
                    self.inner(operand, PRODUCT),
                )

    def inner(self, node: syntax.Node, rank: int) -> boxes.Box:
        """A node, in parentheses where it binds less than `rank`."""
        box = self.box(node)
        return boxes.Fence(box) if _rank(node) < rank else box

    def _base(self, node: syntax.Node) -> boxes.Box:
        """What something stands above of."""
        box = self.inner(node, ATOM)
        is_open = boxes.has_superscript(box) or isinstance(box, boxes.Row | boxes.Fraction)
        return boxes.Fence(box) if is_open and not isinstance(box, boxes.Fence) else box

    def _binary(self, node: syntax.Binary) -> boxes.Box:
        left, right, operator = node.left, node.right, node.operator
        if operator in ("+", "-"):
            return boxes.row(
                self.inner(left, SUM), boxes.Mark(operator), self.inner(right, PRODUCT)
            )
        if operator == "*" and isinstance(left, syntax.Number):
            return boxes.row(self.box(left), boxes.Gap(), self._factor(right))
        if operator == "*":
            return boxes.row(self.inner(left, PRODUCT), boxes.Mark("⊙"), self.inner(right, CHAIN))
        if operator == "@":
            return boxes.row(self._factor(left, first=True), boxes.Gap(), self._factor(right))
        if operator == "/":
            return boxes.Fraction(self.box(left), self.box(right))
        return boxes.Script(self._base(left), None, self.box(right))

    def _factor(self, node: syntax.Node, *, first: bool = False) -> boxes.Box:
        """A factor: products behind others keep their parentheses, gradients have some."""
        is_product = isinstance(node, syntax.Binary) and node.operator == "@"
        if (is_product and not first) or self._is_gradient(node):
            return boxes.Fence(self.box(node))
        return self.inner(node, CHAIN)

    def _is_gradient(self, node: syntax.Node) -> bool:
        """Whether a derivative is written with a nabla."""
        if not (isinstance(node, syntax.Call) and node.function == "total" and self._nabla):
            return False
        of = node.arguments[0]
        is_number = isinstance(of, syntax.Reference) and not of.subscripts
        return is_number and len(node.arguments) == 2

    def _big(self, node: syntax.Big) -> boxes.Box:
        sign: boxes.BigSum
        letter = boxes.Name(node.letter)
        if node.members:
            below = boxes.row(letter, boxes.Mark("∈"), self._set(node.members))
            return boxes.row(boxes.BigSum(below), boxes.Gap(), self.inner(node.operand, PRODUCT))
        below = (
            letter if node.low is None else boxes.row(letter, boxes.Mark("="), self.box(node.low))
        )
        above = None if node.high is None else self.box(node.high)
        if node.kind == "falling" and node.low is not None and node.high is not None:
            below = boxes.row(
                self.box(node.high), boxes.Mark("≥"), letter, boxes.Mark("≥"), self.box(node.low)
            )
            above = None
        sign = boxes.BigSum(below, above, "∑" if node.kind == "sum" else "∏")
        return boxes.row(sign, boxes.Gap(), self.inner(node.operand, PRODUCT))

    def _set(self, name: str) -> boxes.Box:
        for spelling in self._families:
            is_letter = spelling.template.startswith("{")
            if not is_letter and labels_of(spelling.template, name) is not None:
                return self.reference(syntax.Reference(name, None, ""))
        head, *rest = name.split("_")
        return (
            boxes.Script(_word(head), boxes.listed(_word(r.strip("{}")) for r in rest))
            if rest
            else _word(head)
        )

    def _call(self, node: syntax.Call) -> boxes.Box:
        name, arguments = node.function, node.arguments
        if name in ("total", "explicit", "derivative"):
            return self._derivative(node)
        if name == "inv":
            return boxes.Script(
                self._base(arguments[0]), None, boxes.row(boxes.Mark("-"), boxes.Digits("1"))
            )
        if name == "sqrt":
            return boxes.Root(self.box(arguments[0]))
        if name in ("kron", "dot", "mul", CENTRED, CIRCLED):
            sign = "⊗" if name in ("kron", CIRCLED) else "·"
            left, right = (self.inner(a, CHAIN) for a in arguments)
            return boxes.row(left, boxes.Mark(sign), right)
        if name == "outer":
            left, right = self.inner(arguments[0], CHAIN), self._base(arguments[1])
            return boxes.row(left, boxes.Gap(), boxes.Script(right, None, boxes.Mark("⊤")))
        if name in ("abs", "norm"):
            return boxes.Fence(self.box(arguments[0]), "|" if name == "abs" else "‖")
        stem = name.removesuffix("'")
        spelt = self._names.get(stem)
        if spelt is None:
            spelt = {"sigmoid": "sigma", "trace": "tr"}.get(stem, stem)
        function: boxes.Box = _word(spelt)
        if name.endswith("'"):
            function = boxes.row(function, boxes.Mark("'"))
        return boxes.row(function, boxes.Fence(boxes.listed(map(self.box, arguments))))

    def _derivative(self, node: syntax.Call) -> boxes.Box:
        of, by, *held = node.arguments
        if self._is_gradient(node):
            return boxes.row(boxes.Script(boxes.Mark("∇"), self.box(by)), boxes.Gap(), self.box(of))
        sign: boxes.Box = (
            boxes.Name("d") if self._d and node.function == "total" else boxes.Mark("∂")
        )
        top = (
            boxes.Script(sign, None, boxes.Mark(self._explicit))
            if node.function == "explicit"
            else sign
        )
        found: boxes.Box = boxes.Fraction(
            boxes.row(top, self.box(of)), boxes.row(sign, self.box(by))
        )
        if held:
            # What is held stands below, as in thermodynamics.
            found = boxes.Script(boxes.Fence(found), boxes.listed(map(self.box, held)))
        return found

    def reference(self, node: syntax.Reference) -> boxes.Box:
        """A quantity, its labels, steps and units where the source puts them."""
        spelling, labels = self._spelling(node.name)
        subscripts = [self._subscript(s) for s in node.subscripts or ()]
        at: dict[str, list[boxes.Box]] = {"above": [], "below": [], "behind": []}
        written = set()
        for slot in spelling.slots:
            if slot.hole:
                at[slot.place].append(_word(labels.get(slot.hole, slot.hole).strip("{}")))
            elif slot.word:
                at[slot.place].append(_word(slot.word))
            elif slot.subscript < len(subscripts):
                written.add(slot.subscript)
                box = subscripts[slot.subscript]
                at[slot.place].append(boxes.Fence(box) if slot.enclosed else box)
        at["below"] += [b for n, b in enumerate(subscripts) if n not in written]
        above, below, behind = (boxes.listed(at[p]) if at[p] else None for p in at)
        box = _spelt(spelling.base)
        if above is not None or below is not None:
            box = boxes.Script(box, below, above)
        return boxes.row(box, boxes.Fence(behind)) if behind is not None else box

    def _spelling(self, name: str) -> tuple[Spelling, dict[str, str]]:
        """How a name is spelt, and what its holes hold."""
        for spelling in (*self._spellings.values(), *self._families):
            is_letter = spelling.template.startswith("{")
            labels = labels_of(spelling.template, name) if spelling.template else None
            if labels is not None and is_letter == name.startswith("{"):
                return spelling, labels
        return self._spellings.get(name) or _guessed(name), {}

    @staticmethod
    def _subscript(subscript: syntax.Subscript) -> boxes.Box:
        items: list[boxes.Box] = [_word(subscript.name)] if subscript.name else []
        for sign, name in subscript.also:
            items += [boxes.Mark("+" if sign > 0 else "-")] if items or sign < 0 else []
            items.append(_word(name))
        if subscript.offset or not items:
            if items or subscript.offset < 0:
                items.append(boxes.Mark("+" if subscript.offset > 0 else "-"))
            items.append(boxes.Digits(str(abs(subscript.offset))))
        return boxes.row(*items)


def _functions(claim: Claim) -> dict[str, str]:
    """The names that the source has for functions."""
    found = dict(claim.functions)
    return {k: v for k, v in found.items() if k not in FUNCTIONS or FUNCTIONS[k] != v}


def _rank(node: syntax.Node) -> int:
    match node:
        case syntax.Binary(operator) if operator in ("+", "-"):
            return SUM
        case syntax.Negative():
            return SUM
        case syntax.Where(syntax.Number("1"), (syntax.Comparison(operators=("=",)),)):
            return ATOM
        case (
            syntax.Binary("*")
            | syntax.Call("kron" | "dot" | "mul" | "·" | "⊗")
            | syntax.Big()
            | syntax.Where()
            | syntax.Sum()
        ):
            return PRODUCT
        case syntax.Binary("@") | syntax.Call("outer"):
            return CHAIN
        case syntax.Call("total") | syntax.Call("explicit") | syntax.Call("derivative"):
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
    return f"\\{name}" if name in boxes.GREEK else name


def _word(text: str | None) -> boxes.Box:
    text = text or ""
    if text.isdigit():
        return boxes.Digits(text)
    return boxes.Name(text)


def _spelt(text: str) -> boxes.Box:
    """A symbol from its LaTeX: an accent, a bold letter, a Greek one, a word."""
    match = re.fullmatch(r"\\(hat|widehat|tilde|widetilde|bar|overline|dot)\{(.*)\}", text)
    if match:
        accent = {"widehat": "hat", "widetilde": "tilde", "overline": "bar"}.get(match[1], match[1])
        return boxes.Dotted(_spelt(match[2]), accent)  # type: ignore[arg-type]
    match = re.fullmatch(r"\\(mathbf|boldsymbol|bm|vec|pmb|textbf)\{(.*)\}", text)
    if match:
        inner = _spelt(match[2])
        return boxes.Name(inner.text, True) if isinstance(inner, boxes.Name) else inner
    match = re.fullmatch(r"\\[a-zA-Z*]+\{(.*)\}", text)
    if match:
        return _spelt(match[1])
    return boxes.Name(text.removeprefix("\\"))
