"""What tests of backends share."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu.store.paths import ScanPaths


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScanPaths:
    monkeypatch.setenv("GRIDGPU_POLL_S", "0.1")
    (tmp_path / "scan" / "jobs").mkdir(parents=True)
    return ScanPaths(tmp_path / "scan")
