"""A gradient that somebody wrote by hand, against numbers that nobody derived.

The function takes dicts of arrays, (T, B, width), as a generated module does, and gives a dict of
gradients, or the loss and such a dict. What is wrong is explained by the kinds of error: the
derived equations are spoilt one by one until they compute what the function does.
"""

from __future__ import annotations

import ast
import inspect
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bptt.derive.audit import edits as slips
from bptt.derive.audit.edits import Edit, Words
from bptt.derive.audit.setting import Instance, Setting, draw
from bptt.derive.audit.truth import Truth
from bptt.derive.calculus.adjoint import adjoint
from bptt.derive.calculus.causality import is_computable
from bptt.derive.calculus.dependence import is_gradient
from bptt.derive.calculus.system import Equation, System
from bptt.derive.description.build import build
from bptt.derive.description.network import Network
from bptt.derive.errors import UserError, shown
from bptt.derive.interpreter import Array, OutsideError
from bptt.derive.notation.index import index_statement
from bptt.derive.notation.plain import formula_text
from bptt.derive.notation.reader import read_equations

TOLERANCE = 1e-6
SAME = 1e-7
MAX_SPOILT = 400
MAX_DELAY = 20
# Numbers in code beyond this are no numbers of steps.
MAX_STEPS = 64
# Factors of weights, of biases and of inputs, by which a network remembers more or less.
SCALES = tuple(
    itertools.product((0.6, 0.8, 1.0, 1.2, 1.5, 1.8, 2.2, 3.0), (0.01, 1.0, 4.0), (0.01, 0.3))
)
SEEDS = (3, 4)
# As much as the first inputs have to matter, for the last ones to be given up on.
ENOUGH = 0.03
Gradients = Mapping[str, Array]
Function = Callable[..., Any]


@dataclass(frozen=True)
class Compared:
    """One gradient: how far it is from the truth, and what explains that."""

    name: str
    error: float
    found: str = ""
    explanation: str = ""

    @property
    def is_right(self) -> bool:
        return not self.found and self.error <= TOLERANCE


@dataclass(frozen=True)
class _Case:
    """An instance with its true gradients, and the arguments that the function is given."""

    instance: Instance
    truth: Gradients

    def arguments(self) -> tuple[dict[str, Array], dict[str, Array], dict[str, Array]]:
        """Parameters, inputs and targets."""
        system, arrays = self.instance.system, self.instance.arrays
        parameters = {q.name: np.array(arrays[q.name]) for q in system.of_role("parameter")}
        inputs = {q.name: np.array(arrays[q.name]) for q in system.of_role("input")}
        targets = {loss.output: np.array(arrays[loss.target]) for loss in system.losses}
        return parameters, inputs, targets


@dataclass(frozen=True)
class Comparison:
    """The gradients that a function gives, and in words at which sizes it was asked for them."""

    gradients: tuple[Compared, ...]
    sizes: str


def compare_by_hand(network: Network, function: Function) -> Comparison:
    """What the function gives, for every parameter. Raises UserError where it cannot be called."""
    reach = build(network).reach.values()
    longest = max((max(r.before, r.after) for r in reach), default=0)
    if longest > MAX_DELAY:
        raise UserError(f"a delay of {longest} steps", remedy=f"at most {MAX_DELAY} are compared")
    setting = _setting(network)
    small = {letter: 2 + n % 3 for n, letter in enumerate(setting.letters)}
    own = {letter: int(letter.split()[1]) for letter in setting.letters}
    try:
        return _compare(setting, small, longest, function)
    except UserError as error:
        if own == small:
            raise
        try:
            return _compare(setting, own, longest, function)
        except UserError:
            raise error from None


def _setting(network: Network) -> Setting:
    targets = [loss.target for loss in build(network).losses if loss.by_class]
    return Setting(network, dict.fromkeys(targets, "one hot"), judged=True)


