"""Frozen expressions to NumPy source: broadcasting, and contractions through BLAS or einsum."""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from bptt.codegen.nodes import (
    ZERO,
    Affine,
    Call,
    Condition,
    FrozenTerm,
    Node,
    Number,
    Place,
    Power,
    Product,
    Range,
    Read,
    Size,
    Sum,
    Total,
    Where,
    indices,
    is_indicator,
    walk,
)
from bptt.derive.calculus.primitives import PRIMITIVES
from bptt.derive.calculus.quantity import AXIS_ORDER
from bptt.derive.errors import InternalError, UserError

Labels = tuple[str, ...]

# Functions that take a number of Python as well, and then give one.
OF_NUMBERS = frozenset({"every"})

COMPARISON, SUM, PRODUCT, UNARY, POWER, ATOM = range(6)


@dataclass(frozen=True)
class Source:
    """Python source, and how tightly its outermost operator binds."""

    code: str
    precedence: int = ATOM

    def within(self, precedence: int) -> str:
        """The source, in parentheses where it binds less tightly than its surroundings."""
        return self.code if self.precedence >= precedence else f"({self.code})"


@dataclass(frozen=True)
class Layout:
    """How an array stores a quantity: rows of time before step 0, and its total lengths.

    `lengths` has one entry per axis, None for the batch. A padded array has rows of time for
    values outside the steps.
    """

    before: int
    lengths: tuple[Affine | None, ...]
    time_axis: int | None
    is_padded: bool = False


@dataclass(frozen=True)
class Contracted:
    """The source of a term's value, the labels it varies over, and its contraction, if any."""

    source: Source
    labels: frozenset[str]
    signature: str = ""


