"""`python -m jupyter_gridgpu.runner FOLDER`: drive the scan in FOLDER to its end.

If the scan has a journal, the runner goes on from it.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from jupyter_gridgpu.errors import GridGpuError, ScanLocked, StorageError
from jupyter_gridgpu.runner.log import say
from jupyter_gridgpu.runner.loop import Runner
from jupyter_gridgpu.store import inbox
from jupyter_gridgpu.store.ownership import require_own
from jupyter_gridgpu.store.paths import ScanPaths


def main() -> int:
    """Drive the scan whose folder is the first argument, and return the exit code."""
    # Notebooks hold data that need not be public: what a runner and its jobs write is private.
    os.umask(0o077)
    allow_interrupts()
    folder = Path(sys.argv[1]).absolute()
    try:
        while True:
            require_own(folder)
            Runner(folder).run()
            # A client that sees a lease leaves its command and starts no runner. A command may have
            # come between our last look into the inbox and the end of our lease.
            if not inbox.pending(ScanPaths(folder).inbox):
                return 0
    except ScanLocked as error:
        say(str(error))
        return ScanLocked.exit_code
    except GridGpuError as error:
        say(str(error))
        return error.exit_code
    except OSError as error:
        say(
            f"The runner had to end: {error.strerror}: {error.filename or folder}. "
            "Mend that, then resume the scan."
        )
        return StorageError.exit_code


def allow_interrupts() -> None:
    """React to SIGINT again if the process that started this runner ignored it.

    Processes that are started by a shell with `&`, by nohup or by cron ignore SIGINT, and their
    children inherit that. Kernels could then not be interrupted, which is how a cell is stopped. A
    runner in a session of its own has no terminal whose Ctrl-C could reach it. A runner in the
    session of another process goes on ignoring the signal: Ctrl-C there is not meant for it.
    """
    own_session = os.getsid(0) == os.getpid()
    if own_session and signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    sys.exit(main())
