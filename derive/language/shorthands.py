"""The functions of the equation language, each as the terms that it stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.bounds import Index, substitute
from bptt.derive.calculus.primitives import ELEMENTWISE, Primitive, every, huber
from bptt.derive.calculus.quantity import Made
from bptt.derive.calculus.reductions import LOGSUMEXP, REDUCTIONS, Reduction
from bptt.derive.calculus.system import Term, name_of
from bptt.derive.errors import UserError, did_you_mean
from bptt.derive.language.constants import checked, constant_call, exact_number, power_of
from bptt.derive.language.elaborate import Elaborator, Functions
from bptt.derive.language.place import Place
from bptt.derive.language.shapes import FUNCTIONS, SLOPED
from bptt.derive.language.syntax import (
    NORMALISING,
    OVER_AN_INDEX,
    Call,
    Comparison,
    Node,
    Number,
    Statement,
    children,
    condition,
    letters_of,
    whole_number,
)
from bptt.derive.language.terms import Terms

# What a mask takes off a logit where it is zero: its exponential is then zero in any precision.
MASKED = sp.Float(1e30)
# What says the same as a reduction of two numbers.
_REMEDIES = {"max": "max(z[t,i], i) runs over an index: for the larger of x and 0 write relu(x)"}
MAX_ARGUMENTS = {
    "concat": 100,
    **dict.fromkeys((*SLOPED, "huber", "outer", "every", "layernorm"), 2),
}


def _elementwise(e: Elaborator, node: Call, place: Place) -> Terms:
    name = node.function
    label = e.net_input
    argument = e.core.value(node.arguments[0], e.core.beside(node.arguments[0], place), label)
    if argument.atoms(sp.Function):
        # A function of a function: the inner value is a quantity of its own.
        argument = e.made([Term(argument)], label)
    match name:
        case "gaussian":
            value = sp.exp(-(argument**2))
        case "square":
            value = power_of(argument, sp.Integer(2), node.at)
        case "sqrt":
            value = sp.sqrt(argument)
        case _:
            value = _applied(ELEMENTWISE[name], argument, node.at)
    if len(node.arguments) == 2:
        # f(x, a) is f(x) above zero, and a times as much below, with f(x) of slope 1 there.
        below = value if name == "elu" else argument
        slope = e.core.value(node.arguments[1], e.core.beside(node.arguments[1], place))
        value = slope * below + (1 - slope) * _applied(ELEMENTWISE["relu"], argument, node.at)
    return [Term(checked(value, node.at))]


def _huber(e: Elaborator, node: Call, place: Place) -> Terms:
    """huber(e, delta): e^2/2 where |e| <= delta, linear beyond."""
    if len(node.arguments) != 2:
        raise UserError("huber has one argument", place=node.at, remedy="write huber(y - d, 1)")
    error, delta = (e.core.value(a, e.core.beside(a, place)) for a in node.arguments)
    if error.atoms(sp.Function):
        error = e.made([Term(error)], e.net_input)
    if not delta.is_number or not delta > 0:
        raise UserError(
            "huber's second argument is no number above 0",
            place=node.at,
            remedy="write huber(y - d, 1)",
        )
    return [Term(huber(error, delta))]


def _applied(primitive: Primitive, argument: sp.Expr, at: str) -> sp.Expr:
    if argument.is_number:
        return constant_call(primitive, argument, at)
    return primitive.symbolic(argument)


def _linear(e: Elaborator, node: Call, place: Place) -> Terms:
    return e.core.terms(node.arguments[0], place)


def _every(e: Elaborator, node: Call, place: Place) -> Terms:
    """every(t, n): one at the steps 0, n, 2n, ..., else zero."""
    refused = UserError("every counts steps", place=node.at, remedy="write every(t, 4)")
    if e.shape(node.arguments[0]):
        raise refused
    place_of = e.core.value(node.arguments[0], place)
    period = whole_number(node, 1, "every(t, 4)")
    steps = place_of.atoms(sp.Symbol)
    is_step = len(steps) == 1 and (place_of - sp.Add(*steps)).is_Integer
    if place_of.atoms(sp.Indexed) or not is_step:
        raise refused
    return [Term(every(place_of, sp.Integer(period)))]


def _concat(e: Elaborator, node: Call, place: Place) -> Terms:
    terms: Terms = []
    start: sp.Expr = sp.Integer(0)
    if place.by_letters:
        raise _is_matrix_notation(node)
    for argument in node.arguments:
        shape = e.shapes.of(argument)
        assert shape is not None
        # Where one element is asked for, it is known which part has it.
        size = e.shapes.number(shape[0]) if place.at[0].is_Integer else shape[0]
        stop = start + size
        bounds = (place.at[0] - start, stop - 1 - place.at[0])
        index = e.core.unit(shape[0])
        at: Mapping[sp.Expr, sp.Expr] = {index.symbol: place.at[0] - start}
        for term in e.core.terms(argument, replace(place, at=(index.symbol,))):
            terms.append(
                replace(
                    term,
                    factor=term.factor.xreplace(dict(at)),
                    bounds=substitute(term.bounds, at) + bounds,
                    equals=substitute(term.equals, at),
                )
            )
        start = stop
    return terms


def _outer(e: Elaborator, node: Call, place: Place) -> Terms:
    if place.by_letters:
        raise _is_matrix_notation(node)
    return e.core.outer(node, place)


def _diag(e: Elaborator, node: Call, place: Place) -> Terms:
    if place.by_letters:
        raise _is_matrix_notation(node)
    return e.core.diagonal(node, place)


def _eye(e: Elaborator, node: Call, place: Place) -> Terms:
    """eye(n) at (i, j) is one where i = j, else zero."""
    if place.by_letters:
        raise _is_matrix_notation(node)
    row, column = place.at
    return [Term(sp.Integer(1), equals=(sp.expand(row - column),))]


def _is_matrix_notation(node: Call) -> UserError:
    return UserError(
        f"{node.function} in index notation", place=node.at, remedy="write it in matrix notation"
    )


def _sum(e: Elaborator, node: Call, place: Place) -> Terms:
    """A sum or mean over an index that is named, or over all units."""
    span = e.span(node)
    if span is None:
        if place.by_letters:
            raise _unnamed(node)
        bounds: tuple[sp.Expr, ...] = ()
        terms, indices = e.core.over_units(node.arguments[0], place)
    else:
        index, bounds = span
        if e.is_on_left(index) or index.symbol.name in place.scope:
            raise _unnamed(node)
        indices = (index,)
        terms = e.core.terms(node.arguments[0], place.inside({index.symbol.name: index.symbol}))
    count = sp.Integer(1)
    if node.function == "mean":
        if bounds:
            raise UserError(
                "a mean over a part of the steps", place=node.at, remedy="divide a sum by its count"
            )
        count = sp.Mul(*(i.length for i in indices))
    return [
        replace(
            term,
            factor=term.factor / count,
            sums=term.sums + indices,
            bounds=term.bounds + bounds,
        )
        for term in terms
    ]


def _unnamed(node: Call) -> UserError:
    return UserError(
        f"{node.function} does not say which index it runs over",
        place=node.at,
        remedy=f"write {node.function}(..., i), with an index that is not on the left",
    )


def _reduced(e: Elaborator, node: Call, place: Place) -> Terms:
    """A reduction over an index, or over all units: a quantity of its own."""
    if len(node.arguments) == 2 and isinstance(node.arguments[1], Number):
        raise UserError(
            f"{node.function} of two values", place=node.at, remedy=_REMEDIES.get(node.function, "")
        )
    span = e.span(node)
    if span is None:
        if place.by_letters:
            raise _unnamed(node)
        shape = e.shapes.of(node.arguments[0])
        if not shape or len(shape) != 1:
            raise _not_one_vector(node)
        span = e.core.unit(shape[0]), ()
        place = replace(place, at=(span[0].symbol,))
    index, bounds = span
    if e.is_on_left(index):
        raise _unnamed(node)
    place = place.inside({index.symbol.name: index.symbol})
    summands = _summands(e, e.core.terms(node.arguments[0], place), index, bounds)
    reduction, value = REDUCTIONS[node.function], e.value_of(node)
    if value is None:
        return [Term(_value(e, summands, index, bounds, reduction))]
    _count_ties(e, summands, index, bounds, reduction, value)
    return [Term(summands, (index,), bounds, reduction=reduction)]


def _summands(e: Elaborator, terms: Terms, index: Index, bounds: tuple[sp.Expr, ...]) -> sp.Expr:
    """What a reduction runs over: it has the index, whatever of it is left, and its bounds'."""
    over = {index.symbol}.union(*(bound.free_symbols & e.axes.keys() for bound in bounds))
    return e.lift_unless_atomic(terms, e.net_input, over)


