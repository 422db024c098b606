"""The PanDA backend keeps the contract: over the stand-in, or over a real server.

The environment names a real server; tests/engines/panda/fixture.py says how.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.backends.panda.backend import PandaBackend
from jupyter_gridgpu.model.resources import Container
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.backends import BackendContract, Bench
from tests.engines.panda import FakePanda
from tests.engines.panda.fixture import HOLD, IMAGE, SITE, addresses, panda, real

from .processes import Seen, living

__all__ = ["panda"]


PATIENCE_S = 3600.0
TESTS_TAKE = 4  # how often a test may wait so long
HOLD_S = 300.0


class OverStandIn(BackendContract):
    """Ask the stand-in, with the real panda-client; its jobs really run."""

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
        """Return where the workers of the stand-in ran a job."""
        jobs = list(self.panda.jedi.jobs.values())
        places = [self.panda.pilot.folder(job) / "jobs" / key for job in jobs]
        return [folder for folder in places if folder.exists()]

    def output(self, bench: Bench, key: str) -> str:
        logs = (log for folder in self.folders(bench, key) for log in folder.glob("*/worker.log"))
        return "".join(log.read_text(errors="replace") for log in logs)

    def kill_worker(self, bench: Bench, key: str) -> None:
        for seen in self.processes(bench, key):
            words = " ".join(seen.command)
            if "worker.pyz" in words and "grid" not in seen.command:
                seen.kill()

    def leftovers(self, bench: Bench, key: str) -> list[str]:
        return [seen.text() for seen in self.processes(bench, key)]

    def processes(self, bench: Bench, key: str) -> list[Seen]:
        """Return the living processes of a job."""
        folders = [str(folder) for folder in self.folders(bench, key)]
        return [seen for seen in living() if any(folder in seen.text() for folder in folders)]


class OverRealServer(BackendContract):
    """Ask a server of one's own or of a VO.

    Jobs take minutes there, and nothing of a job is seen while it runs. A test waits for several
    jobs, one after another, so it may take longer than the other tests of this project may.
    """

    pytestmark = pytest.mark.timeout(TESTS_TAKE * PATIENCE_S)
    on = "panda"
    patience_s = PATIENCE_S
    keeps_killed = False
    kills_itself = True
    hold_s = float(os.environ.get(HOLD, HOLD_S))

    @pytest.fixture(autouse=True)
    def server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in addresses().items():
            monkeypatch.setenv(name, value)

    def prepared(self, scan: ScanSpec) -> ScanSpec:
        placement = replace(scan.placement, attempts=1, queue=os.environ.get(SITE))
        return replace(scan, placement=placement, container=Container(os.environ.get(IMAGE)))

    def make(self, scan: ScanSpec, paths: ScanPaths) -> Backend:
        return PandaBackend(scan, paths)

    def output(self, bench: Bench, key: str) -> None:
        """Return None: what a job prints is not seen while it runs."""


class TestPanda(OverRealServer if real() else OverStandIn):  # type: ignore[misc]
    """Over the server that the environment says."""
