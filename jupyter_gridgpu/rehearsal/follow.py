"""Follows the one variant of a rehearsal, and stops the rehearsal when enough was seen."""

from __future__ import annotations

import time
from collections.abc import Callable

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.queue import LOCAL
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.units import duration_text
from jupyter_gridgpu.model.view import VariantView

FIRST = "v0001"  # the one variant of a rehearsal
# The second epoch is waited for as long as the first epoch took, but within these seconds.
SECOND_EPOCH_MIN_S = 2.0
SECOND_EPOCH_MAX_S = 30.0


class Follower:
    """Watches a rehearsal, and keeps what it has seen.

    Times are Unix seconds, or None if not seen yet.

    `sent_at` is when the rehearsal was started, `started_at` when its job began to run, `first_at`
    when the first epoch was seen. `epoch_s` is how many seconds a later epoch takes. `enough` means
    that the rehearsal was stopped because all was seen, `late` that it was stopped after
    `limit_s`. `state` is the state of the rehearsal's scan.
    """

    def __init__(self, handle: ScanHandle, limit_s: int, say: Callable[[str], None]) -> None:
        """A first value must come within `limit_s` seconds. `say` prints one line for the user."""
        self.sent_at = time.time()
        self.started_at: float | None = None
        self.first_at: float | None = None
        self.epoch_s: float | None = None
        self.enough = False
        self.late = False
        self.state = "running"
        self.limit_s = limit_s
        self._handle = handle
        self._say = say
        self._epochs_at_first = 0
        self._metrics = [objective.metric for objective in handle.scan.objectives]

    def follow(self) -> None:
        """Follow the rehearsal until it has ended."""
        scan = self._handle.scan
        self._say(f"{self._handle.name}: {FIRST} on {place_text(scan)}, {_params_text(scan)}")
        for state in self._handle.changes():
            self.state = state
            variant = self._handle.view.variants.get(FIRST)
            if variant is not None:
                self._look(variant, time.time())

    def _look(self, variant: VariantView, now: float) -> None:
        """Note what is new, and stop the rehearsal if it need not go on."""
        if self.started_at is None and variant.started is not None:
            # The clock of the node may be wrong: the job started after it was sent and before now.
            self.started_at = min(now, max(variant.started, self.sent_at))
            self._say(f"Started after {seconds_text(self.started_at - self.sent_at)}.")
        self._count_epochs(variant, now)
        # The runner needs a moment to apply a stop, which must not be repeated at each look.
        if self.enough or self.late:
            return
        if self.started_at is None or variant.state != "running":
            return
        self.enough = self._has_seen_enough(now)
        self.late = not self.enough and now - self.started_at > self.limit_s
        if self.enough or self.late:
            self._handle.stop()

    def _count_epochs(self, variant: VariantView, now: float) -> None:
        """Note when all objectives were first reported, and how long the next epoch takes.

        Without an objective, the first metric that is reported counts.
        """
        names = self._metrics or [next(iter(variant.metrics), "")]
        if any(name not in variant.metrics for name in names):
            return
        count = min(variant.metrics[name].n for name in names)
        if self.first_at is not None:
            # Several epochs may have passed between two looks, if they are short.
            if count > self._epochs_at_first and self.epoch_s is None:
                self.epoch_s = (now - self.first_at) / (count - self._epochs_at_first)
        elif count and self.started_at is not None:
            self.first_at = now
            self._epochs_at_first = count
            what = "epoch"
            if variant.step is None:
                what = "value"
            self._say(f"First {what} after {seconds_text(now - self.started_at)}.")

    def _has_seen_enough(self, now: float) -> bool:
        """Return whether a first epoch was seen, and a second too if it comes soon.

        The first epoch includes work that is done once, such as reading data and compiling. The
        second epoch tells how long all others take.
        """
        if self.first_at is None or self.started_at is None:
            return False
        if self.epoch_s is not None:
            return True
        first_s = self.first_at - self.started_at
        patience_s = min(max(first_s, SECOND_EPOCH_MIN_S), SECOND_EPOCH_MAX_S)
        return now - self.first_at > patience_s


def place_text(scan: ScanSpec) -> str:
    """Return where a scan runs, in words."""
    if scan.backend == LOCAL:
        return "this machine"
    if scan.placement.queue:
        return f"{scan.backend} {scan.placement.queue}"
    return scan.backend


def seconds_text(seconds: float) -> str:
    """Return a length of time in words, with a tenth of a second if it is below a minute."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    return duration_text(seconds)


def _params_text(scan: ScanSpec) -> str:
    values = [f"{name} = {one_line(repr(value), 40)}" for name, value in scan.space.fixed.items()]
    return ", ".join(values)
