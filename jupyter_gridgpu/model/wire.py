"""The view as JSON: the messages to the table in the browser, and the object that `--json` prints.

There is one type for each message. `docs/openapi.json` and the types of the browser are made from
them, with their docstrings and the comments at their keys as descriptions.
Times are Unix seconds, memory is MB (2**20 bytes). Numbers that strict JSON does not know are
words: "NaN", "Infinity" and "-Infinity".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypedDict, cast

from jupyter_gridgpu.model import notes, numbers
from jupyter_gridgpu.model.escapes import visible, visible_value
from jupyter_gridgpu.model.estimate import seconds_left
from jupyter_gridgpu.model.numbers import Num
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.records import State as State
from jupyter_gridgpu.model.view import ScanView, VariantView, warnings_of

ScanState = Literal["running", "paused", "done", "stopped", "orphaned"]
ChannelName = Literal["file", "push", "drop", "end"]
Action = Literal["stop", "retry", "pause", "resume", "extend", "replay"]

# Rows and scans -------------------------------------------------------------------


class Metric(TypedDict):
    """One metric of a row."""

    last: Num
    min: Num | None  # of the finite values
    max: Num | None  # of the finite values
    n: int  # how many values there were
    trail: list[Num]  # at most 48 of the values in order, for a sparkline


class Usage(TypedDict, total=False):
    """What a job used at its last heartbeat."""

    cpu: float  # cores
    memory_mb: float
    gpu: float  # per cent
    gpu_memory_mb: float


class _RowExtras(TypedDict, total=False):
    """Keys of a row that may be missing."""

    peak_mb: float | None
    usage: Usage
    reported: float | None  # when the newest reading was made, where metrics are sent
    link: str  # the batch system's own page about the job
    values: list[Num | None]  # of the objectives, where there are several


class Row(_RowExtras):
    """One variant, with what is known of its latest attempt."""

    id: str
    point: int  # from 0
    repeat: int  # from 0
    params: dict[str, Any]
    state: State
    reason: str | None  # why it failed, in one word
    message: str | None  # why it waits or failed, in one sentence
    cell: int | None  # that failed, as In [n] counts in the user's notebook
    attempts: int
    step: int | None
    steps: int | None  # how many steps there will be
    metrics: dict[str, Metric]
    value: Num | None  # of the objective; null where there are several
    where: str | None  # the host of a local job, else the queue
    gpu: str | None
    started: float | None
    ended: float | None
    notebook: str | None  # path of the executed notebook in the scan folder


class ObjectiveInfo(TypedDict):
    """The metric that ranks variants, and how its series becomes one number."""

    metric: str
    direction: Literal["maximize", "minimize"]
    reduction: Literal["last", "max", "min"]


class _HeadExtras(TypedDict, total=False):
    """Keys of a head that only a scan with several objectives has."""

    objectives: list[ObjectiveInfo]
    # Ids of the variants of the Pareto front: at their points, no other point is as good in all
    # objectives and better in one.
    pareto: list[str]


class Head(_HeadExtras):
    """A scan as a whole."""

    id: str
    name: str
    notebook: str
    state: ScanState
    backend: str
    objective: ObjectiveInfo | None  # the only one; null where there is none or several
    params: list[str]  # all parameters that the scan gives, in the order of the cell
    varied: list[str]  # those of them that have more than one value
    repeats: str | None  # the parameter that repeats every point
    total: int | None  # how many variants there will be
    counts: dict[State, int]
    best: str | None  # id of the variant with the best objective; null where there are several
    best_value: Num | None  # of its objective
    created: float
    ended: float | None
    left_s: float | None  # estimated seconds to the end
    gpu_s: float  # GPU seconds of all jobs together
    now: float  # the sender's clock
    note: str | None  # what a user should know, in a sentence or two
    # The sentence that says why this user only looks at the scan, and what a replay of it has to
    # accept: options of the scan, as a command line has them.
    foreign: str | None
    accept: list[str]
    warnings: list[str]  # sentences about the request, and about what cannot be trusted
    stopped_by: str | None  # the sentence that says why a rule has stopped the scan
    channel: ChannelName  # the way on which metrics come
    reported: float | None  # when the newest reading was made


class ScanInfo(Head):
    """A scan as a whole, and where its folder is."""

    folder: str
    browse: str | None  # the folder as the Jupyter server of a notebook sees it; None if not known
    home: str  # the folder that holds all scans


# Messages -------------------------------------------------------------------------


class Snapshot(TypedDict):
    """All rows of a scan as of revision `rev`, which counts the events of its journal."""

    type: Literal["snapshot"]
    rev: int
    scan: ScanInfo
    rows: list[Row]


# Written as a call, since `from` cannot be the name of a field in a class.
Upsert = TypedDict(
    "Upsert",
    {"type": Literal["upsert"], "from": int, "rev": int, "scan": "ScanInfo", "rows": "list[Row]"},
)
Upsert.__doc__ = "The rows that changed after revision `from`, each of them whole."


class Notice(TypedDict):
    """One sentence for the user."""

    type: Literal["said"]
    text: str


class LogText(TypedDict):
    """A part of the log of a job."""

    type: Literal["log"]
    variant: str  # the variant, or the key of the job, as the client named it
    text: str
    start: int  # first byte of the part
    end: int  # byte after the part
    size: int  # bytes of the whole log


class Curve(TypedDict):
    """One metric of one job, thinned."""

    steps: list[int]  # epochs; where the notebook named none, values are counted from 1
    values: list[Num]


class UsageCurves(TypedDict):
    """What one job used over time, thinned; all lists have the same length."""

    times: list[float]
    cpu: list[float | None]  # cores
    memory_mb: list[float | None]
    gpu: list[float | None]  # per cent
    gpu_memory_mb: list[float | None]


class JobMetrics(TypedDict):
    """The curves of one attempt."""

    type: Literal["metrics"]
    variant: str
    attempt: int
    curves: dict[str, Curve]
    usage: UsageCurves


class Attempt(TypedDict):
    """One attempt at a variant."""

    attempt: int  # from 1
    state: State
    reason: str | None  # why it failed, in one word
    message: str | None  # why it waits or failed, in one sentence
    where: str | None  # the host of a local job, else the queue
    gpu: str | None
    submitted: float | None  # when the job was handed to the backend
    started: float | None
    ended: float | None
    node: str | None
    engine_id: str | None  # the backend's id of the job
    link: str | None  # the batch system's own page about the job


class JobLimits(TypedDict):
    """What one job asked for: GPUs, memory and walltime."""

    gpus: int
    memory_mb: int | None
    walltime_s: int | None


class JobDetails(TypedDict):
    """Everything that the details of a variant show beside its row."""

    type: Literal["job"]
    variant: str
    attempts: list[Attempt]  # oldest first
    defaults: dict[str, Any]  # the notebook's own values, where they are plain
    limits: JobLimits
    has_notebook: bool  # whether an executed notebook is there to be opened


# From the view to messages --------------------------------------------------------

# Fields of a variant that a row has as they are. A table of 10,000 rows is made of these, so they
# are copied in one go.
_ROW = (
    "id", "point", "repeat", "state", "reason", "message", "cell", "attempts", "step", "steps",
    "where", "gpu", "started", "ended", "notebook", "peak_mb", "usage", "reported",
)  # fmt: skip
# Those of them whose text may be anybody's.
_ROW_TEXTS = ("reason", "message", "where", "gpu", "notebook")


def row(view: ScanView, variant: VariantView) -> Row:
    """Return one variant as a row of the table."""
    made = {name: getattr(variant, name) for name in _ROW}
    # Faces only show parameters, so a text that looks like a number's word needs no mark.
    made["params"] = visible_value(numbers.encode_all(variant.params, mark=""))
    made["metrics"] = {visible(name): series.row() for name, series in variant.metrics.items()}
    for name in _ROW_TEXTS:
        made[name] = _visible(made[name])
    made["value"] = _encoded(view.value(variant))
    if variant.link:
        made["link"] = visible(variant.link)
    if len(view.objectives) > 1:
        made["values"] = [_encoded(value) for value in view.values(variant)]
    return cast(Row, made)


def _visible(text: str | None) -> str | None:
    return None if text is None else visible(text)


def head(
    view: ScanView,
    state: str,
    now: float,
    foreign: str | None = None,
    accept: Iterable[str] = (),
) -> Head:
    """Return the scan as a whole.

    The caller gives `state`, since only the lease of the scan can tell whether it is orphaned, and
    `foreign` and `accept`, since only the disk tells whose the scan is. `now` is the time in Unix
    seconds.
    """
    scan = view.scan
    best, best_value = view.best(), None
    if best is not None:
        best_value = view.value(best)
    left = seconds_left(view, now)
    # Where all jobs have ended, nothing more is expected and no age is shown.
    reported = [job.reported for job in view.active.values() if job.reported is not None]
    return {
        **_several(view),
        "id": scan.id,
        "name": scan.name,
        "notebook": visible(scan.notebook),
        "state": cast(ScanState, state),
        "backend": scan.backend,
        "objective": None if view.objective is None else _objective(view.objective),
        "params": list(scan.space),
        "varied": scan.space.varied,
        "repeats": scan.space.repeats[0] if scan.space.repeats else None,
        "total": view.total(),
        "counts": cast("dict[State, int]", view.counts()),
        "best": best.id if best else None,
        "best_value": _encoded(best_value),
        # Moved with the clock of the day, so that the time that the scan took stays true.
        "created": scan.created + view.clock_set_s,
        "ended": view.ended if view.finished else None,
        "left_s": None if left is None else round(left, 1),
        "gpu_s": sum(variant.gpu_s for variant in view.variants.values()),
        "now": now,
        "note": foreign or _visible(notes.note(view, now)),
        "foreign": foreign,
        "accept": list(accept),
        "warnings": visible_value(warnings_of(view)),
        "stopped_by": _visible(notes.stopped_by(view)),
        "channel": cast(ChannelName, scan.channel),
        "reported": max(reported, default=None),
    }


def _several(view: ScanView) -> _HeadExtras:
    """Return what a head has in addition where there are several objectives."""
    if len(view.objectives) < 2:
        return {}
    return {
        "objectives": [_objective(objective) for objective in view.objectives],
        "pareto": [variant.id for variant in view.pareto()],
    }


def _objective(objective: Objective) -> ObjectiveInfo:
    """Return an objective as it travels."""
    # The fields of the dataclass are the keys that travel.
    return cast(ObjectiveInfo, {**vars(objective), "metric": visible(objective.metric)})


def _encoded(value: float | None) -> Num | None:
    """Return a number as strict JSON can carry it; None stays None."""
    if value is None:
        return None
    return numbers.encode(value)


def job(view: ScanView, variant: VariantView, has_notebook: bool) -> JobDetails:
    """Return everything that the details of a variant show beside its row."""
    resources = view.scan.resources
    attempts = list(variant.past)
    if variant.attempts:
        attempts.append(variant.attempt())
    return {
        "type": "job",
        "variant": variant.id,
        "attempts": cast("list[Attempt]", visible_value(attempts)),
        "defaults": visible_value(numbers.encode_all(view.scan.defaults, mark="")),
        "limits": {
            "gpus": resources.gpus,
            "memory_mb": resources.memory_mb,
            "walltime_s": resources.walltime_s,
        },
        "has_notebook": has_notebook,
    }


def best_keys(view: ScanView) -> dict[str, Any]:
    """Return which variants are the best, by the keys of the JSON that users read.

    With several objectives, `best` is null and `pareto` has the front. `by` says what the user
    asked to rank by.
    """
    best = view.best()
    keys: dict[str, Any] = {"best": best.id if best else None}
    if view.by is not None:
        keys["by"] = view.by.text
    elif len(view.objectives) > 1:
        keys["pareto"] = [variant.id for variant in view.pareto()]
    return keys


def summary(view: ScanView, state: str, folder: str, foreign: str | None = None) -> dict[str, Any]:
    """Return the object that `gridgpu run --json` and `gridgpu show --json` print.

    Programs of users read this object, so it is simpler than the messages to the browser.
    """
    said = [text for text in (notes.slept(view), notes.extended(view)) if text]
    return {
        "scan": view.scan.name,
        "folder": folder,
        "state": state,
        "foreign": foreign,
        "profile": view.scan.profile or None,
        **best_keys(view),
        "warnings": [*warnings_of(view), *said],
        "stopped_by": notes.stopped_by(view),
        "variants": [_variant(variant, folder) for variant in view.changed_since(-1)],
    }


def _variant(variant: VariantView, folder: str) -> dict[str, Any]:
    """Return one variant of the summary; the path of its notebook begins with the scan folder."""
    notebook = None
    if variant.notebook:
        notebook = f"{folder}/{variant.notebook}"
    return {
        "id": variant.id,
        "params": numbers.encode_all(variant.params, mark=""),
        "state": variant.state,
        "reason": variant.reason,
        "message": variant.message,
        "cell": variant.cell,
        "attempts": variant.attempts,
        "metrics": {name: numbers.encode(series.last) for name, series in variant.metrics.items()},
        "notebook": notebook,
    }