class ArrayPrinter:
    """Prints terms as array expressions.

    `ranges` says where each index runs; in a time loop `step` names the time index, which is
    then one number, and `local` gives the source of reads that a local variable holds, with the
    axis that it is a row of. `first_step` is the local variable with the number of the first
    step, which is not zero in a part of a longer sequence.
    """

    def __init__(
        self,
        layouts: Mapping[str, Layout],
        ranges: Mapping[str, Range],
        *,
        step: str | None = None,
        local: Callable[[Read], tuple[str, int] | None] = lambda read: None,
        named: Callable[[str, str], str] | None = None,
        first_step: str = "first_step",
    ) -> None:
        self._layouts = layouts
        self._ranges = ranges
        self._step = step
        self._local = local
        self._named = named
        self._first_step = first_step

    def term(self, term: FrozenTerm, out: Labels) -> Contracted:
        """The value of a term, aligned for broadcasting over `out`."""
        summed = tuple(r.name for r in term.sums)
        if not term.reduction.is_linear:
            return self._reduced(term, out, summed)
        factor = Where(term.conditions, term.factor) if term.conditions else term.factor
        if not summed:
            return Contracted(self.elementwise(factor, out), self.labels(factor))
        return _Contraction(self, factor, summed, out).result()

    def _reduced(self, term: FrozenTerm, out: Labels, summed: Labels) -> Contracted:
        labels = self.labels(term.factor) | self._labels_of(term.conditions)
        free = tuple(name for name in out if name in labels)
        # NumPy broadcasts no operand of a reduction along what it runs over.
        missing = [n for n in (*free, *summed) if n not in self.labels(term.factor)]
        zeros = [Product((Number(Fraction(0)), Place(n, ZERO))) for n in missing]
        node = Sum((term.factor, *zeros), (1,) * (1 + len(zeros))) if zeros else term.factor
        operand = self.elementwise(node, (*free, *summed))
        axes = _axes_code([len(free) + n for n in range(len(summed))])
        where = ""
        if term.conditions:
            where = f", where={self._mask(term.conditions, (*free, *summed)).code}"
        code = f"{term.reduction.source}({operand.code}, axis={axes}{where})"
        return Contracted(Source(aligned(code, free, out)), frozenset(free))

    def _labels_of(self, conditions: Sequence[Condition]) -> frozenset[str]:
        found = {name for condition in conditions for name, _ in condition.counts}
        return frozenset(found) - {self._step or ""}

    def has_width(self, index: str) -> bool:
        """Whether an index runs over a number of units that is known."""
        return self._ranges[index].kind == "feature"

    def width(self, index: str) -> int:
        """The number of units that a feature index runs over."""
        span = self._ranges[index]
        return min(s.constant for s in span.stops) - max(s.constant for s in span.starts)

    def customary(self, labels: Labels) -> Labels:
        """The order in which arrays have their axes: time, batch, then units."""
        return tuple(sorted(labels, key=lambda name: AXIS_ORDER[self._ranges[name].kind]))

    def labels(self, node: Node) -> frozenset[str]:
        """The indices that an expression varies over."""
        return indices(node) - {self._step or ""}

    # Elementwise expressions.

    def elementwise(self, node: Node, out: Labels) -> Source:
        match node:
            case Number(value):
                return _number(value)
            case Size(name):
                return Source(name)
            case Place(index, offset):
                return self._place(index, offset, out)
            case Total(value, over):
                return self.total(value, over, out)
            case Where(conditions) if is_indicator(node):
                return Source(f"{self._mask(conditions, out).within(ATOM)}.astype(dtype)")
            case Where(conditions, value, otherwise):
                mask = self._mask(conditions, out).code
                return Source(f"np.where({mask}, {self._typed(value, out).code}, {otherwise})")
            case Read():
                return self._read(node, out)
            case Sum(operands, signs):
                return self._sum(operands, signs, out)
            case Product(above, below):
                return self._product(above, below, out)
            case Power(base, exponent):
                return self._power(base, exponent, out)
            case Call(function, (argument, *settings)):
                first = self.elementwise if function in OF_NUMBERS else self._typed
                sources = [first(argument, out), *(self.elementwise(a, out) for a in settings)]
                name = PRIMITIVES[function].source
                return Source(f"{name}({', '.join(s.code for s in sources)})")
        raise InternalError(f"a function of nothing: {node}")

    def _typed(self, node: Node, out: Labels) -> Source:
        """The source of an operand that NumPy takes the dtype of: never a number of Python."""
        source = self.elementwise(node, out)
        return source if self._has_dtype(node) else Source(f"dtype.type({source.code})")

    def _has_dtype(self, node: Node) -> bool:
        """Whether the arrays give a node their dtype: what has none is a number of Python."""
        return any(
            isinstance(n, Read | Where) or (isinstance(n, Place) and n.index != self._step)
            for n in walk(node)
        )

    def factor(self, node: Node, out: Labels, among: Iterable[Node]) -> Source:
        """One of several factors: as truth values where another gives the product its dtype."""
        if is_indicator(node) and any(self._has_dtype(n) and not is_indicator(n) for n in among):
            assert isinstance(node, Where)
            return self._mask(node.conditions, out)
        return self.elementwise(node, out)

    def _sum(self, operands: Sequence[Node], signs: Sequence[int], out: Labels) -> Source:
        code = ""
        for operand, sign in zip(operands, signs, strict=True):
            source = self.elementwise(operand, out)
            if not code:
                code = source.code if sign > 0 else f"-{source.within(UNARY)}"
            elif sign > 0:
                code += f" + {source.within(SUM)}"
            else:
                code += f" - {source.within(PRODUCT)}"
        return Source(code, SUM)

    def _product(self, above: Sequence[Node], below: Sequence[Node], out: Labels) -> Source:
        """Numbers first, so that they are multiplied before an array is."""
        scalars = [n for n in above if not indices(n)]
        arrays = [n for n in above if indices(n)]
        scalars_below = [n for n in below if not indices(n)]
        arrays_below = [n for n in below if indices(n)]
        every = (*above, *below)
        code = " * ".join(self.elementwise(n, out).within(PRODUCT) for n in scalars)
        if scalars_below:
            divisor = self._divisor(scalars_below, out)
            code = f"{code or '1'} / {divisor}"
        for node in arrays:
            factor = self.factor(node, out, every)
            code = f"{code} * {factor.within(UNARY)}" if code else factor.within(PRODUCT)
        if arrays_below:
            code = f"{code or '1'} / {self._divisor(arrays_below, out)}"
        return Source(code or "1", PRODUCT if code else ATOM)

    def _divisor(self, nodes: Sequence[Node], out: Labels) -> str:
        sources = [self.elementwise(n, out) for n in nodes]
        if len(sources) == 1:
            return sources[0].within(UNARY)
        return f"({' * '.join(s.within(PRODUCT) for s in sources)})"

    def _power(self, base: Node, exponent: Fraction, out: Labels) -> Source:
        if exponent == Fraction(1, 2):
            return Source(f"np.sqrt({self._typed(base, out).code})")
        code = self.elementwise(base, out).within(ATOM)
        power = _number(exponent if exponent.denominator == 1 else float(exponent))
        return Source(f"{code} ** {power.within(ATOM)}", POWER)

    def total(self, value: Node, over: Labels, out: Labels) -> Source:
        """The sum of an expression over some of its labels, aligned for `out`."""
        labels = self.labels(value)
        order = self.customary((*out, *over))
        order = tuple(name for name in order if name in labels)
        axes = [n for n, name in enumerate(order) if name in over]
        code = f"{self.elementwise(value, order).within(ATOM)}.sum(axis={_axes_code(axes)})"
        return Source(aligned(code, tuple(name for name in order if name not in over), out))

    def _place(self, index: str, offset: Affine, out: Labels) -> Source:
        """The number of a step: in a loop its own, else of all steps; chunks count on."""
        if index == self._step:
            return Source(f"{step_code(index, offset.constant)} + {self._first_step}", SUM)
        code = self._arange(index, offset)
        return Source(aligned(f"({code} + {self._first_step}).astype(dtype)", (index,), out))

    def _arange(self, index: str, offset: Affine = ZERO) -> str:
        """The places that an index runs over."""
        span = self._ranges[index]
        starts = [start + offset for start in span.starts]
        stops = [stop + offset for stop in span.stops]
        start, stop = _extreme("max", starts), _extreme("min", stops)
        return f"np.arange({stop})" if start == "0" else f"np.arange({start}, {stop})"

    def _mask(self, conditions: Sequence[Condition], out: Labels) -> Source:
        """Where all of some conditions hold, as an array of truth values."""
        codes = []
        for condition in conditions:
            sides: dict[bool, list[str]] = {True: [], False: []}
            for name, count in condition.counts:
                at = aligned(self._arange(name), (name,), out)
                side = at if abs(count) == 1 else f"{abs(count)} * {at}"
                sides[count > 0].append(side)
            left = " + ".join(sides[True]) or "0"
            if condition.offset != ZERO:
                left = f"{left} + {condition.offset.code}".replace("+ -", "- ")
            codes.append(f"{left} >= {' + '.join(sides[False]) or '0'}")
        code = codes[0] if len(codes) == 1 else " & ".join(f"({code})" for code in codes)
        is_fixed = self._step is None or not re.search(rf"\b{self._step}\b", code)
        if self._named is not None and is_fixed:
            letters = dict.fromkeys(n for c in conditions for n, _ in c.counts)
            return Source(self._named(code, "_".join(("where", *letters))))
        return Source(code, COMPARISON)

    def _read(self, read: Read, out: Labels) -> Source:
        code, labels = self._subscripted(read)
        if len(set(labels)) < len(labels):
            distinct = tuple(dict.fromkeys(labels))
            code = f"np.einsum({signature([labels], distinct)!r}, {code})"
            labels = distinct
        return Source(aligned(code, labels, out))

    def _read_labels(self, read: Read) -> Labels:
        return tuple(
            s.index for s in read.subscripts if s.index is not None and s.index != self._step
        )

    def _subscripted(self, read: Read) -> tuple[str, Labels]:
        """The source of a read with its slices, and the labels of the axes that are left."""
        layout = self._layouts[read.name]
        local = self._local(read)
        places: list[str] = []
        for axis, subscript in enumerate(read.subscripts):
            if local is not None and axis == local[1]:
                continue
            shift = layout.before if axis == layout.time_axis else 0
            if subscript.index is None:
                places.append((subscript.offset + shift).code)
            elif subscript.index == self._step:
                places.append(step_code(self._step, subscript.offset.constant + shift))
            else:
                span = self._ranges[subscript.index]
                offset = subscript.offset + shift
                places.append(slice_code(span, offset, layout.lengths[axis]))
        while places and places[-1] == ":":
            places.pop()
        name = read.name if local is None else local[0]
        code = f"{name}[{', '.join(places)}]" if places else name
        return code, self._read_labels(read)


