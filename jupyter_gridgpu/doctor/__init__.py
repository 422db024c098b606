"""`gridgpu doctor`: asks every part how it is, all at once, and waits for none of them longer than for the others."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from jupyter_gridgpu.doctor import batch_systems, channels, home, jupyter, machine, panda
from jupyter_gridgpu.doctor.finding import Finding, problem
from jupyter_gridgpu.transport.asking import ask_all

PATIENCE_S = 20.0
Part = Callable[[], list[Finding]]

PARTS: dict[str, Part] = {
    "Python": machine.python,
    "Jupyter": jupyter.extensions,
    "kernels": jupyter.kernels,
    "home of scans": home.folder,
    "scans": home.scans,
    "GPUs here": machine.gpus,
    "containers": machine.containers,
    "engines": batch_systems.installed,
    "Slurm": batch_systems.slurm,
    "HTCondor": batch_systems.htcondor,
    "PanDA": panda.panda,
    "queues": batch_systems.queues,
    "metrics": channels.ways,
    "pace": batch_systems.pace,
}


def examine(
    parts: dict[str, Part] = PARTS, patience_s: float = PATIENCE_S
) -> dict[str, list[Finding]]:
    """Return what every part says of itself. It takes `patience_s` at the most, and never raises."""
    answers = ask_all({name: partial(_examined, part) for name, part in parts.items()}, patience_s)
    silent = problem(
        f"It did not answer within {patience_s:.0f} s.",
        "Look at what it waits for, a disk or a network, and ask again.",
    )
    return {name: answers.get(name, [silent]) for name in parts}


def _examined(part: Part) -> list[Finding]:
    try:
        return part()
    except Exception as error:  # a part that is broken in a way nobody thought of
        return [
            problem(
                f"It could not be asked: {type(error).__name__}: {error}.",
                "This is worth a report.",
            )
        ]


def healthy(answers: dict[str, list[Finding]]) -> bool:
    """Whether no part has a problem."""
    return not any(
        finding.level == "problem" for findings in answers.values() for finding in findings
    )
