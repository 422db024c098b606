"""Reads a cell as Python, with the syntax that IPython adds to it."""

from __future__ import annotations

import ast
import io
import re
import textwrap
import tokenize
import warnings
from functools import lru_cache

SOURCE_LIMIT = 200_000  # characters of a cell that are read
# Magics above a cell that run its lines as Python in the notebook's own name space.
RUNNING_MAGICS = ("time", "capture", "prun", "memit")
# This one runs them in a function, so that they read names and bind none.
TIMING_MAGIC = "timeit"
_CELL_MAGIC = re.compile(r"\s*%%(\w+)[^\n]*\n?")
_ERRORS = (SyntaxError, ValueError, RecursionError, MemoryError)


class NotPython(ValueError):
    """The cell is no Python; the text says where and why."""


class UnknownSyntax(NotPython):
    """The cell has no syntax that this Python knows; a newer one may know it."""


@lru_cache(maxsize=512)  # a form reads the same cells at every key press
def parse_cell(source: str) -> ast.Module:
    """Return the syntax of a cell. Lines keep their numbers. Raises NotPython."""
    magic = _CELL_MAGIC.match(source)
    if magic and magic[1] in RUNNING_MAGICS:
        source = "\n" + source[magic.end() :]
    elif magic and magic[1] == TIMING_MAGIC:
        # `pass` stands for a body without lines.
        body = textwrap.indent(source[magic.end() :], "    ")
        source = f"def {TIMING_MAGIC}():\n{body}\n    pass"
    elif magic:
        raise NotPython(f"it is run by %%{magic[1]}")
    try:
        return _parsed(source)
    except _ERRORS:
        pass
    try:
        return _parsed(_plain_python(source))
    except _ERRORS as error:
        line = getattr(error, "lineno", None)
        where = f"line {line}: " if line else ""
        kind = UnknownSyntax if isinstance(error, SyntaxError) else NotPython
        raise kind(f"{where}{getattr(error, 'msg', error)}") from None


def _parsed(source: str) -> ast.Module:
    if len(source) > SOURCE_LIMIT:
        raise ValueError(f"it has more than {SOURCE_LIMIT:,} characters")
    with warnings.catch_warnings():
        # The parser warns of odd escapes in strings, which do no harm here.
        warnings.simplefilter("ignore")
        return ast.parse(source)


def _plain_python(source: str) -> str:
    """Return a cell whose magics, shell lines and questions are calls, as IPython makes them."""
    try:
        from IPython.core.inputtransformer2 import TransformerManager
    except ImportError:
        lines = source.split("\n")
        return "\n".join("" if re.match(r"\s*[%!?]|.*\?\s*$", line) else line for line in lines)
    # IPython drops empty lines at the beginning, but messages count them.
    empty = len(source) - len(source.lstrip("\n"))
    return "\n" * empty + str(TransformerManager().transform_cell(source))


def comments(source: str) -> dict[int, str]:
    """Return the comments of a cell by their lines, without the `#`."""
    found: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                found[token.start[0]] = token.string.lstrip("#").strip()
    except (tokenize.TokenError, SyntaxError, IndentationError):
        # A magic may hold what is no token of Python. What was read so far is kept.
        pass
    return found
