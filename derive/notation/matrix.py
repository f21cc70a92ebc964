"""Matrix notation, found in the index form: contractions become products.

The unit indices of a term are the nodes of a graph: a factor with one index hangs on its node, a
factor with two is an edge. A path from the left side's index is a chain of products, what hangs
on an inner node of it a diagonal matrix, two separate indices an outer product:

    sum_j W[j,i] * d_a[t+1,b,j] * (1 - a[t+1,b,j]^2)   ->   W.T @ diag(1 - a[t+1]^2) @ d_a[t+1]

Sequences are not written: a sum over b is one over the sequences of the batch. What is no such
product (three indices on one quantity, the blocks of a concatenation) stays in index notation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy as sp

from bptt.derive.calculus.bounds import Index
from bptt.derive.calculus.order import Known, split_quotient, split_sign
from bptt.derive.calculus.system import Equation, System, Term, name_of, reads
from bptt.derive.language.syntax import (
    Binary,
    Call,
    Comparison,
    Node,
    Part,
    Reference,
    Statement,
    Sum,
    Transpose,
)
from bptt.derive.notation.index import (
    Read,
    conditioned,
    conditions,
    expression,
    index_statement,
    product,
    ranges,
    subscript,
    summed,
    total,
)


class _NoMatrixFormError(Exception):
    """This term is no product of matrices and vectors."""


def matrix_statement(equation: Equation, system: System) -> Statement:
    """An equation in matrix notation, or in index notation where it has no matrix form."""
    try:
        return _Matrix(equation, system).statement()
    except _NoMatrixFormError:
        return index_statement(equation, system.quantities)


def has_matrix_form(equation: Equation, system: System) -> bool:
    """Whether `matrix_statement` is in matrix notation."""
    try:
        _Matrix(equation, system).statement()
    except _NoMatrixFormError:
        return False
    return True


@dataclass
class _Edge:
    """A matrix between two indices: `node` has its rows at `row` and its columns at `column`."""

    row: sp.Symbol
    column: sp.Symbol
    node: Node
    used: bool = False

    def ends(self) -> tuple[sp.Symbol, sp.Symbol]:
        return self.row, self.column

    def other(self, letter: sp.Symbol) -> sp.Symbol:
        return self.column if letter == self.row else self.row

    def rows_at(self, letter: sp.Symbol) -> Node:
        """The matrix with its rows at `letter`."""
        return self.node if letter == self.row else _transposed(self.node)


@dataclass
class _Graph:
    """The factors of a term by their unit indices; `take` what a walk has passed."""

    vectors: dict[sp.Symbol, list[Node]]
    edges: list[_Edge]
    scalars: list[sp.Expr]

    def own(self, letter: sp.Symbol) -> list[Node]:
        return self.vectors.pop(letter, [])

    def edges_at(self, letter: sp.Symbol) -> list[_Edge]:
        return [e for e in self.edges if not e.used and letter in e.ends()]


class _Matrix:
    def __init__(self, equation: Equation, system: System) -> None:
        self._equation, self._system = equation, system
        self._known = system.quantities
        self._units = [i for i in equation.indices if i.kind == "feature"]
        if len(self._units) > 2:
            raise _NoMatrixFormError

    def statement(self) -> Statement:
        equation = self._equation
        steps = [i.symbol for i in equation.indices if i.is_step]
        subscripts = tuple(subscript(s) for s in steps) or None
        target = Reference(equation.quantity.name, subscripts, "")
        return Statement(target, total(map(self._signed_term, equation.terms)))

    def _signed_term(self, term: Term) -> tuple[int, Node]:
        letters = {i.symbol for i in (*self._units, *term.sums) if i.kind == "feature"}
        units = [i for i in term.sums if i.kind == "feature"]
        outer = tuple(i for i in term.sums if i.kind != "feature")
        tied = [e for e in term.equals if e.free_symbols & letters]
        if any(e.free_symbols & letters for e in term.bounds) or len(tied) > 1:
            raise _NoMatrixFormError
        self._ranges = {i.symbol: i for i in (*self._units, *units)}
        rest = replace(term, equals=tuple(e for e in term.equals if e not in tied))
        found = (
            *ranges(replace(rest, sums=outer), self._system.quantities),
            *conditions(rest, self._equation.box(term)),
        )
        sign, factor = split_sign(term.factor)
        if not term.reduction.is_linear:
            return 1, self._reduced(term, units, found)
        graph = self._graph(factor)
        core = self._tied(graph, tied[0]) if tied else self._product(graph, units)
        if graph.vectors or any(not e.used for e in graph.edges):
            raise _NoMatrixFormError
        node = _scaled(core, sp.Mul(*graph.scalars), self._known, self._read)
        if outer:
            node = Sum(tuple(i.symbol.name for i in outer), node, "")
        return sign, conditioned(node, found)

    def _reduced(self, term: Term, units: list[Index], found: tuple[Comparison, ...]) -> Node:
        """log(sum(exp(z))) over units; over steps it is what index notation has."""
        if self._units:
            raise _NoMatrixFormError
        if not units:
            return conditioned(
                summed(expression(term.factor, self._known, self._read), term), found
            )
        if len(term.sums) > 1 or found:
            raise _NoMatrixFormError
        self._check_vector(term.factor, units[0].symbol)
        how = term.reduction
        value = expression(term.factor, self._known, self._read)
        for function in filter(None, (how.inner, how.big, how.outer)):
            value = Call(function, (value,), "")
        return value

    # The graph of a term.

    def _graph(self, factor: sp.Expr) -> _Graph:
        graph = _Graph({}, [], [])
        for argument in _ordered(factor, self._known):
            letters = [s for s in self._ranges if argument.has(s)]
            if not letters:
                graph.scalars.append(argument)
            elif len(letters) == 1:
                self._check_vector(argument, letters[0])
                node = expression(argument, self._known, self._read)
                graph.vectors.setdefault(letters[0], []).append(node)
            elif len(letters) == 2:
                graph.edges.append(self._edge(argument))
            else:
                raise _NoMatrixFormError
        return graph

    def _check_vector(self, argument: sp.Expr, letter: sp.Symbol) -> None:
        if any(s == letter for s in sp.Mul.make_args(argument)) or argument == letter:
            raise _NoMatrixFormError
        for read in reads(argument):
            features = self._features(read)
            at = [s for s in features if s.has(letter)]
            if len(at) > 1 or (at and features[-1] is not at[0]):
                raise _NoMatrixFormError
            if at and len(features) == 2 and not features[0].is_Integer:
                raise _NoMatrixFormError

    def _edge(self, argument: sp.Expr) -> _Edge:
        found = {self._features(read) for read in reads(argument) if self._features(read)}
        if len(found) != 1:
            raise _NoMatrixFormError
        (features,) = found
        if (
            len(features) != 2
            or not all(f.is_Symbol for f in features)
            or features[0] == features[1]
        ):
            raise _NoMatrixFormError
        return _Edge(features[0], features[1], expression(argument, self._known, self._read))

    def _features(self, read: sp.Indexed) -> tuple[sp.Expr, ...]:
        quantity = self._system.quantity_of(read)
        if len(quantity.features) > 2:
            raise _NoMatrixFormError
        at = self._system.subscripts(read)
        return tuple(s for s, axis in zip(at, quantity.axes, strict=True) if axis.kind == "feature")

    def _read(self, read: sp.Indexed) -> Node:
        """A mention without its sequences and units; a part of it where it is read in part."""
        quantity = self._system.quantity_of(read)
        at = self._system.subscripts(read)
        pairs = list(zip(at, quantity.axes, strict=True))
        steps = tuple(subscript(s) for s, axis in pairs if axis.is_step)
        node: Node = Reference(name_of(read), steps or None, "")
        units = [(s, axis) for s, axis in pairs if axis.kind == "feature"]
        for position, (s, axis) in enumerate(units):
            if s.is_Integer:
                if position:
                    raise _NoMatrixFormError
                node = Part(node, int(s), None, "")
                continue
            letter = next((x for x in self._ranges if s.has(x)), None)
            if letter is None:
                raise _NoMatrixFormError
            start, length = s - letter, self._ranges[letter].length
            if start == 0 and sp.expand(length - axis.size) == 0:
                continue
            if position or len(units) > 1 or not start.is_Integer:
                raise _NoMatrixFormError
            node = Part(node, int(start), int(start) + self._system.size(length), "")
        return node

    # Walks through the graph.

    def _product(self, graph: _Graph, summed: Sequence[Index]) -> Node | None:
        units = [i.symbol for i in self._units]
        if len(units) == 2:
            core: Node | None = self._matrix(graph, units[0], units[1])
        elif units:
            core = self._hadamard(graph, units[0])
            if core is None:
                raise _NoMatrixFormError
        else:
            core = None
        for index in summed:
            if index.symbol in graph.vectors:
                core = _times(core, self._scalar(graph, index.symbol))
        return core

    def _tied(self, graph: _Graph, equal: sp.Expr) -> Node:
        """A diagonal matrix: the two indices of the left side are one."""
        units = [i.symbol for i in self._units]
        if len(units) != 2 or sp.expand(equal) not in (units[0] - units[1], units[1] - units[0]):
            raise _NoMatrixFormError
        for letter in units[1:]:
            graph.vectors.setdefault(units[0], []).extend(graph.own(letter))
        if graph.edges or units[0] not in graph.vectors:
            raise _NoMatrixFormError
        return Call("diag", (product(graph.own(units[0])),), "")

    def _hadamard(self, graph: _Graph, letter: sp.Symbol) -> Node | None:
        """The vector at an index: what hangs on it times the chains that start there."""
        factors = graph.own(letter)
        for edge in graph.edges_at(letter):
            edge.used = True
            factors.append(_chained(self._chain(graph, edge, letter)))
        return product(factors) if factors else None

    def _end(self, graph: _Graph, letter: sp.Symbol) -> Node | None:
        """The vector at an index as the end of a chain: all factors but one in a diagonal."""
        own = graph.own(letter)
        if len(own) < 2 or graph.edges_at(letter):
            graph.vectors[letter] = own
            return self._hadamard(graph, letter)
        return Binary("@", Call("diag", (product(own[1:]),), ""), own[0], "")

    def _chain(self, graph: _Graph, edge: _Edge, letter: sp.Symbol) -> list[Node]:
        """The factors of a chain of products: a matrix, diagonals, matrices, a vector."""
        end = edge.other(letter)
        own, onward = graph.own(end), graph.edges_at(end)
        chain = [edge.rows_at(letter)]
        if len(onward) > 1:
            for branch in onward[1:]:
                branch.used = True
                own.append(_chained(self._chain(graph, branch, end)))
        if onward:
            onward[0].used = True
            if own:
                chain.append(Call("diag", (product(own),), ""))
            return chain + self._chain(graph, onward[0], end)
        if not own:
            raise _NoMatrixFormError
        if len(own) == 1:
            return [*chain, own[0]]
        return [*chain, Call("diag", (product(own[1:]),), ""), own[0]]

    def _scalar(self, graph: _Graph, letter: sp.Symbol) -> Node:
        """A sum over an index that nothing ties to the left side: an inner product."""
        own, onward = graph.own(letter), graph.edges_at(letter)
        if onward:
            rest = self._hadamard(graph, letter)
            assert rest is not None
            return Binary("@", product(own), rest, "")
        if len(own) == 1:
            return Call("sum", (own[0],), "")
        return Binary("@", own[0], product(own[1:]), "")

    def _matrix(self, graph: _Graph, row: sp.Symbol, column: sp.Symbol) -> Node:
        path = _path(graph, row, column)
        if path is None:
            left, right = self._end(graph, row), self._hadamard(graph, column)
            if left is None or right is None:
                raise _NoMatrixFormError
            return Call("outer", (left, right), "")
        for edge in path:
            edge.used = True
        if len(path) == 1:
            between = [e for e in graph.edges_at(row) if e.other(row) == column]
            for edge in between:
                edge.used = True
            matrix = product(e.rows_at(row) for e in (*path, *between))
            chain = [matrix]
            at = column
        else:
            chain, at = [], row
            for edge in path:
                chain.append(edge.rows_at(at))
                at = edge.other(at)
                side = self._hadamard(graph, at) if at != column else None
                if side is not None:
                    chain.append(Call("diag", (side,), ""))
        left, right = self._hadamard(graph, row), self._hadamard(graph, column)
        if left is not None:
            chain.insert(0, Call("diag", (left,), ""))
        if right is not None:
            chain.append(Call("diag", (right,), ""))
        return _chained(chain)


def _path(graph: _Graph, row: sp.Symbol, column: sp.Symbol) -> list[_Edge] | None:
    """The shortest way along edges from one index to another."""
    ways: list[tuple[sp.Symbol, list[_Edge]]] = [(row, [])]
    seen = {row}
    for at, way in ways:
        for edge in graph.edges_at(at):
            end = edge.other(at)
            if end == column:
                return [*way, edge]
            if end not in seen:
                seen.add(end)
                ways.append((end, [*way, edge]))
    return None


def _ordered(factor: sp.Expr, known: Known) -> list[sp.Expr]:
    """The factors of a product in customary order, those of a fraction's denominator inverted."""
    above, below = split_quotient(factor, known)
    return above + [1 / f for f in below]


def _chained(chain: Sequence[Node]) -> Node:
    node = chain[0]
    for operand in chain[1:]:
        node = Binary("@", node, operand, "")
    return node


def _transposed(node: Node) -> Node:
    return node.operand if isinstance(node, Transpose) else Transpose(node, "")


def _times(left: Node | None, right: Node) -> Node:
    return right if left is None else Binary("*", right, left, "")


def _scaled(core: Node | None, scale: sp.Expr, known: Known, read: Read) -> Node:
    """A product with numbers, sizes and scalars: above the fraction bar, or below it."""
    above, below = split_quotient(scale, known)
    factors = [expression(f, known, read) for f in above if f != 1]
    if core is not None:
        factors.append(core)
    node = product(factors)
    if not below:
        return node
    return Binary("/", node, product(expression(f, known, read) for f in below), "")
