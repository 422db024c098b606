"""Questions to HTCondor about our jobs, answered in a process of its own.

queues/htcondor_process.py starts this module as a program and says how it is asked. `condor` is the
module of HTCondor's bindings.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, TextIO

from jupyter_gridgpu.backends.htcondor import spool as spool_verbs
from jupyter_gridgpu.backends.htcondor.ads import BATCH, PROJECTION, refusal
from jupyter_gridgpu.backends.htcondor.description import LEASE_S
from jupyter_gridgpu.backends.htcondor.machines import fitting_machines, jobs_expression
from jupyter_gridgpu.backends.htcondor.quoting import quoted
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.queues import htcondor_process
from jupyter_gridgpu.queues.htcondor import pool_host

LEASE = "job_lease_duration"
TIMEOUT_S = 30.0  # for questions that the runner waits for
LONG_TIMEOUT_S = 120.0  # for questions that a thread of the runner waits for
# A large queue or a long history takes its time, and only threads of the runner ask for them.
LONG_VERBS = ("queue", "history", "fetch")
CLOCKS_DIFFER_S = 3600.0  # the clocks of two machines surely do not differ by more
# For a batch whose files go to the schedd, and for finding one. The runner waits for both.
SPOOL_TIMEOUT_S = 600.0


def call(verb: str, keep: TextIO | None = None, **arguments: Any) -> Any:
    """Ask HTCondor and return its answer. The process holds the file `keep` open, too.

    Raises BackendError if HTCondor refuses, Unreachable if it does not answer in time.
    """
    timeout_s = TIMEOUT_S
    if verb in LONG_VERBS:
        timeout_s = LONG_TIMEOUT_S
    if arguments.get("spool"):
        timeout_s = SPOOL_TIMEOUT_S
    return htcondor_process.ask(__name__, verb, timeout_s, keep, **arguments)


def describe_error(condor: Any, error: Exception) -> str:
    """Return the sentence that a user reads if the bindings raise an error."""
    if isinstance(error, condor.HTCondorException):
        return refusal(str(error))
    return f"HTCondor's bindings failed: {type(error).__name__}: {error}"


def ready(
    condor: Any,
    constraint: str | None,
    expressions: Sequence[str] = (),
    send_credential: bool = False,
) -> str:
    """Return the name of the pool, if its schedd answers.

    Raises BackendError if the constraint, or the value of an attribute, is no expression, or if
    HTCondor gets no Kerberos ticket although it shall have one.
    """
    if constraint and not _is_expression(condor, constraint):
        raise BackendError(f"--constraint {constraint!r} is no expression that HTCondor can read.")
    for expression in expressions:
        if not _is_expression(condor, expression):
            raise BackendError(
                f"--engine-option: HTCondor cannot read the value {expression}; a text stands in"
                ' quotes: +NAME = "text".'
            )
    condor.Schedd().query(constraint="false", projection=["ProcId"], limit=1)
    if send_credential:
        spool_verbs.store_ticket(condor)
    return _pool(condor)


def _is_expression(condor: Any, text: str) -> bool:
    # The error is of another type in each version of the bindings.
    try:
        condor.classad.ExprTree(text)
    except Exception:
        return False
    return True


def submit(
    condor: Any,
    description: dict[str, str],
    tasks: list[dict[str, str]],
    ident: str,
    since: float,
    spool: bool = False,
    send_credential: bool = False,
) -> int:
    """Send a batch in one call and return its cluster.

    With `spool`, the jobs' files are sent to the schedd as well. Raises BackendError if HTCondor
    answers and does not have the batch.
    """
    commands = {**description, **_shorter_lease(condor, description)}
    if send_credential:
        spool_verbs.store_ticket(condor)
    schedd = condor.Schedd()
    try:
        sent = schedd.submit(condor.Submit(commands), itemdata=iter(tasks), spool=spool)
    except condor.HTCondorException as error:
        # The batch may have been taken although the answer was an error.
        clusters = find(condor, [ident], since, spool)
        if ident not in clusters:
            raise BackendError(refusal(str(error))) from None
        return clusters[ident]
    if spool:
        spool_verbs.spool_files(condor, schedd, sent)
    return int(sent.cluster())


def _shorter_lease(condor: Any, description: dict[str, str]) -> dict[str, str]:
    """Return the pool's own lease as a command, where it is shorter than that of a description."""
    # A lease that the user chose is kept.
    if description[LEASE] != str(LEASE_S):
        return {}
    with contextlib.suppress(TypeError, ValueError):
        lease_s = int(condor.param.get("JOB_DEFAULT_LEASE_DURATION"))
        if 0 < lease_s < LEASE_S:
            return {LEASE: str(lease_s)}
    return {}


