"""The statements of a function as C: loops around one element's value, or around one product."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from bptt.codegen import nodes
from bptt.codegen.c.expressions import Block, Expression, Item, Scope, under
from bptt.codegen.c.matrices import Product, product_of
from bptt.codegen.c.memory import NONE, ONE_APART, Memory
from bptt.codegen.c.names import Names
from bptt.codegen.nodes import (
    Affine,
    Contract,
    Join,
    Node,
    Number,
    Place,
    Range,
    Read,
    Reduce,
    Subscript,
    Sum,
    Where,
    mapped,
    reads,
    walk,
)
from bptt.codegen.program import (
    Assign,
    Function,
    Guard,
    Loop,
    Program,
    Statement,
    assignments,
    places,
    root,
)

WIDTH = 99
INDENT = "    "
ZERO = Number(Fraction(0))
# Where indices run, by their names.
Spans = Mapping[str, Range]
# Loops over whole sequences stand around those over units.
OUTER = ("time", "batch")


@dataclass(frozen=True)
class FunctionText:
    """A function: its name in the program, the arrays that it uses, those that it fills, its body.

    `helpers` are what it calls, and `counts` the letters of numbers that it is given beside the
    sizes.
    """

    name: str
    about: str
    arrays: tuple[str, ...]
    filled: tuple[str, ...]
    counts: tuple[str, ...]
    helpers: frozenset[str]
    lines: tuple[str, ...]


def function_text(
    memory: Memory, function: Function, names: Names, free: Sequence[str], first_step: str
) -> FunctionText:
    """A function of a program as C; `free` are numbers that it may be given beside the sizes."""
    return _Body(memory, function, names.within(), free, first_step).text()


def window_axes(program: Program) -> dict[str, int]:
    """Along which axis each window moves: that of the loop which writes it."""
    found: dict[str, int] = {}

    def look(body: Iterable[Statement], steps: tuple[str, ...]) -> None:
        for statement in body:
            if isinstance(statement, Assign):
                target = statement.target
                if program.buffers[target.name].window is not None:
                    axes = (p for p, s in enumerate(target.subscripts) if s.index in steps)
                    found.setdefault(target.name, next(axes, -1))
            else:
                more = (statement.step,) if isinstance(statement, Loop) else ()
                look(statement.body, (*steps, *more))

    for function in program.functions:
        look(function.body, ())
    return {name: axis for name, axis in found.items() if axis >= 0}


class _Body:
    def __init__(
        self,
        memory: Memory,
        function: Function,
        names: Names,
        free: Sequence[str],
        first_step: str,
    ) -> None:
        self._memory, self._function, self._free = memory, function, free
        self._every = [*assignments(function.body)]
        letters = {r.name: None for a in self._every for r in a.ranges}
        letters |= {loop.step: None for loop in _loops(function.body)}
        counted = any(isinstance(n, Place) for a in self._every for n in walk(a.value))
        self._first_step = first_step if counted else ""
        self._scope = Scope(
            self._memory,
            names,
            {name: names.fresh(name) for name in letters},
            {},
            self._first_step,
        )

    def text(self) -> FunctionText:
        items = [*self._body(self._function.body, ())]
        buffers = self._memory.buffers
        mentioned = [r.name for a in self._every for r in (a.target, *a.reads)]
        arrays = tuple(dict.fromkeys(root(n, buffers).buffer for n in mentioned))
        filled = tuple(dict.fromkeys(root(a.target.name, buffers).buffer for a in self._every))
        names, real = self._scope.names, self._scope.real
        head = [
            f"{'' if n in filled else 'const '}{real} *{names.prefix.upper()}_RESTRICT "
            f"{names[n]} = arrays->{names[n]};"
            for n in arrays
        ]
        body = [*head, *([""] if head and items else []), *items]
        code = "\n".join(rendered(body, 1))
        counts = [n for n in (*self._free, self._first_step) if n and _mentions(code, n)]
        return FunctionText(
            self._function.name,
            self._function.about,
            arrays,
            filled,
            tuple(counts),
            frozenset(self._scope.helpers),
            tuple(code.splitlines()),
        )

    def _body(self, body: Sequence[Statement], steps: tuple[str, ...]) -> Iterator[Item]:
        for group in self._groups(body, steps):
            first = group[0]
            if isinstance(first, Loop):
                step, length = self._scope.letters[first.step], first.length
                head = f"for (long {step} = 0; {step} < {length}; ++{step})"
                if first.direction == "backward":
                    head = f"for (long {step} = {length} - 1; {step} >= 0; --{step})"
                yield Block(head, tuple(self._body(first.body, (*steps, first.step))))
            elif isinstance(first, Guard):
                codes = [self._holds(condition) for condition in first.conditions]
                yield Block(f"if ({' && '.join(codes)})", tuple(self._body(first.body, steps)))
            elif len(group) > 1:
                yield from self._pointwise([a for a in group if isinstance(a, Assign)], steps)
            else:
                yield from self._assign(first, steps)

    def _holds(self, condition: Affine) -> str:
        """`t >= 2`, or `t < T - 1`: no number in it is negative."""
        left = Affine(max(condition.constant, 0), tuple(p for p in condition.names if p[1] > 0))
        right = left - condition
        return f"{self._scope.place(left)} >= {self._scope.place(right)}"

    # Statements one by one.

    def _assign(self, assign: Assign, steps: tuple[str, ...]) -> Iterator[Item]:
        value = assign.value
        if isinstance(value, Join):
            yield from (item for part in _parts(assign) for item in self._assign(part, steps))
            return
        terms = [*zip(value.operands, value.signs, strict=True)] if isinstance(value, Sum) else []
        terms = terms or [(value, 1)]
        products = [
            (node, sign, letter)
            for node, sign in terms
            if isinstance(node, Contract) and (letter := self._inner(assign, node, steps))
        ]
        if not products:
            yield from self._pointwise([assign], steps)
            return
        rest = [(n, s) for n, s in terms if all(n is not node for node, _, _ in products)]
        if rest:
            more = Sum(tuple(n for n, _ in rest), tuple(s for _, s in rest))
            yield from self._pointwise([replace(assign, value=more)], steps)
        elif assign.operator == "=":
            yield from self._pointwise([replace(assign, value=ZERO)], steps)
        for node, sign, letter in products:
            yield from self._product(assign, node, sign, letter)

    def _inner(self, assign: Assign, node: Contract, steps: tuple[str, ...]) -> str:
        """The index of a target along which all that a product reads lies in a row, if any does."""
        if any(isinstance(n, Contract | Reduce) for o in node.operands for n in walk(o)):
            return ""
        spans = _spans(assign)
        if any(self._meets(assign.target, r, steps, spans, spans) for r in assign.reads):
            return ""
        for subscript in reversed(assign.target.subscripts):
            letter = subscript.index
            if letter is None or letter in steps:
                continue
            strides = {self._memory.stride(r, letter) for r in reads(node)}
            if self._memory.stride(assign.target, letter) == ONE_APART and strides <= {
                NONE,
                ONE_APART,
            }:
                return letter
        return ""

    def _product(self, assign: Assign, node: Contract, sign: int, inner: str) -> Iterator[Item]:
        """Sums of a product, the target's row innermost: what is added to it stands in rows too."""
        found = product_of(self._memory, assign, node, inner, _letters(assign))
        if found is not None and sign > 0:
            yield from self._call(assign, found)
            return
        kinds = {r.name: r.kind for r in assign.ranges}
        own = _letters(assign)
        order = [n for n in own if kinds[n] in OUTER]
        order += [n for n in node.over if kinds[n] in OUTER]
        order += [n for n in own if kinds[n] not in OUTER and n != inner]
        order += [n for n in node.over if kinds[n] not in OUTER]
        order = [n for n in order if n != inner] + [inner]
        scope = replace(self._scope, ranges=_spans(assign))
        value = Expression(scope).value(nodes.Product(node.operands)).code
        operator = "+=" if sign > 0 else "-="
        line = f"{scope.element(assign.target)} {operator} {value};{_said([assign])}"
        yield from under(self._heads(scope, order), (line,))

    def _call(self, assign: Assign, found: Product) -> Iterator[Item]:
        """A product of matrices by the function for it."""
        scope = replace(self._scope, ranges=_spans(assign))
        y, x, w = (f"&{scope.element(r)}" for r in (found.y, found.x, found.w))
        arguments = [
            "arrays->gemm",
            found.rows,
            found.columns,
            found.depth,
            y,
            found.y_row,
            x,
            found.x_row,
        ]
        arguments += [found.x_step, w, found.w_row]
        line = f"{scope.helper('multiply')}({', '.join(map(str, arguments))});{_said([assign])}"
        yield from under([scope.loop(n) for n in found.outer], (line,))

    def _pointwise(self, group: Sequence[Assign], steps: tuple[str, ...]) -> Iterator[Item]:
        """Statements element by element, each at all its places before the next place."""
        first = group[0]
        own, lines = _letters(first), list[Item]()
        scope = replace(self._scope, ranges=_spans(first))
        for assign in group:
            spans = _spans(assign)
            for read in assign.reads:
                same = read.subscripts == assign.target.subscripts
                if not same and self._meets(assign.target, read, steps, scope.ranges, spans):
                    raise AssertionError(f"{assign.target.name} is overwritten where it is read")
            expression = Expression(scope)
            node, operator = assign.value, str(assign.operator)
            if operator == "+=" and isinstance(node, Sum) and node.signs == (-1,):
                node, operator = node.operands[0], "-="
            value = expression.value(node).code
            lines += expression.before
            target = scope.element(assign.target)
            lines.append(f"{target} {operator} {value};{_said([assign])}")
        is_flat = all(isinstance(line, str) for line in lines)
        heads = self._heads(scope, own) if is_flat else [scope.loop(n) for n in own]
        yield from under(heads, lines)

    def _heads(self, scope: Scope, order: Sequence[str]) -> list[str]:
        """Loops, of which the innermost may take its places in any order, several at a time."""
        *outer, last = map(scope.loop, order) if order else [""]
        return [*outer, f"{scope.names.prefix.upper()}_APART {last}"] if order else []

    # Statements together.

    def _groups(
        self, body: Sequence[Statement], steps: tuple[str, ...]
    ) -> Iterator[list[Statement]]:
        """The statements one by one, or pointwise ones together that no element keeps apart."""
        found: list[Statement] = []
        for statement in body:
            if found and isinstance(statement, Assign):
                renamed = _as_in(statement, found[0])
                if renamed is not None and self._joins(found, renamed, steps):
                    found.append(renamed)
                    continue
            if found:
                yield found
            found = [statement]
        if found:
            yield found

    def _joins(self, group: Sequence[Statement], assign: Assign, steps: tuple[str, ...]) -> bool:
        """Whether a statement reads of the group, and the group of it, the same element alone."""
        for other in group:
            if not isinstance(other, Assign):
                return False
            own, spans = _spans(assign), _spans(other)
            pairs = [(other.target, spans, r, own) for r in (*assign.reads, assign.target)]
            pairs += [(assign.target, own, r, spans) for r in other.reads]
            for target, known, read, more in pairs:
                same = read.subscripts == target.subscripts and read.name == target.name
                if not same and self._meets(target, read, steps, known, more):
                    return False
        return True

    def _meets(
        self, one: Read, other: Read, steps: tuple[str, ...], own: Spans, more: Spans
    ) -> bool:
        """Whether elements of two reads may be one: of one array, and not surely apart.

        `own` and `more` say where the indices of the one and of the other run.
        """
        buffers = self._memory.buffers
        first, second = root(one.name, buffers), root(other.name, buffers)
        if first.buffer != second.buffer:
            return False
        common = len(one.subscripts)
        if one.name != other.name:
            # The axes before the one that parts are of are those of both.
            parts = [b.axis for b, r in ((first, one), (second, other)) if b.buffer != r.name]
            common = min(parts)
            here, there = self._reached(one, own, common), self._reached(other, more, common)
            apart = here and there and not (here.start < there.stop and there.start < here.stop)
            if apart:
                return False
        pairs = zip(one.subscripts[:common], other.subscripts[:common], strict=True)
        for axis, (a, b) in enumerate(pairs):
            if a.index != b.index or (a.index is not None and a.index not in steps):
                continue
            gap = a.offset - b.offset
            window = buffers[one.name].window
            rolls = window is not None and self._memory.axes.get(one.name) == axis
            if not gap.names and gap.constant and not (rolls and abs(gap.constant) > (window or 0)):
                return False
        return True

    def _reached(self, read: Read, spans: Spans, axis: int) -> range | None:
        """The places of an array along an axis that a read of it, or of a part, can reach."""
        found = places(read.name, self._memory.buffers)
        if found is not None:
            return found
        index, offset = read.subscripts[axis].index, read.subscripts[axis].offset
        span = spans.get(index or "")
        starts = [p.constant for p in span.starts if not p.names] if span else []
        stops = [p.constant for p in span.stops if not p.names] if span else []
        if not (starts and stops) or offset.names:
            return None
        return range(max(starts) + offset.constant, min(stops) + offset.constant)


