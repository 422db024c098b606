from __future__ import annotations

import base64
import json
import zlib
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.store.paths import CopyPaths, JobPaths
from jupyter_gridgpu.worker.grid_metadata import LIMIT, pack, unpack

KEY = "v0001.1"


@pytest.fixture
def copy(tmp_path: Path) -> CopyPaths:
    copy = JobPaths(tmp_path / KEY).copy("4f1c09aa")
    copy.folder.mkdir(parents=True)
    copy.result.write_text('{"key": "v0001.1", "state": "done"}')
    copy.about.write_text('{"host": "node1"}')
    copy.metrics.write_text('{"t": 1, "m": {"loss": 0.5}}\n')
    copy.notebook.write_text(json.dumps(notebook("small")))
    copy.log.write_text("begin\nend\n")
    return copy


def notebook(*texts: str) -> dict[str, Any]:
    outputs = [{"output_type": "stream", "name": "stdout", "text": text} for text in texts]
    return {"cells": [{"cell_type": "code", "source": "x = 1", "outputs": outputs}], "nbformat": 4}


def noise(size: int) -> str:
    """Text that does not compress to much less than three quarters."""
    import random

    return base64.b64encode(random.Random(1).randbytes(size * 3 // 4)).decode()


def back(text: str, key: str = KEY) -> dict[str, bytes]:
    found = unpack(json.loads(text), key)
    assert found is not None
    assert found[0] == "4f1c09aa"
    return found[1]


def test_every_file_comes_back_as_it_was(copy: CopyPaths) -> None:
    files = back(pack({KEY: copy}))
    assert {name: (copy.folder / name).read_bytes() for name in files} == files
    assert set(files) == {"result.json", "copy.json", "metrics.jsonl", "output.ipynb", "worker.log"}


def test_what_is_missing_is_left_out(copy: CopyPaths) -> None:
    copy.notebook.unlink()
    copy.log.unlink()
    copy.log.symlink_to("/etc/passwd")
    assert set(back(pack({KEY: copy}))) == {"result.json", "copy.json", "metrics.jsonl"}


def test_a_large_notebook_loses_its_largest_outputs(copy: CopyPaths) -> None:
    copy.notebook.write_text(json.dumps(notebook("kept", noise(2_000_000), "kept too")))
    text = pack({KEY: copy})
    assert len(text) <= LIMIT
    outputs = json.loads(back(text)["output.ipynb"])["cells"][0]["outputs"]
    assert [outputs[0]["text"], outputs[2]["text"]] == ["kept", "kept too"]
    assert "2,000,0" in outputs[1]["text"]
    assert json.loads(text)["jobs"][KEY]["cut"] == ["output.ipynb"]


def test_many_metrics_are_thinned_out_and_the_last_one_stays(copy: CopyPaths) -> None:
    lines = [
        json.dumps({"t": i, "s": i, "m": {"loss": noise(200)[i % 100 :] + str(i)}}) + "\n"
        for i in range(20_000)
    ]
    copy.metrics.write_text("".join(lines))
    text = pack({KEY: copy}, limit=100_000)
    assert len(text) <= 100_000
    kept = back(text)["metrics.jsonl"].decode().splitlines(keepends=True)
    assert kept[0] == lines[0]
    assert kept[-1] == lines[-1]
    assert 10 < len(kept) < len(lines)
    assert "output.ipynb" in back(text)


def test_of_a_long_log_the_end_is_kept(copy: CopyPaths) -> None:
    copy.log.write_text("begin " + noise(1_200_000) + " end")
    log = back(pack({KEY: copy}))["worker.log"].decode()
    assert log.endswith(" end")
    assert "begin" not in log


def test_jobs_of_a_bundle_share_the_room(copy: CopyPaths, tmp_path: Path) -> None:
    copies = {}
    for number in range(1, 9):
        copies[f"v{number:04d}.1"] = other = JobPaths(tmp_path / f"v{number:04d}.1").copy(
            "4f1c09aa"
        )
        other.folder.mkdir(parents=True, exist_ok=True)
        other.result.write_text(f'{{"key": "v{number:04d}.1", "state": "done"}}')
        other.notebook.write_text(json.dumps(notebook(noise(400_000))))
    text = pack(copies)
    assert len(text) <= LIMIT
    for key in copies:
        assert json.loads(back(text, key)["result.json"])["key"] == key
        assert "output.ipynb" in back(text, key)


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "text",
        {"gridgpu": 1},
        {"gridgpu": 1, "jobs": []},
        {"gridgpu": 1, "jobs": {KEY: {"copy": "../../x", "files": {}}}},
        {"gridgpu": 1, "jobs": {KEY: {"copy": 7, "files": {}}}},
        {"gridgpu": 1, "jobs": {KEY: {"copy": "ab", "files": None}}},
        {"gridgpu": 2, "jobs": {KEY: {"copy": "ab", "files": {}}}},
        {"gridgpu": 1, "jobs": {"v0002.1": {"copy": "ab", "files": {}}}},
        {"loss": 0.5},
    ],
)
def test_a_false_body_is_none(body: Any) -> None:
    assert unpack(body, KEY) is None


def test_false_files_are_dropped_and_no_name_leads_elsewhere() -> None:
    bomb = base64.b64encode(zlib.compress(b"\0" * 100_000_000, 9)).decode()
    files = {
        "../x": bomb,
        "result.json": "no base64",
        "copy.json": 5,
        "worker.log": "AAAA",
        "metrics.jsonl": bomb,
    }
    found = unpack({"gridgpu": 1, "jobs": {KEY: {"copy": "ab", "files": files}}}, KEY)
    assert found is not None
    assert set(found[1]) == {"metrics.jsonl"}
    assert len(found[1]["metrics.jsonl"]) == 64 * 1024 * 1024
