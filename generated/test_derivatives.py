"""Proves the gradients of derivatives.py: every one against complex step.

Run it with pytest, or as a program; it needs NumPy and derivatives.py beside it.
"""

import sys

import numpy as np

try:
    import derivatives as network
except ModuleNotFoundError as error:
    sys.exit(f"{error}: put derivatives.py beside this file")

ANALYTIC = True
TOLERANCE = 1e-10 if ANALYTIC else 1e-6
STEPS = (1, 4,)
ELEMENTS = 24
# A gradient that is a sum that cancels has the rounding of its summands, and float32's rounding is
# 2^29 times as large: a hundred times what it shows is let pass.
ROUNDING = 100 * 2.0**-29 / TOLERANCE


def example(seed, steps, batch):
    """Random arguments of loss_and_gradients, and what is differentiated, by gradient's name."""
    rng = np.random.default_rng(seed)
    # Small enough that no unit saturates, where a derivative has no digits left.
    scales = {n: 1 / np.sqrt(max((2.0, *s))) for n, s in network.PARAMETERS.items()}
    parameters = {n: scales[n] * rng.standard_normal(s) for n, s in network.PARAMETERS.items()}
    sizes = {"B": batch, **{name: steps + n for n, name in enumerate(network.LENGTHS)}}

    def shaped(shapes):
        return {name: tuple(sizes.get(n, n) for n in shape) for name, shape in shapes.items()}

    inputs = {n: rng.standard_normal(shape) for n, shape in shaped(network.INPUTS).items()}
    for name in network.MASKS:
        inputs[name] = (rng.random(inputs[name].shape) < 0.7).astype(float)
        inputs[name].flat[0] = 1.0
    initial = {n: rng.standard_normal(shape) for n, shape in shaped(network.INITIAL).items()}
    targets = {}
    for name, shape in shaped(network.TARGETS).items():
        if name in network.CLASSES:
            targets[name] = rng.integers(shape[-1], size=shape[:-1])
        else:
            targets[name] = rng.standard_normal(shape)
    weights = {n: rng.uniform(0.1, 1.0, shape) for n, shape in shaped(network.WEIGHTED).items()}
    return parameters, inputs, targets, initial, weights


def every_gradient(arguments):
    """The loss, with its gradients by all that it has one by."""
    return network.loss_and_gradients(*arguments, wrt=("parameters", "inputs", "initial"))


def in_float32(arguments):
    """The same arguments with fewer digits."""
    return [
        {n: a.astype(np.float32) if a.dtype.kind == "f" else a for n, a in group.items()}
        for group in arguments
    ]


def numerical(arguments, name, direction):
    """Candidates for the derivative of the loss along a direction in one array."""
    parameters, inputs, targets, initial, weights = arguments
    groups = [dict(parameters), dict(inputs), dict(initial)]
    if name.startswith("initial_") and name.removeprefix("initial_") in initial:
        group, key = groups[2], name.removeprefix("initial_")
    else:
        group, key = (groups[0] if name in parameters else groups[1]), name
    start = group[key]

    def value(step):
        group[key] = start + step * direction
        return network.loss(groups[0], groups[1], targets, groups[2], weights)

    if ANALYTIC:
        return [value(1e-30j).imag / 1e-30]
    # A difference across a kink says nothing: smaller steps cross fewer, and round more.
    wide = [
        (8 * (value(h) - value(-h)) - value(2 * h) + value(-2 * h)) / (12 * h)
        for h in (1e-3, 1e-4)
    ]
    return [*wide, *((value(h) - value(-h)) / (2 * h) for h in (1e-5, 1e-6))]


def errors(seed, steps, batch):
    """The worst relative error of each gradient, by name."""
    arguments = example(seed, steps, batch)
    loss, gradients = every_gradient(arguments)
    with np.errstate(all="ignore"):
        single = every_gradient(in_float32(arguments))[1]
    rng = np.random.default_rng(seed + 1)
    # A gradient far below all others, or below the loss, is compared on their scale: rounding is.
    largest = max((np.abs(g).max() for g in gradients.values()), default=0.0)
    floor = max(1e-3 * largest, 1e-5 * abs(loss)) or 1.0
    found = {}
    for name, gradient in gradients.items():
        lost = np.where(np.isfinite(single[name]), np.abs(single[name] - gradient), 0.0)
        pairs = []
        places = list(np.ndindex(gradient.shape))
        chosen = rng.permutation(len(places))[:ELEMENTS]
        directions = [rng.standard_normal(gradient.shape)]
        for place in chosen:
            direction = np.zeros(gradient.shape)
            direction[places[place]] = 1.0
            directions.append(direction)
        for direction in directions:
            ours = np.sum(gradient * direction)
            candidates = numerical(arguments, name, direction)
            theirs = min(candidates, key=lambda value: abs(value - ours))
            spread = np.linalg.norm(gradient * direction)
            size = max(abs(theirs), spread, ROUNDING * np.sum(lost * np.abs(direction)))
            pairs.append((abs(ours - theirs), size))
        scale = max(floor, max(size for _, size in pairs[1:]))
        worst = max(error / scale for error, _ in pairs[1:])
        found[name] = max(worst, pairs[0][0] / max(floor, pairs[0][1]))
        if not np.isfinite(found[name]):
            found[name] = np.inf
    return found


