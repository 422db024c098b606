from __future__ import annotations

import contextlib
import signal

import psutil
import pytest

from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.backends.slurm.backend import SlurmBackend
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.backends import BackendContract, Bench
from tests.engines.slurm import Cluster


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDGPU_POLL_S", "0.3")


class TestSlurm(BackendContract):
    on = "slurm"

    @pytest.fixture(autouse=True)
    def cluster(self, slurm: Cluster) -> Cluster:
        return slurm

    def make(self, scan: ScanSpec, paths: ScanPaths) -> Backend:
        return SlurmBackend(scan, paths)

    def kill_worker(self, bench: Bench, key: str) -> None:
        spec = str(bench.paths.job(key).spec)
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if spec in process.cmdline():
                    process.send_signal(signal.SIGKILL)

    def leftovers(self, bench: Bench, key: str) -> list[str]:
        return [" ".join(process.cmdline()) for process in processes_of(bench, key)]


def processes_of(bench: Bench, key: str) -> list[psutil.Process]:
    """The processes of a job, without zombies."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get(
                "GRIDGPU_JOB"
            ) == str(bench.paths.job(key).folder):
                found.append(process)
    return found
