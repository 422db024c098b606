"""This machine: Python and its packages, GPUs, container runtimes."""

from __future__ import annotations

import os
import platform
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from jupyter_gridgpu import __version__
from jupyter_gridgpu.doctor.finding import Finding, first_line, note, ok, problem, run
from jupyter_gridgpu.model.queue import kind_text
from jupyter_gridgpu.queues import this_machine

NEEDED = {"papermill": (2, 5), "ipykernel": (6, 20), "nbclient": (0, 5), "jupyter_client": (7,)}
RUNTIMES = ("apptainer", "singularity", "podman")


def python() -> list[Finding]:
    """Python and what a job on this machine needs of it."""
    found = [
        ok(
            f"Python {platform.python_version()}, jupyter_gridgpu {__version__} in {Path(__file__).parents[1]}"
        )
    ]
    known = {name: _version(name) for name in NEEDED}
    for name, least in NEEDED.items():
        there = known[name]
        if there is None:
            found.append(problem(f"{name} is missing.", f"pip install {name}"))
        elif _numbers(there) < least:
            found.append(problem(f"{name} {there} is too old.", f"pip install -U {name}"))
    good = [
        f"{name} {there}"
        for name, there in known.items()
        if there and _numbers(there) >= NEEDED[name]
    ]
    return [*found, ok(", ".join(good))] if good else found


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".")[:3] if part.isdigit())


def gpus() -> list[Finding]:
    """The GPUs that jobs on this machine may use, and their driver."""
    [queue] = this_machine.discover()
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    found = (
        [note(f"CUDA_VISIBLE_DEVICES is {hidden!r}: jobs here use only these GPUs.")]
        if hidden is not None
        else []
    )
    if queue.gpus:
        cuda = {kind.cuda for kind in queue.gpus if kind.cuda}
        words = ", ".join(f"{kind.total} x {kind_text(kind)}" for kind in queue.gpus)
        return [ok(f"{words}{f', CUDA {max(cuda)}' if cuda else ''}"), *found]
    if shutil.which("nvidia-smi"):
        said = run("nvidia-smi", "-L")
        if said.code != 0:
            return [
                problem(
                    f"nvidia-smi fails: {said.last}.",
                    "Mend the driver; jobs with --gpus cannot run here.",
                ),
                *found,
            ]
    return [
        note(
            "This machine has no GPU.",
            "Jobs with --gpus need --on another engine; `gridgpu queues` lists them.",
        ),
        *found,
    ]


def containers() -> list[Finding]:
    """The runtimes that run an image here."""
    found = [one for name in RUNTIMES if shutil.which(name) for one in _runtime(name)]
    if not found:
        return [
            note(
                "No container runtime is on the PATH.",
                "--image on this machine needs apptainer or podman.",
            )
        ]
    return [*found, *_namespaces()]


def _runtime(name: str) -> list[Finding]:
    said = run(name, "--version")
    if said.code == 0:
        return [ok(f"{first_line(said.out)} ({shutil.which(name)})")]
    return [
        problem(
            f"{name} --version fails: {said.last}.", f"Reinstall {name}, or take it off the PATH."
        )
    ]


def _namespaces() -> list[Finding]:
    """User namespaces, without which a runtime that is not set up by root starts nothing."""
    if os.geteuid() == 0 or shutil.which("unshare") is None:
        return []
    said = run("unshare", "--user", "--map-root-user", "true")
    if said.code == 0:
        return [ok("User namespaces work.")]
    advice = "Rootless containers need them: ask for `sysctl kernel.unprivileged_userns_clone=1`, or a setuid apptainer."
    return [note(f"User namespaces do not work: {said.last}.", advice)]
