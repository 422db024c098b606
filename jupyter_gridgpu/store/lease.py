"""The lease: at most one runner owns a scan.

flock decides where it is honoured. Across hosts it may not be (some network homes), so the owner also renews the time
stamp of the file, and another host's owner is believed for STALE_S after the last one.
"""

from __future__ import annotations

import contextlib
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


RENEW_S = 10.0
STALE_S = 60.0


class Lease:
    """Held from construction to release() or the end of the process; the term grows with every owner."""

    def __init__(self, path: Path) -> None:
        """Take the lease. Raises ScanLocked if somebody holds it, StorageError if the file cannot be written."""
        try:
            self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror}.") from None
        body = _body(path)
        if _renewed_elsewhere(path, body) or not _locked(self._handle):
            os.close(self._handle)
            raise ScanLocked(f"The scan in {path.parent} already has a runner ({_owner(body)}).")
        try:
            term = body.get("term")
            self.term = (term if isinstance(term, int) else 0) + 1
            self._sign(held=True)
        except OSError as error:
            os.close(self._handle)
            raise StorageError(f"{path} cannot be written: {error.strerror}.") from None
        self._due = time.monotonic() + RENEW_S

    def _sign(self, held: bool) -> None:
        body = json.dumps({"term": self.term, "held": held, **this_process().to_json()}).encode()
        os.pwrite(self._handle, body, 0)
        os.ftruncate(self._handle, len(body))

    def renew(self) -> None:
        """Show other hosts that the owner lives; cheap to call often."""
        if time.monotonic() > self._due:
            self._due = time.monotonic() + RENEW_S
            with contextlib.suppress(OSError):
                os.utime(self._handle)

    def release(self) -> None:
        with contextlib.suppress(OSError):
            self._sign(held=False)
        os.close(self._handle)


def _locked(handle: int) -> bool:
    """Lock the file; whether that worked. Somebody who only asks who holds it may be in the way for a moment."""
    for _ in range(TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        except OSError:  # this file system has no locks: names and time stamps have to do
            return True
        else:
            return True
    return False


def held(path: Path) -> bool:
    """Whether a runner holds the lease now. A pid is believed only on its own host and boot."""
    body = _body(path)
    if not body:
        return False
    if body.get("host") != socket.gethostname():
        return _renewed_elsewhere(path, body) or _flocked(path)
    owner = Process.from_json(body)
    return owner is not None and owner.alive() and _flocked(path)


def _renewed_elsewhere(path: Path, body: dict[str, Any]) -> bool:
    """Whether an owner on another host has shown itself lately."""
    if body.get("host") in (None, socket.gethostname()) or body.get("held") is not True:
        return False
    with contextlib.suppress(OSError):
        return time.time() - os.stat(path).st_mtime < STALE_S
    return False


def _flocked(path: Path) -> bool:
    try:
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return _body(path).get("held") is True
    else:
        return False
    finally:
        os.close(handle)


def _body(path: Path) -> dict[str, Any]:
    try:
        body = json.loads(path.read_bytes() or b"{}")
    except (OSError, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def _owner(body: dict[str, Any]) -> str:
    return f"process {body.get('pid', '?')} on {body.get('host', '?')}"
