"""How jobs are ended at PanDA, and what is said of it, through the real panda-client."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.backends.panda.status import TaskFacts, task_status
from jupyter_gridgpu.model.resources import Placement
from jupyter_gridgpu.testing.examples import small_scan
from tests.engines.panda import FakePanda
from tests.engines.panda.fixture import panda
from tests.engines.panda.small_batch import SmallBatch, scan_folder

__all__ = ["panda"]


@pytest.fixture
def batch(tmp_path: Path, panda: FakePanda) -> Iterator[SmallBatch]:
    panda.hold = True
    made = SmallBatch(scan_folder(tmp_path / "scan"))
    made.hand_over()
    yield made
    made.close()


def jobs_of(panda: FakePanda, number: int) -> dict[int, str]:
    """Return attempt -> state of the jobs of a sequence number."""
    jobs = list(panda.jedi.jobs.values())
    return {job.attempt: job.status for job in jobs if job.number == number}


def test_jobs_that_the_end_of_their_task_overlooks_are_killed(
    panda: FakePanda, batch: SmallBatch
) -> None:
    panda.jedi.overlooks = True
    batch.cancel(*batch.keys)
    batch.until_all("cancelled")
    assert {job.status for job in panda.jedi.jobs.values()} == {"cancelled"}
    assert panda.calls.count("task/kill") >= 1
    assert panda.calls.count("job/kill") >= 1
    assert {one.reason for one in batch.seen.values()} == {"user"}


def test_a_job_is_cancelled_only_when_panda_has_ended_it(
    panda: FakePanda, batch: SmallBatch
) -> None:
    """While PanDA takes no order, nothing is said to have ended, and the order is given again."""
    batch.until(lambda: "activated" in batch.message(), "a job waits")
    panda.trouble["job/kill"] = panda.trouble["task/kill"] = "html"
    batch.cancel(*batch.keys)
    batch.until(lambda: "PanDA has not taken the order yet" in batch.message(), "it says so")
    assert batch.states() == {"queued"}
    assert batch.backend.notice() is None
    panda.trouble.clear()
    batch.until_all("cancelled")
    assert {job.status for job in panda.jedi.jobs.values()} == {"cancelled"}


def test_each_new_job_of_a_stopped_variant_is_killed(panda: FakePanda, batch: SmallBatch) -> None:
    batch.until(lambda: "activated" in batch.message("v0002.1"), "a job waits")
    batch.cancel("v0002.1")
    said: set[str] = set()

    def ended() -> bool:
        said.add(batch.message("v0002.1"))
        return batch.seen["v0002.1"].state == "cancelled"

    batch.until(ended, "the variant is cancelled")
    assert jobs_of(panda, 2) == {1: "cancelled", 2: "cancelled", 3: "cancelled"}
    assert jobs_of(panda, 1) == {1: "activated"}
    assert "task/kill" not in panda.calls
    assert [text for text in said if "PanDA starts a killed job" in text]


def test_a_runner_that_comes_later_goes_on_ending_jobs(panda: FakePanda, batch: SmallBatch) -> None:
    panda.jedi.overlooks = True
    batch.cancel(*batch.keys)
    batch.until(lambda: "task/kill" in panda.calls, "the task is killed")
    batch.another_runner()
    batch.until_all("cancelled")
    assert {job.status for job in panda.jedi.jobs.values()} == {"cancelled"}


def test_a_job_that_panda_tries_once_is_killed_once(panda: FakePanda, tmp_path: Path) -> None:
    panda.hold = True
    scan = small_scan(backend="panda", placement=Placement(attempts=1))
    batch = SmallBatch(scan_folder(tmp_path / "scan", scan), scan=scan)
    batch.hand_over()
    batch.until(lambda: "activated" in batch.message("v0002.1"), "a job waits")
    batch.cancel("v0002.1")
    batch.until(lambda: batch.seen["v0002.1"].state == "cancelled", "the variant is cancelled")
    assert jobs_of(panda, 2) == {1: "cancelled"}
    batch.close()


# what is said -----------------------------------------------------------------------------

UNWANTED = TaskFacts(attempts=3, unwanted=frozenset({1}))
LONG_KILLED = replace(UNWANTED, long_killed=True)
AGAIN = "PanDA starts a killed job up to 2 times more"


@pytest.mark.parametrize(
    ("job", "task", "facts", "state", "said"),
    [
        (("activated", 1), {"status": "running"}, UNWANTED, "queued", AGAIN),
        (("activated", 2), {"status": "running"}, UNWANTED, "queued", "killed job once more"),
        (("running", 3), {"status": "running"}, UNWANTED, "running", "told to end when its pilot"),
        (("cancelled", 1), {"status": "running"}, UNWANTED, "queued", AGAIN),
        (("failed", 2), {"status": "running"}, UNWANTED, "queued", "Has ended"),
        (("cancelled", 3), {"status": "running"}, UNWANTED, "cancelled", "Cancelled after 3"),
        (("closed", 3), {"status": "running"}, UNWANTED, "queued", "Has ended"),
        # PanDA knows that the task is to end. A job may still appear, or start.
        (("activated", 1), {"status": "running", "killed": True}, UNWANTED, "queued", "stopped"),
        (("activated", 1), {"status": "toabort", "killed": True}, LONG_KILLED, "queued", "stopped"),
        (("activated", 1), {"status": "aborted"}, LONG_KILLED, "queued", "stopped"),
        (("running", 1), {"status": "aborted"}, LONG_KILLED, "running", "told to end"),
        (("cancelled", 1), {"status": "toabort", "killed": True}, UNWANTED, "queued", "Has ended"),
        (("cancelled", 1), {"status": "toabort"}, LONG_KILLED, "cancelled", "Cancelled"),
        (("cancelled", 1), {"status": "aborted"}, UNWANTED, "cancelled", "Cancelled"),
        (None, {"status": "ready", "killed": True}, LONG_KILLED, "queued", "chooses a queue"),
        (None, {"status": "toabort", "killed": True}, UNWANTED, "queued", "ends the task"),
        (None, {"status": "toabort", "killed": True}, LONG_KILLED, "cancelled", "had made its job"),
        (None, {"status": "aborted"}, UNWANTED, "cancelled", "before PanDA had made its job"),
        (None, {"status": "broken"}, UNWANTED, "cancelled", "before PanDA had made its job"),
        (("activated", 1), {"status": "running", "not_killed": "why"}, UNWANTED, "queued", "(why)"),
    ],
)
def test_what_is_said_of_a_job_that_is_to_end(
    job: tuple[str, int] | None, task: dict[str, Any], facts: TaskFacts, state: str, said: str
) -> None:
    jobs = []
    if job is not None:
        status, attempt = job
        jobs = [{"seq": 1, "PandaID": 7, "jobStatus": status, "attemptNr": attempt}]
    [seen] = task_status({"id": "17", "jobs": jobs, **task}, 1, facts, 0.0).values()
    assert (seen.state, said in str(seen.message)) == (state, True), seen
    # The end of a whole task ends PanDA's own tries as well.
    assert not (task.get("killed") and "starts a killed job" in str(seen.message))
