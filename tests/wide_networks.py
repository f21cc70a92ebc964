"""Networks of equations drawn at random from the whole language, and a judge of their own.

The generator writes each equation twice: as text of the equation language, and as Python code for
one element of its left side. The judge evaluates the code element by element, with the losses
written out from their documented formulas, and differentiates it by complex steps; it shares
nothing with the parser, the elaboration, the calculus and the emitter that it judges.

    python -m tests.wide_networks SEED            judges the network of one seed
    python -m tests.wide_networks SEED --reduce   looks for a smaller network with the same failure
    python -m tests.wide_networks FIRST --count N counts what N seeds end with
"""

from __future__ import annotations

import argparse
import cmath
import contextlib
import inspect
import itertools
import random
import re
import sys
import traceback
import types
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np

from bptt.codegen import generate
from bptt.codegen.emit import module_source, source_of_test
from bptt.codegen.extras import EXTRAS, extend
from bptt.derive import System, adjoint, build
from bptt.derive.description.topology import loads
from bptt.derive.errors import UserError

X = TypeVar("X")
Shape = tuple[int, ...]
Arrays = dict[str, Any]

# Names that generated code, its templates or the printers might use themselves.
NAMES = (
    *("i", "j", "k", "b", "n", "m", "e", "l", "p", "v", "w", "E", "I", "S", "N"),
    *("Q", "R", "G", "O", "dot", "ends", "skip", "first_step", "total_steps", "chunk_loss"),
    *("chunk_objective", "target", "targets", "parameters", "arrays_", "inputs", "state", "out"),
    *("x_by_W", "y_per_W", "step", "steps", "beta", "gamma", "lambda_", "pi", "zeta", "W_T", "x_1"),
    *("x_0", "given", "sizes", "shape", "name", "before", "after", "initial", "weights", "forward"),
    *("gradients", "found", "whole", "segment", "carry", "carry_h", "R_h", "e_y", "G_W", "jvp"),
    *("h_after", "h_t", "x_t", "n_y", "y_a", "x_part", "x_h", "logsumexp_y", "part_y", "mode"),
    *("direction", "vector", "stop", "start", "at", "rows", "zeros", "axis", "values", "outside"),
    *("is_data", "PARAMETERS", "LENGTHS", "OUTPUTS", "INITIAL", "self", "print", "list", "tuple"),
    *("abs_", "Sum", "delta", "one", "unit", "re", "im", "sp", "sigma", "mu", "Gamma", "y_hat"),
    *("A1", "b_1", "t1", "T1", "tt", "ts", "BB", "bool_", "float", "int", "len", "sorted", "any"),
    *("prev", "next", "h_1", "d", "D", "y_by_b", "variance_y", "centred_y", "judged", "skip_"),
)
UNIT_LETTERS = ("i", "j", "k", "l", "m", "n", "p", "q", "e", "i1", "kk", "a", "c", "h", "x", "w")
TINY = 1e-30
CLOSE = 1e-8
MOST = 1e4
NEAR_KINK = 0.02
# What rounding leaves of sums that cancel is as large as what they are sums of. float32 tells how
# much: CLOSE of its own is five times that of float64, and this many times as much may differ.
ROUNDING = 10


class Failure(Exception):  # noqa: N818
    """What a module computes is not what the judge computes; `about` says which part of it."""

    def __init__(self, about: str, detail: str = "") -> None:
        super().__init__(f"{about}: {detail}" if detail else about)
        self.about = about


class Choices:
    """Numbers drawn at random and recorded; those of `given` first, and zeros behind those.

    Zero is the simplest choice everywhere: what comes of fewer and smaller numbers is smaller.
    """

    def __init__(self, seed: int, given: Sequence[int] | None = None) -> None:
        self._rng = random.Random(seed)
        self._given = given
        self.made: list[int] = []

    def below(self, count: int) -> int:
        if self._given is None:
            found = self._rng.randrange(count)
        else:
            at = len(self.made)
            found = min(self._given[at], count - 1) if at < len(self._given) else 0
        self.made.append(found)
        return found

    def pick(self, options: Sequence[X]) -> X:
        return options[self.below(len(options))]

    def chance(self, percent: int) -> bool:
        return self.below(100) >= 100 - percent


# Expressions.


@dataclass(frozen=True)
class Expr:
    """Text of the language, and Python code of the element at index texts.

    `rank` says what must be put into parentheses: 0 a sum, 1 a product, 2 a sign, 3 a power,
    4 anything else. In index notation the shape is ().
    """

    text: str
    rank: int
    shape: Shape
    code: Callable[..., str]

    def within(self, rank: int) -> str:
        return self.text if self.rank >= rank else f"({self.text})"

    def element(self, at: Sequence[str]) -> str:
        return self.code(*at) if self.shape else self.code()


def number(text: str) -> Expr:
    return Expr(text, 4, (), lambda: text)


def binary(operator: str, a: Expr, b: Expr) -> Expr:
    """a and b of one shape, or one of them a scalar."""
    rank = 0 if operator in "+-" else 1
    text = f"{a.within(rank)} {operator} {b.within(rank + 1)}"
    return Expr(
        text, rank, a.shape or b.shape, lambda *at: f"({a.element(at)} {operator} {b.element(at)})"
    )


def negative(a: Expr) -> Expr:
    return Expr(f"-{a.within(3)}", 2, a.shape, lambda *at: f"(-{a.element(at)})")


def power(a: Expr, exponent: str) -> Expr:
    return Expr(
        f"{a.within(4)} ** {exponent}",
        3,
        a.shape,
        lambda *at: f"power({a.element(at)}, {exponent})",
    )


def function(name: str, a: Expr) -> Expr:
    return Expr(f"{name}({a.text})", 4, a.shape, lambda *at: f"f_{name}({a.element(at)})")


class Letters:
    """Names of the variables that stand for sums in the Python code."""

    def __init__(self) -> None:
        self._count = 0

    def new(self) -> str:
        self._count += 1
        return f"v{self._count}_"


# The network.


@dataclass
class Quantity:
    """An input, a parameter or a signal. `axes` are the names of its axes of steps."""

    id: str
    kind: str
    size: Shape
    axes: tuple[str, ...] = ()
    batch: bool = True
    group: int = -1
    order: int = 0
    loop: int = 0
    direction: int = -1
    final: str = ""
    statement: str = ""
    letters: tuple[str, ...] = ()
    expr: Expr | None = None
    logits: Expr | None = None
    reads: tuple[str, ...] = ()


@dataclass(frozen=True)
class Loss:
    output: str
    kind: str
    weight: float
    steps: str
    delta: float
    mask: str
    classes: bool


@dataclass
class Drawn:
    """A network that was drawn: its quantities by id, with the texts of their equations."""

    seed: int
    draw: Choices
    quantities: dict[str, Quantity] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    lengths: dict[str, int] = field(default_factory=dict)
    batch: int = 1
    extras: tuple[str, ...] = ()
    names: dict[str, str] = field(default_factory=dict)
    chunks: bool = True
    letters: Letters = field(default_factory=Letters)

    def of(self, *kinds: str) -> list[Quantity]:
        return [q for q in self.quantities.values() if q.kind in kinds]

    def new(self, kind: str, size: Shape, **more: Any) -> Quantity:
        q = Quantity(f"q_{len(self.quantities)}_", kind, size, **more)
        self.quantities[q.id] = q
        return q

    def shape(self, q: Quantity) -> Shape:
        """The shape of its array."""
        steps = tuple(self.lengths[a] for a in q.axes)
        batch = (self.batch,) if q.kind != "parameter" and q.batch else ()
        return (*steps, *batch, *q.size)

    def mentioned(self) -> list[Quantity]:
        """The parameters that an equation has; others were drawn and thrown away."""
        found = _mentioned(" ".join(map(_right, self.of("signal"))))
        return [q for q in self.of("parameter") if q.id in found]

    def name(self, id_: str) -> str:
        return self.names.get(id_, id_)

    def named(self, text: str) -> str:
        return re.sub(r"q_\d+_", lambda m: self.name(m[0]), text)

    def topology(self, declared: bool) -> str:
        """The topology file; all shapes are declared, or only those of the signals."""
        lines = [f'name = "wide_{self.seed}"']
        if self.outputs:
            lines.append(f"outputs = [{', '.join(_quoted(o) for o in self.outputs)}]")
        lines += ['equations = """', *(q.statement for q in self.of("signal")), '"""', "[inputs]"]
        for q in self.of("input", "mask"):
            keys = [f"size = {list(q.size)}", f"time = [{', '.join(map(_quoted, q.axes))}]"]
            keys += ["batch = false"] * (not q.batch) + ["mask = true"] * (q.kind == "mask")
            lines.append(f"{q.id} = {{ {', '.join(keys)} }}")
        lines.append("[signals]")
        lines += [f"{q.id} = {list(q.size)}" for q in self.of("signal")]
        if declared:
            lines.append("[parameters]")
            lines += [f"{q.id} = {list(q.size)}" for q in self.mentioned()]
        lines.append("[loss]")
        for x in self.losses:
            keys = [f"kind = {_quoted(x.kind)}", f"weight = {x.weight}"]
            keys += [f"steps = {_quoted(x.steps)}"] * (x.steps != "all")
            keys += [f"delta = {x.delta}"] * (x.kind == "huber")
            keys += [f"mask = {_quoted(x.mask)}"] * bool(x.mask)
            lines.append(f"{x.output} = {{ {', '.join(keys)} }}")
        return self.named("\n".join(lines) + "\n")


def _quoted(text: str) -> str:
    return f'"{text}"'


SMOOTH = ("tanh", "sigmoid", "sin", "cos", "softplus", "gaussian", "square", "linear")
KINKED = ("relu", "leaky_relu", "elu", "abs")
SQUASHING = ("tanh", "sigmoid", "sin", "gaussian")
CONSTANTS = ("2", "0.5", "0.3", "1", "1e-1", "3", "0.25", ".7", "0")


def draw_network(seed: int, given: Sequence[int] | None = None) -> Drawn:
    """The network of a seed, or that of the choices given."""
    net = Drawn(seed, Choices(seed, given))
    draw = net.draw
    net.lengths["T"] = draw.pick((2, 3, 1, 4))
    net.batch = draw.pick((1, 2, 3))
    if draw.chance(60):
        net.extras = tuple({draw.pick(tuple(EXTRAS)) for _ in range(1 + draw.below(2))})
    has_s = draw.chance(30)
    if has_s:
        net.lengths["S"] = draw.pick((2, 1, 3))
    _inputs(net, has_s)
    _signals(net)
    _judged(net)
    net.chunks = net.chunks and not has_s
    pool = list(NAMES)
    for id_ in net.quantities:
        if draw.chance(50):
            net.names[id_] = pool.pop(draw.below(len(pool)))
        else:
            net.names[id_] = f"q{id_[2:-1]}"
    return net


