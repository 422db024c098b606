"""The lease: at most one runner drives a scan.

Two things show that a runner holds the lease. The lock of the file (flock) decides on one host, and
on several hosts if the file system passes locks on. Some network homes do not. So the owner also
renews the time stamp of the file every RENEW_S, and an owner on another host is believed for
STALE_S seconds after the last time stamp.

Some file systems refuse locks (Lustre without flock, some of FUSE). There a runner makes the file
of the next generation, see `lease_generations.py`.

The file holds the owner's process and the term, which grows by one with each owner. Events carry
the term of their runner, so that the fold drops the events of a runner that has lost its lease.
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
from jupyter_gridgpu.store import lease_generations
from jupyter_gridgpu.store.late_disk import seen_late_s
from jupyter_gridgpu.store.opener import LOCK, plain_handle
from jupyter_gridgpu.store.paths import read_json
from jupyter_gridgpu.store.process import Process, this_process

TRIES = 10  # attempts to lock the file
RETRY_S = 0.02  # between two of them
RENEW_S = 10.0
STALE_S = 60.0
BODY_BYTES = 10_000
LARGEST_TERM = 2**53


class Lease:
    """The lease of this process, from construction to `release()` or to the end of the process."""

    def __init__(self, path: Path) -> None:
        """Take the lease.

        Raises ScanLocked if another runner holds it, StorageError if the file cannot be written.
        """
        try:
            self._handle = plain_handle(path, LOCK)
        except OSError as error:
            raise StorageError(f"{path} cannot be written: {error.strerror}.") from None
        self._generation: Path | None = None  # the file that stands for the lock where none is
        try:
            taken = self._take(path)
            # Another runner may have written the file until the lock was had.
            body = _body(path)
            if taken:
                self.term = _term(body) + 1
                self._write(held=True)
        except OSError as error:
            os.close(self._handle)
            raise StorageError(f"{path} cannot be written: {error.strerror}.") from None
        if not taken:
            os.close(self._handle)
            raise ScanLocked(f"The scan in {path.parent} already has a runner ({_owner(body)}).")
        self._renew_at = time.monotonic() + RENEW_S

    def _take(self, path: Path) -> bool:
        """Return whether this process has the lease now. Raises OSError."""
        if _renewed_elsewhere(path, _body(path)) or lease_generations.held(path, stale_s(path)):
            return False
        locked = _lock(self._handle)
        if locked is not None:
            return locked
        # This file system has no locks, or refuses them now while another runner has one.
        body = _body(path)
        owner = Process.from_json(body)
        if body.get("held") is True and owner not in (None, this_process()) and owner.alive():
            return False
        self._generation = lease_generations.take(path, stale_s(path), _term(body))
        return self._generation is not None

    def _write(self, held: bool) -> None:
        body = json.dumps({"term": self.term, "held": held, **this_process().to_json()}).encode()
        # The file is written in place: a rename would replace the file that is locked.
        os.pwrite(self._handle, body, 0)
        os.ftruncate(self._handle, len(body))

    def renew(self) -> None:
        """Show other hosts that the owner lives. It is cheap to call this often."""
        if time.monotonic() > self._renew_at:
            self._renew_at = time.monotonic() + RENEW_S
            with contextlib.suppress(OSError):
                os.utime(self._handle)
            if self._generation is not None:
                with contextlib.suppress(OSError):
                    os.utime(self._generation)

    def release(self) -> None:
        """Give the lease back."""
        with contextlib.suppress(OSError):
            self._write(held=False)
        if self._generation is not None:
            with contextlib.suppress(OSError):
                lease_generations.give_back(self._generation)
        os.close(self._handle)


def held(path: Path) -> bool:
    """Return whether a runner holds the lease in this file now."""
    body = _body(path)
    if not body:
        return False
    if body.get("host") != socket.gethostname():
        return _renewed_elsewhere(path, body) or _is_locked(path)
    # On this host the owner can be looked for. Where the file system has no locks, the file of a
    # killed runner goes on saying that it is held.
    owner = Process.from_json(body)
    return owner is not None and owner.alive() and _is_locked(path)


def _lock(handle: int) -> bool | None:
    """Lock the file and return whether that worked, or None if the file system has no locks."""
    for _ in range(TRIES):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Perhaps no runner holds the lock: a process that only looks (`_is_locked`) locks the
            # file for a moment.
            time.sleep(RETRY_S)
        except OSError:
            return None
        else:
            return True
    return False


def _is_locked(path: Path) -> bool:
    """Return whether some process has locked the file for writing."""
    try:
        handle = plain_handle(path, os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no locks here: only the content of the file tells
        return _body(path).get("held") is True
    else:
        return False
    finally:
        os.close(handle)


def _renewed_elsewhere(path: Path, body: dict[str, Any]) -> bool:
    """Return whether an owner on another host has renewed the time stamp lately."""
    if body.get("host") in (None, socket.gethostname()) or body.get("held") is not True:
        return False
    with contextlib.suppress(OSError):
        return time.time() - os.stat(path).st_mtime < stale_s(path)
    return False


def stale_s(path: Path) -> float:
    """Return for how long an owner on another host is believed after its last time stamp.

    A network disk may show an old time stamp for a while.
    """
    return STALE_S + seen_late_s(path)


def _body(path: Path) -> dict[str, Any]:
    """Return what the file holds, or an empty dict if it is missing or damaged."""
    body = read_json(path, BODY_BYTES)
    if not isinstance(body, dict):
        return {}
    return body


def _term(body: dict[str, Any]) -> int:
    term = body.get("term")
    if type(term) is not int or not 0 <= term <= LARGEST_TERM:
        return 0
    return term


def _owner(body: dict[str, Any]) -> str:
    return f"process {body.get('pid', '?')} on {body.get('host', '?')}"
