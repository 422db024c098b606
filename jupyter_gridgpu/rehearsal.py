"""A rehearsal: the first variant of a scan, for about an epoch, with the same image and files, before the others leave.

It is a scan of its own that is stopped when it has shown what it can; what it showed becomes the report.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from jupyter_gridgpu import backends, client, samplers
from jupyter_gridgpu.backends.local.backend import visible_gpus
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import RehearsalFailed
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.queue import HERE
from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.model.scan import Origin, ScanSpec, fingerprint
from jupyter_gridgpu.model.space import Axis, Fixed, Space
from jupyter_gridgpu.model.units import duration
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.planning.request import Plan
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.paths import ScanPaths

LIMIT_S = 600
SECOND_S = (2.0, 30.0)  # how long a second epoch is waited for, at least and at most
SUFFIX = "-rehearsal"
FILES = 20  # that a report names
FIRST = "v0001"
NO_GPU = "It ran without a GPU, since this machine has too few; --there shows how long it takes with one."


@dataclass(frozen=True)
class RehearsalReport:
    """What a rehearsal showed. Times are seconds; None is what was not seen."""

    scan: str
    folder: str
    where: str
    params: dict[str, object]
    passed: bool
    verdict: str
    hint: str | None
    note: str | None
    started_s: float | None
    first_epoch_s: float | None
    epoch_s: float | None
    peak_mb: float | None
    metrics: list[str]
    objective: str | None
    objective_seen: bool
    files: list[str]
    wrote: list[str]
    variants: int
    variant_s: float | None
    at_most: bool  # whether variant_s is more likely too large
    gpus: int
    hours: float | None
    epochs: int | None


def rehearse(
    plan: Plan,
    there: bool = False,
    limit_s: int = LIMIT_S,
    say: Callable[[str], None] = lambda line: None,
) -> RehearsalReport:
    """Rehearse a plan's scan here, or `there` as one job of its engine. `say` hears what happens as it does.

    Raises what starting a scan raises. Whoever interrupts it ends the rehearsal too.
    """
    handle = client.start(rehearsed(plan, there, limit_s))
    watch = Watch(handle, limit_s, say)
    try:
        watch.follow()
    except BaseException:
        handle.refresh()
        if not handle.ended:
            handle.stop()
        raise
    return report(plan.scan, handle, watch)


def before(plan: Plan, there: bool, say: Callable[[str], None]) -> None:
    """Rehearse a scan that is about to be sent, unless it was sent before. Raises RehearsalFailed if it must not be."""
    if client.known(plan) is not None:
        return
    found = rehearse(plan, there, say=say)
    say(text(found))
    if not found.passed:
        raise RehearsalFailed(f"The scan was not sent, since its rehearsal failed: {found.verdict}")


def rehearsed(plan: Plan, there: bool, limit_s: int) -> Plan:
    """Return the plan of a rehearsal. Raises EngineError if it cannot run where it shall."""
    scan = plan.scan
    resources = scan.resources if there else _resources_here(scan.resources, limit_s)
    name = scan.name[: home.NAME_LIMIT - len(SUFFIX)] + SUFFIX
    made = replace(
        scan, id=f"{scan.id}-r", name=name, space=first_point(plan), sampler="grid", trials=None, parallel=1, per_gpu=1,
        per_job=1, retries=0, resources=resources, backend=scan.backend if there else HERE, created=time.time(),
        origin=Origin("rehearsal", scan.id, scan.name, fingerprint(scan)), asked=None, asked_model=None, choice="",
        recorded=0, recorded_digest="",
    )  # fmt: skip
    backends.load(made, ScanPaths(home.home() / name)).check()
    return replace(plan, scan=made, asked_name=None, new=True)


def _resources_here(asked: Resources, limit_s: int) -> Resources:
    """What a job here can be given of what is asked; a limit of memory makes the worker measure it."""
    return replace(
        asked,
        gpus=asked.gpus if asked.gpus <= len(visible_gpus()) else 0,
        walltime_s=min(asked.walltime_s, limit_s) if asked.walltime_s else None,
        memory_mb=asked.memory_mb or int(psutil.virtual_memory().total // 2**20),
    )


def first_point(plan: Plan) -> Space:
    """Return the space that has the scan's first variant alone, as its sampler proposes it."""
    scan = plan.scan
    chosen = samplers.load(scan.sampler, scan.space, scan.objective).propose([], 1, scan.seed, 0)
    params = dict(chosen[0].params) if chosen else {}
    axes: dict[str, Axis] = {
        name: axis if isinstance(axis, Fixed) else Fixed(params.get(name, 0))
        for name, axis in scan.space.axes.items()
    }
    return Space(axes)


