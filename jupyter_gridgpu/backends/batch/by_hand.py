"""What is said of a task that somebody ended by hand, with a command of the batch system.

Such a task was cancelled: it is not sent again, whatever its workers saw of it.
"""

from __future__ import annotations

from jupyter_gridgpu.backends.batch.inquiry import TaskStatus, shown_text


def ended_by_hand(done: str, user: str | None = None, why: str | None = None) -> TaskStatus:
    """Return the status of a task that somebody ended by hand.

    `done` says what was done: `Removed from HTCondor`. `user` is who did it, `why` is the reason
    that was given, if any.
    """
    return TaskStatus("cancelled", "user", by_hand_message(done, user, why))


def by_hand_message(done: str, user: str | None = None, why: str | None = None) -> str:
    """Return a sentence, such as 'Removed from HTCondor by alice: too long.' for a reason."""
    sentence = done
    if user:
        sentence += f" by {user}"
    reason = (why or "").strip().rstrip(".")
    if reason:
        sentence += f": {reason}"
    return shown_text(f"{sentence}.") or ""