def find(condor: Any, idents: Sequence[str], since: float, spool: bool = False) -> dict[str, int]:
    """Return the clusters of those batches that HTCondor has, by the batch's name.

    Batches that have left the queue are found if they did so after `since`, in seconds since the
    epoch. With `spool`, jobs whose files never reached HTCondor are removed, so nobody may still be
    sending these batches.
    """
    # A batch is found by an attribute of our own, since its cluster may not be known here.
    names = ", ".join(quoted(ident) for ident in idents)
    constraint = f"member({BATCH}, {{{names}}})"
    schedd = condor.Schedd()
    if spool:
        spool_verbs.remove_unspooled(condor, schedd, constraint)
        constraint = spool_verbs.arrived(constraint)
    projection = ["ClusterId", BATCH]
    found = {ad[BATCH]: int(ad["ClusterId"]) for ad in schedd.query(constraint, projection)}
    if len(found) < len(idents):
        past = schedd.history(constraint, projection, since=_end_of_history(since))
        found |= {ad[BATCH]: int(ad["ClusterId"]) for ad in past}
    return found


def queue(condor: Any) -> dict[str, Any]:
    """Return the ads of all jobs that this package has sent for this user and that are queued.

    `fits` says how many machines could run a job, for clusters that found no machine so far.
    """
    schedd = condor.Schedd()
    only_mine = condor.QueryOpts.DefaultMyJobsOnly
    ads = schedd.query(f"{BATCH} isnt undefined", list(PROJECTION), opts=only_mine)
    return {
        "pool": _pool(condor),
        "ads": [_plain(ad) for ad in ads],
        "fits": fitting_machines(condor, schedd, ads),
    }


def history(condor: Any, tasks: list[str], since: float) -> dict[str, Any]:
    """Return the ads of jobs that have left the queue after `since`, in seconds since the epoch."""
    jobs = []
    for task in tasks:
        cluster, proc = task.split(".")
        jobs.append((int(cluster), int(proc)))
    ads = condor.Schedd().history(
        jobs_expression(jobs), list(PROJECTION), match=len(tasks), since=_end_of_history(since)
    )
    return {"pool": _pool(condor), "ads": [_plain(ad) for ad in ads]}


def end(condor: Any, tasks: list[str], hard: bool) -> None:
    """Remove jobs from the queue. They get time to save, unless `hard` is true."""
    schedd = condor.Schedd()
    # The bindings drop a reason that is a mere text without a code.
    reason = ("ended by its user in jupyter_gridgpu", 0)
    schedd.act(condor.JobAction.Remove, tasks, reason)
    if hard:
        schedd.act(condor.JobAction.RemoveX, tasks)


def _end_of_history(since: float) -> str:
    """Return the expression that ends a search of HTCondor's history.

    The search goes from the newest job to the oldest. A job that left the queue before the scan was
    made cannot be ours, and a history may be long. `since` is of this machine's clock, and the
    history has times of the schedd's.
    """
    return f"EnteredCurrentStatus < {int(since - CLOCKS_DIFFER_S)}"


def _pool(condor: Any) -> str:
    """Return the first host of HTCondor's collector, which names the pool."""
    return pool_host(str(condor.param.get("COLLECTOR_HOST") or ""))


def _plain(ad: Any) -> dict[str, Any]:
    """Return those attributes of an ad that have a plain value, which JSON can hold.

    An expression is evaluated; one that cannot be evaluated is left out.
    """
    values = {name: ad.eval(name) for name in PROJECTION if name in ad}
    return {
        name: value for name, value in values.items() if isinstance(value, (str, int, float, bool))
    }


VERBS: dict[str, Callable[..., Any]] = {
    "ready": ready,
    "submit": submit,
    "find": find,
    "queue": queue,
    "history": history,
    "fetch": spool_verbs.fetch,
    "end": end,
}


if __name__ == "__main__":
    htcondor_process.serve(VERBS, describe_error)
