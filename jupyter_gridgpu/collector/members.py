"""Whose metrics a collector takes: those of one user, or of the members that a facility invited."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.transport import key_files
from jupyter_gridgpu.transport.signing import SECRET_BYTES, derive_key, parse_secret

MASTER = "master.json"  # holds the secret from which the secrets of all members are made
EXPELLED = "expelled"  # a folder with an empty file for each member who was expelled


class Members(Protocol):
    """Says who is a member of a collector."""

    def secret(self, user: str) -> bytes | None:
        """Return the secret that a user's keys are made from, or None if they are no member.

        Raises StorageError.
        """
        ...


class OwnUser:
    """The one member of a user's own collector, which is part of their Jupyter server.

    The secret is in the user's settings. The file is read again when it has changed.
    """

    def __init__(self) -> None:
        self._read: tuple[Path, int] | None = None  # path and time stamp (ns) of what was read
        self._settings: dict[str, Any] | None = None

    def secret(self, user: str) -> bytes | None:
        """Return the user's secret; None for anybody else. Raises StorageError."""
        path = key_files.collector_file()
        try:
            stamp = path, os.stat(path).st_mtime_ns
        except OSError:
            return None
        # Every request comes here, so the file is opened only when it has changed.
        if stamp != self._read:
            self._settings = key_files.read(path)
            self._read = stamp
        if self._settings is None or self._settings.get("user") != user:
            return None
        return parse_secret(self._settings.get("secret"))


class InvitedMembers:
    """The members of a facility's collector.

    The secret of every member is made from the collector's own secret, so there is no list of
    members that could be lost. Only the members who were expelled are on disk.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._master = b""

    def secret(self, user: str) -> bytes | None:
        """Return a member's secret, or None if they were expelled. Raises StorageError."""
        # Looked up each time, so that a running collector refuses an expelled member at once.
        if (self._folder / EXPELLED / user).exists():
            return None
        return derive_key(self._master_secret(), "user", user)

    def expel(self, user: str) -> None:
        """Refuse all requests of a member from now on, for good."""
        (self._folder / EXPELLED).mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._folder / EXPELLED / user).touch(0o600)

    def _master_secret(self) -> bytes:
        if not self._master:
            path = self._folder / MASTER
            body = key_files.read(path)
            if body is None:
                key_files.write(path, {"secret": os.urandom(SECRET_BYTES).hex()})
                # Read back: `gridgpu collector invite` may have made one at the same moment.
                body = key_files.read(path)
            found = parse_secret(body.get("secret")) if body else None
            if found is None:
                raise StorageError(f"{path} holds no secret; remove it, and invite everybody anew.")
            self._master = found
        return self._master
