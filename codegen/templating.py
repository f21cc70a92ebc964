"""Where templates come from. They lay out what Python has prepared, and decide nothing."""

from __future__ import annotations

from functools import cache

import jinja2


@cache
def environment(package: str = "bptt.codegen") -> jinja2.Environment:
    """The templates of a package."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
