"""Turns a process that was forked from the prepared parent into a kernel.

The kernel must not differ from one that was started by its command: in its environment, working
folder, signals, output, random numbers, and in what it does at its end.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import gc
import io
import os
import select
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from jupyter_gridgpu.worker.usage import JOB_VARIABLE

GPUS_VARIABLE = "CUDA_VISIBLE_DEVICES"
F_SETSIG = 10  # fcntl(2); Python has no name for it
# The prepared parent ignores these, since a signal to a whole group is not for it.
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
_JOB_PREFIX = f"{JOB_VARIABLE}=".encode()


class KernelRequest(NamedTuple):
    """A worker's request for a kernel, for the process that becomes this kernel.

    `request` has `argv`, `env` (None removes a variable), `cwd` and `job`. `guard` is the end of a
    pipe whose other end the worker holds open. `log` is the worker's log.
    """

    request: dict[str, Any]
    guard: int
    log: int


class EnvironmentText(NamedTuple):
    """The place in memory of the text that others read as this process's GRIDGPU_JOB."""

    address: int
    length: int


def find_job_text() -> EnvironmentText:
    """Return where the text `GRIDGPU_JOB=...` lies in the environment this process started with.

    Other processes read this memory as /proc/PID/environ. os.environ and putenv change other memory
    only. Raises SystemExit if the variable is missing.
    """
    library = ctypes.CDLL(None)
    texts = ctypes.POINTER(ctypes.c_char_p).in_dll(library, "environ")
    addresses = ctypes.POINTER(ctypes.c_void_p).in_dll(library, "environ")
    index = 0
    while True:
        text = texts[index]
        if text is None:
            raise SystemExit("GRIDGPU_JOB is not in the environment")
        if text.startswith(_JOB_PREFIX):
            return EnvironmentText(int(addresses[index] or 0), len(text))
        index += 1


def become_kernel(kernel: KernelRequest, job_text: EnvironmentText) -> NoReturn:
    """Run this forked process as the kernel that was asked for, until its end."""
    request = kernel.request
    os.setsid()
    _die_with(kernel.guard)
    gpus = request["env"].get(GPUS_VARIABLE)
    _write_job_text(job_text, {JOB_VARIABLE: request["job"], GPUS_VARIABLE: gpus})
    _restore_signals()
    for handle in (1, 2):
        os.dup2(kernel.log, handle)
    os.close(kernel.log)
    _set_variables(request["env"])
    os.chdir(request["cwd"])
    if "numpy.random" in sys.modules:
        # NumPy seeds its generator at import: all kernels would draw the same numbers.
        sys.modules["numpy.random"].seed()
    gc.enable()
    _run_ipykernel(request["argv"])
    _exit()


def _die_with(guard: int) -> None:
    """Have the operating system kill this process's group when the pipe's other end is closed.

    The worker holds that end, and the system closes it however the worker ends. This also kills a
    kernel that is busy in a C library, which a watching thread could not do.
    """
    fcntl.fcntl(guard, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(guard, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(guard, fcntl.F_SETFL, fcntl.fcntl(guard, fcntl.F_GETFL) | os.O_ASYNC)
    # The system sends the signal only for later events; the end may have been closed before.
    if select.select([guard], [], [], 0)[0]:
        os._exit(1)


def _write_job_text(job_text: EnvironmentText, variables: Mapping[str, str | None]) -> None:
    """Write variables over the GRIDGPU_JOB with which the prepared parent was started.

    A forked process shows the environment of the process it was forked from. It needs its own
    GRIDGPU_JOB, by which the worker finds the processes of a job to measure and to kill them.
    """
    text = b""
    for name, value in variables.items():
        if value is not None:
            text += os.fsencode(f"{name}={value}") + b"\0"
    if len(text) > job_text.length:
        # A process that no worker could find must not go on. The worker then starts a kernel from
        # its kernelspec.
        os._exit(1)
    filler = b"_" * (job_text.length - len(text))
    ctypes.memmove(job_text.address, text + filler, job_text.length)


def _restore_signals() -> None:
    """Give signals the handlers with which Python starts: the prepared parent ignores them.

    SIGINT is set to Python's handler by name. Python itself would leave it ignored where it was
    ignored at the start, as in a process that a script starts in the background.
    """
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _set_variables(variables: Mapping[str, str | None]) -> None:
    for name, value in variables.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _run_ipykernel(argv: list[str]) -> None:
    """Run ipykernel's application with these arguments until the kernel is told to end."""
    from ipykernel import kernelapp

    class KernelApp(kernelapp.IPKernelApp):
        """ipykernel's application, which ends its control thread first.

        The control thread flushes through another thread that ends as soon as Python exits, and
        would wait for it until the worker kills the kernel. Without this, one quick kernel in four
        took 5 s to end.
        """

        def start(self) -> None:
            super().start()  # type: ignore[no-untyped-call]
            if self.control_thread and self.control_thread.is_alive():
                self.control_thread.stop()
                self.control_thread.join()

    sys.argv = [str(Path(kernelapp.__file__).parent.parent / "ipykernel_launcher.py"), *argv]
    # A handle of 1 keeps ipykernel from watching for its parent's death: the prepared parent may
    # die while its kernels go on.
    KernelApp.launch_instance(argv=[*argv, "--IPKernelApp.parent_handle=1"])


def _exit() -> NoReturn:
    """End this process as the forked processes of Python's multiprocessing end.

    All exit handlers run. The modules that the prepared parent has imported are not taken apart:
    that would copy the parent's memory, and take 0.2 s with TensorFlow. The notebook's own objects
    end in the usual way: IPython clears its variables at exit, and open files are flushed here.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as Python does
    atexit._run_exitfuncs()
    gc.collect()
    # get_objects() leaves out the prepared parent's objects, which were frozen before the fork.
    for candidate in (sys.__stdout__, sys.__stderr__, *gc.get_objects()):
        if issubclass(type(candidate), io.IOBase):
            with contextlib.suppress(Exception):
                candidate.flush()
    # The C library's exit runs the exit handlers of libraries such as HDF5.
    ctypes.CDLL(None).exit(0)
    raise SystemExit  # never reached
