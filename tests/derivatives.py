"""Every derivative that a module can have, judged by each other and by what nobody derived."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from bptt.codegen.emit import module_source
from bptt.codegen.extras import possible_extras
from bptt.derive import System, adjoint
from tests.judge import moderate_example
from tests.numeric import Arrays, Example, load_module, relative

CLOSE = 1e-10
DOT = 1e-12
TINY = 1e-30


class Judge:
    """One network with all its extras, at one random example."""

    def __init__(self, system: System, seed: int, *, steps: int | None = None) -> None:
        self.system, self.seed = system, seed
        self.extras = possible_extras(adjoint(system))
        self.module: Any = load_module(module_source(adjoint(system), self.extras))
        if steps is None:
            self.example = moderate_example(self.module, seed)
        else:
            self.example = Example(self.module, seed, steps, 2, 0.3)
        rng = np.random.default_rng(seed + 1)
        self.vector = self._like(self.example.parameters, rng)
        self.other = self._like(self.example.parameters, rng)
        self.loss, self.gradients = self.module.loss_and_gradients(*self.example.arguments)

    @staticmethod
    def _like(arrays: Arrays, rng: np.random.Generator) -> Arrays:
        return {n: rng.standard_normal(a.shape) for n, a in arrays.items()}

    def errors(self) -> Iterator[tuple[str, float, float]]:
        """What was compared, its error, and what is allowed."""
        with np.errstate(all="ignore"):
            for name in self.extras:
                yield from getattr(self, name)()

    def _forward(self, example: Example, parameters: Arrays | None = None) -> Arrays:
        given = (parameters or example.parameters, example.inputs, example.initial)
        return dict(self.module.forward(*given, **example.free))

    def jvp(self) -> Iterator[tuple[str, float, float]]:
        example = self.example
        rng = np.random.default_rng(self.seed + 2)
        masks = self.module.MASKS
        moving = {n: a for n, a in example.inputs.items() if n not in masks}
        inputs = self._like(moving, rng)
        known = self.module._INITIAL_GRADIENTS
        starts = {n: a for n, a in example.initial.items() if n in known}
        initial = self._like(starts, rng)
        directions = {**self.vector, **inputs}
        directions |= {f"initial_{n}": a for n, a in initial.items()}
        found = self.module.jvp(
            example.parameters, example.inputs, directions, example.initial, **example.free
        )
        moved = self.module.forward(
            _moved(example.parameters, self.vector),
            {**example.inputs, **_moved(moving, inputs)},
            {**example.initial, **_moved(starts, initial)},
            **example.free,
        )
        for name, array in found.items():
            yield f"jvp {name}", relative(array, moved[name].imag / TINY, 1e-3), CLOSE

    def residuals(self) -> Iterator[tuple[str, float, float]]:
        """Their squares add up to the loss; the gradient is twice they times their derivatives."""
        for mode in ("forward", "backward"):
            found, jacobian = self.module.residuals_and_jacobian(*self.example.arguments, mode)
            total = sum(float(np.sum(r * r)) for r in found.values())
            yield f"residuals {mode}", relative(total, self.loss), CLOSE
            largest = max(float(np.abs(g).max(initial=0)) for g in self.gradients.values())
            for name, gradient in self.gradients.items():
                products = (np.tensordot(r, jacobian[of][name], r.ndim) for of, r in found.items())
                error = relative(2 * sum(products), gradient, max(1e-3 * largest, 1e-2 * self.loss))
                yield f"residuals {mode} by {name}", error, CLOSE

    def jacobian(self) -> Iterator[tuple[str, float, float]]:
        example, module = self.example, self.module
        given = (example.parameters, example.inputs, example.initial)
        forth, back = (
            module.jacobian(*given, mode, **example.free) for mode in ("forward", "backward")
        )
        directions = dict(self.vector)
        tangents = module.jvp(
            example.parameters, example.inputs, directions, example.initial, **example.free
        )
        rng = np.random.default_rng(self.seed + 3)
        for output, found in back.items():
            scale = max(float(np.abs(a).max(initial=0)) for a in found.values())
            for name, array in found.items():
                error = relative(forth[output][name], array, 1e-3 * scale)
                yield f"jacobian {output} by {name}", error, CLOSE
            if output not in tangents:
                continue
            weight = rng.standard_normal(tangents[output].shape)
            products = [
                _dot(weight, np.tensordot(array, self.vector[n], array.ndim - weight.ndim))
                for n, array in found.items()
            ]
            size = np.linalg.norm(weight) * np.linalg.norm(tangents[output])
            ours, theirs = _dot(weight, tangents[output]), sum(products)
            yield f"dot test of {output}", abs(ours - theirs) / (size or 1.0), DOT

    def hvp(self) -> Iterator[tuple[str, float, float]]:
        example, module = self.example, self.module
        parameters, *rest = example.arguments
        hv = module.hessian_vector(*example.arguments[:3], self.vector, *example.arguments[3:])
        hu = module.hessian_vector(*example.arguments[:3], self.other, *example.arguments[3:])
        _, moved = module.loss_and_gradients(_moved(parameters, self.vector), *rest)
        scale = max(
            1e-3 * max(float(np.abs(a).max(initial=0)) for a in hv.values()),
            1e-4 * max(float(np.abs(a).max(initial=0)) for a in self.gradients.values()),
        )
        for name, array in hv.items():
            error = relative(array, moved[name].imag / TINY, scale)
            yield f"hessian product {name}", error, CLOSE
        yield "hessian symmetric", self._asymmetry(hv, hu), CLOSE

    def _asymmetry(self, ours: Arrays, theirs: Arrays) -> float:
        left, right = _inner(self.other, ours), _inner(self.vector, theirs)
        norms = [np.sqrt(_inner(a, a)) for a in (self.other, ours, self.vector, theirs)]
        return abs(left - right) / (max(norms[0] * norms[1], norms[2] * norms[3]) or 1.0)

    def gnvp(self) -> Iterator[tuple[str, float, float]]:
        example, module = self.example, self.module
        product = module.gauss_newton_vector
        gv = product(*example.arguments[:3], self.vector, *example.arguments[3:])
        gu = product(*example.arguments[:3], self.other, *example.arguments[3:])
        yield "gauss-newton symmetric", self._asymmetry(gv, gu), CLOSE
        size = _inner(self.vector, self.vector)
        yield "gauss-newton not negative", max(-_inner(self.vector, gv) / size, 0.0), CLOSE
        expected = self._gauss_newton_by_targets()
        if expected is not None:
            scale = 1e-3 * max(float(np.abs(a).max(initial=0)) for a in gv.values())
            for name, array in gv.items():
                error = relative(array, expected[name], scale)
                yield f"gauss-newton product {name}", error, CLOSE

    def _gauss_newton_by_targets(self) -> Mapping[str, Any] | None:
        """G v as a gradient: where its loss's derivative by the output is what H J v is.

        For squares and for matching activations the derivative by what is judged is a multiple
        of y - target, and H J v the same multiple of J v: so target = y - J v.
        """
        if not all(_is_matching(self.system, x) for x in self.system.losses):
            return None
        example, module = self.example, self.module
        signals = self._forward(example)
        tangents = module.jvp(
            *(example.parameters, example.inputs, dict(self.vector), example.initial),
            **example.free,
        )
        targets = {}
        for loss in self.system.losses:
            y = signals[loss.output]
            jv = tangents.get(loss.output, np.zeros_like(y))
            targets[loss.output] = (y - jv)[-1] if loss.steps == "last" else y - jv
        arguments = list(example.arguments)
        arguments[2] = targets
        return dict(module.loss_and_gradients(*arguments)[1])

    def _same(self, what: str, found: tuple[Any, Arrays]) -> Iterator[tuple[str, float, float]]:
        loss, gradients = found
        yield f"{what} loss", abs(loss - self.loss) / max(abs(self.loss), 1e-3), CLOSE
        largest = max(float(np.abs(a).max(initial=0)) for a in self.gradients.values())
        floor = max(1e-3 * largest, 1e-2 * abs(self.loss))
        for name, array in gradients.items():
            yield f"{what} {name}", relative(array, self.gradients[name], floor), CLOSE

    def rtrl(self) -> Iterator[tuple[str, float, float]]:
        yield from self._same("rtrl", self.module.rtrl(*self.example.arguments))

    def checkpoints(self) -> Iterator[tuple[str, float, float]]:
        for segment in (None, 1, 3, 100):
            found = self.module.checkpointed_loss_and_gradients(
                *self.example.arguments, segment=segment
            )
            yield from self._same(f"checkpoints {segment}", found)

    def truncated(self) -> Iterator[tuple[str, float, float]]:
        arguments = list(self.example.arguments)
        for k1 in (1, 2, 5):
            found = self.module.truncated_loss_and_gradients(
                *arguments[:3], k1, 1000, *arguments[3:]
            )
            yield from self._same(f"truncated {k1}", found)
        loss, _ = self.module.truncated_loss_and_gradients(*arguments[:3], 1, 2, *arguments[3:])
        yield "truncated 1, 2 loss", abs(loss - self.loss) / max(abs(self.loss), 1e-3), CLOSE

    def carry(self) -> Iterator[tuple[str, float, float]]:
        """The gradients are those of the chunk; chunk by chunk states go on."""
        example = self.example
        parameters, inputs, targets, initial, weights = example.arguments
        found = self.module.carried_loss_and_gradients(
            parameters, initial, inputs, targets, weights
        )
        yield from self._same("carry", found[:2])
        state = initial
        signals = self._forward(example)
        for start in range(0, example.steps, 2):
            chunk = [
                {n: a[start : start + 2] if shapes[n][0] == "T" else a for n, a in arrays.items()}
                for arrays, shapes in (
                    (inputs, self.module.INPUTS),
                    (targets, self.module.TARGETS),
                    (weights, self.module.WEIGHTED),
                )
            ]
            if any(not np.any(w) for w in chunk[2].values()):
                return
            *_, state = self.module.carried_loss_and_gradients(parameters, state, *chunk)
            at = min(start + 2, example.steps)
            for name in signals.keys() & state.keys():
                rows = np.concatenate([initial[name], signals[name][:at]])[-len(state[name]) :]
                yield f"carry {name}", relative(state[name], rows, 1e-3), CLOSE

    def step(self) -> Iterator[tuple[str, float, float]]:
        example = self.example
        signals, state = self._forward(example), dict(example.initial)
        rows: dict[str, list[Any]] = {}
        for t in range(example.steps):
            inputs = {
                n: a[t] if self.module.INPUTS[n][0] == "T" else a for n, a in example.inputs.items()
            }
            found, state = self.module.step(example.parameters, state, inputs)
            for name, row in found.items():
                rows.setdefault(name, []).append(row)
        for name, array in signals.items():
            timed = self.system.quantities[name].time_axis is not None
            ours = np.array(rows[name]) if timed else rows[name][-1]
            yield f"step {name}", relative(ours, array, 1e-3), CLOSE


def _is_matching(system: System, loss: Any) -> bool:
    """Whether the loss's derivative by what it judges is a multiple of y - target."""
    if loss.kind in ("mse", "sse"):
        return True
    activation = {"cross_entropy": "exp", "binary_cross_entropy": "sigmoid"}.get(loss.kind)
    terms = system.definitions[loss.output].terms
    return len(terms) == 1 and type(terms[0].factor).__name__ == activation


def _moved(arrays: Arrays, direction: Arrays) -> Arrays:
    return {n: a + 1j * TINY * direction[n] for n, a in arrays.items()}


def _dot(a: Any, b: Any) -> float:
    return float(np.sum(a * b))


def _inner(a: Arrays, b: Arrays) -> float:
    return sum(_dot(array, b[n]) for n, array in a.items())
