"""What an installed copy of the project holds, and how its files build upon each other."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import bptt
from bptt.derive.calculus.causality import components

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


def test_every_public_name_is_there() -> None:
    for name in bptt.__all__:
        assert getattr(bptt, name) is not None, name
    assert set(bptt.__all__) <= set(dir(bptt))
    with pytest.raises(AttributeError, match="no attribute 'derivate'"):
        bptt.derivate  # noqa: B018


def test_files_of_the_users_folder_hide_nothing(tmp_path: Path) -> None:
    for name in ("train", "derive", "codegen", "tests", "demo"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the wrong module')\n")
    topology = (ROOT / "generated" / "elman.toml").read_text(encoding="utf-8")
    (tmp_path / "elman.toml").write_text(topology, encoding="utf-8")
    script = "import bptt; print(len(bptt.adjoint(bptt.build(bptt.load('elman.toml'))).equations))"
    for command in (["-c", script], ["-m", "bptt", "show", "elman.toml"], ["-m", "bptt", "-h"]):
        found = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stderr


def test_no_circle_between_files_and_arrows_point_one_way() -> None:
    """What may import what: a room, then the rooms that it builds upon."""
    modules = {}
    for folder in ("derive", "codegen", "bptt"):
        for path in (ROOT / folder).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            name = name.removesuffix(".__init__")
            modules[name if folder == "bptt" else f"bptt.{name}"] = path
    imports = {name: set(imported(path, modules)) - {name} for name, path in modules.items()}
    for group in components({n: sorted(needs) for n, needs in imports.items()}):
        assert len(group) == 1, f"a circle: {group}"
    order = [
        *("errors", "calculus", "interpreter", "language", "description"),
        *("drawing", "notation", "audit", ""),
    ]
    rooms = {f"bptt.derive.{room}".rstrip("."): n for n, room in enumerate(order)}

    def level(module: str) -> int:
        if module.startswith("bptt.derive"):
            room = ".".join(module.split(".")[:3])
            return rooms[room]
        later = {"codegen": 20, "files": 25, "training": 30, "pages": 30, "commands": 40}
        return later.get(module.split(".")[1] if "." in module else "", 50)

    for name, needs in imports.items():
        for need in needs:
            assert level(need) <= level(name), f"{name} imports {need}"


def imported(path: Path, modules: dict[str, Path]) -> Iterator[str]:
    """The modules of the project that a file imports when it is loaded, or later."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            node.body.clear()
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = [f"{node.module}.{a.name}" for a in node.names]
            known = [name for name in inner if name in modules]
            yield from known or ([node.module] if node.module in modules else [])
