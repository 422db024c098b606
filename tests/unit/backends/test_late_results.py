"""A disk that shows an old state loses no result, and has nothing run twice."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.backends import late_results
from jupyter_gridgpu.backends.base import has_damaged_result
from jupyter_gridgpu.backends.batch import tracking
from jupyter_gridgpu.backends.batch.batches import BatchStore
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.backends.local.devices import GpuPins
from jupyter_gridgpu.backends.local.tracking import GONE_S, LOST_S, LocalJobTracker
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.model.resources import Placement
from jupyter_gridgpu.store.paths import ScanPaths, publish, read_json, write_json
from jupyter_gridgpu.worker.job import run_job
from tests.stale_view import StaleView

from .scripted import Scripted
from .test_local_tracking import FakeStarter

KEY, TASK = "v0001.1", "0001_1"
LINES = '{"t":1.0,"m":{"loss":2.0}}\n{"t":2.0,"m":{"loss":1.0}}\n'


@pytest.fixture
def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StaleView:
    return StaleView(tmp_path, monkeypatch)


@pytest.fixture
def backend(paths: ScanPaths, view: StaleView) -> Scripted:
    made = Scripted(paths)
    made._tracker.grace_s = 0.0
    return made


def finish(paths: ScanPaths, view: StaleView, name: str = "ab12", **changes: Any) -> None:
    """A worker on another host runs a job to its end."""
    with view.elsewhere():
        copy = paths.job(KEY).copy(name)
        copy.folder.mkdir()
        write_json(copy.about, {"host": "node1", "started": 5.0, "gpus": None, "models": []})
        copy.metrics.write_text(LINES)
        copy.notebook.write_text("{}")
        left = {"metrics.jsonl": len(LINES), "output.ipynb": 2}
        body = {"key": KEY, "copy": name, "started": 5.0, "ended": 9.0, "state": "done"}
        write_json(copy.result, {**body, "left": left, **changes})
        if changes.get("reason") != "preempted":
            publish(copy.result, paths.job(KEY).result)


def state(seen: Observation | None) -> str | None:
    return None if seen is None else seen.state


@pytest.mark.parametrize(
    "status",
    [
        TaskStatus("done"),
        TaskStatus("failed", "node", "exit code 1"),
        TaskStatus("cancelled"),
        None,
    ],
)
def test_a_result_that_is_not_seen_yet_is_waited_for(
    paths: ScanPaths,
    backend: Scripted,
    view: StaleView,
    status: TaskStatus | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Old code called it failed, cancelled or lost."""
    monkeypatch.setattr(tracking, "LOST_POLLS", 0)
    ids = backend.hand_over(1)
    backend.says({TASK: TaskStatus("queued")})
    backend.one(ids)
    finish(paths, view)
    for _ in range(5):
        time.sleep(0.01)
        backend.says({TASK: status} if status else {})
        assert state(backend.one(ids)) in (None, "running")
    view.catch_up()
    backend.says({TASK: status} if status else {})
    assert state(backend.one(ids)) == "done"
    assert not list(paths.job(KEY).folder.glob(".*"))


def test_a_stopped_job_that_the_batch_system_forgot_may_have_a_result(
    paths: ScanPaths, backend: Scripted, view: StaleView
) -> None:
    ids = backend.hand_over(1)
    backend.says({TASK: TaskStatus("queued")})
    backend.one(ids)
    finish(paths, view)
    backend.cancel(ids)
    for _ in range(3):
        time.sleep(0.01)
        backend.says({})
        assert state(backend.one(ids)) in (None, "running")
    view.catch_up()
    assert state(backend.one(ids)) == "done"


