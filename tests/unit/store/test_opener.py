from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_gridgpu.store.opener import opener_below


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
