"""The prepared parent: a process of the kernel's own Python that imports once what every kernel would, and forks kernels.

    python -m jupyter_gridgpu.worker.prefork.parent FD < steps

FD is its end of a channel, on which workers ask for kernels; it ends when nobody holds the other end any more. Nothing is
executed here before a fork but imports. A forked kernel is a session of its own and outlives this process; the operating
system kills it when its worker dies, whatever it does at that moment.
"""

from __future__ import annotations

import array
import atexit
import contextlib
import ctypes
import fcntl
import gc
import importlib
import io
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from jupyter_gridgpu.store.process import process_of
from jupyter_gridgpu.worker.usage import JOB_VARIABLE, adopt_orphans

JOB = f"{JOB_VARIABLE}=".encode()
GPUS = "CUDA_VISIBLE_DEVICES"
IMPORT_S = 300  # for all imports together; then it gives up, and kernels start on their own
TIDY_S = 0.5
MESSAGE_BYTES = 200_000
F_SETSIG = 10  # fcntl(2)
QUIET_THREADS = ("jemalloc_bg_thd",)  # threads that know how to live through a fork
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)
# What a kernel imports while it starts and runs its first cell, beside what ipykernel imports itself.
KERNEL = (
    "ipykernel.kernelapp", "ipykernel.ipkernel", "ipykernel.zmqshell", "ipykernel.debugger", "ipykernel.iostream",
    "ipykernel.parentpoller", "IPython.core.completerlib", "IPython.core.debugger", "IPython.core.logger", "IPython.core.magics",
    "IPython.core.oinspect", "IPython.extensions.storemagic", "IPython.utils.wildcard",
    "tornado.platform.asyncio", "tornado.queues", "encodings.ascii", "encodings.idna", "encodings.latin_1", "faulthandler",
    "pdb", "psutil", "pydoc", "resource", "sqlite3",
)  # fmt: skip


class KernelRequest(NamedTuple):
    """A kernel that was asked for, in the process that becomes it."""

    request: dict[str, Any]
    guard: int  # a pipe that the worker holds open
    log: int


def main() -> None:
    if sys.path[0] in ("", os.getcwd()):
        del sys.path[0]  # as ipykernel's launcher does
    parent = PreparedParent(socket.socket(fileno=int(sys.argv[1])))
    parent.prepare()
    kernel = parent.serve()
    if kernel is not None:
        become(kernel, parent.mark)


