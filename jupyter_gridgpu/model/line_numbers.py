"""Which events of a journal are new to a view, also if a number in a line is damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.events import Event

if TYPE_CHECKING:
    from jupyter_gridgpu.model.view import ScanView

TERMS_AT_ONCE = 1000  # how many terms may have left no event


def takes(view: ScanView, event: Event) -> bool:
    """Return whether an event is new, and take over its number and its term.

    Without a checksum the numbers of a line may be damaged. Too large a number would make all
    later events old ones. So the line after a jump says whether the jump was one.
    """
    if event.term < view.term:
        return False
    before, view.jumped_from = view.jumped_from, None
    if event.seq <= view.seq:
        if before is None or not before < event.seq <= view.seq:
            return False
        view.unreadable += 1
    elif event.seq > view.seq + 1 and not event.checked:
        view.jumped_from = view.seq
    view.seq = event.seq
    # A runner begins its term with an event of its own.
    begins = event.type == events.RUNNER_STARTED and event.term <= view.term + TERMS_AT_ONCE
    if event.checked or begins:
        view.term = event.term
    return True
