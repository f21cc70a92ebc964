"""Numbers that others published (ONNX, Android NNAPI, Keras, ONNX Runtime) come out again."""

from __future__ import annotations

import numpy as np
import pytest

from tests.conformance import cases, worst_error

CASES = cases()


@pytest.mark.skipif(not CASES, reason="the folder of published numbers is not there")
@pytest.mark.parametrize("name", CASES or ["none"])
def test_published_numbers(name: str) -> None:
    with np.errstate(all="raise", under="ignore"):
        error, allowed = worst_error(name)
    assert error <= allowed, f"{name}: {error:.1e}"