def cases():
    """Seeds, lengths and batch sizes that are tried."""
    return [(seed, steps, 1 + seed % 3) for seed, steps in enumerate(STEPS)]


def worst_errors():
    """The worst relative error of each gradient over all cases, by name."""
    worst = {}
    for case in cases():
        for name, error in errors(*case).items():
            worst[name] = max(error, worst.get(name, 0.0))
    return worst


TIMED = ("hidden", "position", "label")


def directions_like(arrays, seed):
    """A random direction for each array."""
    rng = np.random.default_rng(seed)
    return {n: rng.standard_normal(a.shape) for n, a in arrays.items()}


def moved(arrays, vector):
    """A complex step along a direction."""
    return {n: a + 1e-30j * vector[n] for n, a in arrays.items()}


def relative(ours, theirs, floor=1e-3):
    """The relative error, on a scale of at least `floor`."""
    return np.abs(ours - theirs).max(initial=0.0) / max(floor, np.abs(theirs).max(initial=0.0))


def lost(ours, single):
    """A floor for errors: what float32 loses of an array, a thousand times, on float64's scale.

    What is a sum that cancels has the rounding of its summands.
    """
    difference = np.abs(single - ours)
    found = np.where(np.isfinite(difference), difference, 0.0).max(initial=0.0)
    return 1000 * 2.0**-29 / 1e-10 * found


def asymmetry(u, v, hu, hv):
    """How far <u, Hv> is from <v, Hu>, on the scale of the vectors."""
    left, right = (sum(np.sum(a[n] * b[n]) for n in a) for a, b in ((u, hv), (v, hu)))
    size = [np.sqrt(sum(np.sum(a * a) for a in d.values())) for d in (u, hv)]
    return abs(left - right) / max(1e-3, size[0] * size[1])


def same_gradients(name, found, arguments):
    """How far a loss and gradients are from those of loss_and_gradients."""
    loss, gradients = network.loss_and_gradients(*arguments)
    largest = max((np.abs(g).max() for g in gradients.values()), default=0.0)
    floor = max(1e-3 * largest, 1e-2 * abs(loss)) or 1.0
    yield name + " loss", abs(found[0] - loss) / max(1e-3, abs(loss))
    for key, gradient in gradients.items():
        yield name + " " + key, relative(found[1][key], gradient, floor)


def check_jvp(arguments):
    """Tangents of the signals against complex step."""
    parameters, inputs, _, initial, _ = arguments
    moving = {n: a for n, a in inputs.items() if n not in network.MASKS}
    known = {n: a for n, a in initial.items() if n in network._INITIAL_GRADIENTS}
    vectors = [directions_like(a, s) for s, a in enumerate((parameters, moving, known))]
    named = {**vectors[0], **vectors[1], **{"initial_" + n: v for n, v in vectors[2].items()}}
    found = network.jvp(parameters, inputs, named, initial)
    with np.errstate(all="ignore"):
        less = network.jvp(*in_float32([parameters, inputs, named, initial]))
    p, x, start = (moved(a, v) for a, v in zip((parameters, moving, known), vectors))
    start = {**initial, **start}
    signals = network.forward(p, {**inputs, **x}, start)
    for name, array in found.items():
        least = max(1e-3, lost(array, less[name]))
        yield "jvp " + name, relative(array, signals[name].imag / 1e-30, least)


def check_jacobian(arguments):
    """The error Jacobian in both modes, times a vector, against complex step."""
    parameters, inputs, _, initial, _ = arguments
    vector = directions_like(parameters, 3)
    signals = network.forward(moved(parameters, vector), inputs, initial)
    for mode in ("forward", "backward"):
        found = network.jacobian(parameters, inputs, initial, mode)
        with np.errstate(all="ignore"):
            less = network.jacobian(*in_float32([parameters, inputs, initial]), mode)
        for output, arrays in found.items():
            total = sum(np.tensordot(a, vector[n], vector[n].ndim) for n, a in arrays.items())
            short = sum(np.tensordot(less[output][n], vector[n], vector[n].ndim) for n in arrays)
            least = max(1e-3, lost(total, short))
            yield f"jacobian {mode} {output}", relative(total, signals[output].imag / 1e-30, least)


