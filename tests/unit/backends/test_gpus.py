from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.backends.local.backend import LocalBackend
from jupyter_gridgpu.backends.local.devices import visible_gpus
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.queues.this_machine import core_count
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.testing.examples import small_scan


def backend(folder: Path, gpus: int = 0, **changes: Any) -> LocalBackend:
    return LocalBackend(small_scan(resources=Resources(gpus=gpus), **changes), ScanPaths(folder))


@pytest.mark.parametrize(
    ("given", "devices"),
    [
        ("", []),
        ("-1", []),
        ("0", ["0"]),
        ("0, 2", ["0", "2"]),
        ("GPU-ab,GPU-cd", ["GPU-ab", "GPU-cd"]),
        (",", []),
    ],
)
def test_gpus_are_those_the_user_may_see(
    monkeypatch: pytest.MonkeyPatch, given: str, devices: list[str]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert visible_gpus() == devices


@pytest.mark.parametrize(
    ("given", "gpus", "changes", "slots"),
    [
        ("", 0, {}, max(1, core_count() // 2)),
        ("", 0, {"parallel": 7}, 7),
        ("0,1", 0, {}, 2),
        ("0,1", 0, {"parallel": 1}, 1),
        ("0,1", 0, {"parallel": 9}, 2),
        ("0,1", 0, {"per_gpu": 3}, 6),
        ("0,1,2,3", 2, {}, 2),
    ],
)
def test_as_many_jobs_at_once_as_there_is_room_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: str,
    gpus: int,
    changes: dict[str, Any],
    slots: int,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    assert backend(tmp_path, gpus, **changes).slots() == slots


@pytest.mark.parametrize(
    ("cpus", "changes", "slots"),
    [
        (core_count(), {"per_gpu": 3}, 1),
        (1, {"per_gpu": 9 * core_count()}, core_count()),
        (None, {"per_gpu": 9 * core_count()}, 9 * core_count()),
        (core_count(), {"per_gpu": 3, "parallel": 2}, 2),
    ],
)
def test_jobs_that_share_a_gpu_do_not_share_their_cores(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    cpus: int | None,
    changes: dict[str, Any],
    slots: int,
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    scan = small_scan(resources=Resources(gpus=1, cpus=cpus), **changes)
    assert LocalBackend(scan, ScanPaths(tmp_path)).slots() == slots


def test_more_gpus_than_there_are_cannot_be_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    backend(tmp_path, 2).check()
    with pytest.raises(BackendError, match="this machine has 2 GPUs"):
        backend(tmp_path, 3).check()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(BackendError, match="this machine has no GPUs"):
        backend(tmp_path, 1).check()


def test_jobs_get_the_least_used_gpus_also_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    first = backend(tmp_path, per_gpu=2)
    given = [
        first._environment(key)["CUDA_VISIBLE_DEVICES"] for key in ("v0001.1", "v0002.1", "v0003.1")
    ]
    assert sorted(given[:2]) == ["0", "1"]
    for key, device in zip(("v0001.1", "v0003.1"), ("0", "0"), strict=True):
        job = ScanPaths(tmp_path).job(key)
        job.folder.mkdir(parents=True)
        write_json(job.spec, {"env": {"CUDA_VISIBLE_DEVICES": device}})
        write_json(job.claim, {"cancelled": True})
    restarted = backend(tmp_path, per_gpu=2)
    assert set(restarted.find(["v0001.1", "v0002.1", "v0003.1"])) == {"v0001.1", "v0003.1"}
    assert restarted._environment("v0004.1")["CUDA_VISIBLE_DEVICES"] == "1"


def test_jobs_that_share_a_gpu_leave_each_other_memory(tmp_path: Path) -> None:
    assert (
        backend(tmp_path, per_gpu=2)._environment("v0001.1")["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    )
    assert "TF_FORCE_GPU_ALLOW_GROWTH" not in backend(tmp_path)._environment("v0001.1")


def test_a_job_of_several_gpus_gets_different_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    two = backend(tmp_path, 2)
    given = [two._environment(key)["CUDA_VISIBLE_DEVICES"] for key in ("v0001.1", "v0002.1")]
    assert sorted(",".join(given).split(",")) == ["0", "1", "2", "3"]


def test_threads_are_shared_out_unless_the_user_said_how_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    env = backend(tmp_path, parallel=1)._environment("v0001.1")
    assert env["OMP_NUM_THREADS"] == str(len(os.sched_getaffinity(0)))
    assert "MKL_NUM_THREADS" not in env
    assert "CUDA_VISIBLE_DEVICES" not in env
