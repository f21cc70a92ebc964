"""Index notation: every index shown, as the calculus has it.

n_hidden[t,b,i] = sum_j W_hidden_x[i,j]*x[t,b,j] + b_hidden[i]
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import sympy as sp

from bptt.derive.calculus.bounds import MOST_KEPT, Index, coefficient, expanded
from bptt.derive.calculus.order import Known, addends, split_quotient, split_sign
from bptt.derive.calculus.primitives import PRIMITIVES, primitive_of
from bptt.derive.calculus.quantity import Axis, Quantity, T
from bptt.derive.calculus.system import Equation, Term, name_of
from bptt.derive.language.syntax import (
    Binary,
    Call,
    Comparison,
    Negative,
    Node,
    Number,
    Reference,
    Statement,
    Subscript,
    Sum,
    Where,
)

Read = Callable[[sp.Indexed], Node]
# Primitive functions by what is printed for them.
MEANING = {p.text: p.name for p in PRIMITIVES.values()}


def index_statement(equation: Equation, quantities: Mapping[str, Quantity]) -> Statement:
    """An equation in index notation; `quantities` are those of its system."""
    target = reference(equation.lhs)
    terms = [signed_term(term, equation, quantities) for term in equation.terms]
    return Statement(target, total(terms))


def signed_term(
    term: Term, equation: Equation, quantities: Mapping[str, Quantity]
) -> tuple[int, Node]:
    """A term with its sign in front."""
    sign, factor = split_sign(term.factor)
    found = (*ranges(term, quantities), *conditions(term, equation.box(term)))
    return sign, conditioned(summed(expression(factor, quantities), term), found)


def summed(node: Node, term: Term) -> Node:
    """A term's summand under its sums."""
    letters = tuple(index.symbol.name for index in term.sums)
    how = term.reduction
    inner = Call(how.inner, (node,), "") if how.inner else node
    node = Sum(letters, inner, "", how.big) if letters or not how.is_linear else inner
    return Call(how.outer, (node,), "") if how.outer else node


def conditioned(node: Node, found: tuple[Comparison, ...]) -> Node:
    """A term with its conditions behind it."""
    if not found:
        return node
    if isinstance(node, Call) and isinstance(node.arguments[0], Sum):
        # Of a logarithm of a sum they say which summands there are.
        return replace(node, arguments=(Where(node.arguments[0], found, ""),))
    return Where(node, found, "")


def ranges(term: Term, quantities: Mapping[str, Quantity]) -> tuple[Comparison, ...]:
    """What the indices of sums run over, where it is not the axis that they are read on.

    Of several axes the one counts that `Term.reads` has first.
    """
    found = []
    for index in term.sums:
        axis = next(_axes_of(index, term, quantities), None)
        if axis is None or expanded(axis.last) != expanded(index.high):
            found.append(_comparison(index.symbol, "<=", index.high))
    return tuple(found)


def _axes_of(index: Index, term: Term, quantities: Mapping[str, Quantity]) -> Iterator[Axis]:
    for read in term.reads():
        quantity = quantities.get(name_of(read))
        if quantity is None:
            yield Axis(index.kind, index.length)
        elif quantity.axes:
            for at, axis in zip(read.indices, quantity.axes, strict=True):
                if at == index.symbol:
                    yield axis


def conditions(term: Term, box: Sequence[Index]) -> tuple[Comparison, ...]:
    """Where a term holds, in words of its indices: t <= T-2."""
    bounds = tuple(_bound(bound, box) for bound in term.bounds)
    return bounds + tuple(_equality(equal, box) for equal in term.equals)


def _bound(bound: sp.Expr, box: Sequence[Index]) -> Comparison:
    # Of two indices the later one is spoken of: s <= t.
    for index in reversed(box):
        c = coefficient(bound, index.symbol)
        if c == -1:
            return _comparison(index.symbol, "<=", bound + index.symbol)
        if c == 1:
            return _comparison(index.symbol, ">=", index.symbol - bound)
    return _comparison(bound, ">=", sp.Integer(0))


def _equality(equal: sp.Expr, box: Sequence[Index]) -> Comparison:
    for index in reversed(box):
        c = coefficient(equal, index.symbol)
        if abs(c) == 1:
            return _comparison(index.symbol, "=", index.symbol - equal / c)
    return _comparison(equal, "=", sp.Integer(0))


