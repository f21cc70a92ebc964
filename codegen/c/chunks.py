"""Long sequences part by part: truncated backpropagation, and the whole one with checkpoints.

Between parts stand, in the workspace, the state (the rows before a part of all that is read there,
one after the other as in the structure of values outside the steps) and the carry (the derivatives
of the loss of later parts by them). `numbers` are what means count over a whole sequence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property

from bptt.codegen.c.calls import (
    Argument,
    Call,
    Workspace,
    arrays,
    body,
    call,
    given,
    handed,
    head,
    numbers,
    results,
    sized,
    summands,
    summed,
)
from bptt.codegen.c.expressions import Block, Item, under
from bptt.codegen.c.interface import Interface
from bptt.codegen.c.layout import Given, Layout, Rows
from bptt.codegen.c.memory import lengths_of, size_code, size_factors
from bptt.codegen.nodes import Affine
from bptt.derive.calculus.chunks import ENDS, TOTAL_STEPS, carry_of, share_of

STAGES = ("_forward", "_chunk_loss", "_chunk_backward")
# The shapes of arrays that stand one after the other, by their names.
Shapes = Mapping[str, tuple[int | str, ...]]


class Chunks:
    """The functions that compute a sequence part by part."""

    def __init__(self, interface: Interface) -> None:
        self._interface, self._prefix = interface, interface.prefix
        self._values = interface.extended.values
        self._system = interface.extended.system
        self._made = self._values["chunk"].by_origin
        self._states: Shapes = {b.quantity: b.shape for _, b in interface.initial}
        carries = {n: self._made[carry_of(n)] for n in self._values["chunk_starts"]}
        self._carries: Shapes = {n: self._system.shape(q) for n, q in carries.items()}

    # The arrays of a part.

    @cached_property
    def _layout(self) -> Layout:
        interface, system = self._interface, self._system
        found = interface.given()
        timed = {q.name for q in system.of_role("input", "target", "weight")
                 if q.time_axis is not None}  # fmt: skip
        for name in timed & found.keys():
            row = size_code(lengths_of(system.shape(system.quantities[name])[1:]))
            found[name] = Given(f"{found[name].code} + start * {row}")
        totals = (share_of(total.quantity) for total in interface.totals)
        for place, origin in enumerate((TOTAL_STEPS, ENDS, *totals)):
            found[self._made[origin].name] = Given(f"numbers + {place}")
        carry = _places("carry", self._carries)
        found |= {self._made[carry_of(n)].name: Given(code) for n, code in carry.items()}
        state = _places("state", self._states)
        outside = {
            b.quantity: [Rows(Affine(0), b.steps, Given(state[b.quantity]))]
            for _, b in interface.initial
        }
        shown = (self._loss, *self._values["chunk_gradients"].values(),
                 *self._values["chunk_starts"].values())  # fmt: skip
        return Layout(interface.frames[0], STAGES, found, outside, shown)

    @property
    def _loss(self) -> str:
        name: str = self._values["chunk_loss"]
        return name

    def placing(self) -> Call:
        """The function that places the arrays of a part."""
        real = f"{self._prefix}_real *"
        arguments: list[Argument] = [
            (f"{self._prefix}_arrays *", "arrays"),
            *(a for a in given(self._interface, judged=True) if a[1] != "initial"),
            *((f"const {real}", name) for name in ("state", "carry", "numbers")),
            ("long ", "start"),
            *sized(self._interface),
        ]
        begin = head("static void", f"{self._prefix}_place_part", arguments)
        return Call("place_part", (), begin, body(self._layout.placed(), arguments))

    # Statements.

    def _place(self, start: str, steps: str, state: str = "state") -> str:
        names = [n for _, n in given(self._interface, judged=True) if n != "initial"]
        passed = ["&placed", *names, state, "carry", "numbers", start, steps, "B", "workspace"]
        return f"{self._prefix}_place_part({', '.join(passed)});"

    def _run(self, stage: str, steps: str, start: str, skipped: str = "0") -> str:
        (skip,) = self._values["chunk"].free
        counts = {self._interface.frames[0].first_step: start, skip.name: skipped}
        return self._layout.run(stage, (steps, "B"), **counts)

    def _kept(self, state: str, steps: str) -> list[Item]:
        """The last rows of a part become those before the next."""
        found: list[Item] = []
        places = _places(state, self._states)
        for name, shape in self._states.items():
            array = f"arrays->{self._layout.frame.names[name]}"
            row = size_code(lengths_of(shape[1:]))
            size = size_code(lengths_of(shape))
            copy = f"{self._prefix}_copy"
            found.append(f"{copy}({places[name]}, {array} + ({steps}) * {row}, {size});")
        return found

    def _beginning(self, count: str) -> list[Item]:
        """The state before the first step, with space for `count` of them; sums of nothing."""
        interface, prefix = self._interface, self._prefix
        state, carry = _sum(self._states), _sum(self._carries)
        of_steps = [f"({prefix}_real)T", "0", *("0" for _ in interface.totals)]
        items: list[Item] = [
            *arrays(interface),
            *numbers(interface, of_steps),
            f"{prefix}_real loss = 0;",
            f"{prefix}_real *const state = workspace, *const carry = state + {count} * {state};",
            f"workspace = carry + {carry};",
            f"{prefix}_clear(state, {state});",
            f"{prefix}_clear(carry, {carry});",
        ]
        places = _places("state", self._states)
        for member, boundary in interface.initial:
            copy = f"{prefix}_copy({places[boundary.quantity]}, initial->{member.name}, "
            items += under([f"if (initial && initial->{member.name})"],
                           [f"{copy}{member.size});"])  # fmt: skip
        items += [f"{prefix}_clear(gradients->{m.name}, {m.size});" for m in interface.parameters]
        items += [i for n, total in enumerate(interface.totals, 2) for i in summed(total, n)]
        return items

    def _judged(self, start: str, steps: str, skipped: str, state: str = "state") -> list[Item]:
        """What a part adds to the loss and to its gradients."""
        layout, interface = self._layout, self._interface
        items: list[Item] = [self._place(start, steps, state)]
        items += [self._run(stage, steps, start, skipped) for stage in STAGES]
        items.append(f"loss += arrays->{layout.frame.names[self._loss]}[0];")
        for name, made in self._values["chunk_gradients"].items():
            member = f"gradients->{interface.identifier(name)}"
            items += layout.handed(made, member, operator="+=")
        return items

    # Functions.

    def truncated(self) -> Call:
        """Truncated backpropagation: each part of k1 steps is taken back through k2 steps."""
        ahead = (
            self._place("at", "start - at"),
            self._run("_forward", "start - at", "at"),
            *self._kept("state", "start - at"),
            "at = start;",
        )
        part = (
            "const long stop = counted + k1 < T ? counted + k1 : T;",
            "const long start = stop > k2 ? stop - k2 : 0;",
            Block("if (start > at)", ahead),
            f"numbers[1] = ({self._prefix}_real)(stop == T);",
            *self._judged("start", "stop - start", "counted - start"),
        )
        items = [
            *self._beginning("1"),
            "long at = 0;",
            "k1 = k1 < 1 ? 1 : k1;",
            "k2 = k2 < k1 ? k1 : k2;",
            Block("for (long counted = 0; counted < T; counted += k1)", part),
            "return loss;",
        ]
        about = (
            "The loss, and its gradients by truncated backpropagation: after every k1 steps the "
            "loss of these steps is taken back through k2 steps, 1 <= k1 <= k2; the states are "
            "carried on throughout."
        )
        workspace = self._layout.workspace() + _counts(self._states) + _counts(self._carries)
        found = Workspace("TRUNCATED_WORKSPACE", ("T", "B"), summands(workspace, ("T", "B")))
        return self._call("truncated", about, ("k1", "k2"), items, found, "k2, B")

    def checkpointed(self) -> Call:
        """Backpropagation through all steps, of which a segment is kept at a time."""
        state = _sum(self._states)
        first = (
            self._place("n * segment", "segment", f"state + n * {state}"),
            self._run("_forward", "segment", "n * segment"),
            *self._kept(f"state + (n + 1) * {state}", "segment"),
        )
        places = _places("carry", self._carries)
        starts = self._values["chunk_starts"]
        second = (
            "const long start = n * segment, steps = n == count - 1 ? T - start : segment;",
            f"numbers[1] = ({self._prefix}_real)(n == count - 1);",
            *self._judged("start", "steps", "0", f"state + n * {state}"),
            *handed({made: f"({places[n]})" for n, made in starts.items()}, self._layout),
        )
        items: list[Item] = [
            "segment = segment < 1 ? 1 : segment;",
            "const long count = (T + segment - 1) / segment;",
            *self._beginning("count"),
            Block("for (long n = 0; n + 1 < count; ++n)", first),
            Block("for (long n = count - 1; n >= 0; --n)", second),
            "return loss;",
        ]
        about = (
            "The loss and its gradients, in little memory: a first pass keeps the states at the "
            "end of every segment, the second takes the segments from the last, computes each "
            "anew and goes back through it."
        )
        sizes = ("T", "B", "segment")
        part = self._layout.workspace() + _counts(self._carries)
        every = [
            f"((T) + (segment) - 1) / (segment) * ({text})"
            for text in summands(_counts(self._states), sizes)
            if self._states
        ]
        of_part = [text.replace("(T)", "(segment)") for text in summands(part, sizes)]
        found = Workspace("CHECKPOINTED_WORKSPACE", sizes, (*every, *of_part))
        return self._call("checkpointed", about, ("segment",), items, found, ", ".join(sizes))

    def _call(
        self,
        name: str,
        about: str,
        numbers: Sequence[str],
        items: Sequence[Item],
        workspace: Workspace,
        sizes: str,
    ) -> Call:
        interface = self._interface
        macro = f"{self._prefix.upper()}_{workspace.name}({sizes})"
        arguments = [
            *given(interface, judged=True),
            *(("long ", n) for n in numbers),
            *sized(interface),
            *results(interface),
        ]
        about += f" The workspace holds {macro} numbers."
        return call(interface, f"{self._prefix}_real", name, about, arguments, items, workspace)


def _places(begin: str, shapes: Shapes) -> dict[str, str]:
    """Where arrays stand that follow one another, as source."""
    found, at = {}, begin
    for name, shape in shapes.items():
        found[name] = at
        at += f" + {size_code(lengths_of(shape))}"
    return found


def _sum(shapes: Shapes) -> str:
    """How many elements arrays have together, as source."""
    return f"({' + '.join(size_code(lengths_of(shape)) for shape in shapes.values()) or '0'})"


def _counts(shapes: Shapes) -> Counter[str]:
    """How many elements arrays have together: numbers of products of lengths, by the products."""
    found = Counter[str]()
    for shape in shapes.values():
        number, lengths = size_factors(lengths_of(shape))
        found[lengths] += number
    return found
