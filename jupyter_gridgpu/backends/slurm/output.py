"""What Slurm's commands print, read; the same for every version since 22.05, which its JSON is not.

JSON is not asked for: that of 22.05 holds the jobs of the whole cluster whatever the filters, that of 24.11 takes ten
kilobytes a job. Fields named by us, divided by a character that no name has, are the same and small in both.
"""

from __future__ import annotations

import math
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping

from jupyter_gridgpu.backends.batch.exit_codes import exit_words
from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.scan import ScanSpec

DIVIDER = "\x1f"
QUEUE_FIELDS = (
    "JobArrayID",
    "State",
    "Reason",
    "exit_code",
    "StartTime",
    "EndTime",
    "NodeList",
    "Partition",
)
BATCH_FIELDS = ("ArrayJobID", "Comment", "Name", "WorkDir")
PAST_BATCH_FIELDS = ("JobID", "JobName", "WorkDir")
PAST_FIELDS = (
    "JobID",
    "State",
    "Reason",
    "ExitCode",
    "Start",
    "End",
    "NodeList",
    "Partition",
)  # of sacct, in the same order
ROUND_S = 300  # of the estimated starts, which change with every look
_TASK = re.compile(r"\d{1,12}(_\d{1,9})?")

WAITING = {
    "PENDING",
    "REQUEUED",
    "REQUEUE_HOLD",
    "REQUEUE_FED",
    "SPECIAL_EXIT",
    "RESV_DEL_HOLD",
    "CONFIGURING",
}
RUNNING = {"RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING", "STAGE_OUT"}
ENDINGS = {
    "TIMEOUT": ("failed", "timeout", "The job reached its time limit in Slurm."),
    "DEADLINE": ("failed", "timeout", "The job could not end before its deadline in Slurm."),
    "OUT_OF_MEMORY": (
        "failed",
        "oom",
        "Out of memory: the job used more than Slurm gave it. Ask for more --memory.",
    ),
    "PREEMPTED": ("failed", "preempted", "Slurm gave the node to a job of higher priority."),
    "NODE_FAIL": ("failed", "node", "The node failed."),
    "BOOT_FAIL": ("failed", "node", "The node could not be started."),
    "CANCELLED": ("cancelled", "user", "Cancelled in Slurm."),
    "REVOKED": ("cancelled", "user", "Revoked in Slurm."),
    "COMPLETED": ("done", None, None),
}
# Why a job waits, in words behind 'Waits in PARTITION: '.
WAITS = {
    "Resources": "what it needs is in use",
    "Priority": "others are before it",
    "JobArrayTaskLimit": "as many of the scan's jobs as may run at once do",
    "BeginTime": "it starts again after its node was lost, or later by wish",
    "Dependency": "it depends on another job",
    "Licenses": "licenses are in use",
    "Reservation": "its reservation has not begun",
    "PartitionDown": "the partition is down",
    "PartitionInactive": "the partition takes no jobs now",
    "NodeDown": "its node is down",
    "Cleaning": "it is being cleaned up to start again",
    "Prolog": "its node is being prepared",
    "None": "Slurm has not looked at it yet",
}
# Reasons that nothing but somebody's hand will end.
STUCK = {
    "JobHeldUser": "It is held: `scontrol release {id}` lets it go.",
    "JobHeldAdmin": "It is held by an administrator of the cluster: ask them.",
    "PartitionTimeLimit": "It will not start: it asks for more time than {where} allows. Stop it and ask for less --walltime.",
    "PartitionNodeLimit": "It will not start: it asks for more nodes than {where} allows.",
    "BadConstraints": "It will not start: no node has what it asks for.",
    "DependencyNeverSatisfied": "It will not start: the job it depends on failed.",
    "AccountNotAllowed": "It will not start: the account may not use {where}. Stop it and give another --account or --queue.",
    "QOSNotAllowed": "It will not start: the QOS may not be used in {where}. Stop it and give another --qos or --queue.",
    "InvalidAccount": "It will not start: Slurm does not know the account. Stop it and give another --account.",
    "InvalidQOS": "It will not start: Slurm does not know the QOS. Stop it and give another --qos.",
    "JobHoldMaxRequeue": "It is held after too many requeues: `scontrol release {id}` lets it go.",
}
_NEVER = re.compile(r"(PerJob|PerNode|WallDuration\w*|MaxWall\w*)(Limit)?$")