def _size(draw: Choices, most: int = 2) -> Shape:
    axes = min(draw.pick((1, 1, 1, 0, 2)), most)
    return tuple(draw.pick((2, 1, 3, 4) if axes < 2 else (2, 1, 3)) for _ in range(axes))


def _inputs(net: Drawn, has_s: bool) -> None:
    draw = net.draw
    if draw.chance(3) and not has_s:
        return
    net.new("input", _size(draw), axes=("T",))
    if has_s:
        net.new("input", _size(draw), axes=("S",), batch=not draw.chance(30))
    for _ in range(draw.pick((0, 1, 2))):
        axes = draw.pick((("T",), (), ("T", "T"), *((("S",), ("T", "S"), ("S", "T")) * has_s)))
        mask = draw.chance(40)
        size = () if mask and not draw.chance(20) else _size(draw)
        batch = not axes or not draw.chance(30)
        net.new("mask" if mask else "input", size, axes=axes, batch=batch)


def _signals(net: Drawn) -> None:
    """The signals in groups: those of one group may need each other at other steps."""
    draw = net.draw
    count = draw.pick((1, 2, 3, 4))
    group = 0
    while count > 0:
        group += 1
        loops = draw.chance(60) or not net.of("input")
        axis = draw.pick(tuple(net.lengths))
        direction = 1 if loops and draw.chance(20) else -1
        members = min(count, draw.pick((1, 1, 2, 3)) if loops else 1)
        second_loop = loops and members == 1 and draw.chance(10)
        new = []
        for order in range(members):
            axes: tuple[str, ...] = (axis,)
            if not loops and draw.chance(25):
                axes = ()
            elif second_loop:
                axes = (draw.pick(tuple(net.lengths)), axis)
            elif draw.chance(20):
                axes = (axis, draw.pick(tuple(net.lengths)))
            size = _size(draw)
            final = draw.pick(("", "linear", "softmax", "sigmoid", "log_softmax"))
            if len(size) != 1 or (size == (1,) and "softmax" in final):
                final = final if final == "linear" else ""
            q = net.new(
                "signal", size, axes=axes, group=group if loops else -1, order=order,
                loop=int(second_loop), direction=direction, final=final,
            )  # fmt: skip
            new.append(q)
        for q in new:
            _Equation(net, q).write()
        count -= members


def _judged(net: Drawn) -> None:
    draw = net.draw
    reached = _reached(net)
    eligible = [
        q for q in net.of("signal") if len(q.size) == 1 and len(q.axes) < 2 and q.id in reached
    ]
    if not eligible:
        source = next((q for q in net.of("input") if q.axes == ("T",)), None)
        group = -1 if source else 99
        q = net.new("signal", (2,), axes=("T",), final="linear", group=group)
        _Equation(net, q, connected=True).write()
        eligible = [q]
        reached = _reached(net)
    chosen = [eligible[-1]]
    if draw.chance(30):
        chosen.append(draw.pick(eligible))
    for q in dict.fromkeys(x.id for x in chosen):
        net.losses.append(_loss(net, net.quantities[q]))
    rest = [q.id for q in net.of("signal") if q.size and q.id in reached]
    if draw.chance(20) and rest:
        net.outputs.append(draw.pick(rest))


def _reached(net: Drawn) -> set[str]:
    """The signals that an input without a mask reaches and that differ between sequences.

    Without inputs those that are read at other steps are given values before the first.
    """
    given = net.of("input", "mask")
    batched = {q.id for q in given if q.batch}
    found = {q.id for q in given if q.kind == "input"}
    if not given:
        remembered = {
            m[1]
            for q in net.of("signal")
            for m in re.finditer(r"(q_\d+_)\[[a-z]+[+-]\d", _right(q))
        }
        batched = found = remembered
    for known in (batched, found):
        before = -1
        while len(known) > before:
            before = len(known)
            known |= {q.id for q in net.of("signal") if known & set(q.reads)}
    for q in net.of("signal"):
        q.batch = q.id in batched
    return batched & found


def _right(q: Quantity) -> str:
    return q.statement.partition(" = ")[2]


def _mentioned(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(re.findall(r"q_\d+_", text)))


def _loss(net: Drawn, q: Quantity) -> Loss:
    draw = net.draw
    kinds = ["mse", "sse", "huber"]
    if q.size[0] > 1 and q.final in ("linear", "softmax", "log_softmax"):
        kinds += ["cross_entropy"] * 2
    if q.final in ("linear", "sigmoid"):
        kinds += ["binary_cross_entropy"] * 2
    steps, mask = "all", ""
    if q.axes:
        told = any("T" in x.axes for x in net.of("input", "mask"))
        steps = draw.pick(("all", "last", "weighted") if told else ("all", "weighted"))
        masks = [m for m in net.of("mask") if m.size == () and m.axes == q.axes]
        if steps == "all" and masks and draw.chance(60):
            mask = draw.pick(masks).id
    kind = draw.pick(kinds)
    return Loss(
        q.id, kind, draw.pick((1.0, 0.5, 2.0, -0.7)), steps, draw.pick((1.0, 0.5)), mask,
        kind == "cross_entropy" and draw.chance(50),
    )  # fmt: skip


