"""One question to HTCondor, in a process of its own: `python -m jupyter_gridgpu.queues.htcondor_bindings slots|versions`.

The answer is one JSON object on stdout; {"failed": sentence} where there is none.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.queues.htcondor import DEVICE

SLOTS = '(PartitionableSlot =?= True && TotalSlotGPUs > 0) || (SlotType == "Static" && GPUs > 0)'
ADS_LIMIT = 50_000
WANTED = frozenset(
    {
        "SlotType",
        "State",
        "GPUs",
        "TotalSlotGPUs",
        "TotalSlotMemory",
        "TotalSlotCpus",
        "HasSingularity",
    }
    | {
        f"{prefix}{name}"
        for prefix in ("GPUs_", "CUDA")
        for name in ("DeviceName", "GlobalMemoryMb", "DriverVersion", "MaxSupportedVersion")
    }
)


def slots(bindings: Any) -> dict[str, Any]:
    """Return the GPU slots of the pool, and its name."""
    ads = bindings.Collector().query(bindings.AdType.Startd, SLOTS)
    return {
        "pool": bounded(str(bindings.param.get("COLLECTOR_HOST", "")), 100),
        "slots": [plain(ad) for ad in ads[:ADS_LIMIT]],
    }


def versions(bindings: Any) -> dict[str, Any]:
    """Return the versions of the bindings, of the collector and of the schedds, and whether ours answers."""
    collector = bindings.Collector()
    schedds = collector.query(bindings.AdType.Schedd, "true", ["Name", "CondorVersion"])
    own = None
    try:
        bindings.Schedd().query("false", ["ClusterId"])
    except Exception as error:
        own = bounded(str(error), 160)
    known = {bounded(str(ad.get("CondorVersion")), 60) for ad in schedds[:ADS_LIMIT]}
    return {
        "bindings": bounded(str(bindings.version()), 60),
        "schedds": sorted(filter(None, known)),
        "no_schedd": own,
    }


def plain(ad: Mapping[str, Any]) -> dict[str, Any]:
    """Return what matters of an ad; an attribute that cannot be read is left out."""
    body: dict[str, Any] = {}
    for name in ad:
        if name in WANTED:
            body[name] = scalar(ad[name])
        elif DEVICE.fullmatch(name) and hasattr(ad[name], "items"):
            body[name] = {key: scalar(value) for key, value in ad[name].items()}
    return body


def scalar(value: Any) -> Any:
    """Return a value that JSON has; an expression, or what is not defined, is None."""
    return (
        value
        if isinstance(value, (bool, int, float, str)) and type(value) in (bool, int, float, str)
        else None
    )


def bindings() -> Any:
    """Return the bindings, those of HTCondor 24 or the older ones; None if there are none."""
    for name in ("htcondor2", "htcondor"):
        try:
            return __import__(name)
        except Exception:  # a wheel that does not fit this machine says so in many ways
            continue
    return None


def answer(verb: str) -> dict[str, Any]:
    found = bindings()
    if found is None:
        return {
            "failed": "HTCondor is set up here, but its Python bindings are missing: pip install htcondor."
        }
    try:
        return {"slots": slots, "versions": versions}[verb](found)
    except Exception as error:  # the bindings raise kinds of their own, older ones others
        return {"failed": f"HTCondor's collector does not answer: {bounded(str(error), 160)}"}


if __name__ == "__main__":
    print(json.dumps(answer(sys.argv[1])))
