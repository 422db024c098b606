"""Executes one notebook through papermill, with an engine and a file handler of our own."""

from __future__ import annotations

import contextlib
import functools
import json
from pathlib import Path
from typing import Any

import nbformat
import papermill.execute
from jupyter_client.kernelspec import KernelSpecManager
from nbformat.validator import get_validator
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillException
from papermill.iorw import LocalHandler, papermill_io
from papermill.translators import papermill_translators
from traitlets.config import Config

from jupyter_gridgpu.store.opener import read_bounded
from jupyter_gridgpu.store.paths import NOTEBOOK_BYTES, write_atomic
from jupyter_gridgpu.worker.disk_retry import retry_while_disk_is_away
from jupyter_gridgpu.worker.failures import UnknownLanguage
from jupyter_gridgpu.worker.kernelspecs import notebook_language
from jupyter_gridgpu.worker.papermill_import import literal_path
from jupyter_gridgpu.worker.sound_notebook import (
    FAILING_TAG,
    allows_errors,
    encodable,
    has_injected_cell,
    sound_notebook,
)
from jupyter_gridgpu.worker.usage import die_with_parent
from jupyter_gridgpu.worker.watched_client import Execution, WatchedClient

AUTOSAVE_EVERY_S = 5
FORMAT_MINORS = (4, 5)  # minor versions of notebook format 4 that are in use
ENGINE = "gridgpu"  # papermill's name for our engine


class AtomicHandler(LocalHandler):  # type: ignore[misc]
    """Reads notebooks as they are, and writes them so that a reader never sees half of one.

    papermill's own handler writes into the file that is being read.
    """

    def read(self, path: str) -> str:
        """Return the text of a notebook with sound metadata. Raises OSError and ValueError."""
        return json.dumps(sound_notebook(read_bounded(path, NOTEBOOK_BYTES)))

    def write(self, buf: str, path: str) -> None:
        """Write the text of a notebook. Raises OSError when the disk is full for too long."""
        retry_while_disk_is_away(functools.partial(write_atomic, Path(path), encodable(buf)))


class WatchedEngine(Engine):  # type: ignore[misc]
    """The engine that papermill calls. It runs the cells with a WatchedClient."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Any,
        kernel_name: str,
        *,
        execution: Execution,
        start_timeout: int = 60,
        **options: Any,
    ) -> None:
        """Run the notebook that `nb_man` manages; papermill passes `execution` on from execute().

        The job's provenance goes into the notebook's metadata, so that it travels with the file.
        """
        # No timeout of one cell: a training may take days, and Limits keeps the walltime.
        client = WatchedClient(
            nb_man,
            execution=execution,
            kernel_name=kernel_name,
            startup_timeout=start_timeout,
            timeout=None,
            config=_connection(kernel_name, execution.scratch),
        )
        provenance = execution.provenance
        nb_man.nb.metadata["gridgpu"] = provenance.facts
        try:
            # A kernel must not outlive its worker, which alone knows when it has to end.
            client.execute(preexec_fn=die_with_parent)
        finally:
            language = nb_man.nb.metadata.get("language_info")
            nb_man.nb.metadata["gridgpu"] = provenance.finish(language)


@functools.cache
def prepare() -> None:
    """Register our engine and file handler with papermill; import and compile what jobs need.

    Only the first call in a process does this. A process that forks workers calls the function
    before the first fork, so that the workers need not do the same again.
    """
    # Without psutil, usage is not measured, and the job runs all the same.
    with contextlib.suppress(ImportError):
        import psutil  # noqa: F401

    KernelSpecManager().find_kernel_specs()  # imports IPython
    for minor in FORMAT_MINORS:
        get_validator(nbformat.v4.nbformat, minor)  # compiles a schema
    papermill_engines.register(ENGINE, WatchedEngine)
    # papermill takes the first handler that fits a path, so its own handlers are removed.
    papermill_io.reset()
    papermill_io.register("local", AtomicHandler())
    papermill.execute.raise_for_execution_errors = functools.partial(
        _raise_for_errors, papermill.execute.raise_for_execution_errors
    )


def execute(
    source: Path,
    output: Path,
    params: dict[str, Any],
    kernel: str,
    folder: Path,
    execution: Execution,
) -> None:
    """Execute the notebook `source` with `params` in `folder`, and write it to `output`.

    Raises what papermill, nbclient or the kernel's start raise, UnknownLanguage, and Stopped.
    """
    body = sound_notebook(read_bounded(source, NOTEBOOK_BYTES))
    execution.injected_is_new = not has_injected_cell(body)
    execution.language = notebook_language(body["metadata"], kernel)
    if params and not _can_write_parameters(kernel, execution.language):
        raise UnknownLanguage(execution.language)
    # papermill hands keywords that it does not know, here `execution`, on to the engine.
    papermill.execute_notebook(
        literal_path(source),
        literal_path(output),
        params,
        engine_name=ENGINE,
        kernel_name=kernel,
        language=execution.language,
        cwd=str(folder),
        progress_bar=False,
        log_output=False,
        autosave_cell_every=AUTOSAVE_EVERY_S,
        execution=execution,
    )


def _raise_for_errors(verdict: Any, notebook: Any, output_path: str) -> None:
    """Give papermill's verdict on an executed notebook, unless only cells failed that may fail.

    papermill itself looks at the outputs alone, and an error that is expected is one of them.
    """
    every_cell = allows_errors(notebook.metadata)
    for cell in notebook.cells:
        may_fail = every_cell or FAILING_TAG in cell.metadata.get("tags", [])
        has_failed = cell.metadata.get("papermill", {}).get("exception") is True
        has_error = any(output.output_type == "error" for output in cell.get("outputs", []))
        if has_failed or (has_error and not may_fail):
            verdict(notebook, output_path)
            return


def _can_write_parameters(kernel: str, language: str) -> bool:
    try:
        papermill_translators.find_translator(kernel, language)
    except PapermillException:
        return False
    return True


def _connection(kernel_name: str, scratch: Path) -> Config:
    """Return the configuration of the kernel's connection: sockets in `scratch`, or TCP.

    ipykernel can use sockets of the file system (`ipc`), which only this user can open and which
    no other kernel can take; TCP ports may be taken by a kernel that starts at the same moment. The
    folder must have a short path: a path of a socket has at most 107 characters. Kernels of other
    languages may not know `ipc` (that of R does not), so they get TCP. In both cases each job has
    its own connection file; otherwise clients could connect to kernels of other jobs.
    """
    config = Config()
    config.KernelManager.connection_file = f"{scratch}/k.json"
    command = KernelSpecManager().get_kernel_spec(kernel_name).argv
    if any("ipykernel" in argument for argument in command):
        config.KernelManager.transport = "ipc"
    else:
        # No other machine may reach the ports; other users of this one lack the key, which is in
        # the connection file, in a folder that only this user may enter.
        config.KernelManager.ip = "127.0.0.1"
    return config
