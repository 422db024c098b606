"""The contract over the stand-in of PanDA, or over a real server.

tests/engines/panda/fixture.py says how the environment names a real one.
"""

from __future__ import annotations

import contextlib
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.backends.panda.backend import PandaBackend
from jupyter_gridgpu.model.resources import Container
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.backends import BackendContract, Bench
from tests.engines.panda import FakePanda
from tests.engines.panda.fixture import IMAGE, SITE, addresses, panda, real

__all__ = ["panda"]


class OverStandIn(BackendContract):
    """The real panda-client, and jobs that really run. Server and pilots are the stand-in's."""

    on = "panda"
    keeps_killed = False  # PanDA keeps nothing of a job that it killed

    @pytest.fixture(autouse=True)
    def server(self, panda: FakePanda) -> None:
        self.panda = panda

    def prepared(self, scan: ScanSpec) -> ScanSpec:
        return replace(scan, placement=replace(scan.placement, attempts=1))

    def make(self, scan: ScanSpec, paths: ScanPaths) -> Backend:
        return PandaBackend(scan, paths)

    def folders(self, bench: Bench, key: str) -> list[Path]:
        """Where the workers of the stand-in ran a job."""
        found = (
            self.panda.pilot.folder(job) / "jobs" / key
            for job in list(self.panda.jedi.jobs.values())
        )
        return [folder for folder in found if folder.exists()]

    def output(self, bench: Bench, key: str) -> str:
        logs = (log for folder in self.folders(bench, key) for log in folder.glob("*/worker.log"))
        return "".join(log.read_text(errors="replace") for log in logs)

    def kill_worker(self, bench: Bench, key: str) -> None:
        for process, words in self.processes(bench, key):
            if "worker.pyz" in " ".join(words) and "grid" not in words:
                with contextlib.suppress(psutil.Error):
                    process.send_signal(signal.SIGKILL)

    def leftovers(self, bench: Bench, key: str) -> list[str]:
        return [" ".join(words) for _, words in self.processes(bench, key)]

    def processes(self, bench: Bench, key: str) -> list[tuple[Any, list[str]]]:
        """The processes of a job, and their command lines."""
        found = []
        for process in psutil.process_iter():
            try:
                words = list(process.cmdline())
                seen = " ".join([*words, process.environ().get("GRIDGPU_JOB", "")])
                if any(str(folder) in seen for folder in self.folders(bench, key)):
                    found.append((process, words))
            except psutil.Error:
                continue
        return found


class OverRealServer(BackendContract):
    """A real server of a VO, where jobs take minutes and show nothing while they run."""

    on = "panda"
    patience_s = 3600.0
    keeps_killed = False

    @pytest.fixture(autouse=True)
    def server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in addresses().items():
            monkeypatch.setenv(name, value)

    def prepared(self, scan: ScanSpec) -> ScanSpec:
        placement = replace(scan.placement, attempts=1, queue=os.environ.get(SITE))
        return replace(scan, placement=placement, container=Container(os.environ.get(IMAGE)))

    def make(self, scan: ScanSpec, paths: ScanPaths) -> Backend:
        return PandaBackend(scan, paths)

    def output(self, bench: Bench, key: str) -> str:
        pytest.skip("what a job prints is not seen while it runs")


class TestPanda(OverRealServer if real() else OverStandIn):  # type: ignore[misc]
    """One of the two."""
