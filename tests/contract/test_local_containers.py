"""The local backend with jobs in real containers keeps the promises that it keeps without."""

from __future__ import annotations

import os
import signal

import pytest

from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.backends.local import LocalBackend
from jupyter_gridgpu.model.resources import Container
from jupyter_gridgpu.model.scan import Scan
from jupyter_gridgpu.store.paths import ScanPaths, read_json
from jupyter_gridgpu.testing.backends import BackendContract, Bench
from tests.engines import images

from .test_local_backend import processes_of


class InContainers(BackendContract):
    on = "local"

    def make(self, scan: Scan, paths: ScanPaths) -> Backend:
        return LocalBackend(scan, paths)

    def kill_worker(self, bench: Bench, key: str) -> None:
        os.kill(read_json(bench.paths.job(key).claim)["pid"], signal.SIGKILL)

    def leftovers(self, bench: Bench, key: str) -> list[str]:
        return processes_of(bench.paths.job(key).folder)


class TestApptainer(InContainers):
    @pytest.fixture(autouse=True)
    def runtime(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        monkeypatch.setenv("PATH", f"{images.apptainer_bin()}{os.pathsep}{os.environ['PATH']}")

    def container(self) -> Container:
        return Container(str(images.sandbox()), runtime="apptainer")


class TestPodman(InContainers):
    @pytest.fixture(autouse=True)
    def runtime(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
        for name, value in images.podman_environment().items():
            monkeypatch.setenv(name, value)

    def container(self) -> Container:
        return Container(str(images.sandbox()), runtime="podman")
