"""Large scans.

A runner that finds thousands of variants goes on with the next, and a journal is never in memory
as a whole.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.store import tail
from jupyter_gridgpu.store.journal import JournalReader, JournalWriter
from jupyter_gridgpu.testing.examples import Story, notebook_json, small_scan

ENDED = 3000


def ended(count: int) -> Story:
    """Return the events of a scan of which `count` variants are done."""
    story = Story()
    story.tell(events.RUNNER_STARTED)
    for number in range(1, count + 1):
        story.run(number, acc=1 / number, lr=0.1)
    return story


def test_a_scan_of_thousands_goes_on_where_it_was(tmp_path: Path) -> None:
    notebook = tmp_path / "train.ipynb"
    notebook.write_text(notebook_json("lr = 0.1", "acc = 2.0"))
    options = Options(maximize="acc", trials=ENDED + 2, sampler="random", parallel=2)
    handle = client.create(plan(notebook, "lr = uniform(0, 1)", options))
    handle.paths.journal.write_bytes(ended(ENDED).text())
    handle.revive()
    assert handle.wait(timeout_s=100) == "done"
    assert handle.view.counts()["done"] == ENDED + 2
    assert handle.view.points == ENDED + 2
    assert handle.best is not None
    assert handle.best["value"] == 2.0
    assert len(handle.summary()["variants"]) == ENDED + 2


def test_a_large_journal_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_bytes(ended(200).text())
    whole = JournalReader(path).read()
    monkeypatch.setattr(tail, "CHUNK", 10_000)
    reader = JournalReader(path)
    ends = {reader.cursor for _ in reader.events()}
    assert max(later - end for end, later in pairwise(sorted({0, *ends}))) <= 10_000
    assert whole == JournalReader(path).read()
    assert ScanView(small_scan()).apply_all(JournalReader(path).events()).counts()["done"] == 200


def test_a_reader_sees_what_is_appended_between_two_reads(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "journal.jsonl", 0, 1)
    reader = JournalReader(tmp_path / "journal.jsonl")
    for number in (1, 2, 3):
        writer.append([(events.RUNNER_STARTED, {"number": number})])
        assert [event.data["number"] for event in reader.events()] == [number]
    writer.close()
