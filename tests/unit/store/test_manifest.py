from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.store import manifest, points
from jupyter_gridgpu.store.paths import ScanPaths


def write_job(paths: ScanPaths, key: str = "v0001.1", copy: str = "ab") -> None:
    made = paths.job(key).copy(copy)
    made.folder.mkdir(parents=True)
    paths.job(key).spec.write_text("{}")
    made.notebook.write_text("notebook")
    made.metrics.write_text("")
    for result in (made.result, paths.job(key).result):
        result.write_text(json.dumps({"key": key, "copy": copy, "state": "done"}))


def test_a_line_holds_what_the_copy_left_whose_result_counts(tmp_path: Path) -> None:
    paths = ScanPaths(tmp_path)
    write_job(paths)
    other = paths.job("v0001.1").copy("cd")
    other.folder.mkdir()
    other.notebook.write_text("still being written")
    manifest.ManifestWriter(paths).add(["v0001.1"])
    found = manifest.read(paths.manifest)["v0001.1"]
    assert {name.removeprefix("jobs/v0001.1/") for name in found} == {
        "job.json", "result.json", "ab/result.json", "ab/output.ipynb", "ab/metrics.jsonl",
    }  # fmt: skip
    assert found["jobs/v0001.1/ab/output.ipynb"] == (hashlib.sha256(b"notebook").hexdigest(), 8)


def test_a_job_is_written_once_whoever_drives_the_scan(tmp_path: Path) -> None:
    paths = ScanPaths(tmp_path)
    write_job(paths)
    paths.job("v0002.1").folder.mkdir()
    for _ in range(2):
        writer = manifest.ManifestWriter(paths)
        writer.add(["v0001.1", "v0002.1"])
        writer.add(["v0001.1"])
    assert len(paths.manifest.read_text().splitlines()) == 3
    assert manifest.read(paths.manifest)["v0002.1"] == {}


def test_a_torn_line_is_skipped_and_written_again(tmp_path: Path) -> None:
    paths = ScanPaths(tmp_path)
    write_job(paths)
    manifest.ManifestWriter(paths).add(["v0001.1"])
    text = paths.manifest.read_text()
    paths.manifest.write_text(text[:-40])
    assert set(manifest.read(paths.manifest)) == {manifest.SCAN_KEY}
    manifest.ManifestWriter(paths).add(["v0001.1"])
    assert set(manifest.read(paths.manifest)) == {manifest.SCAN_KEY, "v0001.1"}


def test_links_and_foreign_lines_have_no_digest(tmp_path: Path) -> None:
    paths = ScanPaths(tmp_path)
    write_job(paths)
    notebook = paths.job("v0001.1").copy("ab").notebook
    notebook.unlink()
    notebook.symlink_to("/etc/passwd")
    assert notebook.relative_to(tmp_path).as_posix() not in manifest.digests(
        tmp_path, manifest.job_files(paths, "v0001.1")
    )
    assert manifest.digests(tmp_path, ["../outside", "/etc/passwd"]) == {}
    os.mkfifo(tmp_path / "pipe")
    assert manifest.digests(tmp_path, ["pipe"]) == {}
    paths.manifest.write_text('{"key": "x"}\n[]\n{"key": "y", "files": {"a": 1}}\n\xff\n')
    assert manifest.read(paths.manifest) == {}


def test_points_are_read_as_they_were_written(tmp_path: Path) -> None:
    given = [
        VariantView(
            "v0003", 2, 0, {"lr": float("inf"), "layers": [1, None], "word": "NaN", "größe": 1}
        )
    ]
    (tmp_path / "points").write_text(points.lines(given), encoding="utf-8")
    (found,) = points.read(tmp_path / "points")
    assert found == {
        "variant": "v0003",
        "point": 2,
        "repeat": 0,
        "params": given[0].params,
        "attrs": {},
    }


@pytest.mark.parametrize(
    "text", ["{}", "[]", "no json", '{"variant": "../x", "point": 0, "repeat": 0, "params": {}}']
)
def test_points_that_are_not_sound_are_a_storage_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "points").write_text(text + "\n")
    with pytest.raises(StorageError, match="not sound"):
        list(points.read(tmp_path / "points"))
    with pytest.raises(StorageError, match="cannot be read"):
        list(points.read(tmp_path / "none"))
