"""What a batch asks of HTCondor: a submit description, which is a dictionary of commands.

Nothing here needs HTCondor. HTCondor's manual describes the commands under `condor_submit`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from jupyter_gridgpu.backends.base import patience
from jupyter_gridgpu.backends.batch.demand import task_demand
from jupyter_gridgpu.backends.htcondor.ads import BATCH, HELD, WAITING_HOLDS
from jupyter_gridgpu.backends.htcondor.quoting import argument, quoted
from jupyter_gridgpu.backends.htcondor.submit_options import submit_options
from jupyter_gridgpu.model.queue import enough_mb
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.queues import gpus

# A task may run so much longer than the walltime, which the worker keeps: it has to start and save.
SPARE_S = 300
VACATE_S = 60  # from SIGTERM until HTCondor kills a job, or longer where the grace is
# For so long HTCondor waits for a node that is silent, before it starts the job elsewhere. A submit
# machine that is started anew, or a network that is mended, is back within it, and no work is lost.
# With HTCondor's own 40 minutes, the job of a dead node would wait twice as long.
LEASE_S = 1200
# For a job that names no memory. HTCondor would give it 128 MB, in which no notebook runs.
MEMORY_MB = 2000


def description(scan: ScanSpec, ident: str, arguments: str) -> dict[str, str]:
    """Return the submit description that all tasks of a batch share.

    `ident` is the name by which the batch is found again, `arguments` are those of /bin/sh.
    """
    holds = ", ".join(str(code) for code in WAITING_HOLDS)
    commands = {
        "universe": "vanilla",
        "executable": "/bin/sh",
        "transfer_executable": "False",
        "arguments": arguments,
        "batch_name": f"gridgpu {scan.name}",
        f"My.{BATCH}": quoted(ident),
        "notification": "never",
        # This is set even where no file is transferred. Without it, HTCondor looks for nodes that
        # share a disk, and pools seldom say which of their nodes do.
        "should_transfer_files": "YES",
        "want_graceful_removal": "True",
        "kill_sig": "SIGTERM",
        "job_max_vacate_time": str(max(VACATE_S, math.ceil(patience(scan)))),
        "job_lease_duration": str(LEASE_S),
        # A job that is held for good has failed for us, so nobody shall release it later.
        "periodic_remove": f"JobStatus == {HELD} && !member(HoldReasonCode, {{{holds}}})",
        **resources(scan),
        **limits(scan),
    }
    if scan.placement.constraint:
        commands["requirements"] = f"({scan.placement.constraint})"
    # None of these is among the commands above, but for the lease.
    return {**commands, **submit_options(scan.placement.options).commands}


def resources(scan: ScanSpec) -> dict[str, str]:
    """Return the commands that ask for processors, memory, disk and GPUs."""
    demand = task_demand(scan)
    commands = {
        # Each of the jobs that run side by side in one task needs a core and memory of its own.
        "request_cpus": str(demand.cpus or scan.per_gpu),
        "request_memory": str(demand.memory_mb or MEMORY_MB * scan.per_gpu),
    }
    if demand.disk_mb:
        commands["request_disk"] = f"{demand.disk_mb}MB"
    if demand.gpus:
        commands["request_gpus"] = str(demand.gpus)
        requirement = gpu_requirement(scan)
        if requirement:
            commands["require_gpus"] = requirement
    return commands


def gpu_requirement(scan: ScanSpec) -> str:
    """Return the expression that each GPU of a job must fulfil; empty if any GPU will do."""
    wanted = scan.resources
    parts = []
    if wanted.gpu_model:
        pattern = quoted(gpus.pattern(wanted.gpu_model))
        parts.append(f'regexp({pattern}, DeviceName, "i")')
    if wanted.vram_mb:
        parts.append(f"GlobalMemoryMb >= {enough_mb(wanted.vram_mb)}")
    if wanted.cuda:
        # HTCondor writes CUDA 12.4 as 12040.
        major, _, minor = wanted.cuda.partition(".")
        version = int(major) * 1000 + int(minor or 0) * 10
        parts.append(f"MaxSupportedVersion >= {version}")
    return " && ".join(parts)


def limits(scan: ScanSpec) -> dict[str, str]:
    """Return the commands that say who pays and how long a task may run."""
    commands: dict[str, str] = {}
    if scan.placement.account:
        commands["accounting_group"] = scan.placement.account
    walltime_s = task_demand(scan).walltime_s
    if walltime_s:
        longest_s = walltime_s + SPARE_S
        commands["allowed_execute_duration"] = str(longest_s)
        # The pool of CERN reads this attribute instead.
        commands["My.MaxRuntime"] = str(longest_s)
    return commands


def environment_text(variables: Mapping[str, str]) -> str:
    """Return variables as the command `environment` holds them.

    Those with a value that a description cannot hold, such as a function of bash, are left out.
    """
    kept = {name: value for name, value in variables.items() if value.isprintable()}
    words = [f"{name}={argument(value)}" for name, value in sorted(kept.items())]
    return f'"{" ".join(words)}"'
