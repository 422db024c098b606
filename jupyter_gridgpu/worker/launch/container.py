"""Starts a job of this machine in a container.

The job is claimed before the container starts. A worker in the container could not write the claim,
since it may have another process number there than the one that the runner sees.
"""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_gridgpu.store.paths import JobPaths, ScanPaths
from jupyter_gridgpu.worker.claim import COPY_VARIABLE, claim_job, new_copy
from jupyter_gridgpu.worker.job_spec import read_spec

GPUS_VARIABLE = "CUDA_VISIBLE_DEVICES"


def claim_and_launch(spec: Path) -> int:
    """Claim the job that `spec` (a job.json) describes and become its launcher, `worker.sh`.

    Returns 0 if the job is claimed already. Otherwise the function does not return: this process
    becomes the launcher, which becomes the container runtime. All three are one process to the
    operating system, so the claim names a process that lives as long as the job, and a signal to
    this process reaches the worker.
    """
    paths = JobPaths(spec.absolute().parent)
    scan = ScanPaths(paths.folder.parent.parent)
    copy = new_copy(paths)
    variables = read_spec(spec).get("env", {})
    # The worker sets all variables of the job. The launcher looks at the GPUs alone, and others
    # (PATH, LD_PRELOAD) are meant for the image and could do harm to its runtime.
    if claim_job(paths, copy):
        if GPUS_VARIABLE in variables:
            os.environ[GPUS_VARIABLE] = str(variables[GPUS_VARIABLE])
        os.environ[COPY_VARIABLE] = copy.folder.name
        os.execv("/bin/sh", ["sh", str(scan.launcher), str(scan.folder), paths.folder.name])
    return 0
