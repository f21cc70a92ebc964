"""Equations as LaTeX: a complete article, in index notation."""

from __future__ import annotations

import re
from collections.abc import Iterable

import sympy as sp

from derive.order import addends, split_quotient, split_sign
from derive.system import Equation, System, Term, name_of
from derive.text import affine_text, condition_text, expression_text

GREEK = frozenset(
    (
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho "
        "sigma tau upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi "
        "Psi Omega "
    ).split()
)
FUNCTIONS = {
    "tanh": r"\tanh",
    "exp": r"\exp",
    "log": r"\log",
    "sin": r"\sin",
    "cos": r"\cos",
    "sigmoid": r"\sigma",
}
LINE = 90


def symbol(name: str) -> str:
    """A quantity's name as a symbol: `W_hidden_x` is W with a superscript, `d_h` a derivative."""
    if name.startswith("d_"):
        return rf"\mathrm{{d}}{symbol(name[2:])}"
    head, *rest = re.split(r"_+", name)
    # A name's trailing digits are part of its superscript: h2 reads as h with 2.
    match = re.fullmatch(r"([A-Za-z]+)(\d+)", head)
    if match:
        head, rest = match[1], [match[2], *rest]
    if head in GREEK:
        letter = rf"\{head}"
    else:
        letter = head if len(head) == 1 else rf"\mathrm{{{head}}}"
    if not rest:
        return letter
    marks = ",".join(part if part.isdigit() else rf"\mathrm{{{part}}}" for part in rest)
    return rf"{letter}^{{{marks}}}"


def expression(expr: sp.Expr) -> str:
    """A pointwise expression."""
    if isinstance(expr, sp.Indexed):
        name = symbol(name_of(expr))
        if expr.indices == (sp.Integer(0),):
            return name
        places = [affine_text(s) for s in expr.indices]
        return f"{name}_{{{','.join(places)}}}"
    if isinstance(expr, sp.Add):
        return _sum(expr)
    if isinstance(expr, sp.Mul):
        return _product(expr)
    if isinstance(expr, sp.Pow):
        if expr.exp == sp.Rational(1, 2):
            return rf"\sqrt{{{expression(expr.base)}}}"
        if expr.exp.could_extract_minus_sign():
            return _product(expr)
        return rf"{_factor(expr.base, base=True)}^{{{expression(expr.exp)}}}"
    if isinstance(expr, sp.Function):
        name = type(expr).__name__
        head = FUNCTIONS.get(name, rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}")
        inner = ", ".join(expression(a) for a in expr.args)
        if name == "negative_part":
            return rf"\min\left({inner}, 0\right)"
        if name == "absolute":
            return rf"\left|{inner}\right|"
        return rf"{head}\left({inner}\right)"
    if isinstance(expr, sp.Rational) and not expr.is_Integer:
        return rf"\frac{{{expr.p}}}{{{expr.q}}}"
    if isinstance(expr, sp.Symbol) and expr.name.startswith("N_"):
        return rf"N_{{\mathrm{{{escaped(expr.name[2:])}}}}}"
    if isinstance(expr, sp.Float):
        return repr(float(expr))
    return str(expr)


def escaped(text: str) -> str:
    return text.replace("_", r"\_")


def _sum(expr: sp.Expr) -> str:
    code = ""
    for addend in addends(expr):
        sign, positive = split_sign(addend)
        code += ("-" if sign < 0 else " + " if code else "") + expression(positive)
    return code


def _product(expr: sp.Expr) -> str:
    above, below = split_quotient(expr)
    if above and above[0].is_Number and above[0] < 0:
        return f"-{_product(-expr)}"
    top = r" \, ".join(_factor(f) for f in above) or "1"
    if not below:
        return top
    bottom = r" \, ".join(_factor(f) for f in below)
    scalars = [f for f in above if not f.atoms(sp.Indexed)]
    if len(scalars) < len(above) and not any(f.atoms(sp.Indexed) for f in below):
        rest = r" \, ".join(_factor(f) for f in above if f not in scalars)
        top = r" \, ".join(_factor(f) for f in scalars) or "1"
        return rf"\frac{{{top}}}{{{bottom}}} \, {rest}"
    return rf"\frac{{{top}}}{{{bottom}}}"


