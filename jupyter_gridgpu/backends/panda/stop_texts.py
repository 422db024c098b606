"""What the row of a job says while the job is being stopped at PanDA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.backends.panda.heartbeats import HEARTBEAT

BEING_STOPPED = "It is being stopped."
# A pilot hears that its job was killed when it reports.
TOLD_TO_END = f"It is told to end when its pilot next reports, which takes up to {HEARTBEAT}."


def stop_text(number: int, attempts: int, answer: Mapping[str, Any], running: bool) -> str:
    """Return what follows of the stop of a job, as sentences with a blank before them.

    `number` is which of PanDA's `attempts` tries the job is, `answer` what PanDA said of the task.
    """
    text = TOLD_TO_END if running else BEING_STOPPED
    return f" {text}{_refusal(answer)}{_made_anew(number, attempts, answer)}"


def made_anew(times: int) -> str:
    """Return a sentence that says that PanDA starts a killed job so many times more."""
    often = "once more" if times == 1 else f"up to {times} times more"
    return (
        f"PanDA starts a killed job {often}, after some minutes each time; each new one is killed"
        " as soon as it is seen."
    )


def _made_anew(number: int, attempts: int, answer: Mapping[str, Any]) -> str:
    # The end of a whole task ends its tries as well.
    if number >= attempts or answer.get("killed"):
        return ""
    return f" {made_anew(attempts - number)}"


def _refusal(answer: Mapping[str, Any]) -> str:
    reason = answer.get("not_killed")
    if not reason:
        return ""
    return f" PanDA has not taken the order yet ({reason}); it is given again."
