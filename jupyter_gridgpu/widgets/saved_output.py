"""What is saved of a scan in a cell's output, for pages that draw no widget.

Kernel and server both make it. Of a scan that has ended both make the same, so that an output is
renewed once.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from jupyter_gridgpu.model import wire
from jupyter_gridgpu.scan_reader import ScanReader
from jupyter_gridgpu.widgets.static_table import html

MIME_TYPE = "application/vnd.gridgpu.scan+json"
ROWS_LIMIT = 200
BYTES_LIMIT = 200_000  # of the rows; they make the notebook larger each time it is saved


def output_forms(reader: ScanReader, head: wire.ScanInfo) -> dict[str, Any]:
    """Return the output of a cell by MIME type, without the widget: our own type, HTML, text."""
    with reader.lock:
        rows = [wire.row(reader.view, variant) for variant in reader.view.variants.values()]
    return {
        MIME_TYPE: saved(head, rows),
        "text/html": html(head, rows),
        "text/plain": repr(reader),
    }


def saved(head: wire.ScanInfo, rows: Iterable[wire.Row]) -> dict[str, Any]:
    """Return the data of our MIME type: the scan's id, name and head, and its first rows."""
    # A notebook is passed on to others, so its author's folders are left out.
    scan = {**head, "folder": "", "browse": None, "home": ""}
    # The time at which it is saved must not make the same end differ.
    if head.get("ended") is not None:
        scan["now"] = head["ended"]
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
