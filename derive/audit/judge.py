"""The numeric judge: both sides of a claim at random instances, from the smallest on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bptt.derive.audit.claim import Context, Layout
from bptt.derive.audit.evaluate import Evaluator
from bptt.derive.audit.indices import LETTERS, MAX_VISITS, Letters, along_axis, letters_in
from bptt.derive.audit.matrices import ShapeError, Value
from bptt.derive.audit.setting import Instance
from bptt.derive.audit.truth import Truth
from bptt.derive.calculus.system import System
from bptt.derive.errors import UserError
from bptt.derive.interpreter import Array
from bptt.derive.language.syntax import Big, Comparison, Node, Reference, children
from bptt.derive.notation.plain import node_text

# Relative; where differences took the place of complex steps, rougher.
TOLERANCE, ROUGH = 1e-10, 1e-7
FLOOR = 1e-4
MAX_POINTS = 100_000
MAX_LABELS = 2_000
# What an assignment of labels costs beside its nodes.
ASSIGNMENT = 10


@dataclass(frozen=True)
class Counterexample:
    """Where two sides differ: the sizes, the letters, and both values."""

    sizes: Mapping[str, int]
    steps: int
    letters: Mapping[str, int | str]
    left: Array
    right: Array
    sides: tuple[int, int] = (0, 1)
    instance: int = 0


@dataclass(frozen=True)
class Outcome:
    """What the numeric judge found: agreement at a number of instances, or where not."""

    instances: int = 0
    points: int = 0
    digits: float = 16.0
    counterexample: Counterexample | None = None
    shapes: str = ""

    @property
    def holds(self) -> bool:
        return self.counterexample is None and not self.shapes


class Judge:
    """Compares the sides of claims at a fixed set of instances; truths are computed once."""

    def __init__(self, context: Context, instances: Sequence[Instance]) -> None:
        self.context = context
        self.truths = [Truth(i, context.setting.states) for i in instances]
        self._evaluators: dict[tuple[int, Layout], Evaluator] = {}

    def _evaluator(self, truth: Truth, layout: Layout = "jacobian") -> Evaluator:
        key = (id(truth), layout)
        if key not in self._evaluators:
            self._evaluators[key] = Evaluator(self.context, truth, layout)
        return self._evaluators[key]

    @property
    def visits(self) -> int:
        """How many nodes were evaluated so far: what a search costs, the same on every machine."""
        return sum(e.visits for e in self._evaluators.values())

    @property
    def system(self) -> System:
        """The network at the sizes of the last instance."""
        return self.truths[-1].instance.system

    def compare(
        self,
        sides: Sequence[Node],
        where: Sequence[Comparison] = (),
        layout: Layout = "jacobian",
    ) -> Outcome:
        """Whether the sides are equal wherever the conditions hold, in a layout.

        What is no number on one side is no agreement.
        """
        try:
            with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
                return self._compared(sides, where, layout)
        except ArithmeticError as error:
            raise UserError(
                f"a side is no number at some instance ({error})",
                remedy="say in [draw] what is positive, or divide by nothing that is zero",
            ) from None
        except np.linalg.LinAlgError:
            return Outcome(shapes="a matrix without an inverse")

    def _compared(
        self,
        sides: Sequence[Node],
        where: Sequence[Comparison],
        layout: Layout,
    ) -> Outcome:
        shapes = self._shapes(sides, where, layout)
        if shapes:
            return Outcome(shapes=shapes)
        digits, points, seen = 16.0, 0, 0
        for number, truth in enumerate(self.truths):
            compared = 0
            for labels in self.assignments(where, truth):
                try:
                    letters = self.letters(sides, where, truth, labels)
                    kept, values = self.at(sides, where, truth, letters, layout)
                except ShapeError as misfit:
                    return Outcome(shapes=str(misfit))
                except ArithmeticError:
                    # One unit has no variance, say: larger networks are judged.
                    if not truth.instance.is_single:
                        raise
                    continue
                error, place = _furthest(values, kept)
                compared += int(kept.sum())
                is_rough = self._evaluator(truth, layout).is_rough
                if not error <= (ROUGH if is_rough else TOLERANCE):
                    example = _example(truth, letters, values, place, number)
                    return Outcome(seen, points, digits, example)
                digits = min(digits, 16.0 if error == 0 else -math.log10(error))
            points += compared
            seen += compared > 0
        return Outcome(seen, points, digits)

    def _shapes(self, sides: Sequence[Node], where: Sequence[Comparison], layout: Layout) -> str:
        """What does not conform where all sizes are different; nothing if all does."""
        truth = max(
            self.truths,
            key=lambda t: (not t.instance.is_single, len(set(t.instance.sizes.values())), -t.steps),
        )
        for labels in self.assignments(where, truth):
            try:
                letters = self.letters(sides, where, truth, labels)
                self.at(sides, where, truth, letters, layout)
            except ShapeError as misfit:
                return str(misfit)
        return ""

    def distance(
        self, sides: Sequence[Node], where: Sequence[Comparison], layout: Layout, number: int
    ) -> float:
        """How far the sides are apart at one instance, relatively; infinite if they do not fit."""
        try:
            with np.errstate(divide="raise", over="raise", invalid="raise", under="ignore"):
                return self._distance(sides, where, layout, number)
        except (ArithmeticError, np.linalg.LinAlgError):
            return math.inf

    def _distance(
        self, sides: Sequence[Node], where: Sequence[Comparison], layout: Layout, number: int
    ) -> float:
        truth = self.truths[number]
        apart, scale = 0.0, 1e-9
        for labels in self.assignments(where, truth):
            self._evaluator(truth, layout).visits += ASSIGNMENT
            try:
                letters = self.letters(sides, where, truth, labels)
                kept, values = self.at(sides, where, truth, letters, layout)
            except (ShapeError, UserError):
                return math.inf
            for left, right in itertools.pairwise(values):
                mask = kept[..., None, None]
                gap = np.nan_to_num(np.where(mask, np.abs(left.array - right.array), 0.0), nan=1e30)
                apart += float(gap.sum())
                whole = np.nan_to_num(np.abs(left.array) + np.abs(right.array))
                scale += float(np.where(mask, whole, 0.0).sum())
        return apart / scale if math.isfinite(apart) else math.inf

    def free_steps(self, sides: Sequence[Node]) -> list[str]:
        """The free letters that stand on steps, in the order of their first mention."""
        evaluator = self._evaluator(self.truths[-1])
        steps, _ = evaluator.letter_kinds(sides)
        names = dict.fromkeys(n for side in sides for n in free_letters(side, evaluator))
        return [n for n in names if n in steps]

    def shape(self, node: Node, number: int) -> tuple[int, int] | None:
        """Rows and columns of a tree at an instance; None where labels decide, or nothing fits."""
        truth = self.truths[number]
        first = np.full((1,) * LETTERS, self.context.first)
        try:
            with np.errstate(all="ignore"):
                letters = dict.fromkeys(letters_in(node), first)
                value = self._evaluator(truth).value(node, letters, 0)
        except (ShapeError, UserError, ArithmeticError, np.linalg.LinAlgError):
            return None
        return None if value.identity else value.shape

    def assignments(self, where: Sequence[Comparison], truth: Truth) -> Iterator[dict[str, str]]:
        """The labels that the claim's letters take, one by one."""
        evaluator = self._evaluator(truth)
        conditions = [c for c in where if "in" in c.operators]

        count = 0

        def choose(position: int, labels: dict[str, str]) -> Iterator[dict[str, str]]:
            nonlocal count
            if position == len(conditions):
                count += 1
                if count > MAX_LABELS:
                    raise UserError("too many labels", remedy="list fewer members in [sets]")
                yield labels
                return
            letter, members = conditions[position].operands
            assert isinstance(letter, Reference)
            assert isinstance(members, Reference)
            for label in evaluator.members(members.name, labels, members.at):
                yield from choose(position + 1, {**labels, letter.name: label})

        return choose(0, {})

    def letters(
        self,
        sides: Sequence[Node],
        where: Sequence[Comparison],
        truth: Truth,
        labels: Mapping[str, str],
    ) -> Letters:
        """The free letters, each with the numbers of its axis along an axis of its own."""
        evaluator = self._evaluator(truth)
        for side in sides:
            evaluator.check(side)
        steps, units = evaluator.letter_kinds(sides)
        if steps & units:
            raise UserError(
                f"the index {min(steps & units)!r} stands on steps and on units",
                remedy="use two letters, or another order of subscripts",
            )
        names = list(dict.fromkeys(n for side in sides for n in free_letters(side, evaluator)))
        for condition in (c for c in where if "in" not in c.operators):
            names += [
                n for o in condition.operands for n in free_letters(o, evaluator) if n not in names
            ]
        found: dict[str, Array | str] = dict(labels)
        taken = [n for n in names if n not in labels]
        if len(taken) > LETTERS - 4:
            raise UserError(f"{len(taken)} free letters", remedy=f"at most {LETTERS - 4} are read")
        for position, name in enumerate(taken):
            bounds = next(
                (b for side in sides if (b := evaluator.range_of(name, side, found))), None
            )
            if bounds is None:
                raise UserError(
                    f"{name!r} is neither a quantity, nor an index of one",
                    remedy="define it, or let it stand as a subscript",
                )
            found[name] = along_axis(bounds[0], bounds[1], position)
        return found

    def at(
        self,
        sides: Sequence[Node],
        where: Sequence[Comparison],
        truth: Truth,
        letters: Letters,
        layout: Layout,
    ) -> tuple[Array, list[Value]]:
        """Where the claim's conditions hold, and the values of its sides."""
        evaluator = self._evaluator(truth, layout)
        evaluator.most = evaluator.visits + MAX_VISITS
        depth = sum(not isinstance(v, str) for v in letters.values())
        conditions = tuple(c for c in where if "in" not in c.operators)
        shapes = [v.shape for v in letters.values() if not isinstance(v, str)]
        full = np.broadcast_shapes(*shapes, (1,) * LETTERS)
        if math.prod(full) > MAX_POINTS:
            raise UserError("too many points to compare", remedy="use fewer letters")
        kept = np.broadcast_to(evaluator.holds(conditions, letters), full)
        values = [evaluator.value(side, letters, depth) for side in sides]
        return kept, _same_shapes(sides, values)


