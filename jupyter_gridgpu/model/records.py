"""The records that a scan keeps on disk: one type for each JSON file and for each kind of line.

    scan folder
      journal.jsonl               one event a line: `EventHead` and the keys of the event
      manifest.jsonl              one `ManifestLine` for each job that has ended
      points.jsonl                one `PointLine` for each variant whose point was given
      earlier.jsonl               one `EarlierLine` for each result that is learned from
      shared-files.json           `SharedFilesFile`
      runner.lock                 `LeaseFile`
      unpacked.json               `UnpackedFile`
      inbox/ID.json               `CommandFile`
      batches/b0001/engine.json   `BatchFile`
      jobs/v0017.2/
        job.json                  `JobSpec`
        claim.json                `JobClaim`
        result.json               `JobResult` of the copy that counts
        COPY/copy.json            `CopyInfo`
        COPY/result.json          `JobResult`
        COPY/metrics.jsonl        one `MetricsLine` or `HeartbeatLine` for each line

These types cost nothing at run time. Code that reads a record names its type with `cast`. A record
that a job wrote must be checked all the same, since jobs run other people's code. The JSON Schema
in `docs/records.schema.json` is made from this module.

Times are seconds since the epoch, amounts of memory are MB (2**20 bytes). Optional keys may be
missing, because an earlier version did not write them or because there was nothing to say. Readers
skip keys that they do not know. The module runs on Python 3.9, whose `typing` has no `NotRequired`,
so that the optional keys of a record stand in a base class.
"""

from __future__ import annotations

from typing import Any, Literal, Optional, TypedDict

from jupyter_gridgpu.model.numbers import Num

State = Literal["new", "queued", "running", "done", "failed", "cancelled", "lost"]
Reason = Literal[
    "timeout", "oom", "preempted", "pruned", "node", "image", "setup", "notebook", "user", "submit"
]
CommandName = Literal["stop", "retry", "pause", "resume", "extend"]

# A job and what it leaves ---------------------------------------------------------


class _LaterJobSpec(TypedDict, total=False):
    """Keys that the first version did not write, or that only some backends add."""

    id: str  # of the scan
    objectives: list[str]  # the metrics of all objectives
    notebook_digest: str
    image: str | None
    image_digest: str | None
    python: str | None  # what --python named
    prefork: bool  # whether the kernel may be forked from a prepared parent
    language: str  # of the kernel, for example python
    sender: str  # path of the file that says where a job sends its metrics
    secrets: list[str]  # names of variables that the job gets from `secrets_file`
    secrets_file: str  # path of the file with the secrets of the scan
    grace_s: int | None  # how long saving may take when the job ends early; None: the default
    kill_s: float | None  # how long the batch system waits after SIGTERM before it kills
    notice_s: float | None  # how long before its time limit it sends SIGUSR1, at the latest
    limit_is_near: bool  # its time limit may be so near that SIGUSR1 comes before a job listens
    requeues: bool  # the batch system starts a preempted job again by itself


class JobSpec(_LaterJobSpec):
    """job.json: what a worker needs to know to run one job. The runner writes it."""

    key: str  # of the job, for example v0017.2
    scan: str  # the scan's name
    params: dict[str, Any]
    kernel: str  # the name of a kernelspec
    objective: str | None  # the metric of the only objective
    walltime_s: int | None
    memory_mb: int | None
    env: dict[str, str]  # environment variables that the worker sets


class _ResultExtras(TypedDict, total=False):
    """Keys that imported notebooks lack (`peak_mb`) or that only failed jobs have."""

    peak_mb: float  # the largest memory of the job's processes
    reason: Reason | None
    message: str | None
    cell: int | None  # as In [n] counts in the user's notebook
    # The sizes of metrics.jsonl and output.ipynb, in bytes, when the copy ended.
    left: dict[str, int]


class JobResult(_ResultExtras):
    """result.json: how a job ended. The worker writes it when the notebook has ended."""

    key: str
    copy: str  # the name of the copy's folder
    started: float | None
    ended: float | None
    state: Literal["done", "failed"]


