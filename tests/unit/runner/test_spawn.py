"""A runner is a process of its own, whatever the process ignores that starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_gridgpu.model.scan import to_json
from jupyter_gridgpu.runner.__main__ import allow_interrupts
from jupyter_gridgpu.store import inbox
from jupyter_gridgpu.store.lease import held
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.testing.examples import small_scan

WITHIN_S = 60.0
STARTED_BY_NOHUP = """
import signal, sys
from pathlib import Path
from jupyter_gridgpu.runner import spawn
signal.signal(signal.SIGINT, signal.SIG_IGN)
spawn.spawn(Path(sys.argv[1]))
print(spawn._started[0].pid)
"""


def wait_for(look: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not look():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def ignores(pid: int, number: signal.Signals) -> bool:
    """Return whether a process ignores a signal, as /proc/PID/status says."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, mask = line.partition(":")
        if name == "SigIgn":
            return bool(int(mask, 16) >> (number - 1) & 1)
    raise AssertionError("the status of the process does not tell its signals")


@pytest.fixture
def paused(tmp_path: Path) -> ScanPaths:
    """A scan that starts no job and does not end by itself."""
    paths = ScanPaths(tmp_path)
    paths.jobs.mkdir()
    paths.inbox.mkdir()
    write_json(paths.spec, to_json(small_scan()))
    inbox.post(paths.inbox, "pause")
    return paths


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="signals are not to be seen")
def test_a_runner_can_be_interrupted_though_its_parent_ignores_that(paused: ScanPaths) -> None:
    command = [sys.executable, "-c", STARTED_BY_NOHUP, str(paused.folder)]
    started = subprocess.run(command, capture_output=True, text=True, check=True)
    pid = int(started.stdout)
    try:
        wait_for(lambda: inbox.pending(paused.inbox) == [], paused.log.read_text())
        assert not ignores(pid, signal.SIGINT)
        os.kill(pid, signal.SIGINT)
        wait_for(lambda: not held(paused.lock), "the runner goes on")
    finally:
        if held(paused.lock):
            os.kill(pid, signal.SIGKILL)


def test_in_the_session_of_somebody_else_an_ignored_interrupt_stays_ignored(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        monkeypatch.setattr(os, "getsid", lambda pid: os.getpid() + 1)
        allow_interrupts()
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        monkeypatch.setattr(os, "getsid", lambda pid: os.getpid())
        allow_interrupts()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