class _Equation:
    """Writes the equation of one signal, in matrix notation or in index notation."""

    def __init__(self, net: Drawn, q: Quantity, *, connected: bool = False) -> None:
        self.net, self.q, self.draw = net, q, net.draw
        self.connected = connected or not self.draw.chance(5)  # whether an input must be read
        self.by_index = self.draw.chance(45)
        self.steps: dict[str, str] = {}  # letters of steps in scope, and their axes
        self.past: set[str] = set()  # those that run over steps before (after) the loop's own
        self.units: dict[str, int] = {}  # letters of units in scope, and their sizes
        self.taken: set[str] = set()  # letters that some sum of the equation has
        self.anchored: set[str] = set()  # letters of steps that stand on a quantity
        self.alone = False  # whether nothing of the group may be read here

    def write(self) -> None:
        q, draw = self.q, self.draw
        letters = ["t", "s", "r", "u"]
        for axis in q.axes:
            usual = "s" if axis == "S" else "t"
            free = [x for x in letters if x not in self.steps]
            letter = usual if usual in free and not draw.chance(15) else draw.pick(free)
            self.steps[letter] = axis
        self.left = tuple(self.steps)
        if self.by_index:
            for n in q.size:
                letter = self._new_unit()
                self.units[letter] = n
        self.left_units = tuple(self.units)
        shape = () if self.by_index else q.size
        if shape and draw.chance(4) and q.final != "softmax":
            shape = ()
        expr = self._whole(shape)
        q.expr, q.letters = expr, (*self.left, *self.left_units)
        subscripts = ", ".join(q.letters) if draw.chance(20) else ",".join(q.letters)
        q.statement = f"{q.id}{f'[{subscripts}]' if q.letters else ''} = {expr.text}"
        q.reads = _mentioned(expr.text)
        if len(q.axes) > 1:
            self.net.chunks = False
        if q.group > 0 and q.direction > 0:
            self.net.chunks = False

    def _whole(self, shape: Shape) -> Expr:
        q, draw = self.q, self.draw
        expr = self.gen(shape, draw.pick((1, 2, 3)))
        if q.group > 0:
            members = [m for m in self.net.of("signal") if m.group == q.group]
            expr = binary("+", expr, self.adapted(draw.pick(members), shape))
        given = [x for x in self.net.of("input") if x.batch]
        if given and not {x.id for x in given} & self._sources(expr) and self.connected:
            expr = binary("+", expr, self.adapted(draw.pick(given), shape))
        for place, letter in enumerate(self.left):
            is_likely = self.steps[letter] != "S" and (place == 0 or not self._has_steps("T"))
            if letter not in self.anchored and not is_likely:
                expr = binary("+", expr, self._anchor(letter))
        # A letter that stands on the left side alone could be one of steps as well as of units.
        for letter in self.left_units:
            if not re.search(rf"[\[,]{letter}\b", expr.text):
                p = self._shared((self.units[letter],))
                expr = binary("+", expr, self.read_at(p, [letter]))
        if q.final == "linear" and expr.rank:
            expr = binary("+", expr, self.parameter(shape))
        if q.final in ("softmax", "log_softmax", "sigmoid") and (shape or self.by_index):
            if self.by_index:
                letter = self.left_units[0]
                p = self._shared((self.units[letter],))
                expr = binary("+", expr, self.read_at(p, [letter]))
            q.logits = expr
            if q.final == "sigmoid":
                return function("sigmoid", expr)
            if self.by_index:
                return self._normalised(q.final, expr, self.left_units[0], "")
            return self._softmax(q.final, expr)
        if q.final in ("softmax", "log_softmax", "sigmoid"):
            q.final = ""
        if q.group > 0 and q.final == "":
            expr = function(draw.pick(SQUASHING), expr)
        return expr

    def _sources(self, expr: Expr) -> set[str]:
        """What an expression depends on, as far as it is known."""
        found: set[str] = set()
        stack = list(_mentioned(expr.text))
        while stack:
            id_ = stack.pop()
            if id_ not in found:
                found.add(id_)
                stack += self.net.quantities[id_].reads
        return found

    # Reads.

    def _step(
        self, q: Quantity, position: int, must: str = "", seen: Sequence[str] = ()
    ) -> tuple[str, str]:
        """A subscript of steps as text and as code; seldom with a letter that is `seen`."""
        draw, axis = self.draw, q.axes[position]
        if q.group == self.q.group > 0 and position == q.loop:
            if self.past and draw.chance(70):
                letter = draw.pick(sorted(self.past))
                offset = 0
            else:
                letter = self.left[self.q.loop]
                least = 0 if q.order < self.q.order else 1
                offset = self.q.direction * (least + draw.pick((0, 0, 1, 2)))
        else:
            fitting = [x for x, a in self.steps.items() if a == axis]
            others = [x for x in fitting if x not in seen]
            if seen and not draw.chance(10):
                fitting = others
            if must in fitting:
                letter = must
            elif fitting and not draw.chance(10):
                letter = fitting[0] if draw.chance(50) else draw.pick(fitting[::-1])
            else:
                return self._fixed(q, position)
            offset = draw.pick((0, 0, 0, -1, 0, 1, -2, -3, 2))
            if q.group == self.q.group > 0 and q.loop and not draw.chance(20):
                offset = 0
            if offset > 0 and not position:
                self.net.chunks = False
        if q.group != self.q.group or q.group < 0:
            # A signal of the group may itself be bound to its axis by no more than this read.
            self.anchored.add(letter)
        text = f"{letter}{offset:+d}" if offset else letter
        return text, text

    def _fixed(self, q: Quantity, position: int) -> tuple[str, str]:
        draw = self.draw
        ways = ("end", "0") if position else ("end", "0", "0", "1", "end-1", "2")
        text = draw.pick(ways) if len(q.axes) < 2 or draw.chance(10) else "end"
        if text != "end" or self.q.axes:
            self.net.chunks = False
        return text, text.replace("end", f"(L_{q.axes[position]}-1)")

    def _readable(self) -> list[Quantity]:
        """Inputs, signals of earlier groups, and of this one."""
        found = [*self.net.of("input", "mask")]
        for s in self.net.of("signal"):
            same = s.group == self.q.group > 0
            if (same and not self.alone) or (not same and s.statement):
                found.append(s)
        return found

    def read(self, q: Quantity, must: str = "") -> Expr:
        """A quantity as a whole, at some step: in matrix notation."""
        texts, codes = self._steps(q, must)
        subscripts = f"[{','.join(texts)}]" if texts else ""
        batch = () if q.kind == "parameter" else ("b",)
        return Expr(
            q.id + subscripts, 4, q.size, lambda *at: f"{q.id}({', '.join((*codes, *batch, *at))})"
        )

    def _steps(self, q: Quantity, must: str = "") -> tuple[list[str], list[str]]:
        pairs: list[tuple[str, str]] = []
        for position in range(len(q.axes)):
            pairs.append(self._step(q, position, must, [text[:1] for text, _ in pairs]))
        return [text for text, _ in pairs], [code for _, code in pairs]

    def read_at(self, q: Quantity, musts: Sequence[str] = ()) -> Expr:
        """One element of a quantity: in index notation. `musts` are letters that it must have."""
        draw = self.draw
        texts, codes = self._steps(q, next((m for m in musts if m in self.steps), ""))
        todo = [m for m in musts if m in self.units]
        for n in q.size:
            fitting = [x for x, size in self.units.items() if size == n]
            wanted = next((m for m in todo if m in fitting), None)
            shorter = [x for x, size in self.units.items() if size < n]
            if wanted:
                todo.remove(wanted)
                text = wanted
            elif fitting and not draw.chance(15):
                text = draw.pick(fitting)
            elif shorter and draw.chance(40):
                letter = draw.pick(shorter)
                text = f"{letter}+{1 + draw.below(n - self.units[letter])}"
            else:
                text = str(draw.below(n))
            texts.append(text)
            codes.append(text)
        if q.kind != "parameter":
            codes.insert(len(q.axes), "b")
        code = f"{q.id}({', '.join(codes)})"
        subscripts = f"[{','.join(texts)}]" if texts else ""
        return Expr(q.id + subscripts, 4, (), lambda: code)

    def parameter(self, size: Shape) -> Expr:
        """A parameter; in index notation one that has some of the letters in scope."""
        if self.by_index:
            letters = list(self.units)
            chosen = [x for x in letters if self.draw.chance(70)][:3]
            return self.read_at(self._shared(tuple(self.units[x] for x in chosen)), chosen)
        return self.read(self._shared(size))

    def _shared(self, size: Shape) -> Quantity:
        """A parameter of a size: a new one, or one that is there."""
        same = [p for p in self.net.of("parameter") if p.size == size]
        if same and self.draw.chance(25):
            return self.draw.pick(same)
        return self.net.new("parameter", size)

    def adapted(self, q: Quantity, shape: Shape) -> Expr:
        """A read of a quantity made to fit a shape, by a parameter."""
        if self.by_index:
            return self._product_with(q, list(self.left_units))
        e = self.read(q)
        if e.shape == shape:
            return e if self.draw.chance(50) else binary("*", self.parameter(()), e)
        match len(e.shape), len(shape):
            case 1, 1 | 2:
                inner = self._matmul(self.parameter((*shape, *e.shape)[-2:]), e)
                return inner if len(shape) == 1 else self._outer(self.parameter(shape[:1]), inner)
            case 1, 0:
                return self._matmul(self.parameter(e.shape), e)
            case 0, _:
                return binary("*", self.parameter(shape), e)
            case 2, 1 if e.shape[0] == shape[0]:
                return self._matmul(e, self.parameter(e.shape[1:]))
            case _:
                return binary("*", self.parameter(shape), self._total("sum", e))

    def _anchor(self, letter: str) -> Expr:
        """A scalar that is read along an axis by the letter."""
        axis = self.steps[letter]
        q = self.draw.pick([x for x in self.net.of("input", "mask") if axis in x.axes])
        if self.by_index:
            return self._product_with(q, [], must=letter)
        e = self.read(q, letter)
        return self._total("sum", e) if e.shape else e

    def _product_with(self, q: Quantity, letters: list[str], must: str = "") -> Expr:
        """A parameter times a quantity, summed over the units of the latter."""
        outer = dict(self.units)
        new = []
        for n in q.size:
            letter = self._new_unit()
            self.units[letter] = n
            new.append(letter)
        e = self.read_at(q, [*new, must] if must else new)
        p = self.read_at(
            self._shared(tuple(self.units[x] for x in (*letters, *new))), [*letters, *new]
        )
        self.units = outer
        return self._summed(
            binary("*", p, e), [(x, str(n)) for x, n in zip(new, q.size, strict=True)]
        )

    def _summed(self, e: Expr, over: list[tuple[str, str]]) -> Expr:
        """A product whose repeated letters are summed, without being named as such."""
        loops = " ".join(f"for {letter} in range({n})" for letter, n in over)
        code = f"sum({e.code()} {loops})" if over else e.code()
        return Expr(e.text, e.rank, (), lambda: code)

    def _new_unit(self) -> str:
        free = [x for x in UNIT_LETTERS if x not in self.taken and x not in self.units]
        letter = free[0] if not self.draw.chance(20) else self.draw.pick(free)
        self.taken.add(letter)
        return letter

    # What both notations have.

    def gen(self, shape: Shape, depth: int) -> Expr:
        """An expression of a shape, `depth` levels deep at most."""
        if depth <= 0:
            return self.leaf(shape)
        options: list[Callable[[Shape, int], Expr]] = [
            lambda s, _: self.leaf(s), self._of_function, self._sum, self._sum, self._product,
            self._quotient, self._negative, self._power, self._exponential, self._logarithm,
            self._timed, self._over_steps, self._over_steps, self._kinked,
        ]  # fmt: skip
        if self.by_index:
            options += [self._contracted] * 4 + [self._explicit] * 3
            options += [self._unit_softmax] * bool(self.left_units)
            options += [self._step_softmax] * bool(self.left) + [self._trace]
            options += [self._step_product] * bool(self.left_units)
        else:
            options += [self._step_softmax] * bool(self.left)
            options += [
                (self._dot, self._dot, self._reduced, self._reduced, self._component),
                (
                    *(self._matvec, self._matvec, self._matvec, self._matvec, self._vecmat),
                    *(self._concat, self._concat, self._slice, self._row),
                    *(self._softmaxed, self._normed, self._transposed),
                ),
                (
                    *(self._outer_of, self._outer_of, self._diagonal, self._matmat),
                    *(self._transposed, self._slice),
                ),
            ][len(shape)] * 2
        return self.draw.pick(options)(shape, depth)

    def leaf(self, shape: Shape) -> Expr:
        draw = self.draw
        if self.by_index:
            if draw.chance(30):
                return self.parameter(())
            if draw.chance(8):
                return number(draw.pick(CONSTANTS))
            readable = self._readable()
            return self.read_at(draw.pick(readable)) if readable else self.parameter(())
        fitting = [q for q in self._readable() if q.size == shape]
        if fitting and not draw.chance(25):
            return self.read(draw.pick(fitting))
        if not shape and draw.chance(20):
            return number(draw.pick(CONSTANTS))
        others = [q for q in self._readable() if q.size]
        if others and draw.chance(60):
            return self.adapted(draw.pick(others), shape)
        return self.parameter(shape)

    def _of_function(self, shape: Shape, depth: int) -> Expr:
        return function(self.draw.pick(SMOOTH), self.gen(shape, depth - 1))

    def _kinked(self, shape: Shape, depth: int) -> Expr:
        return function(self.draw.pick(KINKED), self.gen(shape, depth - 1))

    def _sum(self, shape: Shape, depth: int) -> Expr:
        a = self.gen(shape, depth - 1)
        b = self.gen(() if shape and self.draw.chance(15) else shape, depth - 1)
        return binary(self.draw.pick(("+", "-")), *self._either(a, b))

    def _product(self, shape: Shape, depth: int) -> Expr:
        a = self.gen(shape, depth - 1)
        b = self.gen(() if shape and self.draw.chance(40) else shape, depth - 1)
        return self._times(*self._either(a, b))

    def _times(self, a: Expr, b: Expr) -> Expr:
        """A product; in index notation each side keeps the sums that it has."""
        if self.by_index:
            a = Expr(a.within(2), 4, (), a.code)
            b = Expr(b.within(2), 4, (), b.code)
        return binary("*", a, b)

    def _either(self, a: Expr, b: Expr) -> tuple[Expr, Expr]:
        return (b, a) if self.draw.chance(30) else (a, b)

    def _positive(self, shape: Shape, depth: int) -> Expr:
        """An expression that stays away from zero."""
        draw = self.draw
        e = self.gen(shape, depth - 2)
        return draw.pick(
            (
                lambda: binary("+", number("1.5"), function("square", e)),
                lambda: binary("+", number("2"), function("sin", e)),
                lambda: binary("+", power(e, "2"), number("0.5")),
                lambda: function("exp", function("tanh", e)),
                lambda: binary("+", number("1"), function("exp", negative(function("sin", e)))),
                lambda: binary("-", number("3"), function("sigmoid", e)),
            )
        )()

    def _quotient(self, shape: Shape, depth: int) -> Expr:
        below = self._positive(() if self.draw.chance(30) else shape, depth)
        above = self.gen(shape, depth - 1) if not self.draw.chance(20) or shape else number("1")
        if self.by_index:
            above = Expr(above.within(2), 4, (), above.code)
        return binary("/", above, below)

    def _negative(self, shape: Shape, depth: int) -> Expr:
        return negative(self.gen(shape, depth - 1))

    def _power(self, shape: Shape, depth: int) -> Expr:
        if self.draw.chance(50):
            return power(self._positive(shape, depth), self.draw.pick(("0.5", "-1", "1.5", "-2")))
        return power(self.gen(shape, depth - 1), self.draw.pick(("2", "3", "1")))

    def _exponential(self, shape: Shape, depth: int) -> Expr:
        return function("exp", function(self.draw.pick(SQUASHING), self.gen(shape, depth - 2)))

    def _logarithm(self, shape: Shape, depth: int) -> Expr:
        return function(self.draw.pick(("log", "sqrt")), self._positive(shape, depth))

    def _timed(self, shape: Shape, depth: int) -> Expr:
        """What depends on the number of the step."""
        e = self.gen(shape, depth - 1)
        if "t" not in self.steps:
            return e
        on = self.draw.pick((0, 0, 1, -1))
        period = self.draw.pick((2, 3, 1))
        shifted = f"t{on:+d}" if on else "t"
        known = Expr(
            f"every({shifted}, {period})", 4, (), lambda: f"float(({shifted}) % {period} == 0)"
        )
        if "t" not in self.left or self.draw.chance(30):
            known = self.draw.pick(
                (
                    function("sin", Expr("t", 4, (), lambda: "t")),
                    binary("*", number("0.1"), Expr("t", 4, (), lambda: "t")),
                )
            )
        if "t" not in self.left and "t" not in self.anchored:
            return e
        return self._times(known, e)

    # Sums over steps.

    def _opened(self, axis: str) -> str | None:
        free = [x for x in ("s", "r", "u", "t") if x not in self.steps and x not in self.taken]
        if not free:
            return None
        letter = free[0] if not self.draw.chance(20) else self.draw.pick(free)
        self.steps[letter] = axis
        self.taken.add(letter)
        return letter

    def _span(self, letter: str, *, may_be_empty: bool) -> tuple[str, str]:
        """Which steps a letter runs over: as text, and as a condition in Python."""
        draw, axis = self.draw, self.steps[letter]
        if not draw.chance(50):
            return letter, ""
        others = [x for x in self.left if x != letter and self.steps[x] == axis]
        cross = [x for x in self.left if x != letter and self.steps[x] != axis]
        ways: list[str] = []
        if others and letter != "t":
            other = draw.pick(others)
            ways += [f"{letter} <= {other}", f"{letter} >= {other}"]
            ways += [f"{other}-2 <= {letter} <= {other}", f"{letter} < {other}+1"]
            ways += [f"{other} >= {letter}"] * (other == "t")
            ways += [f"{letter} <= {other}+1", f"0 <= {letter} <= {other}"]
            if may_be_empty:
                ways += [f"{letter} < {other}", f"{letter} > {other}", f"{other}+1 <= {letter}"]
                ways += [f"{other}-3 <= {letter} < {other}", f"{letter} <= {other}-2"]
        elif cross and letter != "t":
            ways += [f"{letter} <= {draw.pick(cross)}"]
        ways += [f"{letter} < 2", f"{letter} <= 0"]
        if may_be_empty:
            ways += [f"{letter} >= 1", f"1 <= {letter} <= 2", f"{letter} > 0"]
        text = draw.pick(ways)
        return text, text

    def _past_span(self, letter: str) -> tuple[str, str]:
        loop = self.left[self.q.loop]
        if self.q.direction < 0:
            text = self.draw.pick((f"{letter} < {loop}", f"{loop}-2 <= {letter} < {loop}"))
        else:
            text = self.draw.pick((f"{letter} > {loop}", f"{loop}+1 <= {letter} <= {loop}+2"))
        return text, text

    def _over_steps(self, shape: Shape, depth: int) -> Expr:
        """A sum, mean, logsumexp or maximum over an axis of steps."""
        draw = self.draw
        axis = draw.pick(tuple(self.net.lengths))
        how = draw.pick(("sum", "sum", "mean", "logsumexp", "max"))
        scope = dict(self.steps)
        letter = self._opened(axis) if self._has_steps(axis) else None
        if letter is None:
            return self.leaf(shape)
        self.net.chunks = False
        past = (
            self.q.group > 0 and how == "sum" and letter != "t" and draw.chance(30)
            and self.q.axes[self.q.loop] == axis and not self.past
        )  # fmt: skip
        if past:
            self.past = {letter}
        body = self._using(letter, shape, depth)
        self.past = set() if past else self.past
        if past:
            text, condition = self._past_span(letter)
        elif how == "mean":
            text, condition = letter, ""
        else:
            text, condition = self._span(letter, may_be_empty=how == "sum")
        self.steps = scope
        return self._reduction(how, body, letter, text, condition, f"L_{axis}")

    def _using(self, letter: str, shape: Shape, depth: int) -> Expr:
        """An expression that stands on the letter."""
        before = set(self.anchored)
        self.anchored.discard(letter)
        body = self.gen(shape, depth - 1)
        if letter not in self.anchored:
            body = self._times(body, self._anchor(letter))
        self.anchored |= before
        return body

    @staticmethod
    def _reduction(
        how: str, body: Expr, letter: str, text: str, condition: str, length: str
    ) -> Expr:
        where = f" if {condition}" if condition else ""

        def code(*at: str) -> str:
            items = f"[{body.element(at)} for {letter} in range({length}){where}]"
            return f"{how}_({items})"

        return Expr(f"{how}({body.text}, {text})", 4, body.shape, code)

    def _step_softmax(self, shape: Shape, depth: int) -> Expr:
        """A softmax over an axis of steps of the left side."""
        draw = self.draw
        loop = self.left[self.q.loop] if self.q.group > 0 else ""
        letters = [x for x in self.left[::-1] if x in self.steps]
        letter = draw.pick(letters)
        was = self.alone
        self.alone = self.alone or letter == loop
        if not self._has_steps(self.steps[letter]):
            self.alone = was
            return self.leaf(shape)
        self.net.chunks = False
        body = self._varying(letter, shape, depth)
        how = draw.pick(("softmax", "softmax", "log_softmax"))
        text, condition = self._span(letter, may_be_empty=True)
        if how == "log_softmax":
            text, condition = letter, ""
        is_plain = letter == letters[0] and text.split()[0] not in {*self.left} - {letter}
        if condition and (not is_plain or draw.chance(30)):
            text = f"{letter}, {text}"
        mask = ""
        masks = [m for m in self.net.of("mask") if m.size == () and m.axes == (self.steps[letter],)]
        if masks and how == "softmax" and draw.chance(60):
            m = draw.pick(masks)
            self.anchored.add(letter)
            text += f", {m.id}[{letter}]"
            mask = f"{m.id}({letter}, b).real > 0.5"
        self.alone = was
        tests = " and ".join(filter(None, (condition, mask)))
        return self._normalised(how, body, letter, tests, text)

    def _has_steps(self, axis: str) -> bool:
        """Whether something is given along an axis."""
        return any(axis in x.axes for x in self.net.of("input", "mask"))

    def _varying(self, letter: str, shape: Shape, depth: int) -> Expr:
        """An expression that surely differs along the letter."""
        return binary("+", self.gen(shape, depth - 1), self._anchor(letter))

    def _normalised(self, how: str, body: Expr, letter: str, tests: str, text: str = "") -> Expr:
        """softmax or log_softmax over a letter of the left side."""
        length = str(self.units[letter]) if letter in self.units else f"L_{self.steps[letter]}"

        def code(*at: str) -> str:
            z = body.element(at)
            where = f" if {tests}" if tests else ""
            found = f"{how}_({z}, [{z} for {letter} in range({length}){where}])"
            return f"({found} if {tests} else 0j)" if tests else found

        return Expr(f"{how}({body.text}, {text or letter})", 4, body.shape, code)

    # Matrix notation.

    def _some(self) -> int:
        """A size, of some vector that is there rather than not."""
        sizes = [n for q in self._readable() for n in q.size]
        return self.draw.pick((*sizes, 1, 2, 3))

    @staticmethod
    def _contraction(a: Expr, b: Expr, letters: Letters) -> Expr:
        split = len(a.shape) - 1

        def code(*at: str) -> str:
            v = letters.new()
            left, right = a.element((*at[:split], v)), b.element((v, *at[split:]))
            return f"sum({left} * {right} for {v} in range({b.shape[0]}))"

        text = f"{a.within(1)} @ {b.within(2)}"
        return Expr(text, 1, (*a.shape[:-1], *b.shape[1:]), code)

    def _matmul(self, a: Expr, b: Expr) -> Expr:
        return self._contraction(a, b, self.net.letters)

    def _dot(self, shape: Shape, depth: int) -> Expr:
        n = self._some()
        if self.draw.chance(30):
            m = self._some()
            a = self._matmul(self.gen((m,), depth - 2), self.parameter((m, n)))
        else:
            a = self.gen((n,), depth - 1)
        return self._matmul(a, self.gen((n,), depth - 1))

    def _matvec(self, shape: Shape, depth: int) -> Expr:
        n = self._some()
        if self.draw.chance(20):
            matrix = self._transpose(self.parameter((n, *shape)))
        else:
            matrix = self.gen((*shape, n), 0 if self.draw.chance(70) else depth - 1)
        return self._matmul(matrix, self.gen((n,), depth - 1))

    def _vecmat(self, shape: Shape, depth: int) -> Expr:
        n = self._some()
        return self._matmul(self.gen((n,), depth - 1), self.gen((n, *shape), depth - 2))

    def _matmat(self, shape: Shape, depth: int) -> Expr:
        n = self._some()
        return self._matmul(self.gen((shape[0], n), depth - 1), self.gen((n, shape[1]), depth - 2))

    @staticmethod
    def _transpose(e: Expr) -> Expr:
        return Expr(f"{e.within(4)}.T", 4, e.shape[::-1], lambda *at: e.element(at[::-1]))

    def _transposed(self, shape: Shape, depth: int) -> Expr:
        return self._transpose(self.gen(shape[::-1], depth - 1))

    @staticmethod
    def _outer(a: Expr, b: Expr) -> Expr:
        return Expr(
            f"outer({a.text}, {b.text})", 4, (*a.shape, *b.shape),
            lambda i, j: f"({a.element((i,))} * {b.element((j,))})",
        )  # fmt: skip

    def _outer_of(self, shape: Shape, depth: int) -> Expr:
        return self._outer(self.gen(shape[:1], depth - 1), self.gen(shape[1:], depth - 1))

    def _diagonal(self, shape: Shape, depth: int) -> Expr:
        if shape[0] != shape[1]:
            return self._outer_of(shape, depth)
        v = self.gen(shape[:1], depth - 1)
        return Expr(
            f"diag({v.text})", 4, shape,
            lambda i, j: f"({v.element((i,))} if ({i}) == ({j}) else 0j)",
        )  # fmt: skip

    def _concat(self, shape: Shape, depth: int) -> Expr:
        if shape[0] == 1:
            parts = [self.gen(shape, depth - 1)]
        else:
            cuts = [1 + self.draw.below(shape[0] - 1)]
            if shape[0] - cuts[0] > 1 and self.draw.chance(30):
                cuts.append(cuts[0] + 1)
            ends = [0, *cuts, shape[0]]
            parts = [self.gen((b - a,), depth - 1) for a, b in itertools.pairwise(ends)]

        def code(i: str) -> str:
            found, start = "", 0
            for part in parts[:-1]:
                stop = start + part.shape[0]
                found += f"{part.element((f'({i})-{start}',))} if ({i}) < {stop} else "
                start = stop
            return f"({found}{parts[-1].element((f'({i})-{start}',))})"

        return Expr(f"concat({', '.join(p.text for p in parts)})", 4, shape, code)

    def _slice(self, shape: Shape, depth: int) -> Expr:
        start, more = self.draw.below(2), self.draw.below(2)
        start += not (start or more)
        stop = start + shape[0]
        e = self.gen((stop + more, *shape[1:]), depth - 1)
        return Expr(
            f"{e.within(4)}[{start}:{stop}]", 4, shape,
            lambda i, *at: e.element((f"({i})+{start}", *at)),
        )  # fmt: skip

    def _row(self, shape: Shape, depth: int) -> Expr:
        """A row of a matrix, or in `_component` a component of a vector."""
        draw = self.draw
        known = [q for q in self._readable() if len(q.size) > 1 and q.size[1:] == shape]
        if known and draw.chance(70):
            e = self.read(draw.pick(known))
        elif draw.chance(50):
            e = self.parameter((draw.pick((2, 1, 3)), *shape))
        else:
            e = self.gen((draw.pick((2, 1, 3)), *shape), depth - 1)
        return self._picked(e)

    def _picked(self, e: Expr) -> Expr:
        k = self.draw.below(e.shape[0])
        text = f"{e.within(4)}[{k}]"
        if e.text.endswith("]") and re.fullmatch(r"q_\d+_\[[^\]:]*\]", e.text):
            # x[t,1] beside x[t][1]
            text = f"{e.text[:-1]},{k}]" if self.draw.chance(50) else text
        return Expr(text, 4, e.shape[1:], lambda *at: e.element((str(k), *at)))

    def _component(self, shape: Shape, depth: int) -> Expr:
        known = [q for q in self._readable() if len(q.size) == 1]
        if known and self.draw.chance(80):
            return self._picked(self.read(self.draw.pick(known)))
        return self._picked(self.gen((self._some(),), depth - 1))

    def _total(self, how: str, e: Expr) -> Expr:
        names = [self.net.letters.new() for _ in e.shape]
        loops = " ".join(f"for {v} in range({n})" for v, n in zip(names, e.shape, strict=True))
        return Expr(
            f"{how}({e.text})", 4, (), lambda: f"{how}_([{e.element(names)} {loops}])"
        )  # fmt: skip

    def _reduced(self, shape: Shape, depth: int) -> Expr:
        how = self.draw.pick(("sum", "mean", "logsumexp", "max"))
        two = how in ("sum", "mean") and self.draw.chance(20)
        inner = (self._some(), self._some()) if two else (self._some(),)
        return self._total(how, self.gen(inner, depth - 1))

    def _softmax(self, how: str, z: Expr) -> Expr:
        (n,) = z.shape

        def code(i: str) -> str:
            v = self.net.letters.new()
            return f"{how}_({z.element((i,))}, [{z.element((v,))} for {v} in range({n})])"

        return Expr(f"{how}({z.text})", 4, z.shape, code)

    def _softmaxed(self, shape: Shape, depth: int) -> Expr:
        how = self.draw.pick(("softmax", "log_softmax"))
        return self._softmax(how, self.gen(shape, depth - 1))

    def _normed(self, shape: Shape, depth: int) -> Expr:
        z, eps = self.gen(shape, depth - 1), self.draw.pick(("0.1", "1e-2"))

        def code(i: str) -> str:
            v = self.net.letters.new()
            values = f"[{z.element((v,))} for {v} in range({shape[0]})]"
            return f"layernorm_({z.element((i,))}, {values}, {eps})"

        return Expr(f"layernorm({z.text}, {eps})", 4, shape, code)

    # Index notation.

    def _contracted(self, shape: Shape, depth: int) -> Expr:
        """A product that repeats letters: they are summed."""
        draw = self.draw
        readable = [q for q in self._readable() if q.size] or [self._shared((2,))]
        outer = dict(self.units)
        q = draw.pick(readable)
        new = []
        for n in q.size:
            letter = self._new_unit()
            self.units[letter] = n
            new.append(letter)
        second: Expr = self.read_at(q, new)
        if draw.chance(30):
            second = function(draw.pick(SQUASHING), second)
        kept = [x for x in outer if draw.chance(60)][:2]
        first = self.read_at(
            self._shared(tuple(self.units[x] for x in (*kept, *new))), [*kept, *new]
        )
        factors = [*self._either(first, second)]
        if draw.chance(20):
            # A third factor that has one of the letters again.
            letter = draw.pick(new)
            third = self.read_at(self._shared((self.units[letter],)), [letter])
            factors.append(third)
        product = factors[0]
        for factor in factors[1:]:
            product = binary("*", product, factor)
        sizes = [(x, str(self.units[x])) for x in new]
        self.units = outer
        found = self._summed(product, sizes)
        return found if not draw.chance(30) else binary("+", found, self.gen((), depth - 1))

    def _trace(self, shape: Shape, depth: int) -> Expr:
        n = self._some()
        p, letter = self._shared((n, n)), self._new_unit()
        code = f"sum({p.id}({letter}, {letter}) for {letter} in range({n}))"
        return Expr(f"{p.id}[{letter},{letter}]", 4, (), lambda: code)

    def _step_product(self, shape: Shape, depth: int) -> Expr:
        """Two signals multiplied along an axis of steps: a repeated letter, and so summed."""
        axes = tuple(self.net.lengths)
        axis = self.draw.pick(axes)
        scope = dict(self.steps)
        letter = self._opened(axis)
        found = [q for q in self.net.of("input", "mask") if axis in q.axes]
        if letter is None or not found:
            self.steps = scope
            return self.leaf(shape)
        self.net.chunks = False
        # No letter stands twice in one factor.
        pair = []
        for _ in range(2):
            q = self.draw.pick(found)
            others = {x: a for x, a in scope.items() if x in self.left}
            self.steps = {letter: axis}
            texts, codes, used = [], [], False
            for position, a in enumerate(q.axes):
                if a == axis and not used:
                    text = code = letter
                    used = True
                else:
                    self.steps = others
                    text, code = self._step(q, position)
                texts.append(text)
                codes.append(code)
            for n in q.size:
                fitting = [x for x, size in self.units.items() if size == n]
                text = self.draw.pick(fitting) if fitting else str(self.draw.below(n))
                texts.append(text)
                codes.append(text)
            codes.insert(len(q.axes), "b")
            element = f"{q.id}({', '.join(codes)})"
            pair.append(Expr(f"{q.id}[{','.join(texts)}]", 4, (), lambda element=element: element))
        self.steps = scope
        return self._summed(binary("*", *pair), [(letter, f"L_{axis}")])

    def _explicit(self, shape: Shape, depth: int) -> Expr:
        """sum(..., j), mean(..., j), logsumexp(..., j) or max(..., j)."""
        draw = self.draw
        how = draw.pick(("sum", "mean", "logsumexp", "max"))
        known = [q for q in self._readable() if q.size] or [self._shared((2,))]
        q = draw.pick(known)
        n = draw.pick(q.size)
        letter, outer = self._new_unit(), dict(self.units)
        self.units[letter] = n
        e = self.read_at(q, [letter])
        more = self.gen((), depth - 1)
        body = draw.pick((self._times, lambda a, b: binary("+", a, b)))(e, more)
        self.units = outer
        text = condition = ""
        if how == "sum" and draw.chance(30):
            fitting = [x for x in self.left_units if x in outer]
            ways = [f"{letter} < 2", f"1 <= {letter}", f"{letter} <= 0"]
            if fitting:
                other = draw.pick(fitting)
                ways += [f"{letter} <= {other}", f"{letter} > {other}", f"{letter} < {other}"]
            text = condition = draw.pick(ways)
        return self._reduction(how, body, letter, text or letter, condition, str(n))

    def _unit_softmax(self, shape: Shape, depth: int) -> Expr:
        letter = self.draw.pick(self.left_units)
        p = self.read_at(self._shared((self.units[letter],)), [letter])
        body = binary("+", self.gen((), depth - 1), p)
        return self._normalised(self.draw.pick(("softmax", "log_softmax")), body, letter, "")


