"""Waiting for a disk that is full or does not answer: the results of hours are worth minutes of patience."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
PASSING = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.ESTALE,
    errno.ETIMEDOUT,
)  # full; a network disk that is away
PATIENCE_S = 300.0
RETRY_S = 0.5


def patiently(write: Callable[[], T]) -> T:
    """Call `write` again and again while the disk is full or away, for PATIENCE_S. Raises the last OSError, others at once."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return write()
        except OSError as error:
            if error.errno not in PASSING or time.monotonic() > deadline:
                raise
        time.sleep(RETRY_S)
