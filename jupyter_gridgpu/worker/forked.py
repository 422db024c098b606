"""Kernels that are forked from a prepared parent: who starts the parent, and how a worker gets its kernel from it.

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
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from jupyter_gridgpu.store.paths import JobPaths, ScanPaths, read_json
from jupyter_gridgpu.store.process import Process
from jupyter_gridgpu.worker import usage
from jupyter_gridgpu.worker.preload import steps
from jupyter_gridgpu.worker.report import VARIABLE
from jupyter_gridgpu.worker.sender import VARIABLE as SENDER
from jupyter_gridgpu.worker.usage import JOB_VARIABLE

PARENTS = 3  # that may end before their time until kernels are started one by one
ANSWER_S = 330.0  # for all imports of the parent, and a fork
MARK_BYTES = 300  # for a job's folder below that of all jobs, and its GPUs
OWN = (JOB_VARIABLE, VARIABLE, "CUDA_VISIBLE_DEVICES", "JPY_PARENT_PID", "JPY_SESSION_NAME", "PYTHONEXECUTABLE")
GONE = (SENDER, "GRIDGPU_COPY")  # which no kernel is to have
LAUNCHERS = ("ipykernel_launcher", "ipykernel")
NOTEBOOK_BYTES = 100 * 1024 * 1024


class Nest:
    """What a process that forks workers keeps for them: one prepared parent, started with its first job."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._first: tuple[Path, dict[str, Any]] | None = None
        self._started = 0

    def take(self, spec: Path) -> None:
        """See to it that there is a parent when the job of `spec` is forked, if kernels of its scan may be forked."""
        if self._started or sys.platform != "linux":
            return
        self._started = 1
        job = read_json(spec)
        if isinstance(job, dict) and job.get("prefork", True):
            self._first = spec, job
            self._start()

    def ended(self, pid: int, status: int) -> None:
        """Take notice of a child that ended."""
        if current.parent is None or pid != current.parent.pid:
            return
        current.parent.channel.close()
        current.parent = None
        again = self._started < PARENTS
        what = "another one is started" if again else "kernels are started one by one from now on"
        self._say(f"The process that kernels are forked from ended ({_ending(status)}); {what}.")
        if again:
            self._started += 1
            self._start()

    def _start(self) -> None:
        if self._first is None:
            return
        try:
            current.parent = _started(*self._first)
        except Exception as error:
            self._say(f"Kernels are started one by one: {type(error).__name__}: {error}")


class Parent:
    """A prepared parent as the processes know it that may ask it for kernels."""

    def __init__(self, kernel: str, env: dict[str, str], channel: socket.socket, process: subprocess.Popen[bytes]) -> None:
        self.kernel = kernel
        self.env = env
        self.channel = channel
        self.pid = process.pid
        self._process = process  # waited for by whoever waits for all children


class _Current:
    parent: Parent | None = None


current = _Current()  # what a worker finds when it is forked


def _started(spec: Path, job: Mapping[str, Any]) -> Parent | None:
    """Start a parent for jobs like this one; None where there would be no use of it."""
    from jupyter_client.kernelspec import KernelSpecManager

    from jupyter_gridgpu.worker.notebook import kernel_for

    kernel = kernel_for(job["kernel"], job.get("language"), lambda line: None)
    kernelspec = KernelSpecManager().get_kernel_spec(kernel)
    command = _command(kernelspec)
    scan = ScanPaths(JobPaths(spec.absolute().parent).folder.parent.parent)
    notebook = read_json(scan.notebook, NOTEBOOK_BYTES)
    if command is None or not isinstance(notebook, dict) or opted_out(notebook):
        return None
    env = {**os.environ, **{str(k): str(v) for k, v in job.get("env", {}).items()}}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(scan.worker), env.get("PYTHONPATH")]))
    env = {**{name: value for name, value in env.items() if name not in (*OWN, *GONE)}, **kernelspec.env}
    plan = {"steps": steps(notebook, scan.files), "flags": command[1:], "skip": []}
    return _spawned(kernel, command, env, f"{scan.jobs}{os.sep}", plan)


