"""The functions of extras: directional derivatives, Jacobians, learning forward in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from bptt.codegen.c.calls import (
    Argument,
    Call,
    arrays,
    call,
    from_state,
    given,
    handed,
    numbers,
    of_one_step,
    of_sequences,
    pointing,
    results,
    signals,
    sized,
    summed,
)
from bptt.codegen.c.chunks import Chunks
from bptt.codegen.c.expressions import Item
from bptt.codegen.c.interface import Group, Interface, Member, Shown, pointers
from bptt.codegen.c.layout import Given, Layout
from bptt.codegen.c.memory import size_code
from bptt.codegen.c.names import Names
from bptt.derive.calculus.quantity import Role, Tangent, unused
from bptt.derive.calculus.tangent import DOT

# Which way the derivatives of every element are computed, and what of.
WAYS = ("forward", "backward")
SENSITIVITIES = {
    "jacobian": ("_sensitivities", "_output_adjoints"),
    "residuals": ("_residual_sensitivities", "_residual_adjoints"),
}


@dataclass(frozen=True)
class Offer:
    """What an extra adds to a file: structures, and functions."""

    groups: tuple[Group, ...]
    calls: tuple[Call, ...]


def offers(interface: Interface) -> list[Offer]:
    """What the extras of a network add to its file, in their order."""
    made = (_OFFERS[name](interface) for name in interface.extended.names if name in _OFFERS)
    return [offer for found in made for offer in found]


# Along a direction.


def _jvp(interface: Interface) -> Iterator[Offer]:
    system, prefix = interface.extended.system, interface.prefix
    values = interface.extended.values
    tangents = tuple(interface.shown({s.quantity: s.member.name for s in interface.signals},
                                     values["tangents"]))  # fmt: skip
    moved, more = dict[str, Given](), list[Argument]()
    roles: tuple[Role, ...] = ("parameter", "input")
    for role in roles:
        group, direction = f"{role}s", f"{role}_direction"
        if not interface.has(group):
            continue
        more.append((f"const {prefix}_{group} *", direction))
        for quantity in system.of_role(role):
            name = values["directions"].get(quantity.name, "")
            code = f"{direction}->{interface.identifier(quantity.name)}"
            # Parameters are a structure of numbers, inputs one of pointers.
            wanted = direction if role == "parameter" else f"{direction} && {code}"
            moved[name] = Given(code, wanted)
    outside = interface.outside()
    if interface.has("initial"):
        more.append((f"const {prefix}_initial *", "initial_direction"))
        every = (q for q in system.quantities.values() if isinstance(q.origin, Tangent))
        of = {q.origin.of: q.name for q in every
              if isinstance(q.origin, Tangent) and q.origin.operator == DOT}  # fmt: skip
        outside |= interface.outside("initial_direction", of)
    shown = tuple(s.quantity for s in tangents if s.quantity)
    layout = Layout(
        interface.frames[0],
        ("_forward", "_tangents"),
        {**interface.given(), **moved},
        outside,
        shown,
    )
    about = (
        "The derivatives of all signals along a direction: of the parameters, of the inputs, and "
        "of values outside the steps; what a null pointer stands for does not move."
    )
    result = f"{prefix}_tangents *", "tangents"
    yield Offer(
        (pointers("tangents", "Derivatives of signals along a direction.", tangents),),
        (_whole(interface, layout, "jvp", about, more, [result],
                pointing("tangents", tangents, layout), judged=False),),
    )  # fmt: skip


def _product(name: str, about: str, stages: Sequence[str], key: str) -> Callable[
    [Interface], Iterator[Offer]
]:  # fmt: skip
    """A function that multiplies a matrix of second derivatives with a vector of parameters."""

    def offered(interface: Interface) -> Iterator[Offer]:
        if not interface.has("parameters"):
            return
        prefix, values = interface.prefix, interface.extended.values
        moved = {
            made: Given(f"vector->{interface.identifier(of)}")
            for of, made in values["vector"].items()
        }
        layout, after = _into(interface, "product", values[key], {**interface.given(), **moved},
                              ("_forward", "_loss", *stages))  # fmt: skip
        vector = f"const {prefix}_parameters *", "vector"
        product = f"{prefix}_parameters *", "product"
        yield Offer(
            (),
            (_whole(interface, layout, name, about, [vector], [product], after, judged=True),),
        )

    return offered


def _into(
    interface: Interface,
    group: str,
    names: Mapping[str, str],
    known: Mapping[str, Given],
    stages: tuple[str, ...],
    frame: int = 0,
) -> tuple[Layout, list[Item]]:
    """Where arrays stand of which some are derivatives by the parameters, and what then puts these
    into a structure: zeros of what has none."""
    members = {
        made: f"{group}->{interface.identifier(name)}"
        for name, made in names.items()
        if made in interface.frames[frame].program.buffers
    }
    into = interface.into(members, frame)
    layout = Layout(
        interface.frames[frame],
        stages,
        {**known, **into},
        interface.outside(),
        tuple(name for name in members if name not in into),
    )
    has_value = {interface.identifier(n) for n, made in names.items() if made in members}
    zeros = [
        f"{interface.prefix}_clear({group}->{m.name}, {m.size});"
        for m in interface.parameters
        if m.name not in has_value
    ]
    return layout, [*handed(members, layout, given=into), *zeros]


# Of every element.


def _elements(key: str) -> Callable[[Interface], Iterator[Offer]]:
    """Functions that differentiate some signals at every step by every parameter."""

    def offered(interface: Interface) -> Iterator[Offer]:
        prefix, values = interface.prefix, interface.extended.values[key]
        judged, of = key == "residuals", "residual_" if key == "residuals" else ""
        residuals: tuple[Shown, ...] = ()
        before: tuple[str, ...] = ("_forward",)
        more: list[Argument] = []
        if judged:
            before += ("_residuals",)
            names = {name: name for name in values["forward"]}
            own = Names(names, prefix)
            residuals = tuple(interface.shown({n: own[n] for n in names}, names))
            more = [(f"{prefix}_residual_values *", "values")]
            yield Offer(
                (pointers("residual_values", "What the loss sums the squares of.", residuals),),
                (_pointed(interface, "residuals", "What the loss sums the squares of.", before,
                          more, {"values": residuals}, judged=True),),
            )  # fmt: skip
        if not interface.has("parameters"):
            return
        for way, stage in zip(WAYS, SENSITIVITIES[key], strict=True):
            about = (
                f"The derivative of every {'residual' if judged else 'output'} at every step by "
                f"every parameter, {way} in time."
            )
            group = f"{way}_{of}elements"
            found = _by_parameters(interface, values[way])
            result = f"{prefix}_{group} *", "elements"
            pointed = {**({"values": residuals} if judged else {}), "elements": found}
            yield Offer(
                (pointers(group, f"Derivatives by parameters, {way} in time.", found),),
                (_pointed(interface, f"{way}_{of}jacobian", about, (*before, stage),
                          [*more, result], pointed, judged=judged),),
            )  # fmt: skip

    return offered


def _by_parameters(
    interface: Interface, names: Mapping[str, Mapping[str, str]]
) -> tuple[Shown, ...]:
    """The derivatives of signals by parameters: members y_by_W, and what they point at."""
    keys: dict[str, str] = {}
    for of in names:
        for parameter in interface.system.of_role("parameter"):
            made = names[of].get(parameter.name, "")
            keys[unused(f"{of}_by_{parameter.name}", keys)] = made
    own = Names(keys, interface.prefix)
    return tuple(interface.shown({k: own[k] for k in keys}, {k: n for k, n in keys.items() if n}))


def _pointed(
    interface: Interface,
    name: str,
    about: str,
    stages: tuple[str, ...],
    more: Sequence[Argument],
    pointed: Mapping[str, tuple[Shown, ...]],
    *,
    judged: bool,
) -> Call:
    """A function after which structures point at what it has computed."""
    shown = tuple(s.quantity for every in pointed.values() for s in every if s.quantity)
    layout = Layout(interface.frames[0], stages, interface.given(), interface.outside(), shown)
    after = [item for group, every in pointed.items() for item in pointing(group, every, layout)]
    return _whole(interface, layout, name, about, [], more, after, judged=judged)


# Forward in time.


def _rtrl(interface: Interface) -> Iterator[Offer]:
    """Real-time recurrent learning: over a sequence, and step by step for ever."""
    if not interface.has("parameters"):
        return
    prefix = interface.prefix
    names = interface.extended.values["online_gradients"]
    totals = interface.totals
    known = {**interface.given(1), **_given_totals(interface)}
    layout, after = _into(interface, "gradients", names, known, ("_online",), 1)
    loss = f"return arrays->{layout.frame.names['loss']}[0];"
    about = (
        "The loss and its gradients in one pass forward in time: sensitivities are carried from "
        "step to step (real-time recurrent learning), and of steps before only what a delay reads."
    )
    before = numbers(interface, ("0" for _ in totals))
    before += [item for place, total in enumerate(totals) for item in summed(total, place)]
    whole = _whole(interface, layout, "rtrl", about, [], results(interface), [*after, loss],
                   before=before, judged=True, frame=1, kind=f"{prefix}_real")  # fmt: skip
    yield Offer((), (whole,))
    yield from _learn_step(interface, names)


def _learn_step(interface: Interface, names: Mapping[str, str]) -> Iterator[Offer]:
    """One step of one sequence that moves the parameters."""
    frame, prefix = interface.frames[1], interface.prefix
    memory, used = frame.memory, frame.texts[0].arrays
    windows = [n for n in used if memory.buffers[n].window]
    carried = {b.quantity for _, b in interface.initial}
    if interface.state is None or any(memory.axes[n] for n in windows):
        return
    if any(memory.buffers[n].padded for n in {*used} - carried - {*windows}):
        return
    known = {**interface.given(1), **_given_totals(interface)}
    known |= {n: Given(f"learner->{frame.names[n]}") for n in windows}
    layout, after = _into(interface, "gradients", names, known, ("_online",), 1)
    shown = tuple(s for s in interface.signals if s.quantity in used)
    layout = Layout(frame, layout.stages, layout.given, layout.outside,
                    (*layout.shown, *(s.quantity for s in shown)))  # fmt: skip
    ones = ["1"] * len(interface.sizes)
    items = [*arrays(interface, 1), f"{prefix}_state *const state = &learner->state;"]
    # A loss counts what its weight says, and not the whole of a sequence.
    items += numbers(interface, ("1" for _ in interface.totals))
    items += [*from_state(interface), *layout.placed()]
    items.append(layout.run("_online", ones, **{frame.first_step: "state->steps"}))
    items += [*interface.carried(layout), "++state->steps;", *after]
    items += [item for name in windows for item in _shifted(layout, name)]
    for m in interface.parameters:
        items += [f"for (long k = 0; k < {m.size}; ++k)",
                  f"    parameters->{m.name}[k] -= rate * gradients->{m.name}[k];"]  # fmt: skip
    items += pointing("signals", [s if s in shown else _nothing(s) for s in interface.signals],
                      layout)  # fmt: skip
    items.append(f"return arrays->{frame.names['loss']}[0];")
    arguments: list[Argument] = [(f"{prefix}_parameters *", "parameters")]
    arguments += [a for a in given(interface, judged=True) if a[1] not in ("parameters", "initial")]
    arguments += [(f"{prefix}_learner *", "learner"), (f"{prefix}_real ", "rate")]
    arguments += [(f"{prefix}_real *", "workspace"), *results(interface), *signals(interface)]
    about = (
        "The loss of the next step of one sequence and its gradients, by sensitivities that the "
        "learner carries on; then parameters -= rate * gradients. A learner of zeros is that "
        "before the first step. Signals that the loss does not need are null, and a step of "
        f"weight 0 moves nothing. The workspace holds {prefix.upper()}_LEARN_WORKSPACE"
        f"({', '.join(ones)}) numbers."
    )
    made = call(interface, f"{prefix}_real", "learn_step", about, arguments,
                of_one_step(interface, items),
                of_sequences(interface, "LEARN_WORKSPACE", layout.workspace()),
                layout.operations().at(dict.fromkeys(interface.sizes, 1)))  # fmt: skip
    members = tuple(_window(layout, name) for name in windows)
    about = "What a network that learns step by step carries on: its state, its sensitivities."
    first = f"{prefix}_state state;"
    yield Offer((Group("learner", about, members, "numbers", first),), (made,))


def _given_totals(interface: Interface) -> dict[str, Given]:
    return {t.quantity: Given(f"numbers + {n}") for n, t in enumerate(interface.totals)}


def _nothing(shown: Shown) -> Shown:
    return Shown("", shown.member, 0, 0)


def _window(layout: Layout, name: str) -> Member:
    """What a learner keeps of a sensitivity: the last steps of one sequence."""
    lengths = [n for n in layout.memory.lengths(name) if n is not None]
    axes = "".join(f"[{n}]" for n in lengths)
    return Member(layout.frame.names[name], size_code(lengths), axes)


def _shifted(layout: Layout, name: str) -> Iterator[Item]:
    """Statements that make the newest rows of a window those of one step before."""
    memory, prefix = layout.memory, layout.frame.prefix
    buffer, lengths = memory.buffers[name], memory.lengths(name)
    window = buffer.window or 0
    row, array = size_code([n for n in lengths[1:] if n is not None]), layout.frame.names[name]
    now = buffer.offset(0)
    for back in range(window, 0, -1):
        older, newer = ((now - k) % (window + 1) for k in (back, back - 1))
        yield (f"{prefix}_copy(learner->{array} + {older} * {row}, "
               f"learner->{array} + {newer} * {row}, {row});")  # fmt: skip


# Part by part.


def _chunks(made: Callable[[Chunks], Call]) -> Callable[[Interface], Iterator[Offer]]:
    """A function that computes a sequence part by part, and before the first the one it calls."""

    def offered(interface: Interface) -> Iterator[Offer]:
        if interface.has("parameters"):
            chunks = Chunks(interface)
            yield Offer((), (chunks.placing(), made(chunks)))

    return offered


# What these functions are made of.


def _whole(
    interface: Interface,
    layout: Layout,
    name: str,
    about: str,
    more: Sequence[Argument],
    found: Sequence[Argument],
    after: Sequence[Item],
    *,
    judged: bool,
    before: Sequence[Item] = (),
    frame: int = 0,
    kind: str = "void",
) -> Call:
    """A function that places all arrays, runs all stages, and hands out what it has found."""
    macro = f"{name.upper()}_WORKSPACE"
    counts = ", ".join(interface.sizes)
    about += f" The workspace holds {interface.prefix.upper()}_{macro}({counts}) numbers."
    arguments = [*given(interface, judged=judged), *more, *sized(interface), *found]
    items = [*arrays(interface, frame), *before, *layout.placed()]
    items += [*map(layout.run, layout.stages), *after]
    workspace = of_sequences(interface, macro, layout.workspace())
    return call(interface, kind, name, about, arguments, items, workspace, layout.operations())


_OFFERS: Mapping[str, Callable[[Interface], Iterator[Offer]]] = {
    "jvp": _jvp,
    "jacobian": _elements("jacobian"),
    "residuals": _elements("residuals"),
    "hvp": _product(
        "hessian_vector",
        "The product of the loss's Hessian by the parameters with a vector.",
        ("_backward", "_directional", "_hessian_products"),
        "hessian_products",
    ),
    "gnvp": _product(
        "gauss_newton_vector",
        "The product of the Gauss-Newton matrix with a vector of parameters.",
        ("_directional", "_gauss_newton_products"),
        "gauss_newton_products",
    ),
    "rtrl": _rtrl,
    "truncated": _chunks(Chunks.truncated),
    "checkpoints": _chunks(Chunks.checkpointed),
}
