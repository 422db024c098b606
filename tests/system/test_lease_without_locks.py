"""Runners on a file system that refuses locks. The refusal is a fake, the processes are real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_gridgpu.store.lease_generations import held, take
from jupyter_gridgpu.store.process import this_process
from tests.kit import eventually

FAKE = Path(__file__).parent.parent / "data" / "fake_no_locks"
STARTS = 50
# Says whether it got the lease once the file `go` is there, and keeps it until its input ends.
OWNER = """
import sys, time
from pathlib import Path
from jupyter_gridgpu.errors import ScanLocked
from jupyter_gridgpu.store.lease import Lease
lock = Path(sys.argv[1])
print("ready", flush=True)
while not lock.with_name("go").exists():
    time.sleep(0.001)
try:
    lease = Lease(lock)
except ScanLocked:
    print("refused", flush=True)
else:
    print("owner", lease.term, flush=True)
    sys.stdin.read()
    lease.release()
"""


def start(lock: Path) -> subprocess.Popen[str]:
    """Start a process that tries to get the lease, where there are no locks."""
    path = os.pathsep.join([str(FAKE), *sys.path])
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, str(lock)],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("before", ["nothing", "killed"])
def test_of_many_starts_at_once_one_gets_the_lease(tmp_path: Path, before: str) -> None:
    lock = tmp_path / "runner.lock"
    go = tmp_path / "go"
    term = 0
    if before == "killed":
        go.touch()
        killed = start(lock)
        assert [said(killed), said(killed)] == ["ready", "owner 1"]
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        go.unlink()
        term = 1
    processes = [start(lock) for _ in range(STARTS)]
    try:
        assert {said(process) for process in processes} == {"ready"}
        go.touch()
        answers = [said(process) for process in processes]
        assert sorted(answers) == [f"owner {term + 1}", *["refused"] * (STARTS - 1)]
        # Only the newest generation is left.
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
            ["go", "runner.lock", f"runner.lock.{term + 1}"]
        )
    finally:
        for process in processes:
            process.communicate(timeout=60)
    # The owner has given the lease back.
    again = start(lock)
    assert [said(again), said(again)] == ["ready", f"owner {term + 2}"]
    again.communicate(timeout=60)


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00" * 50])
def test_a_file_that_a_power_cut_damaged_is_passed_over(tmp_path: Path, text: str) -> None:
    lock = tmp_path / "runner.lock"
    lock.with_name("runner.lock.7").write_text(text)
    assert take(lock, 60.0, 3) == lock.with_name("runner.lock.8")
    assert held(lock, 60.0)
    assert take(lock, 60.0, 3) is None


@pytest.mark.parametrize("name", ["boot", "start"])
def test_an_earlier_process_of_the_same_number_is_no_owner(tmp_path: Path, name: str) -> None:
    lock = tmp_path / "runner.lock"
    process = this_process().to_json()
    other = {**process, name: "another" if name == "boot" else process["start"] + 1}
    lock.with_name("runner.lock.1").write_text(json.dumps({"held": True, **other}))
    assert not held(lock, 60.0)
    assert take(lock, 60.0, 0) == lock.with_name("runner.lock.2")


def test_a_slow_start_does_not_take_an_older_generation(tmp_path: Path) -> None:
    """It saw a dead owner before two others came and went."""
    lock = tmp_path / "runner.lock"
    assert take(lock, 60.0, 4) == lock.with_name("runner.lock.5")
    assert eventually(lambda: held(lock, 60.0))
    assert take(lock, 60.0, 0) is None
    assert [path.name for path in tmp_path.iterdir()] == ["runner.lock.5"]
