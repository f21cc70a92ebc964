"""Bugs sit in combinations: networks drawn at random, judged by what nobody derived."""

from __future__ import annotations

import os

import pytest

from bptt.derive import build
from tests.derivatives import Judge
from tests.judge import judge
from tests.random_networks import draw, draw_equations

COUNT = int(os.environ.get("BPTT_NETWORKS", "300"))
FIRST = int(os.environ.get("BPTT_FIRST_SEED", "0"))
# Every derivative of a network takes as long as the gradients of many.
SEEDS, FEW = range(FIRST, FIRST + COUNT), range(FIRST, FIRST + max(COUNT // 30, 1))
THIRD = range(FIRST, FIRST + max(COUNT // 3, 1))


@pytest.mark.parametrize("seed", SEEDS)
def test_random_network(seed: int) -> None:
    judge(draw(seed), seed)


@pytest.mark.parametrize("seed", THIRD)
def test_random_equations(seed: int) -> None:
    judge(draw_equations(seed), seed)


@pytest.mark.parametrize("seed", FEW)
@pytest.mark.parametrize("kind", [draw, draw_equations], ids=["layers", "equations"])
def test_every_derivative(kind: object, seed: int) -> None:
    assert callable(kind)
    for what, error, allowed in Judge(build(kind(seed)), seed).errors():
        assert error <= allowed, f"seed {seed}: {what}, {error:.1e}"
