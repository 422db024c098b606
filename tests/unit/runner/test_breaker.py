"""A scan whose first variants all fail alike is stopped, once, and goes on when it is told to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest

from jupyter_gridgpu.backends.base import Backend, Capabilities, Job
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.fold import NOT_SENT
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.model.scan import to_json
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.runner.loop import Runner
from jupyter_gridgpu.runner.observing import TAKEN_BACK
from jupyter_gridgpu.store import home, inbox
from jupyter_gridgpu.store.journal import JournalReader
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.testing.examples import small_scan

MISSING = Observation("failed", "notebook", "ImportError: No module named 'x' in cell 2.", 2)
DONE = Observation("done")
RUNS = Observation("running", started=1.0)
SPACE = f"n = {list(range(1, 21))}"


class FakeEngine:
    """A backend that takes so many jobs at once, and says of each what the test wants."""

    poll_s = 0.0
    capabilities = Capabilities()

    def __init__(self, room: int | None) -> None:
        self.room = room
        self.jobs: dict[str, Observation] = {}  # by key: what is seen of it
        self.refused: Exception | None = None

    def slots(self) -> int | None:
        return self.room

    def notice(self) -> None:
        return None

    def submit(self, jobs: Sequence[Job]) -> dict[str, Any]:
        if self.refused is not None:
            return {job.key: self.refused for job in jobs}
        for job in jobs:
            self.jobs.setdefault(job.key, Observation("queued"))
        return {job.key: job.key for job in jobs}

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        return {key: key for key in keys if key in self.jobs}

    def poll(self, ids: dict[str, str]) -> dict[str, Observation]:
        return {key: self.jobs[key] for key in ids}

    def cancel(self, ids: dict[str, str]) -> None:
        for key in ids:
            if self.jobs[key].state in ("queued", "running"):
                self.jobs[key] = Observation("cancelled", "user", "CANCELLED")

    def collect(self, key: str, ident: str) -> None:
        """There is nothing to bring."""


class Scan:
    """A scan of a folder and a fake engine, driven tick by tick."""

    def __init__(self, folder: Path, room: int | None = None, **changes: Any) -> None:
        self.paths = ScanPaths(folder)
        self.paths.jobs.mkdir()
        self.paths.inbox.mkdir()
        changes = {"space": SPACE, "objective": None, **changes}
        write_json(self.paths.spec, to_json(small_scan(**changes)))
        self.engine = FakeEngine(room)
        self.now = 1000.0

    @contextmanager
    def runner(self) -> Iterator[Runner]:
        runner = Runner(self.paths.folder, cast(Backend, self.engine))
        try:
            yield runner
        finally:
            runner.scan.journal.close()
            runner.lease.release()

    def ticks(self, runner: Runner, count: int = 3) -> bool:
        """Tick at most so many times, and return whether the scan is complete."""
        for _ in range(count):
            self.now += 1
            if runner.tick(self.now):
                return True
        return False

    def see(self, seen: Observation, *numbers: int, attempt: int = 1) -> None:
        for number in numbers:
            self.engine.jobs[f"v{number:04d}.{attempt}"] = seen

    def view(self) -> ScanView:
        return ScanView(home.load(self.paths.folder)).apply_all(
            JournalReader(self.paths.journal).read()
        )

    def states(self) -> str:
        """Return the first letter of each variant's state: d, f, q, r, c, n."""
        return "".join(variant.state[0] for variant in self.view().variants.values())


WHY = "the first 5 variants all failed with ImportError: No module named 'x' in cell 2"


def test_five_failures_alike_stop_the_scan_and_take_back_what_waits(tmp_path: Path) -> None:
    scan = Scan(tmp_path)
    with scan.runner() as runner:
        scan.ticks(runner)
        assert scan.states() == "q" * 20
        scan.see(MISSING, 1, 2, 3, 4)
        scan.see(RUNS, 6, 7)
        scan.ticks(runner)
        assert scan.view().stopped_by is None
        scan.see(MISSING, 5)
        scan.ticks(runner)
        assert scan.states() == "f" * 5 + "rr" + "c" * 13
        view = scan.view()
        assert view.stopped_by == WHY
        assert not view.finished
        assert view.variants["v0020"].message == TAKEN_BACK
        assert view.variants["v0020"].reason is None
        # What ran goes on to its end, whatever that is.
        scan.see(DONE, 6, 7)
        assert scan.ticks(runner)
    assert scan.states() == "f" * 5 + "dd" + "c" * 13
    body = wire.summary(scan.view(), scan.view().state, "")
    assert body["state"] == "stopped"
    said = (  # a scan has the name of its folder
        f"Stopped: {WHY}. Mend the cause, then `gridgpu resume {tmp_path.name}` goes on."
        " A notebook that was changed makes a new scan."
    )
    assert body["stopped_by"] == said
    head = wire.head(scan.view(), "stopped", 2000.0)
    assert (head["note"], head["stopped_by"]) == (said, said)


