"""Something odd at the name of a file of a job: its worker goes on, or ends, and never waits."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from jupyter_gridgpu.store.paths import CopyPaths, JobPaths, ScanPaths
from jupyter_gridgpu.worker import grid_metadata
from jupyter_gridgpu.worker.claim import claim_job
from jupyter_gridgpu.worker.launch import grid_task
from jupyter_gridgpu.worker.metrics import sender
from jupyter_gridgpu.worker.metrics.mirror import Mirror
from jupyter_gridgpu.worker.metrics.recorder import MetricsRecorder
from jupyter_gridgpu.worker.stop_file import read_stop
from tests.odd_files import ODD_FILES, SECRET, make_odd

pytestmark = pytest.mark.timeout(60)
KINDS = sorted(ODD_FILES)
USER = ("user", None)


@pytest.mark.parametrize("kind", KINDS)
def test_whatever_is_called_stop_stops_the_job(tmp_path: Path, kind: str) -> None:
    make_odd(tmp_path / "stop", kind)
    assert read_stop(tmp_path / "stop") == USER


@pytest.mark.parametrize("kind", KINDS)
def test_metrics_go_on_without_a_report_file(tmp_path: Path, kind: str) -> None:
    make_odd(tmp_path / "reports", kind)
    recorder = MetricsRecorder(tmp_path / "metrics.jsonl", tmp_path / "reports")
    recorder.drain_reports()
    recorder.take({"loss": 1.0}, strength=1)
    recorder.close()
    assert len((tmp_path / "metrics.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"sparse"}))
def test_a_mirror_and_a_sender_show_plain_files_alone(tmp_path: Path, kind: str) -> None:
    copy = CopyPaths(tmp_path)
    copy.result.write_text("{}")
    make_odd(copy.log, kind)
    reader, writer = os.pipe()
    Mirror("v0001.1", copy, writer).finish()
    assert os.read(reader, 100_000).split()[1] == f"v0001.1/{tmp_path.name}/result.json".encode()
    for handle in (reader, writer):
        os.close(handle)
    assert sender._whole_lines(copy.log, 0, 1000) == b""


@pytest.mark.parametrize("kind", KINDS)
def test_a_grid_task_returns_plain_files_alone(tmp_path: Path, kind: str) -> None:
    scan = ScanPaths(tmp_path)
    copy = scan.job("v0001.1").copy("ab12")
    copy.folder.mkdir(parents=True)
    copy.result.write_text("{}")
    make_odd(copy.log, kind)
    for name in (grid_task.OUTPUT, grid_metadata.FILE_NAME):
        if kind != "folder":
            make_odd(tmp_path / name, kind)
    if kind != "sparse":  # it takes long to pack its zeros
        grid_task._archive(scan, ["v0001.1"])
        assert (tmp_path / grid_task.OUTPUT).is_file()
        assert not (tmp_path / grid_task.OUTPUT).is_symlink()
    packed = json.loads(grid_metadata.pack({"v0001.1": copy}))
    _, files = grid_metadata.unpack(packed, "v0001.1") or ("", {})
    assert files["result.json"] == b"{}"
    assert SECRET.encode() not in files.values()


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"folder"}))
def test_a_claim_is_made_whatever_lies_beside_it(tmp_path: Path, kind: str) -> None:
    job = JobPaths(tmp_path)
    make_odd(tmp_path / f".claim.{os.getpid()}", kind)  # the name that earlier workers used
    assert claim_job(job, job.copy("ab12"))
    assert json.loads(job.claim.read_text())["copy"] == "ab12"
    assert not claim_job(job, job.copy("cd34"))
