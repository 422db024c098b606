"""What one page is told, one message after another. A slow page hears less often what has changed, not less of it."""

from __future__ import annotations

import json
from asyncio import Event
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

from jupyter_gridgpu.errors import GridGpuError, UnknownScan
from jupyter_gridgpu.server.watched_scan import Message, News, WatchedScan, dumps
from jupyter_gridgpu.server.watcher import Watcher

OPEN_LIMIT = 100  # scans of one page

T = TypeVar("T")


class Stream:
    """Tells a page of all scans, and of those it opened every row. One message is under way at a time."""

    def __init__(self, collector: Watcher, send: Callable[[bytes], Awaitable[None]]) -> None:
        """`send` returns when the connection took the message, which is what bounds the memory of a slow page."""
        self._collector = collector
        self._send = send
        self._wake = Event()
        self._asked: dict[
            str, tuple[bool, int | None]
        ] = {}  # scan: to open it or not, from which revision
        self._links: dict[str, int] = {}  # the opened scans, and the revision that the page has
        self._heads: dict[str, bytes] = {}
        self._gone: dict[str, None] = {}
        self._updates: dict[str, list[Message]] = {}

    def hear(self, message: str | bytes) -> None:
        """Note what the page asks for; what is not sound is dropped."""
        try:
            body = json.loads(message)
            kind, scan, since = body["type"], body["scan"], body.get("since")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return
        if (
            kind not in ("open", "close")
            or not isinstance(scan, str)
            or len(self._asked) >= OPEN_LIMIT
        ):
            return
        self._asked.pop(scan, None)  # the last word counts
        self._asked[scan] = (kind == "open", since if type(since) is int else None)
        self._wake.set()

    def take(self, news: News) -> None:
        """Note what there is to say: of each scan only the newest."""
        for scan in news.gone:  # first: a folder that was put back is new in the same sweep
            self._heads.pop(scan, None)
            self._gone[scan] = None
        self._heads.update(news.heads)
        self._updates.update(
            {scan: made for scan, made in news.updates.items() if scan in self._links}
        )
        if self._heads or self._updates or self._gone:
            self._wake.set()

    async def run(self) -> None:
        """Say all scans, then what is new, until the connection ends."""
        heads = await self._collector.call(self._collector.scans.heads)
        await self._send(b'{"type":"scans","scans":[%s]}' % b",".join(map(dumps, heads)))
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._say_all()

    async def _say_all(self) -> None:
        for scan in _taken(self._gone):
            self._links.pop(scan, None)
            await self._send(dumps({"type": "gone", "scan": scan}))
        for scan, (opens, since) in _taken(self._asked).items():
            await (self._open(scan, since) if opens else self._close(scan))
        for scan, head in _taken(self._heads).items():
            if scan not in self._links:
                await self._send(head)
        for scan, messages in _taken(self._updates).items():
            await self._update(scan, messages)

    async def _find(self, scan: str) -> WatchedScan:
        return await self._collector.call(self._collector.scans.find, scan)

    async def _open(self, scan: str, since: int | None) -> None:
        try:
            if len(self._links) >= OPEN_LIMIT:
                raise UnknownScan("This page has too many scans open.")
            watched = await self._find(scan)
            await self._collector.call(watched.open, self)
        except GridGpuError:
            await self._send(dumps({"type": "missing", "scan": scan}))
            return
        self._links[watched.scan.id] = -1 if since is None else since
        self._collector.hurry()
        await self._catch_up(watched, since)

    async def _close(self, scan: str) -> None:
        with suppress(GridGpuError):
            watched = await self._find(scan)
            if self._links.pop(watched.scan.id, None) is not None:
                await self._collector.call(watched.close, self)

    async def _update(self, scan: str, messages: list[Message]) -> None:
        """Send what the last sweep made for everybody; to a page that missed one before, what that one needs."""
        have, since, rev = self._links.get(scan), messages[0].since, messages[-1].rev
        if have is None or (have > since and have >= rev):
            return
        if have == since:
            for message in messages:
                await self._send(message.text)
            self._links[scan] = rev
        else:
            with suppress(GridGpuError):  # it was just removed
                await self._catch_up(await self._find(scan), have)

    async def _catch_up(self, watched: WatchedScan, since: int | None) -> None:
        messages = watched.messages(since)
        while message := await self._collector.call(next, messages, None):
            await self._send(message.text)
            self._links[watched.scan.id] = message.rev


def _taken(items: dict[str, T]) -> dict[str, T]:
    """Return what is in a dict and leave it empty."""
    found = dict(items)
    items.clear()
    return found
