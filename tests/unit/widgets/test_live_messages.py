"""What the live table answers over the kernel's comm."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.store import home, inbox
from jupyter_gridgpu.testing.examples import Story, small_scan
from jupyter_gridgpu.widgets import live_table
from jupyter_gridgpu.widgets.live_table import LiveTable


class Comm:
    """A table whose messages are kept."""

    def __init__(self, handle: ScanHandle, monkeypatch: pytest.MonkeyPatch) -> None:
        self.table = LiveTable(handle)
        self.heard: list[dict[str, Any]] = []
        monkeypatch.setattr(self.table, "send", self.heard.append)

    def ask(self, **content: Any) -> dict[str, Any]:
        self.table._on_message(self.table, content, [])
        return self.heard[-1]


@pytest.fixture
def comm(scans_home: Path, monkeypatch: pytest.MonkeyPatch) -> Comm:
    monkeypatch.setattr(client, "spawn", lambda folder: None)
    scans_home.mkdir()
    folder = home.create(
        small_scan(trials=3, defaults={"lr": 0.5}), b"{}", {}, lambda target: None, None
    )
    story = Story()
    story.run(1, "done", acc=0.9, lr=0.1)
    story.tell("scan.finished", state="done")
    (folder / "journal.jsonl").write_bytes(story.text())
    copy = ScanHandle(folder).paths.job("v0001.1").copy("ab")
    copy.folder.mkdir(parents=True)
    copy.log.write_text("one\ntwo\n")
    copy.metrics.write_text('{"t": 1, "s": 4, "m": {"acc": 0.9}}\n')
    return Comm(ScanHandle(folder), monkeypatch)


def test_a_log_is_given_from_where_it_is_asked_for(comm: Comm) -> None:
    assert comm.ask(type="log", variant="v0001")["text"] == "one\ntwo\n"
    part = comm.ask(type="log", variant="v0001", start=4)
    assert (part["text"], part["start"], part["end"], part["size"]) == ("two\n", 4, 8, 8)
    assert comm.ask(type="log", variant="v0001", start="x")["start"] == 0


def test_metrics_and_the_job_are_given(comm: Comm) -> None:
    assert comm.ask(type="metrics", variant="v0001")["curves"] == {
        "acc": {"steps": [4], "values": [0.9]}
    }
    job = comm.ask(type="job", variant="v0001")
    assert (job["type"], job["defaults"], len(job["attempts"])) == ("job", {"lr": 0.5}, 1)


def test_the_first_display_waits_for_rows_but_not_for_ever(
    scans_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scans_home.mkdir()
    folder = home.create(small_scan(trials=3), b"{}", {}, lambda target: None, None)
    monkeypatch.setattr(ScanHandle, "state", "running")
    table = LiveTable(ScanHandle(folder))
    monkeypatch.setattr(live_table, "FIRST_ROWS_S", 0.2)
    table._wait_for_rows()
    assert "v0001" not in table._bundle()["text/html"]
    story = Story()
    story.run(1, "done", acc=0.9, lr=0.1)
    monkeypatch.setattr(live_table, "FIRST_ROWS_S", 60.0)
    write = threading.Timer(0.2, (folder / "journal.jsonl").write_bytes, [story.text()])
    write.start()
    table._wait_for_rows()
    assert "v0001" in table._bundle()["text/html"]


def test_more_points_can_be_asked_for(comm: Comm) -> None:
    said = comm.ask(type="command", action="extend", variants=None, trials=2)
    assert said == {"type": "said", "text": "Asked for: 2 points more."}
    assert len(inbox.pending(comm.table.handle.paths.inbox)) == 1


@pytest.mark.parametrize(
    "content",
    [
        {"type": "log", "variant": "../../x"},
        {"type": "metrics", "variant": None},
        {"type": "job"},
        {"type": "command", "action": "explode"},
        {"type": "command", "action": "extend", "trials": "many"},
        {"type": "command", "action": "retry", "variants": [7]},
    ],
)
def test_what_is_wrong_is_answered_with_a_sentence(comm: Comm, content: dict[str, Any]) -> None:
    assert comm.ask(**content)["type"] == "said"
    assert inbox.pending(comm.table.handle.paths.inbox) == []
