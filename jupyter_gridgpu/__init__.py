"""Hyper-parameter scans of training notebooks, from a notebook cell to GPUs that belong to somebody else."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jupyter_gridgpu.client import ScanHandle, gridscan, list_scans, open_scan
    from jupyter_gridgpu.worker.report import report

__version__ = "0.1.0"
__all__ = ["ScanHandle", "gridscan", "list_scans", "open_scan", "report"]

# Looked up on first use, so that `import jupyter_gridgpu` costs milliseconds in every kernel and job.
_HOMES = {
    "gridscan": "client",
    "open_scan": "client",
    "list_scans": "client",
    "ScanHandle": "client",
    "report": "worker.report",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def load_ipython_extension(shell: Any) -> None:
    """Make `%gridscan` and `%%gridscan` known to an IPython shell (called by `%load_ext jupyter_gridgpu`)."""
    from jupyter_gridgpu.magics import GridscanMagics

    shell.register_magics(GridscanMagics)
