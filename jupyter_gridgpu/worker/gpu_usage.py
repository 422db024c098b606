"""Reads how busy a job's GPUs are and how much of their memory is taken.

The module asks NVML where pynvml is installed, else the command nvidia-smi. For a job without GPUs
it asks neither. Of GPUs that it cannot tell from those of other users it says nothing.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Optional

from jupyter_gridgpu.worker.gpu_devices import (
    VARIABLE,
    Device,
    find_devices,
    named_devices,
    nvml_devices,
)

SMI_TIMEOUT_S = 5
BYTES_PER_MB = 2**20
_SMI_FIELDS = "uuid,mig.mode.current,utilization.gpu,memory.used,name"
Reading = tuple[Optional[float], float]  # use in per cent, None if it is not told; memory in MB


class GpuUsage:
    """The GPUs that CUDA_VISIBLE_DEVICES names when the object is made."""

    def __init__(self) -> None:
        self._names = named_devices(os.environ.get(VARIABLE, ""))
        self._devices: list[Device] = []
        # A job without GPUs need not look for a way to read them.
        self._read: Callable[[], list[Reading]] | None = None
        if self._names:
            self._read = self._find_reader()

    def _find_reader(self) -> Callable[[], list[Reading]] | None:
        """Return the method that can read the GPUs here, or None if neither can."""
        try:
            import pynvml

            pynvml.nvmlInit()
            self._devices = find_devices(self._names, nvml_devices(pynvml))
        except Exception:
            # pynvml is not installed, or is of another version than the driver.
            return self._read_smi if self._read_smi() else None
        return self._read_nvml if self._devices else None

    def sample(self) -> dict[str, float]:
        """Return `gpu` (mean use in per cent) and `gpu_memory_mb` (sum of all GPUs in MB).

        What is not known is left out: a part of a divided GPU does not tell its use.
        """
        if self._read is None:
            return {}
        try:
            readings = self._read()
        except Exception:  # a driver that fails must not end the training
            return {}
        if not readings:
            return {}
        uses = [use for use, _ in readings if use is not None]
        told = {"gpu_memory_mb": round(sum(memory_mb for _, memory_mb in readings), 1)}
        if len(uses) == len(readings):
            told["gpu"] = sum(uses) / len(uses)
        return told

    def _read_nvml(self) -> list[Reading]:
        import pynvml

        readings: list[Reading] = []
        for device in self._devices:
            use = None
            with suppress(pynvml.NVMLError):
                use = float(pynvml.nvmlDeviceGetUtilizationRates(device.handle).gpu)
            memory = pynvml.nvmlDeviceGetMemoryInfo(device.handle)
            readings.append((use, memory.used / BYTES_PER_MB))
        return readings

    def _read_smi(self) -> list[Reading]:
        """Return what nvidia-smi says of the GPUs; nothing of parts, which it does not list."""
        command = ["nvidia-smi", f"--query-gpu={_SMI_FIELDS}", "--format=csv,noheader,nounits"]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=SMI_TIMEOUT_S, check=True
            )
            lines = list(filter(str.strip, done.stdout.splitlines()))
            return _of_smi(self._names, [line.split(",", 4) for line in lines])
        except (OSError, ValueError, subprocess.SubprocessError):
            return []


def _of_smi(names: Sequence[str], lines: Sequence[Sequence[str]]) -> list[Reading]:
    """Return the readings of the named GPUs. Raises ValueError for lines of another form."""
    values: dict[Device, tuple[str, str]] = {}
    for line in lines:
        uuid, mode, use, memory_mb, model = map(str.strip, line)
        values[Device(len(values), uuid, model, divided=mode == "Enabled")] = (use, memory_mb)
    found = [values[device] for device in find_devices(names, list(values))]
    # The value is `[N/A]` where a GPU does not tell it; then nothing is known of any.
    return [(float(use), float(memory_mb)) for use, memory_mb in found]
