"""A layer as equations: its cell's statements with the network's own names.

Every layer is a cell. A plain layer is the cell `h[t] = f(W @ x[t] + b)`. In a cell, `x` is all
that the layer reads: an addend that mentions x is repeated for every connection, and the
parameters that multiply x get one copy for each, `W_hidden_output_2`. The cell's other names get
the layer's name behind them, `c_hidden`; its output is named as the layer.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

from bptt.derive.calculus.quantity import Local
from bptt.derive.description.network import Cell, Connection, Layer
from bptt.derive.errors import UserError
from bptt.derive.language import syntax
from bptt.derive.language.letters import typed
from bptt.derive.language.parser import parse

INPUT = "x"
TRANSPOSED = ".T"


@cache
def shipped_cells() -> dict[str, Cell]:
    """The cells that ship with the project, by name."""
    text = files("bptt.derive.description").joinpath("cells/cells.toml").read_text(encoding="utf-8")
    return {
        name: Cell(
            name,
            entry["equations"],
            entry["output"],
            tuple(entry.get("bias", ())),
            {},
            entry["about"],
            tuple(entry.get("inner", ())),
        )
        for name, entry in tomllib.loads(text).items()
    }


def plain_cell(layer: Layer) -> Cell:
    """The cell of a layer with an activation and no recurrence of its own."""
    activation = layer.activation
    net = "W @ x[t] + b" if layer.connections else "b"
    text = f"h[t] = sin({net})" if activation == "sin" else f"h[t] = {activation}({net})"
    return Cell(activation, text, "h", ("b",))


@dataclass(frozen=True)
class LayerEquations:
    """A layer's statements in the network's names, and the short names that they come from.

    `sizes` gives the widths of the signals, None for the width of the layer; `made` the names that
    parameters got here, with what each is.
    """

    layer: Layer
    statements: tuple[syntax.Statement, ...]
    sizes: dict[str, int | None]
    local: dict[str, str]
    made: tuple[tuple[str, Local], ...] = ()


def layer_equations(
    layer: Layer, cell: Cell, still: frozenset[str] = frozenset(), shared: Layer | None = None
) -> LayerEquations:
    """The cell's statements for one layer. Raises UserError with the cell's line and column.

    `still` names what has no steps; `shared` is the layer whose parameters this one uses.
    """
    place = f"cells.{cell.name}.equations" if layer.cell else f"layers.{layer.name}"
    try:
        statements = typed(parse(cell.equations), {INPUT: 1})
        return _Instance(layer, cell, statements, still, shared).equations()
    except UserError as error:
        raise error.located(place=place) from None


class _Instance:
    def __init__(
        self,
        layer: Layer,
        cell: Cell,
        statements: tuple[syntax.Statement, ...],
        still: frozenset[str],
        shared: Layer | None,
    ) -> None:
        self._layer, self._cell, self._statements = layer, cell, statements
        self._still, self._shared = still, shared
        self._signals = {s.target.name for s in statements}
        self._sign = -1 if layer.direction == "backward" else 1
        self._index_notation = False
        self._made: dict[tuple[str, Local], None] = {}
        self._names: dict[str, str] = {}

    def equations(self) -> LayerEquations:
        self._check()
        statements = []
        for statement in self._statements:
            self._index_notation = syntax.uses_index_notation(statement)
            expression = self._expand(self._without_bias(statement.expression))
            statements.append(syntax.Statement(self._renamed(statement.target), expression))
        sizes = {
            self._name(signal): self._cell.signals.get(
                signal, self._layer.inner if signal in self._cell.inner else None
            )
            for signal in dict.fromkeys(s.target.name for s in self._statements)
        }
        sizes[self._layer.name] = None
        made = () if self._shared is not None else tuple(self._made)
        return LayerEquations(self._layer, tuple(statements), sizes, self._names, made)

    def _check(self) -> None:
        cell = self._cell
        if cell.output not in self._signals:
            raise UserError(
                f"no equation defines the cell's output {cell.output!r}",
                remedy=f"add {cell.output}[t] = ..., or name another output",
            )
        if INPUT in self._signals:
            raise UserError("an equation defines x, the cell's input", remedy="rename it")
        for statement in self._statements:
            if syntax.step_apart(statement) is not None:
                raise UserError(
                    f"a cell defines one step of {statement.target.name!r}",
                    place=statement.target.at,
                    remedy="give its initial values, or write the network as equations",
                )
            for reference in syntax.references(statement.expression):
                name, at = reference.name, reference.at
                carries_time = name in self._signals or name == INPUT
                has_time = bool(reference.subscripts and reference.subscripts[0].is_step)
                if carries_time and not has_time:
                    raise UserError(
                        f"{name!r} is a signal and is read without a time",
                        place=at,
                        remedy=f"write {name}[t] or {name}[t-1]",
                    )
                if has_time and not carries_time:
                    raise UserError(
                        f"{name!r} is read at a time, and no equation of the cell defines it",
                        place=at,
                        remedy=f"add an equation for {name}[t], or read a parameter without [t]",
                    )
        for signal in cell.signals:
            if signal not in self._signals:
                raise UserError(
                    f"no equation of the cell defines the signal {signal!r}",
                    remedy="name a signal of the cell",
                )
        unknown = set(cell.bias) - {
            r.name for s in self._statements for r in syntax.references(s.expression)
        }
        if unknown and self._layer.cell:
            raise UserError(
                f"the bias {sorted(unknown)[0]!r} stands in no equation of the cell",
                remedy="list parameters of the cell",
            )

    def _name(self, local: str) -> str:
        home = self._layer
        if self._shared is not None and local not in self._signals:
            home = self._shared
        name = home.name if local == self._cell.output else f"{local}_{home.name}"
        if local not in self._signals:
            self._made[name, Local(local, home.name)] = None
        self._names[name] = local
        return name

    def _renamed(self, reference: syntax.Reference) -> syntax.Reference:
        subscripts = reference.subscripts
        if subscripts and subscripts[0].is_step:
            first = subscripts[0]
            moved = replace(first, offset=self._sign * first.offset)
            if first.name == syntax.END and self._sign < 0:
                moved = syntax.Subscript(None, -first.offset)
            subscripts = (moved, *subscripts[1:])
            if self._layer.name in self._still:
                subscripts = subscripts[1:] or None
        return replace(reference, name=self._name(reference.name), subscripts=subscripts)

    def _without_bias(self, node: syntax.Node) -> syntax.Node:
        if self._layer.bias or not self._cell.bias:
            return node
        if isinstance(node, syntax.Call):
            return replace(node, arguments=tuple(map(self._without_bias, node.arguments)))
        if isinstance(node, syntax.Binary) and node.operator in "+-":
            kept = [
                (sign, self._without_bias(n))
                for sign, n in syntax.addends(node)
                if not (isinstance(n, syntax.Reference) and n.name in self._cell.bias)
            ]
            return _sum(kept, node.at)
        if isinstance(node, syntax.Binary):
            return replace(
                node, left=self._without_bias(node.left), right=self._without_bias(node.right)
            )
        if isinstance(node, syntax.Negative | syntax.Transpose | syntax.Part):
            return replace(node, operand=self._without_bias(node.operand))
        return node

    def _expand(self, node: syntax.Node) -> syntax.Node:
        """The node in the network's names, with one copy of each addend in x per connection."""
        if self._reads_input(node):
            return self._per_connection(node)
        match node:
            case syntax.Number():
                return node
            case syntax.Reference():
                return node if syntax.is_index(node) else self._renamed(node)
            case syntax.Negative(operand) | syntax.Transpose(operand) | syntax.Part(operand):
                return replace(node, operand=self._expand(operand))
            case syntax.Comparison() | syntax.Sum() | syntax.Big() | syntax.Where():
                return node
            case syntax.Binary(operator, left, right):
                return syntax.Binary(operator, self._expand(left), self._expand(right), node.at)
            case syntax.Call(_, arguments):
                letter = syntax.index_letter(node)
                kept = tuple(a if a is letter else self._expand(a) for a in arguments)
                return replace(node, arguments=kept)

    def _reads_input(self, node: syntax.Node) -> bool:
        """Whether x is a factor of this node itself, not of something deeper in it."""
        if isinstance(node, syntax.Reference):
            return node.name == INPUT
        if isinstance(node, syntax.Binary) and node.operator == "@":
            return isinstance(node.right, syntax.Reference) and node.right.name == INPUT
        if self._index_notation and isinstance(node, syntax.Binary) and node.operator in "*/":
            return any(
                isinstance(n, syntax.Reference) and n.name == INPUT for _, n in syntax.factors(node)
            )
        return False

    def _per_connection(self, node: syntax.Node) -> syntax.Node:
        shared = self._weights_of(node)
        connections = self._layer.connections
        if not shared and len(connections) != 1:
            raise UserError(
                f"the cell uses x without a weight, and {self._layer.name!r} reads "
                f"{len(connections)} things",
                place=node.at,
                remedy="multiply x by a matrix (W @ x[t]), or read one source at one delay",
            )
        copies = [
            (1, self._copy(node, connection, shared, number))
            for number, connection in enumerate(connections)
        ]
        return _sum(copies, node.at)

    def _weights_of(self, node: syntax.Node) -> set[str]:
        """The parameters that multiply x: they get a copy for each connection."""
        if isinstance(node, syntax.Binary) and node.operator == "@":
            return {r.name for r in syntax.references(node.left)} - self._signals
        letters = {s.name for s in self._input_of(node).subscripts or () if not s.is_step}
        return {
            r.name
            for r in syntax.references(node)
            if r.name not in self._signals | {INPUT}
            and letters & {s.name for s in r.subscripts or ()}
        }

    @staticmethod
    def _input_of(node: syntax.Node) -> syntax.Reference:
        return next(r for r in syntax.references(node) if r.name == INPUT)

    def _copy(
        self, node: syntax.Node, connection: Connection, shared: set[str], number: int
    ) -> syntax.Node:
        letters = {
            s.name for s in self._input_of(node).subscripts or () if s.name and not s.is_step
        }
        keeps_letters = not self._index_notation or len(self._layer.connections) == 1

        def letter(subscript: syntax.Subscript) -> syntax.Subscript:
            if keeps_letters or subscript.name not in letters - self._outer_letters:
                return subscript
            return syntax.Subscript(f"{subscript.name}_{number}", subscript.offset)

        def rename(reference: syntax.Reference) -> syntax.Node:
            subscripts = reference.subscripts
            if reference.name == INPUT:
                assert subscripts is not None
                moved = (*self._step(subscripts[0], connection), *map(letter, subscripts[1:]))
                return replace(reference, name=connection.source, subscripts=moved or None)
            lettered = tuple(map(letter, subscripts)) if subscripts else subscripts
            if reference.name in shared:
                name = self._weight_name(reference.name, connection, number)
                if not name.endswith(TRANSPOSED):
                    return replace(reference, name=name, subscripts=lettered)
                name = name.removesuffix(TRANSPOSED)
                if lettered is not None:
                    return replace(reference, name=name, subscripts=lettered[::-1])
                return syntax.Transpose(replace(reference, name=name), reference.at)
            return self._renamed(replace(reference, subscripts=lettered))

        return _map_references(node, rename)

    @property
    def _outer_letters(self) -> set[str]:
        return {s.name for st in self._statements for s in st.target.subscripts or () if s.name}

    def _step(
        self, written: syntax.Subscript, connection: Connection
    ) -> tuple[syntax.Subscript, ...]:
        """The step of a source that a connection reads where the cell reads x at `written`."""
        if connection.source in self._still:
            return ()
        if connection.at == "first":
            return (syntax.Subscript(None, 0),)
        if connection.at == "last":
            return (syntax.Subscript(syntax.END, 0),)
        return (replace(written, offset=self._sign * (written.offset - connection.delay)),)

    def _weight_name(self, local: str, connection: Connection, number: int) -> str:
        if connection.weight is not None:
            return connection.weight
        home = self._layer
        if self._shared is not None:
            home, connection = self._shared, self._shared.connections[number]
        name = f"{local}_{home.name}_{connection.source}"
        delay = connection.at or connection.delay
        name = f"{name}_{delay}" if delay else name
        self._made[name, Local(local, home.name, connection.source, delay)] = None
        return name


def _sum(terms: list[tuple[int, syntax.Node]], at: str) -> syntax.Node:
    if not terms:
        return syntax.Number("0", at)
    sign, node = terms[0]
    node = node if sign == 1 else syntax.Negative(node, at)
    for sign, operand in terms[1:]:
        node = syntax.Binary("+" if sign == 1 else "-", node, operand, at)
    return node


def _map_references(
    node: syntax.Node, change: Callable[[syntax.Reference], syntax.Node]
) -> syntax.Node:
    match node:
        case syntax.Number():
            return node
        case syntax.Reference():
            return change(node)
        case syntax.Negative(operand) | syntax.Transpose(operand) | syntax.Part(operand):
            return replace(node, operand=_map_references(operand, change))
        case syntax.Comparison() | syntax.Sum() | syntax.Big() | syntax.Where():
            return node
        case syntax.Binary(operator, left, right):
            return syntax.Binary(
                operator, _map_references(left, change), _map_references(right, change), node.at
            )
        case syntax.Call(_, arguments):
            letter = syntax.index_letter(node)
            kept = tuple(a if a is letter else _map_references(a, change) for a in arguments)
            return replace(node, arguments=kept)
