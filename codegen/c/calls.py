"""The functions that users of a C file call: signals, loss, gradients, one step."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bptt.codegen.c.expressions import Block, Item, under
from bptt.codegen.c.frame import mentions
from bptt.codegen.c.interface import STAGES, Interface, Shown, Total
from bptt.codegen.c.layout import Layout
from bptt.codegen.c.statements import WIDTH, rendered
from bptt.codegen.operations import Operations, written

# A type and a name.
Argument = tuple[str, str]


@dataclass(frozen=True)
class Workspace:
    """A macro that says how many numbers a workspace holds: its name, arguments and summands."""

    name: str
    sizes: tuple[str, ...]
    summands: tuple[str, ...]


@dataclass(frozen=True)
class Call:
    """A function: its name behind the file's prefix, what it does, in lines, its head and its body.

    What it says nothing about is not for users. `workspace` is that of its own, if it has one.
    """

    name: str
    about: tuple[str, ...]
    head: str
    lines: tuple[str, ...]
    workspace: Workspace | None = None


def placing(interface: Interface) -> Call:
    """The function that places each array: what is given where it is, the rest in the workspace."""
    prefix, layout = interface.prefix, interface.layout
    arguments = [
        (f"{prefix}_arrays *", "arrays"),
        *given(interface, judged=True),
        *results(interface),
        *sized(interface),
        ("int ", "parts"),
    ]
    items: list[Item] = []
    for number, stage in enumerate(STAGES):
        kept = tuple(layout.placing(stage))
        items += [Block(f"if (parts > {number})", kept)] if kept and number else kept
    for number, stage in enumerate(STAGES):
        if passing := layout.passing(stage):
            items.append(Block(f"if (parts > {number})", tuple(passing)))
    return Call(
        "place", (), head("static void", f"{prefix}_place", arguments), body(items, arguments)
    )


def calls(interface: Interface) -> Iterator[Call]:
    """The functions of every network."""
    prefix, capitals, layout = interface.prefix, interface.prefix.upper(), interface.layout
    counts = ", ".join(interface.sizes)
    about = f"The signals; the workspace holds {capitals}_FORWARD_WORKSPACE({counts}) numbers."
    arguments = [*given(interface, judged=False), *sized(interface), *signals(interface)]
    items = [*_placed(interface, 1, judged=False), layout.run("_forward")]
    items += pointing("signals", interface.signals, layout)
    workspace = of_sequences(interface, "FORWARD_WORKSPACE", layout.workspace("_forward"))
    yield call(interface, "void", "forward", about, arguments, items, workspace,
               layout.operations(STAGES[:1]))  # fmt: skip
    about = f"The loss; the workspace holds {capitals}_LOSS_WORKSPACE({counts}) numbers."
    arguments = [*given(interface, judged=True), *sized(interface)]
    judged: list[Item] = [layout.run(stage) for stage in STAGES[:2]]
    loss = f"return arrays->{interface.names['loss']}[0];"
    items = [*_placed(interface, 2, judged=True), *judged, loss]
    workspace = of_sequences(interface, "LOSS_WORKSPACE", layout.workspace("_loss"))
    yield call(interface, f"{prefix}_real", "loss", about, arguments, items, workspace,
               layout.operations(STAGES[:2]))  # fmt: skip
    about = (
        "The loss, and its gradients; those by inputs, and by values outside the steps, where the "
        f"pointers to them are not null. The workspace holds {capitals}_WORKSPACE({counts}) "
        "numbers."
    )
    arguments += results(interface)
    items = [*_placed(interface, 5, judged=True), *judged, layout.run("_backward")]
    items += handed(interface.gradients("gradients"), layout, given=layout.given)
    for group in ("input_gradients", "initial_gradients"):
        if interface.has(group):
            arguments.append((f"{prefix}_{group} *", group))
            found = interface.gradients(group)
            inner = (layout.run(f"_{group}"), *handed(found, layout, wanted=True))
            items.append(Block(f"if ({group})", inner))
    yield call(
        interface,
        f"{prefix}_real",
        "loss_and_gradients",
        about,
        arguments,
        [*items, loss],
        of_sequences(interface, "WORKSPACE", layout.workspace()),
        layout.operations(),
    )
    yield from step(interface)


def step(interface: Interface) -> Iterator[Call]:
    """The function that computes one step of one sequence, where a network can be computed so."""
    if interface.state is None:
        return
    prefix, capitals, layout = interface.prefix, interface.prefix.upper(), interface.layout
    arguments = [a for a in given(interface, judged=False) if a[1] != "initial"]
    known = {n for _, n in arguments}
    items = [*arrays(interface), *from_state(interface)]
    names = [n for _, n in given(interface, judged=True)]
    passed = [n if n in known else "initial" if n == "initial" else "0" for n in names]
    passed += ["0" for _ in results(interface)]
    ones = ["1"] * len(interface.sizes)
    items.append(f"{prefix}_place({', '.join(['&placed', *passed, *ones, 'workspace', '1'])});")
    items.append(layout.run("_forward", ones, **{interface.frames[0].first_step: "state->steps"}))
    items += [*interface.carried(layout), "++state->steps;"]
    arguments += [(f"{prefix}_state *", "state"), (f"{prefix}_real *", "workspace")]
    arguments += signals(interface)
    items += pointing("signals", interface.signals, layout)
    about = (
        "The signals of the next step of one sequence, for inputs of that step; a state of zeros "
        f"is that before the first. The workspace holds {capitals}_FORWARD_WORKSPACE"
        f"({', '.join(ones)}) numbers."
    )
    steps = layout.operations(STAGES[:1]).at(dict.fromkeys(interface.sizes, 1))
    yield call(interface, "void", "step", about, arguments, of_one_step(interface, items),
               operations=steps)  # fmt: skip


# What the bodies of functions are made of.


def call(
    interface: Interface,
    kind: str,
    name: str,
    about: str,
    arguments: Sequence[Argument],
    items: Iterable[Item],
    workspace: Workspace | None = None,
    operations: Operations | None = None,
) -> Call:
    """A function of a file."""
    full = f"{interface.prefix}_{name}"
    lines = [*textwrap.wrap(about, 92), *(_counted(operations) if operations else [])]
    return Call(name, tuple(lines), head(kind, full, arguments), body(items, arguments), workspace)


def _counted(operations: Operations) -> list[str]:
    """How many operations a function needs, in lines."""
    text = f"Operations: {written(operations.arithmetic)}"
    if operations.calls:
        text += f"; calls of exp, tanh and their like: {written(operations.calls)}"
    kept = f"{text}.".replace(" * ", "\0*\0")
    return [line.replace("\0", " ") for line in textwrap.wrap(kept, 92)]


def body(items: Iterable[Item], arguments: Iterable[Argument]) -> tuple[str, ...]:
    """The lines of a function, which speak of all its arguments."""
    lines = [*rendered(items, 1)]
    if mentions(lines, "own"):
        (kind,) = (kind for kind, name in arguments if name == "workspace")
        lines.insert(0, f"    {kind}own;")
    return (*lines, *(f"    (void){n};" for _, n in arguments if not mentions(lines, n)))


def of_sequences(interface: Interface, name: str, counts: Mapping[str, int]) -> Workspace:
    """The workspace of a function for whole sequences."""
    return Workspace(name, interface.sizes, summands(counts, interface.sizes))


def summands(counts: Mapping[str, int], sizes: Iterable[str]) -> tuple[str, ...]:
    """Numbers of products of lengths, as a macro adds them up: sizes are any expressions there."""
    word = re.compile(rf"\b({'|'.join(sizes)})\b")
    found = []
    for lengths, number in sorted(counts.items(), reverse=True):
        code = word.sub(r"(\1)", lengths)
        found.append(f"{code} * {number}" if code else str(number))
    return tuple(found) or ("1",)


def arrays(interface: Interface, frame: int = 0) -> list[Item]:
    """The structure of the arrays of a program, which are placed hereafter."""
    made = interface.frames[frame]
    placed = f"{made.type} placed, *const arrays = &placed;"
    return [placed, *(["placed.gemm = 0;"] if made.multiplies else [])]


def numbers(interface: Interface, values: Iterable[str]) -> list[Item]:
    """The numbers by which losses divide, those of one step or sums that begin so."""
    values = ", ".join(values)
    size = values.count(",") + 1
    return [f"{interface.prefix}_real numbers[{size}] = {{{values}}};"] if values else []


def summed(total: Total, place: int) -> tuple[Item, ...]:
    """Statements that sum up the weights of a loss's steps."""
    head = f"for (long k = 0; k < {total.size}; ++k)"
    return under([head], [f"numbers[{place}] += {total.weight};"])


