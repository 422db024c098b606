"""The types of messages that only the server sends or receives.

docs/openapi.json is made of these types, and their docstrings become its descriptions. Types that
other faces send as well are in model/wire.py.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from jupyter_gridgpu.model.wire import Action, Row, ScanInfo

# Answers of the REST routes ----------------------------------------------------------------


class LeftOutScan(TypedDict):
    """A folder of the home that cannot be shown as a scan, and why, in a sentence."""

    folder: str
    why: str


class ScanList(TypedDict):
    """All scans, newest first, and at most 100 folders that cannot be shown."""

    scans: list[ScanInfo]
    left_out: list[LeftOutScan]


class RowPage(TypedDict):
    """One page of the rows of a scan at revision `rev`; `total` counts the rows that fit."""

    total: int
    rev: int
    rows: list[Row]


class RunnerLog(TypedDict):
    """The end of the log of a scan's runner."""

    text: str


class SavedOutput(TypedDict):
    """What a notebook keeps of a scan in the output of a cell, by MIME type."""

    data: dict[str, Any]


class HomeSeen(TypedDict):
    """The folder of scans, and the mark by which a kernel tells whether it has the same one.

    The mark is empty if no kernel has left one.
    """

    home: str
    mark: str


class _CommandOptions(TypedDict, total=False):
    variants: list[str] | None
    trials: int | None
    add: list[str]
    repeats: int | None
    points: list[dict[str, Any]]
    accept: list[str]


class Command(_CommandOptions):
    """A command to a scan. Without `variants` it is for all of them.

    Only extend has `trials` (points in addition), `add` (lines with new values, as in a cell: `lr =
    [1e-5, 3e-5]`), `repeats` (of every point, in all) and `points` (own points, each with values by
    parameter). Only replay has `accept`: the options of a foreign scan that the user has seen, as
    its head lists them.
    """

    action: Action


class Contents(TypedDict):
    """The executed notebook of a job as a model of Jupyter's contents API, without marks of trust.

    Times are ISO 8601 in UTC, `size` is in bytes.
    """

    name: str
    path: str
    type: Literal["notebook"]
    format: Literal["json"]
    writable: bool
    created: str
    last_modified: str
    mimetype: None
    size: int
    content: dict[str, Any]


class Fault(TypedDict):
    """Why a request was refused, in one sentence."""

    message: str


class Home(TypedDict):
    """The folder on the server that scans are kept in.

    In a request, an empty text means the folder that was used when the server started.
    """

    home: str


# Answers of the collector --------------------------------------------------------------------


class _NextByte(TypedDict, total=False):
    next: int


class Refusal(_NextByte):
    """Why the collector refuses a request; a job may go on from the byte `next` of its file."""

    message: str


class Taken(TypedDict):
    """The collector has all bytes of the job's metrics file before the offset `next`."""

    next: int


class Announced(TypedDict):
    """How many jobs the runner has announced to the collector with this request."""

    jobs: int


# Messages of the stream of events: what a page sends, then what it receives ------------------


class _FromRevision(TypedDict, total=False):
    since: int | None


class Open(_FromRevision):
    """A page asks for all rows of a scan, or for those that changed after revision `since`."""

    type: Literal["open"]
    scan: str


class Close(TypedDict):
    """A page no longer needs the rows of a scan."""

    type: Literal["close"]
    scan: str


class AllScans(ScanList):
    """The first message of the stream: all scans, newest first."""

    type: Literal["scans"]


class OneScan(TypedDict):
    """A scan that is new or has changed. The page has not opened this scan."""

    type: Literal["scan"]
    scan: ScanInfo


class Gone(TypedDict):
    """The folder of a scan was removed."""

    type: Literal["gone"]
    scan: str


class LeftOutNow(TypedDict):
    """All folders that cannot be shown as scans, after one was added or mended."""

    type: Literal["left_out"]
    left_out: list[LeftOutScan]


class Missing(TypedDict):
    """The scan that the page wants to open does not exist, or the page has too many open."""

    type: Literal["missing"]
    scan: str


# GPU queues ----------------------------------------------------------------------------------


class GpuKindInfo(TypedDict):
    """The GPUs of one kind in a queue. Null means not known, here and below.

    A node has `count` of them, the queue has `total`, and `free` of these are free. `vram_mb` is
    the memory of one GPU in MB.
    """

    vendor: str | None
    model: str | None
    vram_mb: int | None
    cuda: str | None
    count: int | None
    total: int | None
    free: int | None


class QueueLimitsInfo(TypedDict):
    """The most that one job of a queue gets: seconds, MB, cores, GPUs."""

    walltime_s: int | None
    memory_mb: int | None
    cpus: int | None
    gpus: int | None


class QueueInfo(TypedDict):
    """A queue that jobs can be sent to; `free` of its `total` GPUs are free.

    `gpus_text` and `limits_text` say in words what `gpus` and `limits` say.
    """

    name: str
    backend: str
    title: str
    gpus: list[GpuKindInfo] | None
    gpus_text: str
    total: int | None
    free: int | None
    limits: QueueLimitsInfo
    limits_text: str
    runtimes: list[str] | None
    images: list[str] | None
    gpu_only: bool
    state: Literal["online", "offline", "unknown"]
    queue: str | None
    account: str | None
    qos: str | None
    constraint: str | None
    rank: int
    default: bool
    source: str


class ProfileInfo(TypedDict):
    """A name that `--on` takes; `options` are the words of a command for which it stands."""

    name: str
    backend: str
    title: str
    options: str
    collector: str
    source: str


class Queues(TypedDict):
    """All queues as of the Unix time `asked`, and the profiles.

    Problems are sentences on what is not known.
    """

    asked: float
    queues: list[QueueInfo]
    profiles: list[ProfileInfo]
    problems: list[str]
