"""The spec of a scan, which scan.json keeps and which never changes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from jupyter_gridgpu.model import numbers, space_record
from jupyter_gridgpu.model.environment import Environment
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.plain_values import NotPlain, plain
from jupyter_gridgpu.model.resources import Container, Placement, Resources
from jupyter_gridgpu.model.space import Space

# Format 2 brought scans whose points are given, and scans that run another one again. Format 3 is
# only written where the space is more than axes: see space_record.py.
FORMAT = space_record.PLAIN_FORMAT
AUTO = "auto"  # the backend of a request that leaves the choice to the queues
FILE, PUSH, DROP, END = "file", "push", "drop", "end"  # the channels
AUTO_CHANNEL = "auto"
CHANNELS = (AUTO_CHANNEL, PUSH, DROP, END)  # those that a user may ask for
DEFAULTS_BYTES = 20_000
MAX_FAILURES = 5  # variants that may fail alike before a scan is stopped, by default


@dataclass(frozen=True)
class Origin:
    """Where a scan comes from: another scan that it runs again, or notebooks run elsewhere."""

    kind: str  # replay; variation, where `changes` says what is different; or import
    id: str = ""  # of the scan that is run again
    name: str = ""
    fingerprint: str = ""
    only: str = ""  # which of its variants, as the user chose them; empty: all
    changes: tuple[str, ...] = ()


@dataclass(frozen=True)
class EarlierScan:
    """A scan whose results the sampler of another one learns from; they are in earlier.jsonl."""

    id: str
    name: str  # when they were taken
    results: int  # how many


@dataclass(frozen=True)
class ScanSpec:
    """One notebook and many points of a hyper-parameter space."""

    id: str  # for example 20261127-060311-a3b8f1
    name: str
    notebook: str  # its file name, as the user knows it
    kernel: str  # name of a kernelspec
    language: str  # of the kernel
    space: Space
    sampler: str
    seed: int  # of the sampler
    trials: int | None  # points to propose; None: the whole grid
    # Several have no single best: see pareto.py.
    objectives: tuple[Objective, ...] = ()
    backend: str = "local"
    parallel: int | None = None  # jobs at once; None: as many as the backend finds right
    per_gpu: int = 1  # jobs that share one GPU
    retries: int = 0  # further attempts at a variant that failed
    resources: Resources = field(default_factory=Resources)
    files: tuple[str, ...] = ()  # names of helper files
    # Of what the notebook does: sources, tags and kernel, but not its outputs.
    notebook_digest: str = ""
    files_digest: str = ""
    created: float = 0.0  # seconds since the epoch
    # The notebook's own values, where they are plain. They are only shown.
    defaults: dict[str, Any] = field(default_factory=dict)
    per_job: int = 1  # variants that one task of the batch system runs one after another
    prefork: bool = True  # whether kernels may be forked from a prepared parent
    container: Container = field(default_factory=Container)
    placement: Placement = field(default_factory=Placement)
    recorded: int = 0  # variants in points.jsonl, where no points are to be proposed
    recorded_digest: str = ""  # of points.jsonl
    # Points of the user's own in points.jsonl; they come first, and the sampler goes on after them.
    own_points: int = 0
    warm_start: tuple[EarlierScan, ...] = ()
    origin: Origin | None = None
    # What was asked for, where `--on auto` chose backend and placement: the placement, the model of
    # GPU (auto names one where a queue has several kinds), and the reason of the choice.
    asked: Placement | None = None
    asked_model: str | None = None
    choice: str = ""
    metrics: str = AUTO_CHANNEL  # the channel that was asked for
    channel: str = FILE  # the channel on which metrics come
    warnings: tuple[str, ...] = ()  # what the check of the request had to say, in sentences
    # The scan is stopped if so many variants have failed alike and none is done; None: never.
    max_failures: int | None = MAX_FAILURES
    environment: Environment = field(default_factory=Environment)
    profile: str = ""  # the profile whose options the scan got; they stand in the spec themselves

    @property
    def objective(self) -> Objective | None:
        """The only objective; None if the scan has none or several."""
        return self.objectives[0] if len(self.objectives) == 1 else None

    def points(self) -> int:
        """Return how many points are proposed when nothing is added to the scan."""
        if self.trials is not None:
            return self.trials
        return self.space.grid_size() or 0

    def total(self) -> int:
        """Return how many variants the scan has when nothing is added to it."""
        return self.recorded or self.points() * self.space.repeat_count


def smallest_scan(**told: Any) -> ScanSpec:
    """Return a scan of a notebook without parameters that says what is told, and nothing else.

    A question about a backend may need a scan where none has been planned. `told` are fields of
    the spec that have defaults.
    """
    return ScanSpec(
        id="none",
        name="none",
        notebook="notebook.ipynb",
        kernel="python3",
        language="python",
        space=Space({}),
        sampler="grid",
        seed=0,
        trials=None,
        **told,
    )


def as_asked(scan: ScanSpec) -> ScanSpec:
    """Return the scan as it was asked for, before `--on auto` chose where it runs."""
    if scan.asked is None:
        return scan
    resources = replace(scan.resources, gpu_model=scan.asked_model)
    return replace(
        scan,
        backend=AUTO,
        placement=scan.asked,
        resources=resources,
        asked=None,
        asked_model=None,
        choice="",
    )


def fingerprint(scan: ScanSpec) -> str:
    """Return a digest of what was requested: of the spec without id, name and the like.

    Two scans of the same request have the same fingerprint. By it, a cell that is run again finds
    the scan that it started, even if `--on auto` would choose another queue now, or if an earlier
    version made the scan.
    """
    scan = as_asked(scan)
    body = to_json(scan)
    for key in (
        "id",
        "name",
        "created",
        "defaults",
        "fingerprint",
        "channel",
        "warnings",
        "profile",
    ):
        body.pop(key, None)
    # The digest must be the one that the first version would have made. So it has that version's
    # format, and later fields only where they ask for something.
    body["format"] = 1
    for name, value in list(body["resources"].items()):
        if name not in _FIRST_RESOURCES and value is None:
            del body["resources"][name]
    for name in _LATER_PLACEMENT:
        if not body["placement"][name]:
            del body["placement"][name]
    for name, default in _LATER.items():
        if getattr(scan, name) == default:
            del body[name]
    if scan.warm_start:
        # The request names scans; how many results they had is no part of it.
        body["warm_start"] = [earlier.id for earlier in scan.warm_start]
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def plain_defaults(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return those values that JSON can carry, as many as fit into DEFAULTS_BYTES."""
    kept: dict[str, Any] = {}
    room = DEFAULTS_BYTES
    for name, value in values.items():
        try:
            made = plain(value)
            size = len(json.dumps({name: numbers.encode_all(made)}))
        except (NotPlain, ValueError, RecursionError):
            continue
        # A large value is left out; smaller ones after it may still fit.
        if size <= room:
            kept[name] = made
            room -= size
    return kept


