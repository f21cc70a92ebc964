"""What a repair may put in: factors and terms made of the network's quantities."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from bptt.derive.audit.claim import Context
from bptt.derive.audit.edits import Words
from bptt.derive.audit.readings import walk
from bptt.derive.audit.setting import Instance
from bptt.derive.calculus.system import name_of
from bptt.derive.language import syntax

MAX_TERMS = 4_000


def words_of(
    context: Context,
    instance: Instance,
    sides: Sequence[syntax.Node],
    where: Sequence[syntax.Comparison],
) -> Words:
    """The names, labels and letters that edits of a claim may use."""
    system = instance.system
    groups: dict[tuple[object, ...], list[str]] = {}
    for quantity in system.quantities.values():
        if quantity.internal or quantity.role == "loss":
            continue
        is_parameter = quantity.role == "parameter"
        _, shape = instance.shapes[quantity.name]
        groups.setdefault((is_parameter, shape), []).append(quantity.name)
    for definition in context.definitions:
        if "{" not in definition.target.name:
            key = ("definition", len(definition.target.subscripts or ()))
            groups.setdefault(key, []).append(definition.target.name)
    alike = {
        name: tuple(n for n in names if n != name) for names in groups.values() for name in names
    }
    labels = [
        c.operands[0].name
        for c in where
        if c.operators == ("in",) and isinstance(c.operands[0], syntax.Reference)
    ]
    labels += [n.letter for s in sides for n in walk(s) if isinstance(n, syntax.Big) and n.members]
    steps = {n: axes[0] for n, axes in context.axes.items()}
    units = [letter for letter, is_step in _letters(sides, steps) if not is_step]
    return Words(
        steps,
        alike,
        _activations(instance),
        tuple(dict.fromkeys(labels)),
        tuple(dict.fromkeys((*units, *_steps(sides, steps)))),
        _delays(sides),
        _families(context, sides),
    )


def _delays(sides: Sequence[syntax.Node]) -> tuple[str, ...]:
    """The letters that the claim adds to steps, or takes off."""
    mentioned = [n for side in sides for n in walk(side) if isinstance(n, syntax.Reference)]
    subscripts = [s for n in mentioned for s in n.subscripts or ()]
    holes = [hole for n in mentioned for hole in re.findall(r"\{(\w+)\}", n.name)]
    found = [name for s in subscripts for _, name in s.also]
    # A delay may be left out everywhere but in the name of its weight.
    return tuple(dict.fromkeys((*found, *(h for h in holes if h == "d"))))


def _families(context: Context, sides: Sequence[syntax.Node]) -> tuple[str, ...]:
    """The sets with as many labels as those that the claim sums over."""
    stems = {
        n.members.partition("{")[0]: n.members.count("{")
        for side in sides
        for n in walk(side)
        if isinstance(n, syntax.Big) and "{" in n.members
    }
    found = []
    for name in context.sets:
        stem, _, rest = name.partition("_")
        if rest and any(rest.count("_") + 1 == count for count in stems.values()):
            found.append(f"{stem}_")
    return tuple(dict.fromkeys(found))


def _activations(instance: Instance) -> dict[str, tuple[str, str]]:
    """The signals that are the value of a function of another."""
    found = {}
    for equation in instance.system.equations:
        if len(equation.terms) != 1 or not equation.terms[0].is_pointwise:
            continue
        factor = equation.terms[0].factor
        reads = equation.terms[0].reads()
        if factor.is_Function and len(reads) == 1 and factor.args == (reads[0],):
            found[equation.quantity.name] = (type(factor).__name__, name_of(reads[0]))
    return found


def _steps(sides: Sequence[syntax.Node], steps: Mapping[str, int]) -> list[str]:
    """The letters that stand on steps."""
    found = (letter for letter, is_step in _letters(sides, steps) if is_step and letter != "T")
    return list(dict.fromkeys(found))


def _letters(sides: Sequence[syntax.Node], steps: Mapping[str, int]) -> Iterator[tuple[str, bool]]:
    """The letters of subscripts, each with whether it stands on a step there."""
    for node in (n for side in sides for n in walk(side) if isinstance(n, syntax.Reference)):
        for position, subscript in enumerate(node.subscripts or ()):
            if subscript.name is not None:
                yield subscript.name, position < steps.get(node.name, 1)


def mentions(
    context: Context, instance: Instance, sides: Sequence[syntax.Node], words: Words
) -> tuple[list[syntax.Node], list[syntax.Node]]:
    """Parameters, and signals at steps nearby."""
    letters = _steps(sides, words.steps)
    fixed: list[syntax.Node] = []
    moving: list[syntax.Node] = []
    for quantity in instance.system.quantities.values():
        if quantity.internal or quantity.role == "loss":
            continue
        steps = context.axes[quantity.name][0]
        if steps == 0:
            is_fixed = quantity.role == "parameter"
            (fixed if is_fixed else moving).append(syntax.Reference(quantity.name, None, ""))
        elif steps == 1:
            for letter in letters:
                for offset in (0, -1, 1):
                    subscript = (syntax.Subscript(letter, offset),)
                    moving.append(syntax.Reference(quantity.name, subscript, ""))
        # In index notation elements: w[k,l], z[t,j].
        units = [syntax.Subscript(n, 0) for n in words.letters if n not in letters]
        count = context.axes[quantity.name][1]
        for at in itertools.permutations(units, count) if count else ():
            if steps == 0:
                fixed.append(syntax.Reference(quantity.name, at, ""))
            elif steps == 1:
                ends = [(syntax.Subscript(letter, 0), *at) for letter in letters]
                moving += [syntax.Reference(quantity.name, end, "") for end in ends]
    return fixed, moving


def derivatives(context: Context, sides: Sequence[syntax.Node], words: Words) -> list[syntax.Node]:
    """Derivatives that the claim could mention: those of the definitions, and of its own kind."""
    letters = _steps(sides, words.steps)
    found: list[syntax.Node] = []
    for definition in context.definitions:
        own = definition.target.subscripts or ()
        if "{" in definition.target.name or len(own) > 1:
            continue
        if not own:
            found.append(definition.target)
        for letter in letters if own else ():
            found += [
                syntax.Reference(definition.target.name, (syntax.Subscript(letter, o),), "")
                for o in (0, 1, -1)
            ]
    losses = {
        n.arguments[0]
        for side in sides
        for n in walk(side)
        if isinstance(n, syntax.Call)
        and n.function == "total"
        and isinstance(n.arguments[0], syntax.Reference)
        and not n.arguments[0].subscripts
    }
    names = [n for n, (steps, units) in context.axes.items() if steps == 1 and n in words.alike]
    if any(_is_jacobian(n) for side in sides for n in walk(side)):
        found += _jacobians(names, letters)
    for loss in {getattr(n, "name", ""): n for n in losses}.values():
        for name in names:
            for letter in letters:
                found += [
                    syntax.Call(
                        "total",
                        (loss, syntax.Reference(name, (syntax.Subscript(letter, o),), "")),
                        "",
                    )
                    for o in (0, 1, -1)
                ]
    return found


def _is_jacobian(node: syntax.Node) -> bool:
    """Whether this is the derivative of something with steps."""
    is_call = isinstance(node, syntax.Call) and node.function in ("total", "explicit")
    of = node.arguments[0] if is_call and isinstance(node, syntax.Call) else None
    return isinstance(of, syntax.Reference) and bool(of.subscripts)


def _jacobians(names: Sequence[str], letters: Sequence[str]) -> Iterator[syntax.Node]:
    """How a signal depends on itself, between any two steps that the claim speaks of."""
    steps = [
        syntax.Subscript(letter, offset) for letter in (*letters, "T") for offset in (0, -1, 1)
    ]
    for name in names:
        for later, earlier in itertools.permutations(steps, 2):
            ends = (syntax.Reference(name, (s,), "") for s in (later, earlier))
            yield syntax.Call("total", tuple(ends), "")


def families(context: Context, sides: Sequence[syntax.Node], words: Words) -> Iterator[syntax.Node]:
    """Mentions of families, with the labels, steps and indices that the claim speaks of."""
    letters = _steps(sides, words.steps)
    steps = [syntax.Subscript(t, 0) for t in letters]
    moved = itertools.product(letters, words.delays, (-1, 1))
    steps += [syntax.Subscript(t, 0, ((sign, d),)) for t, d, sign in moved]
    units = [n for n in words.letters if n not in letters]
    for template in context.families:
        holes = re.findall(r"\{(\w+)\}", template.name)
        # A delay stands for delays alone.
        choices = [
            [n for n in words.labels if (n in words.delays) == (hole in words.delays)]
            for hole in holes
        ]
        for labels in itertools.product(*choices):
            if len(set(labels)) < len(labels):
                continue
            name = template.name
            for hole, label in zip(holes, labels, strict=True):
                name = name.replace(f"{{{hole}}}", f"{{={label}}}")
            name = name.replace("{=", "{")
            if template.subscripts is None:
                yield syntax.Reference(name, None, "")
                continue
            for step in steps:
                for at in itertools.permutations(units, len(template.subscripts) - 1):
                    subscripts = (step, *(syntax.Subscript(n, 0) for n in at))
                    yield syntax.Reference(name, subscripts, "")


def factors(
    fixed: Iterable[syntax.Node], moving: Iterable[syntax.Node], ahead: Iterable[syntax.Node]
) -> Iterator[syntax.Node]:
    """Factors that may be missing."""
    one, two = syntax.Number("1", ""), syntax.Number("2", "")
    for node in fixed:
        yield node
        yield syntax.Transpose(node, "")
        yield syntax.Binary("/", one, node, "")
        yield syntax.Binary("/", one, syntax.Binary("*", two, node, ""), "")
    for node in moving:
        square = syntax.Binary("**", node, syntax.Number("2", ""), "")
        rest = syntax.Binary("-", one, node, "")
        yield from (
            node,
            rest,
            syntax.Binary("-", one, square, ""),
            syntax.Binary("*", node, rest, ""),
        )
        yield syntax.Transpose(node, "")
        for inner in (
            node,
            syntax.Binary("-", one, square, ""),
            syntax.Binary("*", node, rest, ""),
        ):
            yield syntax.Call("diag", (inner,), "")
        tanh = syntax.Binary("**", syntax.Call("tanh", (node,), ""), syntax.Number("2", ""), "")
        yield syntax.Binary("-", one, tanh, "")
        yield syntax.Call("tanh", (node,), "")
        yield syntax.Call("exp", (node,), "")
    for node in ahead:
        yield node
        yield syntax.Transpose(node, "")
    yield syntax.Reference("I", None, "")


def missing_terms(
    fixed: Sequence[syntax.Node], moving: Sequence[syntax.Node], ahead: Sequence[syntax.Node]
) -> Iterator[syntax.Node]:
    """Terms that may be missing: a derivative through a weight, and through an activation."""
    one = syntax.Number("1", "")
    for delta in ahead:
        yield delta
        if isinstance(delta, syntax.Reference) and delta.subscripts is None:
            yield from _of_numbers(delta, fixed)
        for weight in fixed:
            yield syntax.Binary("*", weight, delta, "")
            for side in (weight, syntax.Transpose(weight, "")):
                yield syntax.Binary("@", side, delta, "")
                yield syntax.Binary("@", delta, side, "")
        for signal in moving:
            yield syntax.Binary("*", delta, signal, "")
            yield syntax.Binary("@", delta, syntax.Transpose(signal, ""), "")
    yield from _through_jacobians(ahead)
    for delta in ahead:
        for signal in moving:
            square = syntax.Binary("**", signal, syntax.Number("2", ""), "")
            slope = syntax.Binary("-", one, square, "")
            logistic = syntax.Binary("*", signal, syntax.Binary("-", one, signal, ""), "")
            for inner in (slope, logistic):
                product = syntax.Binary("*", inner, delta, "")
                yield product
                for weight in fixed:
                    yield syntax.Binary("@", syntax.Transpose(weight, ""), product, "")
            for other in moving:
                yield syntax.Binary("*", syntax.Binary("*", delta, signal, ""), other, "")
    for weight in fixed:
        yield weight
    for signal in moving:
        yield from (signal, syntax.Call("diag", (signal,), ""))
        yield syntax.Binary("@", signal, syntax.Transpose(signal, ""), "")
        for weight in fixed:
            yield syntax.Binary("@", weight, signal, "")


def _through_jacobians(ahead: Sequence[syntax.Node]) -> Iterator[syntax.Node]:
    """`total(x[s], x[t]).T @ total(L, x[s])`."""
    calls = [n for n in ahead if isinstance(n, syntax.Call)]
    for jacobian in calls:
        of = jacobian.arguments[0]
        for gradient in calls:
            if isinstance(of, syntax.Reference) and of.subscripts and gradient.arguments[1] == of:
                yield syntax.Binary("@", syntax.Transpose(jacobian, ""), gradient, "")


def _of_numbers(defined: syntax.Node, fixed: Sequence[syntax.Node]) -> Iterator[syntax.Node]:
    """A number or a matrix that the source defines, by or times a parameter."""
    two = syntax.Number("2", "")
    inverse = syntax.Call("trace", (syntax.Call("inv", (defined,), ""),), "")
    for parameter in fixed:
        twice = syntax.Binary("*", two, parameter, "")
        for factor in (parameter, twice):
            yield syntax.Binary("/", defined, factor, "")
            yield syntax.Binary("*", factor, defined, "")
            yield syntax.Binary("*", factor, inverse, "")
