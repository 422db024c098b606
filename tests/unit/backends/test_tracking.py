"""How files and batch system together say what becomes of a job.

What each batch system itself says is in other tests.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest

from jupyter_gridgpu.backends.batch import tracking
from jupyter_gridgpu.backends.batch.exit_codes import exit_meaning
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.backends.signs_of_life import SignsOfLife
from jupyter_gridgpu.errors import BackendError, Unreachable
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.model.resources import Placement, Resources
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.runner.observing import is_news, observed_data
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import Story, small_scan

from .scripted import Scripted


def result(key: str, **changes: Any) -> str:
    return json.dumps(
        {"key": key, "copy": "ab12", "started": 5.0, "ended": 9.0, "state": "done", **changes}
    )


# Looking.


def test_a_waiting_job_says_what_the_batch_system_says(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    assert backend.one(ids) is None
    page = "https://monitor.example/17"
    backend.says({"0001_1": TaskStatus("queued", message="Waits in gpu.", where="gpu", link=page)})
    seen = backend.one(ids)
    assert seen == Observation("queued", message="Waits in gpu.", where="gpu", link=page)


def test_files_say_that_a_job_runs_before_the_batch_system_does(paths: ScanPaths) -> None:
    backend = Scripted(paths, placement=Placement("gpu"))
    ids = backend.hand_over(1)
    backend.says({"0001_1": TaskStatus("queued", message="Waits.")}, time.time() - 9)
    backend.one(ids)
    backend.copy("v0001.1")
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.where, seen.node, seen.gpu, seen.started) == (
        "running",
        "gpu",
        "node1",
        "0",
        5.0,
    )
    assert seen.notebook == "jobs/v0001.1/ab12/output.ipynb"


def folded(story: Story) -> ScanView:
    return ScanView(small_scan()).apply_all(story.events)


@pytest.mark.parametrize("has_files", [True, False])
def test_what_the_batch_system_says_of_a_running_job_is_shown_until_it_is_over(
    paths: ScanPaths, has_files: bool
) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    if has_files:
        backend.copy("v0001.1")
    story = Story()
    story.run(1, None)
    shown = []
    for message in (None, "The node is silent.", "The node is silent.", None, None):
        backend.says({"0001_1": TaskStatus("running", message=message)})
        seen = backend.one(ids)
        assert seen is not None
        if is_news(folded(story).variants["v0001"], seen):
            story.tell("job.observed", **observed_data("v0001.1", seen))
        shown.append(folded(story).variants["v0001"].message)
    assert shown == [None, "The node is silent.", "The node is silent.", None, None]


def test_a_worker_without_a_sign_of_life_is_said_until_it_gives_one(
    paths: ScanPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    backend = Scripted(paths)
    backend._tracker._observations._signs = SignsOfLife(lambda: now)
    ids = backend.hand_over(1)
    copy = backend.copy("v0001.1")
    said = []

    def look(later_s: float, message: str | None = None) -> None:
        nonlocal now
        now += later_s
        backend.says({"0001_1": TaskStatus("running", message=message)})
        seen = backend.one(ids)
        said.append(seen and seen.message)

    look(999)  # its kernel has not started
    copy.metrics.write_text("{}")
    look(1)
    look(170)
    look(20)
    # What the batch system itself says is better.
    look(60, "The node is silent.")
    os.utime(copy.metrics, (7, 7))
    look(60)
    assert said == ["", "", "", "No sign of life from the worker for 3 min.", *said[4:]]
    assert said[4:] == ["The node is silent.", ""]


@pytest.mark.parametrize(
    ("about", "gpu"),
    [
        ({"gpus": "0,1", "models": ["NVIDIA A100"]}, "NVIDIA A100"),
        ({"gpus": "0", "models": ["NVIDIA A100", "Tesla T4"]}, "0"),
        ({"gpus": "GPU-1", "models": []}, "GPU-1"),
        ({"gpus": None, "models": ["NVIDIA A100"]}, None),
        ({"gpus": ["0"], "models": 3}, None),
    ],
)
def test_a_running_job_says_which_gpu_it_has(
    paths: ScanPaths, about: dict[str, Any], gpu: str | None
) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.copy("v0001.1").about.write_text(json.dumps(about))
    backend.says({"0001_1": TaskStatus("running")})
    assert getattr(backend.one(ids), "gpu", "?") == gpu


def test_of_a_running_job_that_the_batch_system_forgot_its_archive_is_asked(
    paths: ScanPaths,
) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    copy = backend.copy("v0001.1", at=time.time() - 50)
    backend.says({})
    assert getattr(backend.one(ids), "state", None) == "running"
    assert backend._tracker._tracked["v0001.1"].missing is not None
    copy.result.write_text(result("v0001.1", state="failed", reason="preempted"))
    backend.says({"0001_1": TaskStatus("cancelled", "user", "Removed.")})
    seen = backend.one(ids)
    assert seen is not None
    # The worker saw a signal only; the batch system knows who sent it.
    assert (seen.state, seen.reason) == ("cancelled", "user")


def test_a_job_that_the_batch_system_started_again_waits_until_its_new_copy_runs(
    paths: ScanPaths,
) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.copy("v0001.1", at=time.time() - 50)
    backend.says({"0001_1": TaskStatus("running")})
    assert getattr(backend.one(ids), "state", None) == "running"
    backend.says({"0001_1": TaskStatus("queued", message="Started again.")})
    assert backend.one(ids) == Observation("queued", message="Started again.")
    backend.copy("v0001.1", "cd34", at=time.time() + 1)
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.notebook) == ("running", "jobs/v0001.1/cd34/output.ipynb")


def test_a_result_is_believed_before_the_batch_system(paths: ScanPaths) -> None:
    backend = Scripted(paths, resources=Resources(gpus=2), per_gpu=2)
    ids = backend.hand_over(1)
    backend.copy("v0001.1")
    backend.says({"0001_1": TaskStatus("failed", "node", "exit code 1", where="gpu")})
    paths.job("v0001.1").result.write_text(result("v0001.1"))
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.reason, seen.where, seen.gpu_s) == ("done", None, "gpu", 4.0)


def test_a_kernel_that_died_of_memory_for_the_batch_system_did_so(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.copy("v0001.1")
    backend.says({"0001_1": TaskStatus("failed", "oom", "Used more memory than 4000 MB.")})
    paths.job("v0001.1").result.write_text(
        result("v0001.1", state="failed", reason="notebook", message="The kernel died.")
    )
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.reason, seen.message) == ("oom", "Used more memory than 4000 MB.")


def test_a_job_that_ended_without_a_result_has_some_time_to_show_one(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.copy("v0001.1")
    backend.says(
        {"0001_1": TaskStatus("failed", "node", "The node went away.", node="node7", ended=7.0)}
    )
    assert backend.one(ids) is None
    assert backend.brought == [1]
    backend._tracker.grace_s = 0.0
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.reason, seen.message, seen.node) == (
        "failed",
        "node",
        "The node went away.",
        "node7",
    )
    assert (seen.notebook, seen.ended) == ("jobs/v0001.1/ab12/output.ipynb", 7.0)
    assert backend.brought == [1]


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (TaskStatus("failed", "preempted", "No."), "preempted", "Ended from outside in cell 3."),
        (TaskStatus("done"), "preempted", "Ended from outside in cell 3."),
        # A new attempt would meet the same limit again.
        (TaskStatus("failed", "timeout", "Held: too long."), "timeout", "Held: too long."),
        (TaskStatus("failed", "node", "A bad node."), "preempted", "Ended from outside in cell 3."),
        # A policy of the pool would remove it again.
        (TaskStatus("failed", "node", "Removed.", given_up=True), "node", "Removed."),
    ],
)
def test_the_result_of_a_preempted_copy_counts_once_the_batch_system_will_not_start_it_again(
    paths: ScanPaths, status: TaskStatus, reason: str, message: str
) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    copy = backend.copy("v0001.1", at=time.time() - 9)
    copy.result.write_text(
        result(
            "v0001.1", state="failed", reason="preempted", message="Ended from outside in cell 3."
        )
    )
    backend.says({"0001_1": TaskStatus("queued")})
    assert getattr(backend.one(ids), "state", None) == "queued"
    backend.says({"0001_1": status})
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.reason, seen.message) == ("failed", reason, message)


def test_what_the_launcher_said_is_shown_of_a_job_that_no_worker_ran(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    paths.job("v0001.1").log.write_text("looking\nNo such image: \x1b[31mml-base\n")
    backend.says({"0001_1": TaskStatus("failed", *exit_meaning(73))})
    backend.one(ids)
    backend._tracker.grace_s = 0.0
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.reason, seen.message) == (
        "image",
        "The image could not be used. No such image: ml-base",
    )


def test_a_job_behind_another_in_its_task_waits_for_its_turn(paths: ScanPaths) -> None:
    backend = Scripted(paths, per_job=2)
    ids = backend.hand_over(1, 2)
    backend.says({"0001_1": TaskStatus("running")})
    backend.copy("v0001.1")
    seen = backend.poll(ids)
    assert seen["v0001.1"].state == "running"
    assert seen["v0002.1"] == Observation(
        "queued", message="Waits for its turn in the job that runs v0001."
    )


def test_a_job_that_the_batch_system_no_longer_knows_is_lost_after_a_while_and_not_before(
    paths: ScanPaths,
) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.says({})
    assert backend.one(ids) is None
    tracked = backend._tracker._tracked["v0001.1"]
    tracked.missing = time.time() - 100
    tracked.missing_awake -= 100
    backend.says({}, at=time.time() + 0.5)
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.message) == (
        "lost",
        "Lost: Engine no longer knows this job and no result came in 1 min 40 s.",
    )


def test_while_the_batch_system_is_silent_no_job_is_lost_that_was_sent_after_its_last_answer(
    paths: ScanPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "LOST_POLLS", 0)
    backend = Scripted(paths)
    backend.says({})
    ids = backend.hand_over(1)
    assert [backend.one(ids), backend.one(ids)] == [None, None]
    backend.says({}, at=time.time() + 60)
    assert getattr(backend.one(ids), "state", None) == "lost"


def test_times_that_cannot_be_are_none(paths: ScanPaths) -> None:
    backend = Scripted(paths, resources=Resources(gpus=1))
    ids = backend.hand_over(1)
    backend.says({"0001_1": TaskStatus("running")})
    copy = backend.copy("v0001.1", at=1000.0)
    for started in ("NaN", "1e308", "-5", "true", '"x"'):
        copy.about.write_text(f'{{"started": {started}}}')
        os.utime(copy.about, (1000.0, 1000.0))
        assert getattr(backend.one(ids), "started", None) in (1.0, 1000.0)
    paths.job("v0001.1").result.write_text(result("v0001.1", started=-1e308, ended=1e308))
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.started, seen.ended, seen.gpu_s) == ("done", None, None, 0.0)


def test_of_ten_thousand_waiting_jobs_few_files_are_looked_at(
    paths: ScanPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = Scripted(paths)
    ids = {f"v{n:04d}.1": f"1_{n}" for n in range(1, 10_001)}
    backend.says({f"1_{n}": TaskStatus("queued") for n in range(1, 10_001)})
    before = backend._inquiry.answer
    looks: list[str] = []
    monkeypatch.setattr(backend._tracker, "_look", lambda key, task: looks.append(key))
    backend.poll(ids)
    assert len(looks) <= 100
    for _ in range(99):
        backend.poll(ids)
    assert set(looks) == set(ids)
    backend.says({f"1_{n}": TaskStatus("queued" if n > 7 else "running") for n in range(1, 10_001)})
    assert backend._tracker._keys_to_look_at(ids, before)[:7] == [
        f"v{n:04d}.1" for n in range(1, 8)
    ]


# Ending.


def test_an_order_to_end_is_given_once_and_again_hard_if_the_job_stays(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.says({"0001_1": TaskStatus("running")})
    for _ in range(3):
        backend.cancel(ids)
        backend.poll(ids)
    assert backend.ended == [(["0001_1"], False)]
    assert paths.job("v0001.1").stop.exists()
    backend._tracker.end_requests.patience_s = 0.0
    for _ in range(3):
        backend.poll(ids)
    assert backend.ended[1:] == [(["0001_1"], True)]


def test_one_job_of_a_task_is_stopped_by_its_file_and_the_others_go_on(paths: ScanPaths) -> None:
    backend = Scripted(paths, per_job=3)
    ids = backend.hand_over(1, 2, 3)
    paths.job("v0003.1").result.write_text(result("v0003.1"))
    backend.cancel({"v0001.1": "0001_1"})
    backend.poll(ids)
    assert backend.ended == []
    backend.cancel({"v0001.1": "0001_1", "v0002.1": "0001_1"})
    backend.poll(ids)
    assert backend.ended == [(["0001_1"], False)]


def test_a_batch_system_that_is_silent_is_told_to_end_jobs_when_it_is_back(
    paths: ScanPaths,
) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.refuses = Unreachable("no answer")
    backend.cancel(ids)
    backend.poll(ids)
    assert backend.ended == []
    backend.refuses = BackendError("scancel cannot be started")
    backend._tracker.end_requests._due = 0.0
    backend.poll(ids)
    backend.refuses = None
    backend._tracker.end_requests._due = 0.0
    backend.poll(ids)
    assert backend.ended == [(["0001_1"], False)]


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (71, "node", "does not see the scan's folder"),
        (73, "image", "image"),
        (74, "image", "papermill"),
        (75, "node", "GPU"),
        (137, "node", "signal 9"),
    ],
)
def test_exit_codes_are_said_in_words(code: int, reason: str, words: str) -> None:
    assert exit_meaning(code)[0] == reason
    assert words in exit_meaning(code)[1]


def test_a_cancelled_job_that_the_batch_system_forgets_never_started(paths: ScanPaths) -> None:
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend._tracker.grace_s = 0.0
    backend.cancel(ids)
    # This was asked before the job was cancelled, so nothing follows from it.
    backend.says({}, at=time.time() - 60)
    assert backend.one(ids) is None
    assert backend.one(ids) is None
    backend.says({}, at=time.time() + 60)
    seen = backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.reason) == ("cancelled", "user")


def test_a_sleep_of_this_machine_makes_no_job_lost(paths: ScanPaths) -> None:
    """The clock of the day goes on while the machine sleeps; the monotonic one does not."""
    backend = Scripted(paths)
    ids = backend.hand_over(1)
    backend.says({})
    assert backend.one(ids) is None
    backend.says({}, at=time.time() + 8 * 3600)
    assert backend.one(ids) is None
    backend._tracker._tracked["v0001.1"].missing_awake -= 3600
    assert getattr(backend.one(ids), "state", None) == "lost"


DAMAGED = [
    "",
    "{",
    "[]",
    "null",
    '{"key": "v0002.1", "state": "done"}',
    '{"state": "running"}',
    "\0",
]


@pytest.mark.parametrize("text", DAMAGED)
@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize(
    ("status", "reason", "known"),
    [
        (TaskStatus("done"), "node", ""),
        (TaskStatus("failed", "node", "It left no result."), "node", ""),
        (TaskStatus("failed", "oom", "It took too much memory."), "oom", "too much memory. "),
    ],
)
def test_a_damaged_result_is_not_the_death_of_a_worker(
    paths: ScanPaths, text: str, kept: bool, status: TaskStatus, reason: str, known: str
) -> None:
    backend = Scripted(paths)
    backend._tracker.grace_s = 0
    ids = backend.hand_over(1)
    copy = backend.copy("v0001.1")
    # A copy that was preempted keeps its result to itself until the task has ended.
    (copy.result if kept else paths.job("v0001.1").result).write_text(text)
    backend.says({"0001_1": status})
    # The first look publishes the result that the copy kept.
    seen = backend.one(ids) or backend.one(ids)
    assert seen is not None
    assert (seen.state, seen.reason) == ("failed", reason)
    assert f"{known}The result of the job, result.json, is damaged" in str(seen.message)
    assert "no result" not in str(seen.message)


def test_a_damaged_result_of_a_job_that_was_forgotten_or_cancelled(
    paths: ScanPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracking, "LOST_POLLS", 0)
    backend = Scripted(paths)
    backend._tracker.grace_s = 0
    ids = backend.hand_over(1, 2)
    for key in ids:
        paths.job(key).result.write_text("{")
    backend.says({"0001_2": TaskStatus("cancelled", "user", "Removed.")}, time.time() + 9)
    forgotten, cancelled = backend.one(ids), backend.one(ids, "v0002.1")
    assert forgotten is not None
    assert (forgotten.state, forgotten.reason) == ("failed", "node")
    assert "is damaged" in str(forgotten.message)
    assert getattr(cancelled, "message", None) == "Removed."
