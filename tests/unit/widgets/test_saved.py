"""What an output keeps of a scan."""

from __future__ import annotations

import json
from typing import Any

from jupyter_gridgpu.widgets.saved_output import BYTES_LIMIT, ROWS_LIMIT, saved

HEAD: Any = {
    "id": "20261123-1",
    "name": "btag",
    "folder": "/home/ada/scans/btag",
    "browse": "/home/ada/x",
    "home": "/home/ada",
}


def test_the_saved_rows_are_bounded_in_number() -> None:
    rows: Any = [{"id": f"v{i:04d}"} for i in range(ROWS_LIMIT + 5)]
    assert len(saved(HEAD, rows)["snapshot"]["rows"]) == ROWS_LIMIT


def test_the_saved_rows_are_bounded_in_bytes() -> None:
    rows: Any = [{"id": f"v{i:04d}", "message": "x" * 10_000} for i in range(100)]
    assert len(json.dumps(saved(HEAD, rows))) < BYTES_LIMIT + 2_000


def test_a_notebook_that_is_passed_on_names_no_folder() -> None:
    assert "/home" not in json.dumps(saved(HEAD, []))
