"""The report of a rehearsal, as a record and as text."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.rehearsal.follow import FIRST, Follower, place_text, seconds_text
from jupyter_gridgpu.worker.work_folder import is_helper_copy

NAMES_LIMIT = 20  # files, or metrics, that a report names
NO_GPU = (
    "It ran without a GPU, since this machine has too few;"
    " --there shows how long it takes with one."
)


@dataclass(frozen=True)
class RehearsalReport:
    """What a rehearsal showed; `gridgpu rehearse --json` prints these fields.

    Fields that end in `_s` are seconds. None means that the rehearsal did not show it.
    """

    scan: str  # the name of the rehearsal's own scan
    folder: str
    where: str
    params: dict[str, object]
    passed: bool  # whether the scan should be sent
    verdict: str
    hint: str | None  # what to do if it failed
    note: str | None
    started_s: float | None  # from sending to the start of the job
    first_epoch_s: float | None  # from the start of the job
    epoch_s: float | None  # how long each later epoch takes
    peak_mb: float | None
    metrics: list[str]
    objective: str | None  # several are joined by commas
    objective_seen: bool
    files: list[str]  # sent along with the notebook
    wrote: list[str]  # written by the notebook, with their sizes
    variants: int  # of the whole scan
    variant_s: float | None  # how long a whole variant takes
    at_most: bool  # whether variant_s is more likely too large
    gpus: int
    hours: float | None  # of the whole scan: GPU-hours, or hours of one job after another
    epochs: int | None  # of a whole variant
    objectives: list[str] = field(default_factory=list)


def report(scan: ScanSpec, handle: ScanHandle, follower: Follower) -> RehearsalReport:
    """Return what the rehearsal `handle` of `scan` showed."""
    # A runner that died at once has proposed no variant.
    variant = handle.view.variants.get(FIRST) or VariantView(FIRST, 0, 0, {})
    wanted = [objective.metric for objective in scan.objectives]
    missing = [name for name in wanted if name not in variant.metrics]
    seen = not missing if wanted else bool(variant.metrics) or variant.state == "done"
    passed, verdict = _verdict(variant, follower, ", ".join(missing or wanted), seen)
    hint = None
    if not passed:
        hint = _hint(handle.name, verdict)
    # The rehearsal's own scan asks for fewer GPUs than the scan if this machine lacks them.
    note = None
    if handle.scan.resources.gpus < scan.resources.gpus:
        note = NO_GPU
    variant_s, at_most = _variant_seconds(variant, follower)
    return RehearsalReport(
        scan=handle.name,
        folder=str(handle.folder),
        where=place_text(handle.scan),
        params=dict(variant.params),
        passed=passed,
        verdict=verdict,
        hint=hint,
        note=note,
        started_s=_between(follower.sent_at, follower.started_at),
        first_epoch_s=_between(follower.started_at, follower.first_at),
        epoch_s=_rounded(follower.epoch_s),
        peak_mb=variant.peak_mb or variant.usage.get("memory_mb"),
        metrics=list(variant.metrics),
        objective=", ".join(wanted) or None,
        objective_seen=seen,
        files=list(scan.files),
        wrote=_written_files(handle, variant),
        variants=scan.total(),
        variant_s=variant_s,
        at_most=at_most,
        gpus=scan.resources.gpus,
        hours=_hours(scan, variant_s),
        epochs=variant.steps,
        objectives=wanted,
    )


def _verdict(variant: VariantView, follower: Follower, metric: str, seen: bool) -> tuple[bool, str]:
    """Return whether the rehearsal passed, and why in one sentence."""
    names = ", ".join(list(variant.metrics)[:NAMES_LIMIT]) or "none"
    was_stopped = follower.enough and variant.state == "cancelled"
    if variant.state == "done" or was_stopped:
        if not seen:
            return False, f"It ended and {metric} was never reported; metrics seen: {names}."
        if was_stopped:
            return True, "It ran as far as was wanted."
        return True, "It ran to its end."
    if follower.late:
        limit = seconds_text(follower.limit_s)
        what = metric or "any metric"
        return False, f"No value of {what} was reported in {limit}; metrics seen: {names}."
    if follower.state == "orphaned":
        return False, "Its runner ended; runner.log in its folder says why."
    return False, variant.message or f"Its state is {variant.state}."


def _hint(name: str, verdict: str) -> str:
    """Return what the user can do after a rehearsal failed."""
    hint = f"`gridgpu logs {name}/{FIRST}` shows its log."
    # The most frequent mistake: a file lies beside the notebook and is not sent along.
    if verdict.startswith("FileNotFoundError"):
        hint = f"--files names what it needs beside it; {hint}"
    return hint


def _variant_seconds(variant: VariantView, follower: Follower) -> tuple[float | None, bool]:
    """Return how many seconds a whole variant takes, and whether this is an upper bound.

    The seconds are None if no epoch said how many epochs there are.
    """
    if variant.state == "done" and variant.started is not None and variant.ended is not None:
        return round(variant.ended - variant.started, 1), False
    if follower.first_at is None or follower.started_at is None or not variant.steps:
        return None, False
    first_s = follower.first_at - follower.started_at
    # The first epoch takes longer than the others. If no second one was seen, the first is a bound.
    at_most = follower.epoch_s is None
    each_s = first_s
    if follower.epoch_s is not None:
        each_s = follower.epoch_s
    return round(first_s + (variant.steps - 1) * each_s, 1), at_most


def _hours(scan: ScanSpec, variant_s: float | None) -> float | None:
    """Return the GPU-hours of the whole scan, or hours of one job after another without GPUs."""
    if variant_s is None:
        return None
    # Jobs that share a GPU run at the same time, so that they share its hours.
    jobs_s = scan.total() * variant_s
    return round(jobs_s * max(scan.resources.gpus, 1) / scan.per_gpu / 3600, 3)


def _written_files(handle: ScanHandle, variant: VariantView) -> list[str]:
    """Return the files that the notebook wrote into its working folder, with their sizes."""
    if not variant.attempts:
        return []
    # The values in the report are those of the newest copy.
    copies = handle.paths.job(variant.key).copies()
    if not copies:
        return []
    folder = copies[-1].folder / "artifacts"
    found: list[str] = []
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(place) / name
            # The files that were sent along are links or copies in this folder.
            if path.is_symlink() or is_helper_copy(handle.paths, folder, path):
                continue
            if len(found) < NAMES_LIMIT:
                found.append(f"{one_line(str(path.relative_to(folder)), 80)} ({_size_text(path)})")
    return found


def _size_text(path: Path) -> str:
    try:
        size = path.lstat().st_size
    except OSError:  # it was removed meanwhile
        return "gone"
    if size >= 1e5:
        return f"{size / 1e6:.1f} MB"
    return f"{size / 1e3:.1f} kB"


def _between(early: float | None, late: float | None) -> float | None:
    """Return the seconds between two times, or None if one was not seen."""
    if early is None or late is None:
        return None
    return _rounded(late - early)


def _rounded(seconds: float | None) -> float | None:
    if seconds is None:
        return None
    return round(seconds, 2)


def report_text(found: RehearsalReport) -> str:
    """Return the report as text for the user: one line for each thing that was seen."""
    first = "first value"
    if found.epochs:
        first = "first epoch"
    result = "failed"
    if found.passed:
        result = "passed"
    lines = [
        ("started", _after_text(found.started_s)),
        (first, _after_text(found.first_epoch_s, found.epoch_s)),
        ("memory", _memory_text(found)),
        ("metrics", ", ".join(found.metrics) or "none"),
        ("objective", _objective_text(found)),
        ("went along", ", ".join(found.files)),
        ("wrote", ", ".join(found.wrote)),
        ("whole scan", _scan_text(found)),
        ("note", found.note),
        (result, f"{found.verdict} {found.hint or ''}".strip()),
    ]
    return "\n".join(f"  {name:<11}  {text}" for name, text in lines if text)


def _after_text(seconds: float | None, each_s: float | None = None) -> str:
    if seconds is None:
        return ""
    if each_s is None:
        return f"after {seconds_text(seconds)}"
    return f"after {seconds_text(seconds)}, then {seconds_text(each_s)} each"


def _memory_text(found: RehearsalReport) -> str:
    if not found.peak_mb:
        return ""
    return f"{found.peak_mb / 1024:.2f} GB at most so far"


def _objective_text(found: RehearsalReport) -> str:
    if len(found.objectives) > 1:
        seen = set(found.metrics)
        return "; ".join(
            f"{name}, {'seen' if name in seen else 'not seen'}" for name in found.objectives
        )
    if not found.objective:
        return ""
    if not found.objective_seen:
        return f"{found.objective}, not seen"
    return f"{found.objective}, seen"


def _scan_text(found: RehearsalReport) -> str:
    """Return how long the whole scan takes, in words."""
    variants = f"{found.variants} variants"
    if found.variant_s is None or found.hours is None:
        return f"{variants}; how long one takes is not known: no epoch said how many there are"
    about = "about"
    if found.at_most:
        about = "at most about"
    unit = "h, one after another"
    if found.gpus:
        unit = "GPU-h"
    each = seconds_text(found.variant_s)
    text = f"{about} {_hours_text(found.hours)} {unit}: {variants}, {about} {each} each"
    # On the scan's own backend the nodes may be faster or slower than this machine.
    if found.where == "this machine":
        text += " on this machine"
    return text


def _hours_text(hours: float) -> str:
    if hours < 0.01:  # less would be printed as 0
        return "0.01"
    if hours < 10:
        return f"{hours:.2f}"
    return f"{hours:.1f}"
