"""Boxes as LaTeX, and whole equations as numbered, aligned lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from bptt.derive.calculus.primitives import PRIMITIVES
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
    is_tall,
    width,
)
from bptt.derive.notation.lines import WIDTH, Typeset, broken, room

MARKS = {
    "⊙": r"\odot",
    "≤": r"\le",
    "≥": r"\ge",
    "∂": r"\partial ",
    "∇": r"\nabla",
    "⊤": r"\top",
    "δ": r"\delta",
    "∈": r"\in",
    "∘": r"\circ",
    "…": r"\ldots",
    "·": r"\cdot",
    "×": r"\times",
    "↦": r"\mapsto",
    "∞": r"\infty",
    "⊗": r"\otimes",
    "≠": r"\ne",
}
BIG = {"∑": r"\sum", "∏": r"\prod", "max": r"\max"}
OPERATORS = frozenset(("+", "-", "=", r"\le", r"\ge", r"\odot"))
COMMANDS = frozenset(("max", "min", *(p.text for p in PRIMITIVES.values() if p.latex)))
Numbered = Callable[[int], str]
OPEN = {
    "(": ("(", ")"),
    "[": ("[", "]"),
    "|": ("|", "|"),
    "{": (r"\{", r"\}"),
    "‖": (r"\lVert ", r"\rVert "),
}


def latex(box: Box) -> str:
    """A box in LaTeX's mathematics; needs the packages amsmath and amssymb."""
    match box:
        case Name():
            return _name(box)
        case Digits(text):
            return text
        case Mark(text):
            return MARKS.get(text, text)
        case Row(items):
            return _spaced([latex(item) for item in items])
        case Script(base, below, above):
            return latex(base) + _script("_", below) + _script("^", above)
        case Fraction(top, bottom):
            return rf"\frac{{{latex(top)}}}{{{latex(bottom)}}}"
        case Fence(inner, kind):
            left, right = OPEN[kind]
            size = _size(inner)
            if not size:
                return f"{left}{latex(inner)}{right}"
            return rf"{size}l{left}{latex(inner)}{size}r{right}"
        case Root(inner):
            return rf"\sqrt{{{latex(inner)}}}"
        case Dotted(inner, accent):
            return rf"\{accent}{{{latex(inner)}}}"
        case BigSum(below, above, sign):
            return rf"{BIG[sign]}{_script('_', below)}{_script('^', above)}"
        case Gap():
            return r"\,"


def _name(name: Name) -> str:
    text = name.text
    if text in GREEK:
        code = rf"\{text}"
        return rf"\boldsymbol{{{code}}}" if name.bold else code
    if text in COMMANDS:
        return rf"\{text}"
    if len(text) == 1 or (len(text) == 2 and text.endswith("'")):
        return rf"\boldsymbol{{{text}}}" if name.bold else text
    return rf"\{'mathbf' if name.bold else 'mathrm'}{{{escaped(text)}}}"


def _script(sign: str, box: Box | None) -> str:
    if box is None:
        return ""
    code = latex(box)
    return f"{sign}{code}" if len(code) == 1 else f"{sign}{{{code}}}"


def _spaced(codes: list[str]) -> str:
    """Pieces side by side; a command's name ends before the letter that follows."""
    pieces: list[str] = []
    is_open = False
    for code in codes:
        if is_open and re.match(r"[A-Za-z]", code):
            pieces.append(" ")
        pieces.append(f" {code} " if code in OPERATORS else code)
        if code:
            is_open = "\\" in code and re.search(r"\\[A-Za-z]+$", pieces[-1]) is not None
    return "".join(pieces).strip()


def _size(box: Box) -> str:
    """The size of a fence around a box: one that a line may end within."""
    if is_tall(box):
        return r"\Bigg" if isinstance(_first(box), BigSum) else r"\Big"
    return r"\big" if _holds_fence(box) else ""


def _first(box: Box) -> Box:
    return box.items[0] if isinstance(box, Row) and box.items else box


def _holds_fence(box: Box) -> bool:
    match box:
        case Fence():
            return True
        case Row(items):
            return any(map(_holds_fence, items))
        case Script(base):
            return _holds_fence(base)
        case _:
            return False


def escaped(text: str) -> str:
    """A text outside of mathematics, with the signs that TeX gives a meaning."""
    return re.sub(r"([_%&#${}])", r"\\\1", text).replace("^", r"\^{}").replace("~", r"\~{}")


def labelled(prefix: str) -> Numbered:
    """Numbers as tags, with labels `prefix:number`."""
    return lambda number: rf"\label{{{prefix}:{number}}} \tag{{{number}}}"


def tagged(number: int) -> str:
    """A number as a tag."""
    return rf"\tag{{{number}}}"


def referring(number: int) -> str:
    """A reference to the equation of that number in place of a tag."""
    return rf"\tag{{\ref{{eq:{number}}}}}"


LABELLED = labelled("eq")


def aligned(formulas: Iterable[Typeset], numbered: Numbered = LABELLED, most: float = WIDTH) -> str:
    """Formulas in an align environment; `numbered` says how their numbers are given."""
    formulas = tuple(formulas)
    right = room(formulas, most)
    blocks = [_block(formula, numbered, right) for formula in formulas]
    return "\\begin{align}\n" + " \\\\\n".join(blocks) + "\n\\end{align}"


def lines(formula: Typeset, most: float) -> list[str]:
    """A formula in lines aligned at its relation; one without a left side at its beginning."""
    first, *others = broken(formula, most)
    left = f"{latex(formula.left)} &=" if width(formula.left) else "&"
    return [f"{left} {latex(first)}", *(rf"&\quad {{}} {latex(line)}" for line in others)]


def _block(formula: Typeset, numbered: Numbered, most: float) -> str:
    codes = lines(formula, most)
    codes[-1] += f" {numbered(formula.number)}" if formula.number else r" \notag"
    return " \\notag \\\\\n".join(codes)
