"""Whatever a file or a text holds, its reader gives a value or a sentence, soon and in memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.hostile_table import READERS

TABLE = Path(__file__).with_name("hostile_table.py")
SOON_S = 8.0  # of processor time; the imports that the first input of a reader needs are in it


@pytest.mark.parametrize("reader", READERS)
def test_hostile_inputs_are_refused_soon(reader: str) -> None:
    ended = subprocess.run(
        [sys.executable, str(TABLE), reader], capture_output=True, text=True, timeout=170
    )
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    expected = sum(1 for _ in READERS[reader][1]())
    assert len(rows) == expected, (rows[-1:], ended.stderr[-2000:])
    wrong = [row for row in rows if row[1] not in ("value", "sentence") or row[2] > SOON_S]
    assert wrong == []
