"""Systems as notebooks show them."""

from __future__ import annotations

from bptt.derive.calculus.system import System, latex_of
from bptt.derive.notation.index import index_statement
from bptt.derive.notation.latex import aligned, tagged
from bptt.derive.notation.typeset import Typesetter


@latex_of.register
def system_latex(system: System) -> str:
    """All equations in index notation, aligned and numbered."""
    typesetter = Typesetter(system)
    formulas = (
        typesetter.statement(index_statement(e, system.quantities), e.number) for e in system
    )
    return f"$${aligned(formulas, tagged)}$$"
