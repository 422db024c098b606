"""A fake: in a process that starts with this folder in PYTHONPATH, no file can be locked.

So do Lustre without the option `flock` and some file systems of FUSE.
"""

import errno
import fcntl


def refuse(handle: int, operation: int) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


fcntl.flock = refuse  # type: ignore[assignment]
