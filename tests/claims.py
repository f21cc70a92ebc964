"""Claims files for tests: tables as text, and claims put into the catalogue's settings."""

from __future__ import annotations

import tomllib
from pathlib import Path

from bptt.derive.audit.audit import Audited, Court
from bptt.derive.audit.claim import Claim
from bptt.derive.audit.claims_file import catalogue, read_claims

ELMAN = """
[network]
equations = '''
a[t] = b + W @ h[t-1] + U @ x[t]
h[t] = tanh(a[t])
o[t] = c + V @ h[t]
L = sum(sum((o[t] - y[t])**2), t)
'''
[network.inputs]
x = "m"
y = "k"
[network.signals]
h = "n"
[network.parameters]
W = ["n", "n"]
[definitions]
"delta[t]" = "total(L, a[t])"
"""


def claims_of(text: str) -> tuple[Claim, ...]:
    """The claims of a file's text."""
    return read_claims(tomllib.loads(text), Path())


def elman(claim: str, where: str = "", *, head: str = "", more: str = "") -> Claim:
    """A claim about an Elman network: LaTeX where it has a backslash, else text."""
    kind = "latex" if "\\" in claim else "text"
    text = f"{head}\n{ELMAN}\n{more}\n[[claims]]\n{kind} = '''{claim}'''\nwhere = '{where}'\n"
    (found,) = claims_of(text)
    return found


def audited(claim: Claim, *, mend: bool = True) -> Audited:
    return Court().audit(claim, mend=mend)


def catalogue_claims() -> dict[str, Path]:
    """The files of the catalogue by name."""
    return {path.stem: path for path in catalogue()}
