"""Checks this machine: Python and its packages, GPUs, container runtimes."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jupyter_gridgpu import __version__
from jupyter_gridgpu.doctor.finding import Finding, note, ok, problem
from jupyter_gridgpu.doctor.program import first_line, run_program
from jupyter_gridgpu.model.queue import kind_text
from jupyter_gridgpu.queues import this_machine

# The packages that a job on this machine needs, each with its lowest version.
NEEDED = {"papermill": (2, 5), "ipykernel": (6, 20), "nbclient": (0, 5), "jupyter_client": (7,)}
RUNTIMES = ("apptainer", "singularity", "podman")


def python() -> list[Finding]:
    """Look at Python and the packages that a job on this machine needs.

    A package that is missing or too old is a problem.
    """
    here = f"{__version__} in {Path(__file__).parents[1]}"
    found = [ok(f"Python {platform.python_version()}, jupyter_gridgpu {here}")]
    good = []
    for name, least in NEEDED.items():
        installed = _version(name)
        if installed is None:
            found.append(problem(f"{name} is missing.", f"pip install {name}"))
        elif _numbers(installed) < least:
            found.append(problem(f"{name} {installed} is too old.", f"pip install -U {name}"))
        else:
            good.append(f"{name} {installed}")
    if good:
        found.append(ok(", ".join(good)))
    return found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    """Return the first three parts of a version that are numbers: (8, 1) of `8.1.0rc1`."""
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


def gpus() -> list[Finding]:
    """Look at the GPUs that jobs on this machine may use, and their driver.

    A driver whose nvidia-smi fails is a problem. To have no GPU is a note.
    """
    [queue] = this_machine.discover()
    if queue.gpus:
        kinds = ", ".join(f"{kind.total} x {kind_text(kind)}" for kind in queue.gpus)
        cuda = max((kind.cuda for kind in queue.gpus if kind.cuda), default=None)
        driver = f", CUDA {cuda}" if cuda else ""
        return [ok(f"{kinds}{driver}"), *_hidden_gpus()]
    # If there is nvidia-smi but no GPU, the driver may be broken.
    if shutil.which("nvidia-smi"):
        output = run_program("nvidia-smi", "-L")
        if output.code != 0:
            text = f"nvidia-smi fails: {output.complaint}."
            advice = "Mend the driver; jobs with --gpus cannot run here."
            return [problem(text, advice), *_hidden_gpus()]
    advice = "Jobs with --gpus need --on another backend; `gridgpu queues` lists them."
    return [note("This machine has no GPU.", advice), *_hidden_gpus()]


def _hidden_gpus() -> list[Finding]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        return []
    return [note(f"CUDA_VISIBLE_DEVICES is {visible!r}: jobs here use only these GPUs.")]


def containers() -> list[Finding]:
    """Look at the runtimes that can run an image here.

    A runtime that is installed but cannot be started is a problem. To have none is a note.
    """
    found = [_runtime(name) for name in RUNTIMES if shutil.which(name)]
    if not found:
        text = "No container runtime is on the PATH."
        return [note(text, "--image on this machine needs apptainer or podman.")]
    return [*found, *_namespaces()]


def _runtime(name: str) -> Finding:
    output = run_program(name, "--version")
    if output.code == 0:
        return ok(f"{first_line(output.out)} ({shutil.which(name)})")
    text = f"{name} --version fails: {output.complaint}."
    return problem(text, f"Reinstall {name}, or take it off the PATH.")


def _namespaces() -> list[Finding]:
    """Look at user namespaces, which a runtime needs unless root has set it up."""
    # Root needs no user namespaces, and without unshare they cannot be tried out.
    if os.geteuid() == 0 or shutil.which("unshare") is None:
        return []
    output = run_program("unshare", "--user", "--map-root-user", "true")
    if output.code == 0:
        return [ok("User namespaces work.")]
    return [
        note(
            f"User namespaces do not work: {output.complaint}.",
            "Rootless containers need them: ask for `sysctl kernel.unprivileged_userns_clone=1`,"
            " or a setuid apptainer.",
        )
    ]
