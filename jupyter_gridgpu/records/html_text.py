"""Texts of jobs and of strangers' notebooks as HTML: bounded, cleaned and escaped."""

from __future__ import annotations

from html import escape
from typing import Any

from jupyter_gridgpu.model.job import one_line

TEXT_LIMIT = 200  # characters


def html_text(value: Any, limit: int = TEXT_LIMIT) -> str:
    """Return a value as one line of escaped text. Control characters and marks become spaces."""
    # Cut first: to cut escaped text might leave half a character reference such as `&l`.
    return escape(one_line(str(value), limit) or "")


def html_name(value: Any, limit: int = TEXT_LIMIT) -> str:
    """Return a name for the middle of a sentence.

    A name that is written from right to left would turn the words around it into another order, so
    it is isolated from them.
    """
    return f"<bdi>{html_text(value, limit)}</bdi>"
