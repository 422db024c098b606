"""The part of a scan that is saved in a cell's output.

JupyterLab draws the table from it when the notebook is opened again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from jupyter_gridgpu.model import wire

MIME_TYPE = "application/vnd.gridgpu.scan+json"
ROWS_LIMIT = 200
BYTES_LIMIT = 200_000  # of the rows; they make the notebook larger each time it is saved


def saved(head: wire.ScanInfo, rows: Iterable[wire.Row]) -> dict[str, Any]:
    """Return the data of our MIME type: the scan's id, name and head, and its first rows."""
    # A notebook is passed on to others, so its author's folders are left out.
    scan = {**head, "folder": "", "browse": None, "home": ""}
    return {
        "id": head["id"],
        "name": head["name"],
        "snapshot": {"type": "snapshot", "rev": 0, "scan": scan, "rows": _first_rows(rows)},
    }


def _first_rows(rows: Iterable[wire.Row]) -> list[wire.Row]:
    """Return the first rows that fit into ROWS_LIMIT and BYTES_LIMIT."""
    kept: list[wire.Row] = []
    bytes_left = BYTES_LIMIT
    for row in rows:
        bytes_left -= len(json.dumps(row))
        if bytes_left < 0 or len(kept) == ROWS_LIMIT:
            break
        kept.append(row)
    return kept
