"""`gridgpu doctor`: looks at all parts of an installation at the same time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from jupyter_gridgpu.doctor import (
    batch_systems,
    channels,
    home,
    jupyter,
    kept_secrets,
    machine,
    panda,
    profiles,
)
from jupyter_gridgpu.doctor.finding import Finding, problem
from jupyter_gridgpu.transport.asking import ask_all

TIMEOUT_S = 20.0  # seconds for all parts together
Check = Callable[[], list[Finding]]

# The label of each part, as it is shown, and the check that looks at it.
PARTS: dict[str, Check] = {
    "Python": machine.python,
    "Jupyter": jupyter.extensions,
    "kernels": jupyter.kernels,
    "home of scans": home.folder,
    "scans": home.scans,
    "GPUs here": machine.gpus,
    "containers": machine.containers,
    "backends": batch_systems.installed,
    "Slurm": batch_systems.slurm,
    "HTCondor": batch_systems.htcondor,
    "PanDA": panda.panda,
    "queues": batch_systems.queues,
    "profiles": profiles.profiles,
    "metrics": channels.receivers,
    "secrets": kept_secrets.kept,
    "pace": batch_systems.pace,
}


def examine(
    parts: dict[str, Check] = PARTS, timeout_s: float = TIMEOUT_S
) -> dict[str, list[Finding]]:
    """Return the findings of every part, by label.

    It takes at most `timeout_s` seconds and never raises. A part that does not answer in time, or
    whose check fails, gets a problem that says so.
    """
    checks = {label: partial(_findings, check) for label, check in parts.items()}
    answers = ask_all(checks, timeout_s)
    silent = problem(
        f"It did not answer within {timeout_s:.0f} s.",
        "Look at what it waits for, a disk or a network, and ask again.",
    )
    return {label: answers.get(label, [silent]) for label in parts}


def _findings(check: Check) -> list[Finding]:
    try:
        return check()
    # A check may fail in any way on an unusual machine. It must not hide the other findings.
    except Exception as error:
        text = f"It could not be asked: {type(error).__name__}: {error}."
        return [problem(text, "This is worth a report.")]


def healthy(answers: dict[str, list[Finding]]) -> bool:
    """Return whether no part has a problem."""
    return not any(
        finding.level == "problem" for findings in answers.values() for finding in findings
    )
