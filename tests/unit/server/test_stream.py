from __future__ import annotations

import json
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.store.lease import Lease
from jupyter_gridgpu.testing.examples import Story
from tests.kit import eventually

from .kit import Page, Server, ended_story, serving, write_scan


class Running:
    """A scan that runs: this process holds its lease and writes its journal."""

    def __init__(self, server: Server, name: str, jobs: int = 3) -> None:
        story = Story()
        story.tell("runner.started")
        for number in range(1, jobs + 1):
            story.run(number, None, acc=0.1, lr=number)
        server.home.mkdir(exist_ok=True)
        # All tests of this module share a server, as does a second try of one of them.
        name = f"{name}-{uuid.uuid4().hex[:4]}"
        self.handle: ScanHandle = write_scan(server.home, name, story, created=time.time())
        self.lease = Lease(self.handle.paths.lock)
        self.story = Story(seq=len(story.events))

    @property
    def id(self) -> str:
        return self.handle.scan.id

    def report(self, number: int, acc: float) -> None:
        key = f"v{number:04d}.1"
        self.write("job.reported", key=key, step=2, steps=9, metrics={"acc": [2, 0.1, acc, [acc]]})

    def write(self, kind: str, **data: Any) -> None:
        event = self.story.tell(kind, **data)
        with self.handle.paths.journal.open("a") as file:
            file.write(event.line() + "\n")

    def end(self) -> None:
        self.write("scan.finished", state="done")
        self.lease.release()


def changed_rows(page: Page) -> dict[str, Any]:
    """Return the next upsert with rows; the head alone may change at any time before."""
    found = page.hear("upsert")
    while not found["rows"]:
        found = page.hear("upsert")
    return found


@pytest.fixture
def page(server: Server) -> Page:
    return server.page()


def test_a_page_hears_of_all_scans_first(server: Server) -> None:
    write_scan(server.home, "first", created=5.0)
    write_scan(server.home, "second", created=9.0)
    heard = server.page().hear()
    assert heard["type"] == "scans"
    names = [scan["name"] for scan in heard["scans"]]
    assert names.index("second") < names.index("first")


def test_a_new_scan_and_one_that_is_removed_are_news(server: Server, page: Page) -> None:
    page.hear("scans")
    handle = write_scan(server.home, "appears")
    assert page.hear("scan", scan="id-appears")["scan"]["state"] == "done"
    shutil.rmtree(handle.folder)
    assert page.hear("gone", scan="id-appears") == {"type": "gone", "scan": "id-appears"}
    assert server.get("gridgpu/api/scans/appears").status == 404


def test_an_opened_scan_tells_what_changed_and_nothing_twice(server: Server, page: Page) -> None:
    scan = Running(server, "told")
    first = page.opened(scan.id)
    assert (first["type"], [row["id"] for row in first["rows"]]) == (
        "snapshot",
        ["v0001", "v0002", "v0003"],
    )
    assert (first["rev"], first["scan"]["name"]) == (scan.story._seq, scan.handle.name)
    scan.report(2, 0.7)
    found = page.hear("upsert")
    while not found["rows"]:  # the head alone, which may have changed too
        assert (found["from"], found["rev"]) == (first["rev"], first["rev"])
        found = page.hear("upsert")
    assert (found["from"], found["rev"]) == (first["rev"], first["rev"] + 1)
    assert [(row["id"], row["metrics"]["acc"]["last"]) for row in found["rows"]] == [("v0002", 0.7)]
    scan.end()
    eventually(lambda: page.hear("upsert")["scan"]["state"] == "done")


def test_a_page_that_comes_back_gets_what_it_missed(server: Server) -> None:
    scan = Running(server, "missed")
    rev = server.page().opened(scan.id)["rev"]
    scan.report(3, 0.9)
    again = server.page().opened(scan.id, since=rev)
    assert (again["type"], again["from"], [row["id"] for row in again["rows"]]) == (
        "upsert",
        rev,
        ["v0003"],
    )
    assert server.page().opened(scan.id, since=again["rev"])["rows"] == []
    scan.end()


@pytest.mark.parametrize("since", [-5, 10**9, None, "7", 1.5, True])
def test_a_revision_that_cannot_be_means_all_of_it(server: Server, since: Any) -> None:
    if not (server.home / "whole").exists():
        write_scan(server.home, "whole")
    assert server.page().opened("id-whole", since=since)["type"] == "snapshot"


def test_after_a_restart_of_the_server_a_revision_still_means_the_same(tmp_path: Path) -> None:
    with serving(tmp_path / "server") as first:
        scan = Running(first, "restarted")
        rev = first.page().opened(scan.id)["rev"]
        first.end()
        scan.report(1, 0.8)
        first.start()
        found = first.page().opened(scan.id, since=rev)
        assert (found["type"], found["from"], [row["id"] for row in found["rows"]]) == (
            "upsert",
            rev,
            ["v0001"],
        )
        scan.end()


def test_many_rows_come_in_pieces_and_only_the_last_has_the_revision(
    server: Server, page: Page
) -> None:
    story = ended_story(2500)
    write_scan(server.home, "many", story)
    first = page.opened("id-many")
    assert (first["type"], len(first["rows"]), first["rev"]) == ("snapshot", 1000, 0)
    second, third = page.hear("upsert"), page.hear("upsert")
    assert (second["from"], second["rev"], len(second["rows"])) == (0, 0, 1000)
    assert (third["from"], third["rev"], len(third["rows"])) == (0, len(story.events), 500)
    assert len({row["id"] for part in (first, second, third) for row in part["rows"]}) == 2500


