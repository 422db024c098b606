"""How long the pilot of a job has been silent, in a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.backends.panda.states import PILOT_JOB_STATES
from jupyter_gridgpu.model.units import duration_text

HEARTBEAT_S = 1800  # from one report of a pilot to the next
SAID_AFTER_S = 1500  # a silence that is shorter is not worth a word
MINUTE_S = 60
HEARTBEAT = f"{HEARTBEAT_S // MINUTE_S} min"
LATE_S = HEARTBEAT_S + 300
# A silence that lasts is told in longer steps, since each new sentence is a line of the journal.
STEP_S = 300


def silence(job: Mapping[str, Any], now: float) -> str:
    """Return a blank and what is to be said of a pilot's silence; "" if it has reported of late.

    `job` is what client.py answers of a job. PanDA notes when a pilot has last reported as the time
    when the job was modified.
    """
    moments = [job.get(name) for name in ("modificationTime", "stateChangeTime", "startTime")]
    heard = [moment for moment in moments if isinstance(moment, (int, float))]
    if job.get("jobStatus") not in PILOT_JOB_STATES or not heard:
        return ""
    silent_s = now - max(heard)
    if silent_s < SAID_AFTER_S:
        return ""
    if silent_s < LATE_S:
        shown = int(silent_s) // MINUTE_S
        return (
            f" There was no sign of life from the pilot for {shown} min; it reports every"
            f" {HEARTBEAT}."
        )
    shown_s = silent_s // STEP_S * STEP_S
    return (
        f" There was no sign of life from the pilot for {duration_text(shown_s)}: the node or its"
        " network may be down. PanDA gives a job up when its pilot is silent for hours."
    )