def _value(
    e: Elaborator,
    summand: sp.Expr,
    index: Index,
    bounds: tuple[sp.Expr, ...],
    reduction: Reduction,
) -> sp.Expr:
    """The value of a reduction, as a signal of its own."""
    value = e.made(
        [Term(summand, (index,), bounds, reduction=reduction)],
        f"{reduction.name}_{e.local_target}",
        origin=Made(reduction.name, e.target),
    )
    _count_ties(e, summand, index, bounds, reduction, value)
    return value


def _count_ties(
    e: Elaborator,
    summand: sp.Expr,
    index: Index,
    bounds: tuple[sp.Expr, ...],
    reduction: Reduction,
    value: sp.Expr,
) -> None:
    """Where summands share the derivative of a value, the number of those that do."""
    if reduction.weight is not None and reduction.shared:
        of = name_of(value)
        e.made(
            [Term(reduction.weight(summand, value), (index,), bounds)],
            f"ties_{e.local_target}",
            origin=Made("ties", of),
            about=f"number of those that attain {of}",
            differentiable=False,
        )


def _softmax(e: Elaborator, node: Call, place: Place) -> Terms:
    """exp(z_i - log sum_j exp(z_j)): stable, and its derivative follows from its parts.

    With a mask m, a third argument of zeros and ones, the softmax is over the places where it
    is one, and zero elsewhere.
    """
    span = e.span(node)
    bounds: tuple[sp.Expr, ...] = ()
    argument = node.arguments[0]
    if span is None:
        shape = e.shapes.of(argument)
        if place.by_letters or not shape or len(shape) != 1:
            raise _not_one_vector(node)
        index = e.core.unit(shape[0])
        at = {index.symbol: place.at[0]}
        inner = replace(place, at=(index.symbol,))
    else:
        index, bounds = span
        at, inner = {}, place
        if not e.is_on_left(index):
            raise UserError(
                f"{node.function} does not say over which index of the left side it normalises",
                place=node.at,
                remedy=f"write {node.function}(z[t,i], i)",
            )
    terms = e.core.terms(argument, inner)
    if span is not None and index.symbol.name not in letters_of(argument):
        raise UserError(
            f"{node.function} over {index.symbol.name!r} of something that does not vary with it",
            place=node.at,
            remedy=f"write {node.function}(z[t,i], i)",
        )
    mask = None
    given = [a for a in node.arguments[2:] if not isinstance(a, Comparison)]
    if given:
        mask = e.core.value(given[0], inner)
        terms = [*terms, Term(-MASKED * (1 - mask))]
    logits = _summands(e, terms, index, bounds)
    value = logits.xreplace(at) - _value(e, logits, index, bounds, LOGSUMEXP)
    if node.function == "softmax":
        value = sp.exp(value) * (1 if mask is None else mask)
    return [Term(value, bounds=bounds)]


