"""What every backend must do with real jobs. In a test file:

    class TestMine(BackendContract):
        on = "mine"

        def make(self, scan, paths):
            return MyBackend(scan, paths)

Jobs run a small notebook that can take its time, fail, or be killed. An engine that needs a cluster is asked for one in
`make`, which may skip.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.backends.base import Backend, Job, job_spec
from jupyter_gridgpu.errors import Unreachable
from jupyter_gridgpu.model.job import END_STATES, STATES, Observation
from jupyter_gridgpu.model.resources import Container
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.planning.request import Options, plan
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.paths import ScanPaths, read_json
from jupyter_gridgpu.testing.examples import notebook_json

PARAMETERS = "x = 1.0\nhold = False\nfail = False\nwords = ''"
CELLS = (
    "import os, time, pathlib\nprint('begin', words, flush=True)\nhere = pathlib.Path.cwd()",
    "while hold and not pathlib.Path(GATE).exists():\n    time.sleep(0.05)",
    "if fail:\n    raise ValueError('asked to fail')",
    "square = x * x\nprint('end', square)",
)
HELD_CELL, FAILING_CELL = (
    4,
    5,
)  # as In [n] counts: behind the parameters and the injected parameters


class Bench:
    """A scan folder, a backend for it, and jobs to try it with."""

    def __init__(
        self,
        scan: ScanSpec,
        paths: ScanPaths,
        make: Callable[[], Backend],
        patience_s: float,
        output: Callable[[Bench, str], str],
    ) -> None:
        self.scan = scan
        self.paths = paths
        self.gate = paths.folder / "open-the-gate"  # held jobs go on when it is there
        self._make = make
        self._patience_s = patience_s
        self._output = output
        self._backends: list[Backend] = []
        self.ids: dict[str, str] = {}
        self.backend = self.another()

    def another(self) -> Backend:
        """A new instance on the same folder, as after the death of a runner."""
        self._backends.append(self._make())
        self._backends[-1].check()
        return self._backends[-1]

    def job(self, key: str, **params: Any) -> Job:
        return Job(key, self.paths.job(key), job_spec(self.scan, key, params))

    def hand_over(
        self, jobs: Sequence[Job], backend: Backend | None = None
    ) -> dict[str, str | Exception]:
        """Submit jobs until the engine has answered for each: an engine may take its time to say that it has them."""
        deadline = time.monotonic() + self._patience_s
        while True:
            answers = (backend or self.backend).submit(jobs)
            if not any(isinstance(answer, Unreachable) for answer in answers.values()):
                return answers
            assert time.monotonic() < deadline, answers
            time.sleep(0.05)

    def submit(self, key: str, **params: Any) -> None:
        """Submit a job; it must be taken."""
        answers = self.hand_over([self.job(key, **params)])
        assert set(answers) == {key}
        ident = answers[key]
        assert isinstance(ident, str), ident
        self.ids[key] = ident

    def poll(self, key: str) -> Observation | None:
        return self.backend.poll({key: self.ids[key]}).get(key)

    def until(self, key: str, wanted: Callable[[Observation], bool]) -> Observation:
        """Poll until an observation is as wanted; no state may come back out of an end."""
        deadline, last = time.monotonic() + self._patience_s, None
        while time.monotonic() < deadline:
            seen = self.poll(key)
            last = seen or last
            if seen is not None:
                assert seen.state in STATES
                if wanted(seen):
                    return seen
                assert seen.state not in END_STATES, seen
            time.sleep(0.05)
        raise AssertionError(
            f"{key} did not get there within {self._patience_s:g} s; it was last seen as {last}."
        )

    def end(self, key: str) -> Observation:
        """Wait until a job has ended, collect it, and return how."""
        seen = self.until(key, lambda seen: seen.state in END_STATES)
        self.backend.collect(key, self.ids[key])
        return seen

    def held(self, key: str) -> Observation:
        """Wait until a job is in the cell that waits for the gate, as its saved notebook tells."""
        return self.until(key, lambda seen: seen.state == "running" and "begin" in self.output(key))

    def output(self, key: str) -> str:
        """What the job's worker logged so far."""
        return self._output(self, key)

    def runs(self, key: str) -> int:
        """How many copies of a job ran the notebook."""
        return sum(copy.notebook.exists() for copy in self.paths.job(key).copies())

    def notebook(self, seen: Observation) -> Any:
        """The output notebook that an observation names."""
        assert seen.notebook is not None
        return json.loads((self.paths.folder / seen.notebook).read_text(encoding="utf-8"))

    def close(self) -> None:
        self.gate.touch()
        for key, ident in self.ids.items():
            if (self.poll(key) or Observation("new")).state not in END_STATES:
                self.backend.cancel({key: ident})
                self.end(key)
        for backend in self._backends:
            backend.close()


