"""The collector: one loop that looks at the scans in a thread of its own and tells the pages what is new."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from logging import Logger
from typing import ParamSpec, Protocol, TypeVar

from jupyter_gridgpu.server.scans import WatchedScans
from jupyter_gridgpu.server.watched_scan import News, Pace

BROKEN_S = 1.0

P = ParamSpec("P")
T = TypeVar("T")


class Page(Protocol):
    """Who is told."""

    def take(self, news: News) -> None:
        """Note what is new; called in the event loop, never waits."""
        ...


class Watcher:
    """All file work is done in threads: what follows the scans in one, long reading of what a job left in another.

    Engines are asked in a third.
    """

    def __init__(self, pace: Pace, log: Logger) -> None:
        self.scans = WatchedScans(pace, log)
        self.pages: dict[Page, Callable[[], None]] = {}  # each with the way to end it
        self._pace = pace
        self._log = log
        self._follower = ThreadPoolExecutor(1, thread_name_prefix="gridgpu-follow")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="gridgpu-read")
        self._asker = ThreadPoolExecutor(1, thread_name_prefix="gridgpu-ask")
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def start(self) -> None:
        """Begin to follow the scans; there must be a running event loop."""
        self._task = self._task or asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        for end in list(self.pages.values()):
            end()
        if self._task is not None:
            self._task.cancel()
        self._follower.shutdown(wait=False, cancel_futures=True)
        self._reader.shutdown(wait=False, cancel_futures=True)
        self._asker.shutdown(wait=False, cancel_futures=True)

    async def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do something with the scans, in their thread."""
        return await asyncio.get_running_loop().run_in_executor(
            self._follower, lambda: work(*args, **kwargs)
        )

    async def read(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Read something long that no scan waits for."""
        return await asyncio.get_running_loop().run_in_executor(
            self._reader, lambda: work(*args, **kwargs)
        )

    async def ask(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask an engine, which may take its time."""
        return await asyncio.get_running_loop().run_in_executor(
            self._asker, lambda: work(*args, **kwargs)
        )

    def leave(self, page: Page) -> None:
        """A page has gone."""
        self.pages.pop(page, None)
        with suppress(RuntimeError):  # the collector has ended
            self._follower.submit(self.scans.forget, page)

    def hurry(self) -> None:
        """Look at what is due now: something was asked for."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                news, pause = await self.call(self.scans.sweep)
                for page in list(self.pages):
                    page.take(news)
            except Exception:
                self._log.exception("The scans could not be looked at")
                pause = BROKEN_S
            await self._rest(pause)

    async def _rest(self, pause: float) -> None:
        """Wait for the next sweep: not shorter than needed to leave the thread to others, and not if somebody hurries."""
        await asyncio.sleep(min(pause, self._pace.poll_s / 2))
        if pause > self._pace.poll_s / 2:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause - self._pace.poll_s / 2)
