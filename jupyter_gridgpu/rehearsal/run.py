"""Runs a rehearsal from its plan to its report."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_gridgpu import client
from jupyter_gridgpu.errors import RehearsalFailed
from jupyter_gridgpu.planning.request import Plan
from jupyter_gridgpu.rehearsal.follow import Follower
from jupyter_gridgpu.rehearsal.plan import rehearsal_plan
from jupyter_gridgpu.rehearsal.report import RehearsalReport, report, report_text

LIMIT_S = 600  # seconds in which a first value of the objective must come


def _say_nothing(line: str) -> None:
    pass


def rehearse(
    plan: Plan,
    there: bool = False,
    limit_s: int = LIMIT_S,
    say: Callable[[str], None] = _say_nothing,
) -> RehearsalReport:
    """Rehearse a plan's scan on this machine, or `there` as one job of its own backend.

    `say` is called with a sentence for each thing that happens. Raises UsageError, BackendError or
    StorageError if the rehearsal cannot be started. Any exception, KeyboardInterrupt too, also
    stops the rehearsal's job.
    """
    handle = client.start(rehearsal_plan(plan, there, limit_s))
    follower = Follower(handle, limit_s, say)
    try:
        follower.follow()
    except BaseException:
        # The runner is a process of its own and would go on without this one.
        handle.refresh()
        if not handle.ended:
            handle.stop()
        raise
    return report(plan.scan, handle, follower)


def rehearse_before_sending(plan: Plan, there: bool, say: Callable[[str], None]) -> None:
    """Rehearse a scan that is about to be sent.

    A scan that was sent before is not rehearsed, since it will only be shown. Raises
    RehearsalFailed if the scan must not be sent, and what `rehearse` raises.
    """
    # Looking for the scan is cheap. A rehearsal would take a job.
    if client.started_before(plan) is not None:
        return
    found = rehearse(plan, there, say=say)
    say(report_text(found))
    if not found.passed:
        raise RehearsalFailed(f"The scan was not sent, since its rehearsal failed: {found.verdict}")
