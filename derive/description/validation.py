"""What a network description must say before anything is made of it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bptt.derive.calculus.system import check_names
from bptt.derive.description.cell import TRANSPOSED, shipped_cells
from bptt.derive.description.kinds import check_kinds, check_losses
from bptt.derive.description.network import (
    ACTIVATIONS,
    MAX_CONNECTIONS,
    MAX_LAYERS,
    Cell,
    Connection,
    Input,
    Layer,
    LossKind,
    LossSpec,
    Network,
    check_delay,
    check_module_name,
    check_name,
    check_size,
)
from bptt.derive.errors import UserError, check_choice, did_you_mean, shown


def check_network(network: Network, *, judged: bool = True) -> None:
    """Refuse what is no network; where it is not to be judged, it needs no loss."""
    _check_types(network)
    check_module_name(network.name)
    if len(network.inputs) > MAX_LAYERS:
        raise UserError(f"{len(network.inputs)} inputs", remedy=f"use at most {MAX_LAYERS}")
    for name in network.inputs:
        check_name(name, "an input", f"inputs.{name}")
        given = network.input(name)
        _check_input(given, f"inputs.{name}")
        if judged and not given.time and not given.batch:
            raise UserError(
                "neither steps nor sequences",
                place=f"inputs.{name}"[:120],
                remedy="make it a parameter",
            )
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
    sources = dict.fromkeys((*network.inputs, *(layer.name for layer in network.layers)))
    for layer in network.layers:
        _check_layer(network, layer, sources)
    total = sum(len(layer.connections) for layer in network.layers)
    if total > MAX_CONNECTIONS:
        raise UserError(f"{total} connections", remedy=f"use at most {MAX_CONNECTIONS}")
    check_kinds(network.kinds)
    if judged or network.losses:
        check_losses(network)
    for loss in network.losses:
        if loss.mask is not None:
            _check_mask(network, loss.mask, f"loss.{loss.output}.mask")


def _check_types(network: Network) -> None:
    """What a type checker would say of a description made in Python."""
    for place, values, kind in (
        ("layers", network.layers, Layer),
        ("losses", network.losses, LossSpec),
        ("kinds", tuple(network.kinds.values()), LossKind),
        ("cells", tuple(network.cells.values()), Cell),
        *((f"layers.{n}", layer.connections, Connection) for n, layer in named_layers(network)),
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


def named_layers(network: Network) -> list[tuple[str, Layer]]:
    layers = network.layers if isinstance(network.layers, tuple | list) else ()
    return [(layer.name, layer) for layer in layers if isinstance(layer, Layer)]


def _check_layer(network: Network, layer: Layer, sources: Mapping[str, None]) -> None:
    place = f"layers.{layer.name}"
    check_name(layer.name, "a layer", place)
    check_size(layer.size, f"{place}.size")
    check_choice(layer.activation, ACTIVATIONS, f"{place}.activation", "the activation")
    directions = ("forward", "backward")
    check_choice(layer.direction, directions, f"{place}.direction", fault="is not a direction")
    if layer.cell is not None:
        cells = {**shipped_cells(), **network.cells}
        if layer.cell not in cells:
            raise UserError(
                f"the cell {shown(layer.cell)} is not known{did_you_mean(layer.cell, cells)}",
                place=f"{place}.cell",
                remedy=f"known are {', '.join(cells)}; or define [cells.{layer.cell[:30]}]",
            )
    if not layer.connections and (layer.cell is not None or not layer.bias):
        raise UserError(
            "the layer reads nothing",
            place=f"{place}.from",
            remedy="name a source: x = [0]; a layer with an activation may have biases alone",
        )
    _check_options(network, layer, place)
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
        if connection.at is not None:
            check_choice(connection.at, ("first", "last"), f"{at}.at", fault="is not a step")
        # The same delay stands again only with another weight.
        key = (connection.source, connection.delay, connection.at, connection.weight)
        if key in seen:
            raise UserError(
                f"the delay {connection.delay} is given twice",
                place=at,
                remedy="give it once, or two weights of different names",
            )
        seen.add(key)
        if connection.weight is not None:
            check_name(connection.weight.removesuffix(TRANSPOSED), "a weight", at)
            if layer.cell is not None:
                raise UserError(
                    "a layer with a cell cannot name its weights",
                    place=at,
                    remedy="leave the weight out: a cell has several for each connection",
                )


def _check_options(network: Network, layer: Layer, place: str) -> None:
    """The keys of a layer beside its size, sources, activation and cell."""
    if layer.inner is not None:
        check_size(layer.inner, f"{place}.inner")
        if not layer.cell or not {**shipped_cells(), **network.cells}[layer.cell].inner:
            raise UserError(
                "inner is for a cell with inner signals",
                place=f"{place}.inner",
                remedy="leave it out, or use a cell such as lstm_projected",
            )
    fault = "does not say what a masked step gives"
    check_choice(layer.masked, ("hold", "zero"), f"{place}.masked", fault=fault)
    if layer.mask is not None:
        _check_mask(network, layer.mask, f"{place}.mask")
    elif layer.masked != "hold":
        raise UserError("the layer has no mask", place=f"{place}.masked", remedy='add mask = "m"')
    if layer.shares is not None:
        others = {other.name: other for other in network.layers}
        other = others.get(layer.shares)
        if other is None or other.name == layer.name:
            raise UserError(
                f"there is no other layer {shown(layer.shares)}"
                f"{did_you_mean(layer.shares, others)}",
                place=f"{place}.shares"[:120],
                remedy="name a layer",
            )
        same = (other.cell, other.activation, len(other.connections), other.shares, other.bias)
        if same != (layer.cell, layer.activation, len(layer.connections), None, layer.bias):
            raise UserError(
                f"{other.name!r} is of another kind",
                place=f"{place}.shares",
                remedy="share with a layer of the same cell and as many connections",
            )


def _check_mask(network: Network, name: str, place: str) -> None:
    masks = [n for n in network.inputs if network.input(n).mask]
    if name not in masks or network.input(name).size or len(network.input(name).time) != 1:
        raise UserError(
            f"{shown(name)} is not a mask with one number a step{did_you_mean(name, masks)}",
            place=place[:120],
            remedy="declare it as an input: m = { mask = true }",
        )


def _check_input(given: Input, place: str) -> None:
    for size in given.size:
        check_size(size, place)
    if len(given.size) > 4 or len(given.time) > 2:
        raise UserError(
            "too many axes", place=place, remedy="use at most 4 of units and 2 of steps"
        )
    for name in given.time:
        if not re.fullmatch("[A-Z]", name) or name in "BN":
            raise UserError(
                f"{shown(name)} cannot name the length of an axis of steps",
                place=f"{place}.time"[:120],
                remedy="use one capital letter, T or S, but not B or N",
            )
