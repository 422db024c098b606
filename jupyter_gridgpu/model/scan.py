"""What a scan is: the immutable spec that scan.json keeps."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from jupyter_gridgpu.errors import SpaceError, StorageError, UsageError
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model import space as spaces
from jupyter_gridgpu.model.plain_values import NotPlain, plain
from jupyter_gridgpu.model.resources import Container, Placement, Resources
from jupyter_gridgpu.model.space import Space

FORMAT = 2  # 2: scans whose points were given, and what a scan runs again
AUTO = "auto"  # the backend of a request that leaves the choice to the queues
FILE, PUSH, DROP, END = "file", "push", "drop", "end"  # how metrics come while jobs run
AUTO_CHANNEL = "auto"
CHANNELS = (AUTO_CHANNEL, PUSH, DROP, END)  # of --metrics
DIRECTIONS = ("maximize", "minimize")
REDUCTIONS = ("last", "max", "min")
DEFAULTS_BYTES = 20_000


@dataclass(frozen=True)
class Objective:
    """The metric that ranks variants, and how its series becomes one number."""

    metric: str
    direction: str
    reduction: str = "last"

    @property
    def sign(self) -> int:
        return 1 if self.direction == "maximize" else -1

    def better(self, a: float | None, b: float | None) -> bool:
        """Whether value `a` beats `b`; NaN and None never do."""
        if a is None or math.isnan(a):
            return False
        return b is None or math.isnan(b) or self.sign * a > self.sign * b


def parse_objective(text: str, direction: str) -> Objective:
    """Return the Objective of `NAME`, `last(NAME)`, `max(NAME)` or `min(NAME)`. Raises UsageError."""
    found = re.fullmatch(r"\s*(last|max|min)\s*\(\s*(.*?)\s*\)\s*", text)
    reduction, metric = found.groups() if found else ("last", text.strip())
    if not metric or "(" in metric or ")" in metric:
        raise UsageError(
            f"--{direction} {text!r} is no objective; write a metric's name, or max(NAME), min(NAME), last(NAME)."
        )
    return Objective(metric, direction, reduction)


@dataclass(frozen=True)
class Origin:
    """What a scan runs again (`replay`, or `variation` where `changes` says what is different), or that it is an `import`."""

    kind: str
    id: str = ""
    name: str = ""
    fingerprint: str = ""
    only: str = ""  # which of its variants, as the user chose them; empty = all
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ScanSpec:
    """One notebook x many points of hyper-parameter space."""

    id: str
    name: str
    notebook: str  # its file name, as the user knows it
    kernel: str
    language: str
    space: Space
    sampler: str
    seed: int
    trials: int | None  # points to propose; None = the whole grid
    objective: Objective | None = None
    backend: str = "local"
    parallel: int | None = None  # jobs at once; None = as many as the engine finds right
    per_gpu: int = 1
    retries: int = 0
    resources: Resources = field(default_factory=Resources)
    files: tuple[str, ...] = ()
    notebook_digest: str = (
        ""  # of what the notebook does: sources, tags, kernel; not of its outputs
    )
    files_digest: str = ""
    created: float = 0.0
    defaults: dict[str, Any] = field(
        default_factory=dict
    )  # the notebook's own values, where they are plain; only to look at
    per_job: int = 1  # variants that one job of the engine runs one after another
    prefork: bool = True  # whether kernels may be forked from a process that has imported what the notebook does
    container: Container = field(default_factory=Container)
    placement: Placement = field(default_factory=Placement)
    recorded: int = 0  # variants that points.jsonl gives, where none are to be proposed
    recorded_digest: str = ""
    origin: Origin | None = None
    asked: Placement | None = (
        None  # what was asked for where `--on auto` chose backend and placement
    )
    asked_model: str | None = (
        None  # and which GPU, which auto names where a queue has several kinds
    )
    choice: str = ""  # which queue that was and why, in one sentence
    metrics: str = AUTO_CHANNEL  # the way that was asked for
    channel: str = FILE  # the way on which metrics come

    def points(self) -> int:
        """Return how many points are proposed when nothing is added to the scan."""
        if self.trials is not None:
            return self.trials
        return self.space.grid_size() or 0

    def total(self) -> int:
        """Return how many variants the scan has when nothing is added to it."""
        return self.recorded or self.points() * self.space.repeat_count


def fingerprint(scan: ScanSpec) -> str:
    """Return what makes two scans the same request: all of the spec but its identity.

    Running the same cell again finds the scan it started by this; also where `--on auto` would choose otherwise now.
    """
    if scan.asked is not None:
        resources = replace(scan.resources, gpu_model=scan.asked_model)
        scan = replace(
            scan,
            backend=AUTO,
            placement=scan.asked,
            resources=resources,
            asked=None,
            asked_model=None,
            choice="",
        )
    body = to_json(scan)
    for key in ("id", "name", "created", "defaults", "fingerprint", "channel"):
        body.pop(key, None)
    body["format"] = 1
    body["resources"] = {
        name: value
        for name, value in body["resources"].items()
        if name in _FIRST_RESOURCES or value is not None
    }
    for name, default in _LATER.items():
        if getattr(scan, name) == default:
            del body[name]  # so that a scan of an earlier version is found by the same cell
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def plain_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those values that JSON can carry, as many as fit into DEFAULTS_BYTES."""
    kept: dict[str, Any] = {}
    room = DEFAULTS_BYTES
    for name, value in values.items():
        try:
            made = plain(value)
            size = len(json.dumps({name: numbers.strict(made)}))
        except (NotPlain, ValueError, RecursionError):
            continue
        if size <= room:
            kept[name], room = made, room - size
    return kept


