from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from jupyter_gridgpu.store.opener import (
    APPEND,
    CREATE,
    LOCK,
    create_plain,
    opener_below,
    plain_handle,
    read_bounded,
    read_start,
    users_opener,
)
from jupyter_gridgpu.store.paths import publish, read_json, sync_file, write_atomic
from jupyter_gridgpu.store.tail import LINE_LIMIT, read_lines, read_rest, tail_text, text_part
from tests.odd_files import ODD_FILES, make_odd

READERS: dict[str, Callable[[Path], object]] = {
    "read_bounded": lambda path: read_bounded(path, 1000),
    "read_start": lambda path: read_start(path, 1000),
    "read_rest": lambda path: read_rest(path, 0),
    "tail_text": lambda path: tail_text(path, 1000),
    "text_part": lambda path: text_part(path, None, 1000),
    "read_lines": lambda path: read_lines(path, 0),
    "open_users": lambda path: read_start(path, 1000, users_opener),
    "sync_file": sync_file,
    **{
        f"plain_handle {flags}": partial(plain_handle, flags=flags)
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR, APPEND, LOCK, CREATE)
    },
}


def read(root: Path, path: Path) -> bytes:
    with open(path, "rb", opener=opener_below(root)) as file:
        return file.read()


def test_a_plain_file_below_is_read_even_where_the_root_is_a_link(tmp_path: Path) -> None:
    (tmp_path / "root" / "a" / "b").mkdir(parents=True)
    (tmp_path / "root" / "a" / "b" / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to(tmp_path / "root")
    assert read(tmp_path / "root", tmp_path / "root" / "a" / "b" / "file") == b"text"
    assert read(tmp_path / "link", tmp_path / "link" / "a" / "b" / "file") == b"text"


def test_what_is_missing_is_missing(tmp_path: Path) -> None:
    for name in ("file", "folder/file"):
        with pytest.raises(FileNotFoundError):
            read(tmp_path, tmp_path / name)


@pytest.mark.parametrize("path", ["../file", "a/../../file", "/etc/passwd", "", "a/.."])
def test_what_is_not_below_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_bytes(b"secret")
    (tmp_path / "root" / "a").mkdir(parents=True)
    with pytest.raises(OSError, match="not in the scan"):
        read(tmp_path / "root", tmp_path / "root" / path)


@pytest.mark.parametrize("kind", ["link", "folder link", "pipe", "folder", "device"])
def test_what_is_no_plain_file_is_refused(tmp_path: Path, kind: str) -> None:
    secret, root = tmp_path / "secret", tmp_path / "root"
    secret.mkdir()
    (secret / "file").write_bytes(b"secret")
    place = root / "job" / "file"
    (root / "job").mkdir(parents=True)
    if kind == "folder link":
        (root / "job").rmdir()
        (root / "job").symlink_to(secret)
    else:
        makes: dict[str, Callable[[], None]] = {
            "link": lambda: place.symlink_to(secret / "file"),
            "device": lambda: place.symlink_to("/dev/zero"),
            "pipe": lambda: os.mkfifo(place),
            "folder": lambda: place.mkdir(),
        }
        makes[kind]()
    with pytest.raises(OSError, match=r"plain|symbolic|directory|links"):
        read(root, place)


def test_refusing_leaves_no_file_open(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("pipe", "missing", "missing/file"):
        with pytest.raises(OSError):  # noqa: PT011
            read(tmp_path, tmp_path / name)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("kind", sorted(ODD_FILES))
@pytest.mark.parametrize("reader", sorted(READERS))
def test_nothing_but_a_plain_file_is_opened_and_nothing_waits(
    tmp_path: Path, kind: str, reader: str
) -> None:
    place = tmp_path / "file"
    make_odd(place, kind)
    before = len(os.listdir("/proc/self/fd"))
    found: object = None
    with contextlib.suppress(OSError):
        found = READERS[reader](place)
    if isinstance(found, int):
        os.close(found)
    # To say that there is nothing to read is as good as an error. A user may name a link.
    opened = found not in (None, ([], 0)) and (kind, reader) != ("secret", "open_users")
    assert not opened or (kind == "sparse" and reader != "read_bounded")
    assert len(os.listdir("/proc/self/fd")) == before
    assert read_json(place) is None


@pytest.mark.parametrize("kind", sorted(ODD_FILES))
def test_writing_replaces_what_is_there_and_follows_nothing(tmp_path: Path, kind: str) -> None:
    make_odd(tmp_path / "file", kind)
    with pytest.raises(FileExistsError):
        create_plain(tmp_path / "file", b"x")
    if kind == "folder":
        return
    write_atomic(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"
    assert not (tmp_path / "file").is_symlink()
    secret = tmp_path / "secret"
    assert not secret.exists() or secret.read_text() == "secret"


@pytest.mark.parametrize("kind", sorted(ODD_FILES))
def test_what_is_published_is_a_plain_file(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(*_: object) -> None:
        raise PermissionError("this file system has no hard links")

    monkeypatch.setattr(os, "link", no_links)
    make_odd(tmp_path / "source", kind)
    with pytest.raises(OSError, match=r"plain|more than"):
        publish(tmp_path / "source", tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_a_hole_of_many_gigabytes_hides_no_lines_and_takes_no_time(tmp_path: Path) -> None:
    path = tmp_path / "lines"
    path.write_bytes(b"first\n")
    os.truncate(path, 10 * 2**40)
    with path.open("ab") as file:
        file.write(b"\nlast\n")
    found, cursor, calls = [], -1, 0
    following = 0
    while following != cursor:
        cursor = following
        lines, following = read_lines(path, cursor)
        found += [line for line in lines if len(line) < LINE_LIMIT]
        calls += 1
    assert [line.strip(b"\0") for line in found if line.strip(b"\0")] == [b"first", b"last"]
    assert calls < 10
    assert following == path.stat().st_size
