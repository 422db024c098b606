"""Whom a collector takes readings for: the user whose Jupyter server it is, or those whom a facility has invited."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.transport import key_files
from jupyter_gridgpu.transport.signing import derive

MASTER = "master.json"
EXPELLED = "expelled"


class Members(Protocol):
    def secret(self, user: str) -> bytes | None:
        """Return the secret that a user's keys are made of; None for who is no member. Raises StorageError."""
        ...


class OwnUser:
    """The user's own collector: the secret is in their settings, and is looked at again when that file changes."""

    def __init__(self) -> None:
        self._stamp: tuple[Path, int] | None = None
        self._known: dict[str, Any] | None = None

    def secret(self, user: str) -> bytes | None:
        path = key_files.collector_file()
        try:
            stamp = path, os.stat(path).st_mtime_ns
        except OSError:
            return None
        if stamp != self._stamp:
            self._known, self._stamp = key_files.read(path), stamp
        known = self._known
        return (
            _secret(known.get("secret"))
            if known is not None and known.get("user") == user
            else None
        )


class InvitedMembers:
    """A facility: every member's secret is made of the one that the collector keeps, so there is no list to lose."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._master = b""

    def secret(self, user: str) -> bytes | None:
        if (self._folder / EXPELLED / user).exists():
            return None
        return derive(self._key(), "user", user)

    def expel(self, user: str) -> None:
        (self._folder / EXPELLED).mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._folder / EXPELLED / user).touch(0o600)

    def _key(self) -> bytes:
        if not self._master:
            path = self._folder / MASTER
            body = key_files.read(path)
            if body is None:
                key_files.write(path, {"secret": os.urandom(32).hex()})
                body = key_files.read(path)
            found = _secret(body.get("secret")) if body else None
            if found is None:
                raise StorageError(f"{path} holds no secret; remove it, and invite everybody anew.")
            self._master = found
        return self._master


def _secret(text: Any) -> bytes | None:
    try:
        found = bytes.fromhex(text)
    except (TypeError, ValueError):
        return None
    return found if len(found) >= 32 else None
