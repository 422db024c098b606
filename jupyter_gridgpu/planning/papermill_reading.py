"""papermill's own reading of a parameters cell, line by line.

It misses much and invents some, so it only stands in where a cell has the syntax of another Python.
"""

from __future__ import annotations

import ast
import platform
from typing import Any

from jupyter_gridgpu.errors import NotebookError
from jupyter_gridgpu.planning.parameter import NO_VALUE, Parameter
from jupyter_gridgpu.planning.python_cell import NotPython, UnknownSyntax
from jupyter_gridgpu.worker.papermill_import import import_papermill


def read_anyway(
    source: str, notebook_name: str, error: NotPython, other_python: bool
) -> tuple[dict[str, Parameter], str]:
    """Return the parameters of a Python cell that this Python cannot read, and a warning of it.

    `other_python` says that the kernel runs in another Python, which may know the syntax. Raises
    NotebookError if it cannot.
    """
    why = f"The parameters cell of {notebook_name} cannot be read as Python"
    if not other_python or not isinstance(error, UnknownSyntax):
        raise NotebookError(f"{why}: {error}."[:300]) from None
    version = ".".join(platform.python_version_tuple()[:2])
    warning = (
        f"{why} {version} ({str(error)[:100]}). The Python of the kernel may know this syntax;"
        " here the parameters were read line by line, as papermill does."
    )
    return papermill_parameters(source), warning


def papermill_parameters(source: str) -> dict[str, Parameter]:
    """Return the parameters of a Python cell by name, as papermill sees them."""
    # Imported late: papermill takes a second, and nearly all cells can be read without it.
    translators = import_papermill("papermill.translators")
    found = translators.PythonTranslator.inspect({"source": source})
    return {
        each.name: Parameter(
            each.name,
            None if each.inferred_type_name == "None" else each.inferred_type_name,
            _literal(each.default),
            each.help,
        )
        for each in found
    }


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return NO_VALUE
