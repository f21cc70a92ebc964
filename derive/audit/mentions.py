"""Mentions: quantities, what the source defines, and derivatives, as matrices over letters."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from bptt.derive.audit.claim import Definition
from bptt.derive.audit.indices import (
    DERIVATIVES,
    LETTERS,
    MAX_ARGMIN,
    Indices,
    Letters,
    is_along_axis,
    labels_of,
    letters_in,
)
from bptt.derive.audit.matrices import (
    ShapeError,
    Value,
    scalar,
)
from bptt.derive.audit.truth import Held
from bptt.derive.calculus.quantity import Quantity
from bptt.derive.errors import UserError, did_you_mean, shown
from bptt.derive.interpreter import Array, Element
from bptt.derive.language.syntax import (
    Call,
    Node,
    Reference,
    Subscript,
    Transpose,
    children,
)
from bptt.derive.notation.plain import node_text


class Mentions(Indices):
    """Values of what a claim mentions, in one layout of derivatives."""

    def _reference(self, node: Reference, letters: Letters, depth: int) -> Value:
        name = self.concrete(node.name, letters)
        quantity = self._system.quantities.get(name)
        if quantity is not None:
            return self._remembered(node, letters, lambda: self._of_network(name, node, letters))
        definition = self.definition(name)
        if definition is not None:
            return self._remembered(
                node, letters, lambda: self._defined(definition, name, node, letters, depth)
            )
        if node.subscripts is None:
            index = self._index(name, letters)
            if index is not None:
                return scalar(index.astype(float))
            if name == "I":
                return Value(np.ones((1,) * (LETTERS + 2)), identity=True)
        known = [*self._system.quantities, *(d.target.name for d in self._definitions)]
        raise UserError(
            f"there is no quantity {shown(name)}{did_you_mean(name, known)}",
            place=node.at,
            remedy="name one of the network's, or define it",
        )

    def _of_network(self, name: str, node: Reference, letters: Letters) -> Value:
        """What a quantity of the network holds at a mention."""
        quantity = self._system.quantities[name]
        return self._matrix(self._read(quantity, node, letters, self._truth.value(name)))

    def _defined(
        self, definition: Definition, name: str, node: Reference, letters: Letters, depth: int
    ) -> Value:
        """What the source defines; subscripts behind its letters are of the element's units."""
        own = definition.target.subscripts or ()
        given = node.subscripts or ()
        if not len(own) <= len(given) <= len(own) + 2:
            raise UserError(
                f"{name!r} is defined with {len(own)} subscripts, and has {len(given)} here",
                place=node.at,
                remedy="give it as many",
            )
        bound: dict[str, Array | str] = dict(labels_of(definition.target.name, name) or {})
        for mine, theirs in zip(own, given, strict=False):
            assert mine.name is not None
            bound[mine.name] = self.step(theirs, letters, node.at)
        value = self.value(definition.body, bound, depth)
        units = [self.step(s, letters, node.at) - self._context.first for s in given[len(own) :]]
        return _element(value, units, node) if units else value

    def places(self, quantity: Quantity, node: Reference, letters: Letters) -> list[Array]:
        """Where a mention reads: along the steps, and along the units if it says so."""
        steps, shape = self._check_subscripts(quantity.name, node)
        given = node.subscripts or ()
        found = []
        for position, subscript in enumerate(given):
            number = self.step(subscript, letters, node.at) - self._context.first
            size = shape[position]
            if position < steps:
                number = number + self._truth.instance.pad
                size += 2 * self._truth.instance.pad
            elif number.min() < 0 or number.max() >= size:
                raise ShapeError(
                    f"an index of {node_text(node)} leaves the {size} units that it has"
                )
            found.append(number)
        return found

    def _read(self, quantity: Quantity, node: Reference, letters: Letters, values: Array) -> Array:
        """The elements of a mention: the letters, then the units that it leaves open."""
        places = self.places(quantity, node, letters)
        if not places:
            return values.reshape((1,) * LETTERS + values.shape)
        inside, beyond = _within(places, values.shape)
        found = np.asarray(values[tuple(inside)])
        # So far outside there is not even a number at random.
        blank = beyond.reshape(*beyond.shape, *(1,) * (found.ndim - beyond.ndim))
        return np.where(blank, np.nan, found) if np.any(beyond) else found

    def _matrix(self, array: Array) -> Value:
        """An array over letters and units as rows and columns."""
        units = array.ndim - LETTERS
        if units == 0:
            return scalar(array)
        if units == 1:
            return Value(array[..., None, :] if self._context.rows else array[..., None])
        if units > 2:
            raise ShapeError("a quantity with more than two axes of units is read as a matrix")
        return Value(array)

    def _remembered(self, node: Node, letters: Letters, compute: Callable[[], Value]) -> Value:
        """A mention at letters that stand on axes of their own is looked up once."""
        at = [letters.get(name, "") for name in letters_in(node)]
        if not all(isinstance(n, str) or is_along_axis(n) for n in at):
            return compute()
        key = (node, *(n if isinstance(n, str) else id(n) for n in at))
        if key not in self._memo:
            self._memo[key] = compute()
        return self._memo[key]

    def _argmin(self, node: Call, letters: Letters, depth: int) -> Value:
        """Where a number is least over a parameter, by one step of Newton's method.

        That is exact for what is quadratic in it, such as a linearised least-squares problem.
        """
        of, by = node.arguments if len(node.arguments) == 2 else (None, None)
        if not isinstance(of, Reference) or not isinstance(by, Reference) or by.subscripts:
            raise UserError(
                "argmin takes a number and a parameter", place=node.at, remedy="write argmin(Q, z)"
            )
        if by.name not in self._system.quantities or self._system.quantities[by.name].time_axis:
            raise UserError(
                f"argmin is over a parameter, not {shown(by.name)}",
                place=node.at,
                remedy="name one",
            )
        elements = list(self._truth.elements(by.name))
        if len(elements) > MAX_ARGMIN:
            raise UserError(
                f"argmin over {len(elements)} numbers",
                place=node.at,
                remedy=f"at most {MAX_ARGMIN} are read",
            )
        start = self._truth.value(by.name).reshape(-1)

        def gradient(step: Array) -> Array:
            found = self._moved(*zip(elements, map(complex, step), strict=True))
            found._level = self._level
            slopes = [found._slope(of, e, letters, depth) for e in elements]
            self._charge(found)
            self.is_rough |= found.is_rough
            return np.stack(slopes, axis=-1).reshape(-1)

        at_start = gradient(np.zeros_like(start))
        units = np.eye(len(elements))
        curvature = np.stack([gradient(unit) - at_start for unit in units], axis=-1)
        if np.linalg.eigvalsh((curvature + curvature.T) / 2).min() < 1e-9:
            raise UserError(f"{of.name!r} has no least value", place=node.at, remedy="add a term")
        step = -np.linalg.solve(curvature, at_start)
        if np.abs(gradient(step)).max() > 1e-6 * (1 + np.abs(at_start).max()):
            raise UserError(
                f"{of.name!r} is not quadratic in {by.name!r}", place=node.at, remedy="linearise it"
            )
        return Value((start + step).reshape((1,) * LETTERS + (-1, 1)))

    def _derivative(self, node: Call, letters: Letters, depth: int) -> Value:
        of, by, *held = node.arguments
        by, is_row = (by.operand, True) if isinstance(by, Transpose) else (by, False)
        is_vec = isinstance(by, Call) and by.function == "vec"
        by = by.arguments[0] if isinstance(by, Call) and is_vec else by
        if not isinstance(of, Reference) or not isinstance(by, Reference):
            raise UserError(
                "a derivative is of one quantity by one quantity",
                place=node.at,
                remedy="give a part of an expression a name of its own",
            )
        of = self._defined_as(of, letters) or of
        quantities = self._system.quantities
        of_name = self.concrete(of.name, letters)
        by_name = self.concrete(by.name, letters)
        if by_name not in quantities:
            raise UserError(
                f"there is no quantity {shown(by_name)}{did_you_mean(by_name, quantities)}",
                place=by.at,
                remedy="derive by one of the network's quantities",
            )
        if of_name not in quantities:
            return self._of_definition(of, by, letters, depth)
        if node.function == "explicit":
            tensor = self._truth.explicit(of_name, by_name)
        else:
            tensor = self._truth.total(of_name, by_name, tuple(self._held(h, by) for h in held))
        array, of_units = self._gather(tensor, of, by, letters)
        return self._laid_out(array, of_units, is_row, is_vec)

    def _defined_as(self, of: Reference, letters: Letters) -> Reference | None:
        """Another name of a quantity: a definition that is a mention."""
        found = None
        while True:
            definition = self.definition(self.concrete(of.name, letters))
            if definition is None or not isinstance(definition.body, Reference):
                return found
            if definition.target.subscripts or definition.body.subscripts:
                return found
            found = of = definition.body

    def _held(self, node: Node, by: Reference) -> Held:
        if not isinstance(node, Reference):
            raise UserError("what is held is no quantity", remedy="name signals")
        if node.subscripts is None:
            return Held(node.name, None)
        mine, theirs = node.subscripts[0], (by.subscripts or (Subscript(None, 0),))[0]
        if mine.name != theirs.name or mine.also != theirs.also:
            raise UserError(
                f"{node.name!r} is held at a step that has nothing to do with that of {by.name!r}",
                place=node.at,
                remedy="write its step as that of the second argument, plus or minus a number",
            )
        return Held(node.name, mine.offset - theirs.offset)

    def _gather(
        self, tensor: Array, of: Reference, by: Reference, letters: Letters
    ) -> tuple[Array, int]:
        """The elements of a derivative: the letters, then open units of the one and the other."""
        quantities = self._system.quantities
        names = [self.concrete(r.name, letters) for r in (of, by)]
        first, second = (quantities[n] for n in names)
        left, right = self.places(first, of, letters), self.places(second, by, letters)
        axes = [len(self._truth.instance.shapes[n][1]) for n in names]
        of_units = axes[0] - len(left)
        # Indexed axes to the front, open ones behind.
        order = [
            *range(len(left)),
            *range(axes[0], axes[0] + len(right)),
            *range(len(left), axes[0]),
            *range(axes[0] + len(right), axes[0] + axes[1]),
        ]
        moved = tensor.transpose(order)
        if not left and not right:
            return moved.reshape((1,) * LETTERS + moved.shape), of_units
        # Beyond the steps there is nothing to derive, or to derive by.
        inside, _ = _within([*left, *right], moved.shape)
        return np.asarray(moved[tuple(inside)]), of_units

    def _laid_out(self, array: Array, of_units: int, is_row: bool, is_vec: bool = False) -> Value:
        """A derivative in the claim's layout; `is_row`: what it is by has a transpose sign."""
        by_units = array.ndim - LETTERS - of_units
        lead = array.shape[:LETTERS]
        if by_units == 2 and (is_vec or is_row or of_units == 1):
            # By a matrix: by its elements, column after column.
            turned = np.swapaxes(array, -1, -2)
            array = turned.reshape((*lead, *array.shape[LETTERS : LETTERS + of_units], -1))
            by_units = 1
        if of_units == 0:
            if by_units == 1 and (is_row or self._layout == "numerator" or self._context.rows):
                return Value(array[..., None, :])
            if by_units == 2 and self._layout == "numerator":
                return Value(np.swapaxes(array, -1, -2))
            return Value(array[..., None]) if by_units == 1 else self._matrix(array)
        if of_units == 1:
            if by_units == 0:
                return self._matrix(array)
            transposed = (self._layout == "denominator" or self._context.rows) and not is_row
            return Value(np.swapaxes(array, -1, -2) if transposed else array)
        raise ShapeError("a derivative of a matrix is written by its elements")

    def _of_definition(self, of: Reference, by: Reference, letters: Letters, depth: int) -> Value:
        """The derivative of a number that the source defines."""
        quantity = self._system.quantities[self.concrete(by.name, letters)]
        if quantity.time_axis is not None or by.subscripts:
            raise UserError(
                f"{by.name!r} has steps", place=by.at, remedy="derive by a parameter as a whole"
            )
        elements = self._truth.elements(quantity.name)
        changes = [self._slope(of, element, letters, depth) for element in elements]
        shape = self._truth.instance.extents(quantity)
        array = np.stack(changes, axis=-1).reshape((*changes[0].shape, *shape))
        return self._laid_out(array, 0, False)

    def _slope(self, of: Reference, element: Element, letters: Letters, depth: int) -> Array:
        """A complex step; central differences, extrapolated, where it holds derivatives."""

        def at(by: complex) -> Array:
            moved = self._moved((element, by))
            value = moved.value(of, letters, depth)
            self._charge(moved)
            if not value.is_number:
                raise ShapeError(f"{of.name!r} is no number")
            return value.array[..., 0, 0]

        if not self._has_derivatives(of):
            return np.asarray(np.imag(at(1e-30j)) / 1e-30)
        if self._level:
            raise UserError(
                "derivatives of derivatives of derivatives",
                place=of.at,
                remedy="derive what a definition holds once",
            )
        self.is_rough = True
        slopes = [np.real(at(h) - at(-h)) / (2 * h) for h in (4e-3, 2e-3, 1e-3)]
        second = [(4 * b - a) / 3 for a, b in itertools.pairwise(slopes)]
        return np.asarray((16 * second[1] - second[0]) / 15)

    def _moved(self, *moved: tuple[Element, complex]) -> Mentions:
        """An evaluator for the same instance with something moved, one level further in."""
        level = self._level + 1
        found = type(self)(self._context, self._truth.disturbed(*moved), self._layout, level)
        found.most = self.most - self.visits
        return found

    def _charge(self, other: Mentions) -> None:
        """Count what another evaluator did, and what the interpreter did for it."""
        self.visits += other.visits + 10 * len(self._system.equations)

    def _has_derivatives(self, node: Node) -> bool:
        stack: list[Node] = [node]
        seen: set[str] = set()
        while stack:
            top = stack.pop()
            stack.extend(children(top))
            if isinstance(top, Call) and top.function in (*DERIVATIVES, "argmin"):
                return True
            if isinstance(top, Reference) and top.name not in seen:
                seen.add(top.name)
                definition = self.definition(top.name)
                if definition is not None:
                    stack.append(definition.body)
        return False


