"""The losses, as equations. With y the output, d its target, N its width:

    mse                   mean over steps, batch and units of (y - d)^2
    sse                   sum over steps, batch and units of (y - d)^2
    huber                 mean over steps, batch and units of (y - d)^2 / 2 where
                          |y - d| <= delta, and delta (|y - d| - delta/2) beyond
    huber_sum             the sum of the same
    cross_entropy         mean over steps and batch of  log sum_i exp(z_i) - sum_i d_i z_i,
                          with z the logits: the net input of a softmax output, or else the
                          output itself; d sums to one over the units
    binary_cross_entropy  mean over steps, batch and units of  log(1 + exp(z)) - d z,
                          with z the net input of a sigmoid output, or else the output itself

`steps = "last"` reads the last step alone, and the mean over steps falls away; an output without
steps has no such mean to begin with. `steps = "weighted"`
multiplies the summand of each step and sequence with a given weight w[t,b] >= 0 (a mask of
zeros and ones, say) and, for means, divides by the sum of w instead of T B. `mask = "m"` does so
with the input m.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import sympy as sp

from bptt.derive.calculus.bounds import Index
from bptt.derive.calculus.canonical import canonical
from bptt.derive.calculus.primitives import huber, softplus
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
from bptt.derive.calculus.system import Equation, Loss, Term, add_quantity
from bptt.derive.description.network import SUMS, LossSpec
from bptt.derive.errors import UserError

b = index_symbol("b")


class LossBuilder:
    """Adds the quantities and equations of losses to those of a network."""

    def __init__(
        self,
        quantities: dict[str, Quantity],
        equations: list[Equation],
        unmasked: Mapping[str, tuple[str, Equation]] | None = None,
        sizes: Mapping[sp.Symbol, int] | None = None,
    ) -> None:
        """`unmasked` holds, for masked outputs, the mask and the equation without it."""
        self._quantities = quantities
        self._equations = equations
        self._unmasked = unmasked or {}
        self._sizes = dict(sizes or {})

    def build(self, specs: tuple[LossSpec, ...]) -> tuple[Loss, ...]:
        """Each loss, and their weighted sum `loss` as the last equation."""
        single = len(specs) == 1 and specs[0].weight == 1
        losses = tuple(self._loss(spec, single=single) for spec in specs)
        if not single:
            total = Quantity("loss", "loss", (), "weighted sum of the losses")
            terms = tuple(
                Term(_exact(loss.weight) * self._quantities[loss.signal][()]) for loss in losses
            )
            self._add(total, (), terms)
        return losses

    def _add(self, quantity: Quantity, indices: tuple[Index, ...], terms: tuple[Term, ...]) -> None:
        add_quantity(self._quantities, quantity)
        self._equations.append(canonical(Equation(0, quantity, indices, terms)))

    def _made(self, what: str, of: str, role: Role, axes: tuple[Axis, ...], about: str) -> Quantity:
        """A quantity that a loss needs, with a name that no other has."""
        origin = Made(what, of)
        found = make(origin, role, axes, about, self._quantities)
        return replace(found, differentiable=role not in ("target", "weight"))

    def _loss(self, spec: LossSpec, *, single: bool) -> Loss:
        output = self._quantities[spec.output]
        definition = self._definition(spec)
        indices = definition.indices
        unit = indices[-1]
        time = next((i for i in indices if i.kind == "time"), None)
        last = spec.steps == "last"
        axes = output.axes[1:] if last else output.axes
        target = self._made("target", spec.output, "target", axes, f"target of {spec.output}")
        add_quantity(self._quantities, target)
        at_target = target[[i.symbol for i in indices if not (last and i.kind == "time")]]

        per_unit, per_step, classes = self._summands(spec, definition, at_target, unit)
        scale = self._scale(spec, output, time, unit, per_unit_mean=not per_step)
        terms = []
        steps = (time,) if time is not None and not last else ()
        for summand, over in (*((s, (unit,)) for s in per_unit), *((s, ()) for s in per_step)):
            factor = scale * summand
            if last and time is not None:
                factor = factor.xreplace({time.symbol: time.high})
            terms.append(Term(factor, (*steps, BATCH.index(b), *over)))
        about = f"{spec.kind} of {spec.output}"
        signal = (
            Quantity("loss", "loss", (), about)
            if single
            else self._made("loss", spec.output, "loss", (), about)
        )
        self._add(signal, (), tuple(terms))
        weights = spec.mask or ""
        if spec.steps == "weighted" and not spec.mask:
            weights = self._by_origin("weight", spec.output)
        return Loss(
            spec.output,
            spec.kind,
            signal.name,
            spec.weight,
            spec.steps,
            formula(spec, target.name, weights),
            classes,
            weights,
            target.name,
        )

    def _by_origin(self, what: str, of: str) -> str:
        return next(q.name for q in self._quantities.values() if q.origin == Made(what, of))

    def _definition(self, spec: LossSpec) -> Equation:
        """The equation of what is judged: where logits are, without the mask of its layer."""
        definition = next(e for e in self._equations if e.quantity.name == spec.output)
        if spec.output not in self._unmasked or "cross_entropy" not in spec.kind:
            return definition
        mask, plain = self._unmasked[spec.output]
        if spec.mask != mask:
            raise UserError(
                f"{spec.kind} on a layer that is masked, at steps where it may be",
                place=f"loss.{spec.output}",
                remedy=f"judge the steps that the mask keeps: add mask = {mask!r}",
            )
        return replace(plain, quantity=self._quantities[spec.output])

    def _summands(
        self, spec: LossSpec, definition: Equation, target: sp.Expr, unit: Index
    ) -> tuple[list[sp.Expr], list[sp.Expr], bool]:
        """What is summed over units, what is summed over steps alone, and whether by class."""
        y = definition.lhs
        match spec.kind:
            case "mse" | "sse":
                return [(y - target) ** 2], [], False
            case "huber" | "huber_sum":
                return [huber(y - target, _exact(spec.delta))], [], False
            case "binary_cross_entropy":
                z = self._net_input(definition, "sigmoid", spec)
                return [softplus(z), -target * z], [], False
            case _:
                if unit.length.is_Symbol and self._sizes.get(unit.length) == 1:
                    raise UserError(
                        "cross_entropy of an output of one unit is always zero",
                        place=f"loss.{spec.output}",
                        remedy="use binary_cross_entropy, or more units",
                    )
                z, total = self._logits(definition, spec, unit)
                return [-target * z], [total], True

    def _scale(
        self,
        spec: LossSpec,
        output: Quantity,
        time: Index | None,
        unit: Index,
        *,
        per_unit_mean: bool,
    ) -> sp.Expr:
        """The weight of a step divided by what the mean counts."""
        is_mean = spec.kind not in SUMS
        count: sp.Expr = unit.length if per_unit_mean and is_mean else sp.Integer(1)
        if spec.steps != "weighted" and spec.mask is None:
            is_one = time is None or spec.steps == "last"
            steps = sp.Integer(1) if time is None or is_one else Count.of(time.length)
            return 1 / (count * B * steps) if is_mean else sp.Integer(1)
        assert time is not None
        if spec.mask is not None:
            weight = self._quantities[spec.mask]
            if weight.axes[0] != output.axes[0]:
                raise UserError(
                    f"{spec.output!r} runs along other steps than its mask {spec.mask!r}",
                    place=f"loss.{spec.output}.mask",
                    remedy="give the mask the output's axis",
                )
        else:
            about = f"weight of each step of {spec.output}"
            weight = self._made("weight", spec.output, "weight", output.axes[:2], about)
            add_quantity(self._quantities, weight)
        symbols = {"time": time.symbol, "batch": b}
        at = weight[[symbols[axis.kind] for axis in weight.axes]]
        if not is_mean:
            return at
        made = self._made("total weight", spec.output, "signal", (), f"sum of {weight.name}")
        total = replace(made, internal=True)
        sums = (time, BATCH.index(b))
        self._add(total, (), (Term(at, sums),))
        return at / (count * total[()])

    def _logits(self, definition: Equation, spec: LossSpec, unit: Index) -> tuple[sp.Expr, sp.Expr]:
        """The logits, and the logarithm of the sum of their exponentials."""
        found = self._softmax_parts(definition)
        if found is not None:
            return found
        _refuse_other_activation(definition, spec, "softmax")
        about = f"logarithm of the sum of exponentials of {spec.output}"
        axes = definition.quantity.axes[:-1]
        made = self._made("logsumexp", spec.output, "signal", axes, about)
        total = replace(made, internal=True, layer=definition.quantity.layer)
        others = definition.indices[:-1]
        self._add(total, others, (Term(definition.lhs, (unit,), reduction=LOGSUMEXP),))
        return definition.lhs, total[[i.symbol for i in others]]

    def _softmax_parts(self, definition: Equation) -> tuple[sp.Expr, sp.Expr] | None:
        """(z, L) where the definition is exp(z - L) or z - L, and L a logsumexp of z."""
        if len(definition.terms) != 1 or not definition.terms[0].is_pointwise:
            return None
        value = definition.terms[0].factor
        exponent = value.args[0] if isinstance(value, sp.exp) else value
        totals = {e.quantity.name for e in self._equations if e.terms[0].reduction is LOGSUMEXP}
        for read in exponent.atoms(sp.Indexed):
            rest = exponent + read
            if str(read.base.label) in totals and isinstance(rest, sp.Indexed):
                return rest, read
        return None

    def _net_input(self, definition: Equation, activation: str, spec: LossSpec) -> sp.Expr:
        """What an activation is applied to, as a signal: what a loss judges is one."""
        terms = definition.terms
        if len(terms) == 1 and terms[0].is_pointwise:
            factor = terms[0].factor
            if type(factor).__name__ == activation:
                z = factor.args[0]
                is_read = isinstance(z, sp.Indexed)
                if is_read and self._quantities[str(z.base.label)].role == "signal":
                    return z
                return self._lifted(definition, z)
        _refuse_other_activation(definition, spec, activation)
        return definition.lhs

    def _lifted(self, definition: Equation, value: sp.Expr) -> sp.Expr:
        """A net input as a signal of its own, which the output's equation reads from then on."""
        output = definition.quantity
        about = f"net input of {output.name}"
        made = self._made("net input", output.name, "signal", output.axes, about)
        net = replace(made, internal=True, layer=output.layer)
        self._quantities[net.name] = net
        read = net[[i.symbol for i in definition.indices]]
        equation = canonical(Equation(0, net, definition.indices, (Term(value),)))
        for place, known in enumerate(self._equations):
            if known == definition:
                factor = definition.terms[0].factor.func(read)
                self._equations[place : place + 1] = [
                    equation,
                    replace(definition, terms=(Term(factor),)),
                ]
                return read
        self._equations.append(equation)
        return read


