"""The grace of a job: how long its saving may take once it was decided that the job ends."""

from __future__ import annotations

LONGEST_S = 60.0  # without --grace
WITHOUT_WALLTIME_S = 30.0  # without --grace and without --walltime
# A worker that was told to end gets so much longer than its grace: for the kernel's end and the
# result.
END_SPARE_S = 10.0
SPARE_S = 2.0  # before the batch system kills: for the kernel's end and the result


def grace_seconds(
    asked_s: float | None, walltime_s: float | None, kill_s: float | None = None
) -> float:
    """Return the grace in seconds.

    `asked_s` is that of --grace. By default, it is a tenth of the walltime, at most a minute.
    `kill_s` is how long the batch system waits before it kills a job, None if it does not kill.
    """
    if asked_s is not None:
        grace_s = float(asked_s)
    elif walltime_s:
        grace_s = min(LONGEST_S, walltime_s / 10)
    else:
        grace_s = WITHOUT_WALLTIME_S
    if walltime_s:
        grace_s = min(grace_s, walltime_s / 2)
    if kill_s is not None:
        grace_s = min(grace_s, max(kill_s - SPARE_S, kill_s / 2))
    return grace_s