# The judge.


class Kinks:
    """How near the arguments of functions with a kink came to it."""

    def __init__(self) -> None:
        self.least = np.inf

    def __call__(self, x: complex, at: float = 0.0) -> bool:
        """Whether x lies above `at`."""
        if x != at:  # nothing moves what is zero altogether, such as a relu of less
            self.least = min(self.least, abs(x.real - at))
        return x.real > at

    def greatest(self, values: list[complex]) -> complex:
        """The greatest value; those that are equal altogether share what moves it."""
        top = max(v.real for v in values)
        tied = [v for v in values if v.real == top]
        if any(v != tied[0] for v in tied):
            self.least = 0.0
        self.least = min([self.least, *(top - v.real for v in values if v.real != top)])
        return sum(tied, 0j) / len(tied)


def _power(x: complex, n: float) -> complex:
    if n == int(n):
        found: complex = 1 + 0j
        for _ in range(abs(int(n))):
            found *= x
        return found if n > 0 else 1 / found
    return cmath.exp(n * cmath.log(x))


def _logsumexp(values: list[complex]) -> complex:
    top = max(v.real for v in values)
    return top + cmath.log(sum(cmath.exp(v - top) for v in values))


def _layernorm(z: complex, values: list[complex], eps: float) -> complex:
    mean = sum(values) / len(values)
    variance = sum((v - mean) * (v - mean) for v in values) / len(values)
    return (z - mean) / cmath.sqrt(variance + eps)