def _within(places: Sequence[Array], shape: Sequence[int]) -> tuple[list[Array], Array]:
    """Places moved into an array, and which of them were outside."""
    grids = np.broadcast_arrays(*places)
    outside = np.zeros(grids[0].shape, dtype=bool)
    inside = []
    for grid, size in zip(grids, shape, strict=False):
        outside |= (grid < 0) | (grid >= size)
        inside.append(np.minimum(np.maximum(grid, 0), size - 1))
    return inside, outside


def _element(value: Value, units: list[Array], node: Reference) -> Value:
    """An element of a vector, or of a matrix, over letters."""
    rows, columns = value.shape
    if len(units) == 1 and 1 not in (rows, columns):
        raise ShapeError(f"{node_text(node)} has one index, and is {rows}×{columns}")
    if len(units) == 1:
        zero = np.zeros((1,) * LETTERS, dtype=int)
        units = [units[0], zero] if columns == 1 else [zero, units[0]]
    for unit, size in zip(units, (rows, columns), strict=True):
        if unit.min() < 0 or unit.max() >= size:
            raise ShapeError(f"an index of {node_text(node)} leaves its range, {size}")
    grids = np.broadcast_arrays(*units, value.array[..., 0, 0])[:2]
    full = np.broadcast_to(value.array, (*grids[0].shape, rows, columns))
    places = np.indices(grids[0].shape)
    return scalar(full[(*places, *grids)])
