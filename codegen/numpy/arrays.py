"""Nodes as NumPy source: what is pointwise, by broadcasting."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from bptt.codegen.nodes import (
    ZERO,
    Affine,
    Call,
    Condition,
    Contract,
    Join,
    Node,
    Number,
    Place,
    Power,
    Product,
    Range,
    Read,
    Reduce,
    Size,
    Sum,
    Where,
    indices,
    is_indicator,
    walk,
)
from bptt.codegen.numpy.products import contraction
from bptt.codegen.numpy.source import (
    ATOM,
    COMPARISON,
    POWER,
    PRODUCT,
    SUM,
    UNARY,
    Labels,
    Source,
    aligned,
    axes_code,
    number,
    signature,
    step_code,
)
from bptt.codegen.program import Buffer
from bptt.derive.calculus.primitives import PRIMITIVES
from bptt.derive.calculus.quantity import AXIS_ORDER

# Functions that take a number of Python as well, and then give one.
OF_NUMBERS = frozenset({"every"})


class ArrayPrinter:
    """Prints nodes as array expressions.

    `ranges` says where each index runs; in a time loop `step` names the time index, which is
    then one number, and `local` gives the source of reads that a local variable holds, with the
    axis that it is a row of. `first_step` is the local variable with the number of the first
    step, which is not zero in a part of a longer sequence. Contractions are matrix products where
    they are one, but with `plain`.
    """

    def __init__(
        self,
        buffers: Mapping[str, Buffer],
        ranges: Mapping[str, Range],
        *,
        step: str | None = None,
        local: Callable[[Read], tuple[str, int] | None] = lambda read: None,
        named: Callable[[str, str], str] | None = None,
        first_step: str = "first_step",
        plain: bool = False,
    ) -> None:
        self._buffers = buffers
        self._ranges = ranges
        self._step = step
        self._local = local
        self._named = named
        self._first_step = first_step
        self.is_plain = plain

    def has_width(self, index: str) -> bool:
        """Whether an index runs over a number of units that is known."""
        return self._ranges[index].kind == "feature"

    def is_batch(self, index: str) -> bool:
        """Whether an index runs over the sequences."""
        return self._ranges[index].kind == "batch"

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

    def elementwise(self, node: Node, out: Labels) -> Source:
        """The source of a node, made to broadcast over axes `out`."""
        match node:
            case Number(value):
                return number(value)
            case Size(name):
                return Source(name)
            case Place(index, offset):
                return self._place(index, offset, out)
            case Contract(operands, over):
                return contraction(self, operands, over, out)
            case Reduce():
                return self._reduced(node, out)
            case Join():
                return self._joined(node, out)
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
        raise AssertionError(node)

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
        code, signatures = "", []
        for operand, sign in zip(operands, signs, strict=True):
            source = self.elementwise(operand, out)
            signatures.append(source.signature)
            if not code:
                code = source.code if sign > 0 else f"-{source.within(UNARY)}"
            elif sign > 0:
                # What stands in parentheses is added up first: with a large number it matters.
                code += f" + {source.within(PRODUCT if isinstance(operand, Sum) else SUM)}"
            else:
                code += f" - {source.within(PRODUCT)}"
        return Source(code, SUM, ", ".join(dict.fromkeys(filter(None, signatures))))

    def _product(self, above: Sequence[Node], below: Sequence[Node], out: Labels) -> Source:
        """Numbers first, so that they are multiplied before an array is.

        Truth values come last: a number of Python by them is an array of whole numbers.
        """
        scalars = [n for n in above if not indices(n)]
        arrays = [n for n in above if indices(n)]
        scalars_below = [n for n in below if not indices(n)]
        arrays_below = [n for n in below if indices(n)]
        # A contraction that leaves no index comes last, as it does with indices left.
        sums = [n for n in scalars if isinstance(n, Contract)]
        scalars = [n for n in scalars if n not in sums]
        every = (*above, *below)
        signatures = []
        code = " * ".join(self.elementwise(n, out).within(PRODUCT) for n in scalars)
        if scalars_below:
            divisor = self._divisor(scalars_below, out)
            code = f"{code or '1'} / {divisor}"
        for node in sorted((*arrays, *sums), key=is_indicator):
            factor = self.factor(node, out, every)
            signatures.append(factor.signature)
            code = f"{code} * {factor.within(UNARY)}" if code else factor.within(PRODUCT)
        if arrays_below:
            code = f"{code or '1'} / {self._divisor(arrays_below, out)}"
        said = ", ".join(dict.fromkeys(filter(None, signatures)))
        return Source(code or "1", PRODUCT if code else ATOM, said)

    def _divisor(self, nodes: Sequence[Node], out: Labels) -> str:
        sources = [self.elementwise(n, out) for n in nodes]
        if len(sources) == 1:
            return sources[0].within(UNARY)
        return f"({' * '.join(s.within(PRODUCT) for s in sources)})"

    def _power(self, base: Node, exponent: Fraction, out: Labels) -> Source:
        if exponent == Fraction(1, 2):
            return Source(f"np.sqrt({self._typed(base, out).code})")
        code = self.elementwise(base, out).within(ATOM)
        power = number(exponent if exponent.denominator == 1 else float(exponent))
        return Source(f"{code} ** {power.within(ATOM)}", POWER)

    def _reduced(self, node: Reduce, out: Labels) -> Source:
        labels = self.labels(node)
        free = tuple(name for name in out if name in labels)
        # NumPy broadcasts no operand of a reduction along what it runs over.
        missing = [n for n in (*free, *node.over) if n not in self.labels(node.value)]
        zeros = [Product((Number(Fraction(0)), Place(n, ZERO))) for n in missing]
        value = Sum((node.value, *zeros), (1,) * (1 + len(zeros))) if zeros else node.value
        operand = self.elementwise(value, (*free, *node.over))
        axes = axes_code([len(free) + n for n in range(len(node.over))])
        where = ""
        if node.conditions:
            where = f", where={self._mask(node.conditions, (*free, *node.over)).code}"
        code = f"{node.reduction.source}({operand.code}, axis={axes}{where})"
        return Source(aligned(code, free, out))

    def _joined(self, node: Join, out: Labels) -> Source:
        free = tuple(name for name in out if name in self.labels(node))
        codes = []
        known = self._ranges
        for part, length in zip(node.parts, node.lengths, strict=True):
            end = Affine(length)
            span = replace(known[node.along], length=end, stops=(end,))
            self._ranges = {**known, node.along: span}
            codes.append(self.elementwise(part, free).code)
        self._ranges = known
        axis = free.index(node.along)
        said = f", axis={axis}" if axis else ""
        return Source(aligned(f"np.concatenate(({', '.join(codes)}){said})", free, out))

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
        start, stop = self._extreme("max", starts), self._extreme("min", stops)
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
                left = f"{left} + {condition.offset}".replace("+ -", "- ")
            codes.append(f"{left} >= {' + '.join(sides[False]) or '0'}")
        code = codes[0] if len(codes) == 1 else " & ".join(f"({code})" for code in codes)
        is_fixed = self._step is None or not re.search(rf"\b{self._step}\b", code)
        if self._named is not None and is_fixed:
            letters = dict.fromkeys(n for c in conditions for n, _ in c.counts)
            return Source(self._named(code, "_".join(("where", *letters))))
        return Source(code, COMPARISON)

    def _read(self, read: Read, out: Labels) -> Source:
        code, labels = self.subscripted(read)
        if len(set(labels)) < len(labels):
            distinct = tuple(dict.fromkeys(labels))
            code = f"np.einsum({signature([labels], distinct)!r}, {code})"
            labels = distinct
        return Source(aligned(code, labels, out))

    def subscripted(self, read: Read, *, whole: bool = False) -> tuple[str, Labels]:
        """The source of a read with its slices, and the labels of the axes that are left.

        With `whole` no local variable stands for it.
        """
        buffer = self._buffers[read.name]
        local = None if whole else self._local(read)
        places: list[str] = []
        for axis, subscript in enumerate(read.subscripts):
            if local is not None and axis == local[1]:
                continue
            offset = subscript.offset + buffer.offset(axis)
            if subscript.index is None:
                places.append(str(offset))
            elif subscript.index == self._step:
                places.append(step_code(self._step, offset.constant))
            else:
                places.append(
                    self.slice_code(self._ranges[subscript.index], offset, buffer.lengths[axis])
                )
        while places and places[-1] == ":":
            places.pop()
        name = read.name if local is None else local[0]
        code = f"{name}[{', '.join(places)}]" if places else name
        labels = tuple(
            s.index for s in read.subscripts if s.index is not None and s.index != self._step
        )
        return code, labels

    def slice_code(self, span: Range, offset: Affine, length: Affine | None) -> str:
        """The slice of an axis of `length` that an index with an offset runs over."""
        if span.kind == "batch" or length is None:
            return ":"
        starts = [start + offset for start in span.starts]
        stops = [stop + offset for stop in span.stops]
        start, stop = self._extreme("max", starts), self._extreme("min", stops)
        return f"{'' if start == '0' else start}:{'' if stops == [length] else stop}"

    def _extreme(self, function: str, values: Sequence[Affine]) -> str:
        """The greatest or least of several places, never below 0."""
        codes = [str(v) for v in values]
        code = codes[0] if len(codes) == 1 else f"{function}({', '.join(codes)})"
        safe = [v.is_never_negative((self._step or "",)) for v in values]
        if all(safe) or (function == "max" and any(safe)):
            return code
        return f"max({code}, 0)"
