"""The fold: what each event of the journal changes in the view of a scan.

There is one function for each type of event, and one for each command. Each takes the view, the
keys of the event and its time, changes the view, and returns the variants that it touched, so that
the view can number the change. An event about an attempt that is not the latest one is dropped,
since the view shows the latest attempt only.

A scan with many jobs has millions of `job.reported` events. So the function for them is written for
speed: it makes no object that it does not keep.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.model import events, numbers
from jupyter_gridgpu.model.extension import EXTENDING
from jupyter_gridgpu.model.job import END_STATES, may_follow, split_key
from jupyter_gridgpu.model.metrics import Series
from jupyter_gridgpu.model.records import (
    BackendNoted,
    ClockSet,
    CommandApplied,
    ImageSeen,
    JobIntended,
    JobObserved,
    JobReported,
    JobSubmitted,
    MachineSlept,
    RuleMet,
    RunnerStarted,
    ScanFinished,
    VariantProposed,
)
from jupyter_gridgpu.model.variant import VariantView

if TYPE_CHECKING:
    from jupyter_gridgpu.model.view import ScanView

Touched = Sequence[VariantView]
# Keys of `job.observed` that are copied into the variant as they are.
_OBSERVED = (
    "reason", "message", "cell", "where", "gpu", "node", "link", "started", "ended", "notebook",
    "peak_mb",
)  # fmt: skip
NOT_RUN = "Not run yet: only its parameters were imported."
IMAGES_LIMIT = 20  # images of one name that a scan tells apart
NOT_SENT = "Not sent, since the scan was stopped."
_FLOAT = frozenset({float})


def _latest(view: ScanView, key: str) -> VariantView | None:
    """Return the variant of a job if the job is the variant's latest attempt, else None."""
    variant_id, attempt = split_key(key)
    variant = view.variants.get(variant_id)
    if variant is None or variant.attempts != attempt:
        return None
    return variant


# Events ---------------------------------------------------------------------------


def runner_started(view: ScanView, data: RunnerStarted, time: float) -> Touched:
    """Apply `runner.started`: the scan goes on. The first such event is the start of the scan."""
    view.started = view.started or time
    view.finished = False
    return ()


def variant_proposed(view: ScanView, data: VariantProposed, time: float) -> Touched:
    """Apply `variant.proposed`: add a variant to the view."""
    variant = VariantView(
        data["variant"],
        data["point"],
        data["repeat"],
        numbers.decode_all(data["params"]),
        data.get("attrs", {}),
        view.number_for(data["variant"]),
    )
    view.add(variant)
    return (variant,)


def job_intended(view: ScanView, data: JobIntended, time: float) -> Touched:
    """Apply `job.intended`: an attempt at a variant begins."""
    variant_id, attempt = split_key(data["key"])
    variant = view.variants.get(variant_id)
    # If the line that proposed the variant cannot be read, the view has no variant for the job.
    if variant is None:
        return ()
    variant.new_attempt(attempt)
    return (variant,)


def job_submitted(view: ScanView, data: JobSubmitted, time: float) -> Touched:
    """Apply `job.submitted`: the backend has the job."""
    variant = _latest(view, data["key"])
    if variant is None:
        return ()
    variant.submitted = True
    variant.backend_id = data.get("engine_id")
    variant.queued = time
    if variant.state == "new":
        variant.state = "queued"
    return (variant,)


def job_observed(view: ScanView, data: JobObserved, time: float) -> Touched:
    """Apply `job.observed`: take over what a backend, or the job's own result, says of a job."""
    variant = _latest(view, data["key"])
    if variant is None or not _may_say(variant.state, data["state"]):
        return ()
    requeued = (variant.state, data["state"]) == ("running", "queued")
    _observe(variant, data)
    if requeued and view.stopped_by is not None:
        _take_back(variant)
    return (variant,)


def _may_say(state: str, seen: str) -> bool:
    """Return whether an observation of the state `seen` counts for a job in `state`.

    A job may enter another state, or more may become known while it stays in its state. Once a job
    has ended, no observation counts: a poll that comes late must not overwrite its result.
    """
    return may_follow(state, seen) or (state == seen and seen not in END_STATES)


def _observe(variant: VariantView, data: JobObserved) -> None:
    """Take over the state that was seen, and all other keys of the observation."""
    state = data["state"]
    if state != variant.state:
        # A message belongs to one state: why a job waited is no longer true once it runs.
        variant.message = None
        if state == "queued":
            # The batch system starts the job again, from the beginning.
            variant.started = None
    variant.state = state
    for name in _OBSERVED:
        value = data.get(name)
        if value is not None:
            setattr(variant, name, value)
    # What was said of a job that goes on may be over: then an empty message says so.
    variant.message = variant.message or None
    if variant.started is not None and variant.ended is not None:
        # Two clocks told the two times, or the clock was set between them.
        variant.ended = max(variant.ended, variant.started)
    variant.gpu_s += max(data.get("gpu_s") or 0.0, 0.0)