def _factor(expr: sp.Expr, *, base: bool = False) -> str:
    code = expression(expr)
    is_open = isinstance(expr, sp.Add) or (base and isinstance(expr, sp.Function))
    if is_open:
        return rf"\left({code}\right)"
    return f"{{{code}}}" if base else code


def _term(term: Term, equation: Equation) -> tuple[int, str]:
    sign, factor = split_sign(term.factor)
    code = expression(factor)
    if isinstance(factor, sp.Add) and (term.sums or len(equation.terms) > 1):
        code = rf"\left({code}\right)"
    names = ",".join(index.symbol.name for index in term.sums)
    if term.reduction == "logsumexp":
        code = rf"\log \sum_{{{names}}} \exp {code}"
    elif names:
        code = rf"\sum_{{{names}}} {code}"
    condition = condition_text(term, equation).replace("<=", r"\le ").replace(">=", r"\ge ")
    if condition:
        code = rf"{code} \; [{condition}]"
    return sign, code


def equation_lines(equation: Equation) -> list[str]:
    """The lines of one aligned equation, the number on the last."""
    lines = [rf"{expression(equation.lhs)} &="]
    used = len(expression_text(equation.lhs))
    for position, term in enumerate(equation.terms):
        sign, code = _term(term, equation)
        lead = ("-" if sign < 0 else "") if position == 0 else ("- " if sign < 0 else "+ ")
        # The length of the plain text is a fair measure of the typeset width.
        length = len(expression_text(term.factor)) + len(condition_text(term, equation)) + 4
        used += length
        if position and used > LINE:
            used = length
            lines[-1] += r" \notag \\"
            lines.append(r"&\quad")
        lines[-1] += f" {lead}{code}"
    if not equation.terms:
        lines[-1] += " 0"
    lines[-1] += rf" \label{{eq:{equation.number}}} \tag{{{equation.number}}}"
    return lines


def equations(system: Iterable[Equation]) -> str:
    """Numbered equations in an align environment."""
    blocks = ["\n".join(equation_lines(e)) for e in system]
    return "\\begin{align}\n" + " \\\\\n".join(blocks) + "\n\\end{align}"


def document(system: System) -> str:
    """A complete article with the equations of a system and of its adjoint."""
    forward = system.equations[: system.forward_count]
    losses = {loss.signal for loss in system.losses} | {"loss"}
    signals = [e for e in forward if e.quantity.name not in losses]
    judged = [e for e in forward if e.quantity.name in losses]
    backward = system.equations[system.forward_count :]
    adjoints = [e for e in backward if e.quantity.kind == "adjoint"]
    gradients = [e for e in backward if e.quantity.kind == "gradient"]
    parts = [
        ("Forward equations", signals),
        ("Loss", judged),
        ("Adjoint equations", adjoints),
        ("Gradients", gradients),
    ]
    sizes = ", ".join(rf"${expression(s)} = {n}$" for s, n in system.sizes.items())
    steps = ", ".join(rf"${size.name.lower()} = 0, \ldots, {size}-1$" for size in system.lengths)
    lines = [
        r"\documentclass{article}",
        r"\usepackage{amsmath}",
        r"\usepackage[margin=2cm]{geometry}",
        r"\allowdisplaybreaks",
        rf"\title{{{escaped(system.name)}}}",
        r"\date{}",
        r"\begin{document}",
        r"\maketitle",
        rf"Steps {steps}; sequences $b = 0, \ldots, B-1$; "
        rf"sizes {sizes}. A term with a condition in brackets is zero where the condition does "
        r"not hold. $\mathrm{d}x$ is the total derivative of the loss by $x$.",
    ]
    for heading, chosen in parts:
        if chosen:
            lines += [rf"\section*{{{heading}}}", equations(chosen)]
    lines += [r"\end{document}", ""]
    return "\n".join(lines)