class PreparedParent:
    """Imports, then forks."""

    def __init__(self, channel: socket.socket) -> None:
        self.channel = channel
        self.mark = _mark()
        self._words = os.dup(2)
        self._environ = dict(os.environ)
        self._plan = json.loads(sys.stdin.buffer.read())
        for handle in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDWR), handle)

    def say(self, text: str) -> None:
        """Write a line where whoever started this process reads it."""
        with contextlib.suppress(OSError):
            os.write(self._words, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n".encode())

    def prepare(self) -> None:
        """Import what the kernels need; one that takes for ever ends this process."""
        signal.alarm(IMPORT_S)
        adopt_orphans()  # of kernels, so that a job's processes are all found below this one
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        gc.disable()
        for module in KERNEL:
            with contextlib.suppress(ImportError):
                importlib.import_module(module)
        os.environ.setdefault(
            "MPLBACKEND", "module://matplotlib_inline.backend_inline"
        )  # as ipykernel does
        for step in self._plan["steps"]:
            self._take(*step)
        os.environ.clear()
        os.environ.update(self._environ)
        gc.collect()
        gc.freeze()  # children do not copy what they never collect
        signal.alarm(0)

    def _take(self, kind: str, name: str, what: Any) -> None:
        if kind == "set":
            os.environ[name] = what
            return
        if name in self._plan["skip"]:
            return
        try:
            module = importlib.import_module(name)
            for part in what:
                if not hasattr(module, part):
                    importlib.import_module(f"{name}.{part}")
        except Exception as error:
            self.say(
                f"{name} was not imported once for all kernels: {type(error).__name__}: {str(error)[:200]}"
            )
        if why := _unfit():
            self._begin_again(name, why)

    def _begin_again(self, name: str, why: str) -> None:
        """What was imported cannot be forked: become a new process, without it."""
        self.say(f"Each kernel imports {name} itself: {why}.")
        plan = {**self._plan, "skip": [*self._plan["skip"], name]}
        reader, writer = os.pipe()
        os.write(writer, json.dumps(plan).encode())
        os.close(writer)
        os.dup2(reader, 0)
        os.dup2(self._words, 2)
        os.set_inheritable(self.channel.fileno(), True)
        words = [
            sys.executable,
            *self._plan["flags"],
            "-m",
            "jupyter_gridgpu.worker.prefork.parent",
            str(self.channel.fileno()),
        ]
        os.execve(sys.executable, words, self._environ)

    def serve(self) -> KernelRequest | None:
        """Fork a kernel for every request. Returns None when nobody is left to ask, and in a forked process its kernel."""
        while True:
            ready, _, _ = select.select([self.channel], [], [], 0.5)
            _reap()
            if not ready:
                continue
            data, handles = _receive(self.channel)
            if not data:
                return None
            kernel = self._fork(json.loads(data), handles)
            if kernel is not None:
                return kernel

    def _fork(self, request: dict[str, Any], handles: list[int]) -> KernelRequest | None:
        answer, guard, log = handles
        try:
            pid = os.fork()
        except OSError as error:
            _reply(answer, {"error": error.strerror})
            pid = -1
        if pid == 0:
            os.close(answer)
            os.close(self._words)
            self.channel.close()
            return KernelRequest(request, guard, log)
        if pid > 0:
            _reply(answer, process_of(pid).to_json())
        for handle in handles:
            os.close(handle)
        return None


def become(kernel: KernelRequest, mark: tuple[int, int]) -> None:
    """Turn this forked process into a kernel as its own command would have started it."""
    request = kernel.request
    os.setsid()
    _die_with(kernel.guard)
    _write_mark(mark, {JOB_VARIABLE: request["job"], GPUS: request["env"].get(GPUS)})
    for number in SIGNALS:
        signal.signal(
            number, signal.SIG_DFL if number != signal.SIGINT else signal.default_int_handler
        )
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for handle in (1, 2):
        os.dup2(kernel.log, handle)
    os.close(kernel.log)
    for name, value in request["env"].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    os.chdir(request["cwd"])
    if "numpy.random" in sys.modules:  # else all kernels draw the same numbers
        sys.modules["numpy.random"].seed()
    gc.enable()
    _launch(request["argv"])
    _leave()


def _launch(argv: list[str]) -> None:
    """Run ipykernel's application, but for one thing when it ends."""
    from ipykernel import kernelapp

    class App(kernelapp.IPKernelApp):
        def start(self) -> None:
            super().start()  # type: ignore[no-untyped-call]
            # The control thread, which was told to shut down, flushes through a thread that ends as soon as Python exits. It
            # would wait for that one until the worker loses patience (5 s), which one quick kernel in four did.
            if self.control_thread and self.control_thread.is_alive():
                self.control_thread.stop()
                self.control_thread.join()

    sys.argv = [str(Path(kernelapp.__file__).parent.parent / "ipykernel_launcher.py"), *argv]
    App.launch_instance(argv=[*argv, "--IPKernelApp.parent_handle=1"])


def _leave() -> NoReturn:
    """End as the forked processes of Python's multiprocessing do: all that a program asked for at its exit, no more.

    To take apart what the parent has imported would copy its memory, and take 0.2 s with TensorFlow. What the notebook has
    made itself goes the usual way: IPython clears its variables at exit, and whatever file is left open then is flushed.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads, as Python does
    atexit._run_exitfuncs()
    gc.collect()
    for thing in (
        sys.__stdout__,
        sys.__stderr__,
        *gc.get_objects(),
    ):  # the parent's own objects are not among these
        if issubclass(type(thing), io.IOBase):
            with contextlib.suppress(Exception):
                thing.flush()
    ctypes.CDLL(None).exit(0)  # libraries have something to do then, HDF5 for one
    raise SystemExit


def _die_with(guard: int) -> None:
    """Have the operating system kill this process and its group as soon as the other end of a pipe is closed."""
    fcntl.fcntl(guard, fcntl.F_SETOWN, -os.getpid())
    fcntl.fcntl(guard, F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(guard, fcntl.F_SETFL, fcntl.fcntl(guard, fcntl.F_GETFL) | os.O_ASYNC)
    if select.select([guard], [], [], 0)[0]:  # it was closed already
        os._exit(1)


def _mark() -> tuple[int, int]:
    """Where in memory the text begins that others see as this process's GRIDGPU_JOB, and how long it is.

    /proc/PID/environ shows this memory as it is; a forked process writes its own job there, so that it is found by it.
    """
    texts = ctypes.POINTER(ctypes.c_char_p).in_dll(ctypes.CDLL(None), "environ")
    places = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")
    number = 0
    while (text := texts[number]) is not None:
        if text.startswith(JOB):
            return int(places[number] or 0), len(text)
        number += 1
    raise SystemExit("GRIDGPU_JOB is not in the environment")


def _write_mark(mark: tuple[int, int], variables: dict[str, str | None]) -> None:
    address, length = mark
    text = b"".join(
        os.fsencode(f"{name}={value}") + b"\0"
        for name, value in variables.items()
        if value is not None
    )
    if len(text) > length:
        os._exit(1)
    ctypes.memmove(address, text + b"_" * (length - len(text)), length)


def _unfit() -> str | None:
    """Why this process must not be forked, if that is so."""
    chosen = getattr(sys.modules.get("matplotlib.pyplot"), "_backend_mod", None)
    if chosen is not None or "matplotlib_inline.backend_inline" in sys.modules:
        return "it makes matplotlib choose where to draw, which is for each kernel to do"
    if _threads() and _threads_after_fork():
        return "its import starts threads, which a fork does not survive"
    return None


def _threads() -> int:
    """How many threads there are beside this one."""
    count = 0
    for task in os.listdir("/proc/self/task"):
        with contextlib.suppress(OSError):
            count += Path(f"/proc/self/task/{task}/comm").read_text().strip() not in QUIET_THREADS
    return count - 1


def _threads_after_fork() -> int:
    """The same after a fork: some libraries, like OpenBLAS, end their threads for it and start them again when needed."""
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    deadline = time.monotonic() + TIDY_S
    while (count := _threads()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return count


def _receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    """One request and the handles that came with it."""
    handles = array.array("i")
    data, extra, _, _ = channel.recvmsg(
        MESSAGE_BYTES, socket.CMSG_SPACE(8 * handles.itemsize), socket.MSG_CMSG_CLOEXEC
    )
    for level, kind, body in extra:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            handles.frombytes(body[: len(body) - len(body) % handles.itemsize])
    return data, list(handles)


def _reply(handle: int, body: dict[str, Any]) -> None:
    with contextlib.suppress(OSError):
        os.write(handle, json.dumps(body).encode())


def _reap() -> None:
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


if __name__ == "__main__":
    main()
