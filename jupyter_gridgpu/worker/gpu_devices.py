"""Finds which of a node's GPUs CUDA_VISIBLE_DEVICES names.

The variable has numbers, UUIDs or the first characters of UUIDs, and names of parts of a divided
GPU (MIG). CUDA reads them up to the first that is no GPU. What is not known for sure is left out:
the other GPUs of a node belong to other users.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

VARIABLE = "CUDA_VISIBLE_DEVICES"
# By default CUDA counts the fastest GPU first, while the driver counts by the place on the bus.
ORDER_VARIABLE, BUS_ORDER = "CUDA_DEVICE_ORDER", "PCI_BUS_ID"
# A number has at most four digits: HTCondor sets 10000 for a job that asked for no GPU. CUDA0 is a
# name that HTCondor gives to a GPU; nothing says which of the driver's it is.
_NAME = re.compile(r"(CUDA)?\d{1,4}|GPU-[0-9A-Za-z-]+|MIG-[0-9A-Za-z-]+(/\d+/\d+)?", re.ASCII)


@dataclass(frozen=True)
class Device:
    """A GPU of the node, or a part of one.

    `number` counts the GPUs in the order of the bus. `uuid` and `model` are empty if the driver
    does not tell them. `parts` are those of a divided GPU. `place` of a part is
    `MIG-GPU-.../GI/CI`, its older name.
    """

    number: int
    uuid: str
    model: str = ""
    divided: bool = False
    parts: tuple[Device, ...] = ()
    place: str = ""
    handle: Any = field(default=None, compare=False)  # of NVML


def named_devices(value: str) -> list[str]:
    """Return the names in a value of CUDA_VISIBLE_DEVICES, up to the first that can be no GPU.

    So there are none in "", in "-1" and in "NoDevFiles", which batch systems set for a job without
    a GPU.
    """
    names = []
    for name in map(str.strip, value.split(",")):
        if not _NAME.fullmatch(name):
            break
        names.append(name)
    return names


def find_devices(
    names: Sequence[str], devices: Sequence[Device], numbered: bool = False
) -> list[Device]:
    """Return the devices that names stand for, up to the first that is not known for sure.

    `devices` are all GPUs of the node in the order of the bus. `numbered` says that the names count
    in this order; else CUDA_DEVICE_ORDER says it, or that all GPUs are of one model.
    """
    models = {device.model for device in devices}
    same_model = len(models) == 1 and "" not in models
    numbered = numbered or same_model or os.environ.get(ORDER_VARIABLE) == BUS_ORDER
    found: dict[Device, None] = {}
    for name in names:
        device = _find(name, devices, numbered)
        if device is None:
            break
        found[device] = None
    # With parts, CUDA sees one alone.
    parts = [device for device in found if device.place]
    return parts[:1] or list(found)


def _find(name: str, devices: Sequence[Device], numbered: bool) -> Device | None:
    if name.isdigit():
        if not numbered or int(name) >= len(devices):
            return None
        return _undivided(devices[int(name)])
    if name.startswith("GPU-"):
        whole = _only([device for device in devices if device.uuid.startswith(name)])
        return None if whole is None else _undivided(whole)
    parts = [part for device in devices for part in device.parts]
    if "/" not in name:
        return _only([part for part in parts if part.uuid.startswith(name)])
    gpu, instances = name.split("/", 1)
    return _only(
        [
            part
            for part in parts
            if part.place.startswith(gpu) and part.place.partition("/")[2] == instances
        ]
    )


def _undivided(device: Device) -> Device | None:
    """Return a GPU, or the only part of a divided one: what belongs to others is not told."""
    return _only(device.parts) if device.divided else device


def _only(found: Sequence[Device]) -> Device | None:
    return found[0] if len(found) == 1 else None


def nvml_devices(nvml: Any) -> list[Device]:
    """Return the GPUs of the node as NVML lists them. Raises what NVML raises.

    CUDA does not count GPUs that this job may not open, which NVML counts.
    """
    devices: list[Device] = []
    for number in range(nvml.nvmlDeviceGetCount()):
        try:
            handle = nvml.nvmlDeviceGetHandleByIndex(number)
            devices.append(_nvml_device(nvml, handle, len(devices)))
        except nvml.NVMLError as error:
            if getattr(error, "value", None) != nvml.NVML_ERROR_NO_PERMISSION:
                devices.append(Device(len(devices), ""))  # it is ill, and has its number
    return devices


def _nvml_device(nvml: Any, handle: Any, number: int) -> Device:
    uuid, model = _text(nvml.nvmlDeviceGetUUID(handle)), _text(nvml.nvmlDeviceGetName(handle))
    divided = False
    # Old drivers and small GPUs know no parts.
    with suppress(nvml.NVMLError, AttributeError):
        divided = nvml.nvmlDeviceGetMigMode(handle)[0] == nvml.NVML_DEVICE_MIG_ENABLE
    parts = tuple(_nvml_parts(nvml, handle, uuid, number)) if divided else ()
    return Device(number, uuid, model, divided, parts, handle=handle)


def _nvml_parts(nvml: Any, whole: Any, uuid: str, number: int) -> list[Device]:
    parts = []
    for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(whole)):
        # The indices of parts have gaps.
        with suppress(nvml.NVMLError):
            handle = nvml.nvmlDeviceGetMigDeviceHandleByIndex(whole, index)
            group = nvml.nvmlDeviceGetGpuInstanceId(handle)
            part = nvml.nvmlDeviceGetComputeInstanceId(handle)
            name, model = nvml.nvmlDeviceGetUUID(handle), nvml.nvmlDeviceGetName(handle)
            place = f"MIG-{uuid}/{group}/{part}"
            parts.append(Device(number, _text(name), _text(model), place=place, handle=handle))
    return parts


def _text(value: Any) -> str:
    """Return a text of NVML, whose older versions return bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
