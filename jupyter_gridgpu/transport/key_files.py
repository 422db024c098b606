"""What is secret of a user's settings: files that nobody else can read, beside the user's other settings for Jupyter.

    gridgpu/collector.json      a collector: its address, who the user is there, the secret that keys are made of
    gridgpu/drop.json           a storage: its address, the credential of the runner, the credential of the jobs
    gridgpu/senders/ID.json     what the jobs of one scan need to send metrics; this alone travels with them

No scan folder, log or command line ever holds any of it.
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
from jupyter_gridgpu.store.paths import read_json

LIMIT = 100_000


def folder() -> Path:
    """The folder of the user's settings."""
    from jupyter_core.paths import jupyter_config_dir

    return Path(jupyter_config_dir()) / "gridgpu"


def collector_file() -> Path:
    return folder() / "collector.json"


def drop_file() -> Path:
    return folder() / "drop.json"


def sender_file(scan_id: str) -> Path:
    """What the jobs of a scan need to send metrics. `scan_id` is ours."""
    return folder() / "senders" / f"{scan_id}.json"


def read(path: Path) -> dict[str, Any] | None:
    """Return a file of secrets, or None if there is none. Raises StorageError if others can read it."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise StorageError(
            f"{path} holds a secret and others may read it: chmod 600 it, or make it anew."
        )
    body = read_json(path, LIMIT)
    return body if isinstance(body, dict) else None


def write(path: Path, body: Mapping[str, Any]) -> None:
    """Write a file of secrets, which nobody else could ever read. Raises StorageError."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        part.unlink(missing_ok=True)
        with os.fdopen(
            os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump(dict(body), file, indent=1)
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise StorageError(f"{path} cannot be written: {error.strerror}.") from None
