"""The client that runs the cells of a notebook in a kernel, and ends them early if it must.

papermill gives the notebook to a client of nbclient. WatchedClient is papermill's own client with
additions. While a cell runs, `_watch` runs beside it in the same event loop, in the same thread:
it reads what the notebook reports and looks at the limits of the job. What the client does:

    start      fork the kernel from the prepared parent if there is one, and connect to the kernel
    watch      watch each cell until it has ended or a limit is reached
    interrupt  at a limit, save the notebook, and end the cell (see interruption.py)
    end        ask the kernel on the open channel to end, and kill it after 2 s
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import queue
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbclient.exceptions import CellExecutionError

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.kernel_language import PYTHON
from jupyter_gridgpu.store.paths import write_atomic
from jupyter_gridgpu.worker.failures import KernelDiedAtStart
from jupyter_gridgpu.worker.interruption import Interruption
from jupyter_gridgpu.worker.job_log import JobLog
from jupyter_gridgpu.worker.kernel_setup import EXPRESSIONS, WAITING_MESSAGES
from jupyter_gridgpu.worker.limits import Limits, Stopped
from jupyter_gridgpu.worker.metrics.recorder import REPORTED, MetricsRecorder
from jupyter_gridgpu.worker.output_client import KeepingClient
from jupyter_gridgpu.worker.prefork.parent_client import use_prepared_parent
from jupyter_gridgpu.worker.provenance import Provenance
from jupyter_gridgpu.worker.sound_notebook import allows_errors, cell_number, encodable
from jupyter_gridgpu.worker.usage import UsageSampler

WATCH_EVERY_S = 0.02
HEARTBEAT_EVERY_S = 20.0
SHUTDOWN_S = 2.0  # for a kernel that is asked to end
# A number as Python prints it, also as NumPy 2 does: `np.float64(0.91)`.
_NUMBER = re.compile(r"(?:np\.\w+\()?(-?[\w.+-]+)\)?")
_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


@dataclass
class Execution:
    """What one execution of a notebook works with. papermill hands the object on to the client.

    `objectives` are the metrics that rank variants. `scratch` is a folder on this node with a short
    path. `cell` is the cell that runs or ran last, counted as In [n] does in the user's own
    notebook. `raised` is the error with which a cell failed.
    """

    metrics: MetricsRecorder
    limits: Limits
    usage: UsageSampler
    objectives: Sequence[str]
    log: JobLog
    scratch: Path
    provenance: Provenance
    language: str = PYTHON
    injected_is_new: bool = True  # the cell with the values is none of the user's notebook
    cell: int | None = None
    raised: CellExecutionError | None = None


class WatchedClient(KeepingClient):
    """papermill's client, with live metrics and an early end."""

    def __init__(self, *args: Any, execution: Execution, **options: Any) -> None:
        super().__init__(*args, log=execution.log, metrics=execution.metrics, **options)
        self.execution = execution
        self._next_heartbeat = 0.0
        self.nb_man.save = self._save
        self.allow_errors = allows_errors(self.nb.metadata)

    # Save -------------------------------------------------------------------------------------

    def _save(self, **options: Any) -> None:
        """Save the notebook as it is now; if the disk refuses, the next save may succeed.

        papermill calls this every few seconds, also while it reads the kernel's outputs. An error
        raised there would end the reading, and nobody would see why.
        """
        self._output.refresh()
        try:
            text = encodable(nbformat.writes(self.nb_man.nb))
            write_atomic(Path(self.nb_man.output_path), text)
        except OSError as error:
            self.execution.log.say(f"The notebook was not saved now: {error.strerror}.")
        self.nb_man.last_save_time = self.nb_man.now()

    # Start ------------------------------------------------------------------------------------

    def create_kernel_manager(self) -> Any:
        """Return a kernel manager, which forks its kernel if there is a prepared parent for it."""
        manager = super().create_kernel_manager()
        use_prepared_parent(manager, self.execution.log.say)
        return manager

    def start_new_kernel_client(self) -> Any:
        """Connect to the kernel that was just started and return the kernel client.

        nbclient's own method waits for 0.2 s in each job for messages that nobody needs.
        """
        return _run_sync(self._connect)

    async def _connect(self) -> Any:
        self.kc = self.km.client()
        self.kc.context.rcvhwm = self.kc.context.sndhwm = WAITING_MESSAGES
        await _awaited(self.kc.start_channels())
        self.kc.allow_stdin = False
        deadline = time.monotonic() + self.startup_timeout
        while not await self._kernel_answers():
            if not await _awaited(self.km.is_alive()):
                raise KernelDiedAtStart("ended before it was ready")
            if time.monotonic() > deadline:
                raise KernelDiedAtStart(f"was not ready within {self.startup_timeout} s")
        if self.execution.language == PYTHON:
            # Nobody needs the answer.
            self.kc.execute("", silent=True, store_history=False, user_expressions=EXPRESSIONS)
        return self.kc

    async def _kernel_answers(self) -> bool:
        """Ask the kernel for its description; return whether it answers on both channels.

        The output channel is connected separately. If a cell ran before a message has come on this
        channel, the first lines of that cell could be lost.
        """
        self.kc.kernel_info()
        with contextlib.suppress(queue.Empty):
            await _awaited(self.kc.shell_channel.get_msg(timeout=1))
            await _awaited(self.kc.iopub_channel.get_msg(timeout=0.2))
            return True
        return False

    # Run the cells ----------------------------------------------------------------------------

    def papermill_execute_cells(self) -> None:
        """Run the cells in turn, and mark in the notebook which of them ran and which failed.

        papermill's own method does not see every end: after the death of a kernel it marks the
        cell that was interrupted, and all that never ran, as completed. Once an ending was decided,
        no further cell starts, whatever the cell made of its interrupt.
        """
        limits = self.execution.limits
        last = _last_code_cell(self.nb.cells)
        for index, cell in enumerate(self.nb.cells):
            try:
                self.nb_man.cell_start(cell, index)
                self.execute_cell(cell, index)
                if index >= last:
                    limits.finish()
                if limits.ending is not None:
                    raise Stopped
            except CellExecutionError as error:
                # The cell raised. papermill finds the error in the notebook and raises it itself.
                limits.finish()
                self.execution.raised = error
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                break
            except BaseException as error:
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                raise
            finally:
                self._output.end_cell()
                self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)
        else:
            for name in self.execution.objectives:
                self._ask_objective(name)

    def execute_cell(self, cell: Any, index: int) -> Any:
        """Run one cell with the watch beside it. Raises CellExecutionError if the cell fails."""
        if cell.cell_type == "code" and cell.source.strip():
            new = self.execution.injected_is_new
            self.execution.cell = cell_number(self.nb.cells, index, new)
            self._output.start_cell(cell)
        return _run_sync(self._execute_watched, cell, index)

    async def _execute_watched(self, cell: Any, index: int) -> Any:
        watch = asyncio.ensure_future(self._watch())
        flush = asyncio.ensure_future(self.flush_log())
        self.execution.limits.in_cell = True
        try:
            return await self.async_execute_cell(cell, index)
        finally:
            self.execution.limits.in_cell = False
            flush.cancel()
            self.tell_widgets()
            # Also after an interrupt: the cell has ended, so `_end_cell` must not kill the kernel.
            watch.cancel()

    def must_end(self) -> bool:
        """Return whether an ending was decided, so that output is worth no long wait."""
        return self.execution.limits.ending is not None

    # Watch and interrupt ----------------------------------------------------------------------

    async def _watch(self) -> None:
        """Pass metrics on and look at the limits while a cell runs; end the cell at a limit."""
        execution = self.execution
        while execution.limits.check() is None:
            execution.metrics.drain_reports()
            if time.monotonic() > self._next_heartbeat:
                self._next_heartbeat = time.monotonic() + HEARTBEAT_EVERY_S
                execution.metrics.write_heartbeat(execution.usage.sample())
            await asyncio.sleep(WATCH_EVERY_S)
        await self._end_cell()

    async def _end_cell(self) -> None:
        """Save the notebook, and end the cell that runs."""
        # Save first: this process may be killed at any moment now, and then at most the traceback
        # of the interrupt is missing.
        self.nb_man.save()
        # When the cell ends, `_execute_watched` cancels what follows.
        await Interruption(self.km, self.execution.limits.grace, self.execution.log.say).run()

    # Ask the objectives -------------------------------------------------------------------------

    def _ask_objective(self, name: str) -> None:
        """Read an objective from a variable of the notebook, if the notebook did not report it."""
        if name in self.execution.metrics.names:
            return
        if not name.isidentifier() or self.execution.language != PYTHON:
            return
        # The expression is evaluated beside empty code, so that the notebook gets no further cell.
        # float() turns NumPy's and PyTorch's numbers into one that prints as a plain number.
        asked = self.kc.execute(
            "", silent=True, store_history=False, user_expressions={"value": f"float({name})"}
        )
        reply = self.wait_for_reply(asked)["content"]
        answer = reply.get("user_expressions", {}).get("value", {})
        if answer.get("status") != "ok":
            return
        value = _number_in(answer.get("data", {}).get("text/plain", ""))
        if value is not None:
            self.execution.metrics.take({name: value}, strength=REPORTED)

    # End --------------------------------------------------------------------------------------

    def _cleanup_kernel(self) -> None:
        _run_sync(self._end_kernel)

    async def _end_kernel(self) -> None:
        """Ask the kernel to end, wait for SHUTDOWN_S, and let nbclient kill it if it still runs.

        The request goes over the channel that is open. The kernel manager would open another
        channel, and a request on that channel does not always reach the kernel.
        """
        deadline = time.monotonic() + SHUTDOWN_S
        if self.kc is not None and await _awaited(self.km.is_alive()):
            self.kc.shutdown()
            while time.monotonic() < deadline and await _awaited(self.km.is_alive()):
                await asyncio.sleep(0.01)
        await self._async_cleanup_kernel()


def _last_code_cell(cells: list[Any]) -> int:
    """Return the index of the last cell that has code to run; -1 if there is none."""
    found = [i for i, cell in enumerate(cells) if cell.cell_type == "code" and cell.source.strip()]
    return found[-1] if found else -1


def _number_in(text: str) -> float | None:
    """Return the number that Python printed as `text`, like `0.91` or `nan`; None if it is none."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    number = found[1]
    if number in _NOT_FINITE:
        return numbers.decode(_NOT_FINITE[number])
    try:
        return float(number)
    except ValueError:
        return None


async def _awaited(result: Any) -> Any:
    """Return `result`, or what it comes to if it must be awaited.

    Methods of jupyter_client are coroutines in some versions and plain functions in others.
    """
    if inspect.isawaitable(result):
        return await result
    return result


def _run_sync(function: Callable[..., Any], *args: Any) -> Any:
    """Run a coroutine function to its end and return its result."""
    try:
        from jupyter_core.utils import run_sync
    except ImportError:  # nbclient before 0.8
        from nbclient.util import run_sync
    return run_sync(function)(*args)
