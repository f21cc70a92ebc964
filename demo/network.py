"""From a topology file to an imported module, generated and checked on the way."""

from __future__ import annotations

import types
from pathlib import Path

from rich.console import Console

from codegen import check, generate
from derive import build, load

HERE = Path(__file__).parent


def network_module(path: Path, console: Console) -> types.ModuleType:
    """The module generated for a topology file; stops when its check fails."""
    system = build(load(path))
    console.print(
        f"[bold]{path.name}[/bold]: {system.parameter_count} parameters, derived, generated"
    )
    results = check(system)
    worst = max(results, key=lambda r: r.error)
    console.print(
        f"checked: {len(results)} values and gradients, worst relative error {worst.error:.1e} "
        f"({worst.about} {worst.name})",
        soft_wrap=True,
    )
    if not all(r.passed for r in results):
        raise SystemExit("the check failed")
    module = types.ModuleType(system.name)
    exec(compile(generate(system).module, f"{system.name}.py", "exec"), module.__dict__)
    return module
