"""A scan in the formats of other tools: one module a kind, each with `SUFFIX` and `write(record, target, curves)`.

Every target is written beside its place and then given its name, so that it is complete or not there.
"""

from __future__ import annotations

import importlib
import os
import shutil
import tempfile
from pathlib import Path

from jupyter_gridgpu.errors import StorageError, UsageError
from jupyter_gridgpu.records.record import Record

KINDS = {
    "csv": "csv_table",
    "parquet": "parquet_table",
    "json": "json_file",
    "papermill": "papermill_folder",
    "optuna": "optuna_study",
    "mlflow": "mlflow_runs",
    "html": "html_report",
}
WITH_CURVES = ("csv", "parquet")


def export(record: Record, kind: str, target: Path | None = None, curves: bool = False) -> Path:
    """Write a scan as `kind` and return where. Raises UsageError or StorageError; nothing that is there is overwritten."""
    if kind not in KINDS:
        raise UsageError(f"--to {kind!r} is not known; choose one of {', '.join(KINDS)}.")
    if curves and kind not in WITH_CURVES:
        raise UsageError(
            f"--curves is for {' and '.join(WITH_CURVES)}; {kind} has the curves in it anyway."
        )
    module = importlib.import_module(f"{__name__}.{KINDS[kind]}")
    target = (
        target or Path(f"{record.name}{'-curves' if curves else ''}{module.SUFFIX}")
    ).absolute()
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} is there already; name another place with --output.")
    try:
        with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as scratch:
            made = Path(scratch) / target.name
            module.write(record, made, curves)
            _give_name(made, target)
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror or error}.") from None
    return target


def _give_name(made: Path, target: Path) -> None:
    if made.is_dir():
        os.rename(made, target)
        return
    try:
        os.link(made, target)  # refuses to replace what somebody else has just written there
    except FileExistsError:
        raise
    except OSError:
        shutil.move(made, target)


def needs(package: str, module: str) -> None:
    """Raise UsageError if a package that an export needs is not there."""
    try:
        importlib.import_module(module)
    except ImportError:
        raise UsageError(
            f"This export needs {package}: pip install 'jupyter_gridgpu[export]'."
        ) from None