class _Contraction:
    """`sum over `summed` of a product`, as matrix products where it is one, else as einsum."""

    def __init__(self, printer: ArrayPrinter, factor: Node, summed: Labels, out: Labels) -> None:
        self._printer = printer
        self._summed = summed
        self._out = out
        self._order = printer.customary((*out, *summed))
        conditions = factor.conditions if isinstance(factor, Where) else ()
        inner = factor.value if isinstance(factor, Where) else factor
        above, below = (inner.above, inner.below) if isinstance(inner, Product) else ((inner,), ())
        nodes = _conditioned([*above, *(Product((), (n,)) for n in below)], conditions)
        self._scalars = [n for n in nodes if not indices(n)]
        arrays = [n for n in nodes if indices(n)]
        # What a sum runs over without its summand depending on it, it counts.
        known = frozenset[str]().union(*map(printer.labels, arrays))
        arrays += [Power(Place(n, ZERO), Fraction(0)) for n in summed if n not in known]
        self._outer = [n for n in arrays if not self._has_summed(n)]
        self._inner = self._merged([n for n in arrays if self._has_summed(n)])
        self._sum_apart()
        self._labels = printer.labels(factor) - set(summed)

    def _has_summed(self, node: Node) -> bool:
        return bool(self._printer.labels(node) & set(self._summed))

    def _sum_apart(self) -> None:
        """What one factor alone depends on is summed in it, before it meets the others."""
        found: list[Node] = []
        for node in self._inner if len(self._inner) > 1 else ():
            others = [self._printer.labels(n) for n in self._inner if n is not node]
            alone = self._printer.labels(node) & set(self._summed) - frozenset().union(*others)
            over = tuple(name for name in self._summed if name in alone)
            found.append(Total(node, over) if over else node)
        if found:
            known = frozenset[str]().union(*map(self._printer.labels, found))
            self._inner = found
            self._summed = tuple(name for name in self._summed if name in known)

    def _ordered(self, labels: frozenset[str]) -> Labels:
        return tuple(name for name in self._order if name in labels)

    def _merged(self, nodes: list[Node]) -> list[Node]:
        """Operands whose labels another one has too are multiplied into it, elementwise."""
        groups: list[tuple[frozenset[str], list[Node]]] = []
        for node in sorted(nodes, key=lambda n: -len(self._printer.labels(n))):
            labels = self._printer.labels(node)
            home = next((members for have, members in reversed(groups) if labels <= have), None)
            if home is None:
                groups.append((labels, [node]))
            else:
                home.append(node)
        merged = [m[0] if len(m) == 1 else Product(tuple(m)) for _, m in groups]
        return sorted(merged, key=lambda n: min(nodes.index(r) for r in _parts(n, nodes)))

    def result(self) -> Contracted:
        source, free, sign = self._inner_product()
        code = aligned(source.within(ATOM), free, self._out) if free != self._out else source.code
        source = Source(code, source.precedence if code == source.code else ATOM)
        every = (*self._outer, *self._inner)
        others = [self._printer.factor(n, self._out, every) for n in self._outer]
        if others:
            product = " * ".join(o.within(PRODUCT) for o in others)
            source = Source(f"{product} * {source.within(UNARY)}", PRODUCT)
        if self._scalars:
            scale = self._printer.elementwise(_product_of(self._scalars), ())
            source = Source(f"{scale.within(PRODUCT)} * {source.within(UNARY)}", PRODUCT)
        return Contracted(source, self._labels, sign)

    def _inner_product(self) -> tuple[Source, Labels, str]:
        """The contraction of the operands that carry a summed index, and its labels in order."""
        operands = [(n, self._ordered(self._printer.labels(n))) for n in self._inner]
        every = frozenset(name for _, labels in operands for name in labels)
        missing = set(self._summed) - every
        if missing or not operands:
            raise InternalError(f"a sum over {sorted(missing)} of something without it")
        free = tuple(name for name in self._out if name in every)
        if not self._summed:
            whole = Product(tuple(node for node, _ in operands))
            return self._printer.elementwise(whole, free), free, ""
        sign = signature([labels for _, labels in operands], free)
        if len(operands) == 1:
            node, labels = operands[0]
            source = self._printer.elementwise(node, labels)
            if free == () and isinstance(node, Power) and node.exponent == 2:
                flat = f"{self._printer.elementwise(node.base, labels).within(ATOM)}.ravel()"
                return Source(f"{flat} @ {flat}", PRODUCT), free, sign
            if free == ():
                return Source(f"{source.within(ATOM)}.sum()"), free, sign
            return self._printer.total(node, self._summed, free), free, sign
        product = self._matrix_product(operands, free) if len(operands) == 2 else None
        if product is None:
            codes = [self._printer.factor(n, labels, self._inner).code for n, labels in operands]
            best = ", optimize=True" if len(operands) > 2 else ""
            product = Source(f"np.einsum({sign!r}, {', '.join(codes)}{best})")
        return product, free, sign

    def _matrix_product(self, operands: list[tuple[Node, Labels]], free: Labels) -> Source | None:
        (_, first), (_, second) = operands
        shared = set(first) & set(second)
        summed = tuple(name for name in self._summed if name in shared)
        if shared != set(summed) or len(summed) < len(self._summed):
            return None
        for left, right in (operands, operands[::-1]):
            rows = tuple(n for n in left[1] if n not in summed)
            columns = tuple(n for n in right[1] if n not in summed)
            if rows + columns == free and len(columns) <= 1:
                return self._product_of_matrices(left, right, rows, columns, summed)
        return None

    def _product_of_matrices(
        self,
        left: tuple[Node, Labels],
        right: tuple[Node, Labels],
        rows: Labels,
        columns: Labels,
        summed: Labels,
    ) -> Source | None:
        """`left @ right` with left (rows, summed) and right (summed, columns), flattened."""
        if not rows and not columns:
            return None
        print_ = self._printer.elementwise
        if len(summed) > 1:
            if len(rows) != 1 or len(columns) != 1:
                return None
            if not all(map(self._printer.has_width, (*rows, *columns))):
                return None
            a = print_(left[0], (*summed, *rows)).code
            b = print_(right[0], (*summed, *columns)).code
            return Source(f"_rows({a}).T @ _rows({b})", PRODUCT)
        if columns and not self._printer.has_width(columns[0]):
            return None
        first = print_(left[0], (*rows, *summed))
        second = print_(right[0], (*summed, *columns))
        if len(rows) != 2 or not columns:
            return Source(f"{first.within(PRODUCT)} @ {second.within(UNARY)}", PRODUCT)
        if rows[1] != "b":
            return None
        width = self._printer.width(columns[0])
        return Source(f"(_rows({first.code}) @ {second.within(UNARY)}).reshape(-1, B, {width})")