def _spans(assign: Assign) -> Spans:
    """Where the indices of a statement run."""
    return {r.name: r for r in assign.ranges}


def _loops(body: Iterable[Statement]) -> Iterator[Loop]:
    for statement in body:
        if not isinstance(statement, Assign):
            if isinstance(statement, Loop):
                yield statement
            yield from _loops(statement.body)


def _letters(assign: Assign) -> list[str]:
    """The indices of a target, in the order of its axes, without steps of loops around it."""
    known = {r.name for r in assign.ranges}
    return [*dict.fromkeys(s.index for s in assign.target.subscripts if s.index in known)]


def _as_in(assign: Assign, first: Statement) -> Assign | None:
    """A pointwise statement in the letters of another, where both run over the same places."""
    if not isinstance(first, Assign) or not (_is_pointwise(assign) and _is_pointwise(first)):
        return None
    own, other = _letters(assign), _letters(first)
    if len(own) != len(other) or not own:
        return None
    spans = {r.name: r for r in assign.ranges}, {r.name: r for r in first.ranges}
    same = dict(zip(own, other, strict=True))
    if any(replace(spans[0][a], name=b) != spans[1][b] for a, b in same.items()):
        return None
    target = _renamed(assign.target, same)
    assert isinstance(target, Read)
    ranges = tuple(replace(r, name=same.get(r.name, r.name)) for r in assign.ranges)
    return replace(assign, target=target, value=_renamed(assign.value, same), ranges=ranges)


