"""The functions that extras give to a module's user, and their checks, from their templates."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

from bptt.codegen.boundaries import allocated, row, trimmed
from bptt.codegen.entries import entry, free_steps, has_free_steps, pairs_text, tuple_text
from bptt.codegen.extras import Extended, total_weights
from bptt.codegen.templating import environment
from bptt.derive.calculus.chunks import ENDS, TOTAL_STEPS, carry_of, share_of
from bptt.derive.calculus.system import System


def extra_functions(extended: Extended, sizes: str, *, first_step: str) -> list[str]:
    """The texts of the functions that extras give to the module's user.

    `first_step` is the name in a state of the number of its first step, where a signal depends
    on that.
    """
    names = set(extended.names)
    helpers = []
    if {"jvp", "hvp", "gnvp"} & names:
        helpers.append("directions")
    if {"hvp", "gnvp"} & names:
        helpers.append("vectors")
    if {"jacobian", "residuals"} & names:
        helpers.append("elements")
    if {"truncated", "checkpoints"} & names:
        helpers.append("chunks")
    values = _extra_values(extended, first_step)
    free = free_steps(extended.base)
    named = ", ".join(f'"{n}": {n}' for n in sizes.split(", "))
    return [
        environment()
        .get_template(f"extras/{name}.py.jinja")
        .render(sizes=sizes, named_sizes=f"{{{named}}}", **free, **values.get(name, {}))
        for name in (*extended.names, *helpers)
    ]


def _extra_values(extended: Extended, first_step: str) -> dict[str, dict[str, Any]]:
    """What the templates of extras lay out, by the extra's name."""
    system, values = extended.system, extended.values
    base = extended.base
    signals = [q for q in base.of_role("signal") if not q.internal]
    found: dict[str, dict[str, Any]] = {
        "carry": _counting("T", first_step),
        "step": {
            **_counting("1", first_step),
            "rows": [row(q, base) for q in signals],
            "one_step": ", steps=1" if has_free_steps(base) else "",
        },
    }
    if "directions" in values:
        found["jvp"] = {
            "tangents": [
                trimmed(system.quantities[name], system, of)
                for of, name in values["tangents"].items()
            ],
            "named": pairs_text(values["directions"]),
            "direction_extensions": _direction_extensions(base, system, values["directions"]),
        }
    for name, products in (("hvp", "hessian_products"), ("gnvp", "gauss_newton_products")):
        if products in values:
            found[name] = {"products": pairs_text(values[products])}
    if "vector" in values:
        found["vectors"] = {"vector": pairs_text(values["vector"])}
    for name in {"jacobian", "residuals"} & values.keys():
        found[name] = _differentiated(values[name], system)
    if "rtrl_formula" in values:
        found["rtrl"] = {
            "formulas": [
                *_wrapped(f"here: {values['rtrl_formula']}"),
                *_wrapped(f"there: {values['bptt_formula']}"),
            ],
            "gradients": pairs_text(values["online_gradients"]),
        }
    if any(part.name == "_chunk_loss" for part in extended.parts):
        found["chunks"] = _chunk_values(base, values)
        for name in ("truncated", "checkpoints"):
            found[name] = {"chunk_loss": values["chunk_loss"]}
    return found


def _differentiated(values: Mapping[str, Any], system: System) -> dict[str, Any]:
    """What is laid out of the derivatives of every element of some signals."""
    elements = {name for mode in values["forward"].values() for name in mode.values()}
    return {
        "signals": tuple_text(values["forward"]),
        "shapes": [entry(system.quantities[name], system) for name in values["forward"]],
        "rows": [f'"{n}": {r.before}' for n, r in system.reach.items() if n in elements],
        **{
            mode: [f'"{of}": {{{", ".join(pairs_text(by))}}}' for of, by in values[mode].items()]
            for mode in ("forward", "backward")
        },
        "forward_cost": values["forward_cost"],
        "backward_cost": values["backward_cost"],
        "formulas": [
            *_wrapped(f"forward:  {values['forward_formula']}"),
            *_wrapped(f"backward: {values['backward_formula']}"),
        ],
    }


def _counting(steps: str, first_step: str) -> dict[str, Any]:
    """Statements that keep the number of the first step in the state, `steps` steps at a time."""
    texts = {
        "taken": f'first = state.pop("{first_step}", 0)',
        "placed": 'arrays["first step"] = first',
        "passed": f'after["{first_step}"] = first + {steps}',
    }
    return {name: [text] if first_step else [] for name, text in texts.items()}


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, 88, subsequent_indent="    ", break_long_words=False)


def _chunk_values(system: System, values: Mapping[str, Any]) -> dict[str, Any]:
    """What is given for every step, the states, and what means count over a whole sequence."""
    made = values["chunk"].by_origin
    rows = {name: reach.before for name, reach in system.reach.items()}
    timed = system.of_role("input", "target", "weight")
    totals = [
        f'part["{made[share_of(total)].name}"] = {code}'
        for total, code in sums_of_weights(system).items()
    ]
    (skip,) = values["chunk"].free
    return {
        "given": [f'"{q.name}": {rows.get(q.name, 0)}' for q in timed if q.time_axis is not None],
        "states": [
            f'"{q.name}": {rows[q.name]}' for q in system.of_role("signal") if q.name in rows
        ],
        "carried": [
            f'"{n}": ("{made[carry_of(n)].name}", "{start}")'
            for n, start in values["chunk_starts"].items()
        ],
        "gradients": pairs_text(values["chunk_gradients"]),
        "total_steps": made[TOTAL_STEPS].name,
        "ends": made[ENDS].name,
        "skip": skip.name,
        "totals": totals,
    }


def sums_of_weights(system: System) -> dict[str, str]:
    """The sums of weights by which losses divide, as source, by the names of these quantities."""
    found = {}
    for total, name in total_weights(system).items():
        start = system.reach[name].before if name in system.reach else 0
        every = f'arrays["{name}"]' + (f"[{start}:]" if start else "")
        times = "" if len(system.quantities[name].axes) > 1 else " * B"
        found[total] = f"{every}.sum(){times}"
    return found


def _direction_extensions(base: System, system: System, directions: Mapping[str, str]) -> list[str]:
    """Statements that put directions of given values around those of the steps."""
    lines = []
    for quantity in base.of_role("input", differentiable=True):
        name = directions[quantity.name]
        if name in system.reach:
            before = system.reach[name].before
            lines += [
                f'given = arrays["{name}"]',
                f'arrays["{name}"] = {allocated(system.quantities[name], system)}',
                f'arrays["{name}"][{before} : {before} + {system.shape(quantity)[0]}] = given',
            ]
    return lines


def extra_tests(system: System, names: tuple[str, ...]) -> list[str]:
    """The checks of a module's extras, and what they share."""
    if not names:
        return []
    timed = (q for q in system.of_role("signal") if not q.internal and q.time_axis is not None)
    checks = {"hvp": "hessian", "gnvp": "gauss_newton"}
    steps = ", steps=len(arguments[2][next(iter(network.TARGETS))])"
    values = {
        "timed": tuple_text(q.name for q in timed),
        "checks": ", ".join(f"check_{checks.get(name, name)}" for name in names),
        "steps": steps if has_free_steps(system) else "",
    }
    files = ("test_shared", *(f"test_{name}" for name in names), "test_all")
    return [environment().get_template(f"extras/{file}.py.jinja").render(values) for file in files]
