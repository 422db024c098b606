"""How result.json is read with suspicion, how job.json is written, how a backend is found."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import backends
from jupyter_gridgpu.backends.base import Job, job_spec, notebook_of, read_result, write_spec
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.store.paths import ScanPaths, read_json
from jupyter_gridgpu.testing.examples import small_scan

KEY = "v0001.1"
DONE = {
    "key": KEY,
    "copy": "ab12",
    "started": 10.0,
    "ended": 12.5,
    "peak_mb": 80.5,
    "state": "done",
}


@pytest.fixture
def paths(tmp_path: Path) -> ScanPaths:
    paths = ScanPaths(tmp_path)
    paths.job(KEY).copy("ab12").folder.mkdir(parents=True)
    paths.job(KEY).copy("ab12").notebook.write_text("{}")
    return paths


def result(paths: ScanPaths, **changes: Any) -> Any:
    paths.job(KEY).result.write_text(json.dumps({**DONE, **changes}))
    return read_result(paths, KEY)


def test_a_sound_result_is_believed(paths: ScanPaths) -> None:
    assert read_result(paths, KEY) is None
    seen = result(paths)
    assert (seen.state, seen.reason, seen.started, seen.ended, seen.peak_mb) == (
        "done",
        None,
        10.0,
        12.5,
        80.5,
    )
    assert seen.notebook == "jobs/v0001.1/ab12/output.ipynb"


def test_a_failure_says_why_and_where(paths: ScanPaths) -> None:
    seen = result(
        paths, state="failed", reason="oom", message="Out of\nmemory \x1b[31m" + "x" * 2000, cell=3
    )
    assert (seen.state, seen.reason, seen.cell) == ("failed", "oom", 3)
    assert seen.message.startswith("Out of memory xxx")
    assert len(seen.message) <= 500


@pytest.mark.parametrize(
    "changes",
    [
        {"key": "v0002.1"},
        {"key": None},
        {"state": "running"},
        {"state": "lost"},
        {"state": ["done"]},
    ],
)
def test_an_unsound_result_is_none(paths: ScanPaths, changes: dict[str, Any]) -> None:
    assert result(paths, **changes) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"done"', "[" * 100_000])
def test_a_result_that_is_no_object_is_none(paths: ScanPaths, text: str) -> None:
    paths.job(KEY).result.write_text(text)
    assert read_result(paths, KEY) is None


@pytest.mark.parametrize("reason", [None, "magic", 3, ["oom"]])
def test_a_failure_for_an_unknown_reason_is_the_notebook_s(
    paths: ScanPaths, reason: object
) -> None:
    assert result(paths, state="failed", reason=reason).reason == "notebook"


def test_a_worker_that_was_told_to_prune_says_so(paths: ScanPaths) -> None:
    seen = result(paths, state="failed", reason="pruned", message="Worse than half.")
    assert (seen.state, seen.reason, seen.message) == ("failed", "pruned", "Worse than half.")


@pytest.mark.parametrize("cell", [0, -1, 10**9, "3", 2.5, None, [1]])
def test_an_impossible_cell_is_dropped(paths: ScanPaths, cell: object) -> None:
    assert result(paths, state="failed", cell=cell).cell is None


@pytest.mark.parametrize("name", ["started", "ended", "peak_mb"])
def test_a_time_or_size_that_is_not_finite_is_dropped(paths: ScanPaths, name: str) -> None:
    values = [math.nan, math.inf, "Infinity", "-Infinity", "NaN", 10**400, "x", [1], None]
    assert {getattr(result(paths, **{name: value}), name) for value in values} == {None}


@pytest.mark.parametrize(
    "copy", ["..", "../..", "/", "", "none", None, 3, "AB12", "ab12/", "ab12\n"]
)
def test_a_notebook_outside_of_the_copies_is_not_believed(paths: ScanPaths, copy: object) -> None:
    (paths.jobs / "output.ipynb").write_text("{}")
    assert notebook_of(paths, KEY, copy) is None


def test_a_notebook_that_is_a_link_is_not_believed(paths: ScanPaths, tmp_path: Path) -> None:
    notebook = paths.job(KEY).copy("ab12").notebook
    notebook.unlink()
    notebook.symlink_to(os.devnull)
    assert notebook_of(paths, KEY, "ab12") is None
    (tmp_path / "elsewhere").write_text("{}")
    notebook.unlink()
    notebook.symlink_to(tmp_path / "elsewhere")
    assert notebook_of(paths, KEY, "ab12") is None


def test_a_job_file_says_what_is_to_be_run(tmp_path: Path) -> None:
    scan = small_scan(resources=Resources(0, 2000, 60))
    job = Job(KEY, ScanPaths(tmp_path).job(KEY), job_spec(scan, KEY, {"lr": 0.1}))
    write_spec(job, {"A": "1"})
    write_spec(job, {"A": "2"})
    body = read_json(job.paths.spec)
    assert body == {
        "key": KEY,
        "scan": "small",
        "params": {"lr": 0.1},
        "kernel": "python3",
        "python": None,
        "objective": "acc",
        "objectives": ["acc"],
        "walltime_s": 60,
        "grace_s": None,
        "memory_mb": 2000,
        "language": "python",
        "prefork": True,
        "id": scan.id,
        "notebook_digest": "",
        "image": None,
        "image_digest": None,
        "env": {"A": "2"},
    }
    assert job.paths.folder.stat().st_mode & 0o777 == 0o700


def test_a_backend_is_found_by_name(tmp_path: Path) -> None:
    assert "local" in backends.names()
    assert backends.load(small_scan(), ScanPaths(tmp_path)).poll_s > 0
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(UsageError, match=r"'moon' is not known; choose one of .*local"):
        backends.load(small_scan(backend="moon"), ScanPaths(tmp_path))
