"""Hyper-parameter scans of training notebooks on GPUs that belong to somebody else.

    from jupyter_gridgpu import gridscan

    scan = gridscan("train.ipynb", {"lr": [1e-4, 1e-3, 1e-2]}, maximize="max(acc)")

The cell magic `%%gridscan`, after `%load_ext jupyter_gridgpu`, and the command `gridgpu run` do the
same.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_gridgpu.api import Scan, gridscan, open_scan, run_file
    from jupyter_gridgpu.model.axis_words import (
        choice,
        fixed,
        geomspace,
        integer,
        linspace,
        logint,
        loguniform,
        ordinal,
        repeats,
        together,
        uniform,
    )
    from jupyter_gridgpu.worker.metrics.report import keras_callback, report

__version__ = "0.1.0"
__all__ = [
    "Scan",
    "choice",
    "fixed",
    "geomspace",
    "gridscan",
    "integer",
    "keras_callback",
    "linspace",
    "logint",
    "loguniform",
    "open_scan",
    "ordinal",
    "repeats",
    "report",
    "run_file",
    "together",
    "uniform",
]

_WORDS = (
    "choice",
    "fixed",
    "geomspace",
    "integer",
    "linspace",
    "logint",
    "loguniform",
    "ordinal",
    "repeats",
    "together",
    "uniform",
)
# The module of each public name. A module is imported when one of its names is first used, so that
# `import jupyter_gridgpu` takes only milliseconds in every kernel and job.
_MODULES = {
    **dict.fromkeys(("Scan", "gridscan", "open_scan", "run_file"), "api"),
    **dict.fromkeys(("report", "keras_callback"), "worker.metrics.report"),
    **dict.fromkeys(_WORDS, "model.axis_words"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    """Return the public names, for completion: also those that are imported late."""
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})


def load_ipython_extension(shell: Any) -> None:
    """Add the magics to an IPython shell; `%load_ext jupyter_gridgpu` calls this."""
    from jupyter_gridgpu.magics import GridscanMagics

    shell.register_magics(GridscanMagics)
