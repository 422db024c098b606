"""How many machines of a pool could ever run a job that waits.

HTCondor says of such a job only that no machine matches it now. The ad of the job is therefore
matched against the ads of all machines, each as it would be without any job on it. This runs in the
process that has HTCondor's bindings; see bindings.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_gridgpu.backends.htcondor.ads import IDLE

# Each cluster costs one comparison with every machine, so of many clusters only the first are
# looked at.
CLUSTERS_LIMIT = 20
RESOURCES = ("Cpus", "Memory", "Disk", "GPUs")


def fitting_machines(condor: Any, schedd: Any, ads: Sequence[Any]) -> dict[str, int]:
    """Return how many machines could run one job, for each cluster that found none so far.

    `condor` is the module of HTCondor's bindings, and `ads` are those of jobs in the queue. The
    keys of the answer are cluster ids.
    """
    # All jobs of a cluster ask for the same, so one of them is enough.
    waiting: dict[int, int] = {}  # cluster -> process
    for ad in ads:
        if _found_no_machine(ad):
            waiting[int(ad["ClusterId"])] = int(ad["ProcId"])
    chosen = list(waiting.items())[:CLUSTERS_LIMIT]
    if not chosen:
        return {}
    try:
        slots = condor.Collector().query(condor.AdType.Startd, 'SlotType =!= "Dynamic"')
        empty = [_without_jobs(condor, slot) for slot in slots]
    except condor.HTCondorException:
        # HTCondor's collector does not answer. The jobs are shown without this number.
        return {}
    jobs = schedd.query(jobs_expression(chosen))
    return {str(job["ClusterId"]): _count_machines(job, empty) for job in jobs}


def jobs_expression(jobs: Sequence[tuple[int, int]]) -> str:
    """Return the expression that is true for these jobs, given as pairs of cluster and process."""
    return " || ".join(f"(ClusterId == {cluster} && ProcId == {proc})" for cluster, proc in jobs)


def _found_no_machine(ad: Any) -> bool:
    return ad.get("JobStatus") == IDLE and "no match" in str(ad.get("LastRejMatchReason"))


def _count_machines(job: Any, slots: Sequence[Any]) -> int:
    """Return how many machines have a slot that matches a job."""
    names = [str(slot.get("Name")) for slot in slots if job.symmetricMatch(slot)]
    # A slot is called slot2@machine, and a machine may have several.
    return len({name.partition("@")[2] or name for name in names})


def _without_jobs(condor: Any, slot: Any) -> Any:
    """Return the ad of a slot as it would be with no job on it."""
    for name in RESOURCES:
        total = slot.get(f"TotalSlot{name}")
        if total is not None:
            slot[name] = total
    # A job names the GPUs that it could use out of this list, which holds only the free ones.
    devices = [
        f"GPUs_{device.strip().replace('-', '_')}"
        for device in str(slot.get("DetectedGPUs", "")).split(",")
    ]
    known = [name for name in devices if name in slot]
    if known:
        slot["AvailableGPUs"] = condor.classad.ExprTree(f"{{{', '.join(known)}}}")
    return slot