def free_letters(node: Node, evaluator: Evaluator) -> list[str]:
    """The letters of a tree that no sum or product within it binds, in order."""
    match node:
        case Reference(name, None):
            return _unknown([name], evaluator) if "{" not in name else []
        case Reference(_, subscripts):
            names: list[str] = []
            for s in subscripts or ():
                names += [s.name] if s.name else []
                names += [n for _, n in s.also]
            # A letter of a subscript is an index, even where a size has the same name.
            return [n for n in names if not evaluator.is_length(n)]
        case Big(letter=letter):
            return [n for c in children(node) for n in free_letters(c, evaluator) if n != letter]
        case Comparison(operators=("in",)):
            return []
        case _:
            return [n for c in children(node) for n in free_letters(c, evaluator)]


def _unknown(names: Sequence[str], evaluator: Evaluator) -> list[str]:
    return [n for n in names if not evaluator.knows(n)]


def _same_shapes(sides: Sequence[Node], values: list[Value]) -> list[Value]:
    shape = max((v.shape for v in values if not v.identity), key=math.prod, default=(1, 1))
    found = []
    for value in values:
        if value.identity:
            if shape[0] != shape[1]:
                raise ShapeError(f"the identity beside a shape of {shape[0]}×{shape[1]}")
            value = Value(value.array * np.eye(shape[0]))
        elif value.shape != shape and not (value.is_number and not np.any(value.array)):
            texts = [
                f"{node_text(s)[:100]} is {v.shape[0]}×{v.shape[1]}"
                for s, v in zip(sides, values, strict=True)
            ]
            raise ShapeError(f"the sides have different shapes: {', '.join(texts)}")
        found.append(value)
    return found


