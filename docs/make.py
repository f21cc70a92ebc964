"""Makes the pages of this folder: python -m docs.make. No formula of ours in them is typed."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2

from bptt.commands.terminal import write_all
from bptt.derive import System, adjoint, build, load
from bptt.derive.calculus.inline import compact
from bptt.derive.notation.document import document
from bptt.derive.notation.markdown import display, markdown
from bptt.derive.notation.notations import NOTATIONS

FOLDER = Path(__file__).parent
INTRODUCTION = """# Backpropagation through time for two layers with delays

The network of `docs/two_layers.toml`, and every derivative of its loss, derived one step after the
other. The steps are those that the program takes, by the same functions; the page is remade by
`python -m docs.make` and compared by the tests. Equation numbers are those of
`bptt show docs/two_layers.toml`.

"""


@cache
def derived(name: str) -> System:
    return adjoint(build(load(FOLDER / f"{name}.toml")))


def equation(name: str, notation: str, quantity: str, *, compacted: bool = False) -> str:
    """The equation of a quantity of one of the networks here, as Markdown."""
    chosen = NOTATIONS[notation]
    system = derived(name)
    if compacted:
        system = compact(system)
    system = chosen.prepared(system)
    statement = chosen.statement(system.definitions[quantity], system)
    return display(chosen.typesetter(system).statement(statement))


def pages() -> dict[str, str]:
    """The pages by their names."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    text = markdown(document(derived("two_layers"), explained=("all",)))
    body = text.split("\n", 2)[2]
    return {
        "derivation.md": INTRODUCTION + body,
        "notations.md": environment.get_template("notations.md.jinja").render(equation=equation),
    }


if __name__ == "__main__":
    for path in write_all(FOLDER, pages()):
        print(path)