def to_json(scan: ScanSpec) -> dict[str, Any]:
    """Return the spec as scan.json keeps it."""
    body = asdict(scan)
    # One objective has the key that it always had, so that earlier versions read it.
    several = body.pop("objectives")
    body["objective"] = several[0] if len(several) == 1 else None
    if len(several) > 1:
        body["objectives"] = list(several)
    body["space"] = space_record.to_json(scan.space)
    body["files"] = list(scan.files)
    body["warnings"] = list(scan.warnings)
    body["warm_start"] = list(body["warm_start"])
    body["container"]["binds"] = list(scan.container.binds)
    return {"format": space_record.format_of(scan.space), **numbers.encode_all(body)}


# Fields that scans of the first version did not have, with the value that such a scan stands for.
_LATER = {
    "per_job": 1,
    "prefork": True,
    "container": Container(),
    "placement": Placement(),
    "recorded": 0,
    "recorded_digest": "",
    "own_points": 0,
    "warm_start": (),
    "origin": None,
    "asked": None,
    "asked_model": None,
    "choice": "",
    "metrics": AUTO_CHANNEL,
    "max_failures": MAX_FAILURES,
    "environment": Environment(),
}
_LATER_PLACEMENT = ("options", "shared_paths")  # empty where such a scan says nothing
_FIRST_RESOURCES = ("gpus", "memory_mb", "walltime_s")  # those that the first version had
