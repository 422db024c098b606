"""Options of `prun` that a user may give with --engine-option, as parameters of a task.

Each is `--NAME`, `--NAME=VALUE` or `--NAME VALUE`, in the words of `prun` and `pathena`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.job import one_line

LARGEST = 1_000_000_000  # of a number, which is PanDA's own limit for processor time
SHOWN_LENGTH = 60
_WORD = re.compile(r"[A-Za-z0-9_.:/-]{1,60}")
# The archive of the jobs' files, whose name is known only when it was uploaded.
_ARCHIVE = "useNewCode"

# Option -> the parameters that follow from its value.
_FLAGS: dict[str, dict[str, Any]] = {
    "avoidVP": {"avoidVP": True},
    "debugMode": {"debugMode": True},
    "disableAutoRetry": {"disableAutoRetry": 1},
    "expertOnly_skipScout": {"skipScout": True},
    "fixedCpuTime": {"cpuTimeUnit": "HS06sPerEventFixed"},
    "fixedRamCount": {"ramCountUnit": "MBPerCoreFixed"},
    "noLoopingCheck": {"noLoopingCheck": True},
    "osMatching": {"osMatching": True},
    "skipScout": {"skipScout": True},
    _ARCHIVE: {},
}
_NUMBERS: dict[str, Callable[[int], dict[str, Any]]] = {
    "cpuTimePerEvent": lambda n: {"cpuTime": n, "cpuTimeUnit": "HS06sPerEvent"},
    "maxCore": lambda n: {"maxCoreCount": n},
    "maxCpuCount": lambda n: {"walltime": -n},
    "outDiskCount": lambda n: {"outDiskCount": n, "outDiskUnit": "kBFixed"},
    "priority": lambda n: {"currentPriority": n},
}
_TEXTS = {"cloud": "cloud", "framework": "framework", "transferType": "transferType"}
# What has an option of ours.
_OURS = {
    "architecture": "--gpus, --gpu-model, --vram and --cuda",
    "containerImage": "--image",
    "excludedSite": "--exclude-site",
    "extFile": "--files",
    "inDS": "--in",
    "maxAttempt": "--attempts",
    "maxWalltime": "--walltime",
    "memory": "--memory",
    "nCore": "--cpus",
    "outDS": "--out",
    "site": "--site",
    "workingGroup": "--account",
}
# Words of what jobs run, get, leave and see, and of mail. Whoever sets these takes the scan apart.
_NEVER = re.compile(
    r"exec|file|input|output|event|job|pfn|tarball|sandbox|tmpdir|dest|transpath|alrb|ctr|"
    r"email|mail|env|secret|token|voms|merge|dss?$|submit|taskname|unique|duplication|sourcelabel",
    re.IGNORECASE,
)


def check(options: Sequence[str]) -> None:
    """Raise BackendError for the first option that PanDA is not given, and say why."""
    _by_name(options)


def parameters(options: Sequence[str], archive: str) -> dict[str, Any]:
    """Return what options add to the map of a task, whose files are in `archive`.

    Raises BackendError.
    """
    by_name = _by_name(options)
    found: dict[str, Any] = {}
    for of_one in by_name.values():
        found.update(of_one)
    if _ARCHIVE in by_name:
        found["fixedSandbox"] = archive
    # --cpuTimePerEvent sets another unit, which does not count whatever the order of the two is.
    found.update(by_name.get("fixedCpuTime", {}))
    return found


def _by_name(options: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the parameters that follow from each option. Raises BackendError."""
    found: dict[str, dict[str, Any]] = {}
    for text in options:
        name, value = _parts(text)
        if name in found:
            raise _refused(text, f"--{name} is given twice")
        found[name] = _of_one(text, name, value)
    return found


def _parts(text: str) -> tuple[str, str | None]:
    """Return name and value of an option; the value is None if there is none."""
    found = re.fullmatch(r"--([A-Za-z_]+)(?:\s*=\s*|\s+|$)(.*)", text.strip())
    if found is None:
        raise BackendError(
            f"--engine-option {_shown(text)}: PanDA's options look like --priority=900."
        )
    name, value = found.groups()
    has_value = text.strip() != f"--{name}"
    return name, value if has_value else None


def _of_one(text: str, name: str, value: str | None) -> dict[str, Any]:
    """Return the parameters that follow from one option. Raises BackendError."""
    if name in _FLAGS:
        if value is not None:
            raise _refused(text, f"--{name} takes no value")
        return _FLAGS[name]
    if name in _NUMBERS:
        if value is None or not re.fullmatch("[0-9]{1,10}", value) or not 0 < int(value) <= LARGEST:
            raise _refused(text, f"--{name} takes a whole number from 1 to {LARGEST:,}")
        return _NUMBERS[name](int(value))
    if name in _TEXTS:
        if value is None or not _WORD.fullmatch(value):
            raise _refused(text, f"--{name} takes one word")
        return {_TEXTS[name]: value}
    if name in _OURS:
        raise _refused(text, f"use {_OURS[name]} for this")
    if _NEVER.search(name):
        raise _refused(text, "the scan sets the files, command, mail and environment of its jobs")
    raise _refused(text, "it is none of the options that PanDA is given; docs/panda.md lists them")


def _refused(text: str, why: str) -> BackendError:
    return BackendError(f"--engine-option {_shown(text)}: {why}.")


def _shown(text: str) -> str:
    return one_line(text, SHOWN_LENGTH) or "''"
