"""Where templates come from. They lay out what Python has prepared, and decide nothing."""

from __future__ import annotations

from functools import cache

import jinja2


@cache
def environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("codegen"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )


@cache
def page_environment() -> jinja2.Environment:
    """For HTML: what is not marked as such is escaped."""
    return environment().overlay(autoescape=True)
