"""Runs an image once on this machine, to find out whether jobs can run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.images.base import Bind, Image, ImageRuntime
from jupyter_gridgpu.images.hidden import is_hidden
from jupyter_gridgpu.images.identity import digest
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.store.json_decoder import parse_json

PROBE = Path(__file__).with_name("probe.py")
COMMAND_TIMEOUT_S = 120
FETCH_TIMEOUT_S = 3600  # a large image may take long, over a slow line
PYTHON_PARTS = 2  # of a version that are needed
# What an answer raises that is not in the form of the probe.
UNSOUND = (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError)
OUTPUT_LIMIT = 1_000_000  # characters
VALUE_LIMIT = 200  # characters of a value that is shown
SHORT_LIMIT = 100  # characters of a version or a digest
GPUS_LIMIT = 300  # characters of the list of GPUs
OLDEST_PYTHON = (3, 9)
OLDEST_PAPERMILL = (2, 4)
# At least one of these files exists if an NVIDIA driver is loaded.
DRIVER_FILES = ("/dev/nvidiactl", "/proc/driver/nvidia/version")


@dataclass(frozen=True)
class ImageFact:
    """What was found out about an image in one respect: the version of Python, for example.

    `missing` says what to do if jobs cannot run in the image for this reason, else it is None.
    """

    name: str
    value: str
    missing: str | None = None


@dataclass(frozen=True)
class ProbeAnswer:
    """What probe.py printed in the image."""

    python: tuple[int, ...]
    packages: dict[str, str]  # versions of those that are installed
    kernels: list[str]
    gpus: list[str]


def check(image: Image, runtimes: Sequence[ImageRuntime]) -> list[ImageFact]:
    """Run an image once and return what was found out about it, in the order in which it is shown.

    Raises BackendError if this machine has none of the runtimes, or it cannot run the image.
    """
    runtime, program = choose_runtime(image, runtimes)
    has_driver = any(Path(path).exists() for path in DRIVER_FILES)
    fetched_digest = _fetch(runtime, program, image)
    answer = _run_probe(runtime, program, image, has_driver)
    image_digest = digest(image) or fetched_digest or "not known before a node fetches it"
    return [
        ImageFact("runtime", _version_of(program)),
        ImageFact("digest", image_digest),
        _python_fact(answer.python),
        _papermill_fact(answer.packages.get("papermill")),
        _kernels_fact(answer.kernels),
        *_package_facts(answer.packages),
        _gpus_fact(answer.gpus, has_driver),
    ]


def choose_runtime(image: Image, runtimes: Sequence[ImageRuntime]) -> tuple[ImageRuntime, str]:
    """Return the first of the runtimes that this machine has, and its program.

    Raises BackendError if it has none.
    """
    programs = []
    for runtime in runtimes:
        for program in runtime.programs:
            # Runtimes are looked for in the same order as in worker.sh, so that jobs get this one.
            if shutil.which(program):
                return runtime, program
            programs.append(program)
    raise BackendError(
        f"This machine has no {' or '.join(programs)} to run {image.ref}: install one."
    )


def _fetch(runtime: ImageRuntime, program: str, image: Image) -> str | None:
    """Get an image to this machine, if the runtime needs commands for that; return its digest."""
    commands = runtime.fetch_commands(program, image)
    if commands is None:
        return None
    if _run(commands.exists, COMMAND_TIMEOUT_S).returncode != 0:
        fetched = _run(commands.fetch, FETCH_TIMEOUT_S)
        if fetched.returncode != 0:
            reason = _last_line(fetched.stderr)
            raise BackendError(f"{program} cannot get {image.ref}: {reason}")
    return one_line(_run(commands.digest, COMMAND_TIMEOUT_S).stdout.strip(), SHORT_LIMIT)


def _run_probe(runtime: ImageRuntime, program: str, image: Image, gpus: bool) -> ProbeAnswer:
    """Run probe.py in the image. Raises BackendError if there is no sound answer."""
    code = PROBE.read_text(encoding="utf-8")
    # The same variables are hidden as in a job.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not is_hidden(name, runtime.hidden_variables)
    }
    with tempfile.TemporaryDirectory(prefix="gridgpu-") as folder:
        command = [
            *runtime.options(program, [Bind(folder, folder)], gpus, folder),
            *runtime.inside(image, ["-c", code]),
        ]
        # Apptainer fetches the image at its first start.
        ended = _run(command, FETCH_TIMEOUT_S, folder, environment)
    try:
        return _read_answer(ended.stdout)
    # The image may print anything in place of an answer.
    except UNSOUND:
        reason = _last_line(ended.stderr) or "it said nothing"
        raise BackendError(f"{program} cannot run {image.ref}: {reason}") from None


def _read_answer(output: str) -> ProbeAnswer:
    # An image may print a greeting before the probe's line.
    body = parse_json(output[-OUTPUT_LIMIT:].strip().splitlines()[-1])
    packages = dict(body["packages"])
    python = [int(part) for part in body["python"] if type(part) is int]
    if len(python) < PYTHON_PARTS:
        raise ValueError("no version of Python")
    return ProbeAnswer(
        python=tuple(python),
        packages={str(name): str(version) for name, version in packages.items() if version},
        kernels=[str(name) for name in body.get("kernels") or []],
        gpus=[str(name) for name in body.get("gpus") or []],
    )


def _run(
    command: Sequence[str],
    timeout_s: float,
    folder: str | None = None,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command. Raises BackendError if it cannot be started or does not end in time."""
    try:
        return subprocess.run(
            list(command),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        raise BackendError(f"{command[0]} did not end within {timeout_s:.0f} s.") from None
    except OSError as error:
        raise BackendError(f"{command[0]} cannot be started: {error.strerror}.") from None


def _last_line(text: str) -> str:
    """Return the last line of what a program printed, which is where the error is."""
    lines = text.strip().splitlines()
    if not lines:
        return ""
    return one_line(lines[-1], VALUE_LIMIT) or ""


def _version_of(program: str) -> str:
    """Return what a runtime prints as its version, else its name."""
    lines = _run([program, "--version"], COMMAND_TIMEOUT_S).stdout.strip().splitlines()
    if not lines:
        return program
    return one_line(lines[0], SHORT_LIMIT) or program


def _python_fact(version: tuple[int, ...]) -> ImageFact:
    missing = None
    if version < OLDEST_PYTHON:
        missing = "Jobs need 3.9 or newer, as python3 on the image's PATH."
    return ImageFact("Python", _shown(".".join(map(str, version))), missing)


def _papermill_fact(version: str | None) -> ImageFact:
    if version is None:
        return ImageFact("papermill", "none", "pip install papermill ipykernel in the image.")
    missing = None
    # A version may end in a word, as 2.4.0rc1 does; its first two parts are numbers.
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_PAPERMILL:
        missing = "Jobs need papermill 2.4 or newer: pip install -U papermill in the image."
    return ImageFact("papermill", _shown(version), missing)


def _kernels_fact(kernels: list[str]) -> ImageFact:
    if not kernels:
        return ImageFact("kernels", "none", "pip install ipykernel in the image.")
    return ImageFact("kernels", _shown(", ".join(kernels)))


def _package_facts(packages: dict[str, str]) -> list[ImageFact]:
    return [
        ImageFact(name, _shown(version))
        for name, version in packages.items()
        if name != "papermill"
    ]


def _gpus_fact(gpus: list[str], has_driver: bool) -> ImageFact:
    if gpus:
        return ImageFact("GPUs", one_line("; ".join(gpus), GPUS_LIMIT) or "")
    if not has_driver:
        return ImageFact("GPUs", "none here: this machine has no NVIDIA driver")
    advice = "This machine has an NVIDIA driver: look at the runtime's GPU support."
    return ImageFact("GPUs", "none seen in the image", advice)


def _shown(value: str) -> str:
    """Return a value from the image as one bounded line."""
    return one_line(value, VALUE_LIMIT) or ""
