"""What all tests share: a home folder of their own, and nothing of the caller's environment."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("jupyter_gridgpu.testing")
pytest_plugins = ["tests.engines.condor", "tests.engines.slurm"]

settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("default")


ENGINES = (
    "slurm_cluster",
    "new_slurm_cluster",
    "condor_daemons",
    "lab",
)  # started once for all their tests


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where tests run in several processes, those of an engine stay together, and those of a file."""
    for item in items:
        used = [name for name in ENGINES if name in getattr(item, "fixturenames", ())]
        item.add_marker(pytest.mark.xdist_group(used[0] if used else str(item.path)))


@pytest.fixture(autouse=True)
def scans_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where scans go in this test; it does not exist yet."""
    home = tmp_path / "scans"
    monkeypatch.setenv("GRIDGPU_HOME", str(home))
    for name in ("CUDA_VISIBLE_DEVICES", "GRIDGPU_METRICS", "GRIDGPU_JOB"):
        monkeypatch.delenv(name, raising=False)
    return home
