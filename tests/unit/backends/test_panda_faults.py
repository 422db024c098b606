"""Batches that are sent through a proxy which does harm: nothing is sent twice, nothing is lost."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jupyter_gridgpu.errors import AnswerPending, Unreachable
from tests.engines.panda import FakePanda
from tests.engines.panda.fixture import panda
from tests.engines.panda.proxy import FAULTS, Proxy
from tests.engines.panda.small_batch import SmallBatch, scan_folder
from tests.kit import eventually

__all__ = ["panda"]

SENDING = ("file_server/validate_cache_file", "file_server/upload_cache_file", "task/submit")
ASKING = ("task/get_detailed_info", "task/get_job_descriptions")


@pytest.fixture
def proxy(panda: FakePanda, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    panda.hold = True
    made = Proxy(panda.url)
    for name, value in {**made.environment(), "GRIDGPU_POLL_S": "0.1"}.items():
        monkeypatch.setenv(name, value)
    yield made
    made.stop()


@pytest.fixture
def batch(tmp_path: Path, proxy: Proxy) -> Iterator[SmallBatch]:
    made = SmallBatch(scan_folder(tmp_path / "scan"))
    yield made
    made.close()


def is_handed_over(batch: SmallBatch) -> bool:
    """Submit once; return whether PanDA has all jobs. No job may fail."""
    answers = batch.submit()
    for answer in answers.values():
        assert isinstance(answer, (str, Unreachable)), answer
        if isinstance(answer, Unreachable) and not isinstance(answer, AnswerPending):
            assert "<" not in str(answer), answer
            assert len(str(answer)) < 500
    batch.ids = {key: answer for key, answer in answers.items() if isinstance(answer, str)}
    return set(batch.ids) == set(batch.keys)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_batch_is_one_task_whatever_happens_to_its_requests(
    panda: FakePanda, proxy: Proxy, batch: SmallBatch, fault: str
) -> None:
    proxy.faults = {endpoint: [fault] for endpoint in SENDING}
    proxy.faults["task/get_tasks_detailed_info_since"] = [fault]
    eventually(lambda: is_handed_over(batch), f"the batch is sent; {proxy.calls}")
    assert len(panda.jedi.tasks) == 1
    assert panda.jedi.tasks[1].reactivations == 0
    assert set(batch.submit().values()) == {"1_1", "1_2"}


@pytest.mark.parametrize("state", ["done", "finished", "failed", "aborted", "broken", "exhausted"])
def test_a_task_that_ended_before_its_number_was_known_does_not_begin_anew(
    panda: FakePanda, proxy: Proxy, batch: SmallBatch, state: str
) -> None:
    panda.jedi.end_as = (state, "it ended")
    proxy.faults["task/submit"] = ["lost"]

    def ended() -> bool:
        return bool(panda.jedi.tasks) and panda.jedi.tasks[1].status == state

    # The second sender comes only when the task has ended.
    def wait(endpoint: str) -> None:
        if endpoint == "task/get_tasks_detailed_info_since":
            eventually(ended, "the task ends")

    proxy.before = wait
    eventually(lambda: is_handed_over(batch), f"the batch is sent; {proxy.calls}")
    assert len(panda.jedi.tasks) == 1
    assert (panda.jedi.tasks[1].reactivations, panda.jedi.tasks[1].status) == (0, state)
    assert proxy.calls.count("task/submit") == 1


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("endpoint", SENDING)
def test_a_sender_that_is_killed_at_a_request_sends_nothing_twice(
    panda: FakePanda, proxy: Proxy, batch: SmallBatch, endpoint: str, moment: str
) -> None:
    left = [endpoint]

    def kill(asked: str) -> None:
        if asked in left:
            left.remove(asked)
            for process in psutil.Process().children(recursive=True):
                if "jupyter_gridgpu.backends.panda.client" in process.cmdline():
                    os.kill(process.pid, signal.SIGKILL)

    setattr(proxy, moment, kill)
    eventually(lambda: is_handed_over(batch), f"the batch is sent; {proxy.calls}")
    assert left == []
    assert len(panda.jedi.tasks) == 1
    assert panda.jedi.tasks[1].reactivations == 0


def test_a_task_of_its_first_seconds_is_adopted(
    panda: FakePanda, proxy: Proxy, batch: SmallBatch
) -> None:
    """PanDA does not find it by its name yet, and answers the second insertion with its number."""
    panda.jedi.linger_s = {"registered": 5.0}
    proxy.faults["task/submit"] = ["lost"]
    eventually(lambda: is_handed_over(batch), f"the batch is sent; {proxy.calls}")
    assert proxy.calls.count("task/submit") == 2
    assert len(panda.jedi.tasks) == 1


@pytest.mark.parametrize("fault", ["lost", "500", "html after", "cut"])
def test_no_state_changes_while_answers_are_in_trouble(
    panda: FakePanda, proxy: Proxy, batch: SmallBatch, fault: str
) -> None:
    batch.hand_over()
    batch.until(lambda: "activated" in batch.message(), "a job waits")
    proxy.faults = {endpoint: [fault] for endpoint in ASKING}
    batch.until(lambda: not any(proxy.faults.values()), "the faults are over")
    batch.until_all("queued")
    batch.cancel(*batch.keys)
    proxy.faults = {endpoint: [fault] for endpoint in (*ASKING, "task/kill", "job/kill")}
    batch.until_all("cancelled")
    assert {job.status for job in panda.jedi.jobs.values()} == {"cancelled"}


def test_requests_that_take_long_are_waited_for(
    panda: FakePanda, proxy: Proxy, batch: SmallBatch
) -> None:
    proxy.delay_s = 1.0
    eventually(lambda: is_handed_over(batch), "the batch is sent")
    batch.until_all("queued")
    assert len(panda.jedi.tasks) == 1
