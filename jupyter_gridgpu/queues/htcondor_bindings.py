"""Questions to HTCondor about its pool, answered in a process of its own.

htcondor_process.py starts this module as a program and says how it is asked. `condor` is the module
of HTCondor's bindings.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.queues import htcondor_process
from jupyter_gridgpu.queues.htcondor import DEVICE_ATTRIBUTE

# Slots with GPUs. Dynamic slots are left out: they are parts of partitionable ones.
GPU_SLOTS = (
    '(PartitionableSlot =?= True && TotalSlotGPUs > 0) || (SlotType == "Static" && GPUs > 0)'
)
ADS_LIMIT = 50_000
TEXT_LIMIT = 100  # characters of a pool's address
VERSION_LIMIT = 60  # characters
ERROR_LIMIT = 160  # characters
SLOT_ATTRIBUTES = (
    "SlotType",
    "State",
    "GPUs",
    "TotalSlotGPUs",
    "TotalSlotMemory",
    "TotalSlotCpus",
    "HasSingularity",
)
# Properties that the GPUs of a slot have in common; CUDA is the prefix in old pools.
GPU_ATTRIBUTES = tuple(
    f"{prefix}{name}"
    for prefix in ("GPUs_", "CUDA")
    for name in ("DeviceName", "GlobalMemoryMb", "DriverVersion", "MaxSupportedVersion")
)
PLAIN_ATTRIBUTES = frozenset(SLOT_ATTRIBUTES + GPU_ATTRIBUTES)


def slots(condor: Any) -> dict[str, Any]:
    """Return the ads of the pool's GPU slots, and the address of HTCondor's collector as `pool`."""
    ads = condor.Collector().query(condor.AdType.Startd, GPU_SLOTS)
    return {
        "pool": one_line(str(condor.param.get("COLLECTOR_HOST", "")), TEXT_LIMIT),
        "slots": [slot_to_json(ad) for ad in ads[:ADS_LIMIT]],
    }


def versions(condor: Any) -> dict[str, Any]:
    """Return the versions of the bindings and of the pool's schedds.

    `no_schedd` is None, or why the schedd that would take our jobs does not answer.
    """
    ads = condor.Collector().query(condor.AdType.Schedd, "true", ["Name", "CondorVersion"])
    found = {one_line(str(ad.get("CondorVersion")), VERSION_LIMIT) for ad in ads[:ADS_LIMIT]}
    no_schedd = None
    # HTCondor's collector may answer where the schedd does not: it runs on another machine.
    try:
        condor.Schedd().query("false", ["ClusterId"])
    except Exception as error:
        no_schedd = one_line(str(error), ERROR_LIMIT)
    return {
        "bindings": one_line(str(condor.version()), VERSION_LIMIT),
        "schedds": sorted(version for version in found if version),
        "no_schedd": no_schedd,
    }


def slot_to_json(ad: Mapping[str, Any]) -> dict[str, Any]:
    """Return those attributes of a slot's ad that htcondor.py reads."""
    body: dict[str, Any] = {}
    for name in ad:
        if name in PLAIN_ATTRIBUTES:
            body[name] = plain_value(ad[name])
        elif DEVICE_ATTRIBUTE.fullmatch(name) and hasattr(ad[name], "items"):
            body[name] = {key: plain_value(value) for key, value in ad[name].items()}
    return body


def plain_value(value: Any) -> Any:
    """Return a value that JSON can hold; None for an expression, or what is not defined."""
    # The type is compared exactly: the bindings have enumerations that are derived from int.
    if type(value) in (bool, int, float, str):
        return value
    return None


def describe_error(condor: Any, error: Exception) -> str:
    """Return the sentence that a user reads if the bindings raise an error."""
    return f"HTCondor's collector does not answer: {one_line(str(error), ERROR_LIMIT)}"


VERBS: dict[str, Callable[..., Any]] = {"slots": slots, "versions": versions}


if __name__ == "__main__":
    htcondor_process.serve(VERBS, describe_error)
