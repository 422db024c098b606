"""Reads how busy a job's GPUs are and how much of their memory is taken.

The module asks NVML where pynvml is installed, else the command nvidia-smi. For a job without GPUs
it asks neither.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import Any

SMI_TIMEOUT_S = 5
BYTES_PER_MB = 2**20


class GpuUsage:
    """The GPUs that CUDA_VISIBLE_DEVICES names when the object is made."""

    def __init__(self) -> None:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
        self._gpus = [gpu for gpu in visible if gpu]
        # A job without GPUs need not look for a way to read them.
        self._read: Callable[[], dict[str, float]] | None = None
        if self._gpus:
            self._read = self._find_reader()

    def _find_reader(self) -> Callable[[], dict[str, float]] | None:
        """Return the method that can read the GPUs here, or None if neither can."""
        try:
            import pynvml

            pynvml.nvmlInit()
            return self._read_nvml
        except Exception:
            # pynvml is not installed, or is of another version than the driver.
            if self._read_smi():
                return self._read_smi
            return None

    def sample(self) -> dict[str, float]:
        """Return `gpu` (mean use in per cent) and `gpu_memory_mb` (sum of all GPUs in MB).

        Returns {} where these are not known.
        """
        if self._read is None:
            return {}
        try:
            return self._read()
        except Exception:  # a driver that fails must not end the training
            return {}

    def _read_nvml(self) -> dict[str, float]:
        import pynvml

        use = 0.0
        memory_mb = 0.0
        for gpu in self._gpus:
            handle = _nvml_handle(gpu)
            use += pynvml.nvmlDeviceGetUtilizationRates(handle).gpu
            memory_mb += pynvml.nvmlDeviceGetMemoryInfo(handle).used / BYTES_PER_MB
        return {"gpu": use / len(self._gpus), "gpu_memory_mb": round(memory_mb, 1)}

    def _read_smi(self) -> dict[str, float]:
        command = [
            "nvidia-smi",
            "--query-gpu=utilization.gpu,memory.used",
            "--format=csv,noheader,nounits",
            "-i",
            ",".join(self._gpus),
        ]
        # One line for each GPU: percent, MB. The value is `[N/A]` where a GPU does not tell it, as
        # the parts of a divided one (MIG) do; then nothing is known.
        uses: list[float] = []
        memories_mb: list[float] = []
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=SMI_TIMEOUT_S, check=True
            )
            for line in filter(str.strip, done.stdout.splitlines()):
                use, memory_mb = line.split(",")
                uses.append(float(use))
                memories_mb.append(float(memory_mb))
        except (OSError, ValueError, subprocess.SubprocessError):
            return {}
        if not uses:
            return {}
        return {"gpu": sum(uses) / len(uses), "gpu_memory_mb": sum(memories_mb)}


def _nvml_handle(gpu: str) -> Any:
    """Return NVML's handle of a GPU that CUDA names by index or by UUID."""
    import pynvml

    if gpu.isdigit():
        return pynvml.nvmlDeviceGetHandleByIndex(int(gpu))
    return pynvml.nvmlDeviceGetHandleByUUID(gpu)
