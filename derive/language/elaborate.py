"""The text of networks to equations in normal form.

Whatever the normal form cannot hold in one place (a contraction inside a function or a product)
becomes a signal with an equation of its own, named after what it is: `n_h`, the net input of h.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.bounds import Index, prune
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.quantity import BATCH, Axis, Local, Made, Quantity, index_symbol
from bptt.derive.calculus.system import Equation, Term
from bptt.derive.errors import UserError
from bptt.derive.language import syntax
from bptt.derive.language.elaboration import Elaboration
from bptt.derive.language.place import At, Place, conditions_of
from bptt.derive.language.shapes import Shape, Shapes
from bptt.derive.language.terms import Terms

b = index_symbol("_sequence")


class Elaborator:
    """Collects the equations that statements stand for, with the `functions` of the language.

    Quantities that lifting makes are named after the short names in `local` (the names within
    a cell), with the name of their `layer` behind them, if they have one; the layer's output has
    a net input that is plainly `n`. `apart` names the signals of which one step, the first or the
    last, has an equation of its own.
    """

    def __init__(
        self,
        quantities: dict[str, Quantity],
        shapes: Shapes,
        functions: Functions,
        *,
        local: Mapping[str, str] | None = None,
        layer: str = "",
        apart: Mapping[str, syntax.Subscript] | None = None,
    ) -> None:
        self.quantities = quantities
        self.equations: list[Equation] = []
        self.shapes = shapes
        self._functions = functions
        self.core = Elaboration(self, shapes.numbers)
        self._local = dict(local or {})
        self._layer = layer
        self._apart = dict(apart or {})
        # What limits the steps of the statement at hand: all that is made for it is limited so.
        self._where: tuple[sp.Expr, ...] = ()
        self._lifted: dict[object, str] = {}
        self.target = ""
        self._left: set[sp.Symbol] = set()
        self._whole: tuple[syntax.Node, sp.Expr] | None = None

    def define(self, number: int, statement: syntax.Statement, steps: Mapping[str, Axis]) -> None:
        """Append the equations of one statement.

        `number` is its place in shape inference; `steps` says what its indices of steps run over.
        """
        self.target = statement.target.name
        quantity = self.quantities[statement.target.name]
        by_letters = syntax.uses_index_notation(statement)
        self.core.axes = {index_symbol(name): axis for name, axis in steps.items()}
        self.axes[b] = BATCH
        if by_letters:
            letters = self.shapes.letters.get(number, {})
            self.core.axes |= {
                index_symbol(n): Axis("feature", size) for n, size in letters.items()
            }
        indices = self._left_indices(quantity, statement.target, by_letters)
        self._left = {index.symbol for index in indices}
        value = quantity[[index.symbol for index in indices]]
        self._whole = None if quantity.name in (*self._apart, "") else (statement.expression, value)
        units = [i.symbol for i in indices if i.kind == "feature"]
        if by_letters:
            place = Place(scope={i.symbol.name: i.symbol for i in indices}, by_letters=True)
        else:
            place = Place(tuple(units))
        equals = self._limit(statement, indices)
        expression = statement.expression
        terms = self.core.terms(expression, self.core.beside(expression, place))
        self._check_free(terms, statement)
        terms = [replace(t, bounds=t.bounds + self._where, equals=t.equals + equals) for t in terms]
        equation = canonical(Equation(0, quantity, indices, tuple(self._live(terms))))
        if quantity.name in self._apart:
            equation = self._with_other_steps(equation)
        self.equations.append(equation)

    def _with_other_steps(self, equation: Equation) -> Equation:
        """The equation with the terms of the one that defines the quantity at its other steps."""
        other = next((e for e in self.equations if e.quantity == equation.quantity), None)
        if other is None:
            return equation
        self.equations.remove(other)
        return replace(equation, terms=other.terms + equation.terms)

    def _limit(
        self, statement: syntax.Statement, indices: tuple[Index, ...]
    ) -> tuple[sp.Expr, ...]:
        """What ties the step of an equation to one step; all steps but that go to `_where`."""
        self._where = ()
        apart = self._apart.get(statement.target.name)
        if apart is None:
            return ()
        step, last = indices[0].symbol, indices[0].high
        if syntax.step_apart(statement):
            return (step - last if apart.name == syntax.END else step,)
        self._where = (last - 1 - step if apart.name == syntax.END else step - 1,)
        return ()

    def _left_indices(
        self, quantity: Quantity, target: syntax.Reference, by_letters: bool
    ) -> tuple[Index, ...]:
        subscripts = list(target.subscripts or ())
        if subscripts and subscripts[0] == self._apart.get(target.name):
            # The step of its own has no letter: the axis gets one.
            subscripts[0] = syntax.Subscript("_0", 0)
            self.axes[index_symbol("_0")] = quantity.axes[0]
        names = [s.name for s in subscripts]
        if None in names or any(s.offset for s in subscripts):
            raise self._no_letters(target)
        if len(set(names)) < len(names):
            raise self._no_letters(target)
        letters = iter(index_symbol(str(name)) for name in names)

        def index(axis: Axis) -> Index:
            if axis.kind == "feature" and not by_letters:
                return self.core.fresh(axis)
            return axis.index(b if axis.kind == "batch" else next(letters))

        return tuple(map(index, quantity.axes))

    @staticmethod
    def _no_letters(target: syntax.Reference) -> UserError:
        return UserError(
            f"the left side {target.name}[...] needs a letter for each axis",
            place=target.at,
            remedy="write it as n[t,i]",
        )

    def _check_free(self, terms: Terms, statement: syntax.Statement) -> None:
        """Refuse an index that is neither on the left side nor summed."""
        for term in terms:
            exprs = (term.factor, *term.bounds, *term.equals)
            used = set[sp.Symbol]().union(*(e.free_symbols for e in exprs))
            free = used & self.axes.keys() - self._left - {i.symbol for i in term.sums} - {b}
            if free:
                letter = min(symbol.name for symbol in free)
                raise UserError(
                    f"the index {letter!r} is neither on the left side nor summed",
                    place=statement.target.at,
                    remedy=f"write it on the left, or sum(..., {letter})",
                )

    # What the elaboration of expressions asks for.

    @property
    def axes(self) -> dict[sp.Symbol, Axis]:
        return self.core.axes

    def shape(self, node: syntax.Node) -> Shape:
        return self.shapes.of(node) or ()

    def read(self, node: syntax.Reference, place: Place) -> Terms:
        if not place.by_letters:
            return [self._read(node, (*self._fixed(node), *place.at))]
        return [self._read(node, () if syntax.is_index(node) else self._unit_indices(node))]

    def call(self, node: syntax.Call, place: Place) -> Terms:
        return self._functions[node.function](self, node, place)

    def axis(
        self, letter: str, _node: syntax.Summed, _conditions: syntax.Conditions, _place: Place
    ) -> Axis:
        return self.axes[index_symbol(letter)]

    @property
    def lift(self) -> Callable[[Terms, syntax.Node, str], sp.Expr]:
        return lambda terms, node, label: self.made(terms, label or self.product_name(node))

    def _read(self, node: syntax.Reference, at: At) -> Term:
        """A mention of a quantity, at unit indices (of a scalar, none of them).

        A second axis of steps has no values outside its steps: there the term is zero.
        """
        if syntax.is_index(node):
            symbol = index_symbol(node.name)
            if symbol not in self.axes:
                raise UserError(
                    f"{node.name!r} is the index of no axis here",
                    place=node.at,
                    remedy="use an index of the left side",
                )
            return Term(symbol)
        quantity = self.quantities[node.name]
        given = list(node.subscripts or ())
        subscripts: list[sp.Expr] = []
        bounds: list[sp.Expr] = []
        for position, axis in enumerate(quantity.axes):
            if axis.kind != "time":
                break
            step = self._step(given.pop(0), axis)
            subscripts.append(step)
            index = next((s for s in step.free_symbols if s in self.axes), None)
            if position and index is None and step not in (0, axis.size - 1):
                raise UserError(
                    f"{node.name!r} is read at one step of its second axis, within it",
                    place=node.at,
                    remedy="read 0 or end there",
                )
            if position and index is not None and step != index:
                bounds += [step, axis.size - 1 - step]
        if any(axis.kind == "batch" for axis in quantity.axes):
            subscripts.append(b)
        subscripts += at[: len(quantity.features)]
        return Term(quantity[subscripts], bounds=tuple(bounds))

    @staticmethod
    def _step(subscript: syntax.Subscript, axis: Axis) -> sp.Expr:
        if subscript.name == syntax.END:
            return axis.size - 1 + subscript.offset
        return (index_symbol(subscript.name) if subscript.name else 0) + sp.Integer(
            subscript.offset
        )

    def _fixed(self, node: syntax.Reference) -> list[sp.Expr]:
        """The numbers among the subscripts of units: in matrix notation they come first."""
        return [sp.Integer(s.offset) for s in self.shapes.unit_subscripts(node)]

    def _unit_indices(self, node: syntax.Reference) -> tuple[sp.Expr, ...]:
        found: list[sp.Expr] = []
        subscripts = self.shapes.unit_subscripts(node)
        for subscript, size in zip(subscripts, self.quantities[node.name].features, strict=True):
            symbol = index_symbol(subscript.name) if subscript.name else None
            length = self.axes[symbol].size if symbol else sp.Integer(1)
            reach = self.shapes.number(length) + subscript.offset
            if subscript.offset < 0 or reach > self.shapes.number(size):
                raise UserError(
                    f"a subscript of {node.name!r} leaves its {self.shapes.number(size)} units",
                    place=node.at,
                    remedy="keep it between 0 and the size less one",
                )
            found.append((symbol or 0) + sp.Integer(subscript.offset))
        return tuple(found)

    def span(self, node: syntax.Call) -> tuple[Index, tuple[sp.Expr, ...]] | None:
        """The index that a call runs over, with the bounds that a comparison puts on it."""
        letter = syntax.index_letter(node)
        if letter is None:
            return None
        symbol = index_symbol(letter.name)
        if symbol not in self.axes:
            raise UserError(
                f"{node.function} runs over {letter.name!r}, which is the index of no axis here",
                place=node.at,
                remedy=f"write {node.function}(..., s) with an index of what it sums",
            )
        limits = syntax.condition(node)
        bounds, _ = conditions_of((limits,) if limits else (), {s.name: s for s in self.axes})
        return self.axes[symbol].index(symbol), bounds

    def value_of(self, node: syntax.Node) -> sp.Expr | None:
        """The left side where this is the whole right side: it needs no detour. Else None."""
        return self._whole[1] if self._whole and node is self._whole[0] else None

    def is_on_left(self, index: Index) -> bool:
        return index.symbol in self._left

    def _live(self, terms: Terms) -> Terms:
        """The terms that are not zero everywhere, without bounds that always hold.

        Sizes of units count as the numbers that they are, lengths of time as any.
        """
        found = []
        for term in terms:
            if term.factor != 0 and not (term.bounds or term.equals):
                found.append(term)
                continue
            symbols = set[sp.Symbol]().union(*(bound.free_symbols for bound in term.bounds))
            box = tuple(self.axes[s].index(s) for s in self.axes if s in symbols)
            equals = tuple(equal for equal in term.equals if equal != 0)
            never = any(self.core.always(-bound - 1) for bound in term.bounds)
            if never or term.factor == 0 or any(equal.is_number for equal in equals):
                continue
            bounds = [bound for bound in term.bounds if not self.core.always(bound)]
            found.append(replace(term, bounds=prune(bounds, box), equals=equals))
        return found

    # Signals that the normal form makes necessary.

    def lift_unless_atomic(
        self, terms: Terms, name: str, over: Collection[sp.Symbol] = ()
    ) -> sp.Expr:
        if len(terms) == 1 and terms[0].is_pointwise:
            value = terms[0].factor
            if isinstance(value, sp.Indexed) and value.free_symbols.issuperset(over):
                return value
        return self.made(terms, name, over)

    @property
    def net_input(self) -> str:
        """The label of what the function that defines a signal is applied to."""
        return f"n_{self.local_target}"

    def made(
        self,
        terms: Terms,
        label: str,
        over: Collection[sp.Symbol] = (),
        *,
        origin: Made | None = None,
        about: str = "",
        differentiable: bool = True,
    ) -> sp.Expr:
        """A quantity of its own for these terms, read at the indices that they leave free.

        It has the indices in `over` even where no term mentions them. Without an `origin` it is a
        net input, or what it is `about`, of what is being defined.
        """
        terms = self._live(terms)
        used: set[sp.Symbol] = set(over)
        for term in terms:
            conditions = (*term.bounds, *term.equals)
            mentioned = term.factor.free_symbols.union(*(e.free_symbols for e in conditions))
            used |= mentioned - {index.symbol for index in term.sums}
        at = tuple(s for s in self.axes if s in used)
        where = tuple(e for e in self._where if used.issuperset(e.free_symbols & self.axes.keys()))
        terms = [replace(term, bounds=term.bounds + where) for term in terms]
        name = self._unique("_".join(filter(None, (label.rstrip("_"), self._layer))))
        axes = tuple(self.axes[s] for s in at)
        about = about or ("net input" if label == self.net_input else "intermediate value")
        quantity = Quantity(
            name,
            "signal",
            axes,
            f"{about} of {self.target}",
            internal=True,
            layer=self._layer,
            differentiable=differentiable,
            origin=origin or Made(about, self.target),
            local=Local(label.rstrip("_"), self._layer) if self._layer else None,
        )
        indices = tuple(self.axes[s].index(s) for s in at)
        equation = canonical(Equation(0, quantity, indices, tuple(terms)))
        key = (quantity.axes, equation.terms)
        if key not in self._lifted:
            self.quantities[name] = quantity
            self._lifted[key] = name
            self.equations.append(equation)
        return self.quantities[self._lifted[key]][at]

    def _unique(self, name: str) -> str:
        if name not in self.quantities:
            return name
        # Letters, for a number behind a name is a delay.
        letters = (
            f"{name}_{'abcdefghijklmnopqrstuvwxyz'[n % 26] * (n // 26 + 1)}"
            for n in range(1, 10**6)
        )
        return next(n for n in letters if n not in self.quantities)

    @property
    def local_target(self) -> str:
        """The short name of what is being defined; none for a cell's output."""
        if self.target == self._layer:
            return ""
        return self._local.get(self.target, self.target)

    def product_name(self, node: syntax.Node) -> str:
        """A name that says an expression: `r_h` for r[t] * h[t-1], `sum_h` for sum(h[t]).

        What is no product, or a long one, is a part of what is defined.
        """
        names = self._said(node)
        return "_".join(names) if 1 < len(names) <= 3 else f"part_{self.local_target}"

    def _said(self, node: syntax.Node) -> tuple[str, ...]:
        """The functions and factors of a product; none of what is something else."""
        match node:
            case syntax.Reference(name) if name in self.quantities:
                local = self.quantities[name].local
                short = local.name if local and local.layer == self._layer else name
                return (self._local.get(name, short),)
            case syntax.Transpose(operand):
                return self._said(operand)
            case syntax.Binary("@" | "*", left, right):
                factors = [self._said(n) for n in (left, right) if not isinstance(n, syntax.Number)]
                return tuple(itertools.chain(*factors)) if all(factors) else ()
            case syntax.Call(function, (first, *rest)) if inner := self._said(first):
                others = rest if function in syntax.OF_VECTORS else ()
                return (function, *inner, *itertools.chain(*map(self._said, others)))
        return ()


# What the functions of the language stand for, by their names.
Functions = Mapping[str, Callable[[Elaborator, syntax.Call, Place], Terms]]
