"""MLflow: a folder with a database and the notebooks as artifacts; `mlflow ui --backend-store-uri sqlite:///mlflow.db` in it.

MLflow makes the database; the rows go into its tables at once, since its client takes 40 ms for each run.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import posixpath
import re
import shutil
import sqlite3
import sys
import warnings
from collections.abc import Iterable
from contextlib import closing, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.records.export import needs
from jupyter_gridgpu.records.record import Record

SUFFIX = "-mlflow"
NAME_LIMIT = 250
VALUE_LIMIT = 6000
_STATES = {
    "done": "FINISHED",
    "failed": "FAILED",
    "lost": "FAILED",
    "cancelled": "KILLED",
    "running": "RUNNING",
}
_KEPT = ("output.ipynb", "provenance.json")


def write(record: Record, target: Path, curves: bool) -> None:
    needs("mlflow", "mlflow")
    (target / "artifacts").mkdir(parents=True)
    database = target / "mlflow.db"
    experiment = _make(database, target / "artifacts", record.name)
    try:
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute(
                "UPDATE experiments SET artifact_location = './artifacts'"
            )  # the folder may be moved
            for variant in record.variants:
                _add(connection, record, variant, experiment)
                _keep(record, variant, target / "artifacts" / run_id(record, variant) / "artifacts")
    except sqlite3.Error as error:
        raise UsageError(
            f"This version of mlflow keeps its runs in another way ({error}); try mlflow 3."
        ) from None


def _make(database: Path, artifacts: Path, name: str) -> int:
    """Let MLflow make its database with an experiment in it, and return that one's id."""
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    with warnings.catch_warnings():  # of what mlflow itself uses of others
        warnings.simplefilter("ignore")
        from mlflow.store.tracking import sqlalchemy_store

        make: Any = sqlalchemy_store.SqlAlchemyStore
        store = make(f"sqlite:///{database}", artifacts.as_uri())
        try:
            return int(store.create_experiment(name))
        finally:
            store.engine.dispose()


def run_id(record: Record, variant: VariantView) -> str:
    """The same run has the same id in every export."""
    return hashlib.sha256(f"{record.scan.id}/{variant.id}".encode()).hexdigest()[:32]


def _add(
    connection: sqlite3.Connection, record: Record, variant: VariantView, experiment: int
) -> None:
    run = run_id(record, variant)
    started, ended = _ms(variant.started or record.scan.created), _ms(variant.ended)
    connection.execute(
        "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,"
        " source_version, lifecycle_stage, artifact_uri, experiment_id) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (run, variant.id, "NOTEBOOK", record.scan.notebook, "", "", _STATES.get(variant.state, "SCHEDULED"),
         started, ended, "", "active", f"./artifacts/{run}/artifacts", experiment),
    )  # fmt: skip
    params = [(name(key), text(value), run) for key, value in variant.params.items()]
    connection.executemany(
        "INSERT OR IGNORE INTO params (key, value, run_uuid) VALUES (?,?,?)", params
    )
    tags = [
        (key, str(value)[:VALUE_LIMIT], run)
        for key, value in _tags(record, variant).items()
        if value is not None
    ]
    connection.executemany("INSERT OR IGNORE INTO tags (key, value, run_uuid) VALUES (?,?,?)", tags)
    rows = list(_metrics(record, variant, run))
    where = "(key, timestamp, step, value, is_nan, run_uuid) VALUES (?,?,?,?,?,?)"
    connection.executemany(f"INSERT OR IGNORE INTO metrics {where}", rows)
    latest = {row[0]: row for row in rows}
    connection.executemany(f"INSERT OR IGNORE INTO latest_metrics {where}", latest.values())


def _tags(record: Record, variant: VariantView) -> dict[str, Any]:
    return {
        "mlflow.runName": variant.id,
        "mlflow.source.name": record.scan.notebook,
        "mlflow.source.type": "NOTEBOOK",
        "gridgpu.scan": record.scan.id,
        "gridgpu.variant": variant.id,
        "gridgpu.state": variant.state,
        "gridgpu.reason": variant.reason,
        "gridgpu.message": variant.message,
    }


def _metrics(
    record: Record, variant: VariantView, run: str
) -> Iterable[tuple[str, int, int, float, int, str]]:
    counts: dict[str, int] = {}
    for reading in record.series(variant):
        for key, value in reading.values.items():
            counts[key] = counts.get(key, 0) + 1
            step = reading.step if reading.step is not None else counts[key]
            yield name(key), _ms(reading.time) or 0, step, *_number(float(value)), run


def _number(value: float) -> tuple[float, int]:
    """A value as MLflow's tables hold it: NaN by its flag, an infinity as the largest float."""
    if math.isnan(value):
        return 0.0, 1
    return (value, 0) if math.isfinite(value) else (math.copysign(sys.float_info.max, value), 0)


@lru_cache(4096)
def name(key: str) -> str:
    """Return a name that MLflow takes: letters, digits, and of signs `_ - . / :` and blanks."""
    clean = re.sub(r"[^/\w.\- :]", "_", key)
    if posixpath.normpath(clean) != clean or clean.startswith(("/", "..")) or clean == ".":
        clean = re.sub(r"[/.]", "_", clean)
    return clean[:NAME_LIMIT]


def text(value: Any) -> str:
    """Return a parameter's value as text."""
    made = (
        value
        if isinstance(value, str)
        else json.dumps(numbers.strict(value, mark=""), ensure_ascii=False)
    )
    return made[:VALUE_LIMIT]


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None or not math.isfinite(seconds) else int(seconds * 1000)


def _keep(record: Record, variant: VariantView, folder: Path) -> None:
    copy = record.copy(variant)
    if copy is None:
        return
    folder.mkdir(parents=True)
    for kept in _KEPT:
        with (
            suppress(FileNotFoundError),
            record.open(f"{copy}/{kept}") as source,
            open(folder / kept, "wb") as target,
        ):
            shutil.copyfileobj(source, target)
