"""What a notebook finds beside itself, and what is left of it at the end."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_gridgpu.store.manifest import digests
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths, write_json
from jupyter_gridgpu.worker import work_folder
from jupyter_gridgpu.worker.work_folder import WorkFolder, is_helper_copy

LARGE = b"x" * (work_folder.COPY_BYTES + 1)
FILES = {
    "log.csv": b"start\n",
    "empty": b"",
    "a name with blanks.txt": b"text",
    "sub/deep/tool.sh": b"#!/bin/sh\n",
    "jets.npz": LARGE,
}


@pytest.fixture
def scan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ScanPaths:
    """A scan with helper files, on a file system that cannot share blocks."""
    monkeypatch.setattr(work_folder, "FICLONE", 0)
    paths = ScanPaths(tmp_path / "scan")
    for name, content in FILES.items():
        path = paths.files / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o555 if name.endswith(".sh") else 0o444)
        os.utime(path, (1e9, 1e9))
    write_json(paths.spec, {})
    write_json(paths.provenance, {"inputs": digests(paths.folder, [f"files/{n}" for n in FILES])})
    return paths


def folder_of(scan: ScanPaths, key: str = "v0001.1", log: list[str] | None = None) -> WorkFolder:
    copy = CopyPaths(scan.job(key).folder / "ab12")
    copy.folder.mkdir(parents=True)
    return WorkFolder(scan, copy, ([] if log is None else log).append)


def left(folder: WorkFolder) -> dict[str, bytes]:
    found = [path for path in folder.path.rglob("*") if path.is_file() or path.is_symlink()]
    return {path.relative_to(folder.path).as_posix(): path.read_bytes() for path in found}


def overwrite(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


def test_a_notebook_finds_all_its_files(scan: ScanPaths) -> None:
    log: list[str] = []
    folder = folder_of(scan, log=log)
    assert folder.fill() == folder.path
    assert left(folder) == FILES
    links = [path for path in folder.path.rglob("*") if path.is_symlink()]
    assert [path.name for path in links] == ["jets.npz"]
    assert links[0].resolve() == scan.files / "jets.npz"
    assert os.access(folder.path / "sub/deep/tool.sh", os.X_OK)
    assert not os.access(folder.path / "log.csv", os.X_OK)
    assert log == ["Read-only, since all variants share the large files: jets.npz."]


def test_nothing_is_left_of_files_that_were_only_read(scan: ScanPaths) -> None:
    folder = folder_of(scan)
    folder.fill()
    for path in folder.path.rglob("*"):
        if path.is_file():
            path.read_bytes()
    folder.tidy()
    assert list(folder.path.iterdir()) == []
    assert folder.problem is None


def append(path: Path) -> None:
    with path.open("a") as file:
        file.write("1\n")


CHANGES: dict[str, tuple[Callable[[Path], object], set[str]]] = {
    "appended": (lambda here: append(here / "log.csv"), {"log.csv"}),
    "same size": (lambda here: (here / "log.csv").write_bytes(b"START\n"), {"log.csv"}),
    "in a folder": (lambda here: overwrite(here / "sub/deep/tool.sh", b""), {"sub/deep/tool.sh"}),
    "made": (lambda here: (here / "sub/new").write_bytes(b"n"), {"sub/new"}),
    "touched": (lambda here: os.utime(here / "log.csv"), set()),
    "its mode alone": (lambda here: (here / "log.csv").chmod(0o600), set()),
    "written as it was": (lambda here: (here / "log.csv").write_bytes(b"start\n"), set()),
    "removed": (lambda here: (here / "log.csv").unlink(), set()),
    "renamed": (lambda here: (here / "log.csv").rename(here / "old.csv"), {"old.csv"}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_notebook_changed_or_made_is_its_own_artifact(scan: ScanPaths, change: str) -> None:
    change_files, artifacts = CHANGES[change]
    first, second = folder_of(scan), folder_of(scan, "v0002.1")
    first.fill()
    change_files(first.path)
    second.fill()
    assert left(second) == FILES
    first.tidy()
    assert set(left(first)) == artifacts
    assert first.problem is None


def test_a_shared_file_is_replaced_by_a_file_of_the_variants_own(scan: ScanPaths) -> None:
    folder = folder_of(scan)
    folder.fill()
    (folder.path / "jets.npz").unlink()
    (folder.path / "jets.npz").write_bytes(b"mine")
    folder.tidy()
    assert left(folder) == {"jets.npz": b"mine"}
    assert folder.problem is None


def rewrite_with_old_times(path: Path) -> None:
    about = path.stat()
    overwrite(path, b"y" + LARGE[1:])
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))


@pytest.mark.parametrize(
    ("change", "is_said"),
    [
        (lambda path: overwrite(path, b"short"), True),
        (rewrite_with_old_times, True),
        (lambda path: path.chmod(0o644), False),
    ],
    ids=["another size", "the same size and time", "its mode alone"],
)
def test_a_change_of_a_shared_file_is_said(
    scan: ScanPaths, change: Callable[[Path], None], is_said: bool
) -> None:
    folder = folder_of(scan)
    folder.fill()
    time.sleep(0.01)  # the clock of file systems ticks every few milliseconds
    change(scan.files / "jets.npz")
    folder.tidy()
    assert bool(folder.problem and folder.problem.startswith("jets.npz was changed")) == is_said


def test_a_job_after_the_change_of_a_shared_file_knows_it(scan: ScanPaths) -> None:
    overwrite(scan.files / "jets.npz", b"short")
    later = time.time() + 60
    os.utime(scan.files / "jets.npz", (later, later))
    folder = folder_of(scan)
    folder.fill()
    assert folder.problem is not None
    assert "before this job began" in folder.problem


def test_a_killed_workers_copies_are_no_artifacts(scan: ScanPaths) -> None:
    folder = folder_of(scan)
    folder.fill()
    (folder.path / "log.csv").write_bytes(b"START\n")
    (folder.path / "model").write_bytes(b"m")
    copies = {
        name for name in left(folder) if is_helper_copy(scan, folder.path, folder.path / name)
    }
    assert set(FILES) - copies - {"jets.npz"} == {"log.csv"}
    assert "model" not in copies
