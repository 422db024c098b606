"""What only the server says and hears, in the shapes that docs/openapi.json is made of; the rest is in model/wire.py."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

from jupyter_gridgpu.model.wire import Action, Row, ScanInfo


class ScanList(TypedDict):
    """All scans, newest first."""

    scans: list[ScanInfo]


class RowPage(TypedDict):
    """One page of the rows of a scan; `total` counts all that fit the filter."""

    total: int
    rev: int
    rows: list[Row]


class RunnerLog(TypedDict):
    """The end of what the runner of a scan had to say."""

    text: str


class _Trials(TypedDict, total=False):
    variants: list[str] | None
    trials: int | None


class Command(_Trials):
    """What is asked of a scan; `variants` null is the whole scan, `trials` belongs to extend."""

    action: Action


class Contents(TypedDict):
    """The executed notebook of a job as a model of Jupyter's contents API; nothing in it is trusted."""

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


class _Next(TypedDict, total=False):
    next: int


class Refusal(_Next):
    """Why a collector does not take something; `next` is the offset from which a job may go on."""

    message: str


class Taken(TypedDict):
    """All bytes of the job's metrics file before `next` are kept."""

    next: int


class Announced(TypedDict):
    """How many jobs were named."""

    jobs: int


class _Since(TypedDict, total=False):
    since: int | None


class Open(_Since):
    """A page wants all rows of a scan, or those that changed after revision `since`."""

    type: Literal["open"]
    scan: str


class Close(TypedDict):
    """A page needs the rows of a scan no more."""

    type: Literal["close"]
    scan: str


class AllScans(ScanList):
    """The first message of the stream."""

    type: Literal["scans"]


class OneScan(TypedDict):
    """A scan that is new or has changed and that the page has not opened."""

    type: Literal["scan"]
    scan: ScanInfo


class Gone(TypedDict):
    """The folder of a scan was removed."""

    type: Literal["gone"]
    scan: str


class Missing(TypedDict):
    """There is no such scan."""

    type: Literal["missing"]
    scan: str


class Home(TypedDict):
    """The folder that scans are kept in, on the server; empty in a request: where they were at first."""

    home: str


class GpuKindInfo(TypedDict):
    """GPUs of one kind; `count` is how many of them a node has. Null is what is not known, here and below."""

    vendor: str | None
    model: str | None
    vram_mb: int | None
    cuda: str | None
    count: int | None
    total: int | None
    free: int | None


class QueueLimitsInfo(TypedDict):
    """The most that one job gets."""

    walltime_s: int | None
    memory_mb: int | None
    cpus: int | None
    gpus: int | None


class QueueInfo(TypedDict):
    """A place that jobs can be sent to; `free` of its `total` GPUs are free. The texts say the same in words."""

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


class Queues(TypedDict):
    """All queues as of `asked`, and a sentence for whatever could not be asked or read."""

    asked: float
    queues: list[QueueInfo]
    problems: list[str]
