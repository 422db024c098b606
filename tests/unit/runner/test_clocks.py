"""A machine that sleeps, and a clock that is set, while a runner drives a scan."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from jupyter_gridgpu.backends.base import Backend, Capabilities, Job
from jupyter_gridgpu.model import row_text, wire
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.model.scan import to_json
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.runner.clocks import ClockTimes, ClockWatch, read_clocks
from jupyter_gridgpu.runner.loop import Runner
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.journal import JournalReader
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.testing.examples import small_scan


class FakeMachine:
    """A machine with clocks and a backend, whose jobs are in the state that the test wants."""

    poll_s = 0.0
    capabilities = Capabilities()

    def __init__(self) -> None:
        self.day, self.boot, self.awake = 1_000_000.0, 500.0, 400.0
        self.has_clocks = True
        self.seen: Observation | None = None

    def clocks(self) -> ClockTimes | None:
        return ClockTimes(self.day, self.boot, self.awake) if self.has_clocks else None

    def work(self, seconds: float) -> None:
        self.sleep(seconds)
        self.awake += seconds

    def sleep(self, seconds: float) -> None:
        self.day += seconds
        self.boot += seconds

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        return {}

    def submit(self, jobs: Sequence[Job]) -> dict[str, Any]:
        return {job.key: job.key for job in jobs}

    def poll(self, ids: dict[str, str]) -> dict[str, Observation]:
        if self.seen is None:
            self.seen = Observation("running", started=self.day)
        return dict.fromkeys(ids, self.seen)

    def slots(self) -> None:
        return None

    def notice(self) -> None:
        return None


class DrivenByFake:
    """A scan that a real runner drives on a fake machine, tick by tick."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
        self.paths = ScanPaths(folder)
        self.paths.jobs.mkdir()
        self.paths.inbox.mkdir()
        self.machine = FakeMachine()
        # Events of the journal and faces read the clock of the day.
        monkeypatch.setattr(time, "time", lambda: self.machine.day)
        scan = small_scan(created=self.machine.day, objective=None, **changes)
        write_json(self.paths.spec, to_json(scan))

    @contextmanager
    def runner(self) -> Iterator[Runner]:
        runner = Runner(self.paths.folder, cast(Backend, self.machine), self.machine.clocks)
        try:
            yield runner
        finally:
            runner.scan.journal.close()
            runner.lease.release()

    def tick(self, runner: Runner) -> None:
        assert not runner.try_tick(self.machine.awake)

    def shown(self) -> tuple[wire.Head, wire.Row]:
        """Return what every face is shown, from the journal."""
        events = JournalReader(self.paths.journal).read()
        view = ScanView(home.load(self.paths.folder)).apply_all(events)
        head = wire.head(view, view.state, self.machine.day)
        note = head["note"]
        warnings = wire.summary(view, view.state, "/scan")["warnings"]
        assert warnings == ([note] if note else [])
        return head, wire.row(view, view.variants["v0001"])


def test_a_machine_that_slept_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = DrivenByFake(tmp_path, monkeypatch)
    with scan.runner() as runner:
        notes = []
        # Short sleeps count, too, once there were enough of them.
        for seconds in (0.0, 40.0, 40.0, 720.0):
            scan.machine.sleep(seconds)
            scan.machine.work(1.0)
            scan.tick(runner)
            notes.append(scan.shown()[0]["note"])
    assert notes == [
        None,
        None,
        "The machine slept 1 min 20 s while the scan ran.",
        "The machine slept 13 min while the scan ran.",
    ]


@pytest.mark.parametrize("set_by", [-18_000.0, -90.0, 90.0, 18_000.0])
def test_a_clock_that_is_set_leaves_durations_true(
    set_by: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = DrivenByFake(tmp_path, monkeypatch)
    with scan.runner() as runner:
        for _ in range(4):
            scan.machine.work(10.0)
            scan.tick(runner)
        scan.machine.day += set_by
        scan.machine.work(10.0)
        scan.tick(runner)
    head, row = scan.shown()
    assert head["now"] - head["created"] == pytest.approx(50.0)
    assert row["state"] == "running"
    # The first job was seen to run in the second tick at the earliest.
    assert 20.0 <= float(row_text.time_text(head, row).split()[0]) <= 40.0
    assert head["note"] is None


def test_times_of_a_batch_system_stay_as_it_says_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = DrivenByFake(tmp_path, monkeypatch, backend="slurm")
    scan.machine.seen = Observation("running", started=7000.0)
    with scan.runner() as runner:
        for _ in range(3):
            scan.machine.day += 3600.0
            scan.machine.work(10.0)
            scan.tick(runner)
    assert scan.shown()[1]["started"] == 7000.0


def test_without_such_clocks_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = DrivenByFake(tmp_path, monkeypatch)
    scan.machine.has_clocks = False
    with scan.runner() as runner:
        for _ in range(3):
            scan.machine.sleep(720.0)
            scan.machine.work(1.0)
            scan.tick(runner)
    assert scan.shown()[0]["note"] is None


def test_the_clocks_of_this_machine_are_read() -> None:
    times = read_clocks()
    assert times is None or times.boot >= times.awake - 0.1
    assert ClockWatch().news() == []
