"""Boxes as MathML, in the elements that browsers know (MathML Core)."""

from __future__ import annotations

import unicodedata
from html import escape

from bptt.derive.notation import boxes

OPEN = {kind: (kind, kind) for kind in "|‖"} | {"(": ("(", ")"), "[": ("[", "]"), "{": ("{", "}")}
ACCENTS = {"dot": "˙", "hat": "^", "tilde": "~", "bar": "¯"}


def mathml(box: boxes.Box, *, display: bool = False) -> str:
    """A formula as a math element: set apart from the text with `display`, else within it."""
    kind = ' display="block"' if display else ""
    return f"<math{kind}>{_code(box)}</math>"


def _code(box: boxes.Box) -> str:
    match box:
        case boxes.Name(text, bold):
            return _name(text, bold)
        case boxes.Digits(text):
            return f"<mn>{escape(text)}</mn>"
        case boxes.Mark(text):
            # A minus sign is not a hyphen.
            return f"<mo>{escape(text.replace('-', '−'))}</mo>"
        case boxes.Row(items):
            return f"<mrow>{''.join(map(_code, items))}</mrow>"
        case boxes.Script(base, below, above):
            return _script(base, below, above)
        case boxes.Fraction(top, bottom):
            return f"<mfrac>{_one(top)}{_one(bottom)}</mfrac>"
        case boxes.Fence(inner, kind):
            left, right = OPEN[kind]
            size = "" if boxes.is_tall(inner) else ' stretchy="false"'
            return f"<mrow><mo{size}>{left}</mo>{_one(inner)}<mo{size}>{right}</mo></mrow>"
        case boxes.Root(inner):
            return f"<msqrt>{_code(inner)}</msqrt>"
        case boxes.Dotted(inner, accent):
            return f'<mover accent="true">{_one(inner)}<mo>{ACCENTS[accent]}</mo></mover>'
        case boxes.BigSum(below, above, sign):
            limit = _one(above) if above is not None else "<mrow></mrow>"
            return f"<munderover><mo>{sign}</mo>{_one(below)}{limit}</munderover>"
        case boxes.Gap():
            return '<mspace width="0.17em"></mspace>'


def _one(box: boxes.Box) -> str:
    """A box as one element."""
    return _code(box if isinstance(box, boxes.Row) else boxes.Row((box,)))


def _name(text: str, bold: bool) -> str:
    if text.endswith("'"):
        return f"<msup>{_name(text[:-1], bold)}<mo>′</mo></msup>"
    # Words of several letters are upright by themselves, single letters in italics.
    kind = ' class="bold"' if bold else ""
    return f"<mi{kind}>{escape(letter(text))}</mi>"


def letter(text: str) -> str:
    """A Greek letter by its name."""
    if text in boxes.GREEK:
        size = "CAPITAL" if text[0].isupper() else "SMALL"
        return unicodedata.lookup(f"GREEK {size} LETTER {text.upper().replace('LAMBDA', 'LAMDA')}")
    return text


def _script(base: boxes.Box, below: boxes.Box | None, above: boxes.Box | None) -> str:
    if below is None and above is None:
        return _code(base)
    if above is None:
        assert below is not None
        return f"<msub>{_one(base)}{_one(below)}</msub>"
    if below is None:
        return f"<msup>{_one(base)}{_one(above)}</msup>"
    return f"<msubsup>{_one(base)}{_one(below)}{_one(above)}</msubsup>"
