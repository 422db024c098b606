"""The scans of a home as the server keeps them, without a server."""

from __future__ import annotations

import json
import logging
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import UnknownScan
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.runner import spawn
from jupyter_gridgpu.server.scans import WatchedScans
from jupyter_gridgpu.server.watched_scan import News, Pace
from jupyter_gridgpu.store.lease import Lease
from jupyter_gridgpu.testing.examples import Story, notebook_json
from tests.kit import eventually

from .kit import ended_story, write_scan

AT_ONCE = Pace(0.01, 0.01, 0.01, 0.0, 0.01)


@pytest.fixture
def scans() -> WatchedScans:
    return WatchedScans(AT_ONCE, logging.getLogger("scans"))


def swept(scans: WatchedScans, times: int = 3) -> News:
    """What a few sweeps find, one after another."""
    found = News()
    for _ in range(times):
        time.sleep(0.02)
        news, _ = scans.sweep()
        found.heads.update(news.heads)
        found.gone += news.gone
        found.updates.update(news.updates)
    return found


def names(scans: WatchedScans) -> list[str]:
    return [head["name"] for head in scans.heads()]


def test_a_home_that_is_not_there_has_no_scans(scans: WatchedScans, scans_home: Path) -> None:
    assert names(scans) == []
    write_scan(scans_home, "first")
    assert list(swept(scans).heads) == ["id-first"]


def test_an_ended_scan_that_nobody_looks_at_keeps_no_rows(
    scans: WatchedScans, scans_home: Path
) -> None:
    write_scan(scans_home, "ended")
    swept(scans)
    one = scans.find("ended")
    assert one._handle is None
    assert one.head()["counts"]["done"] == 1
    opener = object()
    one.open(opener)
    list(one.messages(None))
    swept(scans)
    assert (one._handle is not None, len(one._rows)) == (True, 1)
    one.close(opener)
    swept(scans)
    assert (one._handle, one._rows) == (None, {})


def test_an_ended_scan_whose_journal_grows_is_read_again(
    scans: WatchedScans, scans_home: Path
) -> None:
    handle = write_scan(scans_home, "again")
    swept(scans)
    later = Story(seq=100)
    later.tell("command.applied", id="c", action="retry", variants=["v0001"])
    later.tell("job.intended", key="v0001.2")
    with handle.paths.journal.open("ab") as file:
        file.write(later.text())
    lease = Lease(handle.paths.lock)
    head = json.loads(swept(scans).heads["id-again"])["scan"]
    assert (head["state"], head["counts"]["new"]) == ("running", 1)
    lease.release()


@pytest.mark.parametrize(
    "spec",
    [
        "",
        "{",
        "[]",
        '{"format": 1}',
        '{"format": 99}',
        '{"format": 1, "space": 7}',
        "pipe",
        "folder",
    ],
)
def test_a_broken_folder_is_left_out_and_breaks_no_other(
    scans: WatchedScans, scans_home: Path, spec: str, caplog: pytest.LogCaptureFixture
) -> None:
    write_scan(scans_home, "sound")
    broken = scans_home / "broken"
    broken.mkdir()
    place = broken / "scan.json"
    {"pipe": lambda: os.mkfifo(place), "folder": place.mkdir}.get(
        spec, lambda: place.write_text(spec)
    )()
    assert names(scans) == ["sound"]
    swept(scans, 5)
    assert names(scans) == ["sound"]
    assert len([record for record in caplog.records if "broken" in record.getMessage()]) == 1
    (left_out,) = scans.left_out()
    assert left_out["folder"] == str(broken)
    assert left_out["why"].endswith(".")


@pytest.mark.parametrize(
    "line",
    [
        b"\x00\xff" * 500,
        b'{"seq":9,"term":1,"t":1,"type":"variant.proposed"}\n',
        b'{"seq":9,"term":1,"t":1,"type":"job.observed","key":7}\n',
    ],
)
def test_a_broken_journal_breaks_no_other(
    scans: WatchedScans, scans_home: Path, line: bytes
) -> None:
    handle = write_scan(scans_home, "broken")
    write_scan(scans_home, "sound")
    handle.paths.journal.write_bytes(line)
    assert "sound" in names(scans)
    assert "id-sound" in swept(scans, 5).heads