_SECRET = re.compile(
    r"TOKEN|SECRET|PASSW|CREDENTIAL|COOKIE|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|_AUTH", re.I
)
_OF_HERE = re.compile(  # of this machine, this login or this notebook: of no use on a node, or wrong there
    r"SLURM_(?!CONF$|CONF_SERVER$|CLUSTERS$|JWT$).*|SBATCH_EXPORT|(JPY|JUPYTERHUB|SSH|DBUS|XDG_SESSION|XDG_RUNTIME|GRIDGPU)_.*"
    r"|DISPLAY|XAUTHORITY|TMUX.*|STY|WINDOWID|(CUDA|ROCR|NVIDIA|HIP)_VISIBLE_DEVICES|GPU_DEVICE_ORDINAL"
)
SPARE_MIN = 3  # added to a short limit, which the worker keeps by itself
SHORT_S = 1800


def job_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what of an environment goes to sbatch and, with it, to jobs: no secrets, nothing that is only of use here."""
    return {
        k: v
        for k, v in environment.items()
        if k == "SLURM_JWT" or not (_SECRET.search(k) or _OF_HERE.fullmatch(k))
    }


def sizes(scan: ScanSpec) -> list[str]:
    """Return the options of sbatch for cores, memory, disk and time."""
    wants, side_by_side = scan.resources, scan.per_gpu
    found = [f"--cpus-per-task={wants.cpus * side_by_side}"] if wants.cpus else []
    found += [f"--mem={wants.memory_mb * side_by_side}M"] if wants.memory_mb else []
    found += [f"--tmp={wants.disk_mb * side_by_side}M"] if wants.disk_mb else []
    if wants.walltime_s:
        total = wants.walltime_s * scan.per_job
        least = math.ceil(total / 60)
        # Where the partition's own limit is in between, Slurm takes that.
        found += (
            [f"--time={least + SPARE_MIN}", f"--time-min={least}"]
            if total < SHORT_S
            else [f"--time={least}"]
        )
    return found


def placed(option: str, value: str | None) -> list[str]:
    return [f"--{option}={value}"] if value else []


def queue_format(fields: Iterable[str]) -> str:
    """Return the words for `squeue --Format`: each field whole, and a divider behind it."""
    return ",".join(f"{field}:{DIVIDER}" for field in fields)


def rows(text: str, fields: int) -> Iterable[list[str]]:
    """Return the cells of each line that has as many as were asked for."""
    for line in text.split("\n"):
        cells = line.split(DIVIDER)
        if len(cells) >= fields:
            yield cells[:fields]  # squeue ends a line with a divider, sacct does not


def read_tasks(text: str) -> dict[str, TaskStatus]:
    """Return what squeue (QUEUE_FIELDS) or sacct (PAST_FIELDS) says of each task, by its id."""
    return {
        cells[0]: seen(cells)
        for cells in rows(text, len(QUEUE_FIELDS))
        if _TASK.fullmatch(cells[0])
    }


def seen(cells: list[str]) -> TaskStatus:
    """Return what one line says of a task."""
    ident, state, reason, code, start, end, node, where = cells[:8]
    state = state.split(" ")[0].rstrip("+")  # sacct: CANCELLED by 1000
    where = bounded(where, 80) or ""
    if state in WAITING:
        return TaskStatus(
            "queued",
            message=waiting_words(ident, reason, where, _epoch(start)),
            where=where or None,
        )
    if state in RUNNING:
        return TaskStatus("running", where=where or None, node=_node(node), started=_epoch(start))
    how, why, words = ENDINGS.get(state) or _failure(state, reason, code)
    return TaskStatus(how, why, words, where or None, _node(node), _epoch(start), _epoch(end))


def _failure(state: str, reason: str, code: str) -> tuple[str, str | None, str | None]:
    """State, reason and words for a task that ended by itself, or could not start."""
    status, number = exit_code(code)
    if state == "FAILED" and status:
        return ("failed", *exit_words(status))
    if reason in STUCK or reason == "BadConstraints":
        return "failed", "submit", "Slurm gave the job up: no node has what it asks for."
    if number and "Constraints" not in reason:
        return "failed", "node", f"The job was killed (signal {number}) and left no result."
    words = bounded(f"{state.lower().replace('_', ' ')}, {reason}", 120)
    return "failed", "node", f"Slurm says that the job could not run ({words})."


def exit_code(text: str) -> tuple[int, int]:
    """Return exit status and signal of `7:0` (24.11, sacct) or of a raw wait status (22.05)."""
    found = re.fullmatch(r"(\d{1,5}):(\d{1,5})", text)
    if found:
        return int(found[1]), int(found[2])
    raw = int(text) if re.fullmatch(r"\d{1,6}", text) else 0
    return raw >> 8, raw & 0x7F


def waiting_words(ident: str, reason: str, where: str, start: float | None) -> str:
    """Return one sentence: why a job waits, and when it is expected to start."""
    reason = bounded(reason, 200) or "None"
    name = reason.split(",")[0]
    if name in STUCK:
        return STUCK[name].format(id=ident, where=where)
    if _NEVER.search(name):
        return f"It will not start in {where}: it asks for more than one job may have ({name}). Stop it and ask for less."
    if "held" in reason:
        return f"It is held ({reason}): `scontrol release {ident}` lets it go."
    return f"Waits in {where}: {_why(name, reason)}{_about(start)}."


def _why(name: str, reason: str) -> str:
    if name in WAITS:
        return WAITS[name]
    if name == "ReqNodeNotAvail":
        return "a node that it needs is down, reserved or in use"
    if name.startswith(("Assoc", "QOS", "MaxGRES", "MaxJobs")):
        return f"a limit of the account is reached ({name})"
    return reason.rstrip(".")


def _about(start: float | None) -> str:
    """The words for an estimated start in the future."""
    now = time.time()
    if start is None or start < now:
        return ""
    rounded = time.localtime(start - start % ROUND_S + ROUND_S)
    return f"; starts about {time.strftime('%H:%M' if start < now + 64800 else '%a %d %b %H:%M', rounded)}"


def _epoch(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\d{1,12}", text) and int(text) else None


def _node(text: str) -> str | None:
    return bounded(text, 80) if text not in ("", "None assigned", "(null)") else None


def array_ids(tasks: Iterable[str]) -> list[str]:
    """Return tasks as few words for scancel: `12_1 12_2 12_3 12_7` is `12_[1-3,7]`."""
    indices: dict[str, set[int]] = {}
    for task in tasks:
        array, _, index = task.partition("_")
        indices.setdefault(array, set()).update([int(index)] if index else [])
    return [
        f"{array}_[{','.join(_ranges(sorted(found)))}]" if found else array
        for array, found in indices.items()
    ]


def _ranges(numbers: list[int]) -> Iterable[str]:
    first = 0
    for i, number in enumerate(numbers):
        if i + 1 == len(numbers) or numbers[i + 1] != number + 1:
            yield str(number) if first == i else f"{numbers[first]}-{number}"
            first = i + 1


def gres_types(text: str) -> dict[str, int]:
    """Return the types of GPUs and how many nodes have each, of sinfo's gres, features and number of nodes."""
    types: Counter[str] = Counter()
    for gres, _, nodes in rows(text, 3):
        types.update(
            {kind: _count(nodes) for kind in re.findall(r"\bgpu:([A-Za-z][\w.+-]*):\d", gres)}
        )
    return types


