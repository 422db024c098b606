"""Which processes are taken for those of a job."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from jupyter_gridgpu.worker import usage


def orphan(job: str) -> int:
    """Start a process that belongs to `job` and to no process of this test; return its number."""
    command = ["sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo $!"]
    env = {**os.environ, usage.JOB_VARIABLE: job}
    return int(subprocess.run(command, env=env, capture_output=True, check=True).stdout)


@pytest.fixture
def dead_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A prepared parent that has died, known to this process twice."""
    monkeypatch.setattr(usage, "_prepared_parents", [])
    with subprocess.Popen(["sleep", "1000"]) as parent:
        usage.include_forks_of(parent.pid)
        usage.include_forks_of(parent.pid)
        parent.kill()


@pytest.fixture
def orphans(dead_parent: None) -> Iterator[tuple[int, int]]:
    ours, theirs = orphan("/jobs/v0001.1"), orphan("/jobs/v0002.1")
    yield ours, theirs
    for pid in (ours, theirs):
        os.kill(pid, signal.SIGKILL)


def found() -> list[int]:
    return [process.pid for process in usage.job_processes()]


def test_what_a_dead_prepared_parent_forked_is_found_by_the_name_of_the_job(
    orphans: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = orphans
    monkeypatch.setenv(usage.JOB_VARIABLE, "/jobs/v0001.1")
    assert found().count(ours) == 1
    assert theirs not in found()


def test_a_process_without_a_job_counts_no_process_of_others(dead_parent: None) -> None:
    """All that have no GRIDGPU_JOB seemed to be its own: a machine's memory, a thousand times."""
    assert os.environ.get(usage.JOB_VARIABLE) is None
    assert os.getppid() not in found()
