"""What a loop multiplies by and does not change is computed before it, for all steps at once.

    d_f[t] = d_c[t] c[t-1];  d_n_f[t] = d_f[t] f[t] (1 - f[t])     in a loop that computes d_c

is  d_n_f[t] = d_c[t] s[t]  with  s[t] = c[t-1] f[t] (1 - f[t])  before it. The backward loop of a
network is linear in what it computes: its local derivatives are such factors. Those of many units
stay in the loop: a step of them is work enough for one call, and does not leave the cache.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from math import prod

from bptt.codegen.nodes import (
    ZERO,
    Affine,
    Contract,
    Node,
    Place,
    Product,
    Range,
    Read,
    Reduce,
    Subscript,
    Where,
    indices,
    reads,
    walk,
)
from bptt.codegen.program import (
    Assign,
    Body,
    Buffer,
    Loop,
    Program,
    Statement,
    assignments,
)
from bptt.derive.calculus.quantity import unused

# So many units are many.
MANY = 64


def sloped(program: Program) -> Program:
    """The program with such factors taken out of its loops.

    Needs: no buffer lies in another. Gives: buffers for the factors, each assigned once, in front
    of its loop.
    """
    buffers = dict(program.buffers)
    every = [a for f in program.functions for a in assignments(f.body)]
    reads_of = Counter(read.name for a in every for read in a.reads)
    writes = Counter(a.target.name for a in every)
    once = {
        name
        for name, buffer in buffers.items()
        if buffer.window == 0 and reads_of[name] == 1 and writes[name] == 1
    }
    functions = []
    for function in program.functions:
        body: list[Statement] = []
        for statement in function.body:
            if isinstance(statement, Loop):
                loop = replace(statement, body=_inlined(statement, once))
                before, loop = _split(loop, buffers)
                body += before
                body.append(loop)
            else:
                body.append(statement)
        functions.append(replace(function, body=tuple(body)))
    return replace(program, buffers=buffers, functions=tuple(functions))


def _inlined(loop: Loop, once: set[str]) -> Body:
    """The body with products of one step, read once, in the products that read them."""
    changing = {a.target.name for a in assignments(loop.body)}
    body: list[Statement | None] = [*loop.body]
    for start, source in enumerate(loop.body):
        # An earlier product may stand in it by now.
        source = body[start] or source
        if not isinstance(source, Assign) or source.target.name not in once:
            continue
        if _factors(source, changing) is None:
            continue
        for place, reader in enumerate(body[start + 1 :], start + 1):
            if reader is None:
                continue
            if source.target in _direct(reader) and _factors(reader, changing) is not None:
                assert isinstance(reader, Assign)
                body[place], body[start] = _within(reader, source), None
                break
            if _changes(reader, source):
                break
    return tuple(statement for statement in body if statement is not None)


def _direct(statement: Statement) -> tuple[Node, ...]:
    """The factors of a statement that is a product."""
    value = statement.value if isinstance(statement, Assign) else None
    return value.above if isinstance(value, Product) else ()


def _changes(statement: Statement, source: Assign) -> bool:
    """Whether a statement changes what another one reads, or reads what that makes."""
    made = assignments((statement,))
    read = {r.name for r in source.reads}
    return any(
        a.target.name in read or source.target.name in {r.name for r in a.reads} for a in made
    )


def _within(reader: Assign, source: Assign) -> Assign:
    """A product with another one in place of a factor."""
    assert isinstance(reader.value, Product)
    assert isinstance(source.value, Product)
    above: list[Node] = []
    for factor in reader.value.above:
        above += source.value.above if factor == source.target else (factor,)
    below = (*source.value.below, *reader.value.below)
    known = {r.name: r for r in (*source.ranges, *reader.ranges)}
    return replace(
        reader,
        numbers=tuple(sorted({*source.numbers, *reader.numbers})),
        value=Product(tuple(above), below),
        ranges=tuple(known.values()),
    )


def _factors(statement: Statement, changing: Iterable[str]) -> tuple[list[Node], list[Node]] | None:
    """The factors of a product that a loop changes, and the others; None if it is no such product.

    What stands below a fraction is changed by nothing in the loop.
    """
    if not isinstance(statement, Assign) or not isinstance(statement.value, Product):
        return None
    value, changing = statement.value, frozenset(changing)
    labels = [s.index for s in statement.target.subscripts]
    is_whole = all(r.is_full for r in statement.ranges) and len(set(labels)) == len(labels)
    units = (r.length for r in statement.ranges if r.kind == "feature")
    if prod(length.constant for length in units if length is not None) >= MANY:
        return None
    if not is_whole or any(isinstance(n, Contract | Reduce | Place | Where) for n in walk(value)):
        return None
    changed = [n for n in value.above if not changing.isdisjoint(r.name for r in reads(n))]
    if any(not changing.isdisjoint(r.name for r in reads(n)) for n in value.below):
        return None
    return changed, [n for n in value.above if n not in changed]


def _split(loop: Loop, buffers: dict[str, Buffer]) -> tuple[list[Assign], Loop]:
    """What comes before a loop, and the loop that reads it."""
    changing = {a.target.name for a in assignments(loop.body)}
    length = Affine(0, ((loop.length, 1),))
    step = Range(loop.step, "time", length, (ZERO,), (length,))
    before: list[Assign] = []
    body: list[Statement] = []
    for statement in loop.body:
        found = _factors(statement, changing)
        if found is None:
            body.append(statement)
            continue
        assert isinstance(statement, Assign)
        assert isinstance(statement.value, Product)
        changed, fixed = found
        arrays = [n for n in fixed if indices(n)]
        slope = Product(tuple(fixed), statement.value.below)
        is_work = len(arrays) > 1 or any(not isinstance(n, Read) for n in arrays)
        if not changed or not is_work or not indices(slope) >= {loop.step}:
            body.append(statement)
            continue
        factor = _factor(statement, changed[0], slope, step, buffers)
        buffers[factor.target.name] = _buffer(factor)
        before.append(factor)
        body.append(replace(statement, value=Product((*changed, factor.target))))
    return before, replace(loop, body=tuple(body))


def _factor(
    statement: Assign, changed: Node, slope: Product, step: Range, buffers: dict[str, Buffer]
) -> Assign:
    """The statement for a factor, for all steps at once."""
    spans = {r.name: r for r in statement.ranges} | {step.name: step}
    labels = [s.index for s in statement.target.subscripts]
    order = [step.name, *(n for n in labels if n != step.name and n in indices(slope))]
    of = next(iter(reads(changed)), statement.target)
    name = unused(f"{statement.target.name}_per_{of.name}", buffers)
    target = Read(name, tuple(Subscript(n, ZERO) for n in order))
    value = slope if len(slope.above) > 1 or slope.below else slope.above[0]
    return Assign(statement.numbers, target, "=", value, tuple(spans[n] for n in order if n))


def _buffer(factor: Assign) -> Buffer:
    """The buffer of a factor: for the whole of its indices, which are those of a statement."""
    kinds = tuple(r.kind for r in factor.ranges)
    lengths = tuple(None if r.kind == "batch" else r.length for r in factor.ranges)
    return Buffer(factor.target.name, kinds, lengths, 0)
