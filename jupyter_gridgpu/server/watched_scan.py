"""One scan as the server keeps it.

Only the watcher's scan thread may call what is in this module.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.server.messages import LeftOutScan
from jupyter_gridgpu.server.respawn import Respawner

MESSAGE_ROWS = 1000  # the most rows of one message
SHARE = 20  # looking at one scan may take at most 1/SHARE of the time
STATE_EVERY_S = 1.0  # seconds between two checks whether the scan's runner lives
# Seconds between two messages in which nothing is new but the estimate of the time that is left.
ESTIMATE_EVERY_S = 5.0
LONG_AGO = -1e9  # a monotonic time (seconds) before all others: what it stands for is due


class Pace(NamedTuple):
    """How often scans are looked at. All values are seconds.

    `poll_s` lies between two looks at a scan that a page has opened, `head_s` between two looks at
    another scan that runs, `home_s` between two looks for new scans. Rows of an ended scan are kept
    for `keep_s`. `respawn_s` is the pause before a runner is started a second time.
    """

    poll_s: float = 0.1
    head_s: float = 0.5
    home_s: float = 1.0
    keep_s: float = 60.0
    respawn_s: float = 5.0


class Message(NamedTuple):
    """A message for a page that has revision `since`; the page has revision `rev` afterwards."""

    since: int
    rev: int
    text: bytes


@dataclass
class News:
    """What a sweep found, by the id of the scan.

    `heads` are messages about scans as a whole, `updates` messages with changed rows of the scans
    that a page has opened. `gone` are scans whose folder is not there any more. `left_out` are the
    folders that cannot be shown, or None if they are the same as before.
    """

    heads: dict[str, bytes] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    updates: dict[str, list[Message]] = field(default_factory=dict)
    left_out: list[LeftOutScan] | None = None


class WatchedScan:
    """A scan, its newest head, and its rows while they are needed.

    The head describes the scan as a whole: name, state, counts, best variant (`ScanInfo`).

    View and rows are kept while the scan runs or a page has it open. Of an ended scan that nobody
    looks at, only the head is kept, so that a home with many scans needs little memory.
    """

    def __init__(self, folder: Path, pace: Pace) -> None:
        """Raises UnknownScan or StorageError if `folder` is no scan folder."""
        self.folder = folder
        self.pace = pace
        self._handle: ScanHandle | None = ScanHandle(folder)
        self.scan = self._handle.scan
        self.respawner = Respawner(pace.respawn_s)
        self.openers: set[object] = set()  # the pages that have the scan open
        self.due = 0.0  # the monotonic time of the next sweep
        self.logged_error = ""  # the last error that was logged about this scan
        # The newest head, with the revision and the respawner's note that it was made of.
        self._head: wire.ScanInfo | None = None
        self._head_rev = -1
        self._head_note: str | None = None
        # What pages know: the head they all have, and the revision that the openers have.
        self._sent_head: wire.ScanInfo | None = None
        self._sent_head_at = LONG_AGO
        self._sent_rev = -1
        self._state_due = LONG_AGO
        self._estimate_due = LONG_AGO
        self._used_at = LONG_AGO
        self._journal_stamp: tuple[int, int] | None = None  # the journal's, when rows were dropped
        self._rows: dict[str, tuple[int, bytes]] = {}  # by variant: its revision and its JSON

    # what pages ask for --------------------------------------------------------------

    def handle(self) -> ScanHandle:
        """Return the scan with its rows, as the journal has them now."""
        self._used_at = time.monotonic()
        if self._handle is None:
            self._handle = ScanHandle(self.folder)
        self._handle.refresh()
        return self._handle

    def head(self) -> wire.ScanInfo:
        """Return the head as of the last sweep, with the time of this server's clock."""
        if self._head is None:
            self.look(time.monotonic())
        assert self._head is not None
        return {**self._head, "now": time.time()}

    def fresh_head(self) -> wire.ScanInfo:
        """Return the head as the journal has it now."""
        self.look(time.monotonic())
        return self.head()

    def command(
        self, action: str, variants: list[str] | None, trials: int | None, **extension: Any
    ) -> str:
        """Leave a command for the runner, and return a sentence that says so. Raises UsageError."""
        answer = self.handle().command(action, variants, trials, **extension)
        # The user wants the scan to go on, so its runner gets all its tries again.
        self.respawner.reset()
        self.due = 0.0
        self._state_due = 0.0
        return answer

    def open(self, opener: object) -> None:
        """Keep the rows ready for a page."""
        rev = self.handle().view.rev
        self.look(time.monotonic())  # so that the page gets rows and head of one moment
        if not self.openers:
            self._sent_rev = rev
        self.openers.add(opener)
        self.due = 0.0

    def close(self, opener: object) -> None:
        """Note that a page does not have the scan open any more."""
        self.openers.discard(opener)
        if not self.openers:
            self._rows.clear()

    def messages(self, since: int | None) -> Iterator[Message]:
        """Yield the messages for a page that has revision `since`; None means that it has no rows.

        There is at least one message. Only the last one raises the page's revision. So a page that
        loses its connection before the last message asks again for the same rows, and misses none.
        """
        handle = self._handle or self.handle()
        if handle.view.rev != self._head_rev:
            self.look(time.monotonic())
        kind = "snapshot"
        base = 0
        with handle.lock:
            rev = handle.view.rev
            # A revision that this journal has not reached belongs to another journal. Then the page
            # gets all rows.
            if since is not None and 0 <= since <= rev:
                kind = "upsert"
                base = since
            changed = handle.view.changed_since(base)
        for start in range(0, max(len(changed), 1), MESSAGE_ROWS):
            end = start + MESSAGE_ROWS
            reached = base
            if end >= len(changed):
                reached = rev
            # The lock is released between two messages: sending one to a slow page may take long.
            with handle.lock:
                rows = b",".join(self._row(handle, variant) for variant in changed[start:end])
            yield Message(base, reached, self._message(kind, base, reached, rows))
            kind = "upsert"  # a second snapshot would replace the rows of the first

    def _row(self, handle: ScanHandle, variant: VariantView) -> bytes:
        """Return a row as JSON. The JSON is made once for each revision of the variant."""
        kept = self._rows.get(variant.id)
        if kept is not None and kept[0] == variant.rev:
            return kept[1]
        text = dumps(wire.row(handle.view, variant))
        if self.openers:
            self._rows[variant.id] = (variant.rev, text)
        return text

    def _message(self, kind: str, since: int, rev: int, rows: bytes) -> bytes:
        # Put together from texts, since the rows are JSON already.
        base = b""
        if kind != "snapshot":
            base = b'"from":%d,' % since
        parts = (kind.encode(), base, rev, dumps(self.head()), rows)
        return b'{"type":"%s",%s"rev":%d,"scan":%s,"rows":[%s]}' % parts

    # what a sweep does ---------------------------------------------------------------

    def sweep(self, news: News) -> None:
        """Look at the scan, add what is new to `news`, and set when the next sweep is due."""
        began = time.monotonic()
        began_work = time.thread_time()
        self.look(began)
        if self.openers:
            self._add_rows(news)
        self._add_head(began, news)
        ended = time.monotonic()
        # A scan that costs much is looked at less often, so that all scans together never use
        # more than a part of the processor. Time spent waiting for the disk counts less.
        worked = time.thread_time() - began_work
        self.due = ended + max(self._pause_s(), SHARE * worked, ended - began)

    def _pause_s(self) -> float:
        """Return the seconds between two sweeps of a scan that costs little."""
        if self.openers:
            return self.pace.poll_s
        if self._handle is not None:
            return self.pace.head_s
        return self.pace.home_s

    def look(self, now: float) -> None:
        """Fold in what the journal has gained, and make a new head if that changed the scan."""
        stamp = _stamp(self.folder / "journal.jsonl")
        if self._handle is None:
            if stamp == self._journal_stamp:
                return
            self._handle = ScanHandle(self.folder)
        handle = self._handle
        # A runner may die without an event in the journal, so the state is checked regularly.
        if handle.refresh() or now >= self._state_due or handle.view.rev != self._head_rev:
            self._state_due = now + STATE_EVERY_S
            self._renew_head(handle, self.respawner.check(handle, handle.state), now)
        # `finished` alone is not enough: a command may wait that makes the scan go on.
        has_ended = handle.view.finished and self._head_state() in ("done", "stopped")
        if has_ended and not self.openers:
            self._forget_rows(stamp, now)

    def _renew_head(self, handle: ScanHandle, state: str, now: float) -> None:
        """Make a new head if the old one is not true any more."""
        # Even if nothing happened, the estimate of the time that is left changes.
        estimate_is_old = now >= self._estimate_due and not handle.view.finished
        if self._is_current(handle, state) and not estimate_is_old:
            return
        foreign, accept = handle.foreign, handle.to_accept()
        with handle.lock:
            made = wire.head(handle.view, state, time.time(), foreign, accept)
            self._head_rev = handle.view.rev
        self._head_note = self.respawner.note
        self._estimate_due = now + ESTIMATE_EVERY_S
        self._head = {
            **made,
            "note": self._head_note or made["note"],
            "folder": str(self.folder),
            "browse": None,
            "home": str(Path.home()),
        }

    def _is_current(self, handle: ScanHandle, state: str) -> bool:
        """Return whether the head says what journal, lease and respawner say now."""
        if self._head is None or handle.view.rev != self._head_rev:
            return False
        return self._head["state"] == state and self._head_note == self.respawner.note

    def _head_state(self) -> str:
        if self._head is None:
            return ""
        return self._head["state"]

    def _forget_rows(self, stamp: tuple[int, int] | None, now: float) -> None:
        """Drop view and rows if nobody has asked for them for `keep_s` seconds."""
        if now - self._used_at < self.pace.keep_s:
            return
        # The stamp tells later whether the journal has grown, without opening it again.
        self._handle = None
        self._journal_stamp = stamp
        self._rows.clear()

    def _add_rows(self, news: News) -> None:
        """Add the rows that changed, for the pages that have the scan open."""
        handle = self._handle or self.handle()
        if handle.view.rev != self._sent_rev:
            made = list(self.messages(self._sent_rev))
            self._sent_rev = made[-1].rev
            news.updates[self.scan.id] = made

    def _add_head(self, now: float, news: News) -> None:
        """Add the head for all pages, if it is news and the last one was sent long enough ago."""
        head = self._head
        if head is None or now - self._sent_head_at < self.pace.head_s:
            return
        if not self._is_news(head, now):
            return
        self._sent_head = head
        self._sent_head_at = now
        news.heads[self.scan.id] = b'{"type":"scan","scan":%s}' % dumps(self.head())
        # A page that has the scan open is sent no heads, so it gets an upsert without rows.
        if self.openers and self.scan.id not in news.updates:
            rev = self._sent_rev
            empty = Message(rev, rev, self._message("upsert", rev, rev, b""))
            news.updates[self.scan.id] = [empty]

    def _is_news(self, head: wire.ScanInfo, now: float) -> bool:
        """Return whether more than the passing time has changed since the last head was sent."""
        sent = self._sent_head
        if sent is head:
            return False
        # These two change all the time without any event.
        without_times = {"now": 0.0, "left_s": None}
        if sent is None or {**sent, **without_times} != {**head, **without_times}:
            return True
        return sent["left_s"] != head["left_s"] and now - self._sent_head_at >= ESTIMATE_EVERY_S


def dumps(value: Any) -> bytes:
    """Return `value` as strict JSON, without NaN or infinities.

    It is called for one row or head at a time: while JSON is made, no other thread of Python runs,
    so one large object would hold up the whole server.
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def list_parts(heads: Sequence[wire.ScanInfo], left_out: Sequence[LeftOutScan]) -> bytes:
    """Return the keys of a ScanList as JSON, without the braces around them."""
    # One head at a time is made into JSON, see dumps.
    return b'"scans":[%s],"left_out":%s' % (b",".join(map(dumps, heads)), dumps(left_out))


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return size and time of change of a file, or None if there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