class Watch:
    """Follows the one variant of a rehearsal, says what happens, and stops it when it has been seen enough of."""

    def __init__(self, handle: ScanHandle, limit_s: int, say: Callable[[str], None]) -> None:
        self.begun: float | None = None
        self.first: float | None = None  # when the first epoch was seen
        self.epoch_s: float | None = None
        self.enough = self.late = False
        self.state = "running"
        self.sent = time.time()
        self._handle = handle
        self.limit_s = limit_s
        self._say = say
        self._count = 0
        objective = handle.scan.objective
        self._metric = objective.metric if objective else None

    def follow(self) -> None:
        """Watch until the rehearsal has ended."""
        self._say(
            f"{self._handle.name}: {FIRST} on {_place(self._handle.scan)}, {_params(self._handle.scan)}"
        )
        for state in self._handle.changes():
            self.state = state
            variant = self._handle.view.variants.get(FIRST)
            if variant is not None:
                self._look(variant, time.time())

    def _look(self, variant: VariantView, now: float) -> None:
        if self.begun is None and variant.started is not None:
            self.begun = min(now, max(variant.started, self.sent))
            self._say(f"Started after {_seconds(self.begun - self.sent)}.")
        self._epochs(variant, now)
        if self.enough or self.late or self.begun is None or variant.state != "running":
            return
        self.enough = self._seen_enough(now)
        self.late = not self.enough and now - self.begun > self.limit_s
        if self.enough or self.late:
            self._handle.stop()

    def _epochs(self, variant: VariantView, now: float) -> None:
        """Count the epochs that told the objective; without an objective, those that told anything."""
        series = [
            variant.metrics[name]
            for name in [self._metric or next(iter(variant.metrics), "")]
            if name in variant.metrics
        ]
        count = series[0].n if series else 0
        if count and self.first is None and self.begun is not None:
            self.first, self._count = now, count
            self._say(
                f"First {'value' if variant.step is None else 'epoch'} after {_seconds(now - self.begun)}."
            )
        elif self.first is not None and count > self._count and self.epoch_s is None:
            self.epoch_s = (now - self.first) / (count - self._count)

    def _seen_enough(self, now: float) -> bool:
        """A first epoch is enough; the second, if it comes soon, tells how long the others take."""
        if self.first is None or self.begun is None:
            return False
        least, most = SECOND_S
        return self.epoch_s is not None or now - self.first > min(
            max(self.first - self.begun, least), most
        )


def report(scan: ScanSpec, handle: ScanHandle, watch: Watch) -> RehearsalReport:
    """Return what a rehearsal of a scan showed."""
    variant = handle.view.variants.get(FIRST) or VariantView(FIRST, 0, 0, {})
    metric = scan.objective.metric if scan.objective else None
    seen = metric in variant.metrics if metric else bool(variant.metrics) or variant.state == "done"
    passed, verdict = _verdict(variant, watch, metric, seen)
    seconds, at_most = _whole(variant, watch)
    paths = handle.paths.job(variant.key).copies() if variant.attempts else []
    lacking = handle.scan.resources.gpus < scan.resources.gpus
    return RehearsalReport(
        scan=handle.name, folder=str(handle.folder), where=_place(handle.scan), params=dict(variant.params), passed=passed,
        verdict=verdict, hint=None if passed else _hint(handle.name, verdict),
        note=NO_GPU if lacking else None,
        started_s=_rounded(watch.begun, watch.sent), first_epoch_s=_rounded(watch.first, watch.begun),
        epoch_s=None if watch.epoch_s is None else round(watch.epoch_s, 2),
        peak_mb=variant.peak_mb or variant.usage.get("memory_mb"), metrics=list(variant.metrics), objective=metric,
        objective_seen=seen, files=list(scan.files), wrote=_written(paths[-1].folder / "artifacts") if paths else [],
        variants=scan.total(), variant_s=seconds, at_most=at_most, gpus=scan.resources.gpus,
        hours=None if seconds is None else _hours(scan, seconds), epochs=variant.steps,
    )  # fmt: skip


