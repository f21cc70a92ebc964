"""The value of a term: which of its factors a sum runs over, and which stand before it."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from fractions import Fraction

from bptt.codegen.nodes import (
    ONE,
    ZERO,
    Condition,
    Contract,
    FrozenTerm,
    Node,
    Place,
    Power,
    Product,
    Reduce,
    Where,
    indices,
)

Labels = tuple[str, ...]


def value_of(term: FrozenTerm, steps: Collection[str] = ()) -> Node:
    """The value of a term, without its sign; the numbers of these steps are known."""
    over = tuple(r.name for r in term.sums)
    if not term.reduction.is_linear:
        return Reduce(term.reduction, term.factor, over, term.conditions)
    if not over:
        return Where(term.conditions, term.factor) if term.conditions else term.factor
    return _contracted(term.factor, term.conditions, over, frozenset(steps))


def _contracted(
    factor: Node, conditions: tuple[Condition, ...], over: Labels, steps: frozenset[str]
) -> Node:
    """A sum of a product: factors that it does not run over are taken out of it."""
    above, below = (factor.above, factor.below) if isinstance(factor, Product) else ((factor,), ())
    nodes = _conditioned([*above, *(Product((), (n,)) for n in below)], conditions)
    scalars = [n for n in nodes if not indices(n)]
    arrays = [n for n in nodes if indices(n)]
    # What a sum runs over without its summand depending on it, it counts.
    known = _union(arrays, steps)
    arrays += [Power(Place(n, ZERO), Fraction(0)) for n in over if n not in known]
    outer = [n for n in arrays if not _labels(n, steps) & set(over)]
    inner = _merged([n for n in arrays if n not in outer], steps)
    inner, over = _summed_apart(inner, over, steps)
    if over:
        inner = [Contract(tuple(inner), over)]
    scale = _product_of(scalars)
    factors = (*scale.above, *outer, *inner)
    return factors[0] if len(factors) == 1 and not scale.below else Product(factors, scale.below)


def _labels(node: Node, steps: frozenset[str]) -> frozenset[str]:
    return indices(node) - steps


def _union(nodes: Iterable[Node], steps: frozenset[str]) -> frozenset[str]:
    return frozenset[str]().union(*(_labels(n, steps) for n in nodes))


def _summed_apart(
    inner: list[Node], over: Labels, steps: frozenset[str]
) -> tuple[list[Node], Labels]:
    """What one factor alone depends on is summed in it, before it meets the others."""
    if len(inner) < 2:
        return inner, over
    found: list[Node] = []
    for node in inner:
        others = _union((n for n in inner if n is not node), steps)
        alone = tuple(name for name in over if name in _labels(node, steps) - others)
        found.append(Contract((node,), alone) if alone else node)
    known = _union(found, steps)
    return found, tuple(name for name in over if name in known)


def _merged(nodes: list[Node], steps: frozenset[str]) -> list[Node]:
    """Operands whose indices another one has too are multiplied into it, elementwise."""
    groups: list[tuple[frozenset[str], list[Node]]] = []
    for node in sorted(nodes, key=lambda n: -len(_labels(n, steps))):
        labels = _labels(node, steps)
        home = next((members for have, members in reversed(groups) if labels <= have), None)
        if home is None:
            groups.append((labels, [node]))
        else:
            home.append(node)
    merged = [m[0] if len(m) == 1 else Product(tuple(m)) for _, m in groups]
    return sorted(merged, key=lambda n: min(nodes.index(r) for r in _parts(n, nodes)))


def _parts(node: Node, nodes: list[Node]) -> list[Node]:
    if node in nodes:
        return [node]
    assert isinstance(node, Product)
    return list(node.above)


def _conditioned(nodes: list[Node], conditions: tuple[Condition, ...]) -> list[Node]:
    """The factors of a product, with each condition put on one of them, or on a factor 1."""
    for condition in conditions:
        names = {name for name, _ in condition.counts}
        at = next((n for n, node in enumerate(nodes) if names <= indices(node)), None)
        if at is None:
            nodes = [*nodes, Where((condition,), ONE)]
        else:
            nodes = [*nodes[:at], Where((condition,), nodes[at]), *nodes[at + 1 :]]
    return nodes


def _product_of(nodes: list[Node]) -> Product:
    above: list[Node] = []
    below: list[Node] = []
    for node in nodes:
        if isinstance(node, Product):
            above += node.above
            below += node.below
        else:
            above.append(node)
    return Product(tuple(above), tuple(below))