def _furthest(values: list[Value], kept: Array) -> tuple[float, tuple[int, ...]]:
    """The greatest relative difference between neighbouring sides, and where it is."""
    worst, place = 0.0, (0,) * kept.ndim
    for left, right in itertools.pairwise(values):
        a, b = np.broadcast_arrays(left.array, right.array)
        full = np.broadcast_shapes(a.shape, (*kept.shape, 1, 1))
        a, b = np.broadcast_to(a, full), np.broadcast_to(b, full)
        blank = np.isnan(a) | np.isnan(b)
        a, b = np.where(blank, 1.0, a), np.where(blank, -1.0, b)
        scale = np.maximum(np.abs(a), np.abs(b)).max(axis=(-1, -2)) + FLOOR
        gap = np.abs(a - b).max(axis=(-1, -2)) / scale
        gap = np.where(kept, gap, 0.0)
        top = np.unravel_index(int(np.argmax(gap)), gap.shape)
        if gap[top] > worst:
            worst, place = float(gap[top]), tuple(int(n) for n in top)
    return worst, place


def _example(
    truth: Truth, letters: Letters, values: list[Value], place: tuple[int, ...], number: int
) -> Counterexample:
    at: dict[str, int | str] = {}
    for name, numbers in letters.items():
        if isinstance(numbers, str):
            at[name] = numbers
        else:
            at[name] = int(numbers.reshape(-1)[place[_axis(numbers)]])
    picked = []
    for value in values:
        index = tuple(p if n > 1 else 0 for p, n in zip(place, value.array.shape[:-2], strict=True))
        picked.append(np.real_if_close(value.array[index]))
    pair = next(
        (
            n
            for n, (a, b) in enumerate(itertools.pairwise(picked))
            if not np.max(np.abs(a - b)) <= TOLERANCE * (np.max(np.abs(a)) + FLOOR)
        ),
        0,
    )
    left, right = np.broadcast_arrays(picked[pair], picked[pair + 1])
    instance = truth.instance
    return Counterexample(
        dict(instance.sizes), instance.steps, at, left, right, (pair, pair + 1), number
    )


def _axis(numbers: Array) -> int:
    """The axis that a letter has for itself; any, where it has one value alone."""
    return next((n for n, size in enumerate(numbers.shape) if size > 1), LETTERS - 1)
