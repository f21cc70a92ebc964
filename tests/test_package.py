"""What an installed copy of the project holds."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_template_and_cell_is_installed() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    places = setup["package-dir"]
    installed = {
        path
        for package, patterns in setup["package-data"].items()
        for pattern in patterns
        for path in (ROOT / places.get(package, package.replace(".", "/"))).glob(pattern)
    }
    data = {
        path
        for package in ("derive", "codegen", "bptt")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix in (".jinja", ".toml", ".typed")
    }
    assert data <= installed
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in data}
    assert {f if f.startswith("bptt") else f"bptt.{f}" for f in folders} <= set(setup["packages"])
