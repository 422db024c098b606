"""Hyper-parameter scans of training notebooks, from a notebook cell to GPUs that belong to somebody else."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_gridgpu.api import Scan, gridscan, open_scan
    from jupyter_gridgpu.model.grammar import (
        choice,
        fixed,
        geomspace,
        integer,
        linspace,
        logint,
        loguniform,
        repeats,
        uniform,
    )
    from jupyter_gridgpu.worker.metrics.report import keras_callback, report

__version__ = "0.1.0"
__all__ = [
    "Scan", "choice", "fixed", "geomspace", "gridscan", "integer", "keras_callback", "linspace", "logint", "loguniform",
    "open_scan", "repeats", "report", "uniform",
]  # fmt: skip

# Looked up on first use, so that `import jupyter_gridgpu` costs milliseconds in every kernel and job.
_GRAMMAR = (
    "choice",
    "fixed",
    "geomspace",
    "integer",
    "linspace",
    "logint",
    "loguniform",
    "repeats",
    "uniform",
)
_HOMES = {
    **dict.fromkeys(("Scan", "gridscan", "open_scan"), "api"),
    **dict.fromkeys(("report", "keras_callback"), "worker.metrics.report"),
    **dict.fromkeys(_GRAMMAR, "model.grammar"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def load_ipython_extension(shell: Any) -> None:
    """Make `%gridscan` and `%%gridscan` known to an IPython shell (called by `%load_ext jupyter_gridgpu`)."""
    from jupyter_gridgpu.magics import GridscanMagics

    shell.register_magics(GridscanMagics)
