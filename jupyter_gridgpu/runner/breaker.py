"""Stops a scan whose first variants all fail for the same cause, before the others are sent.

A module that is not installed, an image that cannot be fetched, or a batch system that refuses
every job would otherwise fail hundreds of variants one after another.
"""

from __future__ import annotations

from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.cause import common_cause, has_failed, in_order
from jupyter_gridgpu.model.variant import VariantView
from jupyter_gridgpu.runner import policy
from jupyter_gridgpu.runner.driven_scan import DrivenScan


class Breaker:
    """Looks at the variants that end, and records `rule.met` when the scan is to be stopped.

    The decision follows from the view alone, so a runner that takes over decides alike.
    """

    def __init__(self, scan: DrivenScan) -> None:
        self._scan = scan
        self._rev = 0  # the revision of the view up to which variants were looked at
        self._failed: dict[str, VariantView] = {}  # by id
        self._done: set[str] = set()

    def trip(self) -> bool:
        """Record that the scan is to be stopped, if so, and return whether it was recorded."""
        view = self._scan.view
        if view.rev == self._rev:
            return False
        self._look()
        limit = view.scan.max_failures
        if limit is None or self._done or len(self._failed) < limit or view.stopped:
            return False
        cause = common_cause(in_order(self._failed.values())[:limit])
        # Where nothing is left to do, nothing has to be stopped.
        if cause is None or policy.complete(view):
            return False
        variants = "the first variant" if limit == 1 else f"the first {limit} variants all"
        why = f"{variants} failed{cause}"
        self._scan.record(
            (events.RULE_MET, {"rule": events.MAX_FAILURES, "why": why}), durable=True
        )
        return True

    def _look(self) -> None:
        """Look at the variants that changed since the last look."""
        view = self._scan.view
        for variant in view.changed_since(self._rev):
            self._failed.pop(variant.id, None)
            self._done.discard(variant.id)
            if variant.state == "done":
                self._done.add(variant.id)
            elif has_failed(view, variant):
                self._failed[variant.id] = variant
        self._rev = view.rev