def _sigmoid(x: complex) -> complex:
    return 1 / (1 + cmath.exp(-x)) if x.real > 0 else cmath.exp(x) / (1 + cmath.exp(x))


def _softplus(x: complex) -> complex:
    return cmath.log(1 + cmath.exp(x)) if x.real < 0 else x + cmath.log(1 + cmath.exp(-x))


class Evaluator:
    """The values of a network, element by element, from the code of its equations."""

    def __init__(self, net: Drawn) -> None:
        self.net, self.kinks = net, Kinks()
        above = self.kinks
        self._space: dict[str, Any] = {
            "power": _power, "sum_": lambda v: sum(v, 0j), "mean_": lambda v: sum(v) / len(v),
            "logsumexp_": _logsumexp, "max_": above.greatest, "layernorm_": _layernorm,
            "softmax_": lambda z, v: cmath.exp(z - _logsumexp(v)),
            "log_softmax_": lambda z, v: z - _logsumexp(v),
            "f_tanh": cmath.tanh, "f_sigmoid": _sigmoid, "f_sin": cmath.sin, "f_cos": cmath.cos,
            "f_exp": cmath.exp, "f_log": cmath.log, "f_sqrt": cmath.sqrt, "f_linear": lambda x: x,
            "f_softplus": _softplus, "f_gaussian": lambda x: cmath.exp(-x * x),
            "f_square": lambda x: x * x, "f_relu": lambda x: x if above(x) else 0j,
            "f_leaky_relu": lambda x: x if above(x) else x / 100,
            "f_elu": lambda x: x if above(x) else cmath.exp(x) - 1,
            "f_abs": lambda x: x if above(x) else -x,
        }  # fmt: skip
        self._space |= {f"L_{axis}": n for axis, n in net.lengths.items()}
        self._memo: dict[str, dict[tuple[int, ...], complex]] = {}
        self.arrays: Arrays = {}
        for q in net.quantities.values():
            self._space[q.id] = self._reader(q, self._body(q, q.expr))
            if q.logits is not None:
                self._space[f"z{q.id}"] = self._reader(q, self._body(q, q.logits), f"z{q.id}")

    def _body(self, q: Quantity, expr: Expr | None) -> Callable[..., complex] | None:
        if expr is None:
            return None
        count = len(q.axes)
        units = q.letters[count:] or tuple(f"u{n}_" for n in range(len(q.size)))
        arguments = (*q.letters[:count], "b", *units)
        code = expr.element(units) if expr.shape else expr.code()
        return eval(f"lambda {', '.join(arguments)}: {code}", self._space)

    def _reader(
        self, q: Quantity, body: Callable[..., complex] | None, key: str = ""
    ) -> Callable[..., complex]:
        lengths = [self.net.lengths[axis] for axis in q.axes]
        count, memo = len(lengths), self._memo.setdefault(key or q.id, {})
        is_parameter = q.kind == "parameter"

        def read(*at: int) -> complex:
            found = memo.get(at)
            if found is not None:
                return found
            place = at if is_parameter or q.batch else (*at[:count], *at[count + 1 :])
            if any(not 0 <= k < n for k, n in zip(at[1:count], lengths[1:], strict=True)):
                found = 0j
            elif count and not 0 <= at[0] < lengths[0]:
                found = self._outside(q, place, lengths[0])
            elif body is not None:
                found = complex(body(*at))
            else:
                found = complex(self.arrays[q.id][place])
            memo[at] = found
            return found

        return read

    def _outside(self, q: Quantity, place: tuple[int, ...], length: int) -> complex:
        """A value before the first step, or behind the last."""
        side = "before" if place[0] < 0 else "after"
        given = self.arrays.get(f"{side} {q.id}")
        length_given = 0 if given is None else len(given)
        row = place[0] + length_given if place[0] < 0 else place[0] - length
        if not 0 <= row < length_given:
            # Either the read cancels, and any number will do, or it should have been offered.
            return 0.3 + 0.1 * sum(place)
        return complex(given[(row, *place[1:])])

    def given(self, arrays: Arrays) -> None:
        self.arrays = arrays
        for memo in self._memo.values():
            memo.clear()

    def value(self, id_: str) -> Any:
        """All elements of a signal."""
        q = self.net.quantities[id_.lstrip("z")]
        shape = self.net.shape(q)
        found = np.empty(shape, complex)
        read, count = self._space[id_], len(q.axes)
        for place in np.ndindex(shape):
            at = place if q.batch else (*place[:count], 0, *place[count:])
            found[place] = read(*at)
        return found

    def judged(self, x: Loss) -> Any:
        """What a loss judges: the logits where it judges logits, else the output."""
        key = f"z{x.output}"
        return self.value(key if "cross_entropy" in x.kind and key in self._space else x.output)

    def loss(self, judged: list[Any] | None = None) -> complex:
        """The weighted sum of the losses, from what they judge."""
        judged = judged or [self.judged(x) for x in self.net.losses]
        pairs = zip(self.net.losses, judged, strict=True)
        return sum(x.weight * self._loss(x, y) for x, y in pairs)

    def _loss(self, x: Loss, y: Any) -> complex:
        target = self.arrays[f"target {x.output}"]
        axes, total, count = self.net.quantities[x.output].axes, 0j, 0j
        steps = range(len(y)) if axes else [0]
        if x.steps == "last":
            steps = [len(y) - 1]
        for t in steps:
            for b in range(self.net.batch):
                z = [complex(v) for v in (y[t, b] if axes else y[b])]
                d = target[t, b] if axes and x.steps != "last" else target[b]
                w: complex = 1
                if x.steps == "weighted":
                    w = complex(self.arrays[f"weight {x.output}"][t, b])
                elif x.mask:
                    w = self._space[x.mask](t, b)
                total += w * self._summand(x, z, d)
                count += w
        if x.kind == "sse":
            return total
        return total / count / (1 if x.kind == "cross_entropy" else y.shape[-1])

    def _summand(self, x: Loss, z: list[complex], d: Any) -> complex:
        pairs = list(zip(z, map(complex, d), strict=True))
        match x.kind:
            case "mse" | "sse":
                return sum((y - e) * (y - e) for y, e in pairs)
            case "huber":
                return sum(self._huber(y - e, x.delta) for y, e in pairs)
            case "cross_entropy":
                return _logsumexp(z) - sum(e * y for y, e in pairs)
            case _:
                return sum(_softplus(y) - e * y for y, e in pairs)

    def _huber(self, e: complex, delta: float) -> complex:
        if self.kinks(e, delta):
            return delta * (e - delta / 2)
        if not self.kinks(e, -delta):
            return delta * (-e - delta / 2)
        return e * e / 2


