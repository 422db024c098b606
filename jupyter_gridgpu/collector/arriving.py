"""Bounds the bodies that arrive at a collector at the same time.

A body may take its time, and each one holds memory and a connection. Where a job, a scan, a member
or all together have too many of them, the one of them that began first is dropped: it is the
slowest. So no sender, however slow or many-headed, keeps another one from being heard.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from jupyter_gridgpu.transport.signing import WRITE, Claim

# Bodies that arrive at the same time. Each has BATCH_BYTES at most: 125 MB of memory.
JOB_BODIES = 4
SCAN_BODIES = 100  # all jobs of a scan have the same key
MEMBER_BODIES = 200
WRITE_BODIES = 400
# Requests of runners are counted by themselves: the key of a job cannot crowd them out.
RUNNER_BODIES = 4  # of one scan and one action
MEMBER_RUNNER_BODIES = 20
ALL_RUNNER_BODIES = 100

# A body that began less than this ago is not dropped for others of its job: an honest one is whole
# by then, however many others begin at the same time.
YOUNG_S = 1.0

Group = tuple[str, ...]


class ArrivingBody(Protocol):
    """A request whose body arrives."""

    def drop(self) -> None:
        """Close the connection."""


def groups(claim: Claim, scan: str) -> list[tuple[Group, int]]:
    """Return the groups to which a request belongs, the smallest first, with their limits."""
    user = claim.user
    if claim.action == WRITE:
        return [
            (("write", user, scan, claim.job), JOB_BODIES),
            (("write", user, scan), SCAN_BODIES),
            (("write", user), MEMBER_BODIES),
            (("write",), WRITE_BODIES),
        ]
    return [
        (("runner", user, scan, claim.action), RUNNER_BODIES),
        (("runner", user), MEMBER_RUNNER_BODIES),
        (("runner",), ALL_RUNNER_BODIES),
    ]


class ArrivingBodies:
    """The requests whose bodies arrive now."""

    def __init__(self) -> None:
        # Dicts keep the order in which their keys came, so the first key began first.
        self._senders: dict[Group, dict[ArrivingBody, None]] = {}
        self._groups: dict[ArrivingBody, list[Group]] = {}
        self._began: dict[ArrivingBody, float] = {}  # on the monotonic clock

    def __len__(self) -> int:
        return len(self._groups)

    def begin(self, sender: ArrivingBody, wanted: Sequence[tuple[Group, int]]) -> None:
        """Make room for a sender in its groups, and add it."""
        now = time.monotonic()
        spared_s = YOUNG_S
        for group, limit in wanted:
            while len(self._senders.get(group, ())) >= limit:
                oldest = next(iter(self._senders[group]))
                if now - self._began[oldest] < spared_s:
                    break
                self.end(oldest)
                oldest.drop()
            spared_s = 0.0
        self._groups[sender] = [group for group, _ in wanted]
        self._began[sender] = now
        for group in self._groups[sender]:
            self._senders.setdefault(group, {})[sender] = None

    def end(self, sender: ArrivingBody) -> None:
        """Forget a sender; one that is not known is passed over."""
        self._began.pop(sender, None)
        for group in self._groups.pop(sender, ()):
            self._senders[group].pop(sender)
            if not self._senders[group]:
                del self._senders[group]
