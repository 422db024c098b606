"""The batch system's signal is a hint: the worker's own clock, or the real limit, decides."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_gridgpu.worker.limits import Limits, Stopped
from jupyter_gridgpu.worker.queue_limit import read_time_left, time_left
from jupyter_gridgpu.worker.usage import UsageSampler
from tests.kit import eventually

NOTICE_S = 60.0


@pytest.fixture(autouse=True)
def own_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """No batch system can be asked."""
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)


class FakeSlurm:
    """A squeue that says of every job what the test lets it say."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._answer = folder / "answer"
        self.calls = folder / "calls"
        command = folder / "squeue"
        command.write_text(f'#!/bin/sh\necho "$@" >>{self.calls}\ncat {self._answer}\n')
        command.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("SLURM_JOB_ID", "77")
        monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)

    def says(self, text: str) -> None:
        self._answer.write_text(f"{text}\n")


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    return FakeSlurm(tmp_path, monkeypatch)


def listening(walltime_s: int | None, notice_s: float | None = NOTICE_S) -> Limits:
    found = Limits(walltime_s, None, UsageSampler(), notice_s=notice_s)
    found.in_cell = True
    found.listen()
    return found


def hint() -> None:
    os.kill(os.getpid(), signal.SIGUSR1)


def asked(limits: Limits, slurm: FakeSlurm) -> None:
    """Wait until the answer was taken, while the limits are looked at as in a cell."""

    def heard() -> bool:
        limits.check()
        return slurm.calls.exists() and limits.queue_limit._answered

    eventually(heard)


@pytest.mark.parametrize(
    ("text", "seconds", "preempted"),
    [
        ("3:00|N/A|", 180, False),
        ("0:00|N/A|", 0, False),
        ("1-02:03:04|N/A|", 93784, False),
        ("12:00:00|None|", 43200, False),
        ("0:12|2026-11-27T20:34:31|", 12, True),
    ],
)
def test_what_squeue_says_is_read(text: str, seconds: int, preempted: bool) -> None:
    found = read_time_left(text)
    assert found is not None
    assert (found.seconds, found.preempted) == (seconds, preempted)


@pytest.mark.parametrize("text", ["", "INVALID|N/A|", "UNLIMITED|N/A|", "NOT_SET|", "slurm error"])
def test_what_tells_no_limit_is_none(text: str) -> None:
    assert read_time_left(text) is None


@pytest.mark.parametrize("walltime_s", [60, 120, 1200])
def test_a_signal_that_comes_early_ends_no_job(walltime_s: int, slurm: FakeSlurm) -> None:
    slurm.says(f"{walltime_s // 60 + 1}:50|N/A|")
    limits = listening(walltime_s)
    hint()
    asked(limits, slurm)
    assert limits.check() is None
    limits._deadline = 0.0  # the walltime is over
    ending = limits.check()
    assert ending is not None
    assert ending.reason == "timeout"
    assert ending.message.startswith("Reached the limit of ")


@pytest.mark.parametrize("walltime_s", [None, 600])
def test_a_limit_that_is_nearer_than_the_walltime_ends_the_job_in_time(
    walltime_s: int | None, slurm: FakeSlurm
) -> None:
    slurm.says("0:30|N/A|")
    limits = listening(walltime_s)
    hint()
    ending = eventually(limits.check)
    assert (ending.reason, ending.message) == ("timeout", "Reached the time limit of the queue")


def test_a_signal_of_a_preemption_is_no_timeout(slurm: FakeSlurm) -> None:
    slurm.says("0:10|2026-11-27T20:34:31|")
    limits = listening(600)
    hint()
    assert eventually(limits.check).reason == "preempted"


def test_without_an_answer_the_notice_itself_says_how_much_time_is_left(outside: None) -> None:
    limits = listening(60)  # with a grace of 6 s
    hint()
    assert limits.check() is None
    now = time.monotonic()
    assert limits.queue_limit.reached(now + NOTICE_S - 20) is None
    assert limits.queue_limit.reached(now + NOTICE_S - 10) is not None


def test_a_signal_whose_meaning_is_not_known_ends_the_job(outside: None) -> None:
    limits = listening(None, None)
    limits.in_cell = False
    with pytest.raises(Stopped):
        hint()
    assert limits.ending is not None
    assert limits.ending.reason == "timeout"


def test_the_end_that_newer_versions_tell_is_used_where_there_is_no_squeue() -> None:
    end = f"{time.time() + 100:.0f}"
    found = time_left({"SLURM_JOB_ID": "77", "SLURM_JOB_END_TIME": end, "PATH": "/nowhere"})
    assert found is not None
    assert 95 < found.seconds < 101


def test_squeue_is_asked_of_the_job_s_own_cluster(slurm: FakeSlurm) -> None:
    slurm.says("3:00|N/A|")
    environment = {**os.environ, "SLURM_CLUSTERS": "other", "SQUEUE_FORMAT": "%i"}
    assert time_left(environment) is not None
    assert "--jobs=77 " in slurm.calls.read_text()
