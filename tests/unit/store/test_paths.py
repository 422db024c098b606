from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.store import paths
from jupyter_gridgpu.store.paths import (
    JobPaths,
    ScanPaths,
    publish,
    read_json,
    write_atomic,
    write_json,
)


def test_every_file_of_a_scan_is_inside_its_folder_and_has_a_name_of_its_own(
    tmp_path: Path,
) -> None:
    scan = ScanPaths(tmp_path)
    job = scan.job("v0001.1")
    copy = job.copy("ab12")
    files = [
        getattr(part, name)
        for part in (scan, job, copy)
        for name in dir(type(part))
        if name[0] != "_"
    ]
    found = [file for file in files if isinstance(file, Path)]
    assert len(found) > 15
    assert len(set(found)) == len(found)
    assert all(file.is_relative_to(tmp_path) for file in found)


def test_copies_are_real_folders_oldest_first(tmp_path: Path) -> None:
    job = JobPaths(tmp_path)
    assert JobPaths(tmp_path / "none").copies() == []
    for age, name in enumerate(["bb", "aa"]):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (age, age))
    (tmp_path / "job").write_text("a file")
    (tmp_path / "Not-a-copy").mkdir()
    (tmp_path / "cc").symlink_to("/")
    assert [copy.folder.name for copy in job.copies()] == ["bb", "aa"]


def test_an_atomic_write_replaces_the_whole_file_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    for body in ({"a": 1}, {"b": [1, 2]}):
        write_json(path, body)
        assert read_json(path) == body
    assert os.listdir(tmp_path) == ["file.json"]


@pytest.mark.parametrize("text", ["a\ud800b", "x"])
def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_else(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "file"
    if text == "x":
        path.mkdir()
        (path / "old").touch()
    else:
        path.write_text("old")
    with pytest.raises((OSError, UnicodeError)):
        write_atomic(path, text)
    assert os.listdir(tmp_path) == ["file"]
    assert path.is_dir() or path.read_text() == "old"


def test_readers_never_see_a_part_of_a_file(tmp_path: Path) -> None:
    path, seen = tmp_path / "file.json", set[str]()
    write_json(path, "a" * 100_000)
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            seen.add(str(read_json(path))[:1])

    looker = threading.Thread(target=look)
    looker.start()
    for _ in range(50):
        write_json(path, "b" * 100_000)
        write_json(path, "a" * 100_000)
    stop.set()
    looker.join()
    assert seen <= {"a", "b"}


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff\xfe\xfa", b"[" * 100_000, b'"' + b"x" * 200 + b'"']
)
def test_what_is_not_json_or_too_large_reads_as_none(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    assert read_json(tmp_path / "file", limit=100 if data[:1] == b'"' else 1_000_000) is None
    assert read_json(tmp_path) is None
    assert read_json(tmp_path / "none") is None


def no_links(*_: Any) -> None:
    raise PermissionError("this file system has no hard links")


@pytest.mark.parametrize("links", [True, False])
def test_the_first_to_publish_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", no_links)
    target, won = tmp_path / "result", list[str]()
    sources = [tmp_path / f"s{n}" for n in range(8)]
    for source in sources:
        source.write_text(source.name)

    def run(source: Path) -> None:
        if publish(source, target):
            won.append(source.name)

    threads = [threading.Thread(target=run, args=(source,)) for source in sources]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert target.read_text() == won[0]
    assert not publish(sources[0], target)


def test_half_a_result_is_never_seen_where_links_stay_in_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def inside(source: Path, target: Path) -> None:
        if source.parent != target.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        link(source, target)

    monkeypatch.setattr(os, "link", inside)
    monkeypatch.setattr(
        paths, "_publish_by_create", lambda source, target: pytest.fail("it was written in place")
    )
    source, target = tmp_path / "copy" / "result", tmp_path / "result"
    source.parent.mkdir()
    source.write_text("whole")
    assert [publish(source, target), publish(source, target)] == [True, False]
    assert target.read_text() == "whole"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "result"]


def test_publishing_to_nowhere_says_so(tmp_path: Path) -> None:
    (tmp_path / "source").touch()
    with pytest.raises(OSError, match="No such file"):
        publish(tmp_path / "source", tmp_path / "none" / "target")
