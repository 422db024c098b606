"""The inbox: what clients ask of a runner, one small file a command, written by atomic rename."""

from __future__ import annotations

import os
import time
import uuid
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.view import COMMANDS
from jupyter_gridgpu.store.paths import read_json, write_json

COMMAND_BYTES = 1_000_000
TRIALS_LIMIT = 1_000_000
NAMED = 5  # variants that a sentence names


def post(inbox: Path, action: str, variants: list[str] | None = None, **more: Any) -> str:
    """Leave a command for the runner and return its id. Raises StorageError if the folder cannot be written."""
    ident = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
    try:
        write_json(inbox / f"{ident}.json", {"action": action, "variants": variants, **more})
    except OSError as error:
        raise StorageError(f"The command cannot be left in {inbox}: {error.strerror}.") from None
    return ident


def pending(inbox: Path) -> list[Path]:
    """Return the commands that wait, oldest first."""
    try:
        return sorted(
            Path(entry.path)
            for entry in os.scandir(inbox)
            if entry.name.endswith(".json") and entry.name[0] != "."
        )
    except FileNotFoundError:
        return []


def read(path: Path) -> dict[str, Any] | None:
    """Return a command as the journal keeps it, or None if the file is not a sound one."""
    body = read_json(path, COMMAND_BYTES)
    if not isinstance(body, dict) or body.get("action") not in COMMANDS:
        return None
    variants, trials = body.get("variants"), body.get("trials")
    if variants is not None and not (
        isinstance(variants, list) and all(isinstance(v, str) for v in variants)
    ):
        return None
    if body["action"] == "extend" and not (isinstance(trials, int) and 0 < trials <= TRIALS_LIMIT):
        return None
    by = bounded(body.get("by"), 80)
    return {
        "id": path.stem,
        "action": body["action"],
        "variants": variants,
        "trials": trials,
        "by": by,
    }


def words(action: str, variants: list[str] | None, trials: int | None) -> str:
    """Say in a few words what a command asks for."""
    if action == "extend":
        return f"{trials:,} points more"
    if variants is None:
        return f"{action} the scan"
    more = f" and {len(variants) - NAMED:,} more" if len(variants) > NAMED else ""
    return f"{action} {', '.join(variants[:NAMED])}{more}"
