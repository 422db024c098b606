"""Jobs whose files HTCondor keeps in its spool; this runs in the process that has the bindings.

A schedd may be on a machine that sees none of the user's files. Then a job is submitted on hold,
its files are sent to the schedd, which releases the job, and what the job left stays with the
schedd until it is fetched. `condor` is the module of HTCondor's bindings; see bindings.py.

The bindings can send files only in the process that has submitted the jobs. So if this process is
killed in between, the jobs can only be removed and submitted anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from jupyter_gridgpu.backends.htcondor.ads import (
    BATCH,
    COMPLETED,
    HELD,
    NEVER_SPOOLED,
    REMOVED,
    SPOOLING,
    refusal,
)
from jupyter_gridgpu.backends.htcondor.quoting import quoted
from jupyter_gridgpu.errors import BackendError

FETCH_LIMIT = 100  # how many jobs' files are fetched in one call
FETCHED = "its files were fetched"
# True for jobs that were removed since their files never came: by us, or by the schedd itself.
# A person may have removed such a job as well, and then it counts as sent. StageInStart is of no
# use here: the schedd gives it to a job that waits for its files only when it next looks through
# its queue.
_GIVEN_UP = (
    f"(JobStatus == {REMOVED} && StageInFinish is undefined"
    f' && (regexp("^{NEVER_SPOOLED}", RemoveReason) =?= true'
    ' || regexp("by user ", RemoveReason) =!= true))'
)


def arrived(constraint: str) -> str:
    """Return the expression for those jobs of a constraint whose files HTCondor has or may get."""
    return f"({constraint}) && !{_GIVEN_UP}"


def spool_files(condor: Any, schedd: Any, sent: Any) -> None:
    """Send the files of jobs that were submitted just now.

    Raises BackendError if the schedd has not got them and the jobs are gone, and the bindings' own
    error if that is not known.
    """
    try:
        schedd.spool(sent)
    except condor.HTCondorException as error:
        # The schedd removes such jobs itself, unless the connection broke.
        remove_unspooled(condor, schedd, f"ClusterId == {int(sent.cluster())}")
        raise BackendError(f"the jobs' files could not be sent: {refusal(str(error))}") from None


def remove_unspooled(condor: Any, schedd: Any, constraint: str) -> None:
    """Remove those jobs of a constraint whose files never came.

    The schedd looks at each job and removes it in one step, so none is removed that has just got
    its files.
    """
    waits = f"JobStatus == {HELD} && HoldReasonCode == {SPOOLING}"
    schedd.act(condor.JobAction.Remove, f"({constraint}) && {waits}", (NEVER_SPOOLED, 0))


def fetch(condor: Any, scan: str) -> dict[str, Any]:
    """Fetch what jobs of a scan have left with the schedd, of at most FETCH_LIMIT jobs.

    These jobs leave the queue then. `fetched` in the answer is how many they were.
    """
    prefix = f"{scan}/"
    constraint = (
        f"substr({BATCH}, 0, {len(prefix)}) == {quoted(prefix)} && JobStatus == {COMPLETED}"
        " && StageInFinish isnt undefined && (StageOutFinish ?: 0) < EnteredCurrentStatus"
    )
    schedd = condor.Schedd()
    ads: Sequence[Any] = schedd.query(constraint, ["ClusterId", "ProcId"], limit=FETCH_LIMIT)
    tasks = [f"{ad['ClusterId']}.{ad['ProcId']}" for ad in ads]
    fetched, problem = _retrieve(condor, schedd, tasks)
    if fetched:
        schedd.act(condor.JobAction.Remove, fetched, (FETCHED, 0))
    if problem and not fetched:
        raise problem
    return {"fetched": len(fetched)}


def _retrieve(condor: Any, schedd: Any, tasks: list[str]) -> tuple[list[str], Exception | None]:
    """Return those tasks whose files were fetched, and the first error."""
    if not tasks:
        return [], None
    try:
        schedd.retrieve(tasks)
        return tasks, None
    except condor.HTCondorException as error:
        if len(tasks) == 1:
            return [], error
    # One of them is in the way of the others, which are fetched all the same.
    middle = len(tasks) // 2
    first, problem = _retrieve(condor, schedd, tasks[:middle])
    second, other = _retrieve(condor, schedd, tasks[middle:])
    return first + second, problem or other


def store_ticket(condor: Any) -> None:
    """Give HTCondor a Kerberos ticket of this user, with which it sees to that of the jobs.

    The pool's own program (SEC_CREDENTIAL_PRODUCER) makes it. Raises BackendError.
    """
    try:
        condor.Credd().add_user_cred(condor.CredType.Kerberos, None)
    except Exception as error:  # each version of the bindings has other types
        raise BackendError(
            f"HTCondor did not take a Kerberos ticket of yours: {refusal(str(error)).rstrip('.')}."
            " Look with klist whether there is one, and get one with kinit."
        ) from None
