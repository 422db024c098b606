"""Measures the usage of a job (processor cores, memory, GPUs), and kills its processes at its end.

The processes of a job are those below its worker, and those below the prepared parent that forked
the job's kernel, as far as they carry the job's name in their environment.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import time
from typing import Any

from jupyter_gridgpu.worker.gpu_usage import GpuUsage
from jupyter_gridgpu.worker.memory import MemoryMeter

# Each process of a job has this variable in its environment, with the job's folder as value. By it
# the backend finds the processes that a killed worker left behind.
JOB_VARIABLE = "GRIDGPU_JOB"
KILL_ROUNDS = 20  # 0.4 s together
KILL_PAUSE_S = 0.02
PR_SET_PDEATHSIG = 1  # prctl(2)
PR_SET_CHILD_SUBREAPER = 36
_libc = None
if sys.platform == "linux":
    _libc = ctypes.CDLL(None, use_errno=True)

# The prepared parents (as psutil.Process) from which this job's kernel was forked.
_prepared_parents: list[Any] = []


def die_with_parent() -> None:
    """Have the operating system kill this process when its parent dies.

    The new kernel process calls this between fork and exec, so that it dies with its worker.
    """
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def adopt_orphans() -> None:
    """Have the operating system make orphans below this process its own children.

    Otherwise a process whose parent has ended would fall to process 1 and be lost from the job.
    """
    if _libc is not None:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def include_forks_of(pid: int) -> None:
    """From now on, look for processes of this job below the prepared parent `pid`, too.

    A forked kernel is a child of the prepared parent, not of this worker.
    """
    with contextlib.suppress(Exception):
        import psutil

        parent = psutil.Process(pid)
        if parent not in _prepared_parents:
            _prepared_parents.append(parent)


def job_processes() -> list[Any]:
    """Return all processes of this job but this one, as psutil.Process objects.

    Returns an empty list where psutil is missing; usually ipykernel brings it.
    """
    try:
        import psutil

        processes = [*psutil.Process().children(recursive=True), *_forked_processes()]
    except Exception:
        return []
    # Each process once, since memory and processor time are summed over the list.
    return list({process.pid: process for process in processes}.values())


def _forked_processes() -> list[Any]:
    """Return those processes of this job that a prepared parent forked."""
    import psutil

    job = os.environ.get(JOB_VARIABLE)
    if not job:
        # Without this variable, every process of the machine that has none either would seem to be
        # of this job: its memory would be counted, and it would be killed at the end.
        return []
    found = []
    for parent in _prepared_parents:
        # When a prepared parent is dead, its kernels have another parent: look at all processes.
        if parent.is_running():
            candidates = parent.children(recursive=True)
        else:
            candidates = psutil.process_iter()
        for process in candidates:
            # Processes end while they are looked at, and those of other users may not be read.
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(JOB_VARIABLE) == job and process.pid != os.getpid():
                    found.append(process)
    return found


def kill_job_processes() -> None:
    """Kill all processes of this job but this one, until none is left or 0.4 s have passed."""
    for _ in range(KILL_ROUNDS):
        alive = [process for process in job_processes() if process.status() != "zombie"]
        if not alive:
            return
        for process in alive:
            with contextlib.suppress(Exception):
                process.kill()
        # Look again, since a process may have started another one just before it was killed.
        time.sleep(KILL_PAUSE_S)


class UsageSampler:
    """Samples what the processes of a job take; remembers the peak of their memory.

    `memory_mb` is the memory at the last look, `peak_mb` the largest that was seen, both in MB.
    """

    def __init__(self) -> None:
        self._memory = MemoryMeter()
        self._last_time = time.monotonic()
        self._last_cpu_s = 0.0
        self._gpus = GpuUsage()

    @property
    def peak_mb(self) -> float:
        """The largest memory that was seen, in MB."""
        return self._memory.peak_mb

    @property
    def memory_mb(self) -> float:
        """The memory at the last look, in MB."""
        return self._memory.memory_mb

    def measure_memory(self, limit_mb: float | None = None) -> float:
        """Return the memory of the job's processes in MB (2**20 bytes).

        The answer is exact where it might be more than `limit_mb`.
        """
        return self._memory.measure(job_processes(), limit_mb)

    def sample(self) -> dict[str, float]:
        """Return `cpu` (cores in use since the last call), `memory_mb`, and what GpuUsage adds."""
        processes = job_processes()
        cpu_s = 0.0
        for process in processes:
            with contextlib.suppress(Exception):  # it has just ended
                times = process.cpu_times()
                cpu_s += times.user + times.system
        now = time.monotonic()
        # The sum falls when a process ends, since its time is no longer counted.
        used_s = max(cpu_s - self._last_cpu_s, 0.0)
        cores = used_s / max(now - self._last_time, 1e-3)
        self._last_time = now
        self._last_cpu_s = cpu_s
        return {
            "cpu": round(cores, 2),
            "memory_mb": round(self._memory.measure(processes), 1),
            **self._gpus.sample(),
        }
