"""The prepared parent of a scan's kernels: who starts it, and which worker finds it.

Whatever does not work here ends in kernels that are started as their kernelspec says.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_gridgpu.store.paths import JobPaths, ScanPaths, read_json
from jupyter_gridgpu.worker.metrics.report import VARIABLE
from jupyter_gridgpu.worker.metrics.sender import VARIABLE as SENDER
from jupyter_gridgpu.worker.prefork.imports import steps
from jupyter_gridgpu.worker.usage import JOB_VARIABLE

PARENTS = 3  # that may end before their time until kernels are started one by one
MARK_BYTES = 300  # for a job's folder below that of all jobs, and its GPUs
OWN = (
    JOB_VARIABLE,
    VARIABLE,
    "CUDA_VISIBLE_DEVICES",
    "JPY_PARENT_PID",
    "JPY_SESSION_NAME",
    "PYTHONEXECUTABLE",
)
GONE = (SENDER, "GRIDGPU_COPY")  # which no kernel is to have
LAUNCHERS = ("ipykernel_launcher", "ipykernel")
NOTEBOOK_BYTES = 100 * 1024 * 1024


class ParentStarter:
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


class ParentClient:
    """A prepared parent as the processes know it that may ask it for kernels."""

    def __init__(
        self,
        kernel: str,
        env: dict[str, str],
        channel: socket.socket,
        process: subprocess.Popen[bytes],
    ) -> None:
        self.kernel = kernel
        self.env = env
        self.channel = channel
        self.pid = process.pid
        self._process = process  # waited for by whoever waits for all children


class _Current:
    parent: ParentClient | None = None


current = _Current()  # what a worker finds when it is forked


def _started(spec: Path, job: Mapping[str, Any]) -> ParentClient | None:
    """Start a parent for jobs like this one; None where there would be no use of it."""
    import jupyter_client.provisioning  # noqa: F401  # from jupyter_client 7 on
    from jupyter_client.kernelspec import KernelSpecManager

    from jupyter_gridgpu.worker.kernelspecs import kernel_for

    kernel = kernel_for(job["kernel"], job.get("language"), lambda line: None)
    kernelspec = KernelSpecManager().get_kernel_spec(kernel)
    command = _command(kernelspec)
    scan = ScanPaths(JobPaths(spec.absolute().parent).folder.parent.parent)
    notebook = read_json(scan.notebook, NOTEBOOK_BYTES)
    if command is None or not isinstance(notebook, dict) or opted_out(notebook):
        return None
    env = {**os.environ, **{str(k): str(v) for k, v in job.get("env", {}).items()}}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(scan.worker), env.get("PYTHONPATH")]))
    env = {
        **{name: value for name, value in env.items() if name not in (*OWN, *GONE)},
        **kernelspec.env,
    }
    plan = {"steps": steps(notebook, scan.files), "flags": command[1:], "skip": []}
    return _spawned(kernel, command, env, f"{scan.jobs}{os.sep}", plan)


def _spawned(
    kernel: str, command: list[str], env: dict[str, str], mark: str, plan: dict[str, Any]
) -> ParentClient:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    words = [*command, "-m", "jupyter_gridgpu.worker.prefork.parent", str(theirs.fileno())]
    room = {JOB_VARIABLE: mark.ljust(len(mark) + MARK_BYTES, os.sep)}
    with theirs:
        process = subprocess.Popen(
            words,
            env={**env, **room},
            stdin=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
            cwd="/",
            start_new_session=True,
        )
    assert process.stdin is not None
    with contextlib.suppress(OSError), process.stdin:
        process.stdin.write(json.dumps(plan).encode())
    return ParentClient(kernel, env, ours, process)


def opted_out(notebook: Mapping[str, Any]) -> bool:
    """Whether a notebook says in its metadata that its kernels are not to be forked: `"gridgpu": {"prefork": false}`."""
    about = notebook.get("metadata", {}).get("gridgpu")
    return isinstance(about, dict) and about.get("prefork") is False


def _command(kernelspec: Any) -> list[str] | None:
    """The Python of a kernel, and its flags; None for a kernel that is not a plain ipykernel."""
    argv = list(kernelspec.argv)
    at = argv.index("-m") if "-m" in argv else 0
    if (
        not at
        or argv[at + 1 : at + 2] not in [[name] for name in LAUNCHERS]
        or kernelspec.metadata.get("kernel_provisioner")
    ):
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
        from jupyter_gridgpu.worker.prefork.provisioner import ForkProvisioner

        manager.kernel_id = manager.kernel_id or str(uuid.uuid4())
        manager.provisioner = ForkProvisioner(
            kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager
        )
        manager.provisioner.say = log