def job_reported(view: ScanView, data: JobReported, time: float) -> Touched:
    """Apply `job.reported`: take over metrics and usage that a job reported."""
    variant = _latest(view, data["key"])
    if variant is None:
        return ()
    if data.get("whole"):
        # A new runner, or a new copy of the job: the metrics are counted from their beginning.
        variant.metrics.clear()
    variant.step = data.get("step", variant.step)
    variant.steps = data.get("steps", variant.steps)
    variant.usage = data.get("usage", variant.usage)
    variant.reported = data.get("at", variant.reported)
    variant.notebook = variant.notebook or data.get("notebook")
    memory = variant.usage.get("memory_mb", 0.0)
    if memory > (variant.peak_mb or 0.0):
        variant.peak_mb = memory
    for name, (count, low, high, new) in data["metrics"].items():
        series = variant.metrics.get(name)
        if series is None:
            series = variant.metrics[name] = Series()
        values: Any = new
        # Nearly all values are floats already; only the others (words like "NaN") are decoded,
        # since a call for each value would double the time of the fold.
        if not _FLOAT.issuperset(map(type, new)):
            values = [_number(value) for value in new]
        series.keep(values)
        series.n = count
        series.min = low if type(low) is float else numbers.decode(low)
        series.max = high if type(high) is float else numbers.decode(high)
    return (variant,)


def _number(value: object) -> float:
    """Return a value of a metric as a number; NaN if it is none."""
    number = numbers.decode(value)
    if number is None:
        return math.nan
    return number


def backend_noted(view: ScanView, data: BackendNoted, time: float) -> Touched:
    """Apply `engine.noted`: a batch system is not well, or is well again."""
    view.backend_note = data.get("message")
    return ()


def command_applied(view: ScanView, data: CommandApplied, time: float) -> Touched:
    """Apply `command.applied`: do what a client asked for."""
    view.commands.add(data["id"])
    chosen = data.get("variants")
    variants = None
    if chosen is not None:
        variants = [view.variants[ident] for ident in chosen if ident in view.variants]
    command = _COMMANDS.get(data["action"])
    if command is None:
        # A later version knows the command; it may add only commands that can be left out.
        return ()
    return command(view, variants, data)


def rule_met(view: ScanView, data: RuleMet, time: float) -> Touched:
    """Apply `rule.met`: send nothing more, and take back what does not run yet."""
    view.stopped_by, view.rule = data["why"], data["rule"]
    view.stopped = True
    view.paused = False
    touched = []
    for variant in view.variants.values():
        waits = variant.state in ("new", "queued")
        if waits:
            _take_back(variant)
        if waits or variant.retry_asked:
            variant.retry_asked = False
            touched.append(variant)
    return touched


def image_seen(view: ScanView, data: ImageSeen, time: float) -> Touched:
    """Apply `image.seen`: keep which variant ran in which image of the scan's name for it."""
    if len(view.images) < IMAGES_LIMIT and view.is_new_image(data["mark"]):
        view.images.append((data["mark"], split_key(data["key"])[0] if data["key"] else ""))
    return ()


def _take_back(variant: VariantView) -> None:
    """End a variant that waits; the scan that a rule has stopped may give it an attempt later."""
    variant.stop_asked = True
    variant.taken_back = True
    if variant.attempts == 0:
        variant.state = "cancelled"
        variant.message = NOT_SENT


def machine_slept(view: ScanView, data: MachineSlept, time: float) -> Touched:
    """Apply `machine.slept`: faces say for how long in all."""
    view.slept_s += data["s"]
    return ()


def clock_set(view: ScanView, data: ClockSet, time: float) -> Touched:
    """Apply `clock.set`: move what was told by the old clock, so that durations stay true."""
    by_s = data["by_s"]
    view.clock_set_s += by_s
    # Jobs of a batch system have their times from a clock that nobody has set.
    if view.scan.backend != "local":
        return ()
    touched = list(view.active.values())
    for variant in touched:
        if variant.queued is not None:
            variant.queued += by_s
        if variant.started is not None:
            variant.started += by_s
    return touched


def scan_finished(view: ScanView, data: ScanFinished, time: float) -> Touched:
    """Apply `scan.finished`: nothing is left to do."""
    view.finished = True
    view.ended = time
    return ()


# Commands: `variants` is None where the whole scan is meant -------------------------


def incomplete(view: ScanView) -> bool:
    """Return whether a scan is done, but lines of its journal are missing that say how."""
    if not view.finished or view.stopped:
        return False
    return bool(view.active) or len(view.variants) < view.total()