def _spawned(kernel: str, command: list[str], env: dict[str, str], mark: str, plan: dict[str, Any]) -> Parent:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    words = [*command, "-m", "jupyter_gridgpu.worker.parent", str(theirs.fileno())]
    room = {JOB_VARIABLE: mark.ljust(len(mark) + MARK_BYTES, os.sep)}
    with theirs:
        process = subprocess.Popen(
            words, env={**env, **room}, stdin=subprocess.PIPE, pass_fds=[theirs.fileno()], cwd="/", start_new_session=True
        )
    assert process.stdin is not None
    with contextlib.suppress(OSError), process.stdin:
        process.stdin.write(json.dumps(plan).encode())
    return Parent(kernel, env, ours, process)


def opted_out(notebook: Mapping[str, Any]) -> bool:
    """Whether a notebook says in its metadata that its kernels are not to be forked: `"gridgpu": {"prefork": false}`."""
    about = notebook.get("metadata", {}).get("gridgpu")
    return isinstance(about, dict) and about.get("prefork") is False


def _command(kernelspec: Any) -> list[str] | None:
    """The Python of a kernel, and its flags; None for a kernel that is not a plain ipykernel."""
    argv = list(kernelspec.argv)
    at = argv.index("-m") if "-m" in argv else 0
    if not at or argv[at + 1 : at + 2] not in [[name] for name in LAUNCHERS] or kernelspec.metadata.get("kernel_provisioner"):
        return None
    known = {"python", f"python{sys.version_info[0]}", "python{}.{}".format(*sys.version_info[:2])}
    return [sys.executable if argv[0] in known else argv[0], *argv[1:at]]


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


# in the worker --------------------------------------------------------------------------


def provide(manager: Any, log: Callable[[str], None]) -> None:
    """Have a new kernel manager get its kernel from the prepared parent, if there is one for it."""
    if current.parent is not None and current.parent.kernel == manager.kernel_name:
        manager.kernel_id = manager.kernel_id or str(uuid.uuid4())
        manager.provisioner = ForkProvisioner(kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager)
        manager.provisioner.say = log


class ForkProvisioner(LocalProvisioner):
    """jupyter_client's own provisioner, but for how the process comes about."""

    process: Any
    say: Callable[[str], None] = print

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> Any:
        try:
            self.process = _forked(cmd, kwargs["env"], kwargs.get("cwd") or os.getcwd())
        except Exception as error:
            self.say(f"The kernel is started on its own: {error}")
            return await super().launch_kernel(cmd, **kwargs)
        self.pid = self.pgid = self.process.pid
        self.cwd = kwargs.get("cwd")
        return self.connection_info


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


def _forked(cmd: list[str], env: Mapping[str, str], cwd: str) -> ForkedKernel:
    """Ask the prepared parent for a kernel. Raises whatever goes wrong, in words."""
    parent = current.parent
    assert parent is not None
    own = {name: env.get(name) for name in OWN} | {"JPY_PARENT_PID": str(os.getpid())}
    other = {name for name in {*env, *parent.env} - set(OWN) if env.get(name) != parent.env.get(name)}
    if other:
        raise RuntimeError(f"its environment differs from that of the first job in {', '.join(sorted(other))}.")
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
        raise RuntimeError(f"the process that kernels are forked from cannot be asked ({error.strerror}).") from None


def _answer(reading: int) -> Process:
    ready, _, _ = select.select([reading], [], [], ANSWER_S)
    data = os.read(reading, 10_000) if ready else b""
    body = json.loads(data) if data else {}
    process = Process.from_json(body)
    if process is None:
        raise RuntimeError(f"the process that kernels are forked from {body.get('error') or 'does not answer'}.")
    return process
