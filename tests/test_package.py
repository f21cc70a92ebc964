"""What an installed copy of the project holds."""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_template_and_cell_is_installed() -> None:
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    installed = {
        path
        for package, patterns in setup["package-data"].items()
        for pattern in patterns
        for path in (ROOT / package).glob(pattern)
    }
    data = {
        path
        for package in ("derive", "codegen")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix in (".jinja", ".toml", ".typed")
    }
    assert data <= installed
    folders = {".".join(path.parent.relative_to(ROOT).parts) for path in data}
    assert folders <= set(setup["packages"])
