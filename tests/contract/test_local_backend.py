"""The local backend keeps the contract, also when its fork server is killed."""

from __future__ import annotations

import os
import signal

import pytest

from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.backends.local.backend import LocalBackend
from jupyter_gridgpu.backends.local.starters import ForkServer
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths, read_json
from jupyter_gridgpu.testing.backends import BackendContract, Bench

from .processes import of_job


@pytest.fixture(autouse=True)
def no_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the machine have no GPU, whatever it has."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


class OfThisMachine(BackendContract):
    """How jobs of this machine are reached, in a container or not."""

    on = "local"

    def make(self, scan: ScanSpec, paths: ScanPaths) -> Backend:
        return LocalBackend(scan, paths)

    def kill_worker(self, bench: Bench, key: str) -> None:
        os.kill(read_json(bench.paths.job(key).claim)["pid"], signal.SIGKILL)

    def leftovers(self, bench: Bench, key: str) -> list[str]:
        return [seen.text() for seen in of_job(bench.paths.job(key).folder)]


class TestLocal(OfThisMachine):
    """Jobs run in the Python of the tests."""

    def test_a_killed_fork_server_loses_no_job(self, bench: Bench) -> None:
        bench.submit("v0001.1", hold=True)
        bench.held("v0001.1")
        assert isinstance(bench.backend, LocalBackend)
        assert isinstance(bench.backend.starter, ForkServer)
        fork_server = bench.backend.starter.process
        assert fork_server is not None
        fork_server.kill()
        fork_server.wait()
        bench.submit("v0002.1")
        assert bench.end("v0002.1").state == "done"
        bench.gate.touch()
        assert bench.end("v0001.1").state == "done"
        assert (bench.runs("v0001.1"), bench.runs("v0002.1")) == (1, 1)

    def test_a_fork_server_killed_before_it_forks_loses_no_job(self, bench: Bench) -> None:
        assert isinstance(bench.backend, LocalBackend)
        bench.backend.open()
        assert isinstance(bench.backend.starter, ForkServer)
        fork_server = bench.backend.starter.process
        assert fork_server is not None
        fork_server.send_signal(signal.SIGSTOP)
        for key in ("v0001.1", "v0002.1"):
            bench.submit(key)
        fork_server.kill()
        fork_server.wait()
        assert [bench.end(key).state for key in ("v0001.1", "v0002.1")] == ["done", "done"]

    def test_a_stopped_fork_server_is_replaced_and_no_job_runs_twice(self, bench: Bench) -> None:
        assert isinstance(bench.backend, LocalBackend)
        bench.backend.open()
        assert isinstance(bench.backend.starter, ForkServer)
        bench.backend.tracker.unclaimed_s = 0.5
        stopped = bench.backend.starter.process
        assert stopped is not None
        stopped.send_signal(signal.SIGSTOP)
        for key in ("v0001.1", "v0002.1"):
            bench.submit(key)
        bench.until("v0001.1", lambda seen: bool(seen.message))
        bench.backend.tracker.unclaimed_s = 60.0
        assert [bench.end(key).state for key in ("v0001.1", "v0002.1")] == ["done", "done"]
        # It goes on with the lines that it was given, and finds the jobs claimed.
        stopped.send_signal(signal.SIGCONT)
        assert stopped.wait(timeout=60) == 0
        assert (bench.runs("v0001.1"), bench.runs("v0002.1")) == (1, 1)

    def test_a_result_that_was_written_but_not_published_counts(self, bench: Bench) -> None:
        bench.submit("v0001.1")
        bench.end("v0001.1")
        bench.paths.job("v0001.1").result.unlink()
        bench.backend = bench.another()
        bench.ids = bench.backend.find(["v0001.1"])
        assert bench.end("v0001.1").state == "done"

    def test_each_job_sees_the_gpu_that_was_given_to_it(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
        bench.backend = bench.another()
        for key in ("v0001.1", "v0002.1"):
            bench.submit(key, hold=True)
        given = [bench.held(key).gpu for key in ("v0001.1", "v0002.1")]
        assert sorted(str(gpu) for gpu in given) == ["0", "1"]
        for key, gpu in zip(("v0001.1", "v0002.1"), given, strict=True):
            seen = of_job(bench.paths.job(key).folder)
            assert {each.environment.get("CUDA_VISIBLE_DEVICES") for each in seen} == {gpu}
        bench.gate.touch()
        assert all(bench.end(key).gpu_s > 0 for key in ("v0001.1", "v0002.1"))

    def test_a_job_killed_while_no_runner_looks_is_found_failed(self, bench: Bench) -> None:
        bench.submit("v0001.1", hold=True)
        bench.held("v0001.1")
        bench.backend.close()
        self.kill_worker(bench, "v0001.1")
        bench.backend = bench.another()
        bench.ids = bench.backend.find(["v0001.1"])
        seen = bench.end("v0001.1")
        assert (seen.state, seen.reason) == ("failed", "node")
        assert seen.notebook is not None