def _conditioned(nodes: list[Node], conditions: tuple[Condition, ...]) -> list[Node]:
    """The factors of a product, with each condition put on one of them, or on a factor 1."""
    for condition in conditions:
        names = {name for name, _ in condition.counts}
        at = next((n for n, node in enumerate(nodes) if names <= indices(node)), None)
        if at is None:
            nodes = [*nodes, Where((condition,), Number(Fraction(1)))]
        else:
            nodes = [*nodes[:at], Where((condition,), nodes[at]), *nodes[at + 1 :]]
    return nodes


def _axes_code(axes: Sequence[int]) -> str:
    """Axes as an argument: `1`, or `(0, 2)`."""
    return str(axes[0]) if len(axes) == 1 else f"({', '.join(map(str, axes))})"


def _parts(node: Node, nodes: list[Node]) -> list[Node]:
    if node in nodes:
        return [node]
    assert isinstance(node, Product)
    return list(node.above)


def _product_of(nodes: list[Node]) -> Node:
    above: list[Node] = []
    below: list[Node] = []
    for node in nodes:
        if isinstance(node, Product):
            above += node.above
            below += node.below
        else:
            above.append(node)
    return Product(tuple(above), tuple(below))


def _number(value: Fraction | float) -> Source:
    if isinstance(value, float):
        return Source(repr(value), ATOM if value >= 0 else UNARY)
    if value.denominator == 1:
        return Source(str(value), ATOM if value >= 0 else UNARY)
    return Source(f"{value.numerator} / {value.denominator}", PRODUCT)


