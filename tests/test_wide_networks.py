"""Networks unlike those that the library's authors think of, judged by a judge of their own."""

from __future__ import annotations

import os

import pytest

from tests.wide_networks import describe, is_refused, judge

FIRST = int(os.environ.get("BPTT_FIRST_SEED", "0"))
COUNT = int(os.environ.get("BPTT_NETWORKS", "60"))
# Most of what is drawn is a network: else little is tested.
REFUSED = 0.1


@pytest.mark.parametrize("seed", range(FIRST, FIRST + COUNT))
def test_wide_network(seed: int) -> None:
    try:
        judge(seed)
    except Exception as error:
        error.add_note(describe(seed))
        raise


def test_few_are_refused() -> None:
    seeds = range(FIRST, FIRST + 60)
    assert sum(is_refused(seed) for seed in seeds) <= REFUSED * len(seeds)


@pytest.mark.parametrize("seed", [100600, 108989, 151736])
def test_sums_that_cancel(seed: int) -> None:
    """Gradients that are zero, as sums of large values: what they come to is rounding alone."""
    assert judge(seed) == "ok"