def _refuse_other_activation(definition: Equation, spec: LossSpec, wanted: str) -> None:
    factor = definition.terms[0].factor if definition.terms else sp.Integer(0)
    if len(definition.terms) == 1 and isinstance(factor, sp.Function):
        is_softmax = isinstance(factor, sp.exp)
        activation = "softmax" if is_softmax else type(factor).__name__
        raise UserError(
            f"{spec.kind} on an output that goes through {activation}",
            place=f"loss.{spec.output}",
            remedy=f"give {spec.output!r} the activation {wanted} or linear",
        )


def _exact(value: float) -> sp.Expr:
    rational = sp.Rational(str(value)) if value == value else sp.nan
    return rational if rational.q <= 1000 else sp.Float(value)


def formula(spec: LossSpec, target: str, weights: str) -> str:
    """The exact formula of a loss, in plain text, with the names of its target and weights."""
    y, d, w = spec.output, target, weights
    where = f"logits z of {y}"
    huber_summand = f"huber({y} - {d}, {spec.delta:g})"
    summand = {
        "mse": f"({y} - {d})^2",
        "sse": f"({y} - {d})^2",
        "huber": huber_summand,
        "huber_sum": huber_summand,
        "binary_cross_entropy": f"log(1 + exp(z)) - {d} z, {where}",
        "cross_entropy": f"log sum_i exp(z_i) - sum_i {d}_i z_i, {where}",
    }[spec.kind]
    units = "" if spec.kind == "cross_entropy" else " and units"
    verb = "sum" if spec.kind in SUMS else "mean"
    match "weighted" if spec.mask else spec.steps:
        case "all":
            over = f"{verb} over steps, sequences{units} of"
        case "last":
            over = f"{verb} over sequences{units}, at the last step, of"
        case _:
            over = f"{verb} over steps, sequences{units}, weighted by {w}[t,b], of"
    return f"{over} {summand}"
