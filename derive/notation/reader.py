"""Printed equations back to equations: what the printers write is read as the same system.

The quantities are declared: a reader makes equations between them, and nothing else. A mention
with all its subscripts is index notation; in matrix notation those of sequences and units are
left out, and products say how units are summed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeGuard

import sympy as sp

from bptt.derive.calculus.bounds import Index, prune
from bptt.derive.calculus.primitives import PRIMITIVES
from bptt.derive.calculus.quantity import AXIS_ORDER, Axis, B, Quantity, fresh, index_symbol
from bptt.derive.calculus.reductions import REDUCTIONS, SUM, Reduction
from bptt.derive.calculus.system import Equation, System, Term
from bptt.derive.errors import UserError, did_you_mean, shown
from bptt.derive.language.constants import constant_call, exact_number, power_of
from bptt.derive.language.parser import parse_derived
from bptt.derive.language.syntax import (
    TIME_LETTERS,
    Binary,
    Call,
    Comparison,
    Negative,
    Node,
    Number,
    Part,
    Reference,
    Statement,
    Subscript,
    Sum,
    Transpose,
    Where,
    addends,
    children,
    factors,
)
from bptt.derive.notation.index import MEANING
from bptt.derive.notation.rank import Shape, axis_of, is_indexed, rank, shape

At = tuple[sp.Expr, ...]
_LETTER = re.compile(r"[a-z]\d*", re.ASCII)
MAX_TEXT = 1_000_000
OWN_NUMBERS = ("1e+30", "5e+29")
# How many arguments functions take; those of the table of primitives take one.
ARGUMENTS = {"outer": 2, "min": 2, "huber": 2, "clip": 2, "within": 2, "every": 2}


def read_equations(text: str, system: System) -> tuple[Equation, ...]:
    """The equations of a printed text, between the quantities of `system`.

    Raises UserError where the text names what the system has not, or does not fit its axes.
    """
    if len(text) > MAX_TEXT:
        raise UserError(
            f"equations of {len(text)} characters", remedy=f"at most {MAX_TEXT} are read"
        )
    reader = _Reader(system)
    return tuple(reader.equation(s, n) for n, s in enumerate(parse_derived(text), 1))


class _Reader:
    """Reads statements between the quantities of one system."""

    def __init__(self, system: System) -> None:
        self.system = system
        axes = [axis for q in system.quantities.values() for axis in q.axes]
        symbols = {s for axis in axes for s in axis.size.free_symbols}
        self.lengths = {s.name: s for s in (*symbols, *system.sizes, *system.free, B)}

    def equation(self, statement: Statement, number: int) -> Equation:
        quantity = self.quantity(statement.target)
        indices = self._left(quantity, statement.target)
        terms = (
            _TermReader(self, indices, sign).term(node)
            for sign, node in _signed(statement.expression)
        )
        return Equation(number, quantity, indices, tuple(t for t in terms if t.factor != 0))

    def quantity(self, reference: Reference) -> Quantity:
        found = self.system.quantities.get(reference.name)
        if found is None:
            near = did_you_mean(reference.name, self.system.quantities)
            raise UserError(
                f"there is no quantity {shown(reference.name)}{near}",
                place=reference.at,
                remedy="name one of the system's",
            )
        return found

    @staticmethod
    def _left(quantity: Quantity, target: Reference) -> tuple[Index, ...]:
        subscripts = target.subscripts or ()
        usual = quantity.canonical_indices()
        if not is_indexed(target, quantity):
            usual = tuple(i for i in usual if i.is_step)
        names = [s.name for s in subscripts]
        plain = all(
            s.name and _LETTER.fullmatch(s.name) and not s.offset and not s.also for s in subscripts
        )
        if len(names) != len(usual) or not plain or len(set(names)) < len(names):
            letters = ",".join(i.symbol.name for i in quantity.canonical_indices())
            raise UserError(
                f"the left side {quantity.name!r} needs a letter for each axis",
                place=target.at,
                remedy=f"write {quantity.name}[{letters}]" if letters else f"write {quantity.name}",
            )
        kinds = [a.kind for a in (quantity.axes if is_indexed(target, quantity) else usual)]
        for name, kind in zip(names, kinds, strict=True):
            if (name in TIME_LETTERS) != (kind == "time") and kind != "delay":
                raise UserError(
                    f"the letter {name!r} stands on an axis of another kind of {quantity.name!r}",
                    place=target.at,
                    remedy="use t, s, r and u for steps, b for sequences, others for units",
                )
        given = iter(names)
        indices: list[Index] = []
        for axis in quantity.axes:
            written = is_indexed(target, quantity) or axis.is_step
            taken = [i.symbol for i in indices]
            symbol = index_symbol(str(next(given))) if written else fresh(axis.kind, taken)
            indices.append(axis.index(symbol))
        return tuple(indices)


class _TermReader:
    """Reads one term: its sums are those that are written, and those of its products."""

    def __init__(self, reader: _Reader, left: tuple[Index, ...], sign: int) -> None:
        self._reader = reader
        self._quantities = reader.system.quantities
        self._left = left
        self._sign = sign
        self._known = {i.symbol.name: i for i in left}
        self._sums: list[Index] = []
        self._ties: list[sp.Expr] = []

    def term(self, node: Node) -> Term:
        conditions: tuple[Comparison, ...] = ()
        how, node = _reduced(node)
        while isinstance(node, Negative | Where):
            if isinstance(node, Negative):
                self._sign = -self._sign
            else:
                conditions += node.conditions
            node = node.operand
        if isinstance(node, Sum):
            for letter in node.letters:
                self._add(self._summed(letter, node, conditions), node.at)
            node = node.operand
        at = self._units(node)
        if not how.is_linear:
            if isinstance(node, Call) and node.function == how.big:
                node = node.arguments[0]
                at = self._fresh(node)
            if self._sign < 0:
                raise UserError(
                    f"a {how.name} is subtracted",
                    place=_place(node),
                    remedy="let it be the right side of an equation of its own",
                )
            if how.inner:
                # Of log(sum(exp(z))) the normal form has z alone.
                assert isinstance(node, Call)
                self._check_arguments(node)
                node = node.arguments[0]
            factor = self._alone(node, at)
        else:
            factor = self.value(node, at)
        bounds, equals = self._conditions(conditions)
        return Term(
            self._sign * factor,
            tuple(self._sums),
            prune(bounds, (*self._left, *self._sums)),
            (*equals, *self._ties),
            how,
        )

    def _units(self, node: Node) -> At:
        """The unit indices at which a term in matrix notation is read."""
        units = [i for i in self._left if i.kind == "feature"]
        found = shape(node, self._quantities)
        self._check_shapes(node)
        if not found:
            return ()
        if len(found) != len(units):
            raise UserError(
                f"a term has {len(found)} axes of units, and the left side {len(units)}",
                place=_place(node),
                remedy="make both the same",
            )
        if not _is_identity(node):
            self._same_sizes(node, found, tuple(i.length for i in units))
        return tuple(i.symbol for i in units)

    def _check_shapes(self, node: Node) -> None:
        """Refuse sums and elementwise products of different shapes; a number goes with any."""
        stack = [node]
        while stack:
            top = stack.pop()
            stack.extend(children(top))
            if isinstance(top, Binary) and top.operator not in ("@", "**"):
                shapes = [shape(n, self._quantities) for n in (top.left, top.right)]
                if all(shapes) and not any(map(_is_identity, (top.left, top.right))):
                    self._same_sizes(top, *shapes)
            if isinstance(top, Reference) and rank(top, self._quantities) > 2:
                raise UserError(
                    f"{top.name!r} has more than two axes of units",
                    place=top.at,
                    remedy="write the equation in index notation",
                )

    def _same_sizes(self, node: Node, left: Shape, right: Shape) -> None:
        size = self._reader.system.size
        if len(left) != len(right) or any(
            size(a) != size(b) for a, b in zip(left, right, strict=True)
        ):
            raise UserError(
                f"a shape of {self._sizes(left)} stands beside one of {self._sizes(right)}",
                place=_place(node),
                remedy="make both the same",
            )

    # Indices of sums.

    def _add(self, index: Index, at: str = "") -> sp.Symbol:
        if index.symbol.name in self._known:
            raise UserError(
                f"the index {index.symbol.name!r} of a sum is in use already",
                place=at,
                remedy="use another letter",
            )
        self._sums.append(index)
        self._known[index.symbol.name] = index
        return index.symbol

    def _summed(self, name: str, node: Sum, conditions: Sequence[Comparison]) -> Index:
        """The index of a sum: it runs over the axis that it stands on alone."""
        if name == "b":
            return Axis("batch", B).index(index_symbol(name))
        axis = axis_of(name, node, self._reader.quantity)
        if axis is not None:
            return axis.index(index_symbol(name))
        # Read with an offset only: the conditions say how far it runs.
        return Axis("feature", self._high(name, node, conditions) + 1).index(index_symbol(name))

    def _high(self, name: str, node: Node, conditions: Sequence[Comparison]) -> sp.Expr:
        for condition in conditions:
            first, second = condition.operands[:2]
            if condition.operators == ("<=",) and first == Reference(name, None, _place(first)):
                return self._affine(second)
        raise UserError(
            f"nothing says what the index {name!r} runs over",
            place=_place(node),
            remedy=f"write a condition behind the term, such as [{name} <= 3]",
        )

    def _fresh(self, node: Node) -> At:
        """Indices of sums over all units of an expression."""
        return tuple(self._contracted(size) for size in shape(node, self._quantities))

    def _contracted(self, size: sp.Expr) -> sp.Symbol:
        taken = [index_symbol(name) for name in self._known]
        return self._add(Axis("feature", size).index(fresh("feature", taken)))

    # Conditions.

    def _conditions(
        self, conditions: Iterable[Comparison]
    ) -> tuple[list[sp.Expr], tuple[sp.Expr, ...]]:
        bounds, equals = [], []
        for condition in conditions:
            values = [self._affine(operand) for operand in condition.operands]
            for left, right, operator in zip(values, values[1:], condition.operators, strict=False):
                if operator == "=":
                    equals.append(sp.expand(left - right))
                    continue
                gap = right - left if "<" in operator else left - right
                bounds.append(sp.expand(gap if "=" in operator else gap - 1))
        return bounds, tuple(equals)

    def _affine(self, node: Node) -> sp.Expr:
        """A sum of indices, lengths and whole numbers."""
        match node:
            case Number(text, _) if text.isdigit():
                return sp.Integer(int(text))
            case Negative(operand):
                return -self._affine(operand)
            case Binary(operator, left, right) if operator in "+-":
                sign = 1 if operator == "+" else -1
                return self._affine(left) + sign * self._affine(right)
            case Reference(name, None):
                return self._symbol(name, node.at)
            case _:
                raise UserError(
                    "a condition compares indices and lengths",
                    place=_place(node),
                    remedy="write t <= T-2",
                )

    def _symbol(self, name: str, at: str) -> sp.Symbol:
        if name in self._known:
            return self._known[name].symbol
        if name not in self._reader.lengths:
            raise UserError(
                f"{shown(name)} is neither an index nor a length here",
                place=at,
                remedy="use an index of the left side or of a sum",
            )
        return self._reader.lengths[name]

    # Expressions.

    def value(self, node: Node, at: At) -> sp.Expr:
        """An expression at unit indices; what has no units is the same at all of them."""
        if at and rank(node, self._quantities) == 0:
            at = ()
        match node:
            case Number(text):
                return _number(text, node.at)
            case Reference():
                return self._read(node, at)
            case Negative(operand):
                return -self.value(operand, at)
            case Transpose(operand):
                return self.value(operand, at[::-1])
            case Part(operand, start, stop):
                first = (sp.Integer(start), *at) if stop is None else (at[0] + start, *at[1:])
                return self.value(operand, first)
            case Binary("@"):
                return self._contraction(node, at)
            case Binary("**", base, exponent):
                power = self._alone(exponent, ())
                if not power.is_Rational:
                    raise UserError(
                        "an exponent is no number", place=node.at, remedy="write x^2 or x^(1/2)"
                    )
                return power_of(self._alone(base, at), power, node.at)
            case Binary(operator) if operator in "+-":
                return sp.Add(*(sign * self._alone(n, at) for sign, n in addends(node)))
            case Binary():
                return sp.Mul(*self._factors(node, at))
            case Call():
                return self._call(node, at)
            case _:
                raise UserError(
                    "a sum or a condition stands where it cannot be read",
                    place=_place(node),
                    remedy="let a sum stand in front of its term, and a condition behind it",
                )

    def _alone(self, node: Node, at: At) -> sp.Expr:
        """An expression within a function, a sum or a power: nothing is summed there."""
        count = len(self._sums) + len(self._ties)
        found = self.value(node, at)
        if len(self._sums) + len(self._ties) > count:
            raise UserError(
                "a product or a diagonal matrix within a function, a sum or a power",
                place=_place(node),
                remedy="name it in an equation of its own",
            )
        return found

    def _factors(self, node: Node, at: At) -> list[sp.Expr]:
        """The factors of a product, all at once: SymPy multiplies 2 (x + y) out by itself."""
        found: list[sp.Expr] = []
        for power, operand in factors(node):
            is_product = isinstance(operand, Binary) and operand.operator in ("*", "/")
            if power < 0:
                found.append(power_of(self._alone(operand, at), sp.Integer(-1), _place(operand)))
            elif is_product:
                found += self._factors(operand, at)
            else:
                found.append(self.value(operand, at))
        return found

    def _contraction(self, node: Binary, at: At) -> sp.Expr:
        left, right = node.left, node.right
        split = rank(left, self._quantities) - 1
        for operand in (left, right):
            if rank(operand, self._quantities) == 0:
                raise UserError(
                    "a factor of a matrix product has no units",
                    place=_place(node),
                    remedy="multiply numbers with *",
                )
        if _is_diagonal(left):
            return self.value(left.arguments[0], at[:1]) * self.value(right, at)
        if _is_diagonal(right):
            return self.value(left, at) * self.value(right.arguments[0], at[-1:])
        sizes = shape(left, self._quantities)[-1], shape(right, self._quantities)[0]
        if self._reader.system.size(sizes[0]) != self._reader.system.size(sizes[1]):
            raise UserError(
                f"a product of {self._size(left)} and {self._size(right)}",
                place=_place(node),
                remedy="make the inner sizes the same",
            )
        index = self._contracted(sizes[0])
        return self.value(left, (*at[:split], index)) * self.value(right, (index, *at[split:]))

    def _size(self, node: Node) -> str:
        return self._sizes(shape(node, self._quantities))

    def _sizes(self, sizes: Shape) -> str:
        return f"({', '.join(str(self._reader.system.size(s)) for s in sizes)})"

    def _call(self, node: Call, at: At) -> sp.Expr:
        self._check_arguments(node)
        function, arguments = node.function, node.arguments
        match function:
            case "sum":
                return self.value(arguments[0], self._fresh(arguments[0]))
            case "outer":
                return self.value(arguments[0], at[:1]) * self.value(arguments[1], at[1:])
            case "diag":
                self._ties.append(sp.expand(at[0] - at[1]))
                return self.value(arguments[0], at[:1])
            case "sqrt":
                return sp.sqrt(self._alone(arguments[0], at))
            case "min":
                if arguments[1] != Number("0", _place(arguments[1])):
                    raise UserError(
                        "min of something else than zero", place=node.at, remedy="write min(x, 0)"
                    )
                return PRIMITIVES["negative_part"].symbolic(self._alone(arguments[0], at))
        name = MEANING.get(function, function)
        if name not in PRIMITIVES:
            raise UserError(
                f"the function {function!r} is not known{did_you_mean(function, PRIMITIVES)}",
                place=node.at,
                remedy=f"known are {', '.join(PRIMITIVES)}",
            )
        values = [self._alone(a, at) for a in arguments]
        if len(values) == 1 and values[0].is_number:
            return constant_call(PRIMITIVES[name], values[0], node.at)
        return PRIMITIVES[name].symbolic(*values)

    def _check_arguments(self, node: Call) -> None:
        wanted = ARGUMENTS.get(node.function, 1)
        if len(node.arguments) != wanted:
            raise UserError(
                f"{node.function} has {len(node.arguments)} arguments",
                place=node.at,
                remedy=f"it takes {wanted}",
            )
        if node.function in ("outer", "diag"):
            for argument in node.arguments:
                is_number = isinstance(argument, Number)
                if rank(argument, self._quantities) != 1 and not is_number:
                    raise UserError(
                        f"{node.function} of something that is no vector",
                        place=node.at,
                        remedy="give it vectors",
                    )

    def _read(self, node: Reference, at: At) -> sp.Expr:
        if node.subscripts is None and self._is_number(node.name):
            return self._symbol(node.name, node.at)
        quantity = self._reader.quantity(node)
        written = [self._subscript(s, node.at) for s in node.subscripts or ()]
        if is_indexed(node, quantity):
            self._check_kinds(node, quantity)
            return quantity[written]
        steps, units = iter(written), iter(at)
        subscripts: list[sp.Expr] = []
        for axis in quantity.axes:
            if axis.kind == "feature":
                subscripts.append(next(units))
            elif axis.kind == "batch":
                subscripts.append(self._symbol("b", node.at))
            else:
                subscripts.append(next(steps, None))
        if None in subscripts or next(steps, None) is not None:
            raise UserError(
                f"{quantity.name!r} has {len(quantity.axes)} axes, and {len(written)} subscripts",
                place=node.at,
                remedy="give one for each, or those of steps alone",
            )
        return quantity[subscripts]

    def _check_kinds(self, node: Reference, quantity: Quantity) -> None:
        """Refuse an index of steps among units, and the like."""
        for subscript, axis in zip(node.subscripts or (), quantity.axes, strict=True):
            index = self._known.get(subscript.name or "")
            if index is not None and AXIS_ORDER[index.kind] != AXIS_ORDER[axis.kind]:
                raise UserError(
                    f"the index {subscript.name!r} stands on an axis of another kind of "
                    f"{quantity.name!r}",
                    place=node.at,
                    remedy="use t for steps, b for sequences, i, j and k for units",
                )

    def _is_number(self, name: str) -> bool:
        """Whether a name alone is an index or a length; a quantity without steps comes first."""
        quantity = self._quantities.get(name)
        if quantity is not None and not any(a.is_step for a in quantity.axes):
            return False
        return name in self._known or name in self._reader.lengths

    def _subscript(self, subscript: Subscript, at: str) -> sp.Expr:
        found = sp.Integer(subscript.offset)
        if subscript.name is not None:
            found += self._symbol(subscript.name, at)
        for sign, name in subscript.also:
            found += sign * self._symbol(name, at)
        return found


def _is_diagonal(node: Node) -> TypeGuard[Call]:
    return isinstance(node, Call) and node.function == "diag"


def _is_identity(node: Node) -> bool:
    """Whether this is diag(1), an identity as large as what it stands beside."""
    return _is_diagonal(node) and isinstance(node.arguments[0], Number)


def _number(text: str, at: str) -> sp.Expr:
    """A number as the project writes it: those out of the language's range are its own."""
    if text in OWN_NUMBERS:
        return sp.Float(float(text))
    return exact_number(text, at)


def _place(node: Node) -> str:
    """Where a node begins in its text."""
    if isinstance(node, Number | Reference | Call | Sum | Negative | Comparison):
        return node.at
    below = children(node)
    return _place(below[0]) if below else ""


def _signed(node: Node) -> list[tuple[int, Node]]:
    """The terms of an expression, with their signs."""
    if isinstance(node, Negative):
        return [(-sign, inner) for sign, inner in _signed(node.operand)]
    return addends(node)


def _reduced(node: Node) -> tuple[Reduction, Node]:
    """How a term reduces its summands, and the term without the function around them."""
    for how in REDUCTIONS.values():
        inner: Node | None = node
        if how.outer:
            inner = node.arguments[0] if _is_call(node, how.outer) else None
        found = inner
        while isinstance(found, Where | Negative):
            found = found.operand
        if isinstance(found, Sum) and found.big == how.big:
            found = found.operand
        elif found is not None and _is_call(found, how.big):
            found = found.arguments[0]
        else:
            continue
        if inner is not None and (not how.inner or _is_call(found, how.inner)):
            return how, inner
    return SUM, node


def _is_call(node: Node, function: str) -> TypeGuard[Call]:
    return isinstance(node, Call) and node.function == function
