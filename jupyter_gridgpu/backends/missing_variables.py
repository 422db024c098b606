"""Says which variables of this session a failed job may have lacked, since they stayed here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from jupyter_gridgpu.backends import travelling
from jupyter_gridgpu.model.job import MESSAGE_LIMIT
from jupyter_gridgpu.model.scan import ScanSpec

# What a failure says -> the variables by which a session finds such a thing, the likeliest first.
_RELATED: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (
        re.compile(r"cannot open shared object file|lib[\w.+-]+\.so\b.*(not found|No such file)"),
        ("LD_LIBRARY_PATH", "LD_PRELOAD", "CONDA_PREFIX", "LOADEDMODULES"),
    ),
    (
        re.compile(r"ModuleNotFoundError|ImportError|No module named|has no papermill"),
        ("PYTHONPATH", "PYTHONUSERBASE", "PYTHONHOME", "CONDA_PREFIX", "VIRTUAL_ENV",
         "LOADEDMODULES"),
    ),
    (
        re.compile(
            r"[Cc]ommand not found|\w: not found\b|No such file or directory: '[\w.+-]+'"
            r"|exit status 127\b|has no python3"
        ),
        ("PATH", "CONDA_PREFIX", "LOADEDMODULES"),
    ),
    (
        re.compile(r"There is no kernel named"),
        ("JUPYTER_PATH", "JUPYTER_DATA_DIR", "CONDA_PREFIX", "VIRTUAL_ENV"),
    ),
)  # fmt: skip
_KEY_ERROR = re.compile(r"KeyError: ['\"]([A-Za-z_]\w{0,99})['\"]")
# What finds things in an image too, if its folders are bound there.
_OF_USE_IN_IMAGES = ("PYTHONPATH", "LD_LIBRARY_PATH")
NAMES_LIMIT = 3


def hint(
    message: str | None, scan: ScanSpec, environment: Mapping[str, str] | None = None
) -> str | None:
    """Return the sentence on what was not passed on to a job that failed like this, or None.

    It names only variables that this session (`environment`, by default that of this process) has
    and that did not go with the jobs.
    """
    session = os.environ if environment is None else environment
    names = _lacked(message or "", scan, session)[:NAMES_LIMIT]
    if not names:
        return None
    options = " ".join(_option(name) for name in names)
    verb = "was" if len(names) == 1 else "were"
    return f"{_joined(names)} of this session {verb} not passed on to the job: say {options}."


def with_hint(message: str | None, scan: ScanSpec) -> str | None:
    """Return the message of a failed job, with the hint where there is one and room for it."""
    found = hint(message, scan)
    if message is None or found is None or len(message) + len(found) >= MESSAGE_LIMIT:
        return message
    return f"{message} {found}"


def _lacked(message: str, scan: ScanSpec, session: Mapping[str, str]) -> list[str]:
    """Return the names of variables that are related to a failure and stayed here."""
    related: list[str] = []
    for pattern, names in _RELATED:
        if pattern.search(message):
            if scan.container.image is not None:
                names = tuple(name for name in names if name in _OF_USE_IN_IMAGES)
            related += names
            break
    key = _KEY_ERROR.search(message)
    # A name in another dictionary may be that of a variable, too. Capitals tell them apart.
    if key and key[1].isupper() and not travelling.is_ours(key[1]):
        related.append(key[1])
    if not related:
        return []
    there = travelling.reaches_jobs(scan, session)
    return [name for name in related if session.get(name) and name not in there]


def _option(name: str) -> str:
    word = "--secret" if travelling.is_secret_name(name) else "--env"
    return f"{word} {name}"


def _joined(names: list[str]) -> str:
    if len(names) == 1:
        return names[0]
    return f"{', '.join(names[:-1])} and {names[-1]}"
