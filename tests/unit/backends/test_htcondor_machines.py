"""How many machines of a pool could run a job that waits."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from jupyter_gridgpu.backends.htcondor.ads import IDLE
from jupyter_gridgpu.backends.htcondor.machines import CLUSTERS_LIMIT, fitting_machines


class CondorError(Exception):
    """What the bindings raise."""


class WaitingJob(dict[str, Any]):
    """The ad of a job, which any slot with enough memory matches."""

    def symmetricMatch(self, slot: dict[str, Any]) -> bool:
        return bool(slot["Memory"] >= self["RequestMemory"])


def bindings(slots: list[dict[str, Any]], problem: Exception | None = None) -> Any:
    """HTCondor's bindings as far as a pool of these slots goes."""

    def query(*_: Any) -> list[dict[str, Any]]:
        if problem:
            raise problem
        return slots

    return SimpleNamespace(
        AdType=SimpleNamespace(Startd="Startd"),
        Collector=lambda: SimpleNamespace(query=query),
        HTCondorException=CondorError,
        classad=SimpleNamespace(ExprTree=str),
    )


def job(cluster: int, memory: int = 4, why: str = "no match found") -> WaitingJob:
    return WaitingJob(
        ClusterId=cluster,
        ProcId=0,
        JobStatus=IDLE,
        LastRejMatchReason=why,
        RequestMemory=memory,
    )


def schedd(*jobs: WaitingJob) -> Any:
    """A schedd that says which of its jobs it was asked for."""
    asked: list[str] = []

    def query(constraint: str) -> list[WaitingJob]:
        asked.append(constraint)
        return [one for one in jobs if f"ClusterId == {one['ClusterId']} " in constraint]

    return SimpleNamespace(query=query, asked=asked)


def test_machines_count_as_they_would_be_without_jobs() -> None:
    slots = [
        {"Name": "slot1@a", "Memory": 0, "TotalSlotMemory": 8},
        {"Name": "slot2@a", "Memory": 8},
        {"Name": "b", "Memory": 2},
    ]
    waiting = (job(1), job(2, memory=1), job(3, memory=99))
    found = fitting_machines(bindings(slots), schedd(*waiting), waiting)
    assert found == {"1": 1, "2": 2, "3": 0}


def test_gpus_that_are_in_use_are_available_again() -> None:
    slot = {"Name": "a", "Memory": 8, "DetectedGPUs": "GPU-1, GPU-2", "GPUs_GPU_1": "its facts"}
    fitting_machines(bindings([slot]), schedd(job(1)), [job(1)])
    assert slot["AvailableGPUs"] == "{GPUs_GPU_1}"


def test_only_jobs_that_found_no_machine_are_looked_at() -> None:
    one = schedd()
    assert fitting_machines(bindings([]), one, [job(1, why=""), job(2, why="busy")]) == {}
    assert one.asked == []


def test_of_many_clusters_only_some_are_looked_at() -> None:
    waiting = [job(number) for number in range(1, 3 * CLUSTERS_LIMIT)]
    found = fitting_machines(bindings([]), schedd(*waiting), waiting)
    assert len(found) == CLUSTERS_LIMIT


def test_without_an_answer_of_htcondors_collector_nothing_is_said() -> None:
    assert fitting_machines(bindings([], CondorError()), schedd(job(1)), [job(1)]) == {}
