"""How long a scan will still take."""

from __future__ import annotations

from jupyter_gridgpu.model.job import END_STATES
from jupyter_gridgpu.model.view import ScanView

ENDED_FOR_ESTIMATE = 3  # jobs that have to be done before the time left is estimated


def seconds_left(view: ScanView, now: float) -> float | None:
    """Estimate the seconds until the scan ends, from the jobs that are done.

    Returns None while fewer than three jobs are done, and once the scan has finished.
    """
    took = [
        max(variant.ended - variant.started, 0.0)
        for variant in view.variants.values()
        if variant.state == "done" and variant.ended and variant.started
    ]
    if len(took) < ENDED_FOR_ESTIMATE or view.finished or not view.started:
        return None
    mean = sum(took) / len(took)
    counts = view.counts()
    begun = counts["running"] + sum(counts[state] for state in END_STATES)
    # The clock of the day may have been set back since a job started.
    spent = [max(now - job.started, 0.0) for job in view.running.values() if job.started]
    work = (view.total() - begun) * mean + sum(max(mean - seconds, 0.0) for seconds in spent)
    # As many jobs as run now are taken to run until the end.
    return work / max(len(spent), 1)
