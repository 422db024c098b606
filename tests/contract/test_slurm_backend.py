"""The Slurm backend keeps the contract."""

from __future__ import annotations

import pytest

from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.backends.slurm.backend import SlurmBackend
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.backends import BackendContract, Bench
from tests.engines.slurm import Cluster

from .processes import living, of_job


class TestSlurm(BackendContract):
    """On the cluster that all tests share."""

    on = "slurm"
    patience_s = 120.0  # a busy machine takes long to start a job of a batch system

    @pytest.fixture(autouse=True)
    def cluster(self, slurm: Cluster) -> Cluster:
        return slurm

    def make(self, scan: ScanSpec, paths: ScanPaths) -> Backend:
        return SlurmBackend(scan, paths)

    def kill_worker(self, bench: Bench, key: str) -> None:
        spec = str(bench.paths.job(key).spec)
        for seen in living():
            if spec in seen.command:
                seen.kill()

    def leftovers(self, bench: Bench, key: str) -> list[str]:
        return [seen.text() for seen in of_job(bench.paths.job(key).folder)]