def from_state(interface: Interface, state: str = "state") -> list[Item]:
    """The values before a step, which stand in a state."""
    if not interface.has("initial"):
        return []
    pointers = ", ".join(f"{state}->{member.name}" for member, _ in interface.state or ())
    kind = f"const {interface.prefix}_initial"
    return [f"{kind} values = {{{pointers}}}, *const initial = &values;"]


def of_one_step(interface: Interface, items: Sequence[Item]) -> list[Item]:
    """Statements in which the sizes of a sequence are those of one step."""
    used = mentions([str(item) for item in items], "(?:" + "|".join(interface.sizes) + ")")
    sizes = f"enum {{ {', '.join(f'{n} = 1' for n in interface.sizes)} }};"
    return [sizes, *items] if used else [*items]


def pointing(group: str, every: Iterable[Shown], layout: Layout) -> list[Item]:
    """Statements that let a structure point at quantities."""
    return [
        f"{group}->{s.member.name} = {layout.pointer(s.quantity) if s.quantity else '0'};"
        for s in every
    ]


def handed(
    found: Mapping[str, str],
    layout: Layout,
    *,
    given: Iterable[str] = (),
    wanted: bool = False,
) -> list[Item]:
    """Statements that copy quantities to where the caller wants them, but for those `given` there;
    with `wanted` where the pointers are not null."""
    return [
        item
        for name, member in found.items()
        if name not in given
        for item in layout.handed(name, member, member if wanted else "")
    ]


