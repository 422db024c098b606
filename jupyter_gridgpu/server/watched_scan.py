"""One scan as the server keeps it. Only the collector's thread touches this."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.server.respawn import Respawner

CHUNK = 1000  # rows of one message
SHARE = 20  # a scan is looked at for at most one part in so many of the time
STATE_EVERY_S = 1.0  # whether its runner lives
LEFT_EVERY_S = 5.0  # how often an estimate that drifts is news


class Pace(NamedTuple):
    """Seconds: between looks at an opened scan, at another, at the home; rows are kept; before a respawn."""

    poll_s: float = 0.1
    head_s: float = 0.5
    home_s: float = 1.0
    keep_s: float = 60.0
    respawn_s: float = 5.0


class Message(NamedTuple):
    """A message for a page that has revision `since`, and the revision it has with it."""

    since: int
    rev: int
    text: bytes


@dataclass
class News:
    """What a sweep found, as messages by scan."""

    heads: dict[str, bytes] = field(default_factory=dict)
    gone: list[str] = field(default_factory=list)
    updates: dict[str, list[Message]] = field(default_factory=dict)


class WatchedScan:
    """Rows are kept while the scan runs or somebody looks at it; of any other there is only the head."""

    def __init__(self, folder: Path, pace: Pace) -> None:
        """Raises UnknownScan or StorageError for what is no scan folder."""
        self.folder = folder
        self.pace = pace
        self._handle: ScanHandle | None = ScanHandle(folder)
        self.scan = self._handle.scan
        self.nurse = Respawner(pace.respawn_s)
        self.openers: set[object] = set()
        self.due = 0.0
        self.complaint = ""  # what was logged of it
        self._head: wire.ScanInfo | None = None
        self._head_rev = self._told = -1
        self._said: wire.ScanInfo | None = None  # the head that pages have
        self._said_at = self._state_due = self._left_due = self._used = -1e9
        self._note: str | None = None  # why its runner is not started again, as the head has it
        self._stamp: tuple[int, int] | None = None
        self._rows: dict[str, tuple[int, bytes]] = {}

    # asked by pages -------------------------------------------------------------------

    def handle(self) -> ScanHandle:
        """The scan with its rows, as they are now."""
        self._used = time.monotonic()
        if self._handle is None:
            self._handle = ScanHandle(self.folder)
        self._handle.refresh()
        return self._handle

    def head(self) -> wire.ScanInfo:
        if self._head is None:
            self.look(time.monotonic())
        assert self._head is not None
        return {**self._head, "now": time.time()}

    def fresh_head(self) -> wire.ScanInfo:
        """The head as it is now, not as of the last sweep."""
        self.look(time.monotonic())
        return self.head()

    def command(self, action: str, variants: list[str] | None, trials: int | None) -> str:
        said = self.handle().command(action, variants, trials)
        self.nurse.reset()
        self.due = self._state_due = 0.0
        return said

    def open(self, opener: object) -> None:
        """Keep the rows ready for a page."""
        rev = self.handle().view.rev
        self.look(time.monotonic())  # rows and head of one moment
        if not self.openers:
            self._told = rev
        self.openers.add(opener)
        self.due = 0.0

    def close(self, opener: object) -> None:
        self.openers.discard(opener)
        if not self.openers:
            self._rows.clear()

    def messages(self, since: int | None) -> Iterator[Message]:
        """Yield what a page needs that has revision `since`, or nothing yet; made piece by piece.

        A page that is cut off in between still has its old revision, and gets the rest when it comes back.
        """
        handle = self._handle or self.handle()
        if handle.view.rev != self._head_rev:
            self.look(time.monotonic())
        with handle.lock:
            rev = handle.view.rev
            whole = since is None or not 0 <= since <= rev
            base = 0 if whole or since is None else since
            changed = handle.view.since(base)
        for at in range(0, max(len(changed), 1), CHUNK):
            kind, reached = (
                "snapshot" if whole and at == 0 else "upsert",
                rev if at + CHUNK >= len(changed) else base,
            )
            with handle.lock:
                rows = b",".join(self._row(handle, variant) for variant in changed[at : at + CHUNK])
            yield Message(base, reached, self._message(kind, base, reached, rows))

    def _row(self, handle: ScanHandle, variant: VariantView) -> bytes:
        """A row as JSON, made once for each of its revisions."""
        known = self._rows.get(variant.id)
        if known is None or known[0] != variant.rev:
            known = (variant.rev, dumps(wire.row(handle.view, variant)))
            if self.openers:
                self._rows[variant.id] = known
        return known[1]

    def _message(self, kind: str, since: int, rev: int, rows: bytes) -> bytes:
        head = dumps(self.head())
        start = b"" if kind == "snapshot" else b'"from":%d,' % since
        return b'{"type":"%s",%s"rev":%d,"scan":%s,"rows":[%s]}' % (
            kind.encode(),
            start,
            rev,
            head,
            rows,
        )

    # swept ------------------------------------------------------------------------------

    def sweep(self, news: News) -> None:
        """Look at the scan and add what is new; the more that costs, the longer until the next time."""
        began, spent = time.monotonic(), time.thread_time()
        self.look(began)
        if self.openers:
            self._tell_openers(news)
        self._tell_everybody(began, news)
        ended = time.monotonic()
        pause = (
            self.pace.poll_s
            if self.openers
            else self.pace.head_s
            if self._handle
            else self.pace.home_s
        )
        self.due = ended + max(pause, SHARE * (time.thread_time() - spent), ended - began)

    def look(self, now: float) -> None:
        """Fold in what the journal has gained, and renew the head if that changed it."""
        stamp = _stamp(self.folder / "journal.jsonl")
        if self._handle is None:
            if stamp == self._stamp:
                return
            self._handle = ScanHandle(self.folder)
        handle = self._handle
        if handle.refresh() or now >= self._state_due or handle.view.rev != self._head_rev:
            self._state_due = now + STATE_EVERY_S
            self._renew(handle, self.nurse.look(handle, handle.state), now)
        if handle.view.finished and self._head_state() in ("done", "stopped") and not self.openers:
            self._forget_rows(stamp, now)

    def _renew(self, handle: ScanHandle, state: str, now: float) -> None:
        """Make a new head, if the old one is not true any more."""
        old = self._head
        same = (
            old is not None
            and handle.view.rev == self._head_rev
            and (old["state"], self.nurse.note) == (state, self._note)
        )
        if same and (now < self._left_due or handle.view.finished):
            return
        with handle.lock:
            made, self._head_rev = wire.head(handle.view, state, time.time()), handle.view.rev
        self._note, self._left_due = self.nurse.note, now + LEFT_EVERY_S
        note = self._note or made["note"]
        self._head = {
            **made,
            "note": note,
            "folder": str(self.folder),
            "browse": None,
            "home": str(Path.home()),
        }

    def _head_state(self) -> str:
        return self._head["state"] if self._head else ""

    def _forget_rows(self, stamp: tuple[int, int] | None, now: float) -> None:
        if now - self._used >= self.pace.keep_s:
            self._handle, self._stamp = None, stamp
            self._rows.clear()

    def _tell_openers(self, news: News) -> None:
        handle = self._handle or self.handle()
        if handle.view.rev != self._told:
            made = list(self.messages(self._told))
            self._told = made[-1].rev
            news.updates[self.scan.id] = made

    def _tell_everybody(self, now: float, news: News) -> None:
        if (
            self._head is None
            or now - self._said_at < self.pace.head_s
            or not self._is_news(self._head, now)
        ):
            return
        self._said, self._said_at = self._head, now
        news.heads[self.scan.id] = b'{"type":"scan","scan":%s}' % dumps(self.head())
        if self.openers and self.scan.id not in news.updates:
            told = self._told
            news.updates[self.scan.id] = [
                Message(told, told, self._message("upsert", told, told, b""))
            ]

    def _is_news(self, head: wire.ScanInfo, now: float) -> bool:
        said = self._said
        if said is head:
            return False
        drifts = {"now": 0.0, "left_s": None}
        if said is None or {**said, **drifts} != {**head, **drifts}:
            return True
        return said["left_s"] != head["left_s"] and now - self._said_at >= LEFT_EVERY_S


def dumps(value: Any) -> bytes:
    """Strict JSON, for one row or head at a time: the interpreter does nothing else meanwhile."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns
