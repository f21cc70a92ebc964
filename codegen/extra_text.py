"""The functions that extras give to a module's user, and their checks, from their templates."""

from __future__ import annotations

import textwrap

from bptt.codegen.boundaries import allocated, row, trimmed
from bptt.codegen.entries import free_steps, has_free_steps, tuple_text
from bptt.codegen.extras import Extended
from bptt.codegen.templating import environment
from bptt.derive.calculus.chunks import CHUNK, TOTAL_WEIGHT
from bptt.derive.calculus.system import System
from bptt.derive.calculus.tangent import DOT


def extra_functions(extended: Extended, sizes: str, *, counts: bool) -> list[str]:
    """The texts of the functions that extras give to the module's user.

    `counts` says whether a signal depends on the number of its step.
    """
    names = set(extended.names)
    helpers = []
    if {"jvp", "hvp", "gnvp"} & names:
        helpers.append("directions")
    if {"truncated", "checkpoints"} & names:
        helpers.append("chunks")
    values = _extra_values(extended, counts=counts)
    free = free_steps(extended.system.forward())
    named = ", ".join(f'"{n}": {n}' for n in sizes.split(", "))
    return [
        environment()
        .get_template(f"extras/{name}.py.jinja")
        .render(sizes=sizes, named_sizes=f"{{{named}}}", **free, **values.get(name, {}))
        for name in (*extended.names, *helpers)
    ]


def _extra_values(extended: Extended, *, counts: bool) -> dict[str, dict[str, object]]:
    """What the templates of extras lay out, by the extra's name."""
    system, values = extended.system, extended.values
    base = system.forward()
    signals = [q for q in base.of_kind("signal") if not q.internal]
    found: dict[str, dict[str, object]] = {
        "jvp": {
            "tangents": [
                trimmed(system.quantities[DOT + q.name], system, q.name)
                for q in signals
                if DOT + q.name in system.definitions
            ],
            "direction_extensions": _direction_extensions(base),
        },
        "carry": _counting("T", counts),
        "step": {
            **_counting("1", counts),
            "rows": [row(q, base) for q in signals],
            "one_step": ", steps=1" if has_free_steps(base) else "",
        },
    }
    if "forward_cost" in values:
        found["jacobian"] = {
            "rows": [
                f'"{n}": {reach.before}'
                for n, reach in system.reach.items()
                if system.quantities[n].kind == "sensitivity"
            ],
            "forward_cost": values["forward_cost"],
            "backward_cost": values["backward_cost"],
            "formulas": [
                *_wrapped(f"forward:  {values['forward_formula']}"),
                *_wrapped(f"backward: {values['backward_formula']}"),
            ],
        }
    if "rtrl_formula" in values:
        found["rtrl"] = {
            "formulas": [
                *_wrapped(f"here: {values['rtrl_formula']}"),
                *_wrapped(f"there: {values['bptt_formula']}"),
            ]
        }
    if any(part.name == "_chunk_loss" for part in extended.parts):
        found["chunks"] = _chunk_values(base)
    return found


def _counting(steps: str, counts: bool) -> dict[str, object]:
    """Statements that keep the number of the first step in the state, `steps` steps at a time."""
    texts = {
        "taken": 'first = state.pop("first_step", 0)',
        "placed": 'arrays["first_step"] = first',
        "passed": f'after["first_step"] = first + {steps}',
    }
    return {name: [text] if counts else [] for name, text in texts.items()}


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 88, subsequent_indent="    ", break_long_words=False)


def _chunk_values(system: System) -> dict[str, object]:
    """What is given for every step, the states, and what means count over a whole sequence."""
    rows = {name: reach.before for name, reach in system.reach.items()}
    timed = system.of_kind("input", "mask", "target", "weight")
    totals = []
    for loss in system.losses:
        if loss.weights:
            weight = system.quantities[loss.weights]
            start = rows.get(weight.name, 0)
            every = f'arrays["{weight.name}"]' + (f"[{start}:]" if start else "")
            times = "" if len(weight.axes) > 1 else " * B"
            key = f"{CHUNK}{TOTAL_WEIGHT}{loss.output}"
            totals.append(f'part["{key}"] = {every}.sum(){times}')
    return {
        "given": [f'"{q.name}": {rows.get(q.name, 0)}' for q in timed if q.time_axis is not None],
        "states": [
            f'"{q.name}": {rows[q.name]}' for q in system.of_kind("signal") if q.name in rows
        ],
        "carried": tuple_text(n for n in rows if system.quantities[n].kind != "mask"),
        "totals": totals,
    }


def _direction_extensions(system: System) -> list[str]:
    """Statements that put directions of given values around those of the steps."""
    lines = []
    for quantity in system.of_kind("input"):
        if quantity.name in system.reach:
            before = system.reach[quantity.name].before
            name = DOT + quantity.name
            lines += [
                f'steps = arrays["{name}"]',
                f'arrays["{name}"] = {allocated(quantity, system, DOT)}',
                f'arrays["{name}"][{before} : {before} + {system.shape(quantity)[0]}] = steps',
            ]
    return lines


def extra_tests(system: System, names: tuple[str, ...]) -> list[str]:
    """The checks of a module's extras, and what they share."""
    if not names:
        return []
    timed = (q for q in system.of_kind("signal") if not q.internal and q.time_axis is not None)
    checks = {"hvp": "hessian", "gnvp": "gauss_newton"}
    steps = ", steps=len(arguments[2][next(iter(network.TARGETS))])"
    values = {
        "timed": tuple_text(q.name for q in timed),
        "checks": ", ".join(f"check_{checks.get(name, name)}" for name in names),
        "steps": steps if has_free_steps(system) else "",
    }
    files = ("test_shared", *(f"test_{name}" for name in names), "test_all")
    return [environment().get_template(f"extras/{file}.py.jinja").render(values) for file in files]
