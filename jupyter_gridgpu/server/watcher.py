"""The watcher: it follows the journals of all scans and tells the pages what has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from logging import Logger
from typing import ParamSpec, Protocol, TypeVar

from jupyter_gridgpu.server.scans import WatchedScans
from jupyter_gridgpu.server.watched_scan import News, Pace

BROKEN_S = 1.0  # seconds from a sweep that failed to the next one

P = ParamSpec("P")
T = TypeVar("T")


class Page(Protocol):
    """A browser page that is told what changes."""

    def take(self, news: News) -> None:
        """Keep what is new for sending. Called in the event loop, so it must not wait."""
        ...


class Watcher:
    """Sweeps over the scans again and again, and runs all work on files outside the event loop.

    There are four threads, so that slow work of one kind does not delay work of another kind. Only
    the scan thread touches the WatchedScans. The file thread reads the files of jobs, which may be
    long. The curve thread reads their metrics, which may be millions of lines. The query thread
    asks batch systems, which may answer slowly.
    """

    def __init__(self, pace: Pace, log: Logger) -> None:
        """`pace` says how often scans are looked at; `log` is the server's."""
        self.scans = WatchedScans(pace, log)
        self._pace = pace
        self._log = log
        self._pages: dict[Page, Callable[[], None]] = {}  # each page with the function to close it
        self._scan_thread = ThreadPoolExecutor(1, thread_name_prefix="gridgpu-follow")
        self._file_thread = ThreadPoolExecutor(1, thread_name_prefix="gridgpu-read")
        self._curve_thread = ThreadPoolExecutor(1, thread_name_prefix="gridgpu-curves")
        self._query_thread = ThreadPoolExecutor(1, thread_name_prefix="gridgpu-ask")
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    def start(self) -> None:
        """Begin to sweep. The event loop must be running."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Close the pages and end the threads without waiting for them."""
        for close in list(self._pages.values()):
            close()
        if self._task is not None:
            self._task.cancel()
        threads = (self._scan_thread, self._file_thread, self._curve_thread, self._query_thread)
        for thread in threads:
            thread.shutdown(wait=False, cancel_futures=True)

    async def in_scan_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work`, which touches the watched scans, in the scan thread. Return its result."""
        return await _run_in(self._scan_thread, lambda: work(*args, **kwargs))

    async def in_file_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work`, which reads a long file, in the file thread. Return its result."""
        return await _run_in(self._file_thread, lambda: work(*args, **kwargs))

    async def in_curve_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work`, which reads the metrics of a job, in the curve thread. Return its result."""
        return await _run_in(self._curve_thread, lambda: work(*args, **kwargs))

    async def in_query_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work`, which may ask a batch system, in the query thread. Return its result."""
        return await _run_in(self._query_thread, lambda: work(*args, **kwargs))

    def add_page(self, page: Page, close: Callable[[], None]) -> None:
        """Give news to a page from now on. `close` is called when the server ends."""
        self._pages[page] = close

    def remove_page(self, page: Page) -> None:
        """Forget a page that has gone, and close the scans it had opened."""
        self._pages.pop(page, None)
        with suppress(RuntimeError):  # the server is ending, and its threads take no more work
            self._scan_thread.submit(self.scans.forget, page)

    def sweep_soon(self) -> None:
        """Begin the next sweep without delay, because the user has just asked for something."""
        self._wake.set()

    async def _run(self) -> None:
        while True:
            # Cleared before the sweep: a wish that comes during the sweep causes another sweep.
            self._wake.clear()
            try:
                news, pause_s = await self.in_scan_thread(self.scans.sweep)
                for page in list(self._pages):
                    page.take(news)
            except Exception:
                self._log.exception("The scans could not be looked at")
                pause_s = BROKEN_S
            await self._rest(pause_s)

    async def _rest(self, pause_s: float) -> None:
        """Wait `pause_s` seconds, or less if somebody calls `sweep_soon()`."""
        # The first part of the pause cannot be cut short: otherwise a page that sends commands
        # without end would keep the scan thread busy and starve the requests of others.
        unbroken_s = self._pace.poll_s / 2
        await asyncio.sleep(min(pause_s, unbroken_s))
        if pause_s > unbroken_s:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause_s - unbroken_s)


async def _run_in(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, work)
