"""What a C file offers: structures with the network's names, and what callers give of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

from bptt.codegen.boundaries import Boundary, boundary_values
from bptt.codegen.c.expressions import Item
from bptt.codegen.c.frame import Frame
from bptt.codegen.c.layout import Given, Layout, Rows
from bptt.codegen.c.memory import lengths_of, size_code
from bptt.codegen.extras import Extended, extend, total_weights
from bptt.codegen.nodes import Affine
from bptt.codegen.program import root
from bptt.derive.calculus.quantity import Quantity, Role
from bptt.derive.errors import UserError

# The functions of every program, in the order in which they run.
STAGES = ("_forward", "_loss", "_backward", "_input_gradients", "_initial_gradients")


@dataclass(frozen=True)
class Member:
    """A member of a structure: its identifier, how many elements it has, and its axes in words."""

    name: str
    size: str
    axes: str


@dataclass(frozen=True)
class Shown:
    """A quantity that a structure points at: its rows, and how far apart they begin.

    `quantity` is "" where it is zero whatever is given, and the pointer null.
    """

    quantity: str
    member: Member
    width: int
    apart: int


@dataclass(frozen=True)
class Group:
    """A structure that a caller fills, or gets filled: its name, what it is, its members.

    `holds` says what its members are: numbers, or pointers to given ones, or to found ones; before
    them stands what is `first`. `shown` are the quantities that it points at.
    """

    name: str
    about: str
    members: tuple[Member, ...]
    holds: str = "found"
    first: str = ""
    shown: tuple[Shown, ...] = ()


def pointers(name: str, about: str, shown: tuple[Shown, ...]) -> Group:
    """A structure that points at quantities."""
    return Group(name, about, tuple(s.member for s in shown), shown=shown)


@dataclass(frozen=True)
class Total:
    """The sum of a loss's weights: the quantity, the weight of element k, how many there are."""

    quantity: str
    weight: str
    size: str


