"""A network description to its system of forward and loss equations, checked on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.causality import causal
from bptt.derive.calculus.dependence import dependent
from bptt.derive.calculus.masks import held, renamed, states
from bptt.derive.calculus.quantity import (
    BATCH,
    Axis,
    Local,
    Made,
    Quantity,
    name_of_origin,
    time_size,
    unused,
)
from bptt.derive.calculus.system import Equation, System, Term, check_names
from bptt.derive.description.cell import LayerEquations, layer_equations, plain_cell, shipped_cells
from bptt.derive.description.kinds import shipped_losses
from bptt.derive.description.losses import LossBuilder
from bptt.derive.description.network import (
    MAX_ELEMENTS,
    MAX_PARAMETERS,
    PREFIXES,
    Cell,
    Layer,
    Network,
    check_name,
    check_size,
)
from bptt.derive.description.validation import check_network, named_layers
from bptt.derive.errors import UserError, did_you_mean, shown
from bptt.derive.language.clocks import Clocks, clocks
from bptt.derive.language.elaborate import Elaborator
from bptt.derive.language.letters import typed
from bptt.derive.language.parser import parse
from bptt.derive.language.shapes import Shape, Shapes, Sizes
from bptt.derive.language.shorthands import SHORTHANDS, check_functions
from bptt.derive.language.syntax import Statement, references, step_apart


def build(network: Network, *, judged: bool = True) -> System:
    """The forward system of a network: its signals' equations, then its losses'.

    With `judged = False` a network needs no loss: any of its signals may be what is derived.

    Raises UserError where the description is not a network: unknown sources, shapes that do not
    fit, a loop without a delay, names that collide, an output that no input reaches.
    """
    check_network(network, judged=judged)
    blocks = _blocks(network)
    sizes = Sizes({})
    times = _clocks(network, blocks)
    quantities, shapes = _declare(network, blocks, sizes, times)
    equations: list[Equation] = []
    owned: dict[str, set[str]] = {}
    steps = iter(times.letters)
    check_names((name, local.about) for block in blocks for name, local in block.made)
    for number, block in enumerate(blocks):
        elaborator = Elaborator(
            quantities,
            shapes[number],
            SHORTHANDS,
            local=block.local,
            layer=block.layer.name,
            apart={s.target.name: step for s in block.statements if (step := step_apart(s))},
        )
        for k, statement in enumerate(block.statements):
            try:
                elaborator.define(k, statement, next(steps))
            except UserError as error:
                raise error.located(place=_place(block)) from None
        equations += elaborator.equations
        owned[block.layer.name] = {e.quantity.name for e in elaborator.equations}
    plain = {e.quantity.name: e for e in equations}
    unmasked = {y.name: (y.mask, plain[y.name]) for y in network.layers if y.mask}
    equations = _masked(network, equations, quantities, owned)
    _check_judged(network, quantities)
    losses = LossBuilder(
        quantities, equations, {**shipped_losses(), **network.kinds}, sizes, unmasked
    ).build(network.losses)
    outputs = tuple(dict.fromkeys((*(loss.output for loss in losses), *network.outputs)))
    system = System(
        name=network.name,
        quantities=quantities,
        equations=tuple(replace(e, number=n) for n, e in enumerate(equations, 1)),
        sizes=_sizes_in_use(quantities, sizes),
        outputs=outputs,
        losses=losses,
    )
    system = causal(system)
    _check_reached(system)
    _check_steps(system)
    for quantity in system.quantities.values():
        if quantity.role != "parameter" and system.elements(quantity) > MAX_ELEMENTS:
            raise UserError(
                f"{quantity.name!r} has {system.elements(quantity)} elements a step",
                remedy=f"use at most {MAX_ELEMENTS}",
            )
    if system.parameter_count > MAX_PARAMETERS:
        raise UserError(
            f"the network has {system.parameter_count} parameters",
            remedy=f"use at most {MAX_PARAMETERS}",
        )
    return system


def _check_judged(network: Network, quantities: dict[str, Quantity]) -> None:
    """Every output and every loss is about a signal with one feature axis."""
    signals = [q.name for q in quantities.values() if q.role == "signal" and not q.internal]
    named = [(loss.output, f"loss.{loss.output}") for loss in network.losses]
    named += [(name, "outputs") for name in network.outputs]
    for name, place in named:
        if name not in signals:
            raise UserError(
                f"there is no layer {shown(name)}{did_you_mean(name, signals)}",
                place=place[:120],
                remedy="name a layer or a signal that an equation defines",
            )
        kinds = [axis.kind for axis in quantities[name].axes]
        if "batch" not in kinds:
            raise _unreached(name, place)
        if "feature" not in kinds:
            raise UserError(
                f"{name!r} has no width", place=place, remedy="declare it with a size, 1 at least"
            )
    for loss in network.losses:
        kinds = [axis.kind for axis in quantities[loss.output].axes]
        if kinds not in (["time", "batch", "feature"], ["batch", "feature"]):
            raise UserError(
                f"{loss.output!r} has {kinds.count('time')} axes of steps and "
                f"{kinds.count('feature')} of units",
                place=f"loss.{loss.output}",
                remedy="judge a vector at each step (matrix notation writes no index of units)",
            )
        if "time" not in kinds and (loss.steps != "all" or loss.mask):
            raise UserError(
                f"{loss.output!r} has no steps",
                place=f"loss.{loss.output}",
                remedy="leave out steps and mask",
            )


def _check_reached(system: System) -> None:
    """Refuse an output that no input reaches, or without inputs no value before the first step."""
    inputs = system.of_role("input", differentiable=True)
    given = [q.name for q in inputs] or list(system.reach)
    reached = dependent(system, given)
    for output in system.outputs:
        if output not in reached:
            judged = output in {o.output for o in system.losses}
            raise _unreached(output, f"loss.{output}" if judged else "outputs")


def _check_steps(system: System) -> None:
    """Refuse a network of which nothing that is given says how many steps it has."""
    given = system.of_role("input", "target")
    told = {axis.size for q in given for axis in q.axes if axis.kind == "time"}
    for size in system.lengths:
        if size not in told:
            raise UserError(
                f"neither an input nor a target says how many steps there are along {size}",
                place="inputs",
                remedy="add an input with steps, a mask for instance, or judge all steps",
            )


def _unreached(output: str, place: str) -> UserError:
    return UserError(
        f"no input reaches the output {output!r}",
        place=place,
        remedy="connect it to an input, directly or through other layers",
    )


# Statements, and the quantities that they are about.


def _blocks(network: Network) -> list[LayerEquations]:
    """The statements of each layer; of a network of equations, one block of all of them."""
    if network.layers:
        cells: dict[str, Cell] = {**shipped_cells(), **network.cells}
        still, named = _still(network), dict(named_layers(network))
        return [
            layer_equations(
                layer,
                cells[layer.cell] if layer.cell else plain_cell(layer),
                still,
                named.get(layer.shares or ""),
            )
            for layer in network.layers
        ]
    try:
        lengths = {name: len(network.input(name).time) for name in network.inputs}
        statements = typed(parse(network.equations), lengths, _ranks(network))
        _check_statements(network, statements)
    except UserError as error:
        raise error.located(place="equations") from None
    sizes: dict[str, int | None] = {}
    for name, size in network.signals.items():
        if isinstance(size, int):
            sizes[name] = check_size(size, f"signals.{name}")
    unknown = set(network.signals) - {s.target.name for s in statements}
    if unknown:
        name = sorted(unknown)[0]
        raise UserError(
            f"no equation defines {shown(name)}",
            place=f"signals.{name}"[:120],
            remedy=f"add {name[:30]}[t] = ...",
        )
    return [LayerEquations(Layer("", 1, ()), statements, sizes, {})]


def _ranks(network: Network) -> dict[str, int]:
    """How many axes of units each quantity has of which that is declared."""
    inputs = {name: network.input(name).size for name in network.inputs}
    declared = {**inputs, **network.signals, **network.parameters}
    return {name: 1 if isinstance(size, int) else len(size) for name, size in declared.items()}


def _check_statements(network: Network, statements: tuple[Statement, ...]) -> None:
    if not statements:
        raise UserError("there is no equation", remedy="write h[t] = tanh(W @ x[t] + b)")
    defined = {statement.target.name for statement in statements}
    seen: set[tuple[str, bool]] = set()
    for statement in statements:
        target = statement.target
        check_name(target.name, "a signal", target.at)
        part = target.name, step_apart(statement) is None
        if part in seen or target.name in network.inputs:
            raise UserError(
                f"{target.name!r} is defined a second time",
                place=target.at,
                remedy=f"define it once, and beside {target.name}[t] one step: the first or last",
            )
        seen.add(part)
    for statement in statements:
        for reference in references(statement.expression):
            if reference.name not in defined | set(network.inputs):
                check_name(reference.name, "a parameter", reference.at)


def _still(network: Network) -> frozenset[str]:
    """Inputs and layers without steps: what reads only such, or single steps of others."""
    found = {n for n in network.inputs if not network.input(n).time}
    grown = True
    while grown:
        grown = False
        for layer in network.layers:
            if layer.name not in found and all(
                c.at is not None or c.source in found for c in layer.connections
            ):
                if layer.cell is not None or layer.mask is not None:
                    raise UserError(
                        "a layer with a cell or a mask reads nothing that has steps",
                        place=f"layers.{layer.name}",
                        remedy="give it an input with steps, or an activation",
                    )
                found.add(layer.name)
                grown = True
    return frozenset(found)


def _clocks(network: Network, blocks: list[LayerEquations]) -> Clocks:
    """What every index of steps runs over, in all statements of all blocks."""
    lengths = {name: tuple(map(time_size, network.input(name).time)) for name in network.inputs}
    unbatched = [name for name in network.inputs if not network.input(name).batch]
    masks = {b.layer.name: b.layer.mask for b in blocks if b.layer.mask}
    # A signal of a masked layer differs between sequences where its mask does.
    also = {s.target.name: b.layer.mask for b in blocks if b.layer.mask for s in b.statements}
    try:
        statements = [s for block in blocks for s in block.statements]
        # Initial values of every layer are given for each sequence.
        found = clocks(statements, lengths, unbatched, also, started=bool(network.layers))
    except UserError as error:
        if network.equations:
            raise error.located(place="equations") from None
        # The text of layers is made here: its lines and letters say nothing to the user.
        remedy = 'let a layer read one step of what runs along another axis: { at = "last" }'
        raise UserError(error.found, place="layers", remedy=remedy) from None
    for layer, mask in masks.items():
        if found.axes[layer] != found.axes[mask]:
            raise UserError(
                f"{layer!r} runs along other steps than its mask {mask!r}",
                place=f"layers.{layer}.mask",
                remedy="give the mask the layer's axis",
            )
    return found


def _masked(
    network: Network,
    equations: list[Equation],
    quantities: dict[str, Quantity],
    owned: dict[str, set[str]],
) -> list[Equation]:
    """The equations with the states of masked layers held, and outputs zero where asked.

    `owned` names what the equations of each layer define.
    """
    for layer in network.layers:
        if layer.mask is None:
            continue
        mask, output = quantities[layer.mask], quantities[layer.name]
        own = set(owned[layer.name])
        if layer.masked == "zero":
            origin = Made("state", layer.name)
            name = unused(name_of_origin(origin), quantities)
            state = replace(output, name=name, about=f"state of {layer.name}", origin=origin)
            quantities[name] = state
            own.add(state.name)
            moved = [renamed(e, output, state) if e.quantity.name in own else e for e in equations]
            indices = output.canonical_indices()
            symbols = [i.symbol for i in indices]
            term = Term(mask[symbols[: len(mask.axes)]] * state[symbols])
            equations = [*moved, Equation(0, output, indices, (term,))]
        kept = states(equations, quantities) & own
        equations = [
            held(e, mask, backward=layer.direction == "backward") if e.quantity.name in kept else e
            for e in equations
        ]
    return equations


def guessed_shapes(network: Network) -> dict[str, str]:
    """The quantities whose shapes are guessed, each with the signal whose equation suggests it."""
    check_network(network, judged=False)
    blocks = _blocks(network)
    _, shapes = _inferred(network, blocks, Sizes({}), _clocks(network, blocks))
    return {name: by for inference in shapes for name, by in inference.guessed.items()}


def _inferred(
    network: Network, blocks: list[LayerEquations], sizes: Sizes, times: Clocks
) -> tuple[dict[str, Shape], list[Shapes]]:
    """The shapes of everything that is named, and how the names of each block got theirs."""
    check_names(
        (s.target.name, _what(s.target.name, b))
        for b in blocks
        for s in b.statements
        if b.layer.name or step_apart(s) is None
    )
    known = _declared_shapes(network, blocks, sizes)
    steps = {name: len(axes) for name, axes in times.axes.items()}
    shapes = []
    for block in blocks:
        inference = Shapes(known, sizes, steps)
        try:
            check_functions(block.statements)
            inference.infer(block.statements)
        except UserError as error:
            raise error.located(place=_place(block)) from None
        shapes.append(inference)
    return known, shapes


def _declare(
    network: Network, blocks: list[LayerEquations], sizes: Sizes, times: Clocks
) -> tuple[dict[str, Quantity], list[Shapes]]:
    """Every named quantity with its axes, parameters by shape inference."""
    known, shapes = _inferred(network, blocks, sizes, times)
    for inference in shapes:
        inference.resolve_letters()
    for name, shape in known.items():
        known[name] = tuple(map(sizes.resolve, shape))
    quantities = {}
    for n in network.inputs:
        given = network.input(n)
        axes = (*times.axes[n], *((BATCH,) if given.batch else ()))
        units = tuple(Axis("feature", size) for size in known[n])
        about = "mask" if given.mask else "input"
        axes = (*axes, *units)
        quantities[n] = Quantity(n, "input", axes, about, differentiable=not given.mask)
    signals = {s.target.name: b for b in blocks for s in b.statements}
    parameters = []
    made = dict(pair for block in blocks for pair in block.made)
    for name in known:
        if name.startswith(PREFIXES):
            check_name(name, "a quantity", "")
    for name, shape in known.items():
        axes = tuple(Axis("feature", size) for size in shape)
        if name in signals:
            role = _what(name, signals[name])
            batch = (BATCH,) if name in times.batched else ()
            block, layer = signals[name], signals[name].layer.name
            local = Local(block.local[name], layer) if layer and name != layer else None
            axes = (*times.axes[name], *batch, *axes)
            quantities[name] = Quantity(name, "signal", axes, role, layer=layer, local=local)
        elif name not in network.inputs:
            parameters.append(Quantity(name, "parameter", axes, "parameter", local=made.get(name)))
    for size in {axis.size.name for axes in times.axes.values() for axis in axes} - {"T"}:
        if size in known:
            check_names([(size, "the length of an axis of steps"), (size, "a quantity")])
    mentioned = {r.name for b in blocks for s in b.statements for r in references(s.expression)}
    for parameter in parameters:
        if parameter.name not in mentioned:
            raise UserError(
                f"no equation mentions the parameter {parameter.name!r}",
                place=f"parameters.{parameter.name}",
                remedy="use it or leave it out",
            )
        if parameter.name in quantities:
            check_names([(parameter.name, "a parameter"), (parameter.name, "a signal")])
        quantities[parameter.name] = parameter
    return quantities, shapes


def _what(name: str, block: LayerEquations) -> str:
    layer = block.layer.name
    if not layer:
        return "signal"
    return f"output of layer {layer}" if name == layer else f"signal of layer {layer}"


def _place(block: LayerEquations) -> str:
    if not block.layer.name:
        return "equations"
    if block.layer.cell:
        return f"cells.{block.layer.cell}.equations in layers.{block.layer.name}"
    return f"layers.{block.layer.name}"


def _size_symbol(name: str) -> sp.Symbol:
    return sp.Symbol(f"N_{name}", integer=True, positive=True)


def _declared_shapes(
    network: Network, blocks: Iterable[LayerEquations], sizes: Sizes
) -> dict[str, Shape]:
    """The shapes that the description gives, each size as a symbol with its number in `sizes`."""
    named = {*network.inputs, *network.parameters}.union(*(block.sizes for block in blocks))

    def declare(name: str, number: int) -> sp.Symbol:
        symbol = _size_symbol(name)
        sizes.numbers[symbol] = number
        return symbol

    def declared(name: str, shape: Iterable[int], place: str = "") -> Shape:
        """One symbol for each axis; what has the name x_2 has a size of its own, N_x_2."""
        return tuple(
            declare(unused(f"{name}_{axis}", named), check_size(n, place))
            for axis, n in enumerate(shape, 1)
        )

    known: dict[str, Shape] = {}
    for name in network.inputs:
        given = network.input(name).size
        known[name] = (
            declared(name, given) if len(given) > 1 else tuple(declare(name, n) for n in given)
        )
    for name, shape in network.signals.items():
        if not isinstance(shape, int):
            known[name] = declared(name, shape, f"signals.{name}")
    for block in blocks:
        for name, size in block.sizes.items():
            if size is None:
                known[name] = (declare(block.layer.name, block.layer.size),)
            else:
                known[name] = (declare(name, size),)
    for name, shape in network.parameters.items():
        place = f"parameters.{name}"
        check_name(name, "a parameter", place)
        known[name] = declared(name, shape, place)
    return known


def _sizes_in_use(quantities: dict[str, Quantity], sizes: Sizes) -> dict[sp.Symbol, int]:
    used = {s for q in quantities.values() for axis in q.axes for s in axis.size.free_symbols}
    return {s: n for s, n in sizes.numbers.items() if s in used}
