"""A scan whose journal was damaged: it says so, and what is missing is found or made again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from .helpers import options, space, strict_json
from .lab import Lab, ScanOfLab

# Each execution leaves a mark, so that one that ran twice is seen.
CELL = """
import os
from jupyter_gridgpu import report
handle = os.open(marks, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
os.write(handle, f"{n} ".encode())
report(loss=n)
"""


@pytest.fixture
def ended(lab: Lab) -> ScanOfLab:
    notebook = lab.notebook(CELL, parameters=f"n = 0\nmarks = {str(lab.mark)!r}")
    return lab.run(notebook, *space(n=[1, 2, 3]), *options("--minimize loss"))


def damage(scan: ScanOfLab, text: bytes, change: Callable[[bytes], bytes]) -> None:
    """Change those lines of the scan's journal that hold `text`."""
    journal: Path = scan.folder / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    assert any(text in line for line in lines)
    journal.write_bytes(b"".join(change(line) if text in line else line for line in lines))


def flip(line: bytes) -> bytes:
    """Return a line in which the disk has changed one byte in the middle."""
    half = len(line) // 2
    return line[:half] + bytes([line[half] ^ 0x10]) + line[half + 1 :]


@pytest.mark.parametrize("variant", ["v0001", "v0002", "v0003"])
def test_a_variant_that_the_journal_lost_is_found_again(ended: ScanOfLab, variant: str) -> None:
    damage(ended, b'"type":"variant.proposed","variant":"%b"' % variant.encode(), flip)
    shown = strict_json(ended.gridgpu("show", "--json").stdout)
    assert any("journal" in sentence for sentence in shown["warnings"])
    assert ended.name in ended.lab.gridgpu("list").stdout
    ended.gridgpu("resume")
    body = ended.wait()
    assert body["state"] == "done"
    assert [each["id"] for each in body["variants"]] == ["v0001", "v0002", "v0003"]
    assert [each["params"]["n"] for each in body["variants"]] == [1, 2, 3]
    assert [each["metrics"].get("loss") for each in body["variants"]] == [1, 2, 3]
    assert [each["attempts"] for each in body["variants"]] == [1, 1, 1]
    assert ended.lab.marks() == ["1", "2", "3"]  # none ran twice


def test_an_end_that_the_journal_lost_is_found_again(ended: ScanOfLab) -> None:
    damage(ended, b'"key":"v0002.1","state":"done"', flip)
    assert ended.states() == ["done", "running", "done"]
    ended.gridgpu("resume")
    body = ended.wait()
    assert [each["state"] for each in body["variants"]] == ["done"] * 3
    assert [each["attempts"] for each in body["variants"]] == [1, 1, 1]
    assert ended.lab.marks() == ["1", "2", "3"]