def step_code(step: str, shift: int) -> str:
    """`t`, `t + 2` or `t - 1`."""
    return step if not shift else f"{step} {'+' if shift > 0 else '-'} {abs(shift)}"


def slice_code(span: Range, offset: Affine, length: Affine | None) -> str:
    """The slice of an axis of `length` that an index with an offset runs over."""
    if span.kind == "batch" or length is None:
        return ":"
    starts = [start + offset for start in span.starts]
    stops = [stop + offset for stop in span.stops]
    start, stop = _extreme("max", starts), _extreme("min", stops)
    return f"{'' if start == '0' else start}:{'' if stops == [length] else stop}"


def _extreme(function: str, values: list[Affine]) -> str:
    """The greatest or least of several places, never below 0."""
    codes = [v.code for v in values]
    code = codes[0] if len(codes) == 1 else f"{function}({', '.join(codes)})"
    safe = [v.is_never_negative for v in values]
    if all(safe) or (function == "max" and any(safe)):
        return code
    return f"max({code}, 0)"


def aligned(code: str, labels: Labels, out: Labels) -> str:
    """The source of an array with axes `labels`, made to broadcast over axes `out`."""
    if not labels or labels == out[len(out) - len(labels) :]:
        return code
    wanted = tuple(name for name in out if name in labels)
    if wanted != labels:
        if len(labels) == 2:
            code = f"{code}.T"
        else:
            code = f"{code}.transpose({', '.join(str(labels.index(n)) for n in wanted)})"
    present = [name in wanted for name in out]
    first = present.index(True)
    if all(present[first:]):
        return code
    places = [":" if have else "None" for have in present[first:]]
    return f"{code}[{', '.join(places)}]"


def signature(operands: Sequence[Labels], out: Labels) -> str:
    """An einsum signature, one letter an index."""
    names = list(dict.fromkeys(name for labels in (*operands, out) for name in labels))
    own = {n for n in names if len(n) == 1 and n in string.ascii_letters}
    spare = [c for c in string.ascii_letters if c not in own]
    if len(names) > len(string.ascii_letters):
        raise UserError(
            f"a product of arrays has {len(names)} indices",
            remedy=f"split it: einsum has letters for {len(string.ascii_letters)}",
        )
    letters = {n: n if n in own else spare.pop(0) for n in names}
    left = ",".join("".join(letters[n] for n in labels) for labels in operands)
    return f"{left}->{''.join(letters[n] for n in out)}"