def _comparison(left: sp.Expr, operator: str, right: sp.Expr) -> Comparison:
    return Comparison((affine(left), affine(right)), (operator,), "")


def affine(expr: sp.Expr) -> Node:
    """An index expression as one name with what is added to it: t-1, T-2, i+3."""
    found = subscript(expr)
    names = [(1, found.name)] if found.name else []
    terms: list[tuple[int, Node]] = [
        (sign, Reference(name, None, "")) for sign, name in (*names, *found.also)
    ]
    if found.offset:
        number = (1 if found.offset > 0 else -1, Number(str(abs(found.offset)), ""))
        # What begins with a minus sign is put behind the number: 4-T.
        terms.insert(0 if not names and found.offset > 0 else len(terms), number)
    return total(terms)


@lru_cache(maxsize=MOST_KEPT)
def subscript(expr: sp.Expr) -> Subscript:
    """An affine index expression as a subscript: its index first, then lengths, then the number."""
    expr = expanded(expr)
    constant = int(expr.as_coeff_Add()[0])
    parts: list[tuple[int, str]] = []
    symbols = sorted(
        (a for a in sp.Add.make_args(expr) if not a.is_Number),
        key=lambda a: (a.could_extract_minus_sign(), a.has(T), str(a)),
    )
    for symbol in symbols:
        coefficient, rest = symbol.as_coeff_Mul()
        parts += [(1 if coefficient > 0 else -1, str(rest))] * abs(int(coefficient))
    if not parts or parts[0][0] < 0:
        return Subscript(None, constant, tuple(parts))
    return Subscript(parts[0][1], constant, tuple(parts[1:]))


def reference(read: sp.Indexed) -> Reference:
    """A mention of a quantity with all its subscripts."""
    if read.indices == (sp.Integer(0),):
        return Reference(name_of(read), None, "")
    return Reference(name_of(read), tuple(subscript(s) for s in read.indices), "")


def expression(expr: sp.Expr, known: Known, read: Read = reference) -> Node:
    """A pointwise expression in `known` quantities; `read` says how a mention is written."""
    if isinstance(expr, sp.Indexed):
        return read(expr)
    if isinstance(expr, sp.Add):
        signed = map(split_sign, addends(expr, known))
        return total((s, expression(e, known, read)) for s, e in signed)
    if isinstance(expr, sp.Mul):
        return _quotient(expr, known, read)
    if isinstance(expr, sp.Pow):
        base = expression(expr.base, known, read)
        if expr.exp == sp.Rational(1, 2):
            return Call("sqrt", (base,), "")
        if expr.exp.could_extract_minus_sign():
            return _quotient(expr, known, read)
        return Binary("**", base, expression(expr.exp, known, read), "")
    if isinstance(expr, sp.Function):
        name = type(expr).__name__
        arguments = tuple(expression(a, known, read) for a in expr.args)
        if name == "negative_part":
            return Call("min", (*arguments, Number("0", "")), "")
        return Call(primitive_of(expr).text, arguments, "")
    if isinstance(expr, sp.Symbol):
        return Reference(expr.name, None, "")
    return _number(expr)


def _number(expr: sp.Expr) -> Node:
    if expr < 0:
        return Negative(_number(-expr), "")
    if isinstance(expr, sp.Rational) and not expr.is_Integer:
        return Binary("/", Number(str(expr.p), ""), Number(str(expr.q), ""), "")
    return Number(repr(float(expr)) if isinstance(expr, sp.Float) else str(expr), "")


def total(signed: Iterable[tuple[int, Node]]) -> Node:
    """A sum of nodes with their signs; zero where there are none."""
    node: Node | None = None
    for sign, operand in signed:
        if node is None:
            node = Negative(operand, "") if sign < 0 else operand
        else:
            node = Binary("-" if sign < 0 else "+", node, operand, "")
    return node or Number("0", "")


def product(nodes: Iterable[Node]) -> Node:
    """A product of nodes; one where there are none."""
    node: Node | None = None
    for operand in nodes:
        node = operand if node is None else Binary("*", node, operand, "")
    return node or Number("1", "")


def _quotient(expr: sp.Expr, known: Known, read: Read) -> Node:
    above, below = split_quotient(expr, known)
    if above and above[0].is_Number and above[0] < 0:
        return Negative(_quotient(-expr, known, read), "")
    top = product(expression(f, known, read) for f in above)
    if not below:
        return top
    return Binary("/", top, product(expression(f, known, read) for f in below), "")
