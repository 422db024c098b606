"""MLflow: a folder with a database, in which each variant is a run, and with the notebooks.

In the folder, `mlflow ui --backend-store-uri sqlite:///mlflow.db` shows it. The export loses the
spec, the provenance of the scan, and earlier attempts. Names of parameters and metrics lose the
characters that MLflow does not take, long texts are cut, and an infinity becomes the largest float.

MLflow itself makes the empty database. The rows are then inserted directly, since MLflow's client
takes 40 ms for each run.
"""

from __future__ import annotations

import hashlib
import logging
import math
import posixpath
import re
import shutil
import sqlite3
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.records.export.base import require_package, text_or_json
from jupyter_gridgpu.records.record import Record

SUFFIX = "-mlflow"
# MLflow's own limits, in characters.
NAME_LIMIT = 250
VALUE_LIMIT = 6000
# Our states and what MLflow calls them. Any other state is SCHEDULED.
_STATUS = {
    "done": "FINISHED",
    "failed": "FAILED",
    "lost": "FAILED",
    "cancelled": "KILLED",
    "running": "RUNNING",
}
_ARTIFACTS = ("output.ipynb", "provenance.json")
_INSERT_RUN = """
    INSERT INTO runs (
        run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time,
        end_time, source_version, lifecycle_stage, artifact_uri, experiment_id
    ) VALUES (?, ?, 'NOTEBOOK', ?, '', '', ?, ?, ?, '', 'active', ?, ?)
"""
# Two of our names may become one name in MLflow. Then the first value is kept.
_INSERT_PARAMETER = "INSERT OR IGNORE INTO params (key, value, run_uuid) VALUES (?, ?, ?)"
_INSERT_TAG = "INSERT OR IGNORE INTO tags (key, value, run_uuid) VALUES (?, ?, ?)"
_METRIC_COLUMNS = "(key, timestamp, step, value, is_nan, run_uuid) VALUES (?, ?, ?, ?, ?, ?)"
_INSERT_METRIC = f"INSERT OR IGNORE INTO metrics {_METRIC_COLUMNS}"
_INSERT_LATEST_METRIC = f"INSERT OR IGNORE INTO latest_metrics {_METRIC_COLUMNS}"

# Name, time (ms since the epoch), step, value, whether the value is NaN, id of the run
MetricRow = tuple[str, int, int, float, int, str]


def write(record: Record, target: Path, curves: bool) -> None:
    """Write the folder. Raises UsageError if mlflow is missing or has other tables."""
    require_package("mlflow", "mlflow")
    artifacts = target / "artifacts"
    artifacts.mkdir(parents=True)
    database = target / "mlflow.db"
    experiment = _make_database(database, artifacts, record.name)
    try:
        with closing(sqlite3.connect(database)) as connection, connection:
            # A relative place, so that the folder may be moved.
            connection.execute("UPDATE experiments SET artifact_location = './artifacts'")
            for variant in record.variants:
                run = _run_id(record, variant)
                _insert_run(connection, record, variant, run, experiment)
                _copy_artifacts(record, variant, artifacts / run / "artifacts")
    except sqlite3.Error as error:
        raise UsageError(
            f"This version of mlflow keeps its runs in another way ({error}); try mlflow 3."
        ) from None


def _make_database(database: Path, artifacts: Path, name: str) -> int:
    """Let MLflow make its database with one experiment in it, and return the experiment's id."""
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    # MLflow causes warnings in its own dependencies, about which our user can do nothing.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow.store.tracking import sqlalchemy_store

        make_store: Any = sqlalchemy_store.SqlAlchemyStore
        store = make_store(f"sqlite:///{database}", artifacts.as_uri())
        try:
            return int(store.create_experiment(name))
        finally:
            store.engine.dispose()


def _run_id(record: Record, variant: VariantView) -> str:
    """Return the id of a variant's run, which is the same in every export of a scan."""
    return hashlib.sha256(f"{record.scan.id}/{variant.id}".encode()).hexdigest()[:32]


