"""How jobs are handed over to a batch system: in batches as large as it takes, each job once."""

from __future__ import annotations

import json

import pytest

from jupyter_gridgpu.backends.base import Job
from jupyter_gridgpu.errors import BackendError, Unreachable
from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.store.paths import ScanPaths

from .scripted import Scripted


def test_jobs_go_out_in_tasks_and_batches(paths: ScanPaths) -> None:
    backend = Scripted(paths, per_job=2)
    ids = backend.hand_over(*range(1, 9))
    assert list(ids.values()) == [
        "0001_1",
        "0001_1",
        "0001_2",
        "0001_2",
        "0001_3",
        "0001_3",
        "0002_1",
        "0002_1",
    ]
    tasks = (paths.batches / "b0001" / "tasks").read_text()
    assert tasks == "v0001.1 v0002.1\nv0003.1 v0004.1\nv0005.1 v0006.1\n"
    assert json.loads(paths.job("v0001.1").spec.read_text())["requeues"] is True


def test_variants_that_share_a_gpu_are_one_task_and_told_to_leave_each_other_memory(
    paths: ScanPaths,
) -> None:
    backend = Scripted(paths, per_gpu=2, per_job=2, resources=Resources(gpus=1, cpus=3))
    assert list(backend.hand_over(1, 2, 3, 4, 5).values()) == ["0001_1"] * 4 + ["0001_2"]
    env = json.loads(paths.job("v0001.1").spec.read_text())["env"]
    assert (env["TF_FORCE_GPU_ALLOW_GROWTH"], env["OMP_NUM_THREADS"]) == ("true", "3")


def test_what_was_handed_over_is_not_sent_again(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    first = backend.hand_over(1, 2)
    assert backend.hand_over(1, 2, 3) == {**first, "v0003.1": "0002_1"}
    assert Scripted(paths).hand_over(1, 2) == first


def test_a_batch_that_a_killed_runner_sent_is_found_by_its_name(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1, 2)
    (paths.batches / "b0001" / "engine.json").unlink()
    after = Scripted(paths)
    after.taken = backend.taken
    assert after.find(["v0001.1", "v0002.1", "v0003.1"]) == ids


def test_a_batch_that_was_never_sent_is_sent_by_the_next_runner(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    backend.hand_over(1)
    (paths.batches / "b0001" / "engine.json").unlink()
    after = Scripted(paths)
    assert after.find(["v0001.1"]) == {}
    assert after.hand_over(1) == {"v0001.1": "0002_1"}


def test_while_the_batch_system_is_silent_nothing_is_sent_twice(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    backend.refuses = Unreachable("no answer")
    job = Job("v0001.1", paths.job("v0001.1"), {})
    assert backend.submit([job]) == {"v0001.1": backend.refuses}
    with pytest.raises(Unreachable):
        backend.find(["v0001.1"])
    assert backend.submit([job]) == {"v0001.1": backend.refuses}
    backend.refuses = None
    backend.taken = {"b0001": "0001"}  # it had taken the batch all the same
    assert backend.submit([job]) == {"v0001.1": "0001_1"}


def test_machines_that_share_a_home_do_not_share_answers(
    paths: ScanPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = []
    for host in ("login1.one", "login1.other"):
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        names.append(Scripted(paths)._answer_file())
    assert names[0] != names[1]


def test_a_refusal_is_each_job_s_answer(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    backend.refuses = BackendError("Invalid account.")
    jobs = [Job(key, paths.job(key), {}) for key in ("v0001.1", "v0002.1")]
    assert backend.submit(jobs) == dict.fromkeys(("v0001.1", "v0002.1"), backend.refuses)
    backend.refuses = None
    assert backend.find(["v0001.1"]) == {}


def test_a_batch_system_that_takes_few_jobs_gets_few_at_a_time_and_refuses_none_for_good(
    paths: ScanPaths,
) -> None:
    backend = Scripted(paths)
    backend.batch_limit, backend.free = 100, 14
    everything = range(1, 51)
    assert len(backend.hand_over(*everything)) == 14
    assert backend.sizes == [50, 25, 12, 12, 6, 3, 1, 1, 1]
    backend.sizes.clear()
    assert len(backend.hand_over(*everything)) == 14
    assert backend.sizes == [1], "one call, while it stays full"
    backend.free, backend.sizes = 2, []
    assert len(backend.hand_over(*everything)) == 16
    assert backend.sizes == [1, 2, 1, 1]
    assert len(list(paths.batches.iterdir())) == 5, "nothing is kept of those that were refused"
    backend.free, backend.sizes = 1000, []
    assert len(backend.hand_over(*everything)) == 50
    assert backend.sizes == [1, 2, 4, 8, 16, 3]
    backend.sizes.clear()
    assert len(backend.hand_over(51, 52, 53)) == 3
    assert backend.sizes == [3]
