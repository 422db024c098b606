"""The Python of `--python` on this machine: whether jobs can run with it, and their fork server."""

from __future__ import annotations

import os
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

from jupyter_gridgpu import images
from jupyter_gridgpu.backends.base import last_log_line
from jupyter_gridgpu.backends.local.starters import ForkServer
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.environment import Environment
from jupyter_gridgpu.model.kernel_language import NATIVE_KERNEL
from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.model.scan import FILE, ScanSpec
from jupyter_gridgpu.store.opener import create_plain
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.worker.image import OWN_KERNEL_VARIABLE

CHECK_S = 120  # a Python on a slow disk
_PROBE = Path(__file__).with_name("python_probe.py")
_KEY = "v0001.1"


def fork_server(scan: ScanSpec, paths: ScanPaths) -> ForkServer:
    """Return the fork server of a scan whose jobs run in no container, with its own Python."""
    python = scan.environment.python
    if python is None:
        return ForkServer(paths)
    others = images.OF_ANOTHER_PYTHON
    variables = {name: value for name, value in os.environ.items() if name not in others}
    if scan.kernel == NATIVE_KERNEL:
        variables[OWN_KERNEL_VARIABLE] = "1"
    return ForkServer(paths, python, variables)


def check_python(scan: ScanSpec) -> None:
    """Raise BackendError if this machine cannot run jobs with the Python of `--python`.

    What setup lines change is not known before they run, and none is run here.
    """
    if scan.environment.python is None or scan.environment.setup:
        return
    # The launcher of the jobs finds the Python, and a probe stands in the place of the worker.
    environment = Environment(python=scan.environment.python)
    tried = replace(scan, resources=Resources(), channel=FILE, environment=environment)
    with tempfile.TemporaryDirectory(prefix="gridgpu-") as made:
        paths = ScanPaths(Path(made))
        paths.job(_KEY).folder.mkdir(parents=True)
        paths.worker.symlink_to(_PROBE)
        create_plain(paths.launcher, images.launcher_text(tried).encode())
        try:
            ran = subprocess.run(
                ["sh", paths.launcher, paths.folder, _KEY],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=CHECK_S,
            )
            said = last_log_line(paths.job(_KEY).log)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BackendError(f"--python {scan.environment.python}: {error}.") from None
    if ran.returncode:
        raise BackendError(
            f"--python {scan.environment.python} cannot run jobs here: {said or 'no word'}"
        )
