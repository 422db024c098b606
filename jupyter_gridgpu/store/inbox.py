"""The inbox: the commands that clients leave for a runner, each in a small file of its own.

A client writes a command by an atomic rename. The runner applies it, writes that into the journal
and removes the file.
"""

from __future__ import annotations

import json
import os
import stat
import time
import uuid
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import GridGpuError, StorageError
from jupyter_gridgpu.model import extension, numbers
from jupyter_gridgpu.model.extension import TRIALS_LIMIT
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.records import CommandApplied
from jupyter_gridgpu.model.view import COMMANDS
from jupyter_gridgpu.store.paths import read_json, write_atomic

COMMAND_BYTES = 1_000_000
NAMED_VARIANTS = 5  # how many variants a sentence names
BY_LIMIT = 80  # characters of what a client calls itself


def post(inbox: Path, action: str, variants: list[str] | None = None, **more: Any) -> str:
    """Leave a command for the runner and return its id.

    `variants` None means the whole scan. Raises StorageError if the folder cannot be written.
    """
    # The time comes first, with a fixed width, so that names sort in the order of the commands.
    ident = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}"
    try:
        # Without line breaks and indents, which can double the size of a list of points.
        body = json.dumps({"action": action, "variants": variants, **more})
        write_atomic(inbox / f"{ident}.json", body)
    except OSError as error:
        raise StorageError(f"The command cannot be left in {inbox}: {error.strerror}.") from None
    return ident


def pending(inbox: Path) -> list[Path]:
    """Return the files of the commands that are not applied yet, the oldest first."""
    try:
        # A name with a dot is a command that is still being written.
        return sorted(
            Path(entry.path)
            for entry in os.scandir(inbox)
            if entry.name.endswith(".json") and entry.name[0] != "."
        )
    except (FileNotFoundError, NotADirectoryError):
        return []


def read(path: Path) -> CommandApplied | None:
    """Return a command as the journal keeps it, or None if the file holds no sound command.

    A command of another user is none.
    """
    try:
        about = os.lstat(path)
    except OSError:
        return None
    if about.st_uid != os.geteuid() or not stat.S_ISREG(about.st_mode):
        return None
    body = read_json(path, COMMAND_BYTES)
    if not isinstance(body, dict) or body.get("action") not in COMMANDS:
        return None
    # Any program that can write into the folder can leave a command. So the limits that clients
    # check are checked here again.
    variants, trials = body.get("variants"), body.get("trials")
    if variants is not None and not _is_list_of_texts(variants):
        return None
    if trials is not None and (type(trials) is not int or not 0 < trials <= TRIALS_LIMIT):
        return None
    more: dict[str, Any] = {}
    if body["action"] == "extend":
        try:
            extension.from_json(body)
        except GridGpuError:
            return None
        more = extension.keys_of(body)
        if trials is None and not more:
            return None
    command: CommandApplied = {
        "id": path.stem,
        "action": body["action"],
        "variants": variants,
        "trials": trials,
        "by": one_line(body.get("by"), BY_LIMIT),
    }
    # The journal encodes what it gets.
    command.update(numbers.decode_all(more))
    return command


def _is_list_of_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def command_text(action: str, variants: list[str] | None) -> str:
    """Return what a command does as the rest of a sentence, such as `stop v0001, v0002.`."""
    if variants is None:
        return f"{action} the scan."
    text = f"{action} {', '.join(variants[:NAMED_VARIANTS])}"
    if len(variants) > NAMED_VARIANTS:
        text += f" and {len(variants) - NAMED_VARIANTS:,} more"
    return f"{text}."
