"""The `stop` file of a job: it is there once the job is to end, and says why."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import read_start

LIMIT = 4096  # bytes
REASONS = ("user", "pruned")


def read_stop(path: Path) -> tuple[str, str | None] | None:
    """Return why a job is to end and the message of the one who asks, or None without a file.

    An empty file, or one that cannot be read, means that the user stopped the job.
    """
    try:
        text = read_start(path, LIMIT)
    except FileNotFoundError:
        return None
    except OSError:
        # A network disk that forgot which file it is (ESTALE) says nothing of a stop.
        return ("user", None) if os.path.lexists(path) else None
    try:
        body = parse_json(text)
    except ValueError:
        return "user", None
    if not isinstance(body, dict) or body.get("why") not in REASONS:
        return "user", None
    return str(body["why"]), one_line(body.get("message"), 200)