def _compare(
    setting: Setting, sizes: Mapping[str, int], longest: int, function: Function
) -> Comparison:
    # Gradients go back through the longest delay twice.
    steps = 2 * longest + 1
    cases = [
        _case(setting, sizes, *at) for at in ((max(steps, 3), 2, 1), (max(steps + 1, 4), 3, 2))
    ]
    given = [_called(function, case) for case in cases]
    found = [_compared(name, cases, given) for name in cases[0].truth]
    wrong = [c.name for c in found if not c.is_right]
    surplus = [n for n in given[0] if n not in cases[0].truth]
    if wrong:
        far = [c.name for c in found if not c.found and not c.is_right]
        explained = _explained(cases, given, far)
        found = [replace(c, explanation=explained.get(c.name, "")) for c in found]
    else:
        found = _at_length(setting, sizes, _beyond(function, steps), function)
    for name in surplus:
        found.append(Compared(str(name), 0.0, found="there is no such parameter"))
    are_own = all(int(letter.split()[1]) == n for letter, n in sizes.items())
    named = ", ".join(f"{n} for {letter.removeprefix('size ')}" for letter, n in sizes.items())
    return Comparison(tuple(found), "the file's sizes" if are_own else f"sizes {named}")


def _at_length(
    setting: Setting, sizes: Mapping[str, int], steps: int, function: Function
) -> list[Compared]:
    """The gradients of a sequence that is longer than what a function may stop at.

    Where they differ, the shortest sequence for which they do says where it stops.
    """
    long = _Long(setting, sizes, steps)
    found = long.compared(steps, function)
    if all(c.is_right for c in found):
        return found
    fewer = next(
        (n for n in range(3, steps) if not all(c.is_right for c in long.compared(n, function))),
        steps,
    )
    words = f"is right for {fewer - 1} steps, and wrong for {fewer}: does it go back far enough?"
    return [c if c.is_right or c.found else replace(c, explanation=words) for c in found]


def _beyond(function: Function, steps: int) -> int:
    """More steps than any number in a function's file says, and than powers of two up to 32."""
    try:
        tree = ast.parse(Path(inspect.getsourcefile(function) or "").read_text(encoding="utf-8"))
    except (OSError, TypeError, SyntaxError, ValueError):
        tree = ast.parse("")
    numbers = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant))
    known = [n for n in numbers if type(n) is int and n <= MAX_STEPS]
    return 2 + max([32, steps, *known])


class _Long:
    """Sequences of any length, drawn so that the first steps matter as the last ones do.

    Their gradients are those of the adjoint system: shorter ones have been compared without it.
    """

    def __init__(self, setting: Setting, sizes: Mapping[str, int], steps: int) -> None:
        self._setting, self._sizes = setting, sizes
        self._derived = adjoint(setting.system(sizes))
        best = -1.0
        for seed in SEEDS:
            plain = _instance(setting, sizes, steps, 2, seed)
            for factors in SCALES:
                ratio = _memory(self._scaled(plain, factors))
                if ratio > best:
                    best, self._seed, self._factors = ratio, seed, factors
                if best > ENOUGH:
                    return

    def _scaled(self, plain: Instance, factors: tuple[float, float, float]) -> Instance:
        weights, offsets, inputs = factors
        arrays = dict(plain.arrays)
        for quantity in plain.system.of_role("parameter"):
            factor = weights if len(quantity.axes) > 1 else offsets
            arrays[quantity.name] = factor * arrays[quantity.name]
        for quantity in plain.system.of_role("input", differentiable=True):
            arrays[quantity.name] = inputs * arrays[quantity.name]
        return replace(plain, system=self._derived, arrays=arrays)

    def compared(self, steps: int, function: Function) -> list[Compared]:
        """What the function gives for so many steps."""
        plain = _instance(self._setting, self._sizes, steps, 2, self._seed)
        instance, system = self._scaled(plain, self._factors), self._derived
        made = {q.name: system.derivative("loss", q.name) for q in system.of_role("parameter")}
        values = instance.values(of=tuple(made.values()))
        truth = {name: values[gradient] for name, gradient in made.items()}
        case = _Case(replace(instance, system=plain.system), truth)
        given = [_called(function, case)]
        return [_compared(name, [case], given) for name in truth]


def _memory(instance: Instance) -> float:
    """How much the first inputs matter beside the last ones, or these beside the first."""
    system = instance.system
    sides = [system.derivative("loss", q.name) for q in system.of_role("input")]
    with np.errstate(all="ignore"):
        slopes = instance.values(of=[n for n in sides if n])
    ends = [(np.abs(a[0]).max(), np.abs(a[-1]).max()) for a in slopes.values() if a.ndim > 1]
    ratios = [min(a, b) / max(a, b) for a, b in ends if np.isfinite(a + b) and max(a, b) > 0]
    return max(ratios, default=0.0)