@dataclass
class Case:
    """Arguments of a module's functions, and the same by id for the evaluator."""

    net: Drawn
    module: types.ModuleType
    parameters: Arrays = field(default_factory=dict)
    inputs: Arrays = field(default_factory=dict)
    targets: Arrays = field(default_factory=dict)
    initial: Arrays = field(default_factory=dict)
    weights: Arrays = field(default_factory=dict)
    # The evaluator's key of each array that can be moved, by the name of its gradient.
    keys: dict[str, str] = field(default_factory=dict)
    arrays: Arrays = field(default_factory=dict)

    @property
    def free(self) -> Arrays:
        """The number of steps, where no input says it."""
        told = any("T" in q.axes for q in self.net.of("input", "mask"))
        return {} if told or "T" not in self.module.LENGTHS else {"steps": self.net.lengths["T"]}

    @property
    def arguments(self) -> tuple[Arrays, ...]:
        return self.parameters, self.inputs, self.targets, self.initial, self.weights


def _case(net: Drawn, module: types.ModuleType, scale: float, seed: int) -> Case:
    rng = np.random.default_rng(seed)
    case = Case(net, module)
    ids = {net.name(id_): id_ for id_ in net.quantities}

    def normal(shape: Shape) -> Any:
        return scale * rng.standard_normal(shape)

    for q in net.mentioned():
        case.parameters[net.name(q.id)] = case.arrays[q.id] = normal(q.size)
        case.keys[net.name(q.id)] = q.id
    for q in net.of("input", "mask"):
        if q.kind == "mask":
            array = (rng.random(net.shape(q)) < 0.7).astype(float)
            array.flat[0] = array[..., 0].flat[0] = 1.0
        else:
            array = normal(net.shape(q))
            case.keys[net.name(q.id)] = q.id
        case.inputs[net.name(q.id)] = case.arrays[q.id] = array
    _expect("PARAMETERS", dict(module.PARAMETERS), {n: a.shape for n, a in case.parameters.items()})
    _expect("INPUTS", set(module.INPUTS), set(case.inputs))
    sizes = {"B": net.batch, **net.lengths}
    for key, shape in module.INITIAL.items():
        name = module.AFTER.get(key, key)
        q = net.quantities[ids[name]]
        wanted = (shape[0], *net.shape(q)[1:])
        actual = tuple(sizes.get(n, n) for n in shape)
        _expect(f"INITIAL[{key!r}]", actual, wanted)
        array = normal(actual)
        if q.kind == "mask":
            array = (array > 0).astype(float)
        else:
            case.keys[f"initial_{key}"] = f"{'after' if key in module.AFTER else 'before'} {q.id}"
        case.initial[key] = array
        case.arrays[f"{'after' if key in module.AFTER else 'before'} {q.id}"] = array
    for x in net.losses:
        q = net.quantities[x.output]
        shape = net.shape(q)[1:] if q.axes and x.steps == "last" else net.shape(q)
        target = rows = normal(shape)
        if x.kind == "cross_entropy":
            target = rng.integers(shape[-1], size=shape[:-1])
            rows = np.eye(shape[-1])[target]
            if not x.classes:
                target = rows = np.abs(rows + 0.3 * np.abs(normal(shape)))
                target = rows = rows / rows.sum(axis=-1, keepdims=True)
        case.targets[net.name(q.id)] = target
        case.arrays[f"target {q.id}"] = rows
        if x.steps == "weighted":
            weight = rng.uniform(0.1, 1.0, shape[:2])
            case.weights[net.name(q.id)] = case.arrays[f"weight {q.id}"] = weight
    return case


