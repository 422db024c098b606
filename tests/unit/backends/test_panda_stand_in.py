"""The stand-in of PanDA's server answers as a real one did, and panda-client takes its answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines.panda import FakePanda, recorded
from tests.engines.panda.jedi import Jedi
from tests.engines.panda.replay import Replay
from tests.engines.panda.tasks import Task


@pytest.mark.parametrize("name", recorded.NAMES)
def test_every_recorded_exchange_is_answered_alike(tmp_path: Path, name: str) -> None:
    panda = FakePanda(tmp_path, live=False)
    try:
        exchanges = sum(line["kind"] == "http" for line in recorded.lines(name))
        assert Replay(panda, name).run() == exchanges > 5
    finally:
        panda.stop()


@pytest.fixture
def jedi(tmp_path: Path) -> Iterator[Jedi]:
    """Yield the stand-in's JEDI, which takes a step when a test says so."""
    panda = FakePanda(tmp_path, live=False)
    yield panda.jedi
    panda.stop()


PARAMETERS = {"taskName": "user.me.x/", "uniqueTaskName": True, "nEvents": 1, "jobParameters": []}


def submitted(jedi: Jedi) -> tuple[Task, dict[str, Any]]:
    """Submit one task, and return it with the answer."""
    answer = jedi.submit(dict(PARAMETERS), "me")
    return jedi.tasks[1], answer


def stepped(jedi: Jedi, task: Task, *statuses: str) -> list[str]:
    """Take steps until the task is in one of these states; return the states that it went by."""
    seen: list[str] = []
    while not seen or seen[-1] not in statuses:
        assert jedi.advance(task), seen
        seen.append(task.status)
    return seen


def test_a_second_task_of_one_name_is_treated_by_the_state_of_the_first(jedi: Jedi) -> None:
    task, answer = submitted(jedi)
    assert answer["success"]
    for status, code in (("", 1), ("registered", 1), ("ready", 2), ("running", 2), ("broken", 2)):
        task.status = status
        _, answer = submitted(jedi)
        assert (answer["success"], answer["data"]) == (False, code), status
        assert "jediTaskID=1 is" in answer["message"]
    for status in ("done", "finished", "failed", "aborted", "exhausted"):
        task.status = status
        _, answer = submitted(jedi)
        assert (answer["success"], answer["data"]) == (True, 1), status
        assert answer["message"].startswith("reactivation accepted. jediTaskID=1")
    assert task.reactivations == 5
    assert len(jedi.tasks) == 1


def test_a_young_task_has_no_name_and_a_job_goes_its_way(jedi: Jedi) -> None:
    task, _ = submitted(jedi)
    stepped(jedi, task, "registered")
    assert (task.details()["taskName"] == task.name, task.details()["userName"]) == (
        False,
        "tobeset",
    )
    stepped(jedi, task, "running")
    assert task.details()["taskName"] == task.name
    states = [task.jobs[0].status]
    while jedi.advance(task):
        states.append(task.jobs[0].status)
    assert states == ["defined", "pending", "activated"]
    assert jedi.kill_job(1)
    assert task.jobs[0].fields["taskBufferErrorDiag"].startswith("killed by Lab User")
    assert not jedi.kill_job(1)
    assert not jedi.kill_job(99)


def test_the_end_of_a_task_kills_its_jobs_or_overlooks_them(jedi: Jedi) -> None:
    task, _ = submitted(jedi)
    stepped(jedi, task, "running")
    for _ in range(2):
        assert jedi.command("kill", task)["success"]
    jedi.overlooks = True
    stepped(jedi, task, "toabort")
    while jedi.advance(task):
        pass
    assert (task.status, task.jobs[0].status) == ("toabort", "activated")
    jedi.stop_job(task.jobs[0], str(task.dialog))
    assert task.jobs[0].fields["taskBufferErrorDiag"] == "killed by kill by Lab User"
    assert stepped(jedi, task, "aborted") == ["aborted"]
