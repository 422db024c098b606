"""Turns the error that ended a job into the reason and the message of its result."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.worker.last_words import first_of_group, words_of_dead, words_of_start
from jupyter_gridgpu.worker.limits import Ending

# How TensorFlow, PyTorch and CUDA say that the GPU's memory is full.
_GPU_MEMORY = re.compile(
    r"ResourceExhausted|CUDA out of memory|OOM when allocating|CUDA_ERROR_OUT_OF_MEMORY"
)


class KernelDiedAtStart(RuntimeError):
    """The kernel was never ready; the text goes on after `The kernel`."""


class UnknownLanguage(ValueError):
    """papermill cannot write parameters in the language that is named."""


@dataclass(frozen=True)
class Circumstances:
    """What is known of an execution that failed.

    `cell` is the last cell that ran, counted as In [n] does in the user's notebook, None before the
    first one. `step` is the last step that was reported. `raised` is nbclient's error of the cell
    that failed. `printed` is the end of the log.
    """

    cell: int | None
    step: int | None
    raised: Any = None
    printed: str = ""


def failed(reason: str, message: str, cell: int | None) -> dict[str, Any]:
    """Return the part of a result that says why a job failed; `cell` counts as In [n] does."""
    return {"state": "failed", "reason": reason, "message": one_line(message), "cell": cell}


def failure_of(error: BaseException, ending: Ending | None, seen: Circumstances) -> dict[str, Any]:
    """Return the failure that an error of papermill or the kernel means.

    `ending` says why the worker ended the job early, None if it did not. An ending is the cause of
    any error that follows it.
    """
    # Imported here, since the rest of the worker must also run where papermill is missing.
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    cell = seen.cell
    if ending is not None:
        return _ended_early(ending, cell, seen.step)
    where = _place(cell)
    if isinstance(error, PapermillExecutionError):
        return _cell_failure(error, seen)
    if isinstance(error, DeadKernelError):
        return failed("notebook", _death(where, seen.printed), cell)
    if isinstance(error, KernelDiedAtStart):
        words = words_of_start(seen.printed)
        return failed("node", f"The kernel {error}{f': {words}' if words else ''}.", None)
    if isinstance(error, UnknownLanguage):
        message = f"The values cannot be given to a notebook in the language {str(error)!r}:"
        return failed("notebook", f"{message} papermill does not know it.", None)
    if isinstance(error, NoSuchKernel):
        return failed("image", f"There is no kernel named {error.name} where the job ran.", None)
    # An error with a number comes from the operating system, so from the node and its disks.
    if isinstance(error, OSError) and error.errno is not None:
        file = error.filename or "a file of the job"
        return failed("node", f"{error.strerror}: {file}{where}.", cell)
    return failed("node", f"{type(error).__name__}: {error}{where}.", cell)


def ended_outside_cells(
    ending: Ending | None, cell: int | None, step: int | None
) -> dict[str, Any]:
    """Return the failure of a job that had to end while none of its cells ran.

    `cell` is the cell that ran last, None before the first one.
    """
    return _ended_early(ending or Ending("preempted", "Ended from outside"), cell, step)


def _ended_early(ending: Ending, cell: int | None, step: int | None) -> dict[str, Any]:
    message = f"{ending.message}{_place(cell)}."
    if step:
        message += f" Epochs up to {step} are kept."
    return failed(ending.reason, message, cell)


def _cell_failure(error: Any, seen: Circumstances) -> dict[str, Any]:
    """Return the failure that an exception in a cell of the notebook means."""
    cell, name, value = seen.cell, error.ename, error.evalue
    # The kernel's reply names every exception; papermill knows those that were also displayed.
    if seen.raised is not None and seen.raised.ename:
        name, value = seen.raised.ename, seen.raised.evalue
    text = f"{name}: {value}"
    if name.endswith("ExceptionGroup"):
        first = first_of_group(seen.printed)
        text = f"{text}, first {first}" if first else text
    where = _place(cell)
    if _GPU_MEMORY.search(text):
        return failed("oom", f"GPU out of memory{where}.", cell)
    if name == "MemoryError":
        return failed("oom", f"Out of memory{where}.", cell)
    shown = (one_line(text, 300) or name).rstrip(". :")
    return failed("notebook", f"{shown}{where}.", cell)


def _death(where: str, printed: str) -> str:
    """Return in a sentence how a kernel died that nobody has asked to end."""
    words = words_of_dead(printed)
    if words:
        return f"The kernel died{where}: {words}."
    return (
        f"The kernel died{where}; a crash, an exit or the system's out-of-memory killer ends it"
        " like that."
    )


def _place(cell: int | None) -> str:
    """Return where a job failed, as the end of a sentence."""
    if cell:
        return f" in cell {cell}"
    return " before the first cell"
