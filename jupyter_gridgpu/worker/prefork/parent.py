"""The prepared parent: imports once what every kernel of a scan would import, and forks kernels.

    python -m jupyter_gridgpu.worker.prefork.parent HANDLE < plan

It runs in the kernel's own Python. HANDLE is its end of a socket on which workers ask for kernels.
It ends when no process holds the other end any more. Before a fork, it only imports modules: a
process that has computed something with TensorFlow hangs after a fork. A forked kernel leads its
own session and outlives this process; it is killed when its worker ends.
"""

from __future__ import annotations

import array
import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.process import process_of
from jupyter_gridgpu.worker.prefork.fork_safety import why_unfit
from jupyter_gridgpu.worker.prefork.forked_kernel import (
    SIGNALS,
    KernelRequest,
    become_kernel,
    find_job_text,
)
from jupyter_gridgpu.worker.usage import adopt_orphans

MODULE = "jupyter_gridgpu.worker.prefork.parent"
IMPORT_S = 300  # for all imports together; then this process ends, and kernels start on their own
REAP_EVERY_S = 0.5
REQUEST_BYTES = 200_000
HANDLES = 8  # that come with one request, at most
# What a kernel imports while it starts and runs its first cell, beside what ipykernel imports.
KERNEL_MODULES = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipykernel.debugger",
    "ipykernel.iostream",
    "ipykernel.parentpoller",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.logger",
    "IPython.core.magics",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "IPython.utils.wildcard",
    "tornado.platform.asyncio",
    "tornado.queues",
    "encodings.ascii",
    "encodings.idna",
    "encodings.latin_1",
    "faulthandler",
    "pdb",
    "psutil",
    "pydoc",
    "resource",
    "sqlite3",
)


def main() -> None:
    """Prepare this process and fork kernels; a forked process becomes its kernel here."""
    # `python -m` puts the working folder first; the notebook does not import modules from there.
    if sys.path[0] in ("", os.getcwd()):
        del sys.path[0]
    job_text = find_job_text()
    parent = PreparedParent(socket.socket(fileno=int(sys.argv[1])))
    parent.prepare()
    kernel = parent.serve()
    if kernel is not None:
        become_kernel(kernel, job_text)


class PreparedParent:
    """Imports what its plan says, then forks a kernel for each request.

    The plan is a JSON object on standard input. `actions` is a list of ["set", VARIABLE, value] and
    ["import", MODULE, [names]] in the order of the notebook. `flags` are those of this Python.
    `skip` names the modules after whose import a process cannot be forked.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._log_handle = os.dup(2)
        self._environ = dict(os.environ)
        self._plan = parse_json(sys.stdin.buffer.read())
        # What modules print at their import belongs to no job.
        for handle in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), handle)

    def prepare(self) -> None:
        """Import what the kernels need. If that takes too long, SIGALRM ends this process."""
        signal.alarm(IMPORT_S)
        # Orphans of kernels stay below this process, where a job's processes are looked for.
        adopt_orphans()
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        gc.disable()
        for name in KERNEL_MODULES:
            with contextlib.suppress(ImportError):
                importlib.import_module(name)
        # ipykernel sets this when it starts, which is before a notebook imports matplotlib.
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        for action in self._plan["actions"]:
            self._take_action(*action)
        # Each notebook sets its variables itself, at their place in its cells.
        os.environ.clear()
        os.environ.update(self._environ)
        gc.collect()
        # A collection in a kernel would write to all objects, and so copy the parent's memory.
        gc.freeze()
        signal.alarm(0)

    def serve(self) -> KernelRequest | None:
        """Fork a kernel for every request until no process is left that could ask.

        Returns None at that end. In each forked process, returns the kernel that the process has to
        become.
        """
        while True:
            ready, _, _ = select.select([self._channel], [], [], REAP_EVERY_S)
            _reap()
            if not ready:
                continue
            data, handles = _receive(self._channel)
            if not data:
                return None
            kernel = self._fork(parse_json(data), handles)
            if kernel is not None:
                return kernel

    def _take_action(self, kind: str, name: str, argument: Any) -> None:
        """Set a variable, or import a module with those of its names that are modules too."""
        if kind == "set":
            os.environ[name] = argument
            return
        if name in self._plan["skip"]:
            return
        try:
            _import(name, argument)
        except Exception as error:
            # The notebook will meet the same error, or catch it.
            what = f"{type(error).__name__}: {str(error)[:200]}"
            self._log(f"{name} was not imported once for all kernels: {what}")
        why = why_unfit()
        if why:
            self._restart_without(name, why)

    def _restart_without(self, name: str, why: str) -> None:
        """Become a new process that does not import `name`: an import cannot be undone."""
        self._log(f"Each kernel imports {name} itself: {why}.")
        plan = {**self._plan, "skip": [*self._plan["skip"], name]}
        reader, writer = os.pipe()
        os.write(writer, json.dumps(plan).encode())
        os.close(writer)
        os.dup2(reader, 0)
        os.dup2(self._log_handle, 2)
        os.set_inheritable(self._channel.fileno(), True)
        handle = str(self._channel.fileno())
        argv = [sys.executable, *self._plan["flags"], "-m", MODULE, handle]
        os.execve(sys.executable, argv, self._environ)

    def _fork(self, request: dict[str, Any], handles: list[int]) -> KernelRequest | None:
        """Fork a kernel and tell the worker its process. Returns None in the parent.

        `handles` came from the worker: a pipe for the answer, the guard, and the log.
        """
        answer, guard, log = handles
        try:
            pid = os.fork()
        except OSError as error:
            _reply(answer, {"error": error.strerror})
            pid = -1
        if pid == 0:
            os.close(answer)
            os.close(self._log_handle)
            self._channel.close()
            return KernelRequest(request, guard, log)
        if pid > 0:
            _reply(answer, process_of(pid).to_json())
        for handle in handles:
            os.close(handle)
        return None

    def _log(self, text: str) -> None:
        """Write a line into the log of the process that started this one."""
        with contextlib.suppress(OSError):
            line = f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n"
            os.write(self._log_handle, line.encode())


def _import(name: str, parts: Sequence[str]) -> None:
    """Do `from NAME import PARTS`, where some of the parts may be modules."""
    module = importlib.import_module(name)
    for part in parts:
        if not hasattr(module, part):
            importlib.import_module(f"{name}.{part}")


def _receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    """Return one request and the handles that came with it; b"" at the end of the channel."""
    handles = array.array("i")
    space = socket.CMSG_SPACE(HANDLES * handles.itemsize)
    data, ancillary, _, _ = channel.recvmsg(REQUEST_BYTES, space, socket.MSG_CMSG_CLOEXEC)
    for level, kind, body in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            handles.frombytes(body[: len(body) - len(body) % handles.itemsize])
    return data, list(handles)


def _reply(handle: int, body: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):  # the worker has just ended
        os.write(handle, json.dumps(body).encode())


def _reap() -> None:
    """Let the system forget kernels that have ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    main()
