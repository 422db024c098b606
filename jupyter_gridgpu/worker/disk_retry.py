"""Waits for a disk that is full or does not answer.

A result may have taken hours to compute, so some minutes of waiting are well spent.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
# Errors that pass: the disk or the quota is full, or a network disk is away for the moment.
PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ETIMEDOUT)
PATIENCE_S = 300.0
RETRY_S = 0.5  # between two tries


def retry_while_disk_is_away(write: Callable[[], T]) -> T:
    """Call `write` again while the disk is full or away, for PATIENCE_S at most; return its result.

    Raises the last OSError when the time is over, and any other error at once.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return write()
        except OSError as error:
            if error.errno not in PASSING or time.monotonic() > deadline:
                raise
        time.sleep(RETRY_S)
