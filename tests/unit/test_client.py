from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import StorageError, UsageError
from jupyter_gridgpu.model.scan import to_json
from jupyter_gridgpu.store import home, inbox
from jupyter_gridgpu.store.paths import write_json
from jupyter_gridgpu.testing.examples import Story, small_scan
from jupyter_gridgpu.widgets.feed import Feed
from jupyter_gridgpu.widgets.live_table import browse_link


@pytest.fixture
def ended(scans_home: Path, monkeypatch: pytest.MonkeyPatch) -> ScanHandle:
    """A scan that has ended, with nobody to revive it."""
    monkeypatch.setattr(client, "spawn", lambda folder: None)
    scans_home.mkdir()
    folder = home.create(small_scan("lr = [0.1]"), b"{}", {}, lambda target: None, None)
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


def test_a_command_whose_client_was_killed_waits_for_a_runner(
    ended: ScanHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox.post(ended.paths.inbox, "extend", add=[{"name": "lr", "kind": "choice", "values": [3]}])
    (path,) = inbox.pending(ended.paths.inbox)
    os.utime(path, (1e9, 1e9))
    assert ended.state == "orphaned"
    started: list[Path] = []
    monkeypatch.setattr(client, "spawn", started.append)
    with pytest.raises(UsageError, match="lr: 3 is there already"):
        ended.extend(add={"lr": [3]})
    ended.command("resume")
    assert started == [ended.folder] * 2


@pytest.mark.parametrize("action", ["stop", "pause", "resume"])
def test_what_has_ended_cannot_be_stopped(ended: ScanHandle, action: str) -> None:
    with pytest.raises(UsageError, match="has ended already"):
        ended.command(action)
    assert inbox.pending(ended.paths.inbox) == []


@pytest.mark.parametrize(
    ("action", "variants", "trials", "words"),
    [
        ("explode", None, None, "is no command; there are stop, retry, pause, resume, extend"),
        ("retry", [], None, "no variant is named"),
        ("extend", ["v0001"], 3, "extend is for the whole scan"),
        ("extend", None, 3, "is a grid"),
        ("retry", ["v0002"], None, "has no variant 'v0002'"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(
    ended: ScanHandle, action: str, variants: list[str] | None, trials: int | None, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        ended.command(action, variants, trials)
    assert inbox.pending(ended.paths.inbox) == []


def test_a_command_says_what_was_asked_for(ended: ScanHandle) -> None:
    assert ended.command("retry", ["v0001"]) == "Asked for: retry v0001."
    assert (
        ended.command("retry", ["v0001"] * 7)
        == "Asked for: retry v0001, v0001, v0001, v0001, v0001 and 2 more."
    )
    assert ended.command("retry") == "Asked for: retry the scan."


@pytest.mark.parametrize("trials", [0, -1, 10**7, None])
def test_a_scan_is_extended_by_a_sound_number_of_points(
    ended: ScanHandle, trials: int | None
) -> None:
    sampled = replace(ended.scan, trials=5, sampler="random")
    write_json(ended.paths.spec, to_json(sampled))
    ended = ScanHandle(ended.folder)
    with pytest.raises(UsageError, match=r"from 1 to 1,000,000|needs what is to be added"):
        ended.command("extend", trials=trials)
    assert ended.command("extend", trials=4) == "Asked for: 4 points more."


def test_a_job_is_a_variant_or_one_of_its_attempts(ended: ScanHandle) -> None:
    assert ended.files("v0001").key == ended.files("v0001.1").key == "v0001.1"
    for job in ("v0002", "v0001.2", "v0001.0", "", "..", "v0001.x"):
        with pytest.raises(UsageError):
            ended.log_part(job)
    assert ended.log_part("v0001.1") == {
        "type": "log",
        "variant": "v0001.1",
        "text": "",
        "start": 0,
        "end": 0,
        "size": 0,
    }


def test_files_of_a_job_are_those_of_its_newest_copy(ended: ScanHandle) -> None:
    for age, name in enumerate(["newer", "older"]):
        copy = ended.paths.job("v0001.1").copy(name)
        copy.folder.mkdir(parents=True)
        copy.log.write_text(name)
        copy.metrics.write_text(f'{{"t": 1, "s": 1, "m": {{"{name}": 1}}}}\n')
        if name == "older":
            copy.notebook.write_text("{}")
        os.utime(copy.folder, (1e9 - age, 1e9 - age))
    assert ended.log_part("v0001")["text"] == "newer"
    assert list(ended.curves("v0001")["curves"]) == ["newer"]
    assert ended.notebook_file("v0001") == ended.paths.job("v0001.1").copy("older").notebook
    assert ended.job("v0001")["has_notebook"] is True


def test_a_metric_never_hides_a_parameter_in_the_frame(ended: ScanHandle) -> None:
    story = Story(seq=100)
    story.tell("job.intended", key="v0001.2")
    story.tell("job.observed", key="v0001.2", state="running")
    story.tell(
        "job.reported",
        key="v0001.2",
        metrics={"lr": [1, 5.0, 5.0, [5.0]], "acc": [1, 1.0, 1.0, [1.0]]},
    )
    with ended.paths.journal.open("ab") as file:
        file.write(story.text())
    row: dict[Any, Any] = ended.to_frame().loc["v0001"].to_dict()
    assert (row["lr"], row["metric:lr"], row["acc"]) == (0.1, 5.0, 1.0)


def test_a_name_that_is_a_path_is_not_believed(ended: ScanHandle) -> None:
    ended.paths.spec.write_text(ended.paths.spec.read_text().replace('"small"', '"../../precious"'))
    with pytest.raises(StorageError, match=r"`name` is .* and should be a name"):
        ScanHandle(ended.folder)


def test_the_link_beside_a_notebook_never_takes_the_place_of_another(
    ended: ScanHandle, tmp_path: Path
) -> None:
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
