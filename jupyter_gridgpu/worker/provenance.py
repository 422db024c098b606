"""Gathers what a job ran with: Python, packages, kernel, processor, GPUs, host.

Gathering takes about 3 ms. Of the environment's values only the visible GPUs are kept, and user
names and passwords are removed from the addresses of packages.
"""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import read_start, users_opener
from jupyter_gridgpu.worker.gpu_devices import VARIABLE, Device, find_devices, named_devices
from jupyter_gridgpu.worker.image import container, image_name, image_version

FORMAT = 1
PACKAGES_LIMIT = 3000
ANSWER_S = 10.0  # for the kernel's Python to print its version and folders
_COPIED = ("scan", "id", "key", "notebook_digest")  # from job.json
# Also from job.json. It names the image that was asked for, which may not be what the job runs in.
_OF_IMAGE = ("image", "image_digest")
_DISTRIBUTION = re.compile(r"(.+?)-([^-]+?)(?:-py\d[\d.]*)?\.(?:dist|egg)-info")
_LOGIN = re.compile(r"//[^/@]*@")
_PROBE = "import json, sys; print(json.dumps([sys.version, sys.path, sys.executable]))"
_PYTHON = re.compile(r"python[\d.]*")


class Provenance:
    """The provenance of one job, the JSON object `facts`.

    `facts` goes into the notebook when the job starts. `finish` adds what becomes known later: the
    packages of a kernel in another Python, and when the job ended. The whole is then written to
    provenance.json.
    """

    def __init__(self, job: Mapping[str, Any], command: list[str] | None) -> None:
        """Gather the facts. `job` is job.json; `command` starts the kernel, None if unknown."""
        # Another Python takes some 20 ms to start and print: it does so while the notebook runs.
        self._probe = _start_probe(command)
        kernel: dict[str, Any] = {"name": job.get("kernel")}
        kernel_packages: dict[str, str] = {}
        kernel_program: str | None = None
        if command is not None and _is_this_python(command):
            kernel_program = sys.executable
            kernel["python"] = platform.python_version()
            kernel_packages = packages(sys.path)
        self.facts: dict[str, Any] = {"format": FORMAT}
        self.facts.update({name: job[name] for name in _COPIED if job.get(name)})
        if image_name():
            self.facts.update({name: job[name] for name in _OF_IMAGE if job.get(name)})
            self.facts["container"] = container()
            if image_version():
                self.facts["image_mark"] = image_version()
        if job.get("python"):
            self.facts["python_option"] = job["python"]
        params = job.get("params", {})
        self.facts.update(
            {
                "started": time.time(),
                "host": socket.gethostname(),
                "os": platform.platform(),
                "python": platform.python_version(),
                "executable": sys.executable,
                "cpu": processor(),
                "cores": _core_count(),
                "gpus": gpus(),
                "driver": driver(),
                "visible_gpus": one_line(os.environ.get(VARIABLE), 200),
                "seeds": {name: value for name, value in params.items() if "seed" in name.lower()},
                "kernel": kernel,
                "kernel_executable": kernel_program,
                "packages": kernel_packages,
            }
        )

    def finish(self, language: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the facts, completed by those of a kernel in another Python or language.

        `language` is the notebook's `language_info`, which the kernel wrote.
        """
        kernel = self.facts["kernel"]
        if language:
            kernel["language"] = one_line(language.get("name"), 80)
            kernel["version"] = one_line(language.get("version"), 80)
        if self._probe is not None:
            answer = _read_probe(self._probe)
            self._probe = None
            if answer is not None:
                kernel["python"], folders, self.facts["kernel_executable"] = answer
                self.facts["packages"] = packages(folders)
        self.facts["ended"] = time.time()
        return self.facts


def _core_count() -> int | None:
    """Return how many cores this process may use, which a batch system may have limited."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def _is_python(command: list[str]) -> bool:
    return bool(command and _PYTHON.fullmatch(os.path.basename(command[0])))


def _is_this_python(command: list[str]) -> bool:
    """Return whether a command starts the Python that runs this code.

    jupyter_client starts this Python for kernels that name one without a folder.
    """
    if not _is_python(command):
        return False
    return os.sep not in command[0] or os.path.abspath(command[0]) == os.path.abspath(
        sys.executable
    )


def _start_probe(command: list[str] | None) -> subprocess.Popen[bytes] | None:
    """Start the kernel's Python with a script that prints its version and folders.

    Returns None if the kernel runs in this Python or in no Python, or if the start fails.
    """
    if not command or not _is_python(command) or _is_this_python(command):
        return None
    try:
        return subprocess.Popen(
            [command[0], "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # Modules beside the notebook must not be found instead of Python's own.
            cwd="/",
        )
    except OSError:
        return None


def _read_probe(probe: subprocess.Popen[bytes]) -> tuple[str, list[str], str] | None:
    """Return version, folders and path that a probe printed; None if it printed none in time."""
    try:
        text, _ = probe.communicate(timeout=ANSWER_S)
        version, folders, program = parse_json(text)
        return str(version).split()[0], [str(folder) for folder in folders], str(program)
    except (subprocess.TimeoutExpired, ValueError, TypeError, IndexError):
        probe.kill()
        probe.communicate()
        return None


def packages(folders: Iterable[str]) -> dict[str, str]:
    """Return name -> version of the distributions in `folders`, a Python's sys.path.

    The names are those of `pip freeze`. They are read from the names of the folders that pip makes,
    which is much faster than importlib.metadata: the only files that are opened hold the address of
    a package that did not come from an index. The first of two distributions of one name counts.
    """
    found: dict[str, str] = {}
    for folder in folders:
        for entry, name, version in _distributions(folder):
            if len(found) >= PACKAGES_LIMIT:
                break
            found.setdefault(name, version + _source(os.path.join(folder, entry)))
    return dict(sorted(found.items()))


def _distributions(folder: str) -> Iterator[tuple[str, str, str]]:
    """Yield entry, name and version of each distribution in a folder."""
    try:
        entries = sorted(entry.name for entry in os.scandir(folder or "."))
    except OSError:
        return
    for entry in entries:
        # Both kinds of folder occur: .dist-info of pip, and .egg-info of old setuptools and Debian.
        match = _DISTRIBUTION.fullmatch(entry)
        if match:
            # Names are spelled in several ways; pip compares them like this (PEP 503).
            yield entry, re.sub(r"[-_.]+", "-", match[1]).lower(), match[2]


def _source(folder: str) -> str:
    """Return ` @ ADDRESS`, perhaps with `@COMMIT`, of a package installed from there, else ""."""
    try:
        # Some installers make links to one copy of a package.
        path = os.path.join(folder, "direct_url.json")
        body = parse_json(read_start(path, 10_000, users_opener))
        commit = body.get("vcs_info", {}).get("commit_id", "")
        url = body["url"]
        # A path of somebody's computer says nothing elsewhere.
        if url.startswith("file:"):
            url = "a local folder"
        address = f" @ {one_line(_LOGIN.sub('//', url), 300)}"
        if commit:
            address += f"@{commit}"
        return address
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        # A package of an index has no such file. One that cannot be read is not worth a failure.
        return ""


def processor(root: Path = Path("/proc")) -> str | None:
    """Return the model of the processor as its maker names it; None if that is not known."""
    text = _text(root / "cpuinfo")
    if not text:
        return one_line(platform.processor()) or None
    found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    if found:
        return one_line(found[1], 200)
    return one_line(platform.machine())


def gpus(root: Path = Path("/proc")) -> list[str]:
    """Return the models of the job's NVIDIA GPUs as their driver lists them, "?" if not told.

    These are the GPUs that CUDA_VISIBLE_DEVICES names. They are all of the node where the variable
    is not set, or where it is not known for sure which ones it means.
    """
    devices: list[Device] = []
    # The driver's files are read, not nvidia-smi, which takes far longer. They are named by the
    # place on the bus.
    for path in sorted((root / "driver/nvidia/gpus").glob("*/information")):
        text = _text(path)
        uuid, model = _line(text, "GPU UUID"), _line(text, "Model")
        devices.append(Device(len(devices), uuid or "", model or "?"))
    value = os.environ.get(VARIABLE)
    if value is not None:
        names = [_whole(name) for name in named_devices(value)]
        known = find_devices(names, devices)
        if len(known) == len(set(names)):
            return [device.model for device in known]
    return [device.model for device in devices]


def _whole(name: str) -> str:
    """Return the name of the GPU of which `name`, such as MIG-GPU-.../1/0, is a part."""
    if name.startswith("MIG-GPU-"):
        return name[len("MIG-") :].split("/")[0]
    return name


def _line(text: str, label: str) -> str | None:
    found = re.search(rf"^{label}:\s*(.+)$", text, re.MULTILINE)
    return one_line(found[1], 200) if found else None


def driver(root: Path = Path("/proc")) -> str | None:
    """Return the version of the NVIDIA driver; None if there is none."""
    found = re.search(r"\s(\d+\.\d+(?:\.\d+)?)\s", _text(root / "driver/nvidia/version"))
    if found is None:
        return None
    return found[1]


def _text(path: Path) -> str:
    """Return the first 4 kB of a file; "" if it cannot be read."""
    try:
        return read_start(path, 4096, users_opener).decode("utf-8", "replace")
    except OSError:
        return ""
