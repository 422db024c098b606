from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jupyter_gridgpu.errors import ScanLocked, StorageError
from jupyter_gridgpu.store.lease import STALE_S, Lease, held

OWNER = """
import sys
from pathlib import Path
from jupyter_gridgpu.store.lease import Lease
lease = Lease(Path(sys.argv[1]))
print(lease.term, flush=True)
sys.stdin.read()
"""


@contextmanager
def owner(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lease."""
    command = [sys.executable, "-c", OWNER, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip().isdigit()
        yield process
        process.kill()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "runner.lock"


def test_only_one_process_holds_the_lease(lock: Path) -> None:
    with owner(lock) as process:
        assert held(lock)
        with pytest.raises(ScanLocked, match=f"process {process.pid} on "):
            Lease(lock)
    assert not held(lock)


def test_a_killed_owner_leaves_the_lease_free_and_the_term_grows(lock: Path) -> None:
    with owner(lock):
        pass
    lease = Lease(lock)
    assert lease.term == 2
    assert held(lock)
    lease.release()
    assert not held(lock)
    again = Lease(lock)
    assert again.term == 3
    again.release()


def test_a_refused_lease_changes_nothing(lock: Path) -> None:
    lease = Lease(lock)
    before = lock.read_bytes()
    for _ in range(3):
        with pytest.raises(ScanLocked):
            Lease(lock)
    assert lock.read_bytes() == before
    lease.release()


def test_looking_does_not_disturb_the_owner(lock: Path) -> None:
    assert not held(lock)
    assert not lock.exists()
    lease = Lease(lock)
    assert all(held(lock) for _ in range(10))
    lease.release()


def test_a_child_of_the_owner_does_not_keep_the_lease(lock: Path) -> None:
    lease = Lease(lock)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        lease.release()
        assert not held(lock)
        child.kill()


@pytest.mark.parametrize("name", ["host", "boot", "start"])
def test_the_name_of_a_process_of_elsewhere_or_earlier_is_not_believed(
    lock: Path, name: str
) -> None:
    lease = Lease(lock)
    lease.release()
    body = json.loads(lock.read_text())
    lock.write_text(json.dumps({**body, name: "another" if name != "start" else body["start"] + 1}))
    assert not held(lock)


def test_an_owner_on_another_host_is_believed_as_long_as_its_lock_is_seen(lock: Path) -> None:
    lease = Lease(lock)
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "host": "another"}))
    assert held(lock)
    lease.release()
    assert not held(lock)


def test_an_owner_on_another_host_is_believed_while_it_renews_the_stamp(lock: Path) -> None:
    Lease(lock).release()
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "host": "another", "held": True}))
    assert held(lock)
    with pytest.raises(ScanLocked, match="on another"):
        Lease(lock)
    long_ago = time.time() - 2 * STALE_S
    os.utime(lock, (long_ago, long_ago))
    assert not held(lock)
    Lease(lock).release()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"term": null}', '{"term": "x"}', '{"term": [1]}', "\x00" * 40]
)
def test_a_damaged_lock_file_can_be_taken(lock: Path, text: str) -> None:
    lock.write_text(text)
    assert not held(lock)
    lease = Lease(lock)
    assert lease.term >= 1
    assert held(lock)
    lease.release()


def test_a_lock_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "runner.lock", tmp_path / "none" / "runner.lock"):
        assert not held(path)
        with pytest.raises(StorageError, match="cannot be written"):
            Lease(path)
