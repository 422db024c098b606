"""Runs commands of the command line as a user who may not look into folders of others.

`python -m tests.private_places` reads a JSON list of cases and prints what became of each. It is
run by `setpriv` without the rights by which root opens everything, so that folders with mode 0700
of somebody else are closed to it.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import traceback
from typing import Any
from unittest import mock

# What root needs not, to be a user like others.
AS_A_USER = (
    "setpriv",
    "--bounding-set=-dac_override,-dac_read_search",
    "--inh-caps=-dac_override,-dac_read_search",
)


def told(words: list[str], env: dict[str, str], folder: str) -> dict[str, Any]:
    """Run a command in this process; return its exit code, what it printed, and a traceback."""
    from jupyter_gridgpu.cli.app import main

    out, err = io.StringIO(), io.StringIO()
    code: Any = None
    trace = ""
    with (
        mock.patch.object(sys, "argv", ["gridgpu", *words]),
        mock.patch.dict(os.environ, env),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as end:
            code = end.code
        except BaseException:
            trace = traceback.format_exc()
    return {"code": code, "out": out.getvalue(), "err": err.getvalue(), "trace": trace}


def run_all() -> None:
    """Run the cases of standard input."""
    cases = json.load(sys.stdin)
    print(json.dumps([told(case["words"], case["env"], case["folder"]) for case in cases]))


if __name__ == "__main__":
    run_all()
