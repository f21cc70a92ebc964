"""The syntax trees of equations: parsers make them, notations write them, printers lay them out.

A tree says what is written, not what it means: shapes and indices are the business of who reads it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from bptt.derive.calculus.reductions import REDUCTIONS, SUM
from bptt.derive.errors import UserError

# What reduces over an index or over all units, and what normalises over one.
REDUCING = ("sum", "mean", *REDUCTIONS)
NORMALISING = ("softmax", "log_softmax")
OVER_AN_INDEX = (*REDUCING, *NORMALISING)
# What takes or gives vectors and matrices.
OF_VECTORS = ("concat", "outer", "diag", "eye", "layernorm")
END = "end"
MAX_HEIGHT = 240
BigKind = Literal["sum", "product", "rising", "falling"]


@dataclass(frozen=True)
class Number:
    text: str
    at: str


@dataclass(frozen=True)
class Subscript:
    """`name + offset`; without a name, the fixed position `offset`.

    The name is an index, of `steps` or of something else, or `end`: the last step. In derived
    equations lengths may be added or taken off, `also` has them with their signs: `k+T-1`.
    """

    name: str | None
    offset: int
    also: tuple[tuple[int, str], ...] = ()
    steps: bool = False

    @property
    def is_fixed(self) -> bool:
        return self.name is None or self.name == END

    @property
    def is_step(self) -> bool:
        """Whether this can only be a step: an index of steps, or the last one."""
        return self.steps or self.name == END


@dataclass(frozen=True)
class Reference:
    """A quantity, with its subscripts (None: written bare).

    Or an index of steps that stands for its own number, where `counts`: the s of `sin(s)*x[s]`.
    """

    name: str
    subscripts: tuple[Subscript, ...] | None
    at: str
    counts: bool = False


@dataclass(frozen=True)
class Negative:
    operand: Node
    at: str


@dataclass(frozen=True)
class Binary:
    """`+ - * / @ **` applied to two operands."""

    operator: str
    left: Node
    right: Node
    at: str


@dataclass(frozen=True)
class Transpose:
    operand: Node
    at: str


@dataclass(frozen=True)
class Part:
    """The elements start..stop-1 of a vector (of the first axis of a matrix).

    Without `stop`, the one element `start`.
    """

    operand: Node
    start: int
    stop: int | None
    at: str


@dataclass(frozen=True)
class Comparison:
    """`operands[0] operators[0] operands[1] ...`: which values an index takes."""

    operands: tuple[Node, ...]
    operators: tuple[str, ...]
    at: str


@dataclass(frozen=True)
class Sum:
    """`sum_j,k operand`, as derived equations have it; or `max_j,k operand`, by its `big` word."""

    letters: tuple[str, ...]
    operand: Node
    at: str
    big: str = SUM.big


@dataclass(frozen=True)
class Big:
    """A sum or a product of matrices over a letter: from `low` to `high`, or over named things.

    Without limits it runs over the axis that the letter stands on; `members` names a set of labels.
    The factor of the lowest number is on the left of a `rising` product, on the right of a
    `falling` one; `product` leaves open which.
    """

    kind: BigKind
    letter: str
    low: Node | None
    high: Node | None
    members: str
    operand: Node
    at: str


@dataclass(frozen=True)
class Where:
    """`operand [conditions]`: zero where one of the conditions does not hold."""

    operand: Node
    conditions: tuple[Comparison, ...]
    at: str


@dataclass(frozen=True)
class Call:
    function: str
    arguments: tuple[Node, ...]
    at: str


Node = (
    Number
    | Reference
    | Negative
    | Binary
    | Transpose
    | Part
    | Comparison
    | Sum
    | Big
    | Where
    | Call
)


# What stands behind letters that it is summed over, and the conditions behind that.
Summed = Sum | Big
Conditions = tuple[Comparison, ...]


@dataclass(frozen=True)
class Statement:
    """One equation: what is defined, and by what."""

    target: Reference
    expression: Node


def step_apart(statement: Statement) -> Subscript | None:
    """The first or last step that `h[0] = ...` or `h[end] = ...` defines beside `h[t] = ...`."""
    first = (statement.target.subscripts or (None,))[0]
    return first if first is not None and first.is_fixed and not first.offset else None


def children(node: Node) -> tuple[Node, ...]:
    """The operands of a node."""
    match node:
        case Number() | Reference():
            return ()
        case Negative(operand) | Transpose(operand) | Part(operand) | Sum(_, operand):
            return (operand,)
        case Big(_, _, low, high, _, operand):
            return (operand, *(n for n in (low, high) if n is not None))
        case Where(operand, conditions):
            return (operand, *conditions)
        case Binary(_, left, right):
            return (left, right)
        case Call(_, arguments):
            return arguments
        case Comparison(operands):
            return operands


def with_children(node: Node, new: Sequence[Node]) -> Node:
    """The node with other operands, in the order of `children`."""
    match node:
        case Number() | Reference():
            return node
        case Negative() | Transpose() | Part() | Sum():
            return replace(node, operand=new[0])
        case Big(low=low, high=high):
            rest = list(new[1:])
            return replace(
                node,
                operand=new[0],
                low=low and rest.pop(0),
                high=high and rest.pop(0),
            )
        case Where():
            return replace(node, operand=new[0], conditions=tuple(new[1:]))  # type: ignore[arg-type]
        case Binary():
            return replace(node, left=new[0], right=new[1])
        case Call():
            return replace(node, arguments=tuple(new))
        case Comparison():
            return replace(node, operands=tuple(new))


def height(node: Node) -> int:
    """The levels of a tree."""
    levels, row = 0, [node]
    while row:
        levels += 1
        row = [child for above in row for child in children(above)]
    return levels


def check_height(node: Node, at: str) -> None:
    """Refuse a tree that is too high to be walked through by functions that call themselves."""
    if height(node) > MAX_HEIGHT:
        raise UserError(
            f"the expression is nested deeper than {MAX_HEIGHT} operations",
            place=at,
            remedy="name a part of it in an equation of its own",
        )


def index_letter(node: Node) -> Reference | None:
    """The index that `sum(..., i)`, `softmax(..., s)` or `sum(..., s, s <= t)` runs over."""
    if isinstance(node, Call) and node.function in OVER_AN_INDEX and len(node.arguments) >= 2:
        letter = node.arguments[1]
        if isinstance(letter, Reference) and letter.subscripts is None:
            return letter
        if isinstance(letter, Comparison):
            return None
        raise UserError(
            f"the second argument of {node.function} is not an index",
            place=node.at,
            remedy=f"write {node.function}(..., i)",
        )
    return None


def condition(node: Call) -> Comparison | None:
    """What limits the index that a call runs over, behind the index."""
    given = node.arguments[2] if len(node.arguments) > 2 else None
    return given if isinstance(given, Comparison) else None


def references(node: Node) -> Iterator[Reference]:
    """Every mention of a quantity, from left to right."""
    stack: list[Node] = [node]
    while stack:
        top = stack.pop()
        if isinstance(top, Reference):
            if not is_index(top):
                yield top
            continue
        below = children(top)
        if isinstance(top, Call):
            # An index and what limits it are no quantities.
            below = (below[0], *below[2:]) if index_letter(top) else below
            below = tuple(n for n in below if not isinstance(n, Comparison))
        stack.extend(reversed(below))


def whole_number(node: Call, position: int, usage: str) -> int:
    """An argument of a call that must be written as a whole number above zero."""
    given = node.arguments[position] if position < len(node.arguments) else None
    if not isinstance(given, Number) or not given.text.isdigit() or not 0 < int(given.text) < 10**5:
        raise UserError(
            f"{node.function} needs a whole number from 1 to 99999",
            place=node.at,
            remedy=f"write {usage}",
        )
    return int(given.text)


def letters_of(node: Node) -> set[str]:
    """The index letters that an expression mentions."""
    return {s.name for r in references(node) for s in r.subscripts or () if s.name}


def is_index(node: Node) -> bool:
    """Whether this is an index of steps that stands for its own number: the t of `sin(t)`."""
    return isinstance(node, Reference) and node.counts


def addends(node: Node) -> list[tuple[int, Node]]:
    """The operands of a chain of + and -, each with its sign."""
    found: list[tuple[int, Node]] = []
    while isinstance(node, Binary) and node.operator in "+-":
        found.append((1 if node.operator == "+" else -1, node.right))
        node = node.left
    found.append((1, node))
    return found[::-1]


def factors(node: Node) -> list[tuple[int, Node]]:
    """The operands of a chain of * and /, each with its power, 1 or -1."""
    found: list[tuple[int, Node]] = []
    while isinstance(node, Binary) and node.operator in ("*", "/"):
        found.append((1 if node.operator == "*" else -1, node.right))
        node = node.left
    found.append((1, node))
    return found[::-1]


def uses_index_notation(statement: Statement) -> bool:
    """Whether any subscript is an index of units."""
    mentioned = [statement.target, *references(statement.expression)]
    return any(not (s.is_fixed or s.is_step) for r in mentioned for s in r.subscripts or ())


def uses_matrix_notation(node: Node) -> bool:
    """Whether something in an expression has units that no subscript names."""
    match node:
        case Transpose() | Part() | Binary("@"):
            return True
        case Call(function, arguments) if function in (*OF_VECTORS, *OVER_AN_INDEX):
            if function in OF_VECTORS or len(arguments) == 1:
                return True
    return any(map(uses_matrix_notation, children(node)))


def begin(node: Node) -> str:
    """Where a node begins in its text."""
    if isinstance(node, Binary | Transpose | Part | Where):
        return begin(children(node)[0])
    return node.at
