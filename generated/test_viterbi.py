"""Proves the gradients of viterbi.py: every one against central differences.

Run it with pytest, or as a program; it needs NumPy and viterbi.py beside it.
"""

import sys

import numpy as np

try:
    import viterbi as network
except ModuleNotFoundError as error:
    sys.exit(f"{error}: put viterbi.py beside this file")

ANALYTIC = False
TOLERANCE = 1e-10 if ANALYTIC else 1e-6
STEPS = (1, 2, 4,)
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


def test_every_gradient_is_a_derivative():
    wrong = {name: error for name, error in worst_errors().items() if error > TOLERANCE}
    assert not wrong, f"wrong gradients, with their relative errors: {wrong}"


def test_float32_stays_float32():
    loss, gradients = every_gradient(in_float32(example(0, 3, 2)))
    assert loss.dtype == np.float32
    assert {g.dtype for g in gradients.values()} == {np.dtype(np.float32)}


if __name__ == "__main__":
    table = {**worst_errors()}
    for name, error in table.items():
        print(f"{'ok  ' if error <= TOLERANCE else 'WRONG'} {error:9.1e}  {name}")
    print(f"worst {max(table.values()):.1e}, tolerance {TOLERANCE:.0e}, by central differences")
    sys.exit(int(max(table.values()) > TOLERANCE))
# Generated. SHA-256 of all above: 8064cd04adfb910a67f25593bceb3a661a11503c62274fb0770d6426ec7507bf
