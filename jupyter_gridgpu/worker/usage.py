"""What a job uses of the machine: processors, memory, GPUs; and its process tree, ended whole."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from typing import Any

JOB_VARIABLE = (
    "GRIDGPU_JOB"  # in the environment of every process of a job, so that none is overlooked
)
PR_SET_PDEATHSIG = 1  # prctl(2)
PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def die_with_parent() -> None:
    """Let the kernel of the operating system end this process when its parent dies (runs between fork and exec)."""
    if _libc is not None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def adopt_orphans() -> None:
    """Make children of children that die fall to this process, so that none is lost from its tree."""
    if _libc is not None:
        _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


_forking: list[
    Any
] = []  # the prepared parents, as psutil knows them, that this job's kernel was forked from


def forked_below(pid: int) -> None:
    """Count those processes below another one to this job, too, that carry its name."""
    with contextlib.suppress(Exception):
        import psutil

        _forking.append(psutil.Process(pid))


def children() -> list[Any]:
    """All processes of this job, as psutil knows them; none where psutil is not there (it comes with ipykernel)."""
    try:
        import psutil

        own = list(psutil.Process().children(recursive=True))
        return [*own, *(process for process in _forked() if process not in own)]
    except Exception:
        return []


def _forked() -> list[Any]:
    """Processes of this job that are not below this one."""
    import psutil

    found, this = [], os.environ.get(JOB_VARIABLE)
    for parent in _forking:
        for process in (
            parent.children(recursive=True) if parent.is_running() else psutil.process_iter()
        ):
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get(JOB_VARIABLE) == this and process.pid != os.getpid():
                    found.append(process)
    return found


def end_children() -> None:
    """Kill every process below this one, until none is left."""
    for _ in range(20):
        alive = [child for child in children() if child.status() != "zombie"]
        if not alive:
            return
        for child in alive:
            with contextlib.suppress(Exception):
                child.kill()
        time.sleep(0.02)


class UsageSampler:
    """Samples of the job's tree; remembers the peak of its memory."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self.memory_mb = 0.0
        self._cpu = (time.monotonic(), 0.0)
        self._gpu = _GpuProbe()

    def measure_memory(self) -> float:
        """Return the resident memory of the job's processes in MB (2**20 bytes)."""
        return self._memory(children())

    def _memory(self, family: list[Any]) -> float:
        total = 0
        for child in family:
            with contextlib.suppress(Exception):
                total += child.memory_info().rss
        self.memory_mb = total / 2**20
        self.peak_mb = max(self.peak_mb, self.memory_mb)
        return self.memory_mb

    def sample(self) -> dict[str, float]:
        """Return processor use (in cores), memory and, where there is a GPU, its use (%) and memory (MB)."""
        seconds, family = 0.0, children()
        for child in family:
            with contextlib.suppress(Exception):
                times = child.cpu_times()
                seconds += times.user + times.system
        now, (then, before) = time.monotonic(), self._cpu
        self._cpu = now, seconds
        cores = max(seconds - before, 0.0) / max(now - then, 1e-3)
        return {
            "cpu": round(cores, 2),
            "memory_mb": round(self._memory(family), 1),
            **self._gpu.sample(),
        }


class _GpuProbe:
    """Reads the job's GPUs through NVML, else through nvidia-smi; looks once whether there is either."""

    def __init__(self) -> None:
        self._ids = [i for i in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if i]
        self._way = self._find_way() if self._ids else None

    def _find_way(self) -> Any:
        try:
            import pynvml

            pynvml.nvmlInit()
            return self._by_nvml
        except Exception:
            return self._by_smi if self._by_smi() else None

    def sample(self) -> dict[str, float]:
        try:
            return self._way() if self._way else {}
        except Exception:
            return {}

    def _by_nvml(self) -> dict[str, float]:
        import pynvml

        use, memory = 0.0, 0.0
        for ident in self._ids:
            by_index = ident.isdigit()
            handle = (
                pynvml.nvmlDeviceGetHandleByIndex(int(ident))
                if by_index
                else pynvml.nvmlDeviceGetHandleByUUID(ident)
            )
            use += pynvml.nvmlDeviceGetUtilizationRates(handle).gpu
            memory += pynvml.nvmlDeviceGetMemoryInfo(handle).used / 2**20
        return {"gpu": use / len(self._ids), "gpu_memory_mb": round(memory, 1)}

    def _by_smi(self) -> dict[str, float]:
        command = [
            "nvidia-smi",
            "--query-gpu=utilization.gpu,memory.used",
            "--format=csv,noheader,nounits",
            "-i",
            ",".join(self._ids),
        ]
        try:
            text = subprocess.run(
                command, capture_output=True, text=True, timeout=5, check=True
            ).stdout
            rows = [
                [float(cell) for cell in line.split(",")]
                for line in text.splitlines()
                if line.strip()
            ]
        except (OSError, ValueError, subprocess.SubprocessError):
            return {}
        return (
            {"gpu": sum(r[0] for r in rows) / len(rows), "gpu_memory_mb": sum(r[1] for r in rows)}
            if rows
            else {}
        )
