"""Runs a function in a process that was just forked, and ends that process."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn


def run_and_exit(run: Callable[[], int]) -> NoReturn:
    """Call `run` and end this process with the exit code that it returns.

    If `run` raises, the traceback goes to standard error and the exit code is 1. Of a SystemExit
    only its sentence is printed, as Python does.
    """
    code = 1
    try:
        code = run()
    except SystemExit as end:
        print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # sys.exit would go back through the code of the process that was forked, and run the exit
        # handlers of that process.
        os._exit(code)