def check_hessian(arguments):
    """Hessian products against complex step of the gradients, and their symmetry."""
    parameters, inputs, targets, initial, weights = arguments
    u, v = directions_like(parameters, 4), directions_like(parameters, 5)
    rest = (inputs, targets, initial, weights)
    hu, hv = (network.hessian_vector(parameters, *rest[:2], w, *rest[2:]) for w in (u, v))
    single = in_float32([parameters, *rest[:2], v, *rest[2:]])
    with np.errstate(all="ignore"):
        less = network.hessian_vector(*single)
    loss, gradients = network.loss_and_gradients(moved(parameters, v), *rest)
    largest = max((np.abs(a).max() for a in hv.values()), default=0.0)
    floor = max(1e-3 * largest, 1e-2 * abs(loss)) or 1.0
    for name, array in hv.items():
        least = max(floor, lost(array, less[name]))
        yield "hessian " + name, relative(array, gradients[name].imag / 1e-30, least)
    yield "hessian symmetric", asymmetry(u, v, hu, hv)


def check_gauss_newton(arguments):
    """Products with the Gauss-Newton matrix: symmetric, and of no negative curvature.

    A loss of negative weight has one.
    """
    parameters, inputs, targets, initial, weights = arguments
    u, v = directions_like(parameters, 4), directions_like(parameters, 5)
    given = (parameters, inputs, targets)
    gu, gv = (network.gauss_newton_vector(*given, w, initial, weights) for w in (u, v))
    yield "gauss_newton symmetric", asymmetry(u, v, gu, gv)
    size = sum(np.sum(a * a) for a in v.values()) or 1.0
    curvature = sum(np.sum(v[n] * gv[n]) for n in v) / size
    if all(w >= 0 for entry in network.LOSSES.values() for w in entry["kinds"].values()):
        yield "gauss_newton curvature", max(0.0, -curvature)


def check_rtrl(arguments):
    """The gradient of the pass forward is that of the pass backward."""
    yield from same_gradients("rtrl", network.rtrl(*arguments), arguments)


def check_truncated(arguments):
    """Truncated backpropagation that reaches back to the first step is not truncated."""
    given, rest = arguments[:3], arguments[3:]
    for k1 in (1, 3):
        found = network.truncated_loss_and_gradients(*given, k1, 1000, *rest)
        yield from same_gradients("truncated", found, arguments)


def check_checkpoints(arguments):
    """Segments, each computed anew, give the whole gradient."""
    for segment in (None, 1, 3):
        found = network.checkpointed_loss_and_gradients(*arguments, segment=segment)
        yield from same_gradients("checkpointed", found, arguments)


def check_step(arguments):
    """Step by step is what forward computes."""
    parameters, inputs, _, initial, _ = arguments
    signals, state = network.forward(parameters, inputs, initial), initial
    count = max(a.shape[0] for n, a in signals.items() if n in TIMED)
    for t in range(count):
        now = {n: a[t] if network.INPUTS[n][0] == "T" else a for n, a in inputs.items()}
        found, state = network.step(parameters, state, now)
        for name in TIMED:
            yield "step " + name, relative(found[name], signals[name][t])


def check_carry(arguments):
    """A chunk's loss and gradients are those of the chunk alone; its state is that of its steps."""
    parameters, inputs, targets, initial, weights = arguments
    loss, gradients, state = network.carried_loss_and_gradients(
        parameters, initial, inputs, targets, weights
    )
    yield from same_gradients("carry", (loss, gradients), arguments)
    signals = network.forward(parameters, inputs, initial)
    for name in TIMED:
        if name in state:
            rows = np.concatenate([initial[name], signals[name]])[-len(state[name]) :]
            yield "carry " + name, relative(state[name], rows)


def extra_errors():
    """The worst relative error of everything else that the module computes, by name."""
    worst = {}
    for case in cases():
        arguments = example(*case)
        for check in (check_jvp, check_jacobian, check_hessian, check_gauss_newton, check_rtrl, check_truncated, check_checkpoints, check_step, check_carry,):
            for name, error in check(arguments):
                worst[name] = max(error if np.isfinite(error) else np.inf, worst.get(name, 0.0))
    return worst


def test_every_other_derivative():
    wrong = {name: error for name, error in extra_errors().items() if error > 1e-10}
    assert not wrong, f"wrong, with their relative errors: {wrong}"


def test_every_gradient_is_a_derivative():
    wrong = {name: error for name, error in worst_errors().items() if error > TOLERANCE}
    assert not wrong, f"wrong gradients, with their relative errors: {wrong}"


def test_float32_stays_float32():
    loss, gradients = every_gradient(in_float32(example(0, 3, 2)))
    assert loss.dtype == np.float32
    assert {g.dtype for g in gradients.values()} == {np.dtype(np.float32)}


if __name__ == "__main__":
    table = {**worst_errors(), **extra_errors()}
    for name, error in table.items():
        print(f"{'ok  ' if error <= TOLERANCE else 'WRONG'} {error:9.1e}  {name}")
    print(f"worst {max(table.values()):.1e}, tolerance {TOLERANCE:.0e}, by complex step")
    sys.exit(int(max(table.values()) > TOLERANCE))
# Generated. SHA-256 of all above: b34580b23fc355dfafd85287e410b5338f9a683d089f8961140732ee1831c7e9
