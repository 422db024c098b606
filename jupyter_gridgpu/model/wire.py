"""The view as JSON: what goes to the table in the browser, and what `--json` prints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypedDict, cast

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.numbers import Num
from jupyter_gridgpu.model.units import duration, number
from jupyter_gridgpu.model.view import ScanView, VariantView

MISSING = "–"

# What travels, message by message; docs/openapi.json and the browser's types are made of these ----------------------

State = Literal["new", "queued", "running", "done", "failed", "cancelled", "lost"]
ScanState = Literal["running", "paused", "done", "stopped", "orphaned"]
ChannelName = Literal["file", "push", "drop", "end"]
Action = Literal["stop", "retry", "pause", "resume", "extend", "replay"]


class Metric(TypedDict):
    """One metric of a row; `trail` are at most 48 values in order, for a sparkline."""

    last: Num
    min: Num | None
    max: Num | None
    n: int
    trail: list[Num]


class Load(TypedDict, total=False):
    """What a job used at its last heartbeat: cores, MB, %."""

    cpu: float
    memory_mb: float
    gpu: float
    gpu_memory_mb: float


class _RowExtras(TypedDict, total=False):
    peak_mb: float | None
    usage: Load
    reported: float | None
    link: str


class Row(_RowExtras):
    """One variant. Times are Unix seconds, `notebook` counts from the scan's folder, `link` is the engine's page about it."""

    id: str
    point: int
    repeat: int
    params: dict[str, Any]
    state: State
    reason: str | None
    message: str | None
    cell: int | None
    attempts: int
    step: int | None
    steps: int | None
    metrics: dict[str, Metric]
    value: Num | None
    where: str | None
    gpu: str | None
    started: float | None
    ended: float | None
    notebook: str | None


class ObjectiveInfo(TypedDict):
    """The metric that ranks variants, and how its series becomes one number."""

    metric: str
    direction: Literal["maximize", "minimize"]
    reduction: Literal["last", "max", "min"]


class Head(TypedDict):
    """A scan as a whole. `now` is the sender's clock; `channel` is how metrics come, `reported` when the newest was made."""

    id: str
    name: str
    notebook: str
    state: ScanState
    backend: str
    objective: ObjectiveInfo | None
    params: list[str]
    varied: list[str]
    repeats: str | None
    total: int | None
    counts: dict[State, int]
    best: str | None
    best_value: Num | None
    created: float
    ended: float | None
    left_s: float | None
    gpu_s: float
    now: float
    note: str | None
    channel: ChannelName
    reported: float | None


class ScanInfo(Head):
    """A scan as a whole, and where its folder is; `browse` is the folder as a Jupyter server shows it."""

    folder: str
    browse: str | None
    home: str


class Snapshot(TypedDict):
    """All rows of a scan as of revision `rev`, which counts the events of its journal."""

    type: Literal["snapshot"]
    rev: int
    scan: ScanInfo
    rows: list[Row]


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
    """The bytes from `start` to `end` of the `size` that the log of a job has; `variant` is the job as it was asked for."""

    type: Literal["log"]
    variant: str
    text: str
    start: int
    end: int
    size: int


class Curve(TypedDict):
    """One metric of one job, thinned. Steps are epochs; where the notebook named none, values are counted from 1."""

    steps: list[int]
    values: list[Num]


class UsageCurves(TypedDict):
    """What one job used over time, thinned; lists of one length."""

    times: list[float]
    cpu: list[float | None]
    memory_mb: list[float | None]
    gpu: list[float | None]
    gpu_memory_mb: list[float | None]


class JobMetrics(TypedDict):
    """The curves of one attempt."""

    type: Literal["metrics"]
    variant: str
    attempt: int
    curves: dict[str, Curve]
    usage: UsageCurves


class Attempt(TypedDict):
    """One attempt at a variant; `submitted` is when it was handed to the engine, `link` a page of the engine's about it."""

    attempt: int
    state: State
    reason: str | None
    message: str | None
    where: str | None
    gpu: str | None
    submitted: float | None
    started: float | None
    ended: float | None
    node: str | None
    engine_id: str | None
    link: str | None


class JobLimits(TypedDict):
    """What one job was granted."""

    gpus: int
    memory_mb: int | None
    walltime_s: int | None


class JobDetails(TypedDict):
    """What the view of one variant shows beside its row; `defaults` are the notebook's own values, where they are plain."""

    type: Literal["job"]
    variant: str
    attempts: list[Attempt]
    defaults: dict[str, Any]
    limits: JobLimits
    has_notebook: bool


_ROW = (
    "id", "point", "repeat", "state", "reason", "message", "cell", "attempts", "step", "steps", "where", "gpu", "started",
    "ended", "notebook", "peak_mb", "usage", "reported",
)  # fmt: skip


