"""What is said of a scan as a whole, in one sentence that every face shows."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.cause import common_cause, has_failed, in_order
from jupyter_gridgpu.model.fold import NOT_RUN
from jupyter_gridgpu.model.units import duration_text
from jupyter_gridgpu.model.view import ScanView

METRICS_NAMED = 8  # metrics that a note names at most
EARLY_FAILURES = 2  # failures of one cause that a note tells of, if nothing is done
# A running variant that has reported other metrics for so long may have another name for the
# objective. A first epoch is often over by then.
SILENT_S = 30.0


def note(view: ScanView, now: float) -> str | None:
    """Return a sentence or two about the scan as a whole, or None if there is nothing to say.

    It says why the scan was stopped, that a batch system is not well, that all variants so far
    failed alike, that jobs ran in different images, that the objective is not what variants
    report, or that the machine has slept; and, in a sentence of its own, what the scan was extended
    by. `now` is in Unix seconds.
    """
    return " ".join(filter(None, (_trouble(view, now), extended(view)))) or None


def _trouble(view: ScanView, now: float) -> str | None:
    stopped = stopped_by(view)
    if stopped is not None:
        return stopped
    if view.backend_note and not view.finished:
        return view.backend_note
    return (
        _not_run(view)
        or _failing(view)
        or _other_image(view)
        or _objective_missing(view, now)
        or slept(view)
    )


def _not_run(view: ScanView) -> str | None:
    """Return a sentence if the variants were imported and none has run."""
    if not view.variants:
        return None
    if any(variant.message != NOT_RUN for variant in view.variants.values()):
        return None
    return f"Imported, and not run yet: `gridgpu retry {view.scan.name}` runs the variants."


def extended(view: ScanView) -> str | None:
    """Return a sentence if the scan has more values, repeats or points than it began with."""
    return view.growth.sentence(view.extra_trials) or None


def slept(view: ScanView) -> str | None:
    """Return a sentence if the machine of the runner was suspended while it drove the scan."""
    if not view.slept_s:
        return None
    return f"The machine slept {duration_text(view.slept_s)} while the scan ran."


def stopped_by(view: ScanView) -> str | None:
    """Return the sentence that says why a rule has stopped the scan, or None if none has."""
    if view.stopped_by is None:
        return None
    if view.rule == events.NO_POINTS:
        # `resume` would find no points again.
        return (
            f"Stopped: {view.stopped_by}. `gridgpu extend {view.scan.name} --add` adds values;"
            " another constraint makes a new scan."
        )
    return (
        f"Stopped: {view.stopped_by}. Mend the cause, then `gridgpu resume {view.scan.name}` goes"
        " on. A notebook that was changed makes a new scan."
    )


def _failing(view: ScanView) -> str | None:
    """Return a sentence if all variants that have ended failed for the same cause."""
    if any(variant.state == "done" for variant in view.variants.values()):
        return None
    failed = in_order(variant for variant in view.variants.values() if has_failed(view, variant))
    if len(failed) < EARLY_FAILURES:
        return None
    cause = common_cause(failed)
    if cause is None:
        return None
    if len(failed) == view.total():
        return f"All {len(failed):,} variants failed{cause}."
    return f"All {len(failed):,} variants that have ended failed{cause}."


def _other_image(view: ScanView) -> str | None:
    """Return a sentence if jobs ran in different images of the same name, or in no container."""
    for mark, variant in view.images:
        if mark == events.NO_CONTAINER:
            return (
                f"{variant or 'A job'} saw no sign of a container, though it was to run in"
                f" {view.scan.container.image}: its provenance names the Python that ran."
            )
    if len(view.images) < 2:
        return None
    (first, _), (found, variant) = view.images[:2]
    return (
        f"{variant} ran in another image ({found}) than where the scan began ({first}), though both"
        f" are {view.scan.container.image}: their results may differ for that reason."
    )


def _objective_missing(view: ScanView, now: float) -> str | None:
    """Return a sentence if variants report metrics, and an objective is not one of them."""
    several = len(view.scan.objectives) > 1
    what = "an objective" if several else "the objective"
    for objective in view.scan.objectives:
        found = _metric_missing(view, now, objective.metric, what)
        if found is not None:
            return found
    return None


def _metric_missing(view: ScanView, now: float, wanted: str, what: str) -> str | None:
    """Return a sentence if variants report metrics, and not the one that is wanted."""
    for variant in view.variants.values():
        if variant.state == "done" and wanted not in variant.metrics:
            return (
                f"{variant.id} ended without reporting {wanted}, {what};"
                f" it reported {_names(wanted, variant.metrics)}"
            )
    if any(wanted in variant.metrics for variant in view.variants.values()):
        return None
    for variant in view.running.values():
        if variant.metrics and variant.started and now - variant.started >= SILENT_S:
            return (
                f"{variant.id} has not reported {wanted}, {what}, so far;"
                f" it reported {_names(wanted, variant.metrics)}"
            )
    return None


def _names(wanted: str, reported: Iterable[str]) -> str:
    """Return which metrics were reported, and which of them may be meant: the end of a sentence."""
    names = sorted(reported)
    if not names:
        return "nothing."
    seen = ", ".join(names[:METRICS_NAMED])
    nearest = nearest_name(wanted, names)
    if nearest is None:
        return f"{seen}."
    return f"{seen}. Is {nearest} meant?"


def nearest_name(wanted: str, names: Iterable[str]) -> str | None:
    """Return the name that is most like `wanted`, or None if none is like it.

    Names are compared as people write them: `acc` is like `accuracy`, `ValAcc` like `val_acc`.
    """
    plain = {_plain(name): name for name in sorted(names, reverse=True)}
    target = _plain(wanted)
    if target in plain:
        return plain[target]
    found = get_close_matches(target, plain, n=1, cutoff=0.6)
    if found:
        return plain[found[0]]
    # A short form is not close in its letters: acc and val_accuracy.
    parts = [name for name in plain if len(target) > 1 and (target in name or name in target)]
    if parts:
        return plain[min(parts, key=lambda name: (abs(len(name) - len(target)), name))]
    return None


def _plain(name: str) -> str:
    return "".join(char for char in name.lower() if char.isalnum())
