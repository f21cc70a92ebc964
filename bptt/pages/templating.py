"""The templates of pages: for HTML what is not marked as such is escaped."""

from __future__ import annotations

from functools import cache

import jinja2

from bptt.codegen.templating import environment


def text_environment() -> jinja2.Environment:
    return environment("bptt.pages")


@cache
def page_environment() -> jinja2.Environment:
    return text_environment().overlay(autoescape=True)
