"""The HTCondor backend keeps the contract, with a disk that nodes share with us and without."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.backends.htcondor.backend import HTCondorBackend
from jupyter_gridgpu.model.resources import Placement
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.backends import BackendContract, Bench
from tests.engines.condor import Pool

from .processes import Seen, living


class TestHTCondor(BackendContract):
    """Nodes see the scan's folder."""

    on = "htcondor"
    shared = True
    patience_s = 120.0  # a busy machine takes long to start a job of a batch system

    @pytest.fixture(autouse=True)
    def pool(self, condor_pool: Pool) -> Pool:
        self.nodes = condor_pool.folder
        return condor_pool

    def make(self, scan: ScanSpec, paths: ScanPaths) -> Backend:
        return HTCondorBackend(replace(scan, placement=Placement(shared=self.shared)), paths)

    def processes(self, bench: Bench, key: str) -> list[Seen]:
        """Return the living processes of a job, wherever its node put it."""
        root = str(bench.paths.folder if self.shared else self.nodes)
        found = []
        for seen in living():
            is_worker = f"/{key}/job.json" in " ".join(seen.command)
            if (is_worker or seen.job.endswith(f"/{key}")) and root in seen.text():
                found.append(seen)
        return found

    def kill_worker(self, bench: Bench, key: str) -> None:
        for seen in self.processes(bench, key):
            if "worker.pyz" in " ".join(seen.command):
                seen.kill()

    def leftovers(self, bench: Bench, key: str) -> list[str]:
        return [seen.text() for seen in self.processes(bench, key)]


class TestHTCondorWithoutASharedDisk(TestHTCondor):
    """Files travel with the jobs.

    Of what a job writes we see what its worker tells and HTCondor brings, and nothing else.
    """

    shared = False

    # What does not depend on where the files are, the other class looks at.
    test_making_one_touches_nothing = None  # type: ignore[assignment]
    test_another_attempt_is_another_job = None  # type: ignore[assignment]
    test_jobs_go_on_when_the_runner_lets_go = None  # type: ignore[assignment]
    test_nothing_false_is_said_of_an_unknown_job = None  # type: ignore[assignment]
    test_cancel_of_an_ended_job_changes_nothing = None  # type: ignore[assignment]
    test_cancel_ends_a_queued_job = None  # type: ignore[assignment]
    test_a_false_result_is_not_believed = None  # type: ignore[assignment]
