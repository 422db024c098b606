"""A machine on which workers cannot start, and how processes are started for workers."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.backends.local.starters import ForkServer, LauncherStarter, Starter
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import notebook_json
from tests.kit import break_workers, eventually

# A stand-in for the packed worker: it says whether it ignores SIGINT, and waits for its pipe.
SHOWS_SIGINT = """\
import pathlib, signal, sys
ignored = signal.getsignal(signal.SIGINT) == signal.SIG_IGN
part = pathlib.Path(sys.argv[0]).with_name("part")
part.write_text("ignored" if ignored else "default")
part.rename(part.with_name("sigint"))
sys.stdin.read()
"""


@pytest.mark.timeout(120)
def test_jobs_fail_with_the_reason_when_workers_cannot_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_workers(tmp_path / "broken", "no papermill in this image", monkeypatch)
    notebook = tmp_path / "train.ipynb"
    notebook.write_text(notebook_json("lr = 0.1", "print(lr)"))
    handle = client.start(plan(notebook, "lr = [0.1, 0.2, 0.3]", Options()))
    assert handle.wait(timeout_s=100) == "done"
    for variant in handle.view.variants.values():
        assert (variant.state, variant.reason) == ("failed", "submit")
        assert variant.message == "Workers cannot start on this machine. no papermill in this image"


@pytest.fixture
def paths(tmp_path: Path) -> ScanPaths:
    found = ScanPaths(tmp_path / "scan")
    found.job("v0001.1").folder.mkdir(parents=True)
    found.worker.write_text(SHOWS_SIGINT)
    return found


@pytest.fixture
def sigint_by_default() -> Iterator[None]:
    """Restore what this process does at SIGINT, which is how a runner starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def sigint_of_child(starter: Starter, paths: ScanPaths) -> str:
    """Start a process for a job and return what that process does at SIGINT."""
    starter.start("v0001.1")
    shown = paths.folder / "sigint"
    eventually(shown.exists, "the process shows what it does")
    starter.close()
    return shown.read_text()


def test_the_fork_server_can_be_interrupted(paths: ScanPaths, sigint_by_default: None) -> None:
    assert sigint_of_child(ForkServer(paths), paths) == "default"


@pytest.mark.parametrize("ignored", [False, True])
def test_the_process_of_a_container_can_be_interrupted(
    paths: ScanPaths, sigint_by_default: None, ignored: bool
) -> None:
    if ignored:  # as in the background of a script
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert sigint_of_child(LauncherStarter(paths, lambda: dict(os.environ)), paths) == "default"
