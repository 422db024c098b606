"""The one place that knows HTCondor's bindings: a process of its own for each question.

A question to a schedd that is ill can hold a whole Python process for 20 s, threads and all; the runner must not wait.

    python -m jupyter_gridgpu.backends.htcondor.backend.bindings   {"verb": ..., ...} on stdin, {"answer": ...} on stdout
    or {"refused": words} if it was understood and denied, {"silent": words} if it is not known whether it was heard
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from jupyter_gridgpu.backends.htcondor.ads import BATCH, IDLE, PROJECTION, refusal, string
from jupyter_gridgpu.errors import BackendError, Unreachable

ANSWER_S = 30.0  # for what the runner itself waits for
LOOKING_S = 120.0  # for what a thread of it waits for
KINDS_LOOKED_AT = 20  # of jobs that wait; each is held against all machines of the pool
USAGE = ("Cpus", "Memory", "Disk", "GPUs")


def call(verb: str, keep: TextIO | None = None, **facts: Any) -> Any:
    """Ask HTCondor and return its answer; the process holds `keep` open, too.

    Raises EngineError if HTCondor refuses, Unreachable if it does not answer in time.
    """
    words, asked = [sys.executable, "-m", __name__], json.dumps({"verb": verb, **facts})
    patience_s = LOOKING_S if verb in ("queue", "history") else ANSWER_S
    try:
        ran = subprocess.run(
            words,
            input=asked,
            capture_output=True,
            text=True,
            timeout=patience_s,
            pass_fds=[keep.fileno()] if keep else (),
        )
        body = json.loads(ran.stdout)
    except subprocess.TimeoutExpired:
        raise Unreachable(f"HTCondor has not answered within {patience_s:.0f} s.") from None
    except ValueError:
        raise Unreachable(
            f"HTCondor's bindings failed: {(ran.stderr.strip().splitlines() or ['no word'])[-1]}"
        ) from None
    if "refused" in body:
        raise BackendError(body["refused"])
    if "silent" in body:
        raise Unreachable(body["silent"])
    return body["answer"]


# in the process of its own ------------------------------------------------------------


def serve(asked: dict[str, Any]) -> dict[str, Any]:
    import htcondor2

    verb = VERBS[asked.pop("verb")]
    try:
        return {"answer": verb(htcondor2, **asked)}
    except BackendError as error:
        return {"refused": str(error)}
    except htcondor2.HTCondorException as error:
        return {"silent": refusal(str(error))}


def ready(condor: Any, constraint: str | None) -> str:
    """Return the name of the pool, if its schedd answers. Raises EngineError for requirements that are no expression."""
    if constraint:
        try:
            condor.classad.ExprTree(constraint)
        except Exception:
            raise BackendError(
                f"--constraint {constraint!r} is no expression that HTCondor can read."
            ) from None
    condor.Schedd().query(constraint="false", projection=["ProcId"], limit=1)
    return _pool(condor)


def submit(
    condor: Any, description: dict[str, str], tasks: list[dict[str, str]], ident: str, since: float
) -> int:
    """Send a batch in one call and return its cluster. Raises EngineError where HTCondor answers and does not have it."""
    try:
        return int(
            condor.Schedd().submit(condor.Submit(description), itemdata=iter(tasks)).cluster()
        )
    except condor.HTCondorException as error:
        clusters = find(condor, [ident], since)
        if ident not in clusters:
            raise BackendError(refusal(str(error))) from None
        return clusters[ident]


def find(condor: Any, idents: Sequence[str], since: float) -> dict[str, int]:
    """Return the clusters of those batches that there are, in the queue or already out of it after a time."""
    constraint = f"member({BATCH}, {{{', '.join(map(string, idents))}}})"
    schedd, wanted = condor.Schedd(), ["ClusterId", BATCH]
    found = {ad[BATCH]: int(ad["ClusterId"]) for ad in schedd.query(constraint, wanted)}
    if len(found) < len(idents):
        past = schedd.history(constraint, wanted, since=_before(since))
        found |= {ad[BATCH]: int(ad["ClusterId"]) for ad in past}
    return found


def queue(condor: Any) -> dict[str, Any]:
    """Return the ads of all jobs of ours that this user has in the queue, and how many machines fit those that wait."""
    schedd, mine = condor.Schedd(), condor.QueryOpts.DefaultMyJobsOnly
    ads = schedd.query(f"{BATCH} isnt undefined", list(PROJECTION), opts=mine)
    return {
        "pool": _pool(condor),
        "ads": [_plain(ad) for ad in ads],
        "fits": _fits(condor, schedd, ads),
    }


def history(condor: Any, tasks: list[str], since: float) -> dict[str, Any]:
    """Return the ads of jobs that have left the queue after a time."""
    pairs = [task.split(".") for task in tasks]
    some = " || ".join(
        f"(ClusterId == {int(cluster)} && ProcId == {int(proc)})" for cluster, proc in pairs
    )
    ads = condor.Schedd().history(some, list(PROJECTION), match=len(tasks), since=_before(since))
    return {"pool": _pool(condor), "ads": [_plain(ad) for ad in ads]}


def _before(since: float) -> str:
    """Where to end looking back: the newest are told first, and what ended before it was sent is none of ours."""
    return f"EnteredCurrentStatus < {int(since)}"


def end(condor: Any, tasks: list[str], hard: bool) -> None:
    """Remove jobs: so that they can save, or with no more patience."""
    schedd = condor.Schedd()
    schedd.act(
        condor.JobAction.Remove, tasks, ("ended by its user in jupyter_gridgpu", 0)
    )  # a mere text would be dropped
    if hard:
        schedd.act(condor.JobAction.RemoveX, tasks)


def _fits(condor: Any, schedd: Any, ads: Sequence[Any]) -> dict[str, int]:
    """Return for clusters of which jobs were offered to the pool in vain, how many machines could ever run one."""
    vain = {str(ad["ClusterId"]): f"{ad['ClusterId']}.{ad['ProcId']}" for ad in ads if _in_vain(ad)}
    chosen = dict(list(vain.items())[:KINDS_LOOKED_AT])
    if not chosen:
        return {}
    some = " || ".join(
        f"(ClusterId == {c} && ProcId == {task.split('.')[1]})" for c, task in chosen.items()
    )
    try:
        machines = [
            _emptied(condor, ad)
            for ad in condor.Collector().query(condor.AdType.Startd, 'SlotType =!= "Dynamic"')
        ]
    except condor.HTCondorException:
        return {}
    return {str(job["ClusterId"]): _matches(job, machines) for job in schedd.query(some)}


def _in_vain(ad: Any) -> bool:
    return ad.get("JobStatus") == IDLE and "no match" in str(ad.get("LastRejMatchReason"))


def _matches(job: Any, machines: Sequence[Any]) -> int:
    fitting = [str(machine.get("Name")) for machine in machines if job.symmetricMatch(machine)]
    return len({name.partition("@")[2] or name for name in fitting})  # slot2@node


def _emptied(condor: Any, slot: Any) -> Any:
    """A machine as it would be with no job on it."""
    for name in USAGE:
        if (whole := slot.get(f"TotalSlot{name}")) is not None:
            slot[name] = whole
    devices = [
        f"GPUs_{device.strip().replace('-', '_')}"
        for device in str(slot.get("DetectedGPUs", "")).split(",")
    ]
    if known := [name for name in devices if name in slot]:
        slot["AvailableGPUs"] = condor.classad.ExprTree(f"{{{', '.join(known)}}}")
    return slot


def _pool(condor: Any) -> str:
    return str(condor.param.get("COLLECTOR_HOST") or "").partition(",")[0].partition(":")[0]


def _plain(ad: Any) -> dict[str, Any]:
    """The values of an ad that are plain; what is an expression is looked at when it is evaluated."""
    values = {name: ad.eval(name) for name in PROJECTION if name in ad}
    return {
        name: value for name, value in values.items() if isinstance(value, (str, int, float, bool))
    }


VERBS: dict[str, Callable[..., Any]] = {
    "ready": ready, "submit": submit, "find": find, "queue": queue, "history": history, "end": end,
}  # fmt: skip


if __name__ == "__main__":
    print(json.dumps(serve(json.load(sys.stdin))))