def test_an_unknown_scan_is_missing_and_a_closed_one_is_silent(server: Server, page: Page) -> None:
    assert page.opened("nowhere") == {"type": "missing", "scan": "nowhere"}
    scan = Running(server, "closed")
    page.opened(scan.id)
    page.say(type="close", scan=scan.id)
    page.opened("nowhere")  # the close was heard
    scan.report(1, 0.4)
    assert page.silent(1.0, "upsert")
    scan.end()


def test_two_pages_hear_the_same(server: Server) -> None:
    scan, pages = Running(server, "shared"), [server.page(), server.page()]
    revs = {page.opened(scan.id)["rev"] for page in pages}
    scan.report(1, 0.6)
    heard = [changed_rows(page) for page in pages]
    assert (len(revs), heard[0]) == (1, heard[1])
    scan.end()


def test_a_scan_that_nobody_opened_tells_its_head_at_most_twice_a_second(
    server: Server, page: Page
) -> None:
    scan = Running(server, "quick")
    page.hear("scan", scan=scan.id)
    deadline, heads = time.monotonic() + 2.0, 0
    while time.monotonic() < deadline:
        scan.write("job.observed", key="v0001.1", state="queued" if heads % 2 else "running")
        scan.write(
            "variant.proposed",
            variant=f"v{10 + heads:04d}",
            point=9 + heads,
            repeat=0,
            params={"lr": 1},
            attrs={},
        )
        page.hear("scan", scan=scan.id)
        heads += 1
    assert 2 <= heads <= 5
    scan.end()


def test_time_passing_alone_is_no_news(server: Server, page: Page) -> None:
    scan = Running(server, "idle")
    page.opened(scan.id)
    page.silent(1.0)
    assert page.silent(1.5, "scan", "upsert")
    scan.end()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        '{"type": "open"}',
        '{"type": "open", "scan": 7}',
        '{"type": "x", "scan": "y"}',
    ],
)
def test_what_is_no_message_is_dropped(server: Server, text: str) -> None:
    page = server.page()
    page._connection.send(text)
    assert page.opened("nowhere")["type"] == "missing"


def test_a_page_that_talks_too_much_is_shown_out(server: Server) -> None:
    page = server.page()
    page._connection.send(json.dumps({"type": "open", "scan": "x" * 100_000}))
    with pytest.raises(
        (OSError, ValueError, websocket.WebSocketException)
    ):  # the way in which it ends is the system's
        page.hear("missing")


def test_a_slow_page_is_caught_up_and_does_not_hold_up_the_others(server: Server) -> None:
    scan = Running(server, "slow", jobs=2000)
    slow, quick = server.page(), server.page()
    slow.say(type="open", scan=scan.id)  # and reads nothing
    quick.opened(scan.id)
    for step in range(20):
        for number in range(1, 40):
            scan.report(number, step / 20)
        quick.hear("upsert")
    rows: dict[str, Any] = {}

    def caught_up() -> bool:
        rows.update({row["id"]: row for row in slow.hear("snapshot", "upsert")["rows"]})
        return len(rows) == 2000 and all(
            rows[f"v{n:04d}"]["metrics"]["acc"]["last"] == 0.95 for n in range(1, 40)
        )

    eventually(caught_up)
    scan.end()


def test_a_folder_that_is_put_back_is_listed_again(server: Server) -> None:
    page = server.page()
    page.hear("scans")
    folder = write_scan(server.home, "back").folder
    page.hear("scan", scan="id-back")
    folder.rename(server.folder / "aside")
    assert page.hear("gone")["scan"] == "id-back"
    (server.folder / "aside").rename(folder)
    assert page.hear("scan", scan="id-back")["scan"]["name"] == "back"
    (folder / "scan.json").touch()
    page.hear("gone")
    page.hear("scan", scan="id-back")


@pytest.fixture(autouse=True)
def _no_scan_left_running(server: Server) -> Iterator[None]:
    yield
    for page in server.pages:
        page.close()
    server.pages.clear()


@pytest.mark.parametrize(
    ("key", "value"), [("created", "x"), ("id", "../../../x"), ("space", {}), ("name", "\x1b[31m")]
)
def test_one_bad_scan_is_told_of_and_takes_down_nothing(
    server: Server, page: Page, key: str, value: object
) -> None:
    page.hear("scans")
    write_scan(server.home, "sound-beside-it")
    handle = write_scan(server.home, "bad-one")
    page.hear("scan", scan="id-bad-one")
    sound = handle.paths.spec.read_text()
    handle.paths.spec.write_text(json.dumps({**json.loads(sound), key: value}))
    told = page.hear("left_out")["left_out"]
    assert [Path(item["folder"]).name for item in told] == ["bad-one"]
    assert f"`{key}`" in told[0]["why"]
    listed = server.api("scans")
    assert listed["left_out"] == told
    names = [scan["name"] for scan in listed["scans"]]
    assert "sound-beside-it" in names
    assert "bad-one" not in names
    # A page that comes now gets the same list, and the scan beside it can be opened.
    other = server.page()
    assert other.hear("scans")["left_out"] == told
    assert other.opened("id-sound-beside-it")["type"] == "snapshot"
    handle.paths.spec.write_text(sound)
    os.utime(handle.paths.spec, (9e8, 9e8))
    assert page.hear("left_out")["left_out"] == []