class Interface:
    """The structures of one network."""

    def __init__(self, extended: Extended, frames: Sequence[Frame]) -> None:
        self.extended, self.frames, frame = extended, frames, frames[0]
        self.system = extended.base
        self._buffers = frame.program.buffers
        self.names, self.prefix, self.sizes = frame.names, frame.prefix, frame.sizes
        self._boundaries = boundary_values(self.system)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The structures that have members, and that of the state of a network without one."""
        targets = tuple(member for member, _ in self.targets.values())
        initial = tuple(member for member, _ in self.initial)
        state = tuple(member for member, _ in self.state or ())
        found = (
            Group("state", "What one sequence carries on from step to step.", state, "numbers",
                  "long steps; /* how many have been computed */"),
            Group("parameters", "Parameters, or what there is one of for each.", self.parameters,
                  "numbers"),
            Group("inputs", "Inputs, by pointers to their first step.", self.inputs, "given"),
            Group("targets", "Targets of losses, and weights of steps.", targets, "given"),
            Group("initial", "Values outside the steps, in order of time.", initial, "given"),
            pointers("signals", "Signals, by pointers to their first step.", self.signals),
            Group("input_gradients", "Where gradients by inputs go.", self.inputs),
            Group("initial_gradients", "Where those by values outside the steps go.", initial),
        )  # fmt: skip
        has_state = self.state is not None
        return tuple(g for g in found if g.members or (has_state and g.name == "state"))

    def has(self, group: str) -> bool:
        return any(g.name == group for g in self.groups)

    def _member(self, key: str, quantity: Quantity) -> Member:
        shape = self.extended.system.shape(quantity)
        return Member(self.identifier(key), _size(shape), _axes(shape))

    def identifier(self, key: str) -> str:
        return self.names[key] if key in self._buffers else key

    @cached_property
    def parameters(self) -> tuple[Member, ...]:
        return tuple(self._member(q.name, q) for q in self.system.of_role("parameter"))

    @cached_property
    def inputs(self) -> tuple[Member, ...]:
        return tuple(self._member(q.name, q) for q in self.system.of_role("input"))

    @cached_property
    def targets(self) -> dict[str, tuple[Member, Quantity]]:
        """The targets by their outputs, then the weights of steps as weight_ + output."""
        system, found = self.system, {}
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

    @cached_property
    def initial(self) -> tuple[tuple[Member, Boundary], ...]:
        return tuple(
            (Member(self.identifier(b.key), _size(b.shape), _axes(b.shape)), b)
            for b in self._boundaries
        )

    @cached_property
    def signals(self) -> tuple[Shown, ...]:
        """The named signals whose units stand together at each step."""
        every = (q.name for q in self.system.of_role("signal") if not q.internal)
        known = {n: n for n in every if n in self._buffers and self._has_rows(n)}
        return tuple(self.shown({n: self.names[n] for n in known}, known))

    def shown(self, members: Mapping[str, str], quantities: Mapping[str, str]) -> Iterator[Shown]:
        """What members of a structure point at: the quantities of these names, those of a program.

        `members` are their identifiers by key; what no quantity is known of is zero.
        """
        layout = Layout(self.frames[0], (), {})
        for key, name in members.items():
            if key not in quantities:
                yield Shown("", Member(name, "0", "zero: a null pointer"), 0, 0)
                continue
            quantity = self.extended.system.quantities[quantities[key]]
            width, apart = layout.rows(quantity.name)
            member = self._member(name, quantity)
            axes = member.axes if layout.is_whole(quantity.name) else (
                f"{member.axes}, rows of {width}, {apart} apart")  # fmt: skip
            yield Shown(quantity.name, Member(name, member.size, axes), width, apart)

    def _has_rows(self, name: str) -> bool:
        axis = root(name, self._buffers).axis
        return "feature" not in self._buffers[name].kinds[:axis]

    @cached_property
    def state(self) -> tuple[tuple[Member, Boundary], ...] | None:
        """What a state keeps of one sequence; None where no step can be computed on its own."""
        try:
            extend(self.system, ["step"])
        except UserError:
            return None
        return tuple(
            (Member(member.name, str(_number(b.shape)), _axes(n for n in b.shape if n != "B")), b)
            for member, b in self.initial
        )

    # What is given.

    def given(self, frame: int = 0) -> dict[str, Given]:
        """The arrays whose values the caller of any function has: parameters, inputs, targets."""
        system, buffers = self.system, self.frames[frame].program.buffers
        codes = {q.name: f"parameters->{self.identifier(q.name)}" for q in
                 system.of_role("parameter")}  # fmt: skip
        codes |= {q.name: f"inputs->{self.identifier(q.name)}" for q in system.of_role("input")}
        codes |= {q.name: f"targets->{member.name}" for member, q in self.targets.values()}
        return {name: Given(code) for name, code in codes.items() if name in buffers}

    @cached_property
    def totals(self) -> tuple[Total, ...]:
        """The sums of weights by which the losses divide."""
        system, codes, found = self.system, self.given(), list[Total]()
        for name, weight in total_weights(system).items():
            weights = system.quantities[weight]
            more = "" if len(weights.axes) > 1 else f" * ({self.prefix}_real)B"
            size = size_code(lengths_of(system.shape(weights)))
            found.append(Total(name, f"{codes[weight].code}[k]{more}", size))
        return tuple(found)

    def into(self, found: Mapping[str, str], frame: int = 0) -> dict[str, Given]:
        """The arrays that are computed where the caller wants them: by what they are kept as."""
        layout = Layout(self.frames[frame], (), {})
        return {
            name: Given(member)
            for name, member in found.items()
            if name in layout.memory.buffers and layout.is_whole(name)
        }

    def outside(self, group: str = "initial", of: Mapping[str, str] | None = None) -> dict[
        str, list[Rows]
    ]:  # fmt: skip
        """The values outside the steps, by arrays: those of a structure, which may be null.

        `of` are the names of the arrays by that of the quantity; without it they are that.
        """
        system, found = self.extended.system, dict[str, list[Rows]]()
        for member, boundary in self.initial:
            name = boundary.quantity if of is None else of.get(boundary.quantity, "")
            reach = system.reach.get(name)
            if reach is None:
                continue
            length = system.shape(system.quantities[name])[0]
            start = Affine(0)
            if boundary.side == "after":
                steps = lengths_of([length])[0]
                assert steps is not None
                start = steps + reach.before
            code = f"{group}->{member.name}"
            given = Given(code, f"{group} && {code}")
            found.setdefault(name, []).append(Rows(start, boundary.steps, given))
        return found

    def gradients(self, group: str) -> dict[str, str]:
        """Where the derivatives of the loss by the members of a structure go, by their names."""
        system = self.system
        if group == "initial_gradients":
            pairs = {b.gradient: b.key for b in self._boundaries if b.gradient}
        else:
            role: Role = "parameter" if group == "gradients" else "input"
            quantities = system.of_role(role, differentiable=True)
            pairs = {system.derivative("loss", q.name): q.name for q in quantities}
        return {name: f"{group}->{self.identifier(key)}" for name, key in pairs.items()}

    @cached_property
    def layout(self) -> Layout:
        """Where the arrays of signals, losses and gradients stand."""
        return Layout(
            self.frames[0],
            STAGES,
            {**self.given(), **self.into(self.gradients("gradients"))},
            self.outside(),
            (*(s.quantity for s in self.signals), "loss"),
        )

    # One step after the other.

    def carried(self, layout: Layout) -> list[Item]:
        """Statements that put what the next step reads into the state, as far as it is known."""
        found: list[Item] = []
        known = {name for name, _ in layout.frame.arrays}
        for member, boundary in self.state or ():
            if boundary.quantity not in known:
                continue
            array = f"arrays->{layout.frame.names[boundary.quantity]}"
            # Behind the first row stand those that come before the next step.
            place = f"{array} + {_number(boundary.shape[1:])}"
            found.append(f"{self.prefix}_copy(state->{member.name}, {place}, {member.size});")
        return found


def _number(shape: Iterable[int | str]) -> int:
    """How many elements a shape has for one sequence."""
    return prod(n for n in shape if isinstance(n, int))


def _size(shape: Iterable[int | str]) -> str:
    """How many elements a shape has, as source."""
    return size_code(lengths_of(shape))


def _axes(shape: Iterable[int | str]) -> str:
    return "".join(f"[{n}]" for n in shape) or "one number"
