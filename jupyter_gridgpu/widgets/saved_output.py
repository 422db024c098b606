"""What an output keeps of a scan for JupyterLab: which one it is, and its rows as they were when the notebook was saved."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from jupyter_gridgpu.model import wire

MIME_TYPE = "application/vnd.gridgpu.scan+json"
ROWS_LIMIT = 200
BYTES_LIMIT = 200_000


def saved(head: wire.ScanInfo, rows: Iterable[wire.Row]) -> dict[str, Any]:
    """Return the data of our MIME type: the first rows up to a bound. A notebook is passed on, so no folder is named in it."""
    scan = {**head, "folder": "", "browse": None, "home": ""}
    return {
        "id": head["id"],
        "name": head["name"],
        "snapshot": {"type": "snapshot", "rev": 0, "scan": scan, "rows": _first(rows)},
    }


def _first(rows: Iterable[wire.Row]) -> list[wire.Row]:
    kept: list[wire.Row] = []
    room = BYTES_LIMIT
    for row in rows:
        room -= len(json.dumps(row))
        if room < 0 or len(kept) == ROWS_LIMIT:
            break
        kept.append(row)
    return kept