def _expect(what: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise Failure(what.partition("[")[0], f"{what} is {found}; {wanted} is expected")


class _Judge:
    """Compares what one module computes with what the evaluator does."""

    def __init__(self, case: Case, evaluator: Evaluator) -> None:
        self.case, self.evaluator, self.net = case, evaluator, case.net
        self.module = case.module
        self.rng = np.random.default_rng(self.net.seed + 1)
        evaluator.given(case.arrays)
        self.values = {q.id: evaluator.value(q.id) for q in self.net.of("signal")}
        self.loss = evaluator.loss()
        self.gradients: Arrays = {}
        self.single: Arrays = {}
        self.rounding: Arrays = {}
        self.floor = 0.0

    @property
    def is_moderate(self) -> bool:
        values = [*self.values.values(), np.array(self.loss)]
        largest = max(float(np.abs(a).max(initial=0)) for a in values)
        return bool(largest < MOST and self.evaluator.kinks.least > NEAR_KINK)

    def close(self, about: str, found: Any, wanted: Any, floor: float = 1e-3) -> None:
        found, wanted = np.asarray(found), np.asarray(wanted)
        name = about.partition(" of ")[0]
        if found.shape != wanted.shape:
            raise Failure(f"{name}, shape", f"{about}: {found.shape}, not {wanted.shape}")
        scale = max(floor, float(np.abs(wanted).max(initial=0)))
        error = float(np.abs(found - wanted).max(initial=0)) / scale
        if not error < CLOSE:
            raise Failure(name, f"{about}: {error:.1e}\nfound    {found}\nexpected {wanted}")

    def all(self) -> None:
        case, module = self.case, self.module
        with np.errstate(all="ignore"):
            signals = module.forward(case.parameters, case.inputs, case.initial, **case.free)
            names = {self.net.name(id_): id_ for id_ in self.values}
            _expect("signals", set(signals), set(names))
            for name, array in signals.items():
                self.close(f"signal of {name}", array, self.values[names[name]].real)
            self.close("loss", module.loss(*case.arguments), self.loss.real)
            self._single()
            self._gradients()
            for extra in self.net.extras:
                if hasattr(module, FUNCTIONS[extra]):
                    getattr(self, f"_{extra}")()

    # Derivatives by the evaluator.

    def _direction(self, names: Sequence[str]) -> Arrays:
        """A random direction, by the names of gradients."""
        return {
            n: self.rng.standard_normal(self.case.arrays[self.case.keys[n]].shape) for n in names
        }

    def _moved(self, direction: Arrays, step: complex) -> Arrays:
        keys, arrays = self.case.keys, dict(self.case.arrays)
        for name, array in direction.items():
            arrays[keys[name]] = arrays[keys[name]] + step * array
        return arrays

    def _along(self, direction: Arrays) -> complex:
        self.evaluator.given(self._moved(direction, 1j * TINY))
        return self.evaluator.loss().imag / TINY

    def _gradients(self) -> None:
        case = self.case
        loss, gradients = self.module.loss_and_gradients(
            *case.arguments, wrt=("parameters", "inputs", "initial")
        )
        self.close("loss beside gradients", loss, self.loss.real)
        self.gradients = gradients
        self.rounding = {n: ROUNDING * np.abs(self.single[n] - g) for n, g in gradients.items()}
        self.largest = max((float(np.abs(g).max(initial=0)) for g in gradients.values()), default=0)
        self.floor = max(1e-4 * self.largest, 1e-5 * abs(self.loss), 1e-5)
        for name in case.keys:
            kind = name.partition("_")[0] if name.startswith("initial_") else "array"
            if name in case.parameters:
                kind = "parameter"
            direction = self._direction([name])
            exact = self._along(direction)
            if name not in gradients:
                if kind != "initial":
                    raise Failure("gradient, missing", name)
                found, size = 0.0, 0.0
            else:
                products = gradients[name] * direction[name]
                self.close(f"gradient shape of {name}", products.shape, direction[name].shape)
                rounding = self.rounding[name] * np.abs(direction[name])
                found, size = products.sum(), float(np.maximum(np.abs(products), rounding).sum())
            self.close(f"gradient by {kind} of {name}", found, exact, max(size, self.floor))

    def _single(self) -> None:
        """float32 in, float32 out."""
        single = [
            {n: a.astype(np.float32) if a.dtype.kind == "f" else a for n, a in group.items()}
            for group in self.case.arguments
        ]
        loss, gradients = self.module.loss_and_gradients(
            *single, wrt=("parameters", "inputs", "initial")
        )
        signals = self.module.forward(single[0], single[1], single[3], **self.case.free)
        groups = {"loss": {"loss": loss}, "gradient": gradients, "signal": signals}
        for about, group in groups.items():
            for name, array in group.items():
                if array.dtype != np.float32:
                    raise Failure(f"float32, {about}", f"{name} is {array.dtype}")
                if not np.all(np.isfinite(array)):
                    raise Failure(f"float32, {about} not finite", name)
        self.single = gradients

    # Extras.

    def _jvp(self) -> None:
        case = self.case
        direction = self._direction(list(case.keys))
        known = self.module._INITIAL_GRADIENTS
        given = {
            n: a for n, a in direction.items()
            if not n.startswith("initial_") or n.removeprefix("initial_") in known
        }  # fmt: skip
        found = self.module.jvp(case.parameters, case.inputs, given, case.initial, **case.free)
        self.evaluator.given(self._moved(given, 1j * TINY))
        for id_ in self.values:
            exact = self.evaluator.value(id_).imag / TINY
            array = found.get(self.net.name(id_), np.zeros(exact.shape))
            self.close(f"jvp of {self.net.name(id_)}", array, exact)

    def _residuals(self) -> None:
        """Their squares add up to the loss, and half the gradient is what they are times theirs."""
        for mode in ("forward", "backward"):
            found, jacobian = self.module.residuals_and_jacobian(*self.case.arguments, mode)
            total = sum(np.sum(r * r) for r in found.values())
            self.close("the residuals' squares", total, self.loss.real)
            gradients = self.module.loss_and_gradients(*self.case.arguments)[1]
            for name, gradient in gradients.items():
                half = sum(np.tensordot(r, jacobian[of][name], r.ndim) for of, r in found.items())
                self.close(f"{mode} residuals by {name}", 2 * half, gradient)

    def _jacobian(self) -> None:
        case = self.case
        direction = self._direction(list(case.parameters))
        self.evaluator.given(self._moved(direction, 1j * TINY))
        outputs = dict.fromkeys((*(x.output for x in self.net.losses), *self.net.outputs))
        for mode in ("forward", "backward"):
            found = self.module.jacobian(
                case.parameters, case.inputs, case.initial, mode, **case.free
            )
            for id_ in outputs:
                exact = self.evaluator.value(id_).imag / TINY
                total = np.zeros(exact.shape)
                for name, array in found[self.net.name(id_)].items():
                    moved = direction[name]
                    self.close(f"jacobian {mode}, shape", array.shape, (*exact.shape, *moved.shape))
                    total = total + np.tensordot(array, moved, moved.ndim)
                self.close(f"jacobian {mode} of {self.net.name(id_)}", total, exact)

    def _second(self, second: Callable[[float], float]) -> float:
        """The derivative at zero of what depends on a step, by differences of sixth order."""
        h = 1e-4
        pairs = (second(n * h) - second(-n * h) for n in (1, 2, 3))
        return sum(c * p for c, p in zip((45, -9, 1), pairs, strict=True)) / (60 * h)

    def _hvp(self) -> None:
        case, names = self.case, list(self.case.parameters)
        if not names:
            return
        v, w = self._direction(names), self._direction(names)
        given = (*case.arguments[:3], v, *case.arguments[3:])
        found = self.module.hessian_vector(*given)
        moved = {n: a + 1j * TINY * v[n] for n, a in case.parameters.items()}
        _, exact = self.module.loss_and_gradients(moved, *case.arguments[1:])
        largest = max(float(np.abs(a.imag / TINY).max(initial=0)) for a in exact.values())
        floor = max(1e-3 * largest, 1e-4 * self.largest, 1e-2 * abs(self.loss), 1e-6)
        for name in names:
            self.close(f"hvp of {name}", found[name], exact[name].imag / TINY, floor)

        def along(h: float) -> float:
            arrays = self._moved(v, 1j * TINY)
            for name, array in w.items():
                key = case.keys[name]
                arrays[key] = arrays[key] + h * array
            self.evaluator.given(arrays)
            return self.evaluator.loss().imag / TINY

        products = [float(np.abs(found[n] * w[n]).sum()) for n in names]
        total = sum(float((found[n] * w[n]).sum()) for n in names)
        # Where the curvature is steep beyond measure no difference follows it.
        if sum(products) < 1e6:
            self._roughly("hvp by evaluator", total, self._second(along), sum(products))

    def _roughly(self, about: str, found: float, wanted: float, size: float) -> None:
        """As close as differences come."""
        if self.evaluator.kinks.least > NEAR_KINK / 10:
            scale = max(size, abs(wanted), 1e-2 * self.largest, 1e-2 * abs(self.loss), 1e-3)
            if not abs(found - wanted) < 1e-5 * scale:
                raise Failure(about, f"{found}; {wanted} is expected")

    def _gnvp(self) -> None:
        case, names = self.case, list(self.case.parameters)
        if not names:
            return
        v, w = self._direction(names), self._direction(names)
        found = self.module.gauss_newton_vector(*case.arguments[:3], v, *case.arguments[3:])
        tangents = []
        for direction in (v, w):
            self.evaluator.given(self._moved(direction, 1j * TINY))
            tangents.append([self.evaluator.judged(x).imag / TINY for x in self.net.losses])
        self.evaluator.given(case.arrays)
        judged = [self.evaluator.judged(x) for x in self.net.losses]

        def along(h: float) -> float:
            moved = [
                z + 1j * TINY * a + h * b for z, a, b in zip(judged, *tangents, strict=True)
            ]  # fmt: skip
            return self.evaluator.loss(moved).imag / TINY

        size = sum(float(np.abs(found[n] * w[n]).sum()) for n in names)
        total = sum(float((found[n] * w[n]).sum()) for n in names)
        self._roughly("gnvp", total, self._second(along), size)

    def _same(self, about: str, loss: Any, gradients: Arrays) -> None:
        self.close(f"{about} loss", loss, self.loss.real)
        for name in self.case.parameters:
            floor = max(self.floor, float(self.rounding[name].max(initial=0)))
            self.close(f"{about} of {name}", gradients[name], self.gradients[name], floor)

    def _rtrl(self) -> None:
        self._same("rtrl", *self.module.rtrl(*self.case.arguments))

    def _truncated(self) -> None:
        given = self.case.arguments
        for k1 in (1, 2):
            self._same(
                "truncated",
                *self.module.truncated_loss_and_gradients(*given[:3], k1, 1000, *given[3:]),
            )

    def _checkpoints(self) -> None:
        for segment in (None, 1, 3):
            self._same(
                "checkpoints",
                *self.module.checkpointed_loss_and_gradients(*self.case.arguments, segment=segment),
            )

    def _carry(self) -> None:
        parameters, inputs, targets, initial, weights = self.case.arguments
        carried = self.module.carried_loss_and_gradients
        loss, gradients, state = carried(parameters, initial, inputs, targets, weights)
        self._same("carry", loss, gradients)
        for q in self.net.of("input", "mask", "signal"):
            name = self.net.name(q.id)
            if name in state:
                values = _rows(self.case.arrays, self.values, q)
                rows = np.concatenate([initial[name], values])[-len(initial[name]) :]
                self.close(f"carry state of {name}", state[name], rows)

    def _step(self) -> None:
        case, state = self.case, dict(self.case.initial)
        for t in range(self.net.lengths["T"]):
            now = {
                self.net.name(q.id): case.inputs[self.net.name(q.id)][t]
                if q.axes
                else case.inputs[self.net.name(q.id)]
                for q in self.net.of("input", "mask")
            }
            found, state = self.module.step(case.parameters, state, now)
            for q in self.net.of("signal"):
                name, values = self.net.name(q.id), self.values[q.id].real
                if q.axes:
                    self.close(f"step of {name}", found[name], values[t])
                elif t == self.net.lengths["T"] - 1:
                    self.close(f"step of {name}", found[name], values)


FUNCTIONS = {
    "jvp": "jvp",
    "jacobian": "jacobian",
    "residuals": "residuals_and_jacobian",
    "hvp": "hessian_vector",
    "gnvp": "gauss_newton_vector",
    "rtrl": "rtrl",
    "truncated": "truncated_loss_and_gradients",
    "checkpoints": "checkpointed_loss_and_gradients",
    "step": "step",
    "carry": "carried_loss_and_gradients",
}
ALWAYS = ("jvp", "jacobian", "hvp", "gnvp")


def _rows(arrays: Arrays, values: Arrays, q: Quantity) -> Any:
    return values[q.id].real if q.kind == "signal" else arrays[q.id]


def _built(net: Drawn) -> Any:
    """The system; names that are refused are exchanged, shapes that do not follow are declared."""
    declared = net.draw.chance(50)
    for _ in range(20):
        text = net.topology(declared)
        try:
            system = build(loads(text))
        except UserError as error:
            name = re.search(
                r"'(\w+)' (?:cannot name|belongs to two)|the name '(\w+)'", error.found
            )
            bad = name and (name[1] or name[2])
            ids = [id_ for id_, n in net.names.items() if bad in (n, f"{n}_after")]
            if bad and ids and any(net.names[x] != f"q{x[2:-1]}" for x in ids):
                for id_ in ids:
                    net.names[id_] = f"q{id_[2:-1]}"
                continue
            if not declared:
                declared = True
                continue
            raise
        shapes = {q.name: tuple(map(system.size, q.features)) for q in system.of_role("parameter")}
        wanted = {net.name(q.id): q.size for q in net.of("parameter") if net.name(q.id) in shapes}
        if shapes == wanted or declared:
            return system
        declared = True
    raise AssertionError("names")


def judge(seed: int, given: Sequence[int] | None = None) -> str:
    """Compare the module of a seed's network with the judge; say how it ended: "ok", or why not.

    Raises Failure where they differ, and whatever else the library raises.
    """
    return judge_network(draw_network(seed, given))


def _numpy_module(derived: System, extras: Sequence[str], name: str) -> types.ModuleType:
    return _loaded(module_source(derived, extras), name)


def judge_network(
    net: Drawn, make: Callable[[System, Sequence[str], str], types.ModuleType] = _numpy_module
) -> str:
    """As `judge`, for a network that is drawn already; `make` makes its module."""
    try:
        system = _built(net)
    except UserError as error:
        return f"refused: {error.found}"
    derived = adjoint(system)
    extras = []
    for extra in net.extras:
        try:
            extend(derived, [extra])
        except UserError as error:
            is_right = any(w in error.found for w in ("needs all steps", "compares steps"))
            if extra == "residuals":
                squares = all(x.kind in ("mse", "sse") and x.weight > 0 for x in net.losses)
                is_wrong = squares
            else:
                is_wrong = extra in ALWAYS or (net.chunks and not is_right)
            if is_wrong:
                raise Failure(f"extra {extra} refused", error.found) from None
            continue
        extras.append(extra)
    module = make(derived, extras, f"wide_{net.seed}")
    evaluator = Evaluator(net)
    for attempt in range(12):
        scale = (0.8, 0.5, 0.9, 0.3)[attempt % 4]
        evaluator.kinks.least = np.inf
        try:
            found = _Judge(_case(net, module, scale, net.seed + 1000 * attempt), evaluator)
        except OverflowError:
            continue
        if found.is_moderate:
            break
    else:
        return "wild"
    found.all()
    if net.seed % 8 == 0:
        _emitted_test(module, source_of_test(derived, extras))
    if net.seed % 20 == 0:
        generate(system, extras)
    return "ok"


def _loaded(source: str, name: str) -> types.ModuleType:
    module = types.ModuleType(name)
    exec(compile(source, f"{name}.py", "exec"), module.__dict__)
    return module


def _emitted_test(module: types.ModuleType, source: str) -> None:
    """Run the test that is emitted beside the module, where no value explodes in its examples."""
    sys.modules[module.__name__] = module
    try:
        test = _loaded(source, f"test_{module.__name__}")
        with np.errstate(all="ignore"):
            for case in test.cases():
                parameters, inputs, _, initial, _ = test.example(*case)
                steps = (
                    {"steps": case[1]}
                    if "steps" in inspect.signature(module.forward).parameters
                    else {}
                )
                signals = module.forward(parameters, inputs, initial, **steps)
                if not all(np.abs(a).max() < 1e3 for a in signals.values()):
                    return
            for name in dir(test):
                if name.startswith("test_"):
                    try:
                        getattr(test, name)()
                    except AssertionError as error:
                        raise Failure(f"emitted {name}", str(error)) from None
    finally:
        del sys.modules[module.__name__]


# Seeds by the command line.


def outcome(net: Drawn) -> tuple[str, str]:
    """How a network ends: a short text that is the same for one cause, and the whole story."""
    try:
        found = judge_network(net)
    except Failure as error:
        return f"FAILED {error.about}", str(error)
    except Exception as error:
        frames = [
            f"{f.filename.rpartition('/')[2]}:{f.name}"
            for f in traceback.extract_tb(error.__traceback__)
        ]
        where = frames[-1] if not frames[-1].startswith("wide_") else "generated code"
        text = re.sub(r"q\d+|\d+", "#", str(error))[:60]
        return f"CRASHED {type(error).__name__} in {where}: {text}", traceback.format_exc()
    return re.sub(r"'[^']*'|\d+", "#", found), found


def is_refused(seed: int) -> bool:
    """Whether the network of a seed is none, by the library."""
    try:
        _built(draw_network(seed))
    except UserError:
        return True
    return False


def describe(seed: int) -> str:
    """What a failing seed should print: the topology file, and how to run it again."""
    net = draw_network(seed)
    with contextlib.suppress(Exception):
        _built(net)
    sizes = f"{net.lengths}, B = {net.batch}, extras {net.extras}"
    again = f".venv/bin/python -m tests.wide_networks {seed}"
    return f"seed {seed}: {sizes}\n{net.topology(True)}\nagain: {again}"


def reduced(seed: int, most: int = 300) -> Drawn:
    """A smaller network that ends as that of the seed does."""
    net = draw_network(seed)
    wanted, choices, tries = outcome(net)[0], list(net.draw.made), 0
    length = 64
    while length:
        start = 0
        while start < len(choices) and tries < most:
            tries += 1
            # Left out, the choices behind move up; put to zero, they stay.
            for new in ([], [0] * length):
                candidate = choices[:start] + new + choices[start + length :]
                with contextlib.suppress(Exception):
                    if candidate != choices and outcome(draw_network(seed, candidate))[0] == wanted:
                        choices = candidate
                        break
            else:
                start += length
        length //= 2
    found = True
    net = draw_network(seed, choices)
    while found:
        found = False
        for less in _with_less(net):
            with contextlib.suppress(Exception):
                if outcome(less)[0] == wanted:
                    net, found = less, True
                    break
    return net


def _with_less(net: Drawn) -> Iterator[Drawn]:
    """The network without one of its extras, losses, signals or inputs, or with shorter axes."""
    for extra in net.extras:
        yield replace(net, extras=tuple(x for x in net.extras if x != extra))
    if net.outputs:
        yield replace(net, outputs=[])
    for loss in net.losses:
        plain = replace(loss, kind="mse", weight=1.0, steps="all", mask="", classes=False)
        rest = [x for x in net.losses if x is not loss]
        if rest or loss != plain:
            yield replace(net, losses=rest or [plain])
    needed = {x.output for x in net.losses} | {x.mask for x in net.losses} | set(net.outputs)
    for q in net.of("signal", "input", "mask"):
        others = " ".join(_right(s) for s in net.of("signal") if s is not q)
        if q.id not in needed and q.id not in _mentioned(others):
            yield replace(net, quantities={n: x for n, x in net.quantities.items() if x is not q})
    for axis, length in net.lengths.items():
        if length > 1:
            yield replace(net, lengths={**net.lengths, axis: length - 1})
    if net.batch > 1:
        yield replace(net, batch=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("seed", type=int)
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--reduce", action="store_true")
    arguments = parser.parse_args()
    if arguments.count == 1:
        net = reduced(arguments.seed) if arguments.reduce else draw_network(arguments.seed)
        short, story = outcome(net)
        print(net.topology(True))
        print(f"{net.lengths}, B = {net.batch}, extras {net.extras}\n{short}\n{story}")
        sys.exit(short.startswith(("FAILED", "CRASHED")))
    counts: Counter[str] = Counter()
    first: dict[str, list[int]] = {}
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        short, _ = outcome(draw_network(seed))
        counts[short] += 1
        first.setdefault(short, []).append(seed)
    for short, count in counts.most_common():
        print(f"{count:6} {short}  {first[short][:6]}")


if __name__ == "__main__":
    main()
