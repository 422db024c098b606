"""The messages that one page is sent.

A page on a slow connection gets fewer messages with more changes in each; it misses no change.
"""

from __future__ import annotations

from asyncio import Event
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple, TypeVar

from jupyter_gridgpu.errors import GridGpuError, UnknownScan
from jupyter_gridgpu.server.messages import LeftOutScan
from jupyter_gridgpu.server.watched_scan import Message, News, WatchedScan, dumps, list_parts
from jupyter_gridgpu.server.watcher import Watcher
from jupyter_gridgpu.store.json_decoder import parse_json

OPEN_LIMIT = 100  # the most scans that one page may have open

T = TypeVar("T")


class Wish(NamedTuple):
    """What a page wants of one scan: to open it from revision `since` on, or to close it."""

    opens: bool
    since: int | None


class Stream:
    """Sends a page the heads of all scans, and every row of the scans that the page has opened.

    Only one message is under way at a time. Meanwhile the news of each scan is kept, and newer news
    replaces older news. So a page that reads slowly needs a bounded amount of memory.
    """

    def __init__(self, watcher: Watcher, send: Callable[[bytes], Awaitable[None]]) -> None:
        """`send` must return only when the connection has accepted the message."""
        self._watcher = watcher
        self._send = send
        self._wake = Event()
        self._revs: dict[str, int] = {}  # by opened scan: the revision that the page has
        # By scan: what the page has asked for, and what is still to be sent to it.
        self._wishes: dict[str, Wish] = {}
        self._heads: dict[str, bytes] = {}
        self._gone: dict[str, None] = {}
        self._left_out: list[LeftOutScan] | None = None
        self._updates: dict[str, list[Message]] = {}

    def receive(self, message: str | bytes) -> None:
        """Keep what a message of the page asks for. A message that makes no sense is dropped."""
        try:
            body = parse_json(message)
            kind = body["type"]
            scan = body["scan"]
            since = body.get("since")
        except (ValueError, KeyError, TypeError, AttributeError):
            return
        if kind not in ("open", "close") or not isinstance(scan, str):
            return
        if len(self._wishes) >= OPEN_LIMIT:
            return
        if type(since) is not int:  # True is an int for isinstance, and is no revision
            since = None
        # Of several wishes about one scan the last one counts. It comes after all other wishes.
        self._wishes.pop(scan, None)
        self._wishes[scan] = Wish(kind == "open", since)
        self._wake.set()

    def take(self, news: News) -> None:
        """Keep the newest news about each scan until it can be sent."""
        # Removed scans come first: one sweep may find a scan removed and put back again.
        for scan in news.gone:
            self._heads.pop(scan, None)
            self._gone[scan] = None
        self._heads.update(news.heads)
        for scan, messages in news.updates.items():
            if scan in self._revs:
                self._updates[scan] = messages
        if news.left_out is not None:
            self._left_out = news.left_out
        if self._heads or self._updates or self._gone or self._left_out is not None:
            self._wake.set()

    async def run(self) -> None:
        """Send the list of all scans, then whatever is new, until the connection ends."""
        heads, left_out = await self._watcher.in_scan_thread(self._watcher.scans.listed)
        await self._send(b'{"type":"scans",%s}' % list_parts(heads, left_out))
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._send_pending()

    async def _send_pending(self) -> None:
        left_out, self._left_out = self._left_out, None
        if left_out is not None:
            await self._send(dumps({"type": "left_out", "left_out": left_out}))
        for scan in _take_all(self._gone):
            self._revs.pop(scan, None)
            await self._send(dumps({"type": "gone", "scan": scan}))
        for scan, wish in _take_all(self._wishes).items():
            if wish.opens:
                await self._open(scan, wish.since)
            else:
                await self._close(scan)
        for scan, head in _take_all(self._heads).items():
            if scan not in self._revs:  # of an opened scan, every update contains the head
                await self._send(head)
        for scan, messages in _take_all(self._updates).items():
            await self._update(scan, messages)

    async def _find(self, scan: str) -> WatchedScan:
        return await self._watcher.in_scan_thread(self._watcher.scans.find, scan)

    async def _open(self, scan: str, since: int | None) -> None:
        try:
            if len(self._revs) >= OPEN_LIMIT:
                raise UnknownScan("This page has too many scans open.")
            watched = await self._find(scan)
            await self._watcher.in_scan_thread(watched.open, self)
        except GridGpuError:
            await self._send(dumps({"type": "missing", "scan": scan}))
            return
        rev = -1  # lower than any revision: the page has nothing
        if since is not None:
            rev = since
        self._revs[watched.scan.id] = rev
        self._watcher.sweep_soon()
        await self._catch_up(watched, since)

    async def _close(self, scan: str) -> None:
        with suppress(GridGpuError):  # a scan that was removed is closed already
            watched = await self._find(scan)
            if self._revs.pop(watched.scan.id, None) is not None:
                await self._watcher.in_scan_thread(watched.close, self)

    async def _update(self, scan: str, messages: list[Message]) -> None:
        """Bring the page to the revision that the last sweep reached."""
        have = self._revs.get(scan)
        since = messages[0].since
        rev = messages[-1].rev
        # The page has closed the scan, or was sent these rows and more when it opened the scan.
        if have is None or (have > since and have >= rev):
            return
        if have == since:
            # The usual case. All pages with this revision are sent the same bytes.
            for message in messages:
                await self._send(message.text)
            self._revs[scan] = rev
        else:
            # This page missed an update while a message was under way.
            with suppress(GridGpuError):  # the scan was just removed
                await self._catch_up(await self._find(scan), have)

    async def _catch_up(self, watched: WatchedScan, since: int | None) -> None:
        """Send the rows that changed after revision `since`, which the page has."""
        messages = watched.messages(since)
        # Each message is made when the one before was accepted, so that only one is in memory.
        while message := await self._watcher.in_scan_thread(next, messages, None):
            await self._send(message.text)
            self._revs[watched.scan.id] = message.rev


def _take_all(items: dict[str, T]) -> dict[str, T]:
    """Return a copy of a dict and empty the dict, which may be filled again while news is sent."""
    found = dict(items)
    items.clear()
    return found
