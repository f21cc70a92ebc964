"""Printed equations back to equations: what the printers write is read as the same system.

The quantities are declared: a reader makes equations between them, and nothing else. A mention
with all its subscripts is index notation; in matrix notation those of sequences and units are
left out, and products say how units are summed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TypeGuard

import sympy as sp

from bptt.derive.calculus.bounds import Index, prune
from bptt.derive.calculus.primitives import PRIMITIVES
from bptt.derive.calculus.quantity import AXIS_ORDER, Axis, B, Quantity, fresh, index_symbol
from bptt.derive.calculus.reductions import REDUCTIONS, SUM
from bptt.derive.calculus.system import Equation, System, Term
from bptt.derive.errors import UserError, did_you_mean, shown
from bptt.derive.language import syntax
from bptt.derive.language.constants import constant_call
from bptt.derive.language.elaboration import Elaboration
from bptt.derive.language.parser import parse_derived
from bptt.derive.language.place import Place, affine
from bptt.derive.language.terms import Terms, scaled
from bptt.derive.notation.index import MEANING
from bptt.derive.notation.rank import Shape, axis_of, is_indexed, rank, shape

_LETTER = re.compile(r"[a-z]\d*", re.ASCII)
MAX_TEXT = 1_000_000
# Numbers out of the language's range are the project's own, known by name.
OWN_NUMBERS = {text: sp.Float(float(text)) for text in ("1e+30", "5e+29")}
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

    lift = None

    def __init__(self, system: System) -> None:
        self.system = system
        self._quantities = system.quantities
        axes = [axis for q in system.quantities.values() for axis in q.axes]
        symbols = {s for axis in axes for s in axis.size.free_symbols}
        self.lengths = {s.name: s for s in (*symbols, *system.sizes, *system.free, B)}
        self._core = Elaboration(self, system.sizes)

    def equation(self, statement: syntax.Statement, number: int) -> Equation:
        quantity = self.quantity(statement.target)
        indices = self._left(quantity, statement.target)
        self._core.axes = {i.symbol: Axis(i.kind, i.length) for i in indices}
        scope = {**self.lengths, **OWN_NUMBERS, **{i.symbol.name: i.symbol for i in indices}}
        terms: Terms = []
        for sign, node in _signed(_named(statement.expression)):
            place = self._units(node, indices, Place(scope=scope))
            terms += scaled(self._core.terms(node, place), sign, node)
        if len(terms) > 1 and not all(t.reduction.is_linear for t in terms):
            raise UserError(
                "a sum of what is no sum",
                place=statement.target.at,
                remedy="let each be the right side of an equation of its own",
            )
        return Equation(number, quantity, indices, tuple(self._live(terms, indices)))

    @staticmethod
    def _live(terms: Terms, indices: tuple[Index, ...]) -> Iterable[Term]:
        for term in terms:
            if term.factor != 0:
                yield replace(term, bounds=prune(term.bounds, (*indices, *term.sums)))

    def quantity(self, reference: syntax.Reference) -> Quantity:
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
    def _left(quantity: Quantity, target: syntax.Reference) -> tuple[Index, ...]:
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
        given = iter(names)
        indices: list[Index] = []
        for axis in quantity.axes:
            written = is_indexed(target, quantity) or axis.is_step
            taken = [i.symbol for i in indices]
            symbol = index_symbol(str(next(given))) if written else fresh(axis.kind, taken)
            indices.append(axis.index(symbol))
        return tuple(indices)

    # What stands beside each other has one shape.

    def _units(self, node: syntax.Node, left: tuple[Index, ...], place: Place) -> Place:
        """Where a term in matrix notation is read."""
        units = [i for i in left if i.kind == "feature"]
        self._check_shapes(node)
        found = self.shape(node)
        if not found:
            return place
        if len(found) != len(units):
            raise UserError(
                f"a term has {len(found)} axes of units, and the left side {len(units)}",
                place=syntax.begin(node),
                remedy="make both the same",
            )
        if not _is_identity(node):
            self._same_sizes(node, found, tuple(i.length for i in units))
        return replace(place, at=tuple(i.symbol for i in units))

    def _check_shapes(self, node: syntax.Node) -> None:
        """Refuse sums and products of what does not fit; a number goes with any."""
        stack = [node]
        while stack:
            top = stack.pop()
            stack.extend(syntax.children(top))
            if isinstance(top, syntax.Binary) and top.operator != "**":
                left, right = self.shape(top.left), self.shape(top.right)
                identity = any(map(_is_identity, (top.left, top.right)))
                if top.operator == "@":
                    self._check_product(top, left, right, identity=identity)
                elif left and right and not identity:
                    self._same_sizes(top, left, right)
            if isinstance(top, syntax.Reference) and rank(top, self._quantities) > 2:
                raise UserError(
                    f"{top.name!r} has more than two axes of units",
                    place=top.at,
                    remedy="write the equation in index notation",
                )

    def _check_product(
        self, node: syntax.Binary, left: Shape, right: Shape, *, identity: bool
    ) -> None:
        if not left or not right:
            raise UserError(
                "a factor of a matrix product has no units",
                place=syntax.begin(node),
                remedy="multiply numbers with *",
            )
        if not identity and self.system.size(left[-1]) != self.system.size(right[0]):
            raise UserError(
                f"a product of {self._sizes(left)} and {self._sizes(right)}",
                place=syntax.begin(node),
                remedy="make the inner sizes the same",
            )

    def _same_sizes(self, node: syntax.Node, left: Shape, right: Shape) -> None:
        if self._sizes(left) != self._sizes(right):
            raise UserError(
                f"a shape of {self._sizes(left)} stands beside one of {self._sizes(right)}",
                place=syntax.begin(node),
                remedy="make both the same",
            )

    def _sizes(self, sizes: Shape) -> str:
        return f"({', '.join(str(self.system.size(s)) for s in sizes)})"

    # What the elaboration of expressions asks for.

    def shape(self, node: syntax.Node) -> Shape:
        return shape(node, self._quantities)

    def axis(
        self, letter: str, node: syntax.Summed, conditions: syntax.Conditions, place: Place
    ) -> Axis:
        """The axis that the letter stands on alone; else how far the conditions let it run."""
        if letter == "b":
            return Axis("batch", B)
        found = axis_of(letter, node, self.quantity)
        if found is not None:
            return found
        for condition in conditions:
            first, second = condition.operands[:2]
            alone = first == syntax.Reference(letter, None, syntax.begin(first))
            if condition.operators == ("<=",) and alone:
                return Axis("feature", affine(second, place.scope) + 1)
        raise UserError(
            f"nothing says what the index {letter!r} runs over",
            place=syntax.begin(node),
            remedy=f"write a condition behind the term, such as [{letter} <= 3]",
        )

    def call(self, node: syntax.Call, place: Place) -> Terms:
        self._check_arguments(node)
        function, arguments = node.function, node.arguments
        match function:
            case "sum" | "max" | "logsumexp":
                return self._core.total(node, place, REDUCTIONS.get(function, SUM))
            case "outer":
                return self._core.outer(node, place)
            case "diag":
                return self._core.diagonal(node, place)
            case "sqrt":
                return [Term(sp.sqrt(self._core.value(arguments[0], place)))]
            case "min":
                if not (isinstance(arguments[1], syntax.Number) and arguments[1].text == "0"):
                    raise UserError(
                        "min of something else than zero", place=node.at, remedy="write min(x, 0)"
                    )
                function, arguments = "negative_part", arguments[:1]
        name = MEANING.get(function, function)
        if name not in PRIMITIVES:
            raise UserError(
                f"the function {function!r} is not known{did_you_mean(function, PRIMITIVES)}",
                place=node.at,
                remedy=f"known are {', '.join(PRIMITIVES)}",
            )
        values = [self._core.value(a, self._core.beside(a, place)) for a in arguments]
        if len(values) == 1 and values[0].is_number:
            return [Term(constant_call(PRIMITIVES[name], values[0], node.at))]
        return [Term(PRIMITIVES[name].symbolic(*values))]

    def _check_arguments(self, node: syntax.Call) -> None:
        wanted = ARGUMENTS.get(node.function, 1)
        if len(node.arguments) != wanted:
            raise UserError(
                f"{node.function} has {len(node.arguments)} arguments",
                place=node.at,
                remedy=f"it takes {wanted}",
            )
        if node.function in ("outer", "diag"):
            for argument in node.arguments:
                is_number = isinstance(argument, syntax.Number)
                if rank(argument, self._quantities) != 1 and not is_number:
                    raise UserError(
                        f"{node.function} of something that is no vector",
                        place=node.at,
                        remedy="give it vectors",
                    )

    def read(self, node: syntax.Reference, place: Place) -> Terms:
        if node.subscripts is None and self._is_number(node.name, place):
            return [Term(place.scope[node.name])]
        quantity = self.quantity(node)
        written = [self._core.position(s, place.scope, node.at) for s in node.subscripts or ()]
        if is_indexed(node, quantity):
            self._check_kinds(node, quantity, place)
            return [Term(quantity[written])]
        steps, units = iter(written), iter(place.at)
        subscripts: list[sp.Expr | None] = []
        for axis in quantity.axes:
            if axis.kind == "feature":
                subscripts.append(next(units))
            elif axis.kind == "batch":
                subscripts.append(affine(syntax.Reference("b", None, node.at), place.scope))
            else:
                subscripts.append(next(steps, None))
        if None in subscripts or next(steps, None) is not None:
            raise UserError(
                f"{quantity.name!r} has {len(quantity.axes)} axes, and {len(written)} subscripts",
                place=node.at,
                remedy="give one for each, or those of steps alone",
            )
        return [Term(quantity[subscripts])]

    def _check_kinds(self, node: syntax.Reference, quantity: Quantity, place: Place) -> None:
        """Refuse an index of steps among units, and the like."""
        for subscript, axis in zip(node.subscripts or (), quantity.axes, strict=True):
            index = self._core.axes.get(place.scope.get(subscript.name or ""))
            if index is not None and AXIS_ORDER[index.kind] != AXIS_ORDER[axis.kind]:
                raise UserError(
                    f"the index {subscript.name!r} stands on an axis of another kind of "
                    f"{quantity.name!r}",
                    place=node.at,
                    remedy="use t for steps, b for sequences, i, j and k for units",
                )

    def _is_number(self, name: str, place: Place) -> bool:
        """Whether a name alone is an index or a length; a quantity without steps comes first."""
        quantity = self._quantities.get(name)
        if quantity is not None and not any(a.is_step for a in quantity.axes):
            return False
        return name in place.scope


def _is_identity(node: syntax.Node) -> bool:
    """Whether this is diag(1), an identity as large as what it stands beside."""
    while isinstance(node, syntax.Where | syntax.Negative | syntax.Sum):
        node = node.operand
    return _is_call(node, "diag") and isinstance(node.arguments[0], syntax.Number)


def _signed(node: syntax.Node) -> list[tuple[int, syntax.Node]]:
    """The terms of an expression, with their signs."""
    if isinstance(node, syntax.Negative):
        return [(-sign, inner) for sign, inner in _signed(node.operand)]
    return syntax.addends(node)


def _named(node: syntax.Node) -> syntax.Node:
    """The expression with log(sum(exp(z))), and what is out of range, by their names."""
    if isinstance(node, syntax.Number) and node.text in OWN_NUMBERS:
        return syntax.Reference(node.text, None, node.at)
    node = syntax.with_children(node, [_named(child) for child in syntax.children(node)])
    for how in REDUCTIONS.values():
        if how.outer and _is_call(node, how.outer):
            inner = _unwrapped(node.arguments[0], how.big, how.inner, how.name)
            if inner is not None:
                return inner
    return node


def _unwrapped(node: syntax.Node, big: str, inner: str, name: str) -> syntax.Node | None:
    """The reduction of z that stands for a `big` word in front of inner(z), if this is one."""
    if isinstance(node, syntax.Where):
        found = _unwrapped(node.operand, big, inner, name)
        return found and replace(node, operand=found)
    if isinstance(node, syntax.Sum) and node.big == big and _is_call(node.operand, inner):
        return replace(node, operand=node.operand.arguments[0], big=name)
    if _is_call(node, big) and _is_call(node.arguments[0], inner):
        return syntax.Call(name, node.arguments[0].arguments, node.at)
    return None


def _is_call(node: syntax.Node, function: str) -> TypeGuard[syntax.Call]:
    return isinstance(node, syntax.Call) and node.function == function and len(node.arguments) > 0
