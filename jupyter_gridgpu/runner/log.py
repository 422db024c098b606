"""The runner's own log, `runner.log`."""

from __future__ import annotations

import contextlib
import sys
import time


def say(text: str) -> None:
    """Write a line into runner.log, which is the stderr of this process."""
    # The disk of the log may be full. That is no reason to end the runner.
    with contextlib.suppress(OSError):
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}", file=sys.stderr, flush=True)