def _placed(interface: Interface, parts: int, *, judged: bool) -> list[Item]:
    """Statements that place the arrays which the first parts of the equations need."""
    known = {n for _, n in given(interface, judged=judged)}
    every = [n if n in known else "0" for _, n in given(interface, judged=True)]
    every += [n if parts > 2 else "0" for _, n in results(interface)]
    passed = ", ".join(["&placed", *every, *interface.sizes, "workspace", str(parts)])
    return [*arrays(interface), f"{interface.prefix}_place({passed});"]


def given(interface: Interface, *, judged: bool) -> list[Argument]:
    """The arguments of what is given."""
    names = ["parameters", "inputs", *(["targets"] if judged else []), "initial"]
    return [(f"const {interface.prefix}_{n} *", n) for n in names if interface.has(n)]


def results(interface: Interface) -> list[Argument]:
    """The argument of the gradients by parameters, where there are any."""
    has_any = interface.has("parameters")
    return [(f"{interface.prefix}_parameters *", "gradients")] if has_any else []


def signals(interface: Interface) -> list[Argument]:
    return [(f"{interface.prefix}_signals *", "signals")] if interface.has("signals") else []


def sized(interface: Interface) -> list[Argument]:
    return [*(("long ", n) for n in interface.sizes), (f"{interface.prefix}_real *", "workspace")]


def head(kind: str, name: str, arguments: Iterable[Argument]) -> str:
    """The head of a function, in lines that break between arguments."""
    joined = ", ".join(f"{t}{n}" for t, n in arguments).replace(" ", "\0").replace(",\0", ", ")
    lines = textwrap.wrap(
        f"{kind} {name}({joined})",
        WIDTH - 1,
        subsequent_indent="    ",
        break_on_hyphens=False,
        break_long_words=False,
    )
    return "\n".join(lines).replace("\0", " ")
