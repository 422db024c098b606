"""A task that somebody cancelled in Slurm is cancelled, and it is said by whom where that is known.

Tests with real daemons are elsewhere.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import pytest

from jupyter_gridgpu.backends.batch.by_hand import ended_by_hand
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.backends.slurm import commands, output
from jupyter_gridgpu.backends.slurm.past import SURE_ANSWERS, Cancellers, PastTasks
from jupyter_gridgpu.errors import Unreachable
from jupyter_gridgpu.store.paths import ScanPaths

from .scripted import Scripted

KEY = "v0001.1"
WAITS = {"0001_1": TaskStatus("queued", message="Waits in gpu: others are before it.")}


@pytest.mark.parametrize("remembers_s", [300.0, None])
@pytest.mark.parametrize("unseen_s", [0, 60, 1000])
@pytest.mark.parametrize("seen_waiting", [True, False])
@pytest.mark.parametrize("began", [False, True])
def test_a_task_that_waited_and_is_forgotten_at_once_was_cancelled(
    paths: ScanPaths, remembers_s: float | None, unseen_s: int, seen_waiting: bool, began: bool
) -> None:
    """A task that had started would still be known, as one that has ended."""
    backend = Scripted(paths)
    backend.remembers_s = remembers_s
    backend._tracker.grace_s = 0.0
    ids = backend.hand_over(1)
    now = time.time()
    taken = backend._batches.all()[0].engine_file
    os.utime(taken, (now - unseen_s, now - unseen_s))
    if seen_waiting:
        backend.says(WAITS, at=now - unseen_s)
        assert backend.poll(ids)[KEY].state == "queued"
    if began:
        backend.copy(KEY, at=now - unseen_s / 2 - 5)
    backend.says({}, at=now)
    first = backend.one(ids)
    assert first is None or first.state == "running"
    # The archive was asked meanwhile, and knows nothing of the task.
    backend.says({}, at=now + 5)
    seen = backend.one(ids)
    if remembers_s is None or unseen_s > remembers_s or began:
        assert seen is None or seen.state == "running"
        return
    assert seen is not None
    assert (seen.state, seen.reason) == ("cancelled", "user")
    assert seen.message == "Cancelled in Engine before it started."


def test_the_message_of_a_signal_gives_way_to_what_slurm_says(paths: ScanPaths) -> None:
    line = output.DIVIDER.join(
        ("7_1", "CANCELLED by 4000000000", "None", "0:15", "5", "9", "node1", "gpu", "")
    )
    status = output.read_tasks(line)["7_1"]
    assert status.message == "Cancelled in Slurm by the user with the number 4000000000."


@pytest.mark.parametrize(
    ("state", "by"),
    [
        ("CANCELLED", "you or an administrator"),
        ("CANCELLED+", "you or an administrator"),
        (f"CANCELLED by {os.getuid()}", "you"),
        ("CANCELLED by 65534", "nobody"),
        ("CANCELLED by 99999999999", "you or an administrator"),
    ],
)
def test_who_cancelled_a_task_is_said(state: str, by: str) -> None:
    line = output.DIVIDER.join(("7_1", state, "None", "0:0", "5", "9", "node1", "gpu"))
    seen = output.read_tasks(line)["7_1"]
    assert (seen.state, seen.reason) == ("cancelled", "user")
    assert seen.message == f"Cancelled in Slurm by {by}."


class FakeAccounting(commands.Accounting):
    """An accounting that says what the test lets it say of each task."""

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[str, str] = {}
        self.silent = False
        self.questions = 0

    def ask(self, fields: Sequence[str], *options: str) -> str:
        self.questions += 1
        if self.silent:
            raise Unreachable("sacct failed")
        rest = ("None", "0:0", "5", "9", "node1", "gpu")
        return "\n".join(
            output.DIVIDER.join((task, state, *rest)) for task, state in self.states.items()
        )


def test_who_cancelled_what_the_queue_knows_is_asked_a_few_times_only() -> None:
    accounting = FakeAccounting()
    cancellers = Cancellers(PastTasks(accounting))
    queue = {
        "7_1": ended_by_hand(output.BY_HAND, output.SOMEBODY),
        "7_2": TaskStatus("running"),
    }
    accounting.states = {"7_1": "RUNNING", "7_2": "RUNNING"}  # it has not heard of it yet
    assert cancellers.known(queue) == {}
    accounting.silent = True
    assert cancellers.known(queue) == {}
    accounting.silent = False
    accounting.states["7_1"] = "CANCELLED by 65534"
    for _ in range(3):
        assert cancellers.known(queue)["7_1"].message == "Cancelled in Slurm by nobody."
    assert accounting.questions == 3
    assert cancellers.known({"7_2": TaskStatus("running")}) == {}


def test_a_task_without_a_record_beside_its_array_never_started() -> None:
    accounting = FakeAccounting()
    past = PastTasks(accounting)
    for _ in range(SURE_ANSWERS + 2):
        assert past.ask(["7_3"]) == {}, "nothing is known of the array"
    accounting.states = {"7_1": "COMPLETED"}
    for _ in range(SURE_ANSWERS - 1):
        assert past.ask(["7_1", "7_3"]).keys() == {"7_1"}
    said = "Cancelled in Slurm before it started by you or an administrator."
    for _ in range(2):
        seen = past.ask(["7_1", "7_3"])["7_3"]
        assert (seen.state, seen.reason, seen.message) == ("cancelled", "user", said)
