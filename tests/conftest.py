"""What all tests share: a home folder of their own, and nothing of the caller's environment."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent

pytest.register_assert_rewrite("jupyter_gridgpu.testing")
pytest_plugins = ["tests.engines.condor", "tests.engines.slurm", "tests.tried_again"]

settings.register_profile(
    "default",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
# What tests/fuzz.py uses: other examples in each run, by a seed.
settings.register_profile("long", settings.get_profile("default"), derandomize=False)
settings.load_profile("default")


# Batch systems that are started once for all tests that use them.
BATCH_SYSTEMS = ("slurm_cluster", "new_slurm_cluster", "condor_daemons")
# Tests of these folders take long, so they start first; the short ones fill the gaps at the end.
LONGEST_FIRST = ("browser", "contract", "system", "unit")
# These files take minutes each, so they start before all folders.
LONGEST_FILES = ("test_chaos.py", "test_versions.py")


def pytest_configure(config: pytest.Config) -> None:
    """Let the processes that tests start be interrupted, also where the tests cannot be.

    A shell starts `scripts/test &` with SIGINT ignored, and every process below inherits that.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# First of all, since pytest-xdist reads the groups in a hook of the same name.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together, where tests run in several processes, what shares something costly."""
    for item in items:
        group = _group(item)
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=_turn)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to run where pytest-xdist has not taken the groups: each process would start Slurm."""
    grouped = [item for item in session.items if item.get_closest_marker("xdist_group")]
    distributed = getattr(session.config.option, "loadgroup", False)
    if grouped and distributed and "@" not in grouped[0].nodeid:
        raise pytest.UsageError("pytest-xdist does not group tests with this version of pytest")


def _group(item: pytest.Item) -> str | None:
    """Return the name of the group that a test belongs to, or None for one that stands alone."""
    fixtures: dict[str, Any] = cast(Any, item)._fixtureinfo.name2fixturedefs
    for name in BATCH_SYSTEMS:
        if name in fixtures:
            return name
    for found in fixtures.values():
        # A fixture of a file or a class is made once in each process that runs one of its tests.
        if found[-1].scope in ("module", "class"):
            return str(item.path.relative_to(TESTS))
    return None


def _turn(item: pytest.Item) -> tuple[bool, int]:
    """Return where a test stands in the order of all: batch systems, long files, then by folder."""
    fixtures = getattr(item, "fixturenames", ())
    alone = not any(name in fixtures for name in BATCH_SYSTEMS)
    if item.path.name in LONGEST_FILES:
        return alone, -1
    folder = item.path.relative_to(TESTS).parts[0]
    if folder not in LONGEST_FIRST:
        return alone, len(LONGEST_FIRST)
    return alone, LONGEST_FIRST.index(folder)


@pytest.fixture(autouse=True)
def scans_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder where scans go in this test; it does not exist yet."""
    home = tmp_path / "scans"
    monkeypatch.setenv("GRIDGPU_HOME", str(home))
    # The tests may run in a job of this project themselves.
    for name in ("CUDA_VISIBLE_DEVICES", "GRIDGPU_METRICS", "GRIDGPU_JOB", "GRIDGPU_STOP"):
        monkeypatch.delenv(name, raising=False)
    return home
