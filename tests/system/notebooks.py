"""The training that most system tests run, and executed notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat

# The parameter `n` makes the metric. Each execution appends its n to the file `mark`. Epochs take
# `pause` seconds each, until there is a file of the name of `mark` with this ending.
HURRY = ".hurry"
TRAINING = f"""
import os, time
from jupyter_gridgpu import report
with open(mark, "a") as file:
    file.write(f"{{n}}\\n")
for epoch in range(1, steps + 1):
    if not os.path.exists(mark + {HURRY!r}):
        time.sleep(pause)
    print("epoch", epoch)
    report(epoch=epoch, epochs=steps, loss=n * epoch)
"""
TRAINING_PARAMETERS = "n = 0\nmark = '/dev/null'\nsteps = 4\npause = 0.1"
# A kernel sends what was printed a few times a second, and what a crash overtakes is lost. So a
# notebook that is going to crash waits until the worker has logged what the notebook has printed.
WAIT_UNTIL_LOGGED = """
import glob, os, time
def wait_until_logged(text):
    pattern = os.path.join(os.environ["GRIDGPU_JOB"], "*", "worker.log")
    while not any(text in open(log).read() for log in glob.glob(pattern)):
        time.sleep(0.05)
"""
# Far more epochs than a training gets through while a test looks at it. The test stops it, or lets
# it hurry to its end.
LONG = 1000


@dataclass(frozen=True)
class Executed:
    """An executed notebook as papermill left it: its code cells."""

    cells: list[Any]

    @staticmethod
    def read(path: str | Path) -> Executed:
        """Read a notebook, which must be a valid one."""
        found = nbformat.read(path, 4)
        nbformat.validate(found)
        return Executed([cell for cell in found.cells if cell.cell_type == "code"])

    def statuses(self) -> list[str]:
        """Return what papermill noted for each cell: completed, failed, running or pending."""
        return [cell.metadata["papermill"]["status"] for cell in self.cells]

    def text(self) -> str:
        """Return all that was printed."""
        outputs = [output for cell in self.cells for output in cell.outputs]
        return "".join(output["text"] for output in outputs if output["output_type"] == "stream")
