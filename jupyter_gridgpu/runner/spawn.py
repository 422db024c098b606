"""Starts runners that outlive the process that starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.store.opener import APPEND, plain_handle
from jupyter_gridgpu.store.paths import ScanPaths

_started: list[subprocess.Popen[bytes]] = []


def spawn(folder: Path) -> None:
    """Start a runner for a scan folder, in a session of its own.

    Raises StorageError if the runner's log cannot be written.
    """
    _reap()
    paths = ScanPaths(folder)
    try:
        log = plain_handle(paths.log, APPEND)
    except OSError as error:
        raise StorageError(
            f"{paths.log} cannot be written: {error.strerror}. The scan was not started."
        ) from None
    try:
        _started.append(
            subprocess.Popen(
                [sys.executable, "-m", "jupyter_gridgpu.runner", str(folder.absolute())],
                # `-m` looks for modules in the working folder first, and a scan folder may hold
                # files of others. The runner goes into the scan folder later.
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # If a terminal is closed, or somebody presses Ctrl-C in it, only the processes of
                # the terminal's session get the signal.
                start_new_session=True,
            )
        )
    finally:
        os.close(log)


def _reap() -> None:
    """Forget the runners that have ended.

    `poll` collects the exit code of a child. Without it, each runner that a server has started
    would stay in the system as a zombie, and a server lives for months.
    """
    _started[:] = [runner for runner in _started if runner.poll() is None]