class BackendContract:
    """Subclass it, name the class `Test...`, and define `make`."""

    on = "local"  # the engine's name in the scan
    patience_s = 60.0  # how long a job may take to start, run and be seen
    keeps_killed = True  # whether what a job has left comes back when it is killed

    def make(self, scan: ScanSpec, paths: ScanPaths) -> Backend:
        """Return a new backend for a scan folder."""
        raise NotImplementedError

    def container(self) -> Container:
        """Return what the jobs run in; the Python of the node unless it says otherwise."""
        return Container()

    def prepared(self, scan: ScanSpec) -> ScanSpec:
        """Return the scan with what the engine needs to be told beside."""
        return scan

    def output(self, bench: Bench, key: str) -> str:
        """Return what the job's worker logged so far; where files come at the end, from the node that runs it."""
        return "".join(
            copy.log.read_text(errors="replace")
            for copy in bench.paths.job(key).copies()
            if copy.log.exists()
        )

    def kill_worker(self, bench: Bench, key: str) -> None:
        """Kill the process that runs the job, without a warning to it."""
        pytest.skip("this engine's workers are out of reach")

    def leftovers(self, bench: Bench, key: str) -> list[str]:
        """Return what is left of a job's processes, where that can be seen."""
        return []

    @pytest.fixture
    def bench(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
        monkeypatch.setenv("GRIDGPU_HOME", str(tmp_path / "home"))
        source = tmp_path / "trivial.ipynb"
        gate = tmp_path / "home" / "trivial" / "open-the-gate"
        source.write_text(
            notebook_json(PARAMETERS, *(cell.replace("GATE", repr(str(gate))) for cell in CELLS))
        )
        found = plan(source, "x = [1.0, 2.0]", Options(on="local", maximize="square", parallel=2))
        with home.starting():
            scan = replace(found.scan, backend=self.on, container=self.container())
            handle = client.create(replace(found, scan=self.prepared(scan)))
        scan, paths = handle.scan, handle.paths
        bench = Bench(scan, paths, lambda: self.make(scan, paths), self.patience_s, self.output)
        bench.backend.open()
        yield bench
        bench.close()

    # the contract -------------------------------------------------------------------

    def test_making_one_touches_nothing(self, tmp_path: Path, bench: Bench) -> None:
        (tmp_path / "empty").mkdir()
        backend = self.make(bench.scan, ScanPaths(tmp_path / "empty"))
        assert backend.poll_s > 0
        slots = backend.slots()
        assert slots is None or slots >= 1
        assert list((tmp_path / "empty").iterdir()) == []

    def test_every_job_ends_done_with_a_result_and_a_notebook(self, bench: Bench) -> None:
        keys = ["v0001.1", "v0002.1", "v0003.1"]
        jobs = [
            bench.job(key, x=float(n), words=f"'{key}' é \\ \n <b>")
            for n, key in enumerate(keys, 1)
        ]
        for key, answer in bench.hand_over(jobs).items():
            assert isinstance(answer, str), answer
            bench.ids[key] = answer
        assert sorted(bench.ids) == keys
        for n, key in enumerate(keys, 1):
            seen = bench.end(key)
            assert (seen.state, seen.reason) == ("done", None), seen
            assert seen.started is not None
            assert seen.ended is not None
            assert seen.started <= seen.ended <= time.time() + 60
            result = read_json(bench.paths.job(key).result)
            assert (result["key"], result["state"]) == (key, "done")
            assert f"end {float(n * n)}" in json.dumps(bench.notebook(seen))
            assert "square" in bench.paths.job(key).copy(result["copy"]).metrics.read_text()

    def test_a_running_job_is_seen_running_and_an_ended_one_stays_ended(self, bench: Bench) -> None:
        bench.submit("v0001.1", hold=True)
        seen = bench.held("v0001.1")
        assert seen.where
        bench.gate.touch()
        assert bench.end("v0001.1").state == "done"
        for _ in range(3):
            seen = bench.poll("v0001.1") or Observation("done")
            assert seen.state == "done"

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
        answers = [
            bench.hand_over([job]),
            bench.hand_over([job]),
            bench.hand_over([job], bench.another()),
        ]
        assert all(isinstance(answer["v0001.1"], str) for answer in answers)
        bench.ids["v0001.1"] = str(answers[0]["v0001.1"])
        assert bench.end("v0001.1").state == "done"
        bench.submit("v0001.1", x=3.0)
        bench.submit(
            "v0002.1"
        )  # an engine that works in order is through with the others when this one has ended
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
        assert bench.backend.find(["v0009.1"]) == {}
        for seen in bench.backend.poll({"v0009.1": "v0009.1"}).values():
            assert seen.state == "lost"
        bench.backend.cancel({"v0009.1": "v0009.1"})
        for seen in bench.backend.poll({"v0009.1": "v0009.1"}).values():
            assert seen.state in ("lost", "cancelled")
        assert bench.backend.poll({}) == {}
        assert bench.backend.submit([]) == {}
        bench.backend.cancel({})

    def test_cancel_ends_a_running_job_and_keeps_its_notebook(self, bench: Bench) -> None:
        bench.submit("v0001.1", hold=True)
        bench.held("v0001.1")
        for _ in range(3):
            bench.backend.cancel({"v0001.1": bench.ids["v0001.1"]})
        seen = bench.end("v0001.1")
        assert seen.state in ("cancelled", "failed"), seen
        assert seen.reason in ("user", "preempted")
        if self.keeps_killed:
            text = json.dumps(bench.notebook(seen))
            assert "begin" in text
            assert "end 1.0" not in text
        assert self.leftovers(bench, "v0001.1") == []

    def test_cancel_ends_a_queued_job(self, bench: Bench) -> None:
        """It is cancelled right after it was handed over, whether it has started by then or not."""
        bench.submit("v0001.1", hold=True)
        bench.backend.cancel({"v0001.1": bench.ids["v0001.1"]})
        deadline = time.monotonic() + self.patience_s
        while (bench.poll("v0001.1") or Observation("new")).state not in END_STATES:
            assert time.monotonic() < deadline
            bench.backend.cancel({"v0001.1": bench.ids["v0001.1"]})
            time.sleep(0.05)
        assert bench.end("v0001.1").state in ("cancelled", "failed")
        assert self.leftovers(bench, "v0001.1") == []

    def test_cancel_of_an_ended_job_changes_nothing(self, bench: Bench) -> None:
        bench.submit("v0001.1")
        assert bench.end("v0001.1").state == "done"
        bench.backend.cancel({"v0001.1": bench.ids["v0001.1"]})
        assert bench.end("v0001.1").state == "done"

    def test_a_killed_worker_is_a_failure_of_the_node_and_leaves_no_kernel(
        self, bench: Bench
    ) -> None:
        bench.submit("v0001.1", hold=True)
        bench.held("v0001.1")
        self.kill_worker(bench, "v0001.1")
        seen = bench.end("v0001.1")
        assert (seen.state, seen.reason) == ("failed", "node"), seen
        deadline = time.monotonic() + 10
        while self.leftovers(bench, "v0001.1") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.leftovers(bench, "v0001.1") == []
        assert bench.runs("v0001.1") == self.keeps_killed

    def test_a_false_result_is_not_believed(self, bench: Bench) -> None:
        bench.submit("v0001.1", hold=True)
        bench.held("v0001.1")
        for text in (
            "",
            "{",
            "[]",
            '{"key": "v0002.1", "state": "done"}',
            '{"key": "v0001.1", "state": "running"}',
        ):
            bench.paths.job("v0001.1").result.write_text(text)
            assert (bench.poll("v0001.1") or Observation("running")).state == "running"
        bench.paths.job("v0001.1").result.unlink()
        bench.gate.touch()
        assert bench.end("v0001.1").state == "done"
