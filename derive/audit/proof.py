"""The symbolic judge: a claim's normal form against that of the derived equation.

A claim about the derivative of a number by a signal or a parameter is turned into terms over
indices, as the calculus has them; so is the derived equation, what the claim does not mention put
where it is read. Where both have one normal form the claim is proved. Where they have not, nothing
follows: not all that is equal has one form.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace

import sympy as sp

from bptt.derive.audit.claim import Context
from bptt.derive.audit.expansion import ExpansionError, expanded
from bptt.derive.calculus.adjoint import adjoint
from bptt.derive.calculus.bounds import Index, prune, substitute
from bptt.derive.calculus.causality import components
from bptt.derive.calculus.equality import MAX_SUMS, terms_of
from bptt.derive.calculus.inline import inlined
from bptt.derive.calculus.primitives import PRIMITIVES
from bptt.derive.calculus.quantity import Axis, Quantity, index_symbol
from bptt.derive.calculus.system import Equation, System, Term, name_of
from bptt.derive.errors import UserError
from bptt.derive.language import syntax
from bptt.derive.language.elaboration import Elaboration, Shape
from bptt.derive.language.place import Place, conditions_of
from bptt.derive.language.terms import Terms
from bptt.derive.notation.index import MEANING

ONE, ZERO = sp.Integer(1), sp.Integer(0)


class _NoProofError(Exception):
    """The claim is not of the kind that is compared symbolically."""


def proves(
    context: Context,
    sides: Sequence[syntax.Node],
    where: Sequence[syntax.Comparison],
    system: System,
) -> bool:
    """Whether the derived equations prove a claim `derivative = expression`."""
    if len(sides) != 2 or context.rows:
        return False
    try:
        return _Proof(context, system).holds(sides[0], sides[1], where)
    except (_NoProofError, ExpansionError, UserError):
        # Nothing is proved by what cannot be compared, or is no text of the equation language; the
        # numeric judge decides.
        return False


def derived_equation(
    forward: System, derived: System, name: str, mentioned: Collection[str]
) -> Equation | None:
    """The derived equation of an adjoint, those that are not mentioned put where they are read.

    None where they are read in a circle: an adjoint of a loop is to be mentioned.
    """
    adjoints = derived.definitions.keys() - forward.definitions.keys() - {*mentioned, name}
    needs: dict[str, list[str]] = {}
    stack = [name]
    while stack:
        top = stack.pop()
        if top not in needs:
            needs[top] = sorted(derived.definitions[top].needs & adjoints)
            stack += needs[top]
    if any(len(group) > 1 or group[0] in needs[group[0]] for group in components(needs)):
        return None
    return inlined(derived, needs.keys() - {name}).definitions[name]


class _Proof:
    """One claim; what its expressions mean. A vector is a matrix of one column."""

    lift = None

    def __init__(self, context: Context, system: System) -> None:
        self._context = context
        self._system = system
        self._derived: System | None = None
        self._of = ""
        self._mentioned: set[str] = set()
        self._forward = _forward_calls(system)
        self._core = Elaboration(self, first=context.first)

    def holds(
        self, left: syntax.Node, right: syntax.Node, where: Sequence[syntax.Comparison]
    ) -> bool:
        left = expanded(self._context, self._system, left)
        right = expanded(self._context, self._system, right)
        if not isinstance(left, syntax.Call):
            raise _NoProofError
        of, by = self._derivative(left)
        self._of = of.name
        self._derived = adjoint(self._system, of.name)
        name = self._derived.derivative(of.name, by.name)
        if name not in self._derived.definitions:
            raise _NoProofError
        quantity = self._derived.quantities[name]
        scope, indices, at = self._left(quantity, by)
        bounds, equals = conditions_of(where, scope)
        open_units = tuple(at[len(by.subscripts or ()) :])
        right_shape = self.shape(right)
        if equals or right_shape not in ((), self._shape_of(quantity, by)):
            raise _NoProofError
        place = Place((*open_units, ZERO, ZERO)[:2], scope)
        claimed = self._core.terms(right, self._core.beside(right, place))
        derived = self._definition(name, self._derived, at)
        sizes = dict(self._system.sizes)
        target = Quantity("claimed", "signal", tuple(a for a in quantity.axes))
        forms = [
            terms_of(self._equation(target, indices, terms, bounds), sizes)
            for terms in (claimed, derived)
        ]
        return bool(forms[0] == forms[1])

    def _left(
        self, quantity: Quantity, by: syntax.Reference
    ) -> tuple[dict[str, sp.Expr], list[Index], list[sp.Expr]]:
        """The letters of the left side, their indices, and where the derivative is read."""
        subscripts = by.subscripts or ()
        steps = [a for a in quantity.axes if a.is_step]
        if len(subscripts) not in (len(steps), len(quantity.axes)):
            raise _NoProofError
        scope: dict[str, sp.Expr] = {s.name: s for s in (*self._system.lengths, *self._system.free)}
        indices: list[Index] = []
        at: list[sp.Expr] = []
        for axis, subscript in zip(quantity.axes, subscripts, strict=False):
            name = subscript.name
            if name is None or (name in scope and name not in {i.symbol.name for i in indices}):
                at.append(self._core.position(subscript, scope, by.at))
                continue
            if subscript.offset or subscript.also or name in scope:
                raise _NoProofError
            symbol = index_symbol(name)
            scope[name] = symbol + self._context.first
            indices.append(axis.index(symbol))
            at.append(symbol)
        for number, axis in enumerate(quantity.axes[len(subscripts) :]):
            symbol = index_symbol(f"_unit{number}")
            indices.append(axis.index(symbol))
            at.append(symbol)
        self._core.axes = {i.symbol: Axis(i.kind, i.length) for i in indices}
        return scope, indices, at

    @staticmethod
    def _equation(
        target: Quantity, indices: list[Index], terms: Terms, bounds: Sequence[sp.Expr]
    ) -> Equation:
        kept = []
        for term in terms:
            box = (*indices, *term.sums)
            all_bounds = prune((*term.bounds, *bounds), box)
            if any(b.is_Number and b < 0 for b in all_bounds):
                continue
            if len(term.sums) > MAX_SUMS:
                raise _NoProofError
            kept.append(replace(term, bounds=all_bounds))
        return Equation(0, target, tuple(indices), tuple(kept))

    def _definition(self, name: str, derived: System, at: Sequence[sp.Expr]) -> Terms:
        """The derived terms at some indices, what the claim does not mention put in."""
        equation = derived_equation(self._system, derived, name, self._mentioned)
        if equation is None:
            raise _NoProofError
        mapping = {i.symbol: s for i, s in zip(equation.indices, at, strict=True)}
        pieces = []
        for term in equation.terms:
            symbols = {i.symbol: self._core.fresh(Axis(i.kind, i.length)).symbol for i in term.sums}
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

    def _derivative(self, node: syntax.Call) -> tuple[syntax.Reference, syntax.Reference]:
        if node.function != "total" or len(node.arguments) != 2:
            raise _NoProofError
        of, by = node.arguments
        if not isinstance(of, syntax.Reference) or not isinstance(by, syntax.Reference):
            raise _NoProofError
        equation = self._system.definitions.get(of.name)
        if equation is None or equation.quantity.axes or of.subscripts:
            raise _NoProofError
        return of, by

    # What the elaboration of expressions asks for.

    def shape(self, node: syntax.Node) -> Shape:
        """Rows and columns; none of a number. Raises _NoProofError where shapes do not fit."""
        match node:
            case syntax.Number():
                return ()
            case syntax.Reference():
                return self._shape_of(self._quantity(node), node)
            case (
                syntax.Negative(operand)
                | syntax.Where(operand)
                | syntax.Binary("**", operand)
                | syntax.Big(operand=operand)
            ):
                return self.shape(operand)
            case syntax.Transpose(operand):
                return self.shape(operand)[::-1]
            case syntax.Binary(operator, left, right):
                first, second = self.shape(left), self.shape(right)
                if not first or not second:
                    return first or second
                if operator == "@" and first[1] == second[0]:
                    return _matrix(first[0], second[1])
                if operator != "@" and first == second:
                    return first
            case syntax.Call("total"):
                by = self._derivative(node)[1]
                return self._shape_of(self._quantity(by), by)
            case syntax.Call("dot" | "mul" | "outer"):
                return self.shape(self._as_product(node))
            case syntax.Call("sum", (operand,)):
                self.shape(operand)
                return ()
            case syntax.Call("diag", (operand,)):
                inner = self.shape(operand)
                if inner and inner[1] == 1:
                    return inner[0], inner[0]
            case syntax.Call(_, (operand,)):
                return self.shape(operand)
        raise _NoProofError

    def axis(
        self, letter: str, node: syntax.Summed, _conditions: syntax.Conditions, _place: Place
    ) -> Axis:
        """The axis that a letter stands on first."""
        stack: list[syntax.Node] = [node.operand]
        while stack:
            top = stack.pop(0)
            stack.extend(syntax.children(top))
            if isinstance(top, syntax.Reference) and top.name in self._system.quantities:
                axes = self._system.quantities[top.name].axes
                for subscript, axis in zip(top.subscripts or (), axes, strict=False):
                    if subscript.name == letter:
                        return axis
        raise _NoProofError

    def read(self, node: syntax.Reference, place: Place) -> Terms:
        return self._read(self._quantity(node), node, place)

    def _quantity(self, node: syntax.Reference) -> Quantity:
        found = self._system.quantities.get(node.name)
        if found is None:
            raise _NoProofError
        return found

    @staticmethod
    def _shape_of(quantity: Quantity, node: syntax.Reference) -> Shape:
        """The shape of a mention with its steps alone, or with all its subscripts."""
        given, axes = len(node.subscripts or ()), quantity.axes
        if given == len(axes):
            return ()
        units = quantity.features
        if given != sum(a.is_step for a in axes) or given + len(units) != len(axes):
            raise _NoProofError
        if len(units) > 2:
            raise _NoProofError
        return _matrix(*(*units, ONE)[:2])

    def _read(
        self,
        quantity: Quantity,
        node: syntax.Reference,
        place: Place,
        bounds: Iterable[sp.Expr] = (),
    ) -> Terms:
        """A quantity at the steps of a mention."""
        self._shape_of(quantity, node)
        if any(a.kind == "batch" for a in quantity.axes):
            raise _NoProofError
        given = (self._core.position(s, place.scope, node.at) for s in node.subscripts or ())
        at = (*given, *place.at, ZERO, ZERO)[: len(quantity.axes)]
        return [Term(quantity[at], bounds=tuple(bounds))]

    def call(self, node: syntax.Call, place: Place) -> Terms:
        match node.function:
            case "total":
                return self._adjoint(node, place)
            case "dot" | "mul" | "outer":
                return self._core.terms(self._as_product(node), place)
            case "diag":
                return self._core.diagonal(node, place)
            case "sum":
                return self._core.total(node, place)
        stem = node.function.removesuffix("'")
        stem = MEANING.get(stem, stem)
        if stem not in PRIMITIVES or len(node.arguments) != 1:
            raise _NoProofError
        x = sp.Dummy()
        factor = PRIMITIVES[stem].symbolic(x)
        if node.function.endswith("'"):
            factor = factor.diff(x)
        return [Term(self._known(factor.xreplace({x: self._core.value(node.arguments[0], place)})))]

    def _as_product(self, node: syntax.Call) -> syntax.Node:
        """dot(a, b), mul(a, b) and outer(a, b) as products of matrices, or of elements."""
        if len(node.arguments) != 2:
            raise _NoProofError
        left, right = node.arguments
        if node.function == "outer":
            return syntax.Binary("@", left, syntax.Transpose(right, node.at), node.at)
        shapes = self.shape(left), self.shape(right)
        if shapes[0] == shapes[1] and shapes[0] and shapes[0][1] == 1:
            if node.function == "mul":
                return syntax.Binary("*", left, right, node.at)
            left = syntax.Transpose(left, node.at)
        return syntax.Binary("@", left, right, node.at)

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

    def _adjoint(self, node: syntax.Call, place: Place) -> Terms:
        of, by = self._derivative(node)
        assert self._derived is not None
        quantity = self._derived.quantities.get(self._derived.derivative(of.name, by.name))
        if of.name != self._of or quantity is None:
            raise _NoProofError
        self._mentioned.add(quantity.name)
        bounds: list[sp.Expr] = []
        for axis, subscript in zip(quantity.axes, by.subscripts or (), strict=False):
            if axis.is_step:
                # Beyond the steps there is nothing that the loss could depend on.
                at = self._core.position(subscript, place.scope, by.at)
                bounds += [at, sp.expand(axis.size - 1 - at)]
        return self._read(quantity, by, place, bounds)


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


def _matrix(rows: sp.Expr, columns: sp.Expr) -> Shape:
    """A shape of rows and columns; a matrix of one element is a number."""
    return () if rows == columns == 1 else (rows, columns)
