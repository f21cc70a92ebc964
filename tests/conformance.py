"""Published reference numbers, run through generated modules.

A case states its network in matrix notation, one sample and one time step, with sums written as
Python would (`sum(a[t,s] for s in range(6))`); here that becomes this project's notation.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from bptt.derive import Input, LossSpec, Network, build
from tests.numeric import module_of

FOLDER = Path(__file__).parents[2] / "shared" / "conformance" / "cases"
NAME = r"[A-Za-z]\w*"


def cases() -> list[str]:
    """The names of all cases, none where the folder is missing."""
    return [str(p.relative_to(FOLDER).with_suffix("")) for p in sorted(FOLDER.glob("*/*.json"))]


def translated(equation: str, lengths: dict[str, int]) -> str:
    """One equation in this project's notation."""
    equation = equation.replace("[t, s]", "[t,s]")
    # A softmax, written out as a quotient of exponentials, perhaps with a mask.
    equation = re.sub(
        rf"(?:({NAME})\[s\] \* )?exp\(({NAME}\[t,s\])\) / sum\(.*? for r in range\((.*)\)\)$",
        lambda m: f"softmax({m[2]}, {_range('s', m[3])}{f', {m[1]}[s]' if m[1] else ''})",
        equation,
    )
    equation = re.sub(
        r"sum\((.*) for s in range\((.*)\)\)$",
        lambda m: f"sum({m[1]}, {_range('s', m[2])})",
        equation,
    )
    # Rows scaled by a vector.
    equation = re.sub(r"= (\S+)\[:, None\] \* ", r"= diag(\1) @ ", equation)
    # One vector for the whole sequence.
    equation = re.sub(rf"^({NAME})\[0\] =", r"\1 =", equation)
    if re.match(rf"{NAME} =", equation):
        equation = re.sub(
            rf"({NAME})\[(\d+)\]",
            lambda m: f"{m[1]}[end]" if int(m[2]) == lengths[m[1]] - 1 else m[0],
            equation,
        )
    return equation


def _range(letter: str, bound: str) -> str:
    return f"{letter} <= t" if bound.startswith("min(t + 1,") else letter


def network(case: dict[str, Any], arrays: dict[str, Any]) -> Network:
    """The network of a case."""
    steps = case["T"]
    lengths = dict.fromkeys([m[0] for e in case["equations"] if (m := re.match(NAME, e))], steps)
    text = "\n".join(translated(e, lengths) for e in case["equations"])

    def axis(name: str) -> str:
        return "S" if re.search(rf"\b{name}\[s\]", text) else "T"

    inputs: dict[str, int | Input] = {
        name: Input((given["size"],), (axis(name),)) for name, given in case["inputs"].items()
    }
    for name in case.get("masks", []):
        if re.search(rf"\b{name}\[", text):
            inputs[name] = Input((), (axis(name),), mask=True)
    if "[t,s]" in text and "M" in case["params"]:
        inputs["M"] = Input((), ("T", "S"), batch=False, mask=True)
    names = [y["name"] for y in case["outputs"]]
    return Network(
        "conformance",
        inputs,
        equations=text,
        losses=(LossSpec(names[0]),),
        outputs=tuple(names),
        parameters={n: tuple(s) for n, s in case["params"].items() if n not in inputs},
        signals={
            n: tuple(s["size"]) if isinstance(s["size"], list) else s["size"]
            for n, s in case["signals"].items()
        },
    )


def worst_error(name: str) -> tuple[float, float]:
    """The worst error of a case over all its outputs and final states, and what is allowed."""
    case = json.loads((FOLDER / f"{name}.json").read_text())
    arrays = {k: v for k, v in np.load(FOLDER / f"{name}.npz").items() if v.dtype.kind in "fiub"}
    module = module_of(build(network(case, arrays)))
    parameters = {n: arrays[f"param/{n}"].astype(float) for n in module.PARAMETERS}
    inputs = {}
    for n in module.INPUTS:
        key = next(k for k in (f"input/{n}", f"mask/{n}", f"param/{n}") if k in arrays)
        array = arrays[key].astype(float)
        inputs[n] = array if key.startswith("param") else np.moveaxis(array, 0, 1)
    initial = {
        n: np.moveaxis(arrays[f"state0/{n}"], 0, 1).astype(float)
        for n in module.INITIAL
        if f"state0/{n}" in arrays
    }
    signals = module.forward(parameters, inputs, initial)
    errors = []
    for key, expected in arrays.items():
        group, _, signal = key.partition("/")
        if group == "out":
            found = signals[signal]
            found = np.moveaxis(found, 0, 1) if found.ndim > 2 else found[:, None]
        elif group == "final":
            found = signals[signal][case["final_steps"][signal]]
        else:
            continue
        assert found.shape == expected.shape, (key, found.shape, expected.shape)
        errors.append(float(np.abs(found - expected).max() / (1 + np.abs(expected).max())))
    return max(errors), case["rtol"] + case["atol"]