def test_what_was_not_sent_stays_unsent(tmp_path: Path) -> None:
    scan = Scan(tmp_path, room=2)
    with scan.runner() as runner:
        for number in range(1, 6):
            scan.ticks(runner)
            scan.see(MISSING, number)
        assert scan.ticks(runner)
    assert len(scan.engine.jobs) <= 6
    last = scan.view().variants["v0020"]
    assert (last.state, last.attempts, last.message) == ("cancelled", 0, NOT_SENT)


@pytest.mark.parametrize("killed_at", ["trip", "end"])
@pytest.mark.parametrize("command", ["resume", "retry"])
def test_the_next_runner_knows_it_and_one_command_goes_on(
    tmp_path: Path, killed_at: str, command: str
) -> None:
    scan = Scan(tmp_path)
    with scan.runner() as runner:
        scan.ticks(runner)
        scan.see(MISSING, 1, 2, 3, 4, 5)
        scan.see(RUNS, 6)
        scan.now += 1
        runner.observe(scan.now)
        assert runner.breaker.trip()
        if killed_at == "end":
            scan.see(DONE, 6)
            scan.ticks(runner, 5)
    scan.see(DONE, 6)
    with scan.runner() as runner:
        runner.scan.record(("runner.started", {}))
        runner.sender.settle(list(runner.scan.view.active.values()), scan.now)
        assert scan.ticks(runner)
        assert scan.states() == "fffffd" + "c" * 14
        inbox.post(scan.paths.inbox, command)
        scan.ticks(runner)
        assert scan.view().stopped_by is None
        assert scan.states() == "qqqqqd" + "q" * 14
        others = [number for number in range(1, 21) if number != 6]
        scan.see(DONE, *others, attempt=2)
        assert scan.ticks(runner)
    view = scan.view()
    assert (view.state, scan.states()) == ("done", "d" * 20)
    assert view.variants["v0006"].attempts == 1
    assert wire.summary(view, view.state, "")["stopped_by"] is None


def test_a_cause_that_was_not_mended_stops_it_again(tmp_path: Path) -> None:
    scan = Scan(tmp_path, retries=1)
    with scan.runner() as runner:
        scan.ticks(runner)
        scan.see(MISSING, 1, 2, 3, 4, 5)
        scan.ticks(runner)
        assert scan.view().stopped_by is None, "each gets another attempt"
        scan.see(MISSING, 1, 2, 3, 4, 5, attempt=2)
        assert scan.ticks(runner, 4)
        inbox.post(scan.paths.inbox, "resume")
        scan.ticks(runner)
        assert scan.states() == "q" * 20
        scan.see(MISSING, 1, 2, 3, 4, 5, attempt=3)
        assert scan.ticks(runner, 4)
    assert scan.view().stopped_by == WHY
    assert scan.paths.journal.read_text().count('"rule.met"') == 2


OTHER = Observation("failed", "notebook", "KeyError: 'x' in cell 3.", 3)
PREEMPTED = Observation("failed", "preempted", "Ended by SIGTERM in cell 2.", 2)


@pytest.mark.parametrize(
    ("seen", "limit", "stops"),
    [
        ([MISSING] * 4, 5, False),
        ([MISSING] * 5, None, False),
        ([MISSING] * 5, 6, False),
        ([MISSING] * 2, 2, True),
        ([MISSING], 1, True),
        ([MISSING] * 4 + [OTHER], 5, False),
        ([MISSING] * 5 + [DONE], 5, False),
        ([MISSING] * 4 + [PREEMPTED] * 3, 5, False),
        ([PREEMPTED] * 3 + [MISSING] * 5, 5, True),
        ([Observation("lost", None, "Nobody knows.")] * 5, 5, True),
        ([Observation("failed", "node", f"Node n{n} is down.") for n in range(5)], 5, True),
        ([Observation("failed", "image", "No such image.")] * 5, 5, True),
        ([Observation("cancelled", "user", "By Slurm.")] * 5, 5, False),
    ],
)
def test_only_so_many_failures_of_one_cause_and_no_success_stop_it(
    tmp_path: Path, seen: list[Observation], limit: int | None, stops: bool
) -> None:
    scan = Scan(tmp_path, max_failures=limit)
    with scan.runner() as runner:
        scan.ticks(runner)
        for number, each in enumerate(seen, 1):
            scan.see(each, number)
        scan.ticks(runner)
    assert (scan.view().stopped_by is not None) is stops
    assert ("q" in scan.states()) is not stops