def to_json(scan: ScanSpec) -> dict[str, Any]:
    """Return the spec as scan.json keeps it."""
    body = asdict(scan)
    body["space"] = spaces.to_json(scan.space)
    body["files"] = list(scan.files)
    body["container"]["binds"] = list(scan.container.binds)
    return {"format": FORMAT, **numbers.strict(body)}


def from_json(body: dict[str, Any]) -> ScanSpec:
    """Return the spec of a scan.json. Raises StorageError if this version cannot read it."""
    body = _migrated(body)
    try:
        return ScanSpec(
            space=spaces.from_json(numbers.loose(body["space"])),
            objective=Objective(**body["objective"]) if body["objective"] else None,
            resources=Resources(**body["resources"]),
            container=_container(body.get("container", {})),
            placement=_placement(body.get("placement", {})),
            per_job=body.get("per_job", 1),
            asked=_placement(body["asked"]) if body.get("asked") else None,
            asked_model=body.get("asked_model"),
            prefork=body.get("prefork", True),
            choice=body.get("choice", ""),
            metrics=body.get("metrics", AUTO_CHANNEL),
            channel=body.get("channel", FILE),
            files=tuple(body["files"]),
            defaults=_defaults(body.get("defaults")),
            origin=_origin(body["origin"]),
            **{name: body[name] for name in _PLAIN_FIELDS},
        )
    except SpaceError as error:
        raise StorageError(str(error)) from None
    except (KeyError, TypeError) as error:
        raise StorageError(f"scan.json cannot be read: {error!r} is missing or wrong.") from None


def _container(body: dict[str, Any]) -> Container:
    return Container(**{**body, "binds": tuple(body.get("binds", ()))})


def _placement(body: dict[str, Any]) -> Placement:
    return Placement(
        **{
            **body,
            "exclude": tuple(body.get("exclude", ())),
            "inputs": tuple(body.get("inputs", ())),
        }
    )


def _migrated(body: dict[str, Any]) -> dict[str, Any]:
    """Return a spec of any format as one of this version's, step by step."""
    while body.get("format") in _MIGRATIONS:
        body = _MIGRATIONS[body["format"]](body)
    if body.get("format") != FORMAT:
        raise StorageError(
            f"The scan has format {body.get('format')!r}, this version reads {FORMAT}; use the version that made it."
        )
    return body


def _from_1(body: dict[str, Any]) -> dict[str, Any]:
    """The first scans all proposed their points, and none pointed to another."""
    return {**body, "format": 2, "recorded": 0, "recorded_digest": "", "origin": None}


def _origin(body: dict[str, Any] | None) -> Origin | None:
    return None if body is None else Origin(**{**body, "changes": tuple(body.get("changes", ()))})


def _defaults(body: Any) -> dict[str, Any]:
    """Scans made by earlier versions have none."""
    return plain_defaults(numbers.loose(body)) if isinstance(body, dict) else {}


_PLAIN_FIELDS = (
    "id", "name", "notebook", "kernel", "language", "sampler", "seed", "trials", "backend", "parallel", "per_gpu",
    "retries", "notebook_digest", "files_digest", "created", "recorded", "recorded_digest",
)  # fmt: skip
_LATER = {
    "per_job": 1,
    "prefork": True,
    "container": Container(),
    "placement": Placement(),
    "recorded": 0,
    "recorded_digest": "",
    "origin": None,
    "asked": None,
    "asked_model": None,
    "choice": "",
    "metrics": AUTO_CHANNEL,
}  # fields that the first scans did not have
_FIRST_RESOURCES = ("gpus", "memory_mb", "walltime_s")
_MIGRATIONS = {1: _from_1}
