"""A network description to its system of forward and loss equations, checked on the way."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import sympy as sp

from derive.causality import check_causality
from derive.cell import LayerEquations, layer_equations, plain_cell, shipped_cells
from derive.elaborate import Elaborator, check_functions
from derive.errors import UserError, did_you_mean, shown
from derive.language import Reference, Statement, parse, references
from derive.losses import LossBuilder
from derive.network import (
    ACTIVATIONS,
    LOSS_KINDS,
    MAX_CONNECTIONS,
    MAX_LAYERS,
    MAX_PARAMETERS,
    PREFIXES,
    STEPS,
    Cell,
    Connection,
    Layer,
    LossSpec,
    Network,
    check_delay,
    check_module_name,
    check_name,
    check_size,
)
from derive.shapes import Shape, Shapes, Sizes
from derive.system import BATCH, TIME, Axis, B, Quantity, System, T, check_names


def build(network: Network) -> System:
    """The forward system of a network: its signals' equations, then its losses'.

    Raises UserError where the description is not a network: unknown sources, shapes that do not
    fit, a loop without a delay, names that collide, an output that no input reaches.
    """
    _check_network(network)
    blocks = _blocks(network)
    sizes = Sizes({})
    quantities, shapes = _declare(network, blocks, sizes)
    equations = []
    for number, block in enumerate(blocks):
        elaborator = Elaborator(
            quantities,
            shapes[number],
            local=block.local,
            suffix=f"_{block.layer.name}" if block.layer.name else "",
            output=block.layer.name,
        )
        for k, statement in enumerate(block.statements):
            try:
                elaborator.define(k, statement)
            except UserError as error:
                raise error.located(place=_place(block)) from None
        equations += elaborator.equations
    _check_judged(network, quantities)
    losses = LossBuilder(quantities, equations).build(network.losses)
    outputs = tuple(dict.fromkeys((*(loss.output for loss in losses), *network.outputs)))
    system = System(
        name=network.name,
        quantities=quantities,
        equations=tuple(replace(e, number=n) for n, e in enumerate(equations, 1)),
        sizes=_sizes_in_use(quantities, sizes),
        outputs=outputs,
        losses=losses,
    )
    check_causality(system)
    _check_reached(system)
    if system.parameter_count > MAX_PARAMETERS:
        raise UserError(
            f"the network has {system.parameter_count} parameters",
            remedy=f"use at most {MAX_PARAMETERS}",
        )
    return system


# Validation of what the description says.


def _check_network(network: Network) -> None:
    _check_types(network)
    check_module_name(network.name)
    if not network.inputs:
        raise UserError(
            "the network has no input", place="inputs", remedy="name one with its width: x = 3"
        )
    if len(network.inputs) > MAX_LAYERS:
        raise UserError(f"{len(network.inputs)} inputs", remedy=f"use at most {MAX_LAYERS}")
    for name, width in network.inputs.items():
        check_name(name, "an input", f"inputs.{name}")
        check_size(width, f"inputs.{name}")
    if bool(network.layers) == bool(network.equations):
        found = "both layers and equations" if network.layers else "neither layers nor equations"
        raise UserError(f"the network has {found}", remedy="describe it by one of the two")
    if len(network.layers) > MAX_LAYERS:
        raise UserError(f"{len(network.layers)} layers", remedy=f"use at most {MAX_LAYERS}")
    for name, cell in network.cells.items():
        check_name(name, "a cell", f"cells.{name}")
        for signal, size in cell.signals.items():
            check_size(size, f"cells.{name}.signals.{signal}")
    names = [(n, f"inputs.{n}") for n in network.inputs]
    names += [(layer.name, f"layers.{layer.name}") for layer in network.layers]
    check_names(names)
    for layer in network.layers:
        _check_layer(network, layer)
    total = sum(len(layer.connections) for layer in network.layers)
    if total > MAX_CONNECTIONS:
        raise UserError(f"{total} connections", remedy=f"use at most {MAX_CONNECTIONS}")
    _check_losses(network)


def _check_types(network: Network) -> None:
    """What a type checker would say of a description made in Python."""
    for place, values, kind in (
        ("layers", network.layers, Layer),
        ("losses", network.losses, LossSpec),
        ("cells", tuple(network.cells.values()), Cell),
        *((f"layers.{n}", layer.connections, Connection) for n, layer in _named(network)),
    ):
        if not isinstance(values, tuple | list) or not all(isinstance(v, kind) for v in values):
            raise UserError(
                f"{shown(values)} is not a tuple of {kind.__name__}",
                place=place,
                remedy=f"write ({kind.__name__}(...),), with a comma for a single one",
            )
    for name, cell in network.cells.items():
        if cell.name != name:
            raise UserError(
                f"the cell is called {cell.name!r}", place=f"cells.{name}", remedy="use one name"
            )
    for loss in network.losses:
        if loss.delta != 1.0 and loss.kind in LOSS_KINDS and loss.kind != "huber":
            raise UserError(
                "delta belongs to huber", place=f"loss.{loss.output}", remedy="leave it out"
            )


def _named(network: Network) -> list[tuple[str, Layer]]:
    layers = network.layers if isinstance(network.layers, tuple | list) else ()
    return [(layer.name, layer) for layer in layers if isinstance(layer, Layer)]


def _check_layer(network: Network, layer: Layer) -> None:
    place = f"layers.{layer.name}"
    check_name(layer.name, "a layer", place)
    check_size(layer.size, f"{place}.size")
    if layer.activation not in ACTIVATIONS:
        raise UserError(
            f"the activation {shown(layer.activation)} is not known"
            f"{did_you_mean(layer.activation, ACTIVATIONS)}",
            place=f"{place}.activation",
            remedy=f"known are {', '.join(ACTIVATIONS)}",
        )
    if layer.direction not in ("forward", "backward"):
        raise UserError(
            f"{shown(layer.direction)} is not a direction",
            place=f"{place}.direction",
            remedy="use 'forward' or 'backward'",
        )
    if layer.cell is not None:
        cells = {**shipped_cells(), **network.cells}
        if layer.cell not in cells:
            raise UserError(
                f"the cell {shown(layer.cell)} is not known{did_you_mean(layer.cell, cells)}",
                place=f"{place}.cell",
                remedy=f"known are {', '.join(cells)}; or define [cells.{layer.cell[:30]}]",
            )
    if not layer.connections:
        raise UserError(
            "the layer reads nothing", place=f"{place}.from", remedy="name a source: x = [0]"
        )
    sources = (*network.inputs, *(other.name for other in network.layers))
    seen = set()
    for connection in layer.connections:
        at = f"{place}.from.{connection.source}"
        if connection.source not in sources:
            raise UserError(
                f"there is no input or layer {shown(connection.source)}"
                f"{did_you_mean(connection.source, sources)}",
                place=at[:120],
                remedy="name an input or a layer",
            )
        check_delay(connection.delay, at)
        if (connection.source, connection.delay) in seen:
            raise UserError(
                f"the delay {connection.delay} is given twice", place=at, remedy="give it once"
            )
        seen.add((connection.source, connection.delay))
        if connection.weight is not None:
            check_name(connection.weight, "a weight", at)
            if layer.cell is not None:
                raise UserError(
                    "a layer with a cell cannot name its weights",
                    place=at,
                    remedy="leave the weight out: a cell has several for each connection",
                )


def _check_losses(network: Network) -> None:
    if not network.losses:
        raise UserError(
            "the network has no loss",
            place="loss",
            remedy='judge an output, for example  [loss]  y = "mse"',
        )
    seen = set()
    for loss in network.losses:
        place = f"loss.{loss.output}"
        if loss.output in seen:
            raise UserError("the output has two losses", place=place, remedy="give it one")
        seen.add(loss.output)
        if loss.kind not in LOSS_KINDS:
            raise UserError(
                f"the loss {shown(loss.kind)} is not known{did_you_mean(loss.kind, LOSS_KINDS)}",
                place=place,
                remedy=f"known are {', '.join(LOSS_KINDS)}",
            )
        if loss.steps not in STEPS:
            raise UserError(
                f"{shown(loss.steps)} does not say which steps count",
                place=f"{place}.steps",
                remedy="use 'all', 'last' or 'weighted'",
            )
        for key, value, least in (("weight", loss.weight, None), ("delta", loss.delta, 0.0)):
            is_far = not math.isfinite(value) or not 1e-9 < abs(value) < 1e9
            if is_far or (least is not None and value <= 0):
                raise UserError(
                    f"{shown(value)} is out of range",
                    place=f"{place}.{key}",
                    remedy="use a number that is not 0" if least is None else "use one above 0",
                )


def _check_judged(network: Network, quantities: dict[str, Quantity]) -> None:
    """Every output and every loss is about a signal with one feature axis."""
    signals = [q.name for q in quantities.values() if q.kind == "signal" and not q.internal]
    named = [(loss.output, f"loss.{loss.output}") for loss in network.losses]
    named += [(name, "outputs") for name in network.outputs]
    for name, place in named:
        if name not in signals:
            raise UserError(
                f"there is no layer {shown(name)}{did_you_mean(name, signals)}",
                place=place[:120],
                remedy="name a layer or a signal that an equation defines",
            )
        if [axis.kind for axis in quantities[name].axes] != ["time", "batch", "feature"]:
            raise UserError(
                f"{name!r} has no width", place=place, remedy="declare it with a size, 1 at least"
            )


def _check_reached(system: System) -> None:
    """Refuse an output that no input reaches."""
    reached = {q.name for q in system.of_kind("input")}
    grown = True
    while grown:
        grown = False
        for equation in system.equations:
            if equation.quantity.name not in reached and any(
                str(read.base.label) in reached for term in equation.terms for read in term.reads()
            ):
                reached.add(equation.quantity.name)
                grown = True
    for output in system.outputs:
        if output not in reached:
            raise UserError(
                f"no input reaches the output {output!r}",
                place=f"loss.{output}"
                if output in {o.output for o in system.losses}
                else "outputs",
                remedy="connect it to an input, directly or through other layers",
            )


# Statements, and the quantities that they are about.


def _blocks(network: Network) -> list[LayerEquations]:
    """The statements of each layer; of a network of equations, one block of all of them."""
    if network.layers:
        cells: dict[str, Cell] = {**shipped_cells(), **network.cells}
        return [
            layer_equations(layer, cells[layer.cell] if layer.cell else plain_cell(layer))
            for layer in network.layers
        ]
    try:
        statements = parse(network.equations)
        _check_statements(network, statements)
    except UserError as error:
        raise error.located(place="equations") from None
    sizes: dict[str, int | None] = {}
    for name, size in network.signals.items():
        sizes[name] = check_size(size, f"signals.{name}")
    unknown = set(sizes) - {s.target.name for s in statements}
    if unknown:
        name = sorted(unknown)[0]
        raise UserError(
            f"no equation defines {shown(name)}",
            place=f"signals.{name}"[:120],
            remedy=f"add {name[:30]}[t] = ...",
        )
    return [LayerEquations(Layer("", 1, ()), statements, sizes, {})]


def _check_statements(network: Network, statements: tuple[Statement, ...]) -> None:
    if not statements:
        raise UserError("there is no equation", remedy="write h[t] = tanh(W @ x[t] + b)")
    defined: dict[str, Reference] = {}
    for statement in statements:
        target = statement.target
        check_name(target.name, "a signal", target.at)
        first = (target.subscripts or (None,))[0]
        if first is None or first.name != "t" or first.offset:
            raise UserError(
                f"the left side {target.name!r} is not at time t",
                place=target.at,
                remedy=f"write {target.name}[t] = ...",
            )
        if target.name in defined or target.name in network.inputs:
            raise UserError(
                f"{target.name!r} is defined a second time",
                place=target.at,
                remedy="define it once",
            )
        defined[target.name] = target
    carries_time = {*defined, *network.inputs}
    for statement in statements:
        for reference in references(statement.expression):
            _check_reference(reference, carries_time, network)


def _check_reference(reference: Reference, carries_time: set[str], network: Network) -> None:
    name = reference.name
    has_time = bool(reference.subscripts and reference.subscripts[0].name == "t")
    if has_time and name not in carries_time:
        raise UserError(
            f"no equation defines {name!r}{did_you_mean(name, carries_time)}",
            place=reference.at,
            remedy="define it, name an input, or read a parameter without [t]",
        )
    if name in carries_time and not has_time:
        raise UserError(
            f"{name!r} is a signal and is read without a time",
            place=reference.at,
            remedy=f"write {name}[t] or {name}[t-1]",
        )
    if name not in carries_time:
        check_name(name, "a parameter", reference.at)


def _declare(
    network: Network, blocks: list[LayerEquations], sizes: Sizes
) -> tuple[dict[str, Quantity], list[Shapes]]:
    """Every named quantity with its axes, parameters by shape inference."""
    known = _declared_shapes(network, blocks, sizes)
    shapes = []
    for block in blocks:
        inference = Shapes(known, sizes)
        try:
            check_functions(block.statements)
            inference.infer(block.statements)
        except UserError as error:
            raise error.located(place=_place(block)) from None
        known |= inference.known
        shapes.append(inference)
    for inference in shapes:
        inference.resolve()
    known = {name: tuple(map(sizes.resolve, shape)) for name, shape in known.items()}
    quantities = {
        n: Quantity(n, "input", (TIME, BATCH, Axis("feature", known[n][0])), "input")
        for n in network.inputs
    }
    signals = {s.target.name: b for b in blocks for s in b.statements}
    check_names((s.target.name, _what(s.target.name, b)) for b in blocks for s in b.statements)
    parameters = []
    for name in known:
        if name.startswith(PREFIXES):
            check_name(name, "a quantity", "")
    for name, shape in known.items():
        axes = tuple(Axis("feature", size) for size in shape)
        if name in signals:
            role = _what(name, signals[name])
            quantities[name] = Quantity(name, "signal", (TIME, BATCH, *axes), role)
        elif name not in network.inputs:
            parameters.append(Quantity(name, "parameter", axes, "parameter"))
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

    def declare(name: str, number: int) -> sp.Symbol:
        symbol = _size_symbol(name)
        sizes.numbers[symbol] = number
        return symbol

    known: dict[str, Shape] = {n: (declare(n, width),) for n, width in network.inputs.items()}
    for block in blocks:
        for name, size in block.sizes.items():
            if size is None:
                known[name] = (declare(block.layer.name, block.layer.size),)
            else:
                known[name] = (declare(name, size),)
    for name, shape in network.parameters.items():
        place = f"parameters.{name}"
        check_name(name, "a parameter", place)
        known[name] = tuple(
            declare(f"{name}_{axis}", check_size(n, place)) for axis, n in enumerate(shape, 1)
        )
    return known


def _sizes_in_use(quantities: dict[str, Quantity], sizes: Sizes) -> dict[sp.Symbol, int]:
    used = {s for q in quantities.values() for axis in q.axes for s in axis.size.free_symbols}
    return {s: n for s, n in sizes.numbers.items() if s in used - {T, B}}
