"""Starts the prepared parent, and starts it again if it dies.

If anything fails here, the log says so, and kernels are started as their kernelspec says.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_gridgpu.store.paths import NOTEBOOK_BYTES, JobPaths, ScanPaths, read_json
from jupyter_gridgpu.worker.claim import COPY_VARIABLE
from jupyter_gridgpu.worker.metrics.sender import SENDER_VARIABLE
from jupyter_gridgpu.worker.prefork.notebook_imports import import_actions
from jupyter_gridgpu.worker.prefork.parent_client import KERNEL_VARIABLES, ParentClient, current
from jupyter_gridgpu.worker.secret_values import SecretsMissing, secret_values
from jupyter_gridgpu.worker.usage import JOB_VARIABLE

MAX_STARTS = 3  # of prepared parents, until kernels are started one by one
# Bytes that a kernel may need for the end of its job's folder, and for the list of its GPUs.
JOB_NAME_BYTES = 300
WORKER_VARIABLES = (SENDER_VARIABLE, COPY_VARIABLE)  # meant for the worker: no kernel gets them
LAUNCHER_MODULES = ("ipykernel_launcher", "ipykernel")


class ParentStarter:
    """Keeps one prepared parent for a process that forks workers, started for its first job."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._spec = Path()
        self._job: dict[str, Any] | None = None  # None if kernels are not to be forked
        self._starts = 0

    def prepare_for(self, spec: Path) -> None:
        """Start the prepared parent before the job of `spec` (a job.json) is forked.

        Only the first call does this, since all jobs of a scan have one notebook. The function does
        not wait: the parent imports its modules while this process imports its own.
        """
        # The parent needs /proc and signals of Linux.
        if self._starts or sys.platform != "linux":
            return
        self._starts = 1
        job = read_json(spec)
        if isinstance(job, dict) and job.get("prefork", True):
            self._spec, self._job = spec, job
            self._start()

    def child_ended(self, pid: int, status: int) -> None:
        """Start another prepared parent if the child `pid`, which has ended, was the current one.

        At most MAX_STARTS are started in all. `status` is the wait status of the child. Kernels
        that the old parent forked go on without it.
        """
        if current.parent is None or pid != current.parent.pid:
            return
        current.parent.channel.close()
        current.parent = None
        again = self._starts < MAX_STARTS
        consequence = "kernels are started one by one from now on"
        if again:
            consequence = "another one is started"
        ending = _describe_status(status)
        self._log(f"The process that kernels are forked from ended ({ending}); {consequence}.")
        if again:
            self._starts += 1
            self._start()

    def _start(self) -> None:
        if self._job is None:
            return
        try:
            current.parent = _start_for_job(self._spec, self._job)
        except Exception as error:
            self._log(f"Kernels are started one by one: {type(error).__name__}: {error}")


def _start_for_job(spec: Path, job: Mapping[str, Any]) -> ParentClient | None:
    """Start a prepared parent for jobs like this one; return None if kernels cannot be forked."""
    # Jupyter may be too old for provisioners (before 7): the error says so in the log.
    import jupyter_client.provisioning  # noqa: F401
    from jupyter_client.kernelspec import KernelSpecManager

    from jupyter_gridgpu.worker.kernelspecs import choose_kernel

    kernel = choose_kernel(job["kernel"], job.get("language"), lambda line: None)
    kernelspec = KernelSpecManager().get_kernel_spec(kernel)
    command = _python_command(kernelspec)
    scan = ScanPaths(JobPaths(spec.absolute().parent).folder.parent.parent)
    notebook = read_json(scan.notebook, NOTEBOOK_BYTES)
    if command is None or not isinstance(notebook, dict) or opted_out(notebook):
        return None
    env = _kernel_environment(scan, job, kernelspec)
    plan = {
        "actions": import_actions(notebook, scan.files),
        "flags": command[1:],
        "skip": [],
    }
    return start_parent(kernel, command, env, f"{scan.jobs}{os.sep}", plan)


def _kernel_environment(scan: ScanPaths, job: Mapping[str, Any], kernelspec: Any) -> dict[str, str]:
    """Return the environment that workers give to kernels, without KERNEL_VARIABLES.

    This must agree with what the worker does in job.py: a kernel whose environment differs from
    that of the prepared parent is not forked.
    """
    env = dict(os.environ)
    env.update({str(name): str(value) for name, value in job.get("env", {}).items()})
    with contextlib.suppress(SecretsMissing):  # each job says so
        env.update(secret_values(job, scan))
    folders = [str(scan.worker), env.get("PYTHONPATH")]
    env["PYTHONPATH"] = os.pathsep.join(filter(None, folders))
    for name in (*KERNEL_VARIABLES, *WORKER_VARIABLES):
        env.pop(name, None)
    env.update(kernelspec.env)
    return env


def start_parent(
    kernel: str, command: list[str], env: dict[str, str], jobs: str, plan: dict[str, Any]
) -> ParentClient:
    """Start a prepared parent and return the worker's end of it.

    `command` starts the kernel's Python, `jobs` is the folder of all jobs, and `plan` says what to
    import (see PreparedParent).
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    module = "jupyter_gridgpu.worker.prefork.parent"
    # Padded, since each kernel writes its own job over this text in its memory (see
    # become_kernel() in forked_kernel.py).
    job = jobs.ljust(len(jobs) + JOB_NAME_BYTES, os.sep)
    with theirs:
        process = subprocess.Popen(
            [*command, "-m", module, str(theirs.fileno())],
            env={**env, JOB_VARIABLE: job},
            stdin=subprocess.PIPE,
            pass_fds=[theirs.fileno()],
            cwd="/",
            start_new_session=True,
        )
    assert process.stdin is not None
    # OSError: the process has died already. `child_ended` is then called for it.
    with contextlib.suppress(OSError), process.stdin:
        process.stdin.write(json.dumps(plan).encode())
    return ParentClient(kernel, env, ours, process)


def opted_out(notebook: Mapping[str, Any]) -> bool:
    """Return whether a notebook's metadata has `"gridgpu": {"prefork": false}`."""
    own = notebook.get("metadata", {}).get("gridgpu")
    return isinstance(own, dict) and own.get("prefork") is False


def _python_command(kernelspec: Any) -> list[str] | None:
    """Return the Python of a kernel with its flags; None if the kernel is no plain ipykernel.

    A kernel with a provisioner of its own runs elsewhere, and a kernel with another launcher may do
    more at its start than ipykernel does.
    """
    argv = list(kernelspec.argv)
    if "-m" not in argv or kernelspec.metadata.get("kernel_provisioner"):
        return None
    index = argv.index("-m")
    module = argv[index + 1 : index + 2]
    if index == 0 or not module or module[0] not in LAUNCHER_MODULES:
        return None
    python = argv[0]
    major, minor = sys.version_info[:2]
    # jupyter_client runs these names with the Python that it runs in itself.
    if python in ("python", f"python{major}", f"python{major}.{minor}"):
        python = sys.executable
    return [python, *argv[1:index]]


def _describe_status(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        return f"signal {-code}"
    return f"exit code {code}"