def _insert_run(
    connection: sqlite3.Connection,
    record: Record,
    variant: VariantView,
    run: str,
    experiment: int,
) -> None:
    """Insert a run with its parameters, tags and metrics. Raises sqlite3.Error."""
    connection.execute(
        _INSERT_RUN,
        (
            run,
            variant.id,
            record.scan.notebook,
            _STATUS.get(variant.state, "SCHEDULED"),
            # A run that has not started needs a time for it.
            _milliseconds(variant.started or record.scan.created),
            _milliseconds(variant.ended),
            f"./artifacts/{run}/artifacts",
            experiment,
        ),
    )
    parameters = [
        (allowed_name(name), text_or_json(value)[:VALUE_LIMIT], run)
        for name, value in variant.params.items()
    ]
    connection.executemany(_INSERT_PARAMETER, parameters)
    tags = [(name, text, run) for name, text in _tags(record, variant)]
    connection.executemany(_INSERT_TAG, tags)
    metrics = list(_metric_rows(record, variant, run))
    connection.executemany(_INSERT_METRIC, metrics)
    latest = {row[0]: row for row in metrics}
    connection.executemany(_INSERT_LATEST_METRIC, latest.values())


def _tags(record: Record, variant: VariantView) -> Iterator[tuple[str, str]]:
    """Yield the tags of a run. MLflow itself uses those whose name begins with `mlflow.`."""
    tags = {
        "mlflow.runName": variant.id,
        "mlflow.source.name": record.scan.notebook,
        "mlflow.source.type": "NOTEBOOK",
        "gridgpu.scan": record.scan.id,
        "gridgpu.variant": variant.id,
        "gridgpu.state": variant.state,
        "gridgpu.reason": variant.reason,
        "gridgpu.message": variant.message,
    }
    if len(record.view.objectives) > 1:
        tags["pareto"] = "front" if _is_in_front(record, variant) else "no"
    for name, value in tags.items():
        if value is not None:
            yield name, str(value)[:VALUE_LIMIT]


def _is_in_front(record: Record, variant: VariantView) -> bool:
    return any(variant is one for one in record.view.pareto())


def _metric_rows(record: Record, variant: VariantView, run: str) -> Iterator[MetricRow]:
    """Yield a row of MLflow's table for each value that the variant's job reported."""
    counts: dict[str, int] = {}
    for reading in record.series(variant):
        time = _milliseconds(reading.time) or 0
        for name, value in reading.values.items():
            counts[name] = counts.get(name, 0) + 1
            # A notebook need not report steps. Then the values of a metric are counted.
            step = reading.step
            if step is None:
                step = counts[name]
            number, is_nan = _number_and_flag(float(value))
            yield allowed_name(name), time, step, number, is_nan, run
    yield from _objective_rows(record, variant, run)


def _objective_rows(record: Record, variant: VariantView, run: str) -> Iterator[MetricRow]:
    """Yield a row for the value of each objective, if there are several: `objective/NAME`."""
    if len(record.view.objectives) < 2:
        return
    time = _milliseconds(variant.ended) or 0
    for objective, value in zip(record.view.objectives, record.view.values(variant), strict=True):
        if value is not None:
            number, is_nan = _number_and_flag(float(value))
            yield allowed_name(f"objective/{objective.metric}"), time, 0, number, is_nan, run


def _number_and_flag(value: float) -> tuple[float, int]:
    """Return a value and whether it is NaN (1 or 0), as MLflow's tables hold them.

    A database column takes no infinity. MLflow puts the largest float in its place.
    """
    if math.isnan(value):
        return 0.0, 1
    if math.isinf(value):
        return math.copysign(sys.float_info.max, value), 0
    return value, 0


@lru_cache(4096)
def allowed_name(name: str) -> str:
    """Return a name that MLflow takes: letters, digits, blanks and the signs `_ - . / :`."""
    clean = re.sub(r"[^/\w.\- :]", "_", name)
    # MLflow uses names as paths, which must be in their shortest form and must not lead outside.
    is_path_inside = posixpath.normpath(clean) == clean and not clean.startswith(("/", ".."))
    if not is_path_inside or clean == ".":
        clean = re.sub(r"[/.]", "_", clean)
    return clean[:NAME_LIMIT]


def _milliseconds(seconds: float | None) -> int | None:
    if seconds is None or not math.isfinite(seconds):
        return None
    return int(seconds * 1000)


def _copy_artifacts(record: Record, variant: VariantView, folder: Path) -> None:
    """Copy the executed notebook and the provenance of a variant, if they are there."""
    copy = record.copy(variant)
    if copy is None:
        return
    folder.mkdir(parents=True)
    for name in _ARTIFACTS:
        with (
            suppress(FileNotFoundError),
            record.open(f"{copy}/{name}") as source,
            open(folder / name, "wb") as target,
        ):
            shutil.copyfileobj(source, target)