def row(view: ScanView, variant: VariantView) -> Row:
    """One line of the table."""
    value = view.value(variant)
    made = {name: getattr(variant, name) for name in _ROW}
    made["params"] = numbers.strict(variant.params, mark="")
    made["metrics"] = {name: series.row() for name, series in variant.metrics.items()}
    made["value"] = None if value is None else numbers.encode(value)
    if variant.link:
        made["link"] = variant.link
    return cast(Row, made)


def head(view: ScanView, state: str, now: float) -> Head:
    """The scan as a whole; `state` comes from outside, since only the lease tells an orphaned scan."""
    scan, best = view.scan, view.best()
    value = view.value(best) if best else None
    repeats = scan.space.repeats
    left = view.seconds_left(now)
    return {
        "id": scan.id,
        "name": scan.name,
        "notebook": scan.notebook,
        "state": cast(ScanState, state),
        "backend": scan.backend,
        "objective": cast(ObjectiveInfo, dict(vars(scan.objective))) if scan.objective else None,
        "params": list(scan.space),
        "varied": scan.space.varied,
        "repeats": repeats[0] if repeats else None,
        "total": view.total(),
        "counts": cast("dict[State, int]", view.counts()),
        "best": best.id if best else None,
        "best_value": None if value is None else numbers.encode(value),
        "created": scan.created,
        "ended": view.ended if view.finished else None,
        "left_s": None if left is None else round(left, 1),
        "gpu_s": sum(variant.gpu_s for variant in view.variants.values()),
        "now": now,
        "note": view.note(),
        "channel": cast(ChannelName, scan.channel),
        "reported": max(
            (v.reported for v in view.active.values() if v.reported is not None), default=None
        ),
    }


def job(view: ScanView, variant: VariantView, has_notebook: bool) -> JobDetails:
    """What the view of one variant shows beside its row."""
    asked = view.scan.resources
    attempts = [*variant.past, variant.attempt()] if variant.attempts else []
    return {
        "type": "job",
        "variant": variant.id,
        "attempts": cast("list[Attempt]", attempts),
        "defaults": numbers.strict(view.scan.defaults, mark=""),
        "limits": {
            "gpus": asked.gpus,
            "memory_mb": asked.memory_mb,
            "walltime_s": asked.walltime_s,
        },
        "has_notebook": has_notebook,
    }


def summary(view: ScanView, state: str, folder: str) -> dict[str, Any]:
    """The object that `gridgpu run --json` and `show --json` print. Non-finite numbers are words, as strict JSON asks."""
    best = view.best()
    return {
        "scan": view.scan.name,
        "folder": folder,
        "state": state,
        "best": best.id if best else None,
        "variants": [_variant(variant, folder) for variant in view.variants.values()],
    }


def _variant(variant: VariantView, folder: str) -> dict[str, Any]:
    return {
        "id": variant.id,
        "params": numbers.strict(variant.params, mark=""),
        "state": variant.state,
        "reason": variant.reason,
        "message": variant.message,
        "cell": variant.cell,
        "attempts": variant.attempts,
        "metrics": {name: numbers.encode(series.last) for name, series in variant.metrics.items()},
        "notebook": f"{folder}/{variant.notebook}" if variant.notebook else None,
    }


# How the faces without a browser say what is in a row ------------------------------


def metric_names(head: Head, rows: Iterable[Row], limit: int) -> list[str]:
    """The metrics to show: the objective first, then the others in order of appearance."""
    names = dict.fromkeys([head["objective"]["metric"]] if head["objective"] else [])
    for item in rows:
        names.update(dict.fromkeys(item["metrics"]))
    return list(names)[:limit]


def metric_label(head: Head, name: str) -> str:
    """`max(rej_light)` where that is the objective, else the plain name."""
    objective = head["objective"]
    if objective is None or objective["metric"] != name or objective["reduction"] == "last":
        return name
    return f"{objective['reduction']}({name})"


def metric_text(head: Head, item: Row, name: str) -> str:
    """The objective as it ranks the row, the last value of any other metric."""
    if name not in item["metrics"]:
        return MISSING
    ranks = head["objective"] and head["objective"]["metric"] == name
    value = numbers.decode(item["value"] if ranks else item["metrics"][name]["last"])
    return MISSING if value is None else number(value, 4)


def step_text(item: Row) -> str:
    if item["step"] is None:
        return MISSING
    return f"{item['step']}/{item['steps']}" if item["steps"] else str(item["step"])


def time_text(head: Head, item: Row) -> str:
    """How long the latest attempt took, or has taken so far."""
    if not item["started"]:
        return MISSING
    return duration((item["ended"] or head["now"]) - item["started"])


def metrics_text(head: Head) -> str:
    """How metrics come and how old the newest is, where that is worth a word: not where they are read as they are written."""
    if head["ended"] is not None or head["channel"] == "file":
        return ""
    if head["channel"] == "end":
        return "Metrics arrive when a job ends."
    if head["reported"] is None:
        return f"Metrics come by {head['channel']}; none so far."
    return f"Metrics come by {head['channel']}; the newest is {duration(max(head['now'] - head['reported'], 0.0))} old."