def _renamed(node: Node, same: Mapping[str, str]) -> Node:
    """A node with other letters for some of its indices."""
    match node:
        case Read(name, subscripts):
            return Read(
                name,
                tuple(
                    Subscript(None if s.index is None else same.get(s.index, s.index), s.offset)
                    for s in subscripts
                ),
            )
        case Place(index, offset):
            return Place(same.get(index, index), offset)
        case Where(conditions):
            renamed = tuple(
                replace(c, counts=tuple((same.get(n, n), k) for n, k in c.counts))
                for c in conditions
            )
            node = replace(node, conditions=renamed)
    return mapped(node, lambda child: _renamed(child, same))


def _is_pointwise(assign: Assign) -> bool:
    return not any(isinstance(n, Contract | Reduce | Join) for n in walk(assign.value))


def _parts(assign: Assign) -> Iterator[Assign]:
    """A statement for each part that a target is joined of."""
    join = assign.value
    assert isinstance(join, Join)
    start = 0
    for part, length in zip(join.parts, join.lengths, strict=True):
        along = Affine(length)
        target = replace(
            assign.target,
            subscripts=tuple(
                replace(s, offset=s.offset + start) if s.index == join.along else s
                for s in assign.target.subscripts
            ),
        )
        ranges = tuple(
            Range(r.name, r.kind, along, (Affine(0),), (along,)) if r.name == join.along else r
            for r in assign.ranges
        )
        yield replace(assign, target=target, value=part, ranges=ranges)
        start += length


def _said(group: Sequence[Assign]) -> str:
    """The numbers of the equations, as a comment."""
    numbers = " ".join(f"({n})" for assign in group for n in assign.numbers)
    return f" /* {numbers} */" if numbers else ""


def _mentions(code: str, word: str) -> bool:
    return re.search(rf"\b{word}\b", code) is not None


def rendered(items: Iterable[Item], depth: int) -> Iterator[str]:
    """Lines, indented, none too long: C breaks between any two words."""
    for item in items:
        indent = INDENT * depth
        if isinstance(item, str):
            yield from _wrapped(item, indent)
            continue
        *body, _ = (*item.body, "")
        single = len(body) == 1
        yield from _wrapped(item.head if single else f"{item.head} {{", indent)
        yield from rendered(body, depth + 1)
        if not single:
            yield f"{indent}}}"


def _wrapped(line: str, indent: str) -> list[str]:
    """A statement in lines, broken where no subscript and no comment is broken."""
    if not line:
        return [""]
    kept = re.sub(r"\[[^]]*\]|/\*.*?\*/", lambda m: m[0].replace(" ", "\0"), line)
    found = textwrap.wrap(
        kept,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [part.replace("\0", " ") for part in found]