def _case(setting: Setting, sizes: Mapping[str, int], steps: int, batch: int, seed: int) -> _Case:
    instance = _instance(setting, sizes, steps, batch, seed)
    truth = Truth(instance)
    names = [q.name for q in instance.system.of_role("parameter")]
    return _Case(instance, {name: truth.total("loss", name) for name in names})


def _instance(
    setting: Setting, sizes: Mapping[str, int], steps: int, batch: int, seed: int
) -> Instance:
    instance = draw(setting, sizes, steps, seed, batch=batch, room=1 + steps // 4)
    # The function need not know of values before the first step: those that are not given are zero.
    instance = replace(instance, initial={}, after={})
    system, arrays = instance.system, dict(instance.arrays)
    for quantity in (*system.masks, *system.of_role("weight")):
        arrays[quantity.name] = np.ones_like(arrays[quantity.name])
    return replace(instance, arrays=arrays)


def _called(function: Function, case: _Case) -> dict[str, Array]:
    """The gradients that the function gives. Raises UserError where it fails."""
    arguments: Sequence[Any] = case.arguments()
    try:
        count = len(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        count = 3
    shapes = ", ".join(f"{n} {a.shape}" for group in arguments for n, a in group.items())
    try:
        result = function(*arguments[: min(count, 3)])
    except Exception as error:
        raise UserError(
            f"the function stops with {type(error).__name__}: {str(error)[:200]}",
            remedy=f"it is given parameters, inputs and targets: {shapes[:300]}",
        ) from None
    if isinstance(result, tuple) and len(result) == 2:
        result = result[1]
    if not isinstance(result, Mapping):
        raise UserError(
            f"the function gives {shown(type(result).__name__)}",
            remedy="let it give a dict of gradients, or the loss and such a dict",
        )
    found = {}
    for name, value in result.items():
        try:
            found[str(name)] = np.asarray(value, dtype=float)
        except (TypeError, ValueError, OverflowError):
            raise UserError(
                f"the gradient {shown(name)} is no array of numbers", remedy="give arrays"
            ) from None
    # dW and d_W are what W is called here.
    names = {q.name for q in case.instance.system.of_role("parameter")}
    for name in list(found):
        for prefix in ("d_", "d", "grad_"):
            bare = name.removeprefix(prefix)
            if name not in names and bare != name and bare in names and bare not in found:
                found[bare] = found.pop(name)
    return found


def _compared(name: str, cases: Sequence[_Case], given: Sequence[Gradients]) -> Compared:
    worst = 0.0
    for case, gradients in zip(cases, given, strict=True):
        right = case.truth[name]
        if name not in gradients:
            return Compared(name, np.inf, found="it is missing")
        own = gradients[name]
        if own.shape != right.shape:
            found = f"its shape is {own.shape}, where that of the parameter is {right.shape}"
            return Compared(name, np.inf, found=found)
        worst = max(worst, _relative(own, right))
    return Compared(name, worst)


def _relative(found: Array, right: Array) -> float:
    if not np.all(np.isfinite(found)):
        return np.inf
    scale = max(float(np.max(np.abs(right), initial=0.0)), 1e-8)
    return float(np.max(np.abs(found - right), initial=0.0)) / scale


# What explains a wrong gradient.


def _explained(
    cases: Sequence[_Case], given: Sequence[Gradients], wrong: Sequence[str]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in wrong:
        factor = _factor(name, cases, given)
        if factor:
            found[name] = factor
    rest = [n for n in wrong if n not in found]
    if rest:
        found |= _by_spoiling(cases, given, rest)
    return found


def _factor(name: str, cases: Sequence[_Case], given: Sequence[Gradients]) -> str:
    """A constant factor, or a transpose."""
    for words, factor in _FACTORS.items():
        if all(
            _relative(g[name], factor(c.instance.steps, c.instance.batch) * c.truth[name]) < SAME
            for c, g in zip(cases, given, strict=True)
        ):
            return f"is {words} what it should be"
    for case, gradients in zip(cases, given, strict=True):
        right = case.truth[name]
        if right.ndim != 2 or right.shape[0] != right.shape[1]:
            return ""
        if _relative(gradients[name].T, right) > SAME:
            return ""
    return "is the transpose of what it should be"


_FACTORS: dict[str, Callable[[int, int], float]] = {
    "-1 times": lambda t, b: -1.0,
    "2 times": lambda t, b: 2.0,
    "1/2 of": lambda t, b: 0.5,
    "T times": lambda t, b: t,
    "1/T of": lambda t, b: 1 / t,
    "B times": lambda t, b: b,
    "1/B of": lambda t, b: 1 / b,
    "B T times": lambda t, b: b * t,
    "1/(B T) of": lambda t, b: 1 / (b * t),
    "zero, and not": lambda t, b: 0.0,
}


def _by_spoiling(
    cases: Sequence[_Case], given: Sequence[Gradients], wrong: Sequence[str]
) -> dict[str, str]:
    """The first slip in the derived equations that gives the same wrong numbers.

    Every slip that leaves equations which can be computed one after another is tried.
    """
    systems = [adjoint(case.instance.system) for case in cases]
    found: dict[str, str] = {}
    for edit, equation, others in itertools.islice(_spoilt(systems, wrong), MAX_SPOILT):
        if is_gradient(others[0], equation.quantity.name) and len(found) == len(wrong):
            continue
        explained = [
            n
            for n in wrong
            if all(_agrees(n, c, g, s) for c, g, s in zip(cases, given, others, strict=True))
        ]
        where = f"({equation.number}), {equation.quantity.name},"
        words = f"agrees if in {where} {slips.misread(edit)}"
        if len(explained) == len(wrong):
            # One slip for all that is wrong is likelier than one for each.
            return dict.fromkeys(wrong, words)
        for name in explained:
            found.setdefault(name, words)
    return found


def _agrees(name: str, case: _Case, gradients: Gradients, system: System) -> bool:
    gradient = system.derivative("loss", name)
    try:
        values = replace(case.instance, system=system).values(of=(gradient,))
    except (ArithmeticError, OutsideError):
        # The slip divides by zero, or reads an element that is not there.
        return False
    return _relative(gradients[name], values[gradient]) < SAME


def _spoilt(
    systems: Sequence[System], wrong: Sequence[str]
) -> Iterator[tuple[Edit, Equation, list[System]]]:
    """Every slip in every derived equation, those of the wrong gradients first."""
    system = systems[0]
    words = _words(system)
    own = {system.derivative("loss", n) for n in wrong}
    equations = [e for e in system.derived if e.quantity.name in own]
    equations += [e for e in system.derived if not is_gradient(system, e.quantity.name)]
    for equation in equations:
        statement = index_statement(equation, system.quantities)
        choices = sorted(
            slips.edits(statement.expression, words), key=lambda p: slips.usualness(p[0])
        )
        for edit, tree in choices:
            text = formula_text(statement.target, tree)
            spoilt = [new for s in systems if (new := _replaced(s, equation, text)) is not None]
            if len(spoilt) == len(systems) and all(map(is_computable, spoilt)):
                yield edit, equation, spoilt


def _replaced(system: System, equation: Equation, text: str) -> System | None:
    try:
        (new,) = read_equations(text, system)
    except UserError:
        # What does not fit the axes is no equation.
        return None
    equations = tuple(
        replace(new, number=e.number) if e.quantity.name == equation.quantity.name else e
        for e in system.equations
    )
    return replace(system, equations=equations)


def _words(system: System) -> Words:
    """Names of one shape stand for each other."""
    groups: dict[tuple[object, ...], list[str]] = {}
    for quantity in system.quantities.values():
        sizes = tuple(str(system.shape(quantity)[n]) for n in range(len(quantity.axes)))
        is_adjoint = quantity.is_derived and not is_gradient(system, quantity.name)
        is_data = quantity.role == "input" and not quantity.differentiable
        is_named = quantity.role in ("signal", "input", "parameter") and not is_data
        if is_adjoint or (is_named and not quantity.is_derived):
            groups.setdefault((quantity.role == "parameter", sizes), []).append(quantity.name)
    alike = {n: tuple(o for o in names if o != n) for names in groups.values() for n in names}
    steps = {q.name: sum(a.is_step for a in q.axes) for q in system.quantities.values()}
    return Words(steps, alike)
