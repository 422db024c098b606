"""The life of a process that was just forked to run a job."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn


def end_with(run: Callable[[], int]) -> NoReturn:
    """Call `run` and end this process with the exit code that it returns; with 1, and the reason in the log, if it raises."""
    code = 1
    try:
        code = run()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