@pytest.mark.parametrize(
    ("key", "value"), [("created", "x"), ("id", "../../../x"), ("space", {}), ("id", ["x"])]
)
def test_a_wrong_key_of_a_spec_is_said_to_pages_once(
    scans: WatchedScans, scans_home: Path, key: str, value: object
) -> None:
    write_scan(scans_home, "sound")
    spec = write_scan(scans_home, "bad").paths.spec
    sound = spec.read_text()
    spec.write_text(json.dumps({**json.loads(sound), key: value}))
    news, _ = scans.sweep()
    assert names(scans) == ["sound"]
    assert [item["folder"] for item in news.left_out or []] == [str(spec.parent)]
    assert f"`{key}`" in scans.left_out()[0]["why"]
    news, _ = scans.sweep()
    assert news.left_out is None
    spec.write_text(sound)
    os.utime(spec, (9e8, 9e8))
    eventually(lambda: scans.sweep()[0].left_out == [])
    assert sorted(names(scans)) == ["bad", "sound"]


def test_a_spec_that_vanishes_while_the_home_is_looked_through_holds_up_no_other(
    scans: WatchedScans, scans_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scan(scans_home, "first")
    write_scan(scans_home, "removed")
    assert sorted(names(scans)) == ["first", "removed"]
    stat = os.stat

    def vanishing(path: Any, *words: Any, **more: Any) -> os.stat_result:
        if "removed/scan.json" in str(path):
            raise FileNotFoundError(2, "gone", str(path))
        return stat(path, *words, **more)

    monkeypatch.setattr(os, "stat", vanishing)
    write_scan(scans_home, "later")
    gone: list[str] = []

    def removed() -> bool:
        gone.extend(swept(scans).gone)
        return gone == ["id-removed"]

    eventually(removed)
    assert sorted(names(scans)) == ["first", "later"]


def test_a_broken_folder_that_was_mended_is_taken_in(scans: WatchedScans, scans_home: Path) -> None:
    handle = write_scan(scans_home, "mended")
    spec = handle.paths.spec.read_text()
    handle.paths.spec.write_text("{")
    assert names(scans) == []
    handle.paths.spec.write_text(spec)
    os.utime(handle.paths.spec, (9e8, 9e8))
    eventually(lambda: "id-mended" in swept(scans).heads)


def test_a_removed_scan_is_told_once_and_forgotten(scans: WatchedScans, scans_home: Path) -> None:
    handle = write_scan(scans_home, "removed")
    swept(scans)
    shutil.rmtree(handle.folder)
    with pytest.raises(UnknownScan):
        scans.find("removed")
    assert swept(scans, 5).gone == ["id-removed"]
    write_scan(scans_home, "removed", ended_story(2))
    assert json.loads(swept(scans).heads["id-removed"])["scan"]["counts"]["done"] == 2


def test_a_copied_folder_is_no_second_scan(scans: WatchedScans, scans_home: Path) -> None:
    handle = write_scan(scans_home, "original")
    shutil.copytree(handle.folder, scans_home / "copy")
    assert names(scans) == ["original"]


def test_a_scan_that_costs_much_is_looked_at_less_often(
    scans: WatchedScans, scans_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scan(scans_home, "dear")
    one = scans.find("dear")
    monkeypatch.setattr(one, "look", lambda now: work_for(0.05))
    before = time.monotonic()
    one.sweep(News())
    assert one.due > before + 20 * 0.05


def work_for(seconds: float) -> None:
    """Take the processor for so long."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


class Spawned:
    """Counts the runners that are started, which all end at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.count = 0
        monkeypatch.setattr(client, "spawn", self)
        monkeypatch.setattr(client, "START_GRACE_S", 0.0)

    def __call__(self, folder: Path) -> None:
        self.count += 1
        (folder / "runner.log").write_text(
            f"begins\nCannot go on, for the {self.count}. time.\n" + "\n"
        )


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> Spawned:
    return Spawned(monkeypatch)


def unfinished() -> Story:
    story = Story()
    story.tell("runner.started")
    story.run(1, None, lr=1)
    return story


def heads_until(scans: WatchedScans, ready: Any) -> Any:
    def look() -> Any:
        swept(scans, 1)
        head = scans.heads()[0]
        return head if ready(head) else None

    return eventually(look)


def test_a_runner_that_keeps_dying_is_started_three_times_and_no_more(
    scans: WatchedScans, scans_home: Path, spawned: Spawned
) -> None:
    write_scan(scans_home, "dying", unfinished())
    head = heads_until(scans, lambda head: "times" in (head["note"] or ""))
    assert (head["state"], spawned.count) == ("orphaned", 3)
    assert head["note"] == "Its runner ended 3 times; last words: Cannot go on, for the 3. time."
    swept(scans, 10)
    assert spawned.count == 3


def test_a_command_begins_the_count_anew(
    scans: WatchedScans, scans_home: Path, spawned: Spawned
) -> None:
    write_scan(scans_home, "anew", unfinished())
    heads_until(scans, lambda head: "times" in (head["note"] or ""))
    assert scans.find("anew").command("resume", None, None) == "Asked for: resume the scan."
    heads_until(
        scans, lambda head: "times" in (head["note"] or "") and spawned.count == 7
    )  # the command itself starts one


@pytest.mark.parametrize("how", ["ended", "held"])
def test_a_scan_that_needs_no_runner_gets_none(
    scans: WatchedScans, scans_home: Path, spawned: Spawned, how: str
) -> None:
    handle = write_scan(scans_home, "content", ended_story() if how == "ended" else unfinished())
    lease = Lease(handle.paths.lock) if how == "held" else None
    swept(scans, 5)
    assert spawned.count == 0
    if lease is not None:
        lease.release()


def test_a_row_is_written_once_for_all_pages(
    scans: WatchedScans, scans_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_scan(scans_home, "rows", ended_story(20))
    made: list[Any] = []
    one = scans.find("rows")
    monkeypatch.setattr(wire, "row", counted(made, wire.row))
    for page in range(5):
        one.open(page)
        assert len(json.loads(next(one.messages(None)).text)["rows"]) == 20
    assert len(made) == 20


def counted(made: list[Any], function: Any) -> Any:
    def call(*args: Any) -> Any:
        made.append(args)
        return function(*args)

    return call


def test_a_real_runner_that_was_killed_is_started_again(
    scans: WatchedScans, scans_home: Path, tmp_path: Path
) -> None:
    notebook = tmp_path / "train.ipynb"
    notebook.write_text(notebook_json("n = 0", "import time; time.sleep(2)"))
    handle: ScanHandle = client.start(
        plan(notebook, "n = [1, 2]", Options(parallel=2, name="killed"))
    )

    def owner() -> int:
        try:
            return int(json.loads(handle.paths.lock.read_bytes())["pid"])
        except (OSError, ValueError, KeyError):
            return 0

    first = eventually(owner)
    eventually(lambda: handle.refresh() or handle.view.active)
    os.kill(first, 9)
    eventually(lambda: swept(scans, 1) and owner() != first, "another runner holds the lease")
    assert scans.heads()[0]["note"] == "Its runner ended; it was started again."
    eventually(lambda: swept(scans, 1) and scans.heads()[0]["state"] == "done")
    assert {variant.attempts for variant in scans.handle("killed").view.variants.values()} == {1}
    eventually(
        lambda: all(runner.poll() is not None for runner in spawn._started), "no child is left"
    )


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_scan_of_somebody_else_is_left_out(
    scans: WatchedScans, scans_home: Path, spawned: Spawned
) -> None:
    write_scan(scans_home, "mine", unfinished())
    os.chown(write_scan(scans_home, "theirs", unfinished()).folder, 12345, 12345)
    assert set(swept(scans).heads) == {"id-mine"}
    assert spawned.count <= 3
    assert names(scans) == ["mine"]


def test_who_opens_a_scan_gets_rows_and_head_of_one_moment(
    scans: WatchedScans, scans_home: Path
) -> None:
    story = unfinished()
    handle = write_scan(scans_home, "moment", story, created=time.time())
    lease = Lease(handle.paths.lock)
    swept(scans)
    one = scans.find("moment")
    one.open("first page")
    more = [
        story.tell("job.observed", key="v0001.1", state="done"),
        story.tell("scan.finished", state="done"),
    ]
    with handle.paths.journal.open("a") as file:
        file.writelines(event.line() + "\n" for event in more)
    lease.release()
    one.open("second page")
    said = json.loads(next(one.messages(None)).text)
    assert (said["scan"]["state"], said["rows"][0]["state"]) == ("done", "done")
