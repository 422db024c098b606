"""One notebook through papermill: its cells run in a kernel, its output is read as it comes, it can be ended early.

Everything happens in one thread: while a cell runs, `_watch` runs beside it in the same event loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import queue
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
from jupyter_client.kernelspec import KernelSpecManager
from nbclient.exceptions import CellExecutionError
from nbformat.validator import get_validator
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.iorw import LocalHandler, papermill_io
from traitlets.config import Config

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.store.paths import write_atomic
from jupyter_gridgpu.worker.disk_retry import patiently
from jupyter_gridgpu.worker.limits import Limits
from jupyter_gridgpu.worker.metrics.lines import TerminalLines
from jupyter_gridgpu.worker.metrics.recorder import MetricsRecorder
from jupyter_gridgpu.worker.papermill_import import literal_path
from jupyter_gridgpu.worker.prefork import starting
from jupyter_gridgpu.worker.provenance import Provenance
from jupyter_gridgpu.worker.usage import UsageSampler, die_with_parent

WATCH_S = 0.02
BEAT_S = 20.0
INTERRUPT_S = 3.0
GOODBYE_S = 2.0
AUTOSAVE_S = 5
MINORS = (4, 5)  # of the notebook format, that people have
OUTPUT_LIMIT = (
    8 * 1024 * 1024
)  # characters of printed output that one cell may leave in the notebook


@dataclass
class Execution:
    """What one execution works with; handed to papermill's engine as a keyword."""

    metrics: MetricsRecorder
    limits: Limits
    usage: UsageSampler
    objective: str | None
    log: Callable[[str], None]
    scratch: Path  # short and on this node: the paths of sockets have 107 characters
    provenance: Provenance
    cell: int | None = None  # the cell that runs or ran last, as In [n] counts


class AtomicHandler(LocalHandler):  # type: ignore[misc]
    """Writes notebooks so that a reader never sees half of one, and waits where the disk is full."""

    def write(self, buf: str, path: str) -> None:
        patiently(functools.partial(write_atomic, Path(path), buf))


class WatchedClient(PapermillNotebookClient):  # type: ignore[misc]
    """papermill's client, with live metrics and an early end."""

    def __init__(self, *args: Any, run: Execution, **more: Any) -> None:
        super().__init__(*args, **more)
        self.run = run
        self._lines: dict[str, TerminalLines] = {}
        self._printed = 0
        self._next_beat = 0.0
        self.nb_man.save = self._save

    def _save(self, **more: Any) -> None:
        """Save what there is, as papermill asks for again and again; where the disk refuses, leave it to the next time.

        papermill saves where it reads outputs, too: an error would end the reading, unseen.
        """
        try:
            write_atomic(Path(self.nb_man.output_path), nbformat.writes(self.nb_man.nb))
        except OSError as error:
            self.run.log(f"The notebook was not saved now: {error.strerror}.")

    def create_kernel_manager(self) -> Any:
        manager = super().create_kernel_manager()
        starting.provide(manager, self.run.log)
        return manager

    def start_new_kernel_client(self) -> Any:
        return _run_sync(self._connect)

    async def _connect(self) -> Any:
        """Connect to the new kernel; jupyter_client's own way then listens for 0.2 s for what nobody waits for."""
        self.kc = self.km.client()
        await _awaited(self.kc.start_channels())
        self.kc.allow_stdin = False
        deadline = time.monotonic() + self.startup_timeout
        while not await self._answers():
            if not await _awaited(self.km.is_alive()):
                raise RuntimeError("The kernel died before it was ready")
            if time.monotonic() > deadline:
                raise RuntimeError(f"The kernel was not ready within {self.startup_timeout} s")
        return self.kc

    async def _answers(self) -> bool:
        """Ask the kernel who it is; whether it answered and its output can be heard."""
        self.kc.kernel_info()
        with contextlib.suppress(queue.Empty):
            await _awaited(self.kc.shell_channel.get_msg(timeout=1))
            await _awaited(self.kc.iopub_channel.get_msg(timeout=0.2))
            return True
        return False

    def _cleanup_kernel(self) -> None:
        _run_sync(self._end_kernel)

    async def _end_kernel(self) -> None:
        """Ask the kernel to end on the channel that is open: the manager opens another, which is not always heard."""
        deadline = time.monotonic() + GOODBYE_S
        if self.kc is not None and await _awaited(self.km.is_alive()):
            self.kc.shutdown()
            while time.monotonic() < deadline and await _awaited(self.km.is_alive()):
                await asyncio.sleep(0.01)
        await self._async_cleanup_kernel()

    def papermill_execute_cells(self) -> None:
        """Run the cells; the one that failed, or during which the kernel died, is marked as failed, the rest not run."""
        for index, cell in enumerate(self.nb.cells):
            try:
                self.nb_man.cell_start(cell, index)
                self.execute_cell(cell, index)
            except CellExecutionError as error:
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                break
            except BaseException as error:
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                raise
            finally:
                self._end_lines()
                self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)
        else:
            self._ask_objective()

    def execute_cell(self, cell: Any, index: int) -> Any:
        if cell.cell_type == "code" and cell.source.strip():
            self.run.cell = self.code_cells_executed + 1
            self._printed = 0
        return _run_sync(self._watched, cell, index)

    async def _watched(self, cell: Any, index: int) -> Any:
        watch = asyncio.ensure_future(self._watch())
        self.run.limits.in_cell = True
        try:
            return await self.async_execute_cell(cell, index)
        finally:
            self.run.limits.in_cell = False
            watch.cancel()

    async def _watch(self) -> None:
        """Beside a running cell: pass metrics on, look at the limits, end the cell when one is reached."""
        while self.run.limits.check() is None:
            self.run.metrics.drain_reports()
            if time.monotonic() > self._next_beat:
                self._next_beat = time.monotonic() + BEAT_S
                self.run.metrics.heartbeat(self.run.usage.sample())
            await asyncio.sleep(WATCH_S)
        self.nb_man.save()
        await _settled(self.km.interrupt_kernel())
        await asyncio.sleep(INTERRUPT_S)
        await _settled(self.km.shutdown_kernel(now=True))

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        kind, content = msg["msg_type"], msg["content"]
        if kind == "stream" and not self._stream(content["name"], content["text"]):
            return None
        if kind in ("display_data", "execute_result"):
            self.run.metrics.glued(content.get("data", {}))
        return super().process_message(msg, cell, cell_index)

    def _stream(self, name: str, text: str) -> bool:
        """Read printed text; whether it still belongs into the notebook."""
        for line in self._lines.setdefault(name, TerminalLines()).feed(text):
            self._line(line)
        before, self._printed = self._printed, self._printed + len(text)
        if self._printed <= OUTPUT_LIMIT:
            return True
        if before <= OUTPUT_LIMIT:
            self.run.log(
                f"Cell {self.run.cell} printed more than {OUTPUT_LIMIT // 2**20} MB; the rest is not kept."
            )
        return False

    def _line(self, line: str) -> None:
        self.run.log(line)
        self.run.metrics.printed(line)

    def _end_lines(self) -> None:
        for lines in self._lines.values():
            if line := lines.rest():
                self._line(line)
        self.run.metrics.drain_reports()

    def _ask_objective(self) -> None:
        """Read the objective as a variable of the notebook, if nobody reported it."""
        name = self.run.objective
        if (
            name is None
            or name in self.run.metrics.names
            or not name.isidentifier()
            or not _is_python(self.nb)
        ):
            return
        asked = self.kc.execute(
            "", silent=True, store_history=False, user_expressions={"v": f"float({name})"}
        )
        answer = self.wait_for_reply(asked)["content"].get("user_expressions", {}).get("v", {})
        value = _literal(answer.get("data", {}).get("text/plain", ""))
        if answer.get("status") == "ok" and value is not None:
            self.run.metrics.take({name: value}, strength=2)


