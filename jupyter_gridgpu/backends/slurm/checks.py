"""Finds out before anything is sent whether Slurm would run the jobs of a scan."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jupyter_gridgpu.backends.batch.demand import task_demand
from jupyter_gridgpu.backends.slurm import commands
from jupyter_gridgpu.backends.slurm.passed_options import passed_options
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.units import duration_text
from jupyter_gridgpu.queues.slurm import parse_time_limit


def check_gpu_options(scan: ScanSpec) -> None:
    """Raise BackendError if GPUs are asked for in a way that Slurm does not know.

    With `--on auto` the queue was chosen by these options already.
    """
    if scan.asked is not None:
        return
    wanted = scan.resources
    for name, value in (("vram", wanted.vram_mb), ("cuda", wanted.cuda)):
        if value:
            raise BackendError(
                f"Slurm knows no --{name}: name a --gpu-model, or say --on auto, which takes a"
                " queue whose GPUs fit."
            )


def check_partition(scan: ScanSpec, ask: Callable[[], Mapping[str, str]]) -> None:
    """Raise BackendError for jobs that Slurm takes and then never starts.

    By default Slurm queues a job that is too long for its partition, or whose account may not use
    it, and lets it wait for ever. `ask` returns what Slurm says about the partition.
    """
    wall_s = task_demand(scan).walltime_s or 0
    account = scan.placement.account
    if not wall_s and not account:
        return
    partition = ask()
    name = partition.get("PartitionName")
    allowed_s = longest_s(partition)
    if allowed_s is not None and wall_s > allowed_s:
        raise BackendError(
            f"--walltime: a job of {duration_text(wall_s)} is longer than"
            f" the {duration_text(allowed_s)}"
            f" that the partition {name} allows. Ask for less or give another --queue."
        )
    # scontrol prints ALL, or a list with commas.
    accounts = partition.get("AllowAccounts", "ALL")
    if account and accounts != "ALL" and account not in accounts.split(","):
        raise BackendError(
            f"--account {account} may not use the partition {name}, which takes {accounts}."
        )


def longest_s(partition: Mapping[str, str]) -> float | None:
    """Return the longest time limit of a partition, in seconds; None if there is none."""
    return parse_time_limit(partition.get("MaxTime", ""))


def partition_of(scan: ScanSpec) -> dict[str, str]:
    """Return what Slurm says about the partition that jobs go to, or nothing if it is not known.

    Raises Unreachable if Slurm does not answer.
    """
    queue = scan.placement.queue
    command = ["scontrol", "--oneliner", "show", "partition"]
    if queue:
        command.append(queue)
    cluster = passed_options(scan).cluster
    for line in commands.run(command, cluster=cluster).stdout.splitlines():
        fields = dict(word.split("=", 1) for word in line.split() if "=" in word)
        # Without a queue, all partitions are listed, and jobs go to the default one.
        if queue or fields.get("Default") == "YES":
            return fields
    return {}


def hint(scan: ScanSpec, complaint: str) -> str:
    """Return a sentence on what to do about a refusal, or nothing if that cannot be told."""
    place = scan.placement
    if "partition" in complaint and place.queue:
        return " `sinfo -s` lists the partitions."
    if "account" in complaint and place.account:
        return f" --account {place.account}: `sacctmgr show associations user=$USER` lists yours."
    if "qos" in complaint.lower() and place.qos:
        return f" --qos {place.qos}: `sacctmgr show qos` lists them."
    return ""
