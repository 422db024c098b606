"""A fake of NVIDIA's library (pynvml), for machines without a GPU.

It answers as the library does by its manual: UUIDs must be whole, parts of a divided GPU do not
tell their use, GPUs that a job may not open are counted, and the numbers of parts have gaps.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND, GPU_IS_LOST = 3, 4, 6, 15
MB = 2**20


class NVMLError(Exception):
    """An error of the library, with its number."""

    def __init__(self, value: int) -> None:
        super().__init__(f"NVML error {value}")
        self.value = value


@dataclass
class Part:
    """A part of a divided GPU."""

    uuid: str
    group: int = 1  # its GPU instance
    instance: int = 0  # its compute instance
    used_mb: int = 100
    name: str = "NVIDIA A100-SXM4-40GB MIG 1g.5gb"


@dataclass
class Gpu:
    """A GPU. Its `parts` have gaps where they are None; `error` is what opening it raises."""

    uuid: str
    name: str = "NVIDIA A100-SXM4-40GB"
    use: int = 50
    used_mb: int = 1000
    parts: list[Part | None] | None = None
    error: int = 0


@dataclass
class Memory:
    """What nvmlDeviceGetMemoryInfo returns."""

    used: int
    total: int = 40960 * MB


@dataclass
class Rates:
    """What nvmlDeviceGetUtilizationRates returns."""

    gpu: int


@dataclass
class FakeNvml:
    """The fake. `asked` are the UUIDs of which use or memory was asked."""

    gpus: list[Gpu]
    asked: list[str] = field(default_factory=list)
    NVML_ERROR_NO_PERMISSION = NO_PERMISSION
    NVML_DEVICE_MIG_ENABLE = 1
    NVMLError = NVMLError

    def nvmlInit(self) -> None:
        pass

    def nvmlSystemGetCudaDriverVersion_v2(self) -> int:
        return 12040

    def nvmlDeviceGetCount(self) -> int:
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> Gpu:
        gpu = self.gpus[index]
        if gpu.error:
            raise NVMLError(gpu.error)
        return gpu

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> Any:
        for gpu in self.gpus:
            parts: list[Any] = [part for part in gpu.parts or () if part]
            for one in [gpu, *parts]:
                if one.uuid == uuid:
                    return one
        raise NVMLError(NOT_FOUND)

    def nvmlDeviceGetUUID(self, handle: Any) -> str:
        return str(handle.uuid)

    def nvmlDeviceGetName(self, handle: Any) -> bytes:
        return str(handle.name).encode()  # as older versions do

    def nvmlDeviceGetMigMode(self, handle: Gpu) -> list[int]:
        if handle.name == "Tesla T4":
            raise NVMLError(NOT_SUPPORTED)
        return [int(handle.parts is not None)] * 2

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: Gpu) -> int:
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: Gpu, index: int) -> Part:
        parts = handle.parts or []
        part = parts[index] if index < len(parts) else None
        if part is None:
            raise NVMLError(NOT_FOUND)
        return part

    def nvmlDeviceGetGpuInstanceId(self, handle: Part) -> int:
        return handle.group

    def nvmlDeviceGetComputeInstanceId(self, handle: Part) -> int:
        return handle.instance

    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> list[Any]:
        return []

    def nvmlDeviceGetUtilizationRates(self, handle: Any) -> Rates:
        self.asked.append(handle.uuid)
        if isinstance(handle, Part) or handle.parts is not None:
            raise NVMLError(NOT_SUPPORTED)
        return Rates(handle.use)

    def nvmlDeviceGetMemoryInfo(self, handle: Any) -> Memory:
        self.asked.append(handle.uuid)
        return Memory(handle.used_mb * MB)