class WatchedEngine(Engine):  # type: ignore[misc]
    """The engine papermill calls; `run` comes through execute_notebook's keywords."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, run: Execution, start_timeout: int = 60, **more: Any
    ) -> None:
        client = WatchedClient(
            nb_man, run=run, kernel_name=kernel_name, startup_timeout=start_timeout, timeout=None,
            config=_transport(kernel_name, run.scratch),
        )  # fmt: skip
        nb_man.nb.metadata["gridgpu"] = run.provenance.about
        try:
            client.execute(preexec_fn=die_with_parent)
        finally:
            nb_man.nb.metadata["gridgpu"] = run.provenance.finish(
                nb_man.nb.metadata.get("language_info")
            )


@functools.cache
def prepare() -> None:
    """Teach papermill our engine and atomic saves, and have what every job needs at hand; once a process."""
    with contextlib.suppress(ImportError):
        import psutil  # noqa: F401

    KernelSpecManager().find_kernel_specs()  # imports IPython
    for minor in MINORS:
        get_validator(nbformat.v4.nbformat, minor)  # compiles a schema
    papermill_engines.register("gridgpu", WatchedEngine)
    papermill_io.reset()
    papermill_io.register("local", AtomicHandler())


def execute(
    source: Path, output: Path, params: dict[str, Any], kernel: str, folder: Path, run: Execution
) -> None:
    """Execute a notebook with papermill. Raises what papermill, nbclient or the kernel's start raise."""
    papermill.execute_notebook(
        literal_path(source), literal_path(output), params, engine_name="gridgpu", kernel_name=kernel, cwd=str(folder),
        progress_bar=False, log_output=False, autosave_cell_every=AUTOSAVE_S, run=run,
    )  # fmt: skip


def _transport(kernel_name: str, folder: Path) -> Config:
    """ipc for ipykernel, whose sockets then belong to this job alone; TCP for others, which may not know ipc."""
    config = Config()
    config.KernelManager.connection_file = f"{folder}/k.json"
    if any("ipykernel" in word for word in KernelSpecManager().get_kernel_spec(kernel_name).argv):
        config.KernelManager.transport = "ipc"
    return config


def _is_python(nb: Any) -> bool:
    return bool(nb.metadata.get("kernelspec", {}).get("language", "python") == "python")


def _literal(text: str) -> float | None:
    """The number in a repr like `0.91`, `nan`, or NumPy's `np.float64(0.91)`."""
    found = re.fullmatch(r"(?:np\.\w+\()?(-?[\w.+-]+)\)?", text)
    word = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}.get(found[1], "") if found else ""
    try:
        return numbers.decode(word) if word else float(found[1]) if found else None
    except ValueError:
        return None


async def _awaited(result: Any) -> Any:
    """Return what may be a value or a coroutine of it: jupyter_client has both kinds of manager."""
    return await result if inspect.isawaitable(result) else result


async def _settled(result: Any) -> None:
    """Await what may be a coroutine and let its failure be: the end comes anyway."""
    try:
        await _awaited(result)
    except Exception:
        return


def _run_sync(function: Callable[..., Any], *args: Any) -> Any:
    try:
        from jupyter_core.utils import run_sync
    except ImportError:  # nbclient before 0.8
        from nbclient.util import run_sync
    return run_sync(function)(*args)
