from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import StorageError, UsageError
from jupyter_gridgpu.store import home, inbox
from jupyter_gridgpu.testing.examples import Story, small_scan
from jupyter_gridgpu.widgets.feed import Feed
from jupyter_gridgpu.widgets.live import browse_link


@pytest.fixture
def ended(scans_home: Path, monkeypatch: pytest.MonkeyPatch) -> ScanHandle:
    """A scan that has ended, with nobody to revive it."""
    monkeypatch.setattr(client, "spawn", lambda folder: None)
    scans_home.mkdir()
    folder = home.create(small_scan(), b"{}", {}, lambda target: None, None)
    story = Story()
    story.tell("runner.started")
    story.run(1, "done", acc=0.9, lr=0.1)
    story.tell("scan.finished", state="done")
    handle = ScanHandle(folder)
    handle.paths.journal.write_bytes(story.text())
    handle.refresh()
    return handle


def test_a_scan_with_a_command_on_its_way_has_not_ended(ended: ScanHandle) -> None:
    assert ended.state == "done"
    ended.retry("v0001")
    assert ended.state == "running"
    assert len(inbox.pending(ended.paths.inbox)) == 1


@pytest.mark.parametrize("action", ["stop", "pause", "resume"])
def test_what_has_ended_cannot_be_stopped(ended: ScanHandle, action: str) -> None:
    with pytest.raises(UsageError, match="has ended already"):
        ended.command(action)
    assert inbox.pending(ended.paths.inbox) == []


def test_a_metric_never_hides_a_parameter_in_the_frame(ended: ScanHandle) -> None:
    story = Story(seq=100)
    story.tell("job.intended", key="v0001.2")
    story.tell("job.observed", key="v0001.2", state="running")
    story.tell("job.reported", key="v0001.2", metrics={"lr": [1, 5.0, 5.0, [5.0]], "acc": [1, 1.0, 1.0, [1.0]]})
    with ended.paths.journal.open("ab") as file:
        file.write(story.text())
    row: dict[Any, Any] = ended.to_frame().loc["v0001"].to_dict()
    assert (row["lr"], row["metric:lr"], row["acc"]) == (0.1, 5.0, 1.0)


def test_a_name_that_is_a_path_is_not_believed(ended: ScanHandle) -> None:
    ended.paths.spec.write_text(ended.paths.spec.read_text().replace('"small"', '"../../precious"'))
    with pytest.raises(StorageError, match="no name of a scan"):
        ScanHandle(ended.folder)


def test_the_link_beside_a_notebook_never_takes_the_place_of_another(ended: ScanHandle, tmp_path: Path) -> None:
    other = tmp_path / "mine"
    other.mkdir()
    link = tmp_path / "gridscans" / "small"
    assert browse_link(ended, tmp_path) == str(link)
    assert link.samefile(ended.folder)
    link.unlink()
    link.symlink_to(other)
    assert browse_link(ended, tmp_path) is None
    assert link.samefile(other)


def test_a_broken_table_does_not_take_the_others_along() -> None:
    fed = threading.Event()

    class Broken:
        def update(self) -> bool:
            raise RuntimeError("broken")

    class Sound:
        def update(self) -> bool:
            fed.set()
            return False

    feed = Feed()
    feed.add(Broken())
    feed.add(Sound())
    assert fed.wait(5)
