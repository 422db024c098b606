"""How a batch system is asked: without waiting, seldom, and once for all scans of a user."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from jupyter_gridgpu.backends import polling
from jupyter_gridgpu.backends.batch.inquiry import Inquiry, StatusAnswer, TaskStatus
from jupyter_gridgpu.errors import Unreachable
from tests.kit import eventually

RUNNING = TaskStatus("running", where="gpu", node="node1", started=5.0)


class FakeSystem:
    """A batch system with answers that a test sets; it counts how often it was asked."""

    def __init__(self) -> None:
        self.tasks: dict[str, TaskStatus] = {"7_1": RUNNING}
        self.past: dict[str, TaskStatus] = {}
        self.error: Exception | None = None
        self.asked = 0
        self.asked_past: list[list[str]] = []

    def query(self) -> Mapping[str, TaskStatus]:
        self.asked += 1
        if self.error:
            raise self.error
        return dict(self.tasks)

    def query_past(self, tasks: Sequence[str]) -> Mapping[str, TaskStatus]:
        self.asked_past.append(list(tasks))
        return {task: self.past[task] for task in tasks if task in self.past}


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> FakeSystem:
    monkeypatch.setenv("GRIDGPU_POLL_S", "0.2")
    return FakeSystem()


Make = Callable[[], Inquiry]


@pytest.fixture
def make(system: FakeSystem, tmp_path: Path) -> Make:
    return lambda: Inquiry(
        "Slurm", system.query, system.query_past, tmp_path / "home" / "slurm.json"
    )


def answered(found: Inquiry, system: FakeSystem, times: int = 1) -> Inquiry:
    """Look until the batch system was asked so often and that answer came."""

    def came() -> bool:
        found.refresh()
        return system.asked >= times and found._thread is None

    eventually(came)
    return found


def some_answer(found: Inquiry, *missing: str) -> StatusAnswer:
    def came() -> StatusAnswer | None:
        found.refresh(missing)
        return found.answer

    return eventually(came) or StatusAnswer(0.0)


def test_a_look_never_waits_for_the_batch_system(
    make: Make, system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def slow() -> Mapping[str, TaskStatus]:
        asked.append(time.monotonic())
        time.sleep(0.5)
        return {}

    monkeypatch.setattr(system, "query", slow)
    found = make()
    while not asked:
        found.refresh()
    for _ in range(100):
        found.refresh()
    assert found.answer is None
    assert len(asked) == 1
    assert some_answer(found)


def test_an_answer_says_when_it_was_asked_for(make: Make, system: FakeSystem) -> None:
    before = time.time()
    found = answered(make(), system)
    assert found.answer is not None
    assert before <= found.answer.time <= time.time()
    assert found.answer.tasks == {"7_1": RUNNING}


def test_runners_of_one_home_ask_once(
    make: Make, system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRIDGPU_POLL_S", "60")
    first = answered(make(), system)
    others = [make() for _ in range(3)]
    assert [some_answer(other) for other in others] == [first.answer] * 3
    assert system.asked == 1


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"time": "x", "tasks": {}}', '{"time": 1e99, "tasks": []}', '{"time": 1}'],
)
def test_a_shared_answer_that_is_not_sound_is_not_taken(
    make: Make, system: FakeSystem, tmp_path: Path, text: str
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "slurm.json").write_text(text)
    found = answered(make(), system)
    assert found.answer is not None
    assert found.answer.tasks == {"7_1": RUNNING}


@pytest.mark.parametrize("name", ["slurm.json", "slurm.lock", "."])
def test_a_runner_that_cannot_share_its_answers_asks_for_itself(
    make: Make, system: FakeSystem, tmp_path: Path, name: str
) -> None:
    """The folder of the answers may be another user's."""
    home = tmp_path / "home"
    if name == ".":
        home.write_text("")
    else:
        (home / name).mkdir(parents=True)
    found = answered(make(), system)
    assert found.answer is not None
    assert found.answer.tasks == {"7_1": RUNNING}
    assert found.notice() is None


def test_while_nothing_changes_it_asks_more_and_more_seldom(make: Make, system: FakeSystem) -> None:
    found = answered(make(), system)
    waits = []
    for times in range(2, 7):
        answered(found, system, times)
        waits.append(found._pause_s)
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(0.2 * polling.LONGEST_PAUSE_POLLS)
    system.tasks = {}
    answered(found, system, system.asked + 1)
    assert found._pause_s == pytest.approx(0.2)


def test_news_from_us_makes_it_look_sooner_but_not_sooner_than_allowed(
    make: Make, system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = answered(make(), system)
    monkeypatch.setenv("GRIDGPU_POLL_S", "30")
    asked = found._asked_at
    found._due = asked + 100
    found.hurry()
    assert found._due == pytest.approx(asked + 30)


def test_a_silent_batch_system_changes_nothing_and_is_told_of(
    make: Make, system: FakeSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = answered(make(), system)
    before = found.answer
    assert found.notice() is None
    system.error = Unreachable("Unable to contact slurm controller.")
    answered(found, system, system.asked + 1)
    assert found.answer is before
    found._heard_awake -= 250
    # The clock of the day was set; the silence is no longer for that.
    day = time.time() + 9000
    monkeypatch.setattr(time, "time", lambda: day)
    heard = time.strftime("%H:%M", time.localtime(found._last_heard))
    assert found.notice() == (
        f"Slurm has not answered for 4 min. Jobs go on; shown as of {heard}."
        " (Unable to contact slurm controller.)"
    )
    system.error = None
    answered(found, system, system.asked + 1)
    assert found.notice() is None


def test_an_answer_that_nobody_can_read_is_a_silence(make: Make, system: FakeSystem) -> None:
    found = make()
    system.error = KeyError("jobs")
    answered(found, system)
    found._heard_awake -= 1000
    assert found.answer is None
    assert "cannot be read: KeyError: 'jobs'" in str(found.notice())


def test_an_archive_is_asked_for_what_is_missing_only(make: Make, system: FakeSystem) -> None:
    system.past = {"7_2": TaskStatus("failed", "timeout")}
    found = make()
    answer = some_answer(found, "7_1", "7_2", "7_3")
    assert system.asked_past == [["7_2", "7_3"]]
    assert set(answer.tasks) == {"7_1", "7_2"}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", 15.0),
        ("x", 15.0),
        ("3", 3.0),
        ("0", 0.1),
        ("-5", 0.1),
        ("nan", 15.0),
        ("inf", 15.0),
        ("1e9", 3600.0),
    ],
)
def test_the_pace_is_a_setting(monkeypatch: pytest.MonkeyPatch, text: str, seconds: float) -> None:
    monkeypatch.setenv("GRIDGPU_POLL_S", text)
    assert polling.poll_interval_s() == seconds
