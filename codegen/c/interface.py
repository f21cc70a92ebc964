"""What a C file offers: structures with the network's names, and where each array is placed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from bptt.codegen.boundaries import Boundary, boundary_values
from bptt.codegen.c.expressions import Item, under
from bptt.codegen.c.frame import Frame
from bptt.codegen.c.memory import Memory, length_code, size_code, size_factors, within_product
from bptt.codegen.extras import extend
from bptt.codegen.nodes import ZERO, Affine, Read, Subscript
from bptt.codegen.program import root
from bptt.derive.calculus.quantity import Quantity, Role
from bptt.derive.calculus.system import System
from bptt.derive.errors import UserError

# The functions of every program, in the order in which they run, and how far each C function goes.
STAGES = ("_forward", "_loss", "_backward", "_input_gradients", "_initial_gradients")


@dataclass(frozen=True)
class Member:
    """A member of a structure: its identifier, how many elements it has, and its axes in words."""

    name: str
    size: str
    axes: str


@dataclass(frozen=True)
class Group:
    """A structure that a caller fills, or gets filled: its name, what it is, its members."""

    name: str
    about: str
    members: tuple[Member, ...]
    is_given: bool = False


@dataclass(frozen=True)
class Signal:
    """A named signal: where its first step stands, how wide its rows are, and how far apart."""

    quantity: str
    member: Member
    code: str
    width: int
    apart: int


class Interface:
    """The structures of one network, and the statements that place its arrays."""

    def __init__(self, system: System, frame: Frame) -> None:
        self._system, self._memory = system, frame.memory
        self._buffers = frame.program.buffers
        self.names, self.prefix = frame.names, frame.prefix
        self.texts = {text.name: text for text in frame.texts}
        self.sizes = frame.sizes
        self._boundaries = boundary_values(system)
        self._keys = {(b.quantity, b.side): b for b in self._boundaries}

    # Structures.

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The structures that have members."""
        targets = tuple(member for member, _ in self.targets().values())
        initial = tuple(member for member, _ in self.initial())
        signals = tuple(signal.member for signal in self.signals())
        state = tuple(member for member, _ in self.state or ())
        found = (
            Group("state", "What one sequence carries on from step to step.", state),
            Group("parameters", "Parameters, or the gradients by them.", self.parameters()),
            Group("inputs", "Inputs, by pointers to their first step.", self.inputs(), True),
            Group("targets", "Targets of losses, and weights of steps.", targets, True),
            Group("initial", "Values outside the steps, in order of time.", initial, True),
            Group("signals", "Signals, by pointers to their first step.", signals),
            Group("input_gradients", "Where gradients by inputs go.", self.inputs()),
            Group("initial_gradients", "Where those by values outside the steps go.", initial),
        )
        has_state = self.state is not None
        return tuple(g for g in found if g.members or (has_state and g.name == "state"))

    def _member(self, key: str, quantity: Quantity) -> Member:
        shape = self._system.shape(quantity)
        return Member(self._identifier(key), _size(shape), _axes(shape))

    def _identifier(self, key: str) -> str:
        return self.names[key] if key in self._buffers else key

    def parameters(self) -> tuple[Member, ...]:
        return tuple(self._member(q.name, q) for q in self._system.of_role("parameter"))

    def inputs(self) -> tuple[Member, ...]:
        return tuple(self._member(q.name, q) for q in self._system.of_role("input"))

    def targets(self) -> dict[str, tuple[Member, Quantity]]:
        """The targets by their outputs, then the weights of steps as weight_ + output."""
        system, found = self._system, {}
        for loss in system.losses:
            quantity = system.quantities[loss.target]
            found[loss.output] = self._member(loss.output, quantity), quantity
        for loss in system.losses:
            weight = {q.name: q for q in system.of_role("weight")}.get(loss.weights or "")
            if weight is not None:
                found[f"weight_{loss.output}"] = (
                    self._member(f"weight_{loss.output}", weight),
                    weight,
                )
        return found

    def initial(self) -> tuple[tuple[Member, Boundary], ...]:
        return tuple(
            (Member(self._identifier(b.key), _size(b.shape), _axes(b.shape)), b)
            for b in self._boundaries
        )

    def signals(self) -> tuple[Signal, ...]:
        """The named signals."""
        found = []
        for quantity in self._system.of_role("signal"):
            name = quantity.name
            if quantity.internal or name not in self._buffers or not self._has_rows(name):
                continue
            read = Read(name, tuple(Subscript(None, ZERO) for _ in quantity.axes))
            array, place = self._memory.place(read, {})
            code = f"arrays->{self.names[array]}"
            code = code if place == "0" else f"{code} + {place}"
            block = root(name, self._buffers)
            shape = self._system.shape(quantity)
            axes = _axes(shape)
            width = apart = prod(n for n in shape if isinstance(n, int))
            if block.buffer != name:
                apart = prod(
                    n.constant
                    for n in self._memory.lengths(block.buffer)
                    if n is not None and not n.names
                )
                axes += f", rows {apart} apart"
            member = Member(self.names[name], _size(shape), axes)
            found.append(Signal(name, member, code, width, apart))
        return tuple(found)

    def _has_rows(self, name: str) -> bool:
        """Whether the units of a signal at one step stand together."""
        axis = root(name, self._buffers).axis
        return "feature" not in self._buffers[name].kinds[:axis]

    # One step after the other.

    @cached_property
    def state(self) -> tuple[tuple[Member, Boundary], ...] | None:
        """What a state keeps of one sequence; None where no step can be computed on its own."""
        try:
            extend(self._system, ["step"])
        except UserError:
            return None
        return tuple(
            (Member(member.name, str(_number(b.shape)), _axes(n for n in b.shape if n != "B")), b)
            for member, b in self.initial()
        )

    def kept(self) -> list[Item]:
        """Statements that put what the next step reads into the state."""
        found: list[Item] = []
        for member, boundary in self.state or ():
            array = f"arrays->{self.names[boundary.quantity]}"
            # Behind the first row stand those that come before the next step.
            place = f"{array} + {_number(boundary.shape[1:])}"
            found.append(f"{self.prefix}_copy(state->{member.name}, {place}, {member.size});")
        return found

    # Places.

    @cached_property
    def _kept(self) -> frozenset[str]:
        """The arrays that several parts of the equations use, or that are seen from outside."""
        counts = Counter(n for text in self.texts.values() for n in dict.fromkeys(text.arrays))
        shown = {root(signal.quantity, self._buffers).buffer for signal in self.signals()}
        padded = {n for n in counts if self._buffers[n].padded}
        return frozenset(
            {n for n, count in counts.items() if count > 1} | shown | padded | {"loss"}
        )

    def _first(self, stage: str) -> list[str]:
        """The arrays that a part of the equations is the first to use."""
        earlier = {n for s in STAGES[: STAGES.index(stage)] for n in self.texts[s].arrays}
        return [n for n in self.texts[stage].arrays if n not in earlier]

    def placing(self, stage: str) -> Iterator[Item]:
        """Statements that place what a part of the equations is the first to use, and is kept."""
        for name in self._first(stage):
            if name in self._given:
                yield f"arrays->{self.names[name]} = {self._given[name]};"
            elif name in self._kept:
                yield from self._placed(name)

    def passing(self, stage: str) -> list[Item]:
        """Statements that place what only this part uses: each part uses the same space for it."""
        found: list[Item] = []
        for name in self._passing(stage):
            size = size_code(self._memory.lengths(name))
            found += [f"arrays->{self.names[name]} = own;", f"own += {size};"]
        return ["own = workspace;", *found[:-1]] if found else []

    def _passing(self, stage: str) -> list[str]:
        own = {*self._given, *self._kept}
        return [n for n in self.texts[stage].arrays if n not in own]

    def workspace(self, stage: str) -> dict[str, int]:
        """How many elements a workspace holds: numbers of products of lengths, by the products."""
        kept, most = Counter[str](), Counter[str]()
        for part in STAGES[: STAGES.index(stage) + 1]:
            for name in self._first(part):
                if name in self._kept and name not in self._given:
                    number, lengths = size_factors(self._memory.lengths(name))
                    kept[lengths] += number
            own = Counter[str]()
            for name in self._passing(part):
                number, lengths = size_factors(self._memory.lengths(name))
                own[lengths] += number
            most |= own
        return kept + most

    def _placed(self, name: str) -> Iterator[Item]:
        """A place in the workspace, with what is given of it: steps of inputs, values outside."""
        lengths = self._memory.lengths(name)
        size = size_code(lengths)
        yield f"arrays->{self.names[name]} = workspace;"
        if self._buffers[name].padded:
            yield f"{self.prefix}_clear(workspace, {size});"
            if self._system.quantities[name].role == "input":
                reach, row, steps = self._system.reach[name], size_code(lengths[1:]), lengths[0]
                assert steps is not None
                place = f"workspace + {_times(str(reach.before), row)}" if reach.before else ""
                count = _times(within_product(str(steps - reach.before - reach.after)), row)
                given = f"inputs->{self.names[name]}"
                yield f"{self.prefix}_copy({place or 'workspace'}, {given}, {count});"
            yield from self._outside(name)
        yield f"workspace += {size};"

    def _outside(self, name: str) -> Iterator[Item]:
        reach = self._system.reach[name]
        lengths = self._memory.lengths(name)
        row = size_code(lengths[1:])
        for side in ("initial", "after"):
            boundary = self._keys.get((name, side))
            if boundary is None:
                continue
            key = self._identifier(boundary.key)
            steps = lengths[0]
            assert steps is not None
            start = Affine(0) if side == "initial" else steps - reach.after
            place = "workspace"
            if start != ZERO:
                place += f" + {_times(within_product(str(start)), row)}"
            count = _times(str(boundary.steps), row)
            yield from under(
                [f"if (initial && initial->{key})"],
                [f"{self.prefix}_copy({place}, initial->{key}, {count});"],
            )

    @cached_property
    def _given(self) -> dict[str, str]:
        """Where what stands with the caller is found: what is read within the steps alone."""
        system, found = self._system, dict[str, str]()
        for quantity in system.of_role("parameter", "input"):
            name = quantity.name
            if name in self._buffers and not self._buffers[name].padded:
                group = "parameters" if quantity.role == "parameter" else "inputs"
                found[name] = f"{group}->{self._identifier(name)}"
        for quantity in system.of_role("parameter", differentiable=True):
            made = system.derivative("loss", quantity.name)
            if made in self._buffers and root(made, self._buffers).buffer == made:
                found[made] = f"gradients->{self._identifier(quantity.name)}"
        for member, quantity in self.targets().values():
            if quantity.name in self._buffers:
                found[quantity.name] = f"targets->{member.name}"
        return found

    # Results.

    def gradients(self, group: str) -> list[Item]:
        """Statements that hand out the derivatives of the loss by the members of a structure."""
        system = self._system
        if group == "initial_gradients":
            pairs = [(b.key, b.gradient) for b in self._boundaries if b.gradient]
        else:
            role: Role = "parameter" if group == "parameters" else "input"
            quantities = system.of_role(role, differentiable=True)
            pairs = [(q.name, system.derivative("loss", q.name)) for q in quantities]
        into = "gradients" if group == "parameters" else group
        return [
            item
            for key, name in pairs
            if group != "parameters" or root(name, self._buffers).buffer != name
            for item in self._handed(f"{into}->{self._identifier(key)}", name, group)
        ]

    def _handed(self, member: str, name: str, group: str) -> tuple[Item, ...]:
        lengths = self._memory.lengths(name)
        # Along an axis of one place there is no loop.
        every = [None if n == Affine(1) else f"i{k}" for k, n in enumerate(lengths)]
        letters = {letter: letter for letter in every if letter}
        read = Read(name, tuple(Subscript(letter, ZERO) for letter in every))
        array, place = self._memory.place(read, letters)
        alone = Memory({name: replace(self._buffers[name], alias=None)}, {})
        heads = [
            f"for (long {letter} = 0; {letter} < {length_code(length)}; ++{letter})"
            for letter, length in zip(every, lengths, strict=True)
            if letter
        ]
        own = alone.place(read, letters)[1]
        line = f"{member}[{own}] = arrays->{self.names[array]}[{place}];"
        wanted = [] if group == "parameters" else [f"if ({member})"]
        return under(wanted, under(heads, [line]))


def _number(shape: Iterable[int | str]) -> int:
    """How many elements a shape has for one sequence."""
    return prod(n for n in shape if isinstance(n, int))


def _times(count: str, row: str) -> str:
    if row == "1":
        return count
    return row if count == "1" else f"{count} * {row}"


def _size(shape: Iterable[int | str]) -> str:
    """How many elements a shape has, as source."""
    return size_code([_length(n) for n in shape])


def _length(size: int | str) -> Affine | None:
    if size == "B":
        return None
    return Affine(size) if isinstance(size, int) else Affine(0, ((size, 1),))


def _axes(shape: Iterable[int | str]) -> str:
    return "".join(f"[{n}]" for n in shape) or "one number"
