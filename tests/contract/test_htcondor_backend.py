from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.backends.htcondor.backend import HTCondorBackend
from jupyter_gridgpu.model.resources import Placement
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.backends import BackendContract, Bench
from tests.engines.condor import Pool


def processes_of(job: Path, root: Path) -> list[psutil.Process]:
    """The living processes of a job, wherever below `root` its node put it."""
    found = []
    for process in psutil.process_iter():
        try:
            place = process.environ().get("GRIDGPU_JOB", "")
            runs = f"/{job.name}/job.json" in " ".join(process.cmdline())
            if (runs or place.endswith(f"/{job.name}")) and str(
                root
            ) in f"{place} {' '.join(process.cmdline())}":
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


class TestHTCondor(BackendContract):
    """Nodes see the scan's folder."""

    on = "htcondor"
    shared = True

    @pytest.fixture(autouse=True)
    def pool(self, condor_pool: Pool) -> Pool:
        self.nodes = condor_pool.folder
        return condor_pool

    def make(self, scan: ScanSpec, paths: ScanPaths) -> Backend:
        return HTCondorBackend(replace(scan, placement=Placement(shared=self.shared)), paths)

    def processes(self, bench: Bench, key: str) -> list[psutil.Process]:
        return processes_of(
            bench.paths.job(key).folder, bench.paths.folder if self.shared else self.nodes
        )

    def kill_worker(self, bench: Bench, key: str) -> None:
        for process in self.processes(bench, key):
            with contextlib.suppress(psutil.NoSuchProcess):
                if "worker.pyz" in " ".join(process.cmdline()):
                    process.kill()

    def leftovers(self, bench: Bench, key: str) -> list[str]:
        return [str(process) for process in self.processes(bench, key)]


class TestHTCondorWithoutASharedDisk(TestHTCondor):
    """Files travel with the jobs.

    Of what a job writes, only that is here which its worker tells and HTCondor brings.
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