def _verdict(
    variant: VariantView, watch: Watch, metric: str | None, seen: bool
) -> tuple[bool, str]:
    names = ", ".join(list(variant.metrics)[:FILES]) or "none"
    if variant.state == "done" or (watch.enough and variant.state == "cancelled"):
        if seen:
            return (
                True,
                "It ran to its end." if variant.state == "done" else "It ran as far as was wanted.",
            )
        return False, f"It ended and {metric} was never reported; metrics seen: {names}."
    if watch.late:
        return (
            False,
            f"No value of {metric or 'any metric'} was reported in {_seconds(watch.limit_s)}; metrics seen: {names}.",
        )
    if watch.state == "orphaned":
        return False, "Its runner ended; runner.log in its folder says why."
    return False, variant.message or f"Its state is {variant.state}."


def _hint(name: str, verdict: str) -> str:
    files = (
        "--files names what it needs beside it; " if verdict.startswith("FileNotFoundError") else ""
    )
    return f"{files}`gridgpu logs {name}/{FIRST}` shows its log."


def _whole(variant: VariantView, watch: Watch) -> tuple[float | None, bool]:
    """How long a whole variant takes, as far as this one tells, and whether that is an upper bound."""
    if variant.state == "done" and variant.started is not None and variant.ended is not None:
        return round(variant.ended - variant.started, 1), False
    if watch.first is None or watch.begun is None or not variant.steps:
        return None, False
    first = watch.first - watch.begun
    return round(
        first + (variant.steps - 1) * (watch.epoch_s if watch.epoch_s is not None else first), 1
    ), watch.epoch_s is None


def _hours(scan: ScanSpec, seconds: float) -> float:
    """GPU-hours of the whole scan; where no GPU is asked for, hours of one job after another."""
    return round(scan.total() * seconds * max(scan.resources.gpus, 1) / scan.per_gpu / 3600, 3)


def _written(folder: Path) -> list[str]:
    """Files that the notebook wrote beside it, with their sizes; links are those that were sent along."""
    found: list[str] = []
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(place) / name
            if len(found) < FILES and not path.is_symlink():
                found.append(f"{bounded(str(path.relative_to(folder)), 80)} ({_size(path)})")
    return found


def _size(path: Path) -> str:
    try:
        size = path.lstat().st_size
    except OSError:
        return "gone"
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{size / 1e3:.1f} kB"


def _rounded(late: float | None, early: float | None) -> float | None:
    return None if late is None or early is None else round(late - early, 2)


def _place(scan: ScanSpec) -> str:
    return (
        "this machine"
        if scan.backend == HERE
        else " ".join(filter(None, (scan.backend, scan.placement.queue)))
    )


def _params(scan: ScanSpec) -> str:
    return ", ".join(
        f"{name} = {bounded(repr(value), 40)}" for name, value in scan.space.fixed.items()
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else duration(seconds)


def text(found: RehearsalReport) -> str:
    """Return the report as it is printed."""
    seen = "seen" if found.objective_seen else "not seen"
    lines = [
        ("started", _after(found.started_s)),
        (
            "first epoch" if found.epochs else "first value",
            _after(found.first_epoch_s, found.epoch_s),
        ),
        ("memory", f"{found.peak_mb / 1024:.2f} GB at most so far" if found.peak_mb else ""),
        ("metrics", ", ".join(found.metrics) or "none"),
        ("objective", f"{found.objective}, {seen}" if found.objective else ""),
        ("went along", ", ".join(found.files)),
        ("wrote", ", ".join(found.wrote)),
        ("whole scan", _scan_words(found)),
        ("note", found.note),
        ("passed" if found.passed else "failed", f"{found.verdict} {found.hint or ''}".strip()),
    ]
    return "\n".join(f"  {name:<11}  {words}" for name, words in lines if words)


def _after(seconds: float | None, each: float | None = None) -> str:
    if seconds is None:
        return ""
    return f"after {_seconds(seconds)}" + ("" if each is None else f", then {_seconds(each)} each")


def _scan_words(found: RehearsalReport) -> str:
    if found.variant_s is None or found.hours is None:
        return f"{found.variants} variants; how long one takes is not known: no epoch said how many there are"
    about = "at most about" if found.at_most else "about"
    unit = "GPU-h" if found.gpus else "h, one after another"
    digits = 2 if found.hours < 10 else 1
    hours = f"{found.hours:.{digits}f}" if found.hours >= 0.01 else "0.01"
    here = " on this machine" if found.where == "this machine" else ""
    return f"{about} {hours} {unit}: {found.variants} variants, {about} {_seconds(found.variant_s)} each{here}"
