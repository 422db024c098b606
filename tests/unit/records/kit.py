"""Scans written by hand: a spec, a journal, and what jobs would have left."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.records.record import Record, load_record
from jupyter_gridgpu.records.scan_provenance import input_digests
from jupyter_gridgpu.store import home, manifest
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.testing.examples import Story, notebook_json, small_scan

ABOUT = {
    "host": "node1",
    "cpu": "Fast CPU",
    "gpus": ["A100"],
    "kernel": {"name": "python3"},
    "packages": {"numpy": "1.0"},
}
Curves = Mapping[str, list[float]]


def write_scan(
    name: str = "small",
    jobs: Mapping[int, Curves | str] | None = None,
    *,
    params: Mapping[int, dict[str, Any]] | None = None,
    finished: bool = True,
    notebook: str | None = None,
    files: dict[str, Path] | None = None,
    about: dict[str, Any] | None = None,
    space: str = "lr = [0.1, 0.2, 0.3]",
    **changes: Any,
) -> Record:
    """Make a scan and return its record.

    `jobs` says for each number of a variant which curves it reported, or with which message it
    failed. A variant with no curves still runs. `changes` are fields of the scan's spec.
    """
    if jobs is None:
        jobs = {1: {"acc": [0.5, 0.9]}, 2: {"acc": [0.6, 0.8]}}
    home.home().mkdir(parents=True, exist_ok=True)
    shutil.rmtree(home.home() / name, ignore_errors=True)
    content = (notebook or notebook_json("lr = 0.1\nseed = 0", "acc = 1 - lr")).encode()
    told = {"name": name, "id": f"id-{name}", "notebook_digest": "d", **changes}
    scan = small_scan(space, **told)
    folder = home.create(scan, content, files or {}, equip, None)
    story, keys = Story(), []
    story.tell("runner.started")
    for number, curves in jobs.items():
        given = (params or {}).get(number, {"lr": number / 10})
        keys += _job(ScanPaths(folder), story, number, curves, given, scan.space.repeats, about)
    if finished:
        story.tell("scan.finished", state="done")
    (folder / "journal.jsonl").write_bytes(story.text())
    manifest.ManifestWriter(ScanPaths(folder)).add(keys)
    return load_record(folder)


def equip(paths: ScanPaths) -> None:
    """Write a worker and a provenance into a new folder."""
    paths.worker.write_bytes(b"worker")
    write_json(
        paths.provenance,
        {"format": 1, "gridgpu": "0.1", "command": "gridgpu run", "inputs": input_digests(paths)},
    )


def _job(
    paths: ScanPaths,
    story: Story,
    number: int,
    curves: Curves | str,
    params: dict[str, Any],
    repeats: tuple[str, int] | None,
    about: dict[str, Any] | None,
) -> list[str]:
    """Tell the events of one variant's job and write its files; return its key if it ended."""
    variant = f"v{number:04d}"
    key = f"{variant}.1"
    count = 1
    if repeats is not None:
        count = repeats[1]
    point, repeat = divmod(number - 1, count)
    story.tell(
        "variant.proposed", variant=variant, point=point, repeat=repeat, params=params, attrs={}
    )
    story.tell("job.intended", key=key)
    story.tell("job.submitted", key=key, engine_id=key)
    story.tell("job.observed", key=key, state="running", started=1000.0 + number)
    if not curves:
        return []
    metrics: Curves = {} if isinstance(curves, str) else curves
    write_copy(paths, key, metrics, about)
    story.tell(
        "job.reported",
        key=key,
        step=2,
        steps=2,
        whole=True,
        metrics={name: _event(values) for name, values in metrics.items()},
    )
    notebook = f"jobs/{key}/ab/output.ipynb"
    end: dict[str, Any] = {"state": "done"}
    if isinstance(curves, str):
        end = {"state": "failed", "reason": "notebook", "message": curves}
    story.tell("job.observed", key=key, ended=1001.5 + number, notebook=notebook, **end)
    return [key]


def _event(values: list[float]) -> list[Any]:
    """Return a metric as a `job.reported` event has it: count, extremes, values."""
    finite = [value for value in values if math.isfinite(value)]
    return [len(values), min(finite, default=None), max(finite, default=None), values]


def write_copy(
    paths: ScanPaths, key: str, curves: Curves, about: dict[str, Any] | None = None
) -> None:
    """Write the files that a worker leaves."""
    copy = paths.job(key).copy("ab")
    copy.folder.mkdir(parents=True)
    write_json(paths.job(key).spec, {"key": key})
    copy.notebook.write_text(
        json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    )
    lines = []
    for name, values in curves.items():
        for step, value in enumerate(values, 1):
            line = {"t": 1000.0 + step, "s": step, "m": {name: numbers.encode(value)}}
            lines.append(json.dumps(line) + "\n")
    copy.metrics.write_text("".join(lines), encoding="utf-8")
    write_json(copy.provenance, {**ABOUT, "key": key, **(about or {})})
    for result in (copy.result, paths.job(key).result):
        write_json(result, {"key": key, "copy": "ab", "state": "done"})


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of change of every file of a folder.

    Two equal answers show that nothing was written in between.
    """
    found = {}
    for here, _, files in os.walk(folder):
        for name in files:
            stat = os.lstat(Path(here) / name)
            found[str(Path(here) / name)] = (stat.st_size, stat.st_mtime_ns)
    return found