class _CopyExtras(TypedDict, total=False):
    """Keys that earlier versions did not write, or that only a copy in a container image has."""

    executable: str | None  # the Python of the worker, as it sees itself
    image: str
    image_mark: str | None  # the image's version, which tells it from others of the same name
    container: str | None  # apptainer, podman, docker: what the worker saw; None: no sign of one


class CopyInfo(_CopyExtras):
    """copy.json: where a copy of a job runs. The worker writes it when it starts."""

    host: str
    started: float
    gpus: str | None  # CUDA_VISIBLE_DEVICES of the worker; None: no GPU, or not set
    models: list[str]  # of the job's GPUs as far as they are known, else of the node's; each once
    engine: dict[str, str]  # variables by which the batch system tells a job its ids


class ProcessFile(TypedDict):
    """A process, told from every other process that ever had the same number."""

    host: str
    boot: str  # id of the boot of the host
    pid: int
    start: int  # clock ticks from the boot to the start of the process


class _ClaimExtras(TypedDict, total=False):
    """Keys that the first version did not write."""

    folder: str  # path of the job's folder when the job was claimed


class JobClaim(ProcessFile, _ClaimExtras):
    """claim.json: the process that claimed the job, so that a job that starts twice runs once."""

    copy: str  # the name of the copy's folder


class CancelledClaim(TypedDict):
    """claim.json of a job that the runner took back before any worker had claimed it."""

    cancelled: Literal[True]


class MetricsLine(TypedDict):
    """A line of metrics.jsonl: values of metrics that a notebook reported at one moment."""

    t: float  # when the reading was made
    s: int | None  # the step
    of: int | None  # how many steps there will be
    m: dict[str, Num]  # by metric


class UsageValues(TypedDict, total=False):
    """What a job used at one moment."""

    cpu: float  # cores
    memory_mb: float
    gpu: float  # per cent
    gpu_memory_mb: float


class HeartbeatLine(TypedDict):
    """A line of metrics.jsonl: what the job used at one moment."""

    t: float
    beat: UsageValues


# A scan ---------------------------------------------------------------------------


class ManifestLine(TypedDict):
    """A line of manifest.jsonl: the digests of the files that a job left.

    An empty key stands for the files of the scan itself.
    """

    key: str
    t: float
    files: dict[str, tuple[str, int]]  # path in the scan folder -> SHA-256, bytes


class PointLine(TypedDict):
    """A line of points.jsonl: one variant whose point was given, as in a replay."""

    variant: str
    point: int
    repeat: int
    params: dict[str, Any]


class EarlierLine(TypedDict):
    """A line of earlier.jsonl: a result of an earlier scan, which the sampler learns from."""

    scan: str  # the id of the earlier scan
    point: int  # from 0, as that scan counts
    params: dict[str, Any]
    values: list[float]  # of the objectives of this scan


class SharedFile(TypedDict):
    """A helper file that nodes see where it lies (`--shared`)."""

    path: str  # on the nodes
    size: int  # in bytes, when the scan was made


class SharedFilesFile(TypedDict):
    """shared-files.json: the helper files that nodes see, by their names beside the notebook."""

    files: dict[str, SharedFile]


class LeaseFile(ProcessFile):
    """runner.lock: the runner that drives the scan, or that did so last."""

    term: int  # grows with every runner
    held: bool  # False once the runner has given the lease back


class _CommandExtras(TypedDict, total=False):
    """Keys that only some commands have."""

    trials: int | None  # of `extend`: how many more points
    add: list[dict[str, Any]]  # of `extend`: lines with new values, as scan.json has a space
    repeats: int  # of `extend`: how often every point is run in all
    points: list[dict[str, Any]]  # of `extend`: own points, each with values of parameters
    by: str | None  # who asked, where that is not the owner of the scan


class CommandFile(_CommandExtras):
    """A file of the inbox: what a client asks a runner to do."""

    action: CommandName
    variants: list[str] | None  # None: the scan as a whole


class UnpackedFile(TypedDict):
    """unpacked.json: the mark of a scan that was unpacked, which is only looked at.

    That the file is there is all that counts.
    """

    file: str  # the pack
    time: float  # when it was unpacked


