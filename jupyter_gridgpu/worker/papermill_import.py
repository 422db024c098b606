"""Imports papermill without its slowest part, and makes paths that papermill does not change."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

# jsonschema imports this module for optional checks of internationalised addresses, which no
# notebook needs. It compiles its grammar at import, which takes 1.3 of papermill's 2.5 seconds.
GRAMMAR = "rfc3987_syntax"


def import_papermill(module: str = "papermill") -> Any:
    """Return papermill, or a module of it, imported while GRAMMAR is hidden.

    Raises ImportError if papermill is not installed.
    """
    hide = GRAMMAR not in sys.modules
    if hide:
        # None in sys.modules makes an import fail as if the module were not installed; jsonschema
        # then leaves those checks out.
        sys.modules[GRAMMAR] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(module)
    finally:
        # The notebook's own code may import the module, so it is hidden for a moment only.
        if hide:
            sys.modules.pop(GRAMMAR, None)


def prepare_for_forks() -> None:
    """Import and register all that workers need, in the process that is going to fork them."""
    import_papermill()
    from jupyter_gridgpu.worker import notebook

    notebook.prepare()


def literal_path(path: Path) -> str:
    """Return `path` as text in which papermill finds no placeholder: it fills in `{NAME}`."""
    return str(path).replace("{", "{{").replace("}", "}}")
