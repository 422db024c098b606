"""`python -m jupyter_gridgpu.runner FOLDER`: drive the scan in FOLDER to its end, going on from its journal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from jupyter_gridgpu.errors import GridGpuError, ScanLocked, StorageError
from jupyter_gridgpu.runner.loop import Runner, say
from jupyter_gridgpu.store import inbox
from jupyter_gridgpu.store.paths import ScanPaths


def main() -> int:
    os.umask(0o077)
    folder = Path(sys.argv[1]).absolute()
    try:
        while True:
            Runner(folder).run()
            # A command may have been left between the last look and the end of the lease.
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
            f"The runner had to end: {error.strerror}: {error.filename or folder}. Mend that, then resume the scan."
        )
        return StorageError.exit_code


if __name__ == "__main__":
    sys.exit(main())