class BatchFile(TypedDict):
    """engine.json of a batch: its id in the batch system, or None if the batch is not there."""

    id: str | None


# The events of the journal --------------------------------------------------------


class _EventExtras(TypedDict, total=False):
    """Keys that lines of earlier versions lack."""

    crc: int  # CRC-32 of the bytes of the line before this key, which is the last one


class EventHead(_EventExtras):
    """What stands in every line of the journal before the keys of its event."""

    seq: int  # counts the lines from 1
    term: int  # of the lease under which the line was written
    t: float
    type: str


class RunnerStarted(TypedDict):
    """runner.started: a runner has taken over the scan. It begins a new term and has no keys."""


class VariantProposed(TypedDict):
    """variant.proposed: a variant exists from now on."""

    variant: str
    point: int  # from 0
    repeat: int  # from 0
    params: dict[str, Any]
    attrs: dict[str, Any]  # what the sampler wants to find again


class JobIntended(TypedDict):
    """job.intended: an attempt begins.

    The line is written before the job is sent, so that a runner that is killed in between leaves no
    job that nobody knows.
    """

    key: str


class JobSubmitted(TypedDict):
    """job.submitted: the backend has taken a job."""

    key: str
    engine_id: str  # the backend's id of the job


class _ObservedExtras(TypedDict, total=False):
    """What is known of a job beside its state; keys without a value are left out."""

    reason: Reason
    message: str
    cell: int  # as In [n] counts in the user's notebook
    where: str  # the host of a local job, else the queue
    node: str
    link: str  # the batch system's own page about the job
    gpu: str  # the model, or which of the node's GPUs
    started: float
    ended: float
    notebook: str  # path of the executed notebook in the scan folder
    gpu_s: float  # GPU seconds that the job took
    peak_mb: float


class JobObserved(_ObservedExtras):
    """job.observed: a backend, or the job's own result, says something new of a job."""

    key: str
    state: State


# n, min, max, and the new values. Those before the last are rounded, since only sparklines show
# them.
MetricReport = tuple[int, Optional[Num], Optional[Num], list[Num]]


class _ReportedExtras(TypedDict, total=False):
    """Keys that only some reports have."""

    usage: UsageValues
    whole: bool  # the report counts from the beginning of the job's metrics
    at: float | None  # when the newest reading was made, where metrics are sent
    notebook: str  # path in the scan folder of a notebook that was sent


class JobReported(_ReportedExtras):
    """job.reported: what a job reported since the last line about it; at most one line a second."""

    key: str
    step: int | None
    steps: int | None
    metrics: dict[str, MetricReport]


class BackendNoted(TypedDict):
    """engine.noted: one sentence about a batch system that is ill; None once it is well again."""

    message: str | None


class _CommandAppliedExtras(TypedDict, total=False):
    """Keys that only an extension of the space, or by own points, has."""

    add: list[dict[str, Any]]
    repeats: int
    points: list[dict[str, Any]]
    first: int  # how many points the scan had


class CommandApplied(_CommandAppliedExtras):
    """command.applied: the runner has done what a client asked for."""

    id: str  # of the command
    action: CommandName
    variants: list[str] | None  # None: the scan as a whole
    trials: int | None  # of `extend`
    by: str | None


class RuleMet(TypedDict):
    """rule.met: a rule has stopped the scan. Nothing more is sent, what waits is taken back."""

    rule: str  # for example max-failures
    why: str  # the rest of a sentence that begins with `Stopped:`


class ImageSeen(TypedDict):
    """image.seen: a job ran in an image that no earlier job of the scan ran in."""

    key: str  # of the job; empty if an earlier version noted the image of the first job
    mark: str  # the image's version, which tells it from others of the same name


class MachineSlept(TypedDict):
    """machine.slept: the machine of the runner was suspended for a while."""

    s: float  # for how many seconds


class ClockSet(TypedDict):
    """clock.set: the clock of the day of the runner's machine was set while the scan ran."""

    by_s: float  # by how many seconds; negative if it was set back


class ScanFinished(TypedDict):
    """scan.finished: nothing is left to do, unless a command comes."""

    state: Literal["done", "stopped"]