def test_what_a_user_stopped_does_not_count(tmp_path: Path) -> None:
    scan = Scan(tmp_path)
    with scan.runner() as runner:
        scan.ticks(runner)
        scan.see(MISSING, 1, 2, 3, 4)
        inbox.post(scan.paths.inbox, "stop", ["v0005"])
        scan.ticks(runner)
        assert scan.states() == "ffffc" + "q" * 15


def test_a_scan_that_has_ended_by_itself_was_not_stopped(tmp_path: Path) -> None:
    scan = Scan(tmp_path, space="n = [1, 2, 3, 4, 5]")
    with scan.runner() as runner:
        scan.ticks(runner)
        scan.see(MISSING, 1, 2, 3, 4, 5)
        assert scan.ticks(runner)
    view = scan.view()
    assert (view.state, view.stopped_by) == ("done", None)
    said = "All 5 variants failed with ImportError: No module named 'x' in cell 2."
    assert wire.head(view, "done", 2000.0)["note"] == said


def test_more_than_five_that_run_go_on(tmp_path: Path) -> None:
    scan = Scan(tmp_path, space="n = [1, 2, 3, 4, 5, 6, 7, 8]", retries=1)
    with scan.runner() as runner:
        scan.ticks(runner)
        scan.see(RUNS, 6, 7, 8)
        scan.see(MISSING, 1, 2, 3, 4, 5)
        scan.ticks(runner)
        scan.see(MISSING, 1, 2, 3, 4, 5, attempt=2)
        scan.ticks(runner)
        assert scan.states() == "fffffrrr"
        scan.see(MISSING, 6, 7)
        scan.see(Observation("queued"), 8)  # preempted, and sent again by the batch system
        assert scan.ticks(runner)
    assert scan.states() == "fffffffc", "no further attempt is sent"


def test_a_batch_system_that_refuses_every_job_gets_no_more_of_them(tmp_path: Path) -> None:
    scan = Scan(tmp_path, room=2)
    scan.engine.refused = BackendError("sbatch: Invalid account")
    with scan.runner() as runner:
        assert scan.ticks(runner, 8)
    assert scan.states().count("f") <= 6
    assert "could not be sent: sbatch: Invalid account" in str(scan.view().stopped_by)


def test_more_points_go_on_as_well(tmp_path: Path) -> None:
    scan = Scan(tmp_path, space="lr = uniform(0, 1)", sampler="random", trials=6)
    with scan.runner() as runner:
        scan.ticks(runner)
        scan.see(MISSING, 1, 2, 3, 4, 5)
        assert scan.ticks(runner)
        inbox.post(scan.paths.inbox, "extend", trials=2)
        scan.ticks(runner)
    assert scan.states() == "q" * 8
    assert scan.view().stopped_by is None


def test_what_is_preempted_is_sent_again_until_it_was_ten_times(tmp_path: Path) -> None:
    scan = Scan(tmp_path, space="n = [1, 2]", max_failures=5)
    with scan.runner() as runner:
        scan.ticks(runner)
        scan.see(DONE, 2)
        for attempt in range(1, 11):
            scan.see(PREEMPTED, 1, attempt=attempt)
            complete = scan.ticks(runner)
            assert complete is (attempt == 10)
    variant = scan.view().variants["v0001"]
    assert (variant.state, variant.reason, variant.attempts) == ("failed", "preempted", 10)
    assert variant.message == (
        "Ended by SIGTERM in cell 2. Preempted 10 times in a row, it is not sent again."
    )
    assert {past["message"] for past in variant.past} == {"Ended by SIGTERM in cell 2."}


def test_what_a_user_stops_is_not_sent_again_if_it_was_preempted(tmp_path: Path) -> None:
    scan = Scan(tmp_path, space="n = [1, 2]")
    with scan.runner() as runner:
        scan.ticks(runner)
        inbox.post(scan.paths.inbox, "stop", None)
        runner.obey()
        scan.see(PREEMPTED, 1, 2)
        assert scan.ticks(runner)
    assert scan.states() == "cc"
