"""What a job ran with: Python, packages, kernel, processor, GPUs, host. Gathered in the job, within milliseconds.

Nothing of the environment's values is kept but which GPUs are visible, and no address keeps a name or a password.
"""

from __future__ import annotations

import json
import os
import platform
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.worker import image

FORMAT = 1
PACKAGES_LIMIT = 3000
ASK_S = 10.0  # for another Python to say which packages it has
_DISTRIBUTION = re.compile(r"(.+?)-([^-]+?)(?:-py\d[\d.]*)?\.(?:dist|egg)-info")
_LOGIN = re.compile(r"//[^/@]*@")
_QUESTION = "import json, sys; print(json.dumps([sys.version, sys.path]))"
_PYTHON = re.compile(r"python[\d.]*")


class Provenance:
    """The facts of one job; `about` goes into the notebook at once, the file is written when the job has ended."""

    def __init__(self, job: Mapping[str, Any], argv: list[str] | None) -> None:
        """`argv` starts the kernel; None where it is not known."""
        self._asked = _ask(argv)
        own = argv is not None and _is_own(argv)
        self.about: dict[str, Any] = {
            "format": FORMAT,
            **{
                name: job[name]
                for name in ("scan", "id", "key", "notebook_digest", "image", "image_digest")
                if job.get(name)
            },
            **({"image_mark": mark} if (mark := image.mark()) else {}),
            "started": time.time(),
            "host": socket.gethostname(),
            "os": platform.platform(),
            "python": platform.python_version(),
            "cpu": processor(),
            "cores": len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count(),
            "gpus": gpus(),
            "driver": driver(),
            "visible_gpus": bounded(os.environ.get("CUDA_VISIBLE_DEVICES"), 200),
            "seeds": {
                name: value
                for name, value in job.get("params", {}).items()
                if "seed" in name.lower()
            },
            "kernel": {
                "name": job.get("kernel"),
                **({"python": platform.python_version()} if own else {}),
            },
            "packages": packages(sys.path) if own else {},
        }

    def finish(self, language: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return all facts, those of a kernel with another Python or another language too."""
        kernel = self.about["kernel"]
        if language:
            kernel["language"] = bounded(language.get("name"), 80)
            kernel["version"] = bounded(language.get("version"), 80)
        if self._asked is not None:
            version, places = _answer(self._asked)
            self._asked = None
            if version:
                kernel["python"], self.about["packages"] = version, packages(places)
        self.about["ended"] = time.time()
        return self.about


def _is_python(argv: list[str]) -> bool:
    return bool(argv and _PYTHON.fullmatch(os.path.basename(argv[0])))


def _is_own(argv: list[str]) -> bool:
    """Whether the kernel runs in this very Python, which jupyter_client starts where a kernel names no folder."""
    return _is_python(argv) and (
        os.sep not in argv[0] or os.path.abspath(argv[0]) == os.path.abspath(sys.executable)
    )


def _ask(argv: list[str] | None) -> subprocess.Popen[bytes] | None:
    """Ask the kernel's Python about itself while the job goes on, if it is another one."""
    if not argv or not _is_python(argv) or _is_own(argv):
        return None
    try:
        return subprocess.Popen(
            [argv[0], "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd="/",
        )
    except OSError:
        return None


def _answer(asked: subprocess.Popen[bytes]) -> tuple[str, list[str]]:
    try:
        text, _ = asked.communicate(timeout=ASK_S)
        version, places = json.loads(text)
        return str(version).split()[0], [str(place) for place in places]
    except (subprocess.TimeoutExpired, ValueError, TypeError, IndexError):
        asked.kill()
        asked.communicate()
        return "", []


def packages(places: Iterable[str]) -> dict[str, str]:
    """Return the installed distributions as `pip freeze` names them, told by the names of their folders: no file is read
    but the address of one that did not come from an index."""
    found: dict[str, str] = {}
    for place in places:
        try:
            entries = sorted(entry.name for entry in os.scandir(place or "."))
        except OSError:
            continue
        for entry in entries:
            match = _DISTRIBUTION.fullmatch(entry)
            if match and len(found) < PACKAGES_LIMIT:
                name = re.sub(r"[-_.]+", "-", match[1]).lower()
                found.setdefault(name, match[2] + _source(os.path.join(place, entry)))
    return dict(sorted(found.items()))


def _source(folder: str) -> str:
    """` @ ADDRESS` of a distribution that was installed from one, with the commit where there is one."""
    try:
        with open(os.path.join(folder, "direct_url.json"), encoding="utf-8") as file:
            body = json.loads(file.read(10_000))
        commit = body.get("vcs_info", {}).get("commit_id", "")
        url = body["url"]
        if url.startswith("file:"):  # a folder of somebody's says nothing elsewhere
            url = "a local folder"
        return f" @ {bounded(_LOGIN.sub('//', url), 300)}{'@' + commit if commit else ''}"
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return ""


def processor(root: Path = Path("/proc")) -> str | None:
    """Return the model of the processor, by its maker's words."""
    try:
        with open(root / "cpuinfo", "rb") as file:
            text = file.read(4096).decode("utf-8", "replace")
    except OSError:
        return bounded(platform.processor()) or None
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return bounded(found[1], 200) if found else bounded(platform.machine())


def gpus(root: Path = Path("/proc")) -> list[str]:
    """Return the models of the node's NVIDIA GPUs, as their driver lists them."""
    models = []
    for path in sorted((root / "driver/nvidia/gpus").glob("*/information")):
        found = re.search(r"^Model:\s*(.+)$", _text(path), re.MULTILINE)
        models.append((bounded(found[1], 200) or "?") if found else "?")
    return models


def driver(root: Path = Path("/proc")) -> str | None:
    """Return the version of the NVIDIA driver."""
    found = re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", _text(root / "driver/nvidia/version"))
    return found[1] if found else None


def _text(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            return file.read(4096).decode("utf-8", "replace")
    except OSError:
        return ""
