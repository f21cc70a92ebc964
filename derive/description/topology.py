"""Topology files: TOML text to a network description. The text is data and is never evaluated."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from bptt.derive.description import network
from bptt.derive.description.kinds import shipped_losses
from bptt.derive.errors import UserError, did_you_mean, one_line, shown

MAX_BYTES, MAX_LINE = 250_000, 10_000
MAX_LOSSES = 20
_TOP = (
    "name",
    "inputs",
    "layers",
    "loss",
    "outputs",
    "losses",
    "cells",
    "equations",
    "signals",
    "parameters",
    "with",
)
_INPUT = ("size", "time", "batch", "mask")
_LAYER = (
    *("size", "from", "activation", "cell", "bias", "direction"),
    *("inner", "mask", "masked", "shares"),
)
_CONNECTION = ("delays", "weight", "weights", "at")
_LOSS = ("kind", "weight", "steps", "mask")
_KIND = ("formula", "over", "activation", "classes", "numbers", "about")
_CELL = ("equations", "output", "bias", "signals", "about", "inner")


def load(path: str | Path) -> network.Network:
    """Read a topology file. Raises UserError, which names the file and the place."""
    path = Path(path)
    text = read_bounded(path)
    try:
        return loads(text, default_name=path.stem)
    except UserError as error:
        raise error.located(file=str(path)) from None


def read_bounded(path: Path) -> str:
    """The text of a file that a stranger may have sent. Raises UserError."""
    try:
        return _text(_bytes(path))
    except UserError as error:
        raise error.located(file=str(path)) from None


def _bytes(path: Path) -> bytes:
    remedy = "name a topology file"
    try:
        if path.exists() and not path.is_file():
            what = "a folder" if path.is_dir() else "no regular file"
            raise UserError(f"this is {what}", remedy=remedy)
        with path.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"cannot be read ({error.strerror or error})", remedy=remedy) from None
    except ValueError:
        # A character that no path can have.
        raise UserError("is no file name", remedy=remedy) from None


def _text(data: bytes) -> str:
    if len(data) > MAX_BYTES:
        raise UserError(f"more than {MAX_BYTES} bytes", remedy="use a smaller file")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"byte {error.start} is not UTF-8 text", remedy="a topology file is a TOML text"
        ) from None
    for number, line in enumerate(text.split("\n"), 1):
        if len(line) > MAX_LINE:
            raise UserError(
                f"a line of {len(line)} characters",
                place=f"line {number}",
                remedy=f"at most {MAX_LINE} are read",
            )
    if not text.strip():
        raise UserError(
            "the file is empty", remedy="describe a network: [inputs], [layers.*], [loss]"
        )
    return text


def loads(text: str, *, default_name: str = "network") -> network.Network:
    """A network from TOML text. Raises UserError."""
    return network_of(tables_of(text), default_name)


def tables_of(text: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises UserError."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise UserError("nested too deeply", remedy="a file is nested four levels") from None
    except ValueError as error:
        # What is no TOML, and dates and numbers that Python has not.
        found = one_line(" ".join(str(error).split()), 200)
        raise UserError(f"not valid TOML: {found}", remedy="mend the text there") from None


def network_of(data: dict[str, Any], default_name: str) -> network.Network:
    """A network from the tables of a topology file. Raises UserError."""
    only(data, _TOP, "")
    for table in ("inputs", "signals", "parameters", "loss"):
        # In TOML a key belongs to the table above it.
        if isinstance(data.get(table), dict) and isinstance(data[table].get("equations"), str):
            raise UserError(
                f"the key 'equations' stands in the table [{table}]",
                place=table,
                remedy="put it above the first [table]",
            )
    inputs = table_of(data, "inputs", "")
    signals = table_of(data, "signals", "")
    parameters = table_of(data, "parameters", "")
    losses = table_of(data, "loss", "")
    layers = table_of(data, "layers", "")
    cells = table_of(data, "cells", "")
    kinds = {
        n: _kind(n, _as_table(v, f"losses.{_key(n)}"))
        for n, v in table_of(data, "losses", "").items()
    }
    known = {**shipped_losses(), **kinds}
    return network.Network(
        name=_string(data, "name", "", default_name),
        inputs={n: _input(v, f"inputs.{_key(n)}") for n, v in inputs.items()},
        layers=tuple(_layer(n, _as_table(v, f"layers.{_key(n)}")) for n, v in layers.items()),
        losses=tuple(x for n, v in losses.items() for x in _losses(n, v, known)),
        kinds=kinds,
        outputs=strings_of(data, "outputs", ""),
        extras=strings_of(data, "with", ""),
        cells={n: _cell(n, _as_table(v, f"cells.{_key(n)}")) for n, v in cells.items()},
        equations=_string(data, "equations", "", ""),
        signals={n: _width(v, f"signals.{_key(n)}") for n, v in signals.items()},
        parameters={n: _shape(v, f"parameters.{_key(n)}") for n, v in parameters.items()},
    )


def _input(value: Any, place: str) -> int | network.Input:
    if not isinstance(value, dict):
        return network.check_size(value, place)
    only(value, _INPUT, place)
    mask = _flag(value, "mask", place, False)
    time = value.get("time", "T")
    if isinstance(time, str):
        time = [time]
    if not isinstance(time, list) or not all(isinstance(name, str) for name in time):
        raise UserError(
            f"{shown(time)} does not name axes of steps",
            place=f"{place}.time",
            remedy='write "S", or ["T", "S"]',
        )
    size = value.get("size", [] if mask else [1])
    return network.Input(
        size=_shape(size, f"{place}.size"),
        time=tuple(time),
        batch=_flag(value, "batch", place, True),
        mask=mask,
    )


def _width(value: Any, place: str) -> int | tuple[int, ...]:
    return _shape(value, place) if isinstance(value, list) else network.check_size(value, place)


def _layer(name: str, table: dict[str, Any]) -> network.Layer:
    place = f"layers.{_key(name)}"
    network.check_name(name, "a layer", place)
    only(table, _LAYER, place)
    if "size" not in table:
        raise UserError("the layer has no size", place=place, remedy="add size = 10")
    cell = _string(table, "cell", place, "")
    if cell and "activation" in table:
        raise UserError(
            "the layer has a cell and an activation", place=place, remedy="keep one of the two"
        )
    if not cell and "activation" not in table:
        raise UserError(
            "the layer has no activation",
            place=place,
            remedy=f"add activation = one of {', '.join(network.ACTIVATIONS)}; or a cell",
        )
    direction = _string(table, "direction", place, "forward")
    return network.Layer(
        name=name,
        size=network.check_size(table["size"], f"{place}.size"),
        connections=_connections(table_of(table, "from", place), f"{place}.from"),
        activation=_string(table, "activation", place, "tanh"),
        cell=cell or None,
        bias=_flag(table, "bias", place, True),
        direction=direction,  # type: ignore[arg-type]
        inner=network.check_size(table["inner"], f"{place}.inner") if "inner" in table else None,
        mask=_string(table, "mask", place, "") or None,
        masked=_string(table, "masked", place, "hold"),  # type: ignore[arg-type]
        shares=_string(table, "shares", place, "") or None,
    )


def _connections(table: dict[str, Any], place: str) -> tuple[network.Connection, ...]:
    found = []
    for source, value in table.items():
        at = f"{place}.{_key(source)}"
        entry = value if isinstance(value, dict) else {"delays": value}
        only(entry, _CONNECTION, at)
        if "at" in entry and "delays" in entry:
            raise UserError("both at and delays", place=at, remedy="keep one of the two")
        step = _string(entry, "at", at, "") or None
        delays = _delays(entry.get("delays", [0]), at, named="weights" in entry)
        weights = _weights(entry, len(delays), at)
        found += [
            network.Connection(source, d, w, step) for d, w in zip(delays, weights, strict=True)
        ]
    return tuple(found)


def _delays(value: Any, place: str, *, named: bool) -> list[int]:
    """The delays of a connection; one may stand again where each has a weight of its own name."""
    if not isinstance(value, list):
        raise UserError(
            f"{shown(value)} is not a list of delays", place=place, remedy="write [0] or [1, 2]"
        )
    if not value:
        raise UserError("the list of delays is empty", place=place, remedy="write [0] or [1, 2]")
    delays = [network.check_delay(d, place) for d in value]
    ordered = sorted(delays if named else set(delays))
    if delays != ordered:
        repeats = len(ordered) < len(delays)
        found = "repeats a delay" if repeats else "is not in rising order"
        remedy = f"write {shown(ordered)}" + ", or name the weights: weights = ['V', 'W']" * repeats
        raise UserError(f"{shown(delays)} {found}", place=place, remedy=remedy)
    return delays


def _weights(entry: dict[str, Any], count: int, place: str) -> list[str | None]:
    if "weight" in entry and "weights" in entry:
        raise UserError("both weight and weights", place=place, remedy="keep one of the two")
    if "weight" in entry:
        return [_string(entry, "weight", place, "")] * count
    if "weights" not in entry:
        return [None] * count
    weights = list(strings_of(entry, "weights", place))
    if len(weights) != count:
        raise UserError(
            f"{len(weights)} weights for {count} delays", place=place, remedy="name one for each"
        )
    return list(weights)


def _losses(
    output: str, value: Any, kinds: Mapping[str, network.LossKind]
) -> list[network.LossSpec]:
    """The loss of an output, or the losses in a list."""
    if isinstance(value, list) and 0 < len(value) <= MAX_LOSSES:
        return [_loss(output, entry, kinds) for entry in value]
    return [_loss(output, value, kinds)]


def _loss(output: str, value: Any, kinds: Mapping[str, network.LossKind]) -> network.LossSpec:
    place = f"loss.{_key(output)}"
    if isinstance(value, str):
        return network.LossSpec(output, value)
    if not isinstance(value, dict):
        raise UserError(f"{shown(value)} is not a loss", place=place, remedy='write "mse"')
    if "kind" not in value:
        raise UserError("the loss has no kind", place=place, remedy='add kind = "mse"')
    kind = _string(value, "kind", place, "")
    numbers = kinds[kind].numbers if kind in kinds else ()
    if kind in kinds:
        only(value, (*_LOSS, *numbers), place)
    return network.LossSpec(
        output=output,
        kind=kind,
        weight=_number(value, "weight", place, 1.0),
        steps=_string(value, "steps", place, "all"),  # type: ignore[arg-type]
        mask=_string(value, "mask", place, "") or None,
        numbers={n: _number(value, n, place, 0.0) for n in numbers if n in value},
    )


def _kind(name: str, table: dict[str, Any]) -> network.LossKind:
    place = f"losses.{_key(name)}"
    only(table, _KIND, place)
    if "formula" not in table:
        raise UserError("the loss has no formula", place=place, remedy='add formula = "(y - d)**2"')
    numbers = table_of(table, "numbers", place)
    return network.LossKind(
        name=name,
        formula=_string(table, "formula", place, ""),
        over=_string(table, "over", place, "mean"),  # type: ignore[arg-type]
        activation=_string(table, "activation", place, ""),
        classes=_flag(table, "classes", place, False),
        numbers={n: _number(numbers, n, f"{place}.numbers", 0.0) for n in numbers},
        about=_string(table, "about", place, ""),
    )


def _cell(name: str, table: dict[str, Any]) -> network.Cell:
    place = f"cells.{_key(name)}"
    only(table, _CELL, place)
    if "equations" not in table:
        raise UserError(
            "the cell has no equations", place=place, remedy="add equations = '''...'''"
        )
    signals = table_of(table, "signals", place)
    return network.Cell(
        name=name,
        equations=_string(table, "equations", place, ""),
        output=_string(table, "output", place, "h"),
        bias=strings_of(table, "bias", place),
        signals={
            n: network.check_size(v, f"{place}.signals.{_key(n)}") for n, v in signals.items()
        },
        about=_string(table, "about", place, ""),
        inner=strings_of(table, "inner", place),
    )


def _shape(value: Any, place: str) -> tuple[int, ...]:
    sizes = value if isinstance(value, list) else [value]
    if len(sizes) > 6:
        raise UserError(f"{len(sizes)} axes", place=place, remedy="use at most 6")
    return tuple(network.check_size(n, place) for n in sizes)


# Types of TOML values.


def _key(name: str) -> str:
    """A key as a place shows it: cut where it is long, quoted where it is odd."""
    return name if len(name) <= 64 and name.isidentifier() else shown(name)


def only(table: Mapping[str, Any], known: Iterable[str], place: str) -> None:
    """Refuse keys that are not known."""
    known = tuple(known)
    for key in table:
        if key not in known:
            raise UserError(
                f"the key {shown(key)} is not known{did_you_mean(key, known)}",
                place=place,
                remedy=f"known are {', '.join(known)}",
            )


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place else key


def _as_table(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(
            f"{shown(value)} is not a table", place=place, remedy="write key = value pairs"
        )
    return value


def table_of(table: Mapping[str, Any], key: str, place: str) -> dict[str, Any]:
    """A table within a table; empty where there is none."""
    return _as_table(table.get(key, {}), _join(place, key))


def _typed(
    table: Mapping[str, Any], key: str, place: str, check: Callable[[Any], bool], what: str
) -> Any:
    value = table[key]
    if not check(value):
        raise UserError(
            f"{shown(value)} is not {what}", place=_join(place, key), remedy=f"use {what}"
        )
    return value


def _string(table: dict[str, Any], key: str, place: str, default: str) -> str:
    if key not in table:
        return default
    return str(_typed(table, key, place, lambda v: isinstance(v, str), "a text in quotes"))


def strings_of(table: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    """A list of texts within a table; empty where there is none."""
    if key not in table:
        return ()
    value = _typed(
        table,
        key,
        place,
        lambda v: isinstance(v, list) and all(isinstance(s, str) for s in v),
        "a list of texts in quotes",
    )
    return tuple(value)


def _flag(table: dict[str, Any], key: str, place: str, default: bool) -> bool:
    if key not in table:
        return default
    return bool(_typed(table, key, place, lambda v: isinstance(v, bool), "true or false"))


def _number(table: dict[str, Any], key: str, place: str, default: float) -> float:
    if key not in table:
        return default
    value = _typed(
        table,
        key,
        place,
        lambda v: isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 10**300,
        "a finite number",
    )
    return float(value)
