"""A scan in the formats of other tools, one module for each format.

Each of these modules is an `Exporter` (see `base.py`). A module is imported only when its format is
asked for, since some modules need large packages.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import cast

from jupyter_gridgpu.errors import StorageError, UsageError
from jupyter_gridgpu.records.export.base import Exporter
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.store.access import why

KINDS = {  # word of `--to` -> module
    "csv": "csv_table",
    "parquet": "parquet_table",
    "json": "json_file",
    "papermill": "papermill_folder",
    "optuna": "optuna_study",
    "mlflow": "mlflow_runs",
    "html": "html_report",
}
RANKED = ("csv", "parquet", "json", "optuna", "html")  # formats that tell how variants rank
WITH_CURVES = ("csv", "parquet")  # formats in which a user chooses between variants and curves


def load_exporter(kind: str) -> Exporter:
    """Return the exporter of a format. Raises KeyError for a format that does not exist."""
    module = importlib.import_module(f"{__name__}.{KINDS[kind]}")
    # mypy cannot check a module that is imported by name. A unit test lets mypy check each of them.
    return cast(Exporter, module)


def export(record: Record, kind: str, target: Path | None = None, curves: bool = False) -> Path:
    """Write a scan in a format and return the file or folder.

    Without a `target` it is called like the scan, in the current folder. Nothing that is there is
    overwritten. Raises UsageError or StorageError.
    """
    if kind not in KINDS:
        raise UsageError(f"--to {kind!r} is not known; choose one of {', '.join(KINDS)}.")
    if curves and kind not in WITH_CURVES:
        raise UsageError(
            f"--curves is for {' and '.join(WITH_CURVES)}; {kind} has the curves in it anyway."
        )
    exporter = load_exporter(kind)
    if target is None:
        target = _default_target(record, exporter, curves)
    target = target.absolute()
    if os.path.lexists(target):
        raise UsageError(f"{target} is there already; name another place with --output.")
    # An export is written beside its place and gets its name when it is complete. So a file with
    # this name is always complete.
    try:
        with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as scratch:
            written = Path(scratch) / target.name
            exporter.write(record, written, curves)
            _move(written, target)
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {why(error, target)}.") from None
    return target


def _default_target(record: Record, exporter: Exporter, curves: bool) -> Path:
    if curves:
        return Path(f"{record.name}-curves{exporter.SUFFIX}")
    return Path(f"{record.name}{exporter.SUFFIX}")


def _move(written: Path, target: Path) -> None:
    """Move a file or folder to a place where nothing is. Raises OSError."""
    if written.is_dir():
        os.rename(written, target)
        return
    try:
        # A link, unlike a rename, refuses to replace a file that somebody else has just written.
        os.link(written, target)
    except FileExistsError:
        raise
    except OSError:
        # Some file systems have no hard links.
        shutil.move(written, target)
