"""How the memory of a job is counted."""

from __future__ import annotations

import mmap
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from jupyter_gridgpu.worker import memory
from jupyter_gridgpu.worker.memory import MemoryMeter

DATA_MB = 120
FORKS = 5


@pytest.fixture
def forked_readers() -> Iterator[list[psutil.Process]]:
    """Processes that read the same pages, as the workers of a DataLoader do."""
    data = mmap.mmap(-1, DATA_MB * 2**20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    data.write(b"x" * len(data))
    children = []
    for _ in range(FORKS):
        ready, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            sum(data[:: mmap.PAGESIZE])
            os.write(tell, b"x")
            signal.pause()
            os._exit(0)
        os.read(ready, 1)
        os.close(ready)
        os.close(tell)
        children.append(pid)
    yield [psutil.Process(pid) for pid in (os.getpid(), *children)]
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_pages_that_forks_share_count_once(forked_readers: list[psutil.Process]) -> None:
    alone = MemoryMeter().measure(forked_readers[:1])
    together = MemoryMeter().measure(forked_readers)
    assert together < alone + DATA_MB
    assert together >= DATA_MB


def test_without_shares_resident_memory_counts(
    forked_readers: list[psutil.Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_PSS", re.compile(rb"^no such line (\d+)"))
    assert MemoryMeter().measure(forked_readers) > DATA_MB * FORKS


@dataclass
class FakeProcess:
    pid: int
    rss: int

    def memory_info(self) -> FakeProcess:
        return self


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


def test_a_costly_look_is_rare_unless_memory_may_be_above_its_limit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clock, looks = Clock(), []
    monkeypatch.setattr(memory, "time", clock)

    def slow_look(rss: dict[int, int]) -> int:
        clock.now += 1
        looks.append(clock.now)
        return 100 * 2**20

    monkeypatch.setattr(memory, "_pss", slow_look)
    meter = MemoryMeter()
    job = [FakeProcess(1, 90 * 2**20), FakeProcess(2, 90 * 2**20)]
    assert meter.measure(job, 150) == 100
    clock.now += 11
    assert meter.measure(job, 150) == 100
    assert len(looks) == 1  # no page has come since: the limit is not in danger
    job[1] = FakeProcess(2, 170 * 2**20)
    meter.measure(job, 150)
    assert len(looks) == 2
    meter.measure(job, 150)
    assert len(looks) == 2
    clock.now += 31
    meter.measure(job)
    assert len(looks) == 3