def _not_one_vector(node: Call) -> UserError:
    return UserError(
        f"{node.function} of something that is not one vector",
        place=node.at,
        remedy=f"write {node.function}(z[t]) with a vector z, or {node.function}(z[t,s], s)",
    )


def _layernorm(e: Elaborator, node: Call, place: Place) -> Terms:
    """(z - mean z) / sqrt(mean (z - mean z)^2 + eps), over the units."""
    shape = None if place.by_letters else e.shapes.of(node.arguments[0])
    if not shape or len(shape) != 1:
        raise _not_one_vector(node)
    eps = node.arguments[1] if len(node.arguments) == 2 else None
    if eps is not None and not isinstance(eps, Number):
        raise UserError(
            "layernorm's second argument is not a number",
            place=node.at,
            remedy="write layernorm(z[t], 1e-5)",
        )
    index = e.core.unit(shape[0])
    inner = replace(place, at=(index.symbol,))
    z = e.lift_unless_atomic(e.core.terms(node.arguments[0], inner), e.net_input, (index.symbol,))
    other = e.core.unit(shape[0])
    mean = Term(-z.xreplace({index.symbol: other.symbol}) / shape[0], (other,))
    centred = e.made([Term(z), mean], f"centred_{e.local_target}")
    variance = e.made([Term(centred**2 / shape[0], (index,))], f"variance_{e.local_target}")
    small = exact_number(eps.text if eps else "1e-5", node.at)
    value = centred.xreplace({index.symbol: place.at[0]}) / sp.sqrt(variance + small)
    return [Term(value)]


SHORTHANDS: Functions = {
    **dict.fromkeys((*ELEMENTWISE, "gaussian", "square", "sqrt"), _elementwise),
    "linear": _linear,
    "huber": _huber,
    "every": _every,
    "concat": _concat,
    "outer": _outer,
    "diag": _diag,
    "eye": _eye,
    "sum": _sum,
    "mean": _sum,
    **dict.fromkeys(REDUCTIONS, _reduced),
    "softmax": _softmax,
    "log_softmax": _softmax,
    "layernorm": _layernorm,
}


def check_functions(statements: tuple[Statement, ...]) -> None:
    """Refuse unknown functions and a wrong number of arguments, with the place."""
    for statement in statements:
        stack: list[Node] = [statement.expression]
        while stack:
            node = stack.pop()
            stack.extend(children(node))
            if isinstance(node, Call):
                _check_call(node)


def _check_call(node: Call) -> None:
    if node.function not in FUNCTIONS:
        raise UserError(
            f"the function {node.function!r} is not known{did_you_mean(node.function, FUNCTIONS)}",
            place=node.at,
            remedy=f"known are {', '.join(FUNCTIONS)}",
        )
    most = 1
    if node.function in OVER_AN_INDEX:
        most = 3 if node.function in NORMALISING else 2
        most += condition(node) is not None
    most = MAX_ARGUMENTS.get(node.function, most)
    if len(node.arguments) > most:
        raise UserError(
            f"{node.function} has {len(node.arguments)} arguments",
            place=node.at,
            remedy=f"it takes {most}" if most == 1 else f"it takes at most {most}",
        )
