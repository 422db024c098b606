from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from jupyter_gridgpu.worker import limits as job_limits
from jupyter_gridgpu.worker.limits import Limits, Stopped
from jupyter_gridgpu.worker.usage import UsageSampler


@pytest.fixture
def limits() -> Iterator[Limits]:
    before = signal.getsignal(signal.SIGTERM)
    found = Limits(None, None, UsageSampler())
    found.listen()
    yield found
    signal.signal(signal.SIGTERM, before)


def test_without_a_limit_nothing_ends() -> None:
    assert Limits(None, None, UsageSampler()).check() is None
    assert Limits(3600, None, UsageSampler()).check() is None


def test_a_signal_in_a_cell_is_a_reason_to_end(limits: Limits) -> None:
    limits.in_cell = True
    os.kill(os.getpid(), signal.SIGTERM)
    ending = limits.check()
    assert ending is not None
    assert ending.reason == "preempted"


def test_a_signal_between_cells_ends_at_once(limits: Limits) -> None:
    with pytest.raises(Stopped):
        os.kill(os.getpid(), signal.SIGTERM)
    assert limits.ending is not None


def test_the_first_reason_counts() -> None:
    late = Limits(60, None, UsageSampler())
    late._deadline = 0.0  # long ago
    first = late.check()
    assert first is not None
    assert (first.reason, first.message) == ("timeout", "Reached the limit of 60 s")
    late.in_cell = True
    late._on_signal(signal.SIGTERM, None)
    assert late.check() is first


def test_more_memory_than_allowed_is_a_reason_to_end() -> None:
    hoard = [sys.executable, "-c", "x = 'x' * 40_000_000; print(flush=True); input()"]
    with subprocess.Popen(hoard, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        ending = Limits(None, 30, UsageSampler()).check()
        assert Limits(None, 100_000, UsageSampler()).check() is None
        child.kill()
    assert ending is not None
    assert ending.reason == "oom"
    assert "GB used of 0.0 GB allowed" in ending.message


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (9000, "2.5 h")],
)
def test_a_limit_is_told_in_words(seconds: int, words: str) -> None:
    assert job_limits._duration(seconds) == words