def goes_on(view: ScanView) -> bool:
    """Return whether `resume` lets a scan go on that has ended.

    It does if a rule has stopped the scan, or if the journal has lost a part of it.
    """
    return view.stopped_by is not None or incomplete(view)


def stop(view: ScanView, variants: list[VariantView] | None, data: CommandApplied) -> Touched:
    """End jobs, and give no more attempts to their variants."""
    if variants is None:
        view.stopped = True
        view.paused = False
        variants = list(view.variants.values())
    touched = []
    for variant in variants:
        variant.retry_asked = False
        if variant.state in ("done", "cancelled"):
            # Nothing that is shown changes. If a retry was asked for, the variant stays in the
            # view's list of those that may want a job; `waiting` checks again before it yields one.
            continue
        # This also holds for a variant that failed: it gets no further attempt.
        variant.stop_asked = True
        if variant.attempts == 0:
            variant.state = "cancelled"
            variant.message = (
                NOT_RUN if data.get("by") == "import" else "Stopped before it started."
            )
        touched.append(variant)
    return touched


def retry(view: ScanView, variants: list[VariantView] | None, data: CommandApplied) -> Touched:
    """Give variants another attempt; without a choice, those that did not end well."""
    view.finished = False
    view.paused = False
    if variants is None:
        view.stopped = False
        view.stopped_by = view.rule = None
        variants = [variant for variant in view.variants.values() if _may_be_retried(variant)]
    for variant in variants:
        if variant.state in END_STATES:
            variant.retry_asked = True
            variant.stop_asked = False
        elif variant.stop_asked:
            # The job of the variant is still ending. `stop_asked` stays set until it has ended;
            # the new attempt begins after that.
            variant.retry_asked = True
    return variants


def _may_be_retried(variant: VariantView) -> bool:
    """Return whether a retry of the whole scan means this variant."""
    return variant.state in ("failed", "lost", "cancelled") or variant.stop_asked


def pause(view: ScanView, variants: list[VariantView] | None, data: CommandApplied) -> Touched:
    """Send no more jobs until the scan is resumed; jobs that were sent go on."""
    view.paused = not view.finished
    return ()


def resume(view: ScanView, variants: list[VariantView] | None, data: CommandApplied) -> Touched:
    """Send jobs again, after a pause or after a rule has stopped the scan.

    A scan that has ended goes on if its journal has lost variants or their ends.
    """
    if incomplete(view):
        view.finished = False
    view.paused = False
    return _lift_rule(view, data)


def _lift_rule(view: ScanView, data: CommandApplied) -> Touched:
    """Let a scan that a rule has stopped go on: what failed or was taken back is tried again."""
    if view.stopped_by is None:
        return ()
    view.stopped = False
    view.stopped_by = view.rule = None
    failed = ("failed", "lost")
    again = [
        variant
        for variant in view.variants.values()
        if variant.taken_back or (variant.state in failed and not variant.stop_asked)
    ]
    return retry(view, again, data)


def extend(view: ScanView, variants: list[VariantView] | None, data: CommandApplied) -> Touched:
    """Propose more points than the scan was started with, or repeat all points more often."""
    if any(data.get(name) is not None for name in EXTENDING):
        try:
            view.growth.add(data, data.get("first"))
        except GridGpuError:
            # Only a line that was changed says what cannot be added.
            view.unreadable += 1
            return ()
    view.extra_trials += int(data.get("trials") or 0)
    view.stopped = False
    view.finished = False
    view.paused = False
    return _lift_rule(view, data)


# Each function takes the record of its own event, so the type of the tables can only say Any.
HANDLERS: dict[str, Callable[[ScanView, Any, float], Touched]] = {
    events.RUNNER_STARTED: runner_started,
    events.VARIANT_PROPOSED: variant_proposed,
    events.JOB_INTENDED: job_intended,
    events.JOB_SUBMITTED: job_submitted,
    events.JOB_OBSERVED: job_observed,
    events.JOB_REPORTED: job_reported,
    events.BACKEND_NOTED: backend_noted,
    events.COMMAND_APPLIED: command_applied,
    events.RULE_MET: rule_met,
    events.IMAGE_SEEN: image_seen,
    events.MACHINE_SLEPT: machine_slept,
    events.CLOCK_SET: clock_set,
    events.SCAN_FINISHED: scan_finished,
}
_COMMANDS: dict[str, Callable[[ScanView, list[VariantView] | None, CommandApplied], Touched]] = {
    "stop": stop,
    "retry": retry,
    "pause": pause,
    "resume": resume,
    "extend": extend,
}
COMMANDS = tuple(_COMMANDS)
