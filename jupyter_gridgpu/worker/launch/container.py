"""A job of this machine that runs in a container: claimed outside, where processes are those that everybody sees."""

from __future__ import annotations

import json
import os
from pathlib import Path

from jupyter_gridgpu.store.paths import JobPaths, ScanPaths
from jupyter_gridgpu.worker.job import COPY_VARIABLE, claim_job, new_copy


def launch(spec: Path) -> int:
    """Claim the job that `spec` describes for this process, and become its launcher; return at once if it is claimed.

    The claim stays true, since launcher and container runtime are one process with this one, which passes signals on.
    """
    paths = JobPaths(spec.absolute().parent)
    scan, copy = ScanPaths(paths.folder.parent.parent), new_copy(paths)
    env = json.loads(spec.read_text(encoding="utf-8")).get("env", {})
    if claim_job(paths, copy):
        os.environ.update(
            {str(k): str(v) for k, v in env.items()}, **{COPY_VARIABLE: copy.folder.name}
        )
        os.execv("/bin/sh", ["sh", str(scan.launcher), str(scan.folder), paths.folder.name])
    return 0
