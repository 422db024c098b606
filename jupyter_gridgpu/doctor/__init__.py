"""`gridgpu doctor`: asks every part how it is, all at once, and waits for none of them longer than for the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from jupyter_gridgpu.doctor import engines, home, jupyter, machine
from jupyter_gridgpu.doctor.finding import Finding, problem

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
    "engines": engines.installed,
    "Slurm": engines.slurm,
    "HTCondor": engines.htcondor,
    "queues": engines.queues,
    "pace": engines.pace,
}


def examine(parts: dict[str, Part] = PARTS, patience_s: float = PATIENCE_S) -> dict[str, list[Finding]]:
    """Return what every part says of itself. It takes `patience_s` at the most, and never raises."""
    answers: dict[str, list[Finding]] = {
        name: [
            problem(
                f"It did not answer within {patience_s:.0f} s.", "Look at what it waits for, a disk or a network, and ask again."
            )
        ]
        for name in parts
    }

    def ask(name: str, part: Part) -> None:
        try:
            answers[name] = part()
        except Exception as error:  # a part that is broken in a way nobody thought of
            answers[name] = [problem(f"It could not be asked: {type(error).__name__}: {error}.", "This is worth a report.")]

    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in parts.items()]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + patience_s
    for thread in threads:
        thread.join(max(deadline - time.monotonic(), 0.0))
    return dict(answers)


def healthy(answers: dict[str, list[Finding]]) -> bool:
    """Whether no part has a problem."""
    return not any(finding.level == "problem" for findings in answers.values() for finding in findings)
