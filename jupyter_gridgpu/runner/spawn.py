"""Starts runners that outlive the process that starts them.

No other module starts a runner, so the check that a scan may be run is here. The runner itself
checks again, since other programs may start it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.store.opener import APPEND, plain_handle
from jupyter_gridgpu.store.ownership import require_own
from jupyter_gridgpu.store.paths import ScanPaths

_started: list[subprocess.Popen[bytes]] = []


def spawn(folder: Path) -> None:
    """Start a runner for a scan folder, in a session of its own.

    Raises ForeignScan if others may have a say in what the folder holds, and StorageError if the
    runner's log cannot be written.
    """
    _reap()
    require_own(folder)
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
                [sys.executable, "-m", "jupyter_gridgpu.runner", str(folder)],
                cwd=folder,
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
