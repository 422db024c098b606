"""Gets a kernel from the prepared parent by a fork, where jupyter_client would start a process.

If anything fails, the kernel is started as its kernelspec says.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.process import Process
from jupyter_gridgpu.worker import usage
from jupyter_gridgpu.worker.prefork.parent_client import KERNEL_VARIABLES, ParentClient, current
from jupyter_gridgpu.worker.usage import JOB_VARIABLE

ANSWER_S = 330.0  # for all imports of the parent, which has 300 s for them, and a fork
ANSWER_BYTES = 10_000
POLL_S = 0.01
STANDARD_OUTPUT = 1  # the worker's log


class ForkProvisioner(LocalProvisioner):
    """jupyter_client's own provisioner, except that the kernel's process is forked."""

    process: Any
    log_line: Callable[[str], None] = print

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        """Fork the kernel, or start it if that fails; return how to connect to it."""
        try:
            folder = kwargs.get("cwd") or os.getcwd()
            self.process = fork_kernel(cmd, kwargs["env"], folder)
        except Exception as error:
            self.log_line(f"The kernel is started on its own: {error}")
            return await super().launch_kernel(cmd, **kwargs)
        # A forked kernel leads its own session, so its group has its number.
        self.pid = self.process.pid
        self.pgid = self.process.pid
        self.cwd = kwargs.get("cwd")
        return self.connection_info

    async def terminate(self, restart: bool = False) -> None:
        """End the kernel by a signal, with a line in the log.

        jupyter_client calls this only after the kernel did not end when it was asked to.
        """
        self.log_line("The kernel did not end when it was asked to, and is ended.")
        await super().terminate(restart)


class ForkedKernel:
    """A forked kernel, with those methods of a Popen that jupyter_client uses.

    The kernel is no child of this process, so its exit code is unknown; 1 stands for every code.
    """

    stdin = stdout = stderr = None

    def __init__(self, process: Process, guard: int) -> None:
        self.pid = process.pid
        self._process = process
        # A pipe's end. When it is closed, by whatever ends this worker, the kernel is killed.
        self._guard = guard

    def poll(self) -> int | None:
        """Return None while the kernel runs, then 1."""
        if self._process.alive():
            return None
        return 1

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the kernel's end. Raises TimeoutExpired after `timeout` seconds."""
        deadline = None
        if timeout is not None:
            deadline = time.monotonic() + timeout
        while self.poll() is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
            time.sleep(POLL_S)
        return 1

    def send_signal(self, number: int) -> None:
        """Send a signal to the kernel, unless it has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)


def fork_kernel(command: list[str], env: Mapping[str, str], folder: str) -> ForkedKernel:
    """Ask the prepared parent for a kernel that runs in `folder` with the environment `env`.

    `command` is the kernelspec's, with its flags and the connection file. Raises RuntimeError with
    a sentence about the parent, or OSError.
    """
    parent = current.parent
    assert parent is not None
    _check_environment(parent, env)
    kernel_env = {name: env.get(name) for name in KERNEL_VARIABLES}
    # jupyter_client sets this variable for the kernels that it starts; a notebook may read it.
    kernel_env["JPY_PARENT_PID"] = str(os.getpid())
    request = {
        "argv": command[command.index("-m") + 2 :],
        "env": kernel_env,
        "cwd": str(folder),
        "job": env[JOB_VARIABLE],
    }
    # The parent answers on the first pipe; the second one ties the kernel to this process.
    with _Pipe() as answer, _Pipe() as tie:
        handles = [answer.writer, tie.reader, STANDARD_OUTPUT]
        _send(parent.channel, json.dumps(request).encode(), handles)
        # Now only the parent can write, so its death is read as the end of the answer.
        answer.close_writer()
        process = _receive(answer.reader)
        guard = tie.detach_writer()
    usage.include_forks_of(parent.pid)
    return ForkedKernel(process, guard)


class _Pipe:
    """A pipe whose two ends are closed at the end of a `with` block."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()

    def __enter__(self) -> _Pipe:
        return self

    def __exit__(self, *exception: object) -> None:
        os.close(self.reader)
        self.close_writer()

    def close_writer(self) -> None:
        """Close the end to write to, if it is still open."""
        if self.writer >= 0:
            os.close(self.detach_writer())

    def detach_writer(self) -> int:
        """Return the end to write to, which the block does not close any more."""
        writer, self.writer = self.writer, -1
        return writer


def _check_environment(parent: ParentClient, env: Mapping[str, str]) -> None:
    """Raise RuntimeError if modules might have been imported differently with `env`."""
    names = {*env, *parent.env} - set(KERNEL_VARIABLES)
    different = sorted(name for name in names if env.get(name) != parent.env.get(name))
    if different:
        raise RuntimeError(
            f"its environment differs from that of the first job in {', '.join(different)}."
        )


def _send(channel: socket.socket, data: bytes, handles: list[int]) -> None:
    try:
        channel.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", handles))])
    except OSError as error:
        raise RuntimeError(
            f"the process that kernels are forked from cannot be asked ({error.strerror})."
        ) from None


def _receive(reader: int) -> Process:
    """Return the kernel's process, as the parent names it on a pipe."""
    # The parent may still import for its first kernel; the request waits in the socket until then.
    ready, _, _ = select.select([reader], [], [], ANSWER_S)
    data = b""
    if ready:
        data = os.read(reader, ANSWER_BYTES)
    body = None
    with contextlib.suppress(ValueError):
        body = parse_json(data)
    if not isinstance(body, dict):
        body = {}
    process = Process.from_json(body)
    if process is None:
        why = body.get("error") or "does not answer"
        raise RuntimeError(f"the process that kernels are forked from {why}.")
    return process
