"""Turns the error that ended a job into the reason and the message of its result."""

from __future__ import annotations

import re
from typing import Any

from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.worker.limits import Ending

# How TensorFlow, PyTorch and CUDA say that the GPU's memory is full.
_GPU_MEMORY = re.compile(
    r"ResourceExhausted|CUDA out of memory|OOM when allocating|CUDA_ERROR_OUT_OF_MEMORY"
)


def failed(reason: str, message: str, cell: int | None) -> dict[str, Any]:
    """Return the part of a result that says why a job failed; `cell` counts as In [n] does."""
    return {"state": "failed", "reason": reason, "message": one_line(message), "cell": cell}


def failure_of(
    error: BaseException, ending: Ending | None, cell: int | None, step: int | None
) -> dict[str, Any]:
    """Return the failure that an error of papermill or the kernel means.

    `ending` says why the worker ended the job early, None if it did not. An ending is the cause of
    any error that follows it. `cell` is the last cell that ran, None before the first cell. `step`
    is the last step that was reported.
    """
    # Imported here, since the rest of the worker must also run where papermill is missing.
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    if ending is not None:
        return _ended_early(ending, cell, step)
    where = _place(cell)
    if isinstance(error, PapermillExecutionError):
        return _cell_failure(error, cell)
    if isinstance(error, DeadKernelError):
        message = (
            f"The kernel died{where}; a crash, an exit or the system's out-of-memory killer ends"
            " it like that."
        )
        return failed("notebook", message, cell)
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


def _cell_failure(error: Any, cell: int | None) -> dict[str, Any]:
    """Return the failure that an exception in a cell of the notebook means."""
    cell = error.exec_count or cell
    text = f"{error.ename}: {error.evalue}"
    if _GPU_MEMORY.search(text):
        return failed("oom", f"GPU out of memory in cell {cell}.", cell)
    if error.ename == "MemoryError":
        return failed("oom", f"Out of memory in cell {cell}.", cell)
    shown = (one_line(text, 300) or error.ename).rstrip(". :")
    return failed("notebook", f"{shown} in cell {cell}.", cell)


def _place(cell: int | None) -> str:
    """Return where a job failed, as the end of a sentence."""
    if cell:
        return f" in cell {cell}"
    return " before the first cell"
