"""What a worker knows of the prepared parent from which its kernel may be forked."""

from __future__ import annotations

import socket
import subprocess
import uuid
from collections.abc import Callable
from typing import Any

from jupyter_gridgpu.worker.metrics.report import REPORTS_VARIABLE, STOP_VARIABLE
from jupyter_gridgpu.worker.usage import JOB_VARIABLE

# Variables that each kernel has for itself. All others must be the same for all kernels of a
# prepared parent, since modules read some of them when they are imported.
KERNEL_VARIABLES = (
    JOB_VARIABLE,
    REPORTS_VARIABLE,
    STOP_VARIABLE,
    "CUDA_VISIBLE_DEVICES",
    "JPY_PARENT_PID",
    "JPY_SESSION_NAME",
    "PYTHONEXECUTABLE",
)


class ParentClient:
    """The worker's end of a prepared parent: a socket to ask for kernels, and its environment.

    `kernel` is the name of the kernelspec that the parent stands for, `env` the environment of its
    kernels but for KERNEL_VARIABLES, `pid` the process number of the parent.
    """

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
        # Kept, so that Python does not wait for the process when the object is collected: the
        # process that started the parent waits for all of its children at once.
        self._process = process


class _Slot:
    """Holds the one prepared parent of a process; None if there is none."""

    parent: ParentClient | None = None


# The process that forks workers puts its prepared parent here; workers inherit it by the fork.
current = _Slot()


def use_prepared_parent(manager: Any, log: Callable[[str], None]) -> None:
    """Have a new kernel manager fork its kernel, if there is a prepared parent for that kernel.

    `log` gets a line that says why, if the kernel is not forked after all.
    """
    if current.parent is None or current.parent.kernel != manager.kernel_name:
        return
    # Imported here, since jupyter_client before 7 has no provisioners, and no prepared parents.
    from jupyter_gridgpu.worker.prefork.provisioner import ForkProvisioner

    # The manager takes a provisioner that it finds, and makes its own otherwise. An entry point,
    # the usual way to choose one, needs an installed distribution, which worker.pyz is not.
    manager.kernel_id = manager.kernel_id or str(uuid.uuid4())
    manager.provisioner = ForkProvisioner(
        kernel_id=manager.kernel_id, kernel_spec=manager.kernel_spec, parent=manager
    )
    manager.provisioner.log_line = log
