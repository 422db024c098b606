"""An image run once, on this machine, to see whether jobs can run in it: what there is, what is missing, what to do."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.images.base import Bind, Image, ImageRuntime
from jupyter_gridgpu.images.identity import digest
from jupyter_gridgpu.model.job import bounded

PROBE = Path(__file__).with_name("probe.py")
RUN_S = 120
FETCH_S = 3600
OUTPUT = 1_000_000
PYTHON, PAPERMILL = (3, 9), (2, 4)
DRIVERS = ("/dev/nvidiactl", "/proc/driver/nvidia/version")


@dataclass(frozen=True)
class ImageFact:
    """One thing about an image."""

    name: str
    value: str
    missing: str | None = None  # what is to be done, where jobs cannot run with it as it is


def check(image: Image, runtimes: Sequence[ImageRuntime]) -> list[ImageFact]:
    """Return what is to be said of an image. Raises EngineError if no runtime is here, or it cannot run the image."""
    runtime, program = choose(image, runtimes)
    gpu = any(Path(path).exists() for path in DRIVERS)
    fetched = _fetch(runtime, program, image)
    seen = _run(runtime, program, image, gpu)
    return [
        ImageFact("runtime", _version(program)),
        ImageFact("digest", digest(image) or fetched or "not known before a node fetches it"),
        *_judge(seen),
        _gpu(seen, gpu),
    ]


def choose(image: Image, runtimes: Sequence[ImageRuntime]) -> tuple[ImageRuntime, str]:
    """Return the runtime of this machine that runs an image, and its program. Raises EngineError if there is none."""
    programs = [(runtime, program) for runtime in runtimes for program in runtime.programs]
    for runtime, program in programs:
        if shutil.which(program):
            return runtime, program
    raise BackendError(
        f"This machine has no {' or '.join(name for _, name in programs)} to run {image.ref}: install one."
    )


def _fetch(runtime: ImageRuntime, program: str, image: Image) -> str | None:
    """Get an image of a registry, where the runtime does not when it runs it; return its digest."""
    fetching = runtime.fetching(program, image)
    if fetching is None:
        return None
    if _ran(fetching.have, RUN_S).returncode != 0:
        got = _ran(fetching.get, FETCH_S)
        if got.returncode != 0:
            raise BackendError(f"{program} cannot get {image.ref}: {_last_line(got.stderr)}")
    return bounded(_ran(fetching.digest, RUN_S).stdout.strip(), 100)


def _run(runtime: ImageRuntime, program: str, image: Image, gpus: bool) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="gridgpu-") as folder:
        command = runtime.command(
            program, image, [Bind(folder, folder)], gpus, ["-c", PROBE.read_text(encoding="utf-8")]
        )
        ran = _ran(
            command,
            FETCH_S,
            folder,
            {name: value for name, value in os.environ.items() if name not in runtime.hides},
        )
    try:
        seen = json.loads(ran.stdout[-OUTPUT:].strip().splitlines()[-1])
        return {
            **seen,
            "python": tuple(map(int, seen["python"])),
            "packages": dict(seen["packages"]),
        }
    except (ValueError, IndexError, KeyError, TypeError):
        raise BackendError(
            f"{program} cannot run {image.ref}: {_last_line(ran.stderr) or 'it said nothing'}"
        ) from None


def _ran(
    command: Sequence[str],
    patience_s: float,
    folder: str | None = None,
    env: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            list(command), cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=patience_s,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise BackendError(f"{command[0]} did not end within {patience_s:.0f} s.") from None
    except OSError as error:
        raise BackendError(f"{command[0]} cannot be started: {error.strerror}.") from None


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return bounded(lines[-1], 200) or "" if lines else ""


def _version(program: str) -> str:
    said = _ran([program, "--version"], RUN_S).stdout.strip().splitlines()
    return bounded(said[0], 100) or program if said else program


def _judge(seen: dict[str, Any]) -> list[ImageFact]:
    packages = {name: str(version) for name, version in seen["packages"].items() if version}
    kernels = [str(name) for name in seen.get("kernels") or []]
    old = (
        None
        if seen["python"] >= PYTHON
        else "Jobs need 3.9 or newer, as python3 on the image's PATH."
    )
    found = [
        ImageFact("Python", ".".join(map(str, seen["python"])), old),
        ImageFact(
            "papermill", packages.get("papermill", "none"), _papermill(packages.get("papermill"))
        ),
        ImageFact(
            "kernels",
            ", ".join(kernels) or "none",
            None if kernels else "pip install ipykernel in the image.",
        ),
        *(ImageFact(name, version) for name, version in packages.items() if name != "papermill"),
    ]
    return [ImageFact(one.name, bounded(one.value, 200) or "", one.missing) for one in found]


def _papermill(version: str | None) -> str | None:
    if version is None:
        return "pip install papermill ipykernel in the image."
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    return (
        None
        if numbers >= PAPERMILL
        else "Jobs need papermill 2.4 or newer: pip install -U papermill in the image."
    )


def _gpu(seen: dict[str, Any], driver: bool) -> ImageFact:
    if seen.get("gpus"):
        return ImageFact("GPUs", bounded("; ".join(map(str, seen["gpus"])), 300) or "")
    if driver:
        return ImageFact(
            "GPUs",
            "none seen in the image",
            "This machine has an NVIDIA driver: look at the runtime's GPU support.",
        )
    return ImageFact("GPUs", "none here: this machine has no NVIDIA driver")
