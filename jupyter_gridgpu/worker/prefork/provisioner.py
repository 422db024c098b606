"""A kernel that a worker gets from the prepared parent, by a fork, instead of starting it.

Whatever does not work here ends in a kernel that is started as its kernelspec says.
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

from jupyter_gridgpu.store.process import Process
from jupyter_gridgpu.worker import usage
from jupyter_gridgpu.worker.prefork.starting import OWN, current
from jupyter_gridgpu.worker.usage import JOB_VARIABLE

ANSWER_S = 330.0  # for all imports of the parent, and a fork


class ForkProvisioner(LocalProvisioner):
    """jupyter_client's own provisioner, but for how the process comes about."""

    process: Any
    say: Callable[[str], None] = print

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        try:
            self.process = forked_kernel(cmd, kwargs["env"], kwargs.get("cwd") or os.getcwd())
        except Exception as error:
            self.say(f"The kernel is started on its own: {error}")
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs.get("cwd")
        return self.connection_info

    async def terminate(self, restart: bool = False) -> None:
        self.say("The kernel did not end when it was asked to, and is ended.")
        await super().terminate(restart)


class ForkedKernel:
    """A forked kernel, with as much of a Popen as jupyter_client uses."""

    stdin = stdout = stderr = None

    def __init__(self, process: Process, guard: int) -> None:
        self.pid = process.pid
        self._process = process
        self._guard = guard  # closed, by whatever ends this worker, it ends the kernel

    def poll(self) -> int | None:
        return None if self._process.alive() else 1

    def wait(self, timeout: float | None = None) -> int:
        deadline = None if timeout is None else time.monotonic() + timeout
        while self.poll() is None:
            if deadline is not None and time.monotonic() > deadline:
                raise subprocess.TimeoutExpired("kernel", timeout or 0.0)
            time.sleep(0.01)
        return 1

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def forked_kernel(cmd: list[str], env: Mapping[str, str], cwd: str) -> ForkedKernel:
    """Ask the prepared parent for a kernel. Raises whatever goes wrong, in words."""
    parent = current.parent
    assert parent is not None
    own = {name: env.get(name) for name in OWN} | {"JPY_PARENT_PID": str(os.getpid())}
    other = {
        name for name in {*env, *parent.env} - set(OWN) if env.get(name) != parent.env.get(name)
    }
    if other:
        raise RuntimeError(
            f"its environment differs from that of the first job in {', '.join(sorted(other))}."
        )
    at = cmd.index("-m") + 2
    request = {"argv": cmd[at:], "env": own, "cwd": str(cwd), "job": env[JOB_VARIABLE]}
    held, guard = None, -1
    reading, writing = os.pipe()
    try:
        held, guard = os.pipe()
        _send(parent.channel, json.dumps(request).encode(), [writing, held, 1])
        os.close(writing)
        writing = -1
        process = _answer(reading)
    except BaseException:
        if guard >= 0:
            os.close(guard)
        raise
    finally:
        for handle in (reading, writing, held):
            if handle is not None and handle >= 0:
                os.close(handle)
    usage.forked_below(parent.pid)
    return ForkedKernel(process, guard)


def _send(channel: socket.socket, data: bytes, handles: list[int]) -> None:
    try:
        channel.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", handles))])
    except OSError as error:
        raise RuntimeError(
            f"the process that kernels are forked from cannot be asked ({error.strerror})."
        ) from None


def _answer(reading: int) -> Process:
    ready, _, _ = select.select([reading], [], [], ANSWER_S)
    data = os.read(reading, 10_000) if ready else b""
    body = json.loads(data) if data else {}
    process = Process.from_json(body)
    if process is None:
        raise RuntimeError(
            f"the process that kernels are forked from {body.get('error') or 'does not answer'}."
        )
    return process
