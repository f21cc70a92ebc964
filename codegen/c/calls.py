"""The functions that users of a C file call: signals, loss, gradients, one step."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bptt.codegen.c.expressions import Block, Item
from bptt.codegen.c.frame import mentions
from bptt.codegen.c.interface import STAGES, Interface
from bptt.codegen.c.statements import WIDTH, rendered

# A type and a name.
Argument = tuple[str, str]


@dataclass(frozen=True)
class Call:
    """A function that users call: what it does, in lines, its head and its body."""

    about: tuple[str, ...]
    head: str
    lines: tuple[str, ...]


def placing(interface: Interface) -> Call:
    """The function that places each array: what is given where it is, the rest in the workspace."""
    prefix = interface.prefix
    arguments = [
        (f"{prefix}_arrays *", "arrays"),
        *_given(interface, judged=True),
        *_gradients(interface),
        *_sized(interface),
        ("int ", "parts"),
    ]
    items: list[Item] = []
    for number, stage in enumerate(STAGES):
        kept = tuple(interface.placing(stage))
        items += [Block(f"if (parts > {number})", kept)] if kept and number else kept
    for number, stage in enumerate(STAGES):
        if passing := interface.passing(stage):
            items.append(Block(f"if (parts > {number})", tuple(passing)))
    lines = [*rendered(items, 1)]
    unused = [f"    (void){n};" for _, n in arguments if not mentions(lines, n)]
    if mentions(lines, "own"):
        lines.insert(0, f"    {prefix}_real *own;")
    head = _head("static void", f"{prefix}_place", arguments)
    return Call((), head, (*lines, *unused))


def calls(interface: Interface) -> Iterator[Call]:
    prefix, capitals = interface.prefix, interface.prefix.upper()
    groups = {group.name for group in interface.groups}
    body = [*_placed(interface, 1, judged=False), _run(interface, "_forward")]
    more = []
    if "signals" in groups:
        more = [(f"{prefix}_signals *", "signals")]
        body += [f"signals->{s.member.name} = {s.code};" for s in interface.signals()]
    about = f"The signals; the workspace holds {capitals}_FORWARD_WORKSPACE({{sizes}}) numbers."
    yield _call(interface, "void", "forward", about, more, body, judged=False)
    judged = [_run(interface, stage) for stage in STAGES[:2]]
    loss = f"return arrays->{interface.names['loss']}[0];"
    about = f"The loss; the workspace holds {capitals}_LOSS_WORKSPACE({{sizes}}) numbers."
    body = [*_placed(interface, 2, judged=True), *judged, loss]
    yield _call(interface, f"{prefix}_real", "loss", about, [], body, judged=True)
    more, handed = [], list[Item]()
    more += _gradients(interface)
    handed += interface.gradients("parameters")
    for kind in ("input", "initial"):
        if f"{kind}_gradients" in groups:
            more.append((f"{prefix}_{kind}_gradients *", f"{kind}_gradients"))
            stage = f"_{kind}_gradients"
            inner = (_run(interface, stage), *interface.gradients(f"{kind}_gradients"))
            handed.append(Block(f"if ({kind}_gradients)", inner))
    about = (
        "The loss, and its gradients; those by inputs, and by values outside the steps, where the "
        f"pointers to them are not null. The workspace holds {capitals}_WORKSPACE({{sizes}}) "
        "numbers."
    )
    body = [*_placed(interface, 5, judged=True), *judged, _run(interface, "_backward")]
    yield _call(
        interface,
        f"{prefix}_real",
        "loss_and_gradients",
        about,
        more,
        [*body, *handed, loss],
        judged=True,
    )
    yield from step(interface)


def step(interface: Interface) -> Iterator[Call]:
    """The function that computes one step of one sequence, where a network can be computed so."""
    if interface.state is None:
        return
    prefix, capitals = interface.prefix, interface.prefix.upper()
    groups = {group.name for group in interface.groups}
    arguments = [a for a in _given(interface, judged=False) if a[1] != "initial"]
    known = {n for _, n in arguments}
    body: list[Item] = [f"{prefix}_arrays placed;", f"const {prefix}_arrays *arrays = &placed;"]
    if "initial" in groups:
        pointers = ", ".join(f"state->{member.name}" for member, _ in interface.state)
        body.append(f"const {prefix}_initial initial = {{{pointers}}};")
    names = [n for _, n in _given(interface, judged=True)]
    given = [n if n in known else "&initial" if n == "initial" else "0" for n in names]
    given += ["0" for _ in _gradients(interface)]
    ones = ["1"] * len(interface.sizes)
    body.append(f"{prefix}_place({', '.join(['&placed', *given, *ones, 'workspace', '1'])});")
    counts = ["state->steps"] * len(interface.texts["_forward"].counts)
    body.append(f"{prefix}_compute_forward({', '.join(['arrays', *ones, *counts])});")
    body += [*interface.kept(), "++state->steps;"]
    arguments += [(f"{prefix}_state *", "state"), (f"{prefix}_real *", "workspace")]
    if "signals" in groups:
        arguments.append((f"{prefix}_signals *", "signals"))
        body += [f"signals->{s.member.name} = {s.code};" for s in interface.signals()]
    about = (
        "The signals of the next step of one sequence, for inputs of that step; a state of zeros "
        f"is that before the first. The workspace holds {capitals}_FORWARD_WORKSPACE"
        f"({', '.join(ones)}) numbers."
    )
    head = _head("void", f"{prefix}_step", arguments)
    # Sizes in the places of signals are those of one step.
    sizes = [f"enum {{ {', '.join(f'{n} = 1' for n in interface.sizes)} }};"]
    used = mentions([str(item) for item in body], "(?:" + "|".join(interface.sizes) + ")")
    lines = tuple(rendered([*(sizes if used else []), *body], 1))
    yield Call(tuple(textwrap.wrap(about, 92)), head, lines)


def _call(
    interface: Interface,
    kind: str,
    name: str,
    about: str,
    more: Sequence[Argument],
    body: Sequence[Item],
    *,
    judged: bool,
) -> Call:
    arguments = [*_given(interface, judged=judged), *_sized(interface), *more]
    about = about.format(sizes=", ".join(interface.sizes))
    head = _head(kind, f"{interface.prefix}_{name}", arguments)
    return Call(tuple(textwrap.wrap(about, 92)), head, tuple(rendered(body, 1)))


def _placed(interface: Interface, parts: int, *, judged: bool) -> list[Item]:
    """Statements that place the arrays which the first parts of the equations need."""
    prefix = interface.prefix
    known = {n for _, n in _given(interface, judged=judged)}
    every = [n if n in known else "0" for _, n in _given(interface, judged=True)]
    every += [n if parts > 2 else "0" for _, n in _gradients(interface)]
    given = ", ".join(["&placed", *every, *interface.sizes, "workspace", str(parts)])
    return [
        f"{prefix}_arrays placed;",
        f"const {prefix}_arrays *arrays = &placed;",
        f"{prefix}_place({given});",
    ]


def _run(interface: Interface, stage: str, first: str = "0") -> str:
    """A statement that computes a part of the equations, the steps counted from a first one."""
    counts = [first] * len(interface.texts[stage].counts)
    return f"{interface.prefix}_compute{stage}({', '.join(['arrays', *interface.sizes, *counts])});"


def _given(interface: Interface, *, judged: bool) -> list[Argument]:
    """The arguments of what is given."""
    groups = {group.name for group in interface.groups}
    names = ["parameters", "inputs", *(["targets"] if judged else []), "initial"]
    return [(f"const {interface.prefix}_{n} *", n) for n in names if n in groups]


def _gradients(interface: Interface) -> list[Argument]:
    """The argument of the gradients by parameters, where there are any."""
    groups = {group.name for group in interface.groups}
    return [(f"{interface.prefix}_parameters *", "gradients")] if "parameters" in groups else []


def _sized(interface: Interface) -> list[Argument]:
    return [*(("long ", n) for n in interface.sizes), (f"{interface.prefix}_real *", "workspace")]


def _head(kind: str, name: str, arguments: Sequence[Argument]) -> str:
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
