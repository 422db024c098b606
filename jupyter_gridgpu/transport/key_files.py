"""Files with secrets of the user, which nobody else can read.

They lie beside the user's other settings for Jupyter:

    gridgpu/collector.json      a collector: its address, the user's name there, and the secret
                                that keys are made from
    gridgpu/drop.json           a storage: its address, the credential of the runner, that of jobs
    gridgpu/senders/ID.json     what the jobs of one scan need to send metrics; this file alone
                                travels with them
    gridgpu/secrets/ID.json     the secrets of one scan, until it ends; see scan_secrets.py

No scan folder, log or command line ever holds anything from these files.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import create_plain, read_bounded, users_opener

FILE_LIMIT = 100_000  # bytes


def folder() -> Path:
    """Return the folder of the user's settings."""
    # Imported here, since every runner loads this module and most scans need no key.
    from jupyter_core.paths import jupyter_config_dir

    return Path(jupyter_config_dir()) / "gridgpu"


def collector_file() -> Path:
    """Return the file that says which collector the user has."""
    return folder() / "collector.json"


def drop_file() -> Path:
    """Return the file that says which storage the user has."""
    return folder() / "drop.json"


def sender_file(scan_id: str) -> Path:
    """Return the file with what the jobs of a scan need to send metrics.

    `scan_id` becomes a file name: it must be an id that we made.
    """
    return folder() / "senders" / f"{scan_id}.json"


def secrets_file(scan_id: str) -> Path:
    """Return the file with the secrets of a scan; `scan_id` must be an id that we made."""
    return folder() / "secrets" / f"{scan_id}.json"


def read(path: Path) -> dict[str, Any] | None:
    """Return the JSON object of a file of secrets; None if there is no such file or object.

    Raises StorageError if other users can read the file.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StorageError(
            f"{path} holds a secret and others may read it: chmod 600 it, or make it anew."
        )
    body = None
    with suppress(OSError, ValueError):
        # The user may keep such files elsewhere, and have links here.
        body = parse_json(read_bounded(path, FILE_LIMIT, users_opener))
    return body if isinstance(body, dict) else None


def write(path: Path, body: Mapping[str, Any]) -> None:
    """Write a file of secrets. Raises StorageError.

    The file is private from the first moment, and is there complete or not at all.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.unlink(missing_ok=True)
        # O_EXCL: fails if somebody has put a file or a link here in the meantime.
        create_plain(part, json.dumps(dict(body), indent=1).encode(), 0o600)
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StorageError(f"{path} cannot be written: {error.strerror}.") from None
