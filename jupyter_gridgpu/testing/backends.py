"""What every backend must do with real jobs.

In a test file:

    class TestMine(BackendContract):
        on = "mine"

        def make(self, scan, paths):
            return MyBackend(scan, paths)

The jobs run a small notebook that can take its time, fail, or be killed. A backend that needs a
cluster gets one in `make`, which may skip the test.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.model.resources import Container
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.paths import ScanPaths, read_json
from jupyter_gridgpu.testing.bench import (
    CELLS,
    FAILING_CELL,
    FOR_EVER_S,
    PARAMETERS,
    PAUSE_S,
    Bench,
    has_ended,
)
from jupyter_gridgpu.testing.examples import notebook_json

__all__ = ["BackendContract", "Bench"]

LEFTOVERS_S = 30  # how long the processes of a job that has ended may take to go
FALSE_RESULTS = (
    "",
    "{",
    "[]",
    '{"key": "v0002.1", "state": "done"}',
    '{"key": "v0001.1", "state": "running"}',
)


class BackendContract:
    """The contract of a backend. Derive from it, name the class `Test...`, and define `make`."""

    on = "local"  # the name of the backend in the scan
    patience_s = 60.0  # how long a job may take to start, run and be seen
    keeps_killed = True  # whether what a job has left comes back when the job is killed
    # How long a job that is held waits for the gate, which is a file. Where nodes do not see the
    # file, this must be longer than a second job takes, and much shorter than `patience_s`.
    hold_s = FOR_EVER_S
    # Whether a job is to kill its worker by itself, since the test cannot reach the node.
    kills_itself = False

    # What a test file defines, or changes.

    def make(self, scan: ScanSpec, paths: ScanPaths) -> Backend:
        """Return a new backend for a scan folder."""
        raise NotImplementedError

    def container(self) -> Container:
        """Return what the jobs run in. Here it is the Python of the node."""
        return Container()

    def prepared(self, scan: ScanSpec) -> ScanSpec:
        """Return the scan with the options that the backend needs."""
        return scan

    def output(self, bench: Bench, key: str) -> str | None:
        """Return what the worker of a job logged so far; None where that is not seen.

        Where files come at the end only, a test file reads them on the node, if it can.
        """
        logs = [copy.log for copy in bench.paths.job(key).copies()]
        return "".join(log.read_text(errors="replace") for log in logs if log.exists())

    def kill_worker(self, bench: Bench, key: str) -> None:
        """Kill the process that runs a job, without a warning to it."""
        pytest.skip("the workers of this batch system are out of reach")

    def leftovers(self, bench: Bench, key: str) -> list[str]:
        """Return the processes that a job has left, where the test can see them."""
        return []

    def check_leftovers(self, bench: Bench, key: str) -> None:
        """Assert that no process of a job that has ended is left after LEFTOVERS_S seconds."""
        # A job counts as ended once its result is there. Its worker ends a moment later.
        deadline = time.monotonic() + LEFTOVERS_S
        while self.leftovers(bench, key) and time.monotonic() < deadline:
            time.sleep(PAUSE_S)
        assert self.leftovers(bench, key) == []

    @pytest.fixture
    def bench(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
        """Yield a bench with a scan of its own, and close it after the test."""
        monkeypatch.setenv("GRIDGPU_HOME", str(tmp_path / "home"))
        source = tmp_path / "trivial.ipynb"
        gate = str(tmp_path / "home" / "trivial" / "open-the-gate")
        cells = [cell.replace("GATE", repr(gate)) for cell in CELLS]
        source.write_text(notebook_json(PARAMETERS, *cells))
        # The plan is made for the local backend, which asks nobody, and then gets its own.
        found = plan(source, "x = [1.0, 2.0]", Options(on="local", maximize="square", parallel=2))
        with home.starting():
            scan = replace(found.scan, backend=self.on, container=self.container())
            handle = client.create(replace(found, scan=self.prepared(scan)))
        scan, paths = handle.scan, handle.paths
        bench = Bench(
            scan,
            paths,
            lambda: self.make(scan, paths),
            self.patience_s,
            self.output,
            self.hold_s,
        )
        bench.backend.open()
        yield bench
        bench.close()

    # The contract.

    def test_making_one_touches_nothing(self, tmp_path: Path, bench: Bench) -> None:
        (tmp_path / "empty").mkdir()
        backend = self.make(bench.scan, ScanPaths(tmp_path / "empty"))
        assert backend.poll_s > 0
        slots = backend.slots()
        assert slots is None or slots >= 1
        assert list((tmp_path / "empty").iterdir()) == []

    def test_every_job_ends_done_with_a_result_and_a_notebook(self, bench: Bench) -> None:
        keys = ["v0001.1", "v0002.1", "v0003.1"]
        jobs = []
        for number, key in enumerate(keys, 1):
            jobs.append(bench.job(key, x=float(number), text=f"'{key}' é \\ \n <b>"))
        for key, answer in bench.hand_over(jobs).items():
            assert isinstance(answer, str), answer
            bench.ids[key] = answer
        assert sorted(bench.ids) == keys
        for number, key in enumerate(keys, 1):
            seen = bench.end(key)
            assert (seen.state, seen.reason) == ("done", None), seen
            assert seen.started is not None
            assert seen.ended is not None
            # The clock of a node may go before ours.
            assert seen.started <= seen.ended <= time.time() + 60
            result = read_json(bench.paths.job(key).result)
            assert (result["key"], result["state"]) == (key, "done")
            assert f"end {float(number * number)}" in json.dumps(bench.notebook(seen))
            assert "square" in bench.paths.job(key).copy(result["copy"]).metrics.read_text()

    def test_a_running_job_is_seen_running_and_an_ended_one_stays_ended(self, bench: Bench) -> None:
        bench.submit("v0001.1", hold=True)
        assert bench.held("v0001.1").where
        bench.gate.touch()
        assert bench.end("v0001.1").state == "done"
        for _ in range(3):
            seen = bench.poll("v0001.1")
            assert seen is None or seen.state == "done"

    def test_a_notebook_that_raises_is_failed_with_its_cell(self, bench: Bench) -> None:
        bench.submit("v0001.1", fail=True)
        seen = bench.end("v0001.1")
        assert (seen.state, seen.reason, seen.cell) == ("failed", "notebook", FAILING_CELL)
        assert seen.message is not None
        assert "ValueError: asked to fail" in seen.message
        assert "\n" not in seen.message
        assert "asked to fail" in json.dumps(bench.notebook(seen))

    def test_a_job_submitted_twice_runs_once(self, bench: Bench) -> None:
        job = bench.job("v0001.1", x=3.0)
        first = bench.hand_over([job])["v0001.1"]
        again = bench.hand_over([job])["v0001.1"]
        by_another = bench.hand_over([job], bench.another())["v0001.1"]
        assert all(isinstance(answer, str) for answer in (first, again, by_another))
        bench.ids["v0001.1"] = str(first)
        assert bench.end("v0001.1").state == "done"
        bench.submit("v0001.1", x=3.0)
        # If the batch system ran the first job twice, the second run has ended before this job.
        bench.submit("v0002.1")
        assert bench.end("v0002.1").state == "done"
        assert bench.end("v0001.1").state == "done"
        assert bench.runs("v0001.1") == 1

    def test_another_attempt_is_another_job(self, bench: Bench) -> None:
        bench.submit("v0001.1", fail=True)
        assert bench.end("v0001.1").state == "failed"
        bench.submit("v0001.2")
        assert bench.end("v0001.2").state == "done"
        assert (bench.runs("v0001.1"), bench.runs("v0001.2")) == (1, 1)

    def test_jobs_of_a_killed_runner_are_found_and_only_those(self, bench: Bench) -> None:
        bench.submit("v0001.1", hold=True)
        bench.submit("v0002.1")
        bench.held("v0001.1")
        bench.end("v0002.1")
        bench.backend = bench.another()
        # v0001.2 is another attempt at the same variant, which nobody has sent.
        found = bench.backend.find(["v0001.1", "v0001.2", "v0002.1", "v0003.1"])
        assert set(found) == {"v0001.1", "v0002.1"}
        bench.ids = found
        assert bench.held("v0001.1").state == "running"
        bench.gate.touch()
        assert bench.end("v0001.1").state == "done"
        assert bench.end("v0002.1").state == "done"
        assert (bench.runs("v0001.1"), bench.runs("v0002.1")) == (1, 1)

    def test_jobs_go_on_when_the_runner_lets_go(self, bench: Bench) -> None:
        bench.submit("v0001.1", hold=True)
        bench.held("v0001.1")
        bench.backend.close()
        bench.backend = bench.another()
        bench.gate.touch()
        assert bench.end("v0001.1").state == "done"

    def test_nothing_false_is_said_of_an_unknown_job(self, bench: Bench) -> None:
        unknown = {"v0009.1": "v0009.1"}
        assert bench.backend.find(["v0009.1"]) == {}
        for seen in bench.backend.poll(unknown).values():
            assert seen.state == "lost"
        bench.backend.cancel(unknown)
        for seen in bench.backend.poll(unknown).values():
            assert seen.state in ("lost", "cancelled")
        assert bench.backend.poll({}) == {}
        assert bench.backend.submit([]) == {}
        bench.backend.cancel({})

    def test_cancel_ends_a_running_job_and_keeps_its_notebook(self, bench: Bench) -> None:
        # A batch system may take long to end a job, so the job must not end by itself.
        bench.submit("v0001.1", hold=True, hold_s=FOR_EVER_S)
        bench.held("v0001.1")
        # A runner that was killed cancels again, so an order that is repeated must do no harm.
        for _ in range(3):
            bench.backend.cancel({"v0001.1": bench.ids["v0001.1"]})
        seen = bench.end("v0001.1")
        assert seen.state in ("cancelled", "failed"), seen
        assert seen.reason in ("user", "preempted")
        if self.keeps_killed:
            text = json.dumps(bench.notebook(seen))
            assert "begin" in text
            assert "end 1.0" not in text
        self.check_leftovers(bench, "v0001.1")

    def test_cancel_ends_a_queued_job(self, bench: Bench) -> None:
        """It is cancelled right after it was handed over, whether it has started or not."""
        bench.submit("v0001.1", hold=True, hold_s=FOR_EVER_S)
        bench.backend.cancel({"v0001.1": bench.ids["v0001.1"]})
        deadline = time.monotonic() + self.patience_s
        while not has_ended(bench.poll("v0001.1")):
            assert time.monotonic() < deadline
            bench.backend.cancel({"v0001.1": bench.ids["v0001.1"]})
            time.sleep(PAUSE_S)
        assert bench.end("v0001.1").state in ("cancelled", "failed")
        self.check_leftovers(bench, "v0001.1")

    def test_cancel_of_an_ended_job_changes_nothing(self, bench: Bench) -> None:
        bench.submit("v0001.1")
        assert bench.end("v0001.1").state == "done"
        bench.backend.cancel({"v0001.1": bench.ids["v0001.1"]})
        assert bench.end("v0001.1").state == "done"

    def test_a_killed_worker_is_a_failure_of_the_node_and_leaves_no_kernel(
        self, bench: Bench
    ) -> None:
        bench.submit("v0001.1", hold=True, hold_s=FOR_EVER_S, die=self.kills_itself)
        if not self.kills_itself:
            bench.held("v0001.1")
            self.kill_worker(bench, "v0001.1")
        seen = bench.end("v0001.1")
        assert (seen.state, seen.reason) == ("failed", "node"), seen
        self.check_leftovers(bench, "v0001.1")
        assert bench.runs("v0001.1") == self.keeps_killed

    def test_a_false_result_is_not_believed(self, bench: Bench) -> None:
        bench.submit("v0001.1", hold=True)
        bench.held("v0001.1")
        # The notebook is the user's code, and it can write into the folder of its job.
        for text in FALSE_RESULTS:
            bench.paths.job("v0001.1").result.write_text(text)
            seen = bench.poll("v0001.1")
            assert seen is None or seen.state == "running"
        bench.paths.job("v0001.1").result.unlink()
        bench.gate.touch()
        assert bench.end("v0001.1").state == "done"