def test_files_that_are_seen_after_the_result_are_waited_for(
    paths: ScanPaths, backend: Scripted, view: StaleView, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old code recorded no notebook, and read metrics without their end."""
    ids = backend.hand_over(1)
    backend.says({TASK: TaskStatus("running")})
    with view.elsewhere():
        copy = paths.job(KEY).copy("ab12")
        copy.folder.mkdir()
        copy.about.write_text("{}")
    assert state(backend.one(ids)) == "running"  # it looks for the notebook
    with view.elsewhere():
        copy.about.unlink()
        copy.folder.rmdir()
    finish(paths, view)
    backend.says({TASK: TaskStatus("done")})
    view.catch_up()
    view.forgets = {str(copy.notebook)}
    assert state(backend.one(ids)) != "done"
    view.forgets = {str(copy.metrics)}
    assert state(backend.one(ids)) != "done"
    view.forgets = set()
    view.catch_up()
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.notebook) == ("done", f"jobs/{KEY}/ab12/output.ipynb")


def test_files_that_never_come_hold_a_result_up_for_a_while_only(
    paths: ScanPaths, backend: Scripted, view: StaleView, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = backend.hand_over(1)
    finish(paths, view, left={"output.ipynb": 3, "metrics.jsonl": -1, "x": None})
    backend.says({TASK: TaskStatus("done")})
    assert state(backend.one(ids)) != "done"
    monkeypatch.setattr(late_results, "WHOLE_S", 0.0)
    assert state(backend.one(ids)) == "done"


def test_a_job_that_was_given_up_can_have_no_result_any_more(
    paths: ScanPaths, backend: Scripted, view: StaleView
) -> None:
    """A copy that comes late does not run: the variant may be on its next attempt."""
    ids = backend.hand_over(1)
    backend.says({TASK: TaskStatus("failed", None, "Its node died.")})
    backend.one(ids)
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.reason) == ("failed", "node")
    body = read_json(paths.job(KEY).result)
    assert (body["state"], body["reason"]) == ("failed", "node")
    assert run_job(paths.job(KEY).spec) == 0
    finish(paths, view)
    assert read_json(paths.job(KEY).result) == body
    assert not paths.job(KEY).copy("cd34").folder.exists()


def test_what_travels_with_the_job_is_not_compared_and_nothing_is_written(
    paths: ScanPaths, view: StaleView
) -> None:
    backend = Scripted(paths, placement=Placement(shared=False))
    backend._tracker.grace_s = 0.0
    ids = backend.hand_over(1)
    backend.says({TASK: TaskStatus("failed")})
    backend.one(ids)
    assert state(backend.one(ids)) == "failed"
    assert not paths.job(KEY).result.exists()


def test_a_result_that_the_disk_forgot_is_not_damaged(
    paths: ScanPaths, backend: Scripted, view: StaleView
) -> None:
    ids = backend.hand_over(1)
    finish(paths, view)
    result = paths.job(KEY).result
    view.forgets = {str(result)}
    assert not has_damaged_result(paths, KEY)
    backend.says({TASK: TaskStatus("done")})
    assert state(backend.one(ids)) in (None, "running")
    view.forgets = set()
    assert state(backend.one(ids)) == "done"
    result.unlink()
    result.write_text("{")
    assert has_damaged_result(paths, KEY)


def test_a_folder_whose_time_never_changes_hides_no_result(
    paths: ScanPaths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tracking, "LOST_POLLS", 0)
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    folder = paths.job(KEY).folder
    os.utime(folder, (5, 5))
    backend.says({TASK: TaskStatus("queued")})
    backend.one(ids)
    backend.says({})
    backend.one(ids)
    copy = backend.copy(KEY)
    write_json(copy.result, {"key": KEY, "copy": "ab12", "state": "done"})
    publish(copy.result, paths.job(KEY).result)
    os.utime(folder, (5, 5))
    backend.says({})
    assert state(backend.one(ids)) == "done"


def test_a_batch_that_a_list_of_the_folder_lacks_is_found_by_its_name(
    paths: ScanPaths, view: StaleView
) -> None:
    """Its jobs would be sent again, and run twice."""
    first = BatchStore(paths)
    first.make([["v0001.1"]])
    assert BatchStore(paths).place("v0002.1") is None  # this host has the list now
    with view.elsewhere():
        other = BatchStore(paths)
        other.record_id(other.make([["v0002.1"], ["v0003.1"]]), "17")
        other.make([["v0004.1"]])
    view.like_nfs = True
    late = BatchStore(paths)
    assert late.place("v0003.1") is not None
    assert [batch.name for batch in late.unconfirmed(["v0002.1", "v0004.1"])] == ["b0003"]
    assert late.make([["v0005.1"]]).name == "b0004"


class Ground:
    """A tracker of this machine whose worker has ended."""

    def __init__(self, folder: Path) -> None:
        self.paths = ScanPaths(folder)
        self.job = self.paths.job(KEY)
        self.job.folder.mkdir(parents=True)
        write_json(self.job.spec, {"key": KEY})
        self.now = 1000.0
        self.tracker = LocalJobTracker(
            self.paths, FakeStarter(), GpuPins(), False, 12.0, clock=lambda: self.now
        )
        self.tracker.hand_over(KEY)

    def claimed(self, host: str) -> None:
        dead = {"host": host, "boot": "x", "pid": 2**22 + 5, "start": 1}
        claim = {**dead, "copy": "ab12", "folder": str(self.job.folder)}
        write_json(self.job.claim, claim)


def test_a_worker_of_this_machine_that_ended_may_have_left_a_result(
    tmp_path: Path, view: StaleView
) -> None:
    ground = Ground(tmp_path)
    ground.claimed(socket.gethostname())
    assert not ground.job.result.exists()
    assert read_json(ground.job.result) is None
    finish(ground.paths, view)
    assert ground.tracker.look(KEY).state == "running"
    view.catch_up()
    assert ground.tracker.look(KEY).state == "done"


def test_a_worker_that_was_killed_left_none(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    ground.claimed(socket.gethostname())
    seen = ground.tracker.look(KEY)
    assert (seen.state, seen.reason) == ("failed", "node")
    assert read_json(ground.job.result)["message"] == seen.message


def test_a_job_of_a_silent_host_may_have_left_a_result(tmp_path: Path, view: StaleView) -> None:
    ground = Ground(tmp_path)
    ground.claimed("elsewhere")
    assert ground.tracker.look(KEY).state == "running"
    finish(ground.paths, view)
    ground.now += LOST_S + 1
    assert ground.tracker.look(KEY).state == "running"
    view.catch_up()
    assert ground.tracker.look(KEY).state == "done"


def test_a_folder_that_is_away_for_a_moment_loses_no_job(tmp_path: Path) -> None:
    ground = Ground(tmp_path)
    away = ground.job.folder.with_name("away")
    ground.job.folder.rename(away)
    assert ground.tracker.look(KEY).state == "queued"
    ground.now += GONE_S / 2
    away.rename(ground.job.folder)
    assert ground.tracker.look(KEY).state == "queued"
    ground.job.folder.rename(away)
    assert ground.tracker.look(KEY).state == "queued"
    ground.now += GONE_S + 1
    assert ground.tracker.look(KEY).state == "lost"


def test_a_worker_says_how_large_its_files_were(paths: ScanPaths) -> None:
    from jupyter_gridgpu.worker.job import _publish_result

    job = paths.job(KEY)
    copy = job.copy("ab12")
    copy.folder.mkdir(parents=True)
    copy.metrics.write_text(LINES)
    _publish_result({}, job, copy, {"key": KEY})
    assert json.loads(job.result.read_text())["left"] == {"metrics.jsonl": len(LINES)}
