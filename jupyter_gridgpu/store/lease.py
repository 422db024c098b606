"""The lease: at most one runner owns a scan. flock where it is honoured, with the owner's name in the file."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import ScanLocked, StorageError
from jupyter_gridgpu.store.process import Process, this_process

TRIES = 10


class Lease:
    """Held from construction to release() or the end of the process; the term grows with every owner."""

    def __init__(self, path: Path) -> None:
        """Take the lease. Raises ScanLocked if somebody holds it, StorageError if the file cannot be written."""
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror}.") from None
        if not _locked(self._handle):
            os.close(self._handle)
            raise ScanLocked(f"The scan in {path.parent} already has a runner ({_owner(path)}).")
        try:
            term = _body(path).get("term")
            self.term = (term if isinstance(term, int) else 0) + 1
            self._sign()
        except OSError as error:
            os.close(self._handle)
            raise StorageError(f"{path} cannot be written: {error.strerror}.") from None

    def _sign(self) -> None:
        body = json.dumps({"term": self.term, **this_process().to_json()}).encode()
        os.pwrite(self._handle, body, 0)
        os.ftruncate(self._handle, len(body))

    def release(self) -> None:
        os.close(self._handle)


def _locked(handle: int) -> bool:
    """Lock the file; whether that worked. Somebody who only asks who holds it may be in the way for a moment."""
    for _ in range(TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def held(path: Path) -> bool:
    """Whether a runner holds the lease now. A pid is believed only on its own host and boot; flock decides there."""
    body = _body(path)
    if not body:
        return False
    if body.get("host") != socket.gethostname():
        return _flocked(path)
    owner = Process.from_json(body)
    return owner is not None and owner.alive() and _flocked(path)


def _flocked(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(handle)


def _body(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_bytes() or b"{}")
    except (OSError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def _owner(path: Path) -> str:
    body = _body(path)
    return f"process {body.get('pid', '?')} on {body.get('host', '?')}"
