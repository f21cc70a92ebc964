"""The symbolic judge: a claim's normal form against that of the derived equation.

A claim about the derivative of a number by a signal or a parameter is turned into terms over
indices, as the calculus has them; so is the derived equation, what the claim does not mention put
where it is read. Where both have one normal form the claim is proved. Where they have not, nothing
follows: not all that is equal has one form.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import sympy as sp

from bptt.derive.audit.claim import Context, Definition
from bptt.derive.calculus.adjoint import adjoint
from bptt.derive.calculus.bounds import Index, always_holds, prune, substitute
from bptt.derive.calculus.equality import terms_of
from bptt.derive.calculus.inline import inlined
from bptt.derive.calculus.primitives import PRIMITIVES
from bptt.derive.calculus.quantity import Quantity, index_symbol
from bptt.derive.calculus.system import Equation, System, Term, name_of
from bptt.derive.errors import InternalError, UserError
from bptt.derive.language.constants import exact_number
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
    children,
    with_children,
)
from bptt.derive.notation.index import MEANING

MAX_TERMS = 60
MAX_NODES = 3_000
ONE = sp.Integer(1)
Pieces = list[Term]
# A letter of the claim: its symbol, counted from 0.
Env = Mapping[str, sp.Expr]


class _NoProofError(Exception):
    """The claim is not of the kind that is compared symbolically."""


@dataclass(frozen=True)
class _Matrix:
    """Rows and columns (one for what has none), and the terms of an entry."""

    rows: sp.Expr
    columns: sp.Expr
    entry: Callable[[sp.Expr, sp.Expr], Pieces]

    @property
    def is_number(self) -> bool:
        return bool(self.rows == 1 and self.columns == 1)


def proves(
    context: Context, sides: Sequence[Node], where: Sequence[Comparison], system: System
) -> bool:
    """Whether the derived equations prove a claim `derivative = expression`."""
    if len(sides) != 2 or context.rows:
        return False
    try:
        return _Proof(context, system).holds(sides[0], sides[1], where)
    except (_NoProofError, UserError, InternalError, RecursionError):
        # Nothing is proved by what cannot be compared; the numeric judge decides.
        return False


def derived_equation(
    forward: System, derived: System, name: str, mentioned: Collection[str]
) -> Equation:
    """The derived equation of an adjoint, those that are not mentioned put where they are read.

    Raises InternalError where they are read in a circle.
    """
    found: set[str] = set()

    def visit(at: str, path: tuple[str, ...]) -> None:
        for needed in sorted(derived.definitions[at].needs):
            is_adjoint = needed in derived.definitions and needed not in forward.definitions
            if not is_adjoint or needed in mentioned or needed == name:
                continue
            if needed in path:
                raise InternalError(f"{needed} is read in a circle")
            found.add(needed)
            visit(needed, (*path, needed))

    visit(name, (name,))
    return inlined(derived, found).definitions[name]


class _Proof:
    def __init__(self, context: Context, system: System) -> None:
        self._context = context
        self._system = system
        self._derived: System | None = None
        self._of = ""
        self._fresh = 0
        self._mentioned: set[str] = set()
        self._free: tuple[Index, ...] = ()
        self._forward = _forward_calls(system)

    def holds(self, left: Node, right: Node, where: Sequence[Comparison]) -> bool:
        left = expanded(self._context, self._system, left)
        right = expanded(self._context, self._system, right)
        if not isinstance(left, Call):
            raise _NoProofError
        of, by = self._derivative(left)
        self._of = of.name
        self._derived = adjoint(self._system, of.name)
        name = self._derived.derivative(of.name, by.name)
        if name not in self._derived.definitions:
            raise _NoProofError
        quantity = self._derived.quantities[name]
        env: dict[str, sp.Expr] = {}
        indices: list[Index] = []
        at: list[sp.Expr] = []
        subscripts = list(by.subscripts or ())
        steps = [a for a in quantity.axes if a.is_step]
        if len(subscripts) not in (len(steps), len(quantity.axes)):
            raise _NoProofError
        for axis, subscript in zip(quantity.axes, subscripts, strict=False):
            if subscript.name is not None and subscript.name not in self._lengths():
                if subscript.offset or subscript.also or subscript.name in env:
                    raise _NoProofError
                symbol = index_symbol(subscript.name)
                env[subscript.name] = symbol
                indices.append(axis.index(symbol))
                at.append(symbol)
            else:
                at.append(self._position(subscript, env))
        open_axes = quantity.axes[len(subscripts) :]
        for number, axis in enumerate(open_axes):
            symbol = index_symbol(f"_unit{number}")
            indices.append(axis.index(symbol))
            at.append(symbol)
        bounds = self._conditions(where, env)
        self._free = tuple(indices)
        units = [*at[len(subscripts) :], sp.Integer(0), sp.Integer(0)]
        claimed = self._value(right, env).entry(units[0], units[1])
        derived = self._definition(name, self._derived, at)
        sizes = dict(self._system.sizes)
        target = Quantity("claimed", "signal", tuple(a for a in quantity.axes))
        forms = [
            terms_of(self._equation(target, indices, terms, bounds), sizes)
            for terms in (claimed, derived)
        ]
        return bool(forms[0] == forms[1])

    @staticmethod
    def _equation(
        target: Quantity, indices: list[Index], terms: Pieces, bounds: Sequence[sp.Expr]
    ) -> Equation:
        kept = []
        for term in terms:
            box = (*indices, *term.sums)
            all_bounds = prune((*term.bounds, *bounds), box)
            if any(b.is_Number and b < 0 for b in all_bounds):
                continue
            kept.append(replace(term, bounds=all_bounds))
        return Equation(0, target, tuple(indices), tuple(kept))

    def _definition(self, name: str, derived: System, at: Sequence[sp.Expr]) -> Pieces:
        """The derived terms at some indices, what the claim does not mention put in."""
        equation = derived_equation(self._system, derived, name, self._mentioned)
        mapping = {i.symbol: s for i, s in zip(equation.indices, at, strict=True)}
        pieces = []
        for term in equation.terms:
            symbols = {i.symbol: self._new() for i in term.sums}
            inner = {**mapping, **symbols}
            pieces.append(
                Term(
                    self._known(term.factor.xreplace(inner)),
                    tuple(replace(i, symbol=symbols[i.symbol]) for i in term.sums),
                    substitute(term.bounds, inner),
                    substitute(term.equals, inner),
                    term.reduction,
                )
            )
        return pieces

    def _new(self) -> sp.Symbol:
        self._fresh += 1
        return index_symbol(f"_p{self._fresh}")

    def _lengths(self) -> dict[str, sp.Expr]:
        return {s.name: s for s in self._system.lengths} | {s.name: s for s in self._system.free}

    def _derivative(self, node: Call) -> tuple[Reference, Reference]:
        if node.function != "total" or len(node.arguments) != 2:
            raise _NoProofError
        of, by = node.arguments
        if not isinstance(of, Reference) or not isinstance(by, Reference):
            raise _NoProofError
        quantity = self._system.quantities.get(of.name)
        if quantity is None or quantity.axes or of.subscripts:
            raise _NoProofError
        return of, by

    # Indices.

    def _number(self, node: Node, env: Env) -> sp.Expr:
        """The number that an index expression says, as the claim counts."""
        match node:
            case Number(text) if text.isdigit():
                return sp.Integer(int(text))
            case Negative(operand):
                return -self._number(operand, env)
            case Binary(operator, left, right) if operator in "+-":
                sign = 1 if operator == "+" else -1
                return self._number(left, env) + sign * self._number(right, env)
            case Reference(name, None):
                return self._letter(name, env)
        raise _NoProofError

    def _letter(self, name: str, env: Env) -> sp.Expr:
        if name in env:
            return env[name] + self._context.first
        if name in self._lengths():
            return self._lengths()[name]
        raise _NoProofError

    def _position(self, subscript: Subscript, env: Env) -> sp.Expr:
        """Where a subscript stands, counted from 0."""
        total = sp.Integer(subscript.offset)
        names = [(1, subscript.name)] if subscript.name else []
        for sign, name in (*names, *subscript.also):
            total += sign * self._letter(name, env)
        return sp.expand(total - self._context.first)

    def _conditions(self, conditions: Sequence[Comparison], env: Env) -> list[sp.Expr]:
        bounds = []
        for condition in conditions:
            values = [self._number(o, env) for o in condition.operands]
            for left, right, operator in zip(values, values[1:], condition.operators, strict=False):
                if operator not in ("<", "<=", ">", ">="):
                    raise _NoProofError
                gap = right - left if "<" in operator else left - right
                bounds.append(sp.expand(gap if "=" in operator else gap - 1))
        return bounds

    # Values.

    def _value(self, node: Node, env: Env) -> _Matrix:
        match node:
            case Number(text):
                return _constant(exact_number(text, node.at))
            case Reference():
                return self._reference(node, env)
            case Negative(operand):
                return _scaled(self._value(operand, env), sp.Integer(-1))
            case Transpose(operand):
                inner = self._value(operand, env)
                return _Matrix(inner.columns, inner.rows, lambda r, c: inner.entry(c, r))
            case Binary(operator, left, right) if operator in "+-":
                return self._sum(node, env)
            case Binary("@", left, right):
                return self._product(self._value(left, env), self._value(right, env))
            case Binary("*", left, right):
                return self._elementwise(self._value(left, env), self._value(right, env))
            case Binary("/", left, right):
                return self._quotient(self._value(left, env), self._value(right, env))
            case Binary("**", base, exponent):
                return self._power(self._value(base, env), self._number_of(exponent))
            case Big():
                return self._big(node, env)
            case Where(operand, conditions):
                inner = self._value(operand, env)
                bounds = tuple(self._conditions(conditions, env))
                return _Matrix(
                    inner.rows,
                    inner.columns,
                    lambda r, c: [
                        replace(p, bounds=(*p.bounds, *bounds)) for p in inner.entry(r, c)
                    ],
                )
            case Call():
                return self._call(node, env)
            case Part() | Comparison() | Sum() | Binary():
                raise _NoProofError

    @staticmethod
    def _number_of(node: Node) -> sp.Expr:
        if isinstance(node, Number) and node.text.isdigit():
            return sp.Integer(int(node.text))
        raise _NoProofError

    def _reference(self, node: Reference, env: Env) -> _Matrix:
        quantity = self._system.quantities.get(node.name)
        if quantity is None:
            raise _NoProofError
        return self._read(quantity, quantity, node.subscripts, env, ())

    def _read(
        self,
        read: Quantity,
        shaped: Quantity,
        subscripts: Sequence[Subscript] | None,
        env: Env,
        bounds: tuple[sp.Expr, ...],
    ) -> _Matrix:
        """A mention of `read`, which has the axes of `shaped`."""
        axes = shaped.axes
        steps = sum(a.is_step for a in axes)
        given = [self._position(s, env) for s in subscripts or ()]
        units = [a.size for a in axes if a.kind == "feature"]
        if len(given) not in (steps, len(axes)) or any(a.kind == "batch" for a in axes):
            raise _NoProofError
        if len(given) == len(axes) and (units or not axes or not steps or len(axes) == steps):
            units = []
        if len(units) > 2:
            raise _NoProofError
        rows, columns = [*units, ONE, ONE][:2]

        def entry(r: sp.Expr, c: sp.Expr) -> Pieces:
            at = [*given, *((r, c)[: len(units)])]
            return [Term(read[at] if axes else read.scalar, (), bounds)]

        return _Matrix(rows, columns, entry)

    def _call(self, node: Call, env: Env) -> _Matrix:
        if node.function == "total":
            return self._adjoint(node, env)
        if node.function in ("dot", "outer"):
            left, right = (self._value(a, env) for a in node.arguments)
            if node.function == "outer":
                turned = _Matrix(right.columns, right.rows, lambda r, c: right.entry(c, r))
                return self._product(left, turned)
            if left.rows == right.rows and left.columns == right.columns == 1 and left.rows != 1:
                turned = _Matrix(left.columns, left.rows, lambda r, c: left.entry(c, r))
                return self._product(turned, right)
            return self._product(left, right)
        if len(node.arguments) != 1:
            raise _NoProofError
        inner = self._value(node.arguments[0], env)
        if node.function == "diag":
            return self._diagonal(inner)
        if node.function == "sum":
            return self._total(inner)
        stem = node.function.removesuffix("'")
        stem = MEANING.get(stem, stem)
        if stem not in PRIMITIVES:
            raise _NoProofError
        function = PRIMITIVES[stem].symbolic

        def entry(r: sp.Expr, c: sp.Expr) -> Pieces:
            x = sp.Dummy()
            factor = function(x)
            if node.function.endswith("'"):
                factor = factor.diff(x)
            return [Term(self._known(factor.xreplace({x: _alone(inner.entry(r, c))})))]

        return _Matrix(inner.rows, inner.columns, entry)

    def _known(self, factor: sp.Expr) -> sp.Expr:
        """The factor with values that the network computes in the place of their functions."""
        for call in factor.atoms(sp.Function):
            for equation in self._forward:
                (term,) = equation.terms
                pattern = term.factor
                if type(call) is not type(pattern) or len(call.args) != 1:
                    continue
                read, other = pattern.args[0], call.args[0]
                if not isinstance(other, sp.Indexed) or name_of(other) != name_of(read):
                    continue
                mapping = dict(zip(read.indices, other.indices, strict=True))
                factor = factor.xreplace({call: equation.lhs.xreplace(mapping)})
        return factor

    def _adjoint(self, node: Call, env: Env) -> _Matrix:
        of, by = self._derivative(node)
        assert self._derived is not None
        quantity = self._derived.quantities.get(self._derived.derivative(of.name, by.name))
        if of.name != self._of or quantity is None:
            raise _NoProofError
        self._mentioned.add(quantity.name)
        bounds: tuple[sp.Expr, ...] = ()
        for axis, subscript in zip(quantity.axes, by.subscripts or (), strict=False):
            if axis.is_step:
                # Beyond the steps there is nothing that the loss could depend on.
                at = self._position(subscript, env)
                bounds = (*bounds, at, sp.expand(axis.size - 1 - at))
        return self._read(quantity, quantity, by.subscripts, env, bounds)

    def _sum(self, node: Binary, env: Env) -> _Matrix:
        left, right = self._value(node.left, env), self._value(node.right, env)
        if node.operator == "-":
            right = _scaled(right, sp.Integer(-1))
        is_same = (left.rows, left.columns) == (right.rows, right.columns)
        if not (is_same or left.is_number or right.is_number):
            raise _NoProofError
        shape = right if left.is_number else left
        return _Matrix(shape.rows, shape.columns, lambda r, c: left.entry(r, c) + right.entry(r, c))

    def _product(self, left: _Matrix, right: _Matrix) -> _Matrix:
        if left.is_number or right.is_number:
            return self._elementwise(left, right)
        if left.columns != right.rows:
            raise _NoProofError

        def entry(r: sp.Expr, c: sp.Expr) -> Pieces:
            if left.columns == 1:
                zero = sp.Integer(0)
                return _multiplied(left.entry(r, zero), right.entry(zero, c))
            k = self._new()
            pieces = _multiplied(left.entry(r, k), right.entry(k, c))
            index = Index(k, sp.Integer(0), left.columns - 1, "feature")
            return [_untied(replace(p, sums=(*p.sums, index))) for p in pieces]

        return _Matrix(left.rows, right.columns, entry)

    @staticmethod
    def _elementwise(left: _Matrix, right: _Matrix) -> _Matrix:
        shape = right if left.is_number else left
        if not (left.is_number or right.is_number) and (left.rows, left.columns) != (
            right.rows,
            right.columns,
        ):
            raise _NoProofError
        return _Matrix(
            shape.rows,
            shape.columns,
            lambda r, c: _multiplied(left.entry(r, c), right.entry(r, c)),
        )

    def _quotient(self, left: _Matrix, right: _Matrix) -> _Matrix:
        inverse = _Matrix(
            right.rows, right.columns, lambda r, c: [Term(1 / _alone(right.entry(r, c)))]
        )
        return self._elementwise(left, inverse)

    def _power(self, base: _Matrix, exponent: sp.Expr) -> _Matrix:
        return _Matrix(
            base.rows, base.columns, lambda r, c: [Term(_alone(base.entry(r, c)) ** exponent)]
        )

    def _diagonal(self, inner: _Matrix) -> _Matrix:
        if inner.columns != 1:
            raise _NoProofError

        def entry(r: sp.Expr, c: sp.Expr) -> Pieces:
            zero = sp.Integer(0)
            tied = sp.expand(r - c)
            return [replace(p, equals=(*p.equals, tied)) for p in inner.entry(r, zero)]

        return _Matrix(inner.rows, inner.rows, entry)

    def _total(self, inner: _Matrix) -> _Matrix:
        def entry(_r: sp.Expr, _c: sp.Expr) -> Pieces:
            symbols = [self._new(), self._new()]
            sizes = (inner.rows, inner.columns)
            at = [s if n != 1 else sp.Integer(0) for s, n in zip(symbols, sizes, strict=True)]
            sums = tuple(
                Index(s, sp.Integer(0), n - 1, "feature")
                for s, n in zip(symbols, sizes, strict=True)
                if n != 1
            )
            return [replace(p, sums=(*p.sums, *sums)) for p in inner.entry(at[0], at[1])]

        return _Matrix(ONE, ONE, entry)

    def _big(self, node: Big, env: Env) -> _Matrix:
        if node.kind != "sum" or node.members:
            raise _NoProofError
        axis = self._axis(node.letter, node.operand)
        shape = self._value(node.operand, {**env, node.letter: self._new()})

        def entry(r: sp.Expr, c: sp.Expr) -> Pieces:
            letter = self._new()
            inner = self._value(node.operand, {**env, node.letter: letter})
            index = Index(letter, sp.Integer(0), axis[1] - 1, axis[0])  # type: ignore[arg-type]
            bounds = []
            first = self._context.first
            # The letter runs over its axis here: limits beyond it would be lost.
            box = (*self._free, index)
            if node.low is not None:
                low = sp.expand(self._number(node.low, env) - first)
                bounds.append(sp.expand(letter - low))
                if not always_holds(low, box):
                    raise _NoProofError
            if node.high is not None:
                high = sp.expand(self._number(node.high, env) - first)
                bounds.append(sp.expand(high - letter))
                if not always_holds(sp.expand(axis[1] - 1 - high), box):
                    raise _NoProofError
            return [
                replace(p, sums=(*p.sums, index), bounds=(*p.bounds, *bounds))
                for p in inner.entry(r, c)
            ]

        return _Matrix(shape.rows, shape.columns, entry)

    def _axis(self, letter: str, node: Node) -> tuple[str, sp.Expr]:
        stack = [node]
        while stack:
            top = stack.pop(0)
            stack.extend(children(top))
            if isinstance(top, Reference) and top.name in self._system.quantities:
                axes = self._system.quantities[top.name].axes
                for subscript, axis in zip(top.subscripts or (), axes, strict=False):
                    if subscript.name == letter:
                        return axis.kind, axis.size
        raise _NoProofError


def expanded(context: Context, system: System, node: Node) -> Node:
    """The tree with the definitions of the source put in, while it is of a size to be read."""
    return _expanded(context, system, node, [MAX_NODES])


def _expanded(context: Context, system: System, node: Node, left: list[int]) -> Node:
    left[0] -= 1
    if left[0] < 0:
        raise _NoProofError
    if isinstance(node, Reference):
        found = next((d for d in context.definitions if d.target.name == node.name), None)
        if found is None or node.name in system.quantities:
            return node
        return _expanded(context, system, _instantiated(found, node), left)
    return with_children(node, [_expanded(context, system, c, left) for c in children(node)])


def _instantiated(definition: Definition, node: Reference) -> Node:
    """The body of a definition with the subscripts of a mention."""
    own, given = definition.target.subscripts or (), node.subscripts or ()
    units = given[len(own) :]
    bound = {s.name: g for s, g in zip(own, given, strict=False) if s.name is not None}

    def change(at: Node) -> Node:
        if isinstance(at, Reference):
            if at.subscripts is None and at.name in bound:
                raise _NoProofError
            if at.subscripts is None:
                return at
            return replace(at, subscripts=tuple(_moved(s, bound) for s in at.subscripts))
        if isinstance(at, Big) and at.letter in bound:
            raise _NoProofError
        return with_children(at, [change(c) for c in children(at)])

    body = change(definition.body)
    if not units:
        return body
    if not isinstance(body, Call) or body.function not in ("total", "explicit"):
        raise _NoProofError
    by = body.arguments[1]
    if not isinstance(by, Reference):
        raise _NoProofError
    by = replace(by, subscripts=(*(by.subscripts or ()), *units))
    return replace(body, arguments=(body.arguments[0], by, *body.arguments[2:]))


def _moved(subscript: Subscript, bound: Mapping[str, Subscript]) -> Subscript:
    if any(n in bound for _, n in subscript.also):
        raise _NoProofError
    if subscript.name is None or subscript.name not in bound:
        return subscript
    given = bound[subscript.name]
    return Subscript(given.name, given.offset + subscript.offset, (*given.also, *subscript.also))


def _forward_calls(system: System) -> list[Equation]:
    """The equations `v = f(w)`, element by element."""
    found = []
    for equation in system.primal.equations:
        if len(equation.terms) != 1 or not equation.terms[0].is_pointwise:
            continue
        factor = equation.terms[0].factor
        indices = tuple(i.symbol for i in equation.indices)
        if isinstance(factor, sp.Function) and len(factor.args) == 1:
            (argument,) = factor.args
            if isinstance(argument, sp.Indexed) and tuple(argument.indices) == indices:
                found.append(equation)
    return found


def _constant(value: sp.Expr) -> _Matrix:
    return _Matrix(ONE, ONE, lambda r, c: [Term(value)])


def _scaled(inner: _Matrix, by: sp.Expr) -> _Matrix:
    return _Matrix(
        inner.rows,
        inner.columns,
        lambda r, c: [replace(p, factor=by * p.factor) for p in inner.entry(r, c)],
    )


def _alone(pieces: Pieces) -> sp.Expr:
    """A value that is no sum over anything, so that a function may be applied to it."""
    if any(p.sums or p.bounds or p.equals or not p.reduction.is_linear for p in pieces):
        raise _NoProofError
    return sp.Add(*(p.factor for p in pieces))


def _multiplied(left: Pieces, right: Pieces) -> Pieces:
    if len(left) * len(right) > MAX_TERMS:
        raise _NoProofError
    return [
        Term(
            a.factor * b.factor, (*a.sums, *b.sums), (*a.bounds, *b.bounds), (*a.equals, *b.equals)
        )
        for a in left
        for b in right
    ]


def _untied(term: Term) -> Term:
    """The term without a summed index that a condition makes equal to another."""
    for equal in term.equals:
        for index in term.sums:
            c = equal.coeff(index.symbol)
            if abs(c) != 1 or index.kind != "feature":
                continue
            other = sp.expand(index.symbol - equal / c)
            mapping = {index.symbol: other}
            return _untied(
                Term(
                    term.factor.xreplace(mapping),
                    tuple(i for i in term.sums if i != index),
                    substitute(term.bounds, mapping),
                    tuple(e for e in substitute(term.equals, mapping) if e != 0),
                    term.reduction,
                )
            )
    return term