def features(text: str) -> dict[str, int]:
    """Return the features of nodes with GPUs and how many nodes have each."""
    found: Counter[str] = Counter()
    for gres, names, nodes in rows(text, 3):
        if "gpu" in gres:
            found.update(
                {
                    name: _count(nodes)
                    for name in names.split(",")
                    if re.fullmatch(r"[\w.+-]+", name)
                }
            )
    return found


def _count(text: str) -> int:
    return int(text) if re.fullmatch(r"\d{1,9}", text) else 1


def best_match(model: str, names: Mapping[str, int]) -> str | None:
    """Return the name that has `model` in it: the very name, else the one that most nodes have."""
    fitting = [name for name in names if model.lower() in name.lower()]
    return max(fitting, key=lambda name: (name.lower() == model.lower(), names[name]), default=None)


def local_time(when: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(when))


def one_line(text: str) -> str:
    return bounded(text, 80) or ""


FULL = re.compile(
    r"\w*(Max|Grp)\w*Submit\w*Limit"
)  # AssocMaxSubmitJobLimit, QOSGrpSubmitJobsLimit and others


def complaint(text: str) -> str:
    """Return what a command complained about in one line: the last thing it said, and before it in brackets what led to it."""
    lines = [
        re.sub(r"^\s*(\w+: )?(error: |fatal: )?", "", line).strip().rstrip(".")
        for line in text.splitlines()
    ]
    said = [
        re.sub(r"^(Batch job submission failed|allocation failure): ", "", line)
        for line in lines
        if line
    ]
    more = f" ({said[-2]})" if len(said) > 1 and said[-2] not in said[-1] else ""
    return bounded(said[-1] + more, 250) or "" if said else "no reason given"
