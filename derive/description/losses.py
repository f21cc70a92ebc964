"""Losses as equations: what a formula says of one step, weighted and summed or averaged.

`losses.toml` has those that ship with the project; a file may define its own. In a formula y is
the output and d its target, at the step at hand; `y[t-1]` is the step before, and whatever else
the network defines may be mentioned too. A mean is over steps, sequences and, where the formula
is a vector, units. `steps = "last"` judges the last step alone, and there is no mean over steps
then, nor for an output without steps. `steps = "weighted"` multiplies what each step and sequence
adds with a given weight w[t,b] >= 0 and, for means, divides by the sum of w in place of T B;
`mask = "m"` does so with the input m.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.bounds import substitute
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.logarithms import (
    multiplied_out,
    value_of,
    with_unit_sum,
    without_exponentials,
)
from bptt.derive.calculus.primitives import sigmoid
from bptt.derive.calculus.quantity import (
    BATCH,
    Axis,
    B,
    Count,
    Made,
    Quantity,
    Role,
    index_symbol,
    make,
)
from bptt.derive.calculus.reductions import LOGSUMEXP
from bptt.derive.calculus.system import Equation, Loss, Term, add_quantity, name_of, reads
from bptt.derive.description.formula import (
    NOW,
    OUTPUT,
    TARGET,
    Judged,
    about_network,
    in_words,
    is_of_differences,
)
from bptt.derive.description.network import LossKind, LossSpec
from bptt.derive.errors import UserError
from bptt.derive.language.elaborate import Elaborator
from bptt.derive.language.letters import typed
from bptt.derive.language.parser import parse_expression
from bptt.derive.language.shapes import Shapes, Sizes
from bptt.derive.language.shorthands import SHORTHANDS, check_functions
from bptt.derive.language.syntax import (
    Reference,
    Statement,
    Subscript,
    uses_index_notation,
)

b = index_symbol("b")


class LossBuilder:
    """Adds the quantities and equations of losses to those of a network."""

    def __init__(
        self,
        quantities: dict[str, Quantity],
        equations: list[Equation],
        kinds: Mapping[str, LossKind],
        sizes: Sizes,
        unmasked: Mapping[str, tuple[str, Equation]],
    ) -> None:
        """`unmasked` holds, for masked outputs, the mask and the equation without it."""
        self._quantities = quantities
        self._equations = equations
        self._kinds = kinds
        self._sizes = sizes
        self._unmasked = unmasked

    def build(self, specs: tuple[LossSpec, ...]) -> tuple[Loss, ...]:
        """Each loss, and their weighted sum `loss` as the last equation."""
        single = len(specs) == 1 and specs[0].weight == 1
        losses = tuple(self._loss(spec, single=single) for spec in specs)
        if not single:
            total = Quantity("loss", "loss", (), "weighted sum of the losses")
            terms = tuple(
                Term(_exact(loss.weight) * self._quantities[loss.signal][()]) for loss in losses
            )
            self._add(Equation(0, total, (), terms))
        return losses

    def _add(self, equation: Equation) -> None:
        add_quantity(self._quantities, equation.quantity)
        self._equations.append(canonical(equation))

    def _made(self, what: str, of: str, role: Role, axes: tuple[Axis, ...], about: str) -> Quantity:
        """A quantity that a loss needs, with a name that no other has; one that is there is it."""
        origin = Made(what, of)
        known = next((q for q in self._quantities.values() if q.origin == origin), None)
        found = known or make(origin, role, axes, about, self._quantities)
        return replace(found, differentiable=role not in ("target", "weight"))

    def _loss(self, spec: LossSpec, *, single: bool) -> Loss:
        judged = self._judged(spec)
        try:
            terms, summand = self._summands(judged)
        except UserError as error:
            raise error.located(place=f"losses.{spec.kind}.formula") from None
        scale, weights = self._scale(judged, summand)
        now = {i.symbol: i.high for i in summand.indices if i.kind == "time" and judged.is_last}
        over = tuple(i for i in summand.indices if i.symbol not in now)
        weighed = [
            replace(
                term,
                factor=(scale * term.factor).xreplace(now),
                sums=(*over, *term.sums),
                bounds=substitute(term.bounds, now),
                equals=substitute(term.equals, now),
            )
            for term in terms
        ]
        if judged.kind.classes:
            weighed = [with_unit_sum(term, judged.target.name) for term in weighed]
        about = f"{spec.kind} of {spec.output}"
        signal = Quantity("loss", "loss", (), about)
        if not single:
            signal = self._value(spec, about)
        self._add(Equation(0, signal, (), tuple(weighed)))
        return Loss(
            output=spec.output,
            kind=spec.kind,
            signal=signal.name,
            weight=spec.weight,
            steps=spec.steps,
            formula=in_words(judged, weights, has_units=any(i.kind == "feature" for i in over)),
            by_class=judged.kind.classes,
            weights=weights,
            target=judged.target.name,
            of_differences=is_of_differences(terms, judged),
        )

    def _value(self, spec: LossSpec, about: str) -> Quantity:
        """The value of one of several losses; of several of one output each has its kind too."""
        known = any(q.origin == Made("loss", spec.output) for q in self._quantities.values())
        what = f"{spec.kind} loss" if known else "loss"
        return self._made(what, spec.output, "loss", (), about)

    def _judged(self, spec: LossSpec) -> Judged:
        kind = self._kinds[spec.kind]
        output = self._quantities[spec.output]
        axes = output.axes[1:] if spec.steps == "last" else output.axes
        about = f"target of {spec.output}"
        target = self._made("target", spec.output, "target", axes, about)
        if target.axes != axes:
            raise UserError(
                "of two losses of one output, one judges the last step alone",
                place=f"loss.{spec.output}",
                remedy="judge the same steps, or let another signal copy the output",
            )
        self._quantities[target.name] = target
        definition = self._definition(spec, kind)
        is_through = not kind.activation or self._goes_through(definition, kind)
        applied = "" if is_through else kind.activation
        return Judged(spec, kind, output, target, definition, applied)

    # What is summed.

    def _summands(self, judged: Judged) -> tuple[list[Term], Equation]:
        """The terms of one step, and the equation that they are the right side of."""
        output, steps = judged.output, judged.steps
        left = Reference("", (Subscript(NOW, 0),) if steps else None, "")
        written = Statement(left, parse_expression(judged.kind.formula))
        counts = {**self._step_counts, **dict.fromkeys(("", OUTPUT, TARGET), int(bool(steps)))}
        (statement,) = typed((written,), counts)
        node = about_network(judged, statement.expression, self._quantities)
        statement = replace(statement, expression=node)
        if uses_index_notation(statement):
            raise UserError("a loss in index notation", remedy="write it in matrix notation")
        check_functions((statement,))
        shapes = self._shapes()
        shape = shapes.of(node, output.features)
        if shape is None or shape not in ((), output.features):
            raise UserError(
                f"the loss is no number, and no number for each unit of {output.name!r}",
                remedy="sum over units: sum(...)",
            )
        axes = tuple(a for a in output.axes if a.kind != "feature")
        axes += tuple(Axis("feature", size) for size in shape)
        # A name that no user can choose: nothing keeps it.
        quantities = {**self._quantities, "": Quantity("", "signal", axes)}
        short = {"": "" if output.layer else output.name}
        elaborator = Elaborator(quantities, shapes, SHORTHANDS, local=short, layer=output.layer)
        elaborator.define(0, statement, {NOW: steps} if steps else {})
        *lifted, summand = elaborator.equations
        definitions = {e.quantity.name: e for e in (*self._equations, *lifted)}
        definitions[output.name] = judged.definition
        terms = [
            replace(t, factor=without_exponentials(t.factor, definitions)) for t in summand.terms
        ]
        if terms != list(summand.terms):
            terms = multiplied_out(terms, quantities)
        self._keep(terms, lifted, output)
        return terms, summand

    def _shapes(self) -> Shapes:
        known = {name: q.features for name, q in self._quantities.items()}
        return Shapes(known, self._sizes, self._step_counts)

    @property
    def _step_counts(self) -> dict[str, int]:
        """How many axes of steps each quantity has."""
        return {
            name: sum(axis.kind == "time" for axis in q.axes)
            for name, q in self._quantities.items()
        }

    def _keep(self, terms: list[Term], lifted: list[Equation], output: Quantity) -> None:
        """Add those of the lifted equations that the terms need."""
        needed = {name_of(read) for term in terms for read in term.reads()}
        kept: list[Equation] = []
        for equation in reversed(lifted):
            origin = equation.quantity.origin
            ties = isinstance(origin, Made) and origin.what == "ties" and origin.of in needed
            if ties or equation.quantity.name in needed:
                needed |= equation.needs
                kept.insert(0, equation)
        for equation in kept:
            quantity, origin = equation.quantity, equation.quantity.origin
            if isinstance(origin, Made) and not origin.of:
                # What is made for a loss is made of the output that it judges.
                about = f"{quantity.about}{output.name}"
                quantity = replace(quantity, about=about, origin=replace(origin, of=output.name))
            self._add(replace(equation, quantity=quantity))

    def _scale(self, judged: Judged, summand: Equation) -> tuple[sp.Expr, str]:
        """The weight of a step divided by what the mean counts, and the name of the weight."""
        is_mean = judged.kind.over == "mean"
        units = [i.length for i in summand.indices if i.kind == "feature"]
        time = next((i for i in summand.indices if i.kind == "time"), None)
        weight = self._weight(judged)
        if weight is None:
            steps = Count.of(time.length) if time is not None and not judged.is_last else 1
            return (1 / (sp.Mul(*units) * B * steps) if is_mean else sp.Integer(1)), ""
        assert time is not None
        symbols = {"time": time.symbol, "batch": b}
        at = weight[[symbols[axis.kind] for axis in weight.axes]]
        if not is_mean:
            return at, weight.name
        what = "total weight"
        made = self._made(what, judged.spec.output, "signal", (), f"sum of {weight.name}")
        total = replace(made, internal=True)
        if total.name not in self._quantities:
            self._add(Equation(0, total, (), (Term(at, (time, BATCH.index(b))),)))
        return at / (sp.Mul(*units) * total[()]), weight.name

    def _weight(self, judged: Judged) -> Quantity | None:
        """What weighs the steps: a mask, or weights that are given."""
        spec, output = judged.spec, judged.output
        if spec.mask is not None:
            mask = self._quantities[spec.mask]
            if mask.axes[0] != output.axes[0]:
                raise UserError(
                    f"{spec.output!r} runs along other steps than its mask {spec.mask!r}",
                    place=f"loss.{spec.output}.mask",
                    remedy="give the mask the output's axis",
                )
            return mask
        if spec.steps != "weighted":
            return None
        about = f"weight of each step of {spec.output}"
        weight = self._made("weight", spec.output, "weight", output.axes[:2], about)
        self._quantities[weight.name] = weight
        return weight

    # What defines an output.

    def _definition(self, spec: LossSpec, kind: LossKind) -> Equation:
        """The equation of what is judged: where its form counts, without the mask of its layer."""
        definition = next(e for e in self._equations if e.quantity.name == spec.output)
        if not kind.activation:
            return definition
        if spec.output in self._unmasked:
            mask, plain = self._unmasked[spec.output]
            if spec.mask != mask:
                raise UserError(
                    f"{spec.kind} on a layer that is masked, at steps where it may be",
                    place=f"loss.{spec.output}",
                    remedy=f"judge the steps that the mask keeps: add mask = {mask!r}",
                )
            definition = replace(plain, quantity=self._quantities[spec.output])
        return self._with_net_input(definition)

    def _with_net_input(self, definition: Equation) -> Equation:
        """The definition as a function of a signal, so that what a loss judges is one."""
        value = value_of(definition.lhs, {definition.quantity.name: definition})
        if not isinstance(value, sigmoid) or self._is_signal(value.args[0]):
            return definition
        output = definition.quantity
        about = f"net input of {output.name}"
        # Not the net input that the output's equation may have already.
        origin = Made("net input", output.name)
        made = make(origin, "signal", output.axes, about, self._quantities)
        net = replace(made, internal=True, layer=output.layer)
        self._quantities[net.name] = net
        read = net[[i.symbol for i in definition.indices]]
        inner = canonical(Equation(0, net, definition.indices, (Term(value.args[0]),)))
        outer = replace(definition, terms=(Term(sigmoid(read)),))
        for place, known in enumerate(self._equations):
            if known == definition:
                self._equations[place : place + 1] = [inner, outer]
                return outer
        self._equations.append(inner)
        return outer

    def _is_signal(self, value: sp.Expr) -> bool:
        return isinstance(value, sp.Indexed) and self._quantities[name_of(value)].role == "signal"

    def _goes_through(self, definition: Equation, kind: LossKind) -> bool:
        """Whether an output is a value of the activation that its loss needs, by its form."""
        value = value_of(definition.lhs, {definition.quantity.name: definition})
        if not kind.activation or not isinstance(value, sp.Function):
            return False
        if kind.activation == "softmax":
            totals = {
                e.quantity.name
                for e in self._equations
                if any(t.reduction is LOGSUMEXP for t in e.terms)
            }
            is_through = isinstance(value, sp.exp) and any(
                name_of(r) in totals for r in reads(value)
            )
        else:
            is_through = type(value).__name__ == kind.activation
        if not is_through:
            raise UserError(
                f"{kind.name} on an output that goes through {type(value).__name__}",
                place=f"loss.{definition.quantity.name}",
                remedy=f"give {definition.quantity.name!r} the activation {kind.activation}"
                " or linear",
            )
        return True


def _exact(value: float) -> sp.Expr:
    rational = sp.Rational(str(value)) if value == value else sp.nan
    return rational if rational.q <= 1000 else sp.Float(value)
