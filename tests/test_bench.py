"""What benchmarks compare computes the same: by hand, in PyTorch and JAX, and generated."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from bench.jacobians import agree, loops
from bench.networks import CASES
from bench.networks.case import Case
from bench.speed import CONTENDERS
from bench.workers import judged


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_contenders_compute_the_same(case: Case) -> None:
    expected = judged(case.run("generated", case.sizes[0], "float64"))
    for name in case.others:
        if find_spec(CONTENDERS[name]):
            found = judged(case.run(name, case.sizes[0], "float64"))
            assert found == pytest.approx(expected, rel=1e-9), name


def test_jacobians_are_the_same() -> None:
    for loop in loops(units=3, steps=7):
        agree(loop)
