"""How much processor time the server extension takes, and how long it delays the event loop.

    python benchmarks/server_load.py --pages 5

First there is one scan of 100 jobs that report every second, watched by some pages. Then there is a
home of 50 scans with 10,000 jobs in all; 20 pages open all scans. This process writes the journals
and holds the leases, so that the server starts no runner.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
from tornado.websocket import WebSocketClientConnection, websocket_connect

from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.lease import Lease
from jupyter_gridgpu.testing.examples import Story, small_scan

TOKEN = "bench"
METRICS = ("loss", "acc", "val_loss")
STEPS_BEFORE = 48  # reports of each job before the measurement begins
TICK_S = 0.02  # between two looks at the delay of the event loop


class WrittenScan:
    """A scan whose journal this process writes."""

    def __init__(self, name: str, jobs: int) -> None:
        self.id = f"id-{name}"
        self.jobs = jobs
        spec = replace(small_scan(), name=name, id=self.id, created=time.time())
        self._folder = home.create(spec, b"{}", {}, lambda target: None, None)
        self._story = Story()
        self._step = 0
        self._story.tell("runner.started")
        for number in range(1, jobs + 1):
            self._story.run(number, None, lr=number / 1000)
        for _ in range(STEPS_BEFORE):
            self.report(range(1, jobs + 1))
        # Without an owner of the lease, the server would start a runner.
        self.lease = Lease(self._folder / "runner.lock")
        self.flush()

    def report(self, numbers: Iterable[int]) -> None:
        """Add a report of each of these jobs, which are counted from 1."""
        self._step += 1
        for number in numbers:
            new = [1 / (self._step + number)]
            values = {name: [self._step, 0.1, 0.9, new] for name in METRICS}
            key = f"v{number:04d}.1"
            self._story.tell("job.reported", key=key, step=self._step, steps=500, metrics=values)

    def flush(self) -> None:
        """Write the events that were added into the journal."""
        with (self._folder / "journal.jsonl").open("ab") as file:
            file.write(self._story.text())
        self._story.events.clear()


def serve(folder: Path, port: int, done: Any, longest_delay: Any) -> None:
    """Run a Jupyter server until the event `done` is set.

    `longest_delay` is a shared number: the longest delay of the event loop in seconds. A negative
    number in it asks to begin anew.
    """
    from jupyter_server.serverapp import ServerApp

    for name in ("CONFIG", "RUNTIME", "DATA"):
        os.environ[f"JUPYTER_{name}_DIR"] = str(folder / name.lower())
    app = ServerApp()
    words = [
        f"--port={port}",
        "--no-browser",
        "--allow-root",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={folder}",
        "--ServerApp.jpserver_extensions=jupyter_gridgpu.server=True",
        "--log-level=ERROR",
    ]
    app.initialize(words, new_httpserver=True)

    async def watch() -> None:
        longest = 0.0
        while not done.is_set():
            began = time.perf_counter()
            await asyncio.sleep(TICK_S)
            longest = max(longest, time.perf_counter() - began - TICK_S)
            with longest_delay.get_lock():
                if longest_delay.value < 0:
                    longest = 0.0
                longest_delay.value = longest
        app.stop()

    app.io_loop.add_callback(watch)
    app.start()


class Server:
    """A Jupyter server in a process of its own."""

    def __init__(self, folder: Path) -> None:
        """Start the server and wait until it takes connections."""
        self.port = _free_port()
        # A forked process would have the sockets of this one.
        spawning = multiprocessing.get_context("spawn")
        self._done = spawning.Event()
        self._longest_delay = spawning.Value("d", 0.0)
        arguments = (folder, self.port, self._done, self._longest_delay)
        self._process = spawning.Process(target=serve, args=arguments)
        self._process.start()
        while not _answers(self.port):
            time.sleep(0.1)

    def begin(self) -> None:
        """Measure the delay of the event loop from now on."""
        with self._longest_delay.get_lock():
            self._longest_delay.value = -1.0

    def delay_ms(self) -> float:
        """Return the longest delay of the event loop since `begin`, in milliseconds."""
        return 1000 * float(self._longest_delay.value)

    def spent_s(self) -> float:
        """Return the processor seconds that the server has taken."""
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def end(self) -> None:
        """End the server."""
        self._done.set()
        self._process.join(20)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.2).close()
    except OSError:
        return False
    return True


class Pages:
    """Clients that open scans and count what they receive."""

    def __init__(self, port: int) -> None:
        self.messages = 0
        self.size = 0  # characters of all messages
        self.rows: set[tuple[str, str]] = set()  # scan and variant, as the first page knows them
        self._url = f"ws://127.0.0.1:{port}/gridgpu/api/events?token={TOKEN}"
        self._connections: list[WebSocketClientConnection] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def connect(self, count: int, scans: list[str]) -> None:
        """Connect `count` pages. Each opens all of these scans."""
        for number in range(count):
            connection = await websocket_connect(self._url, max_message_size=2**30)
            self._connections.append(connection)
            for scan in scans:
                await connection.write_message(json.dumps({"type": "open", "scan": scan}))
            # The loop refers to tasks only weakly, and Python would collect this one.
            task = asyncio.get_running_loop().create_task(self._listen(number, connection))
            self._tasks.add(task)

    async def _listen(self, number: int, connection: WebSocketClientConnection) -> None:
        while (text := await connection.read_message()) is not None:
            self.messages += 1
            self.size += len(text)
            # Reading JSON takes processor time, which the server needs. So only one page reads.
            if number == 0:
                body = json.loads(text)
                for row in body.get("rows", []):
                    self.rows.add((body["scan"]["id"], row["id"]))

    def close(self) -> None:
        """Disconnect all pages."""
        for connection in self._connections:
            connection.close()


async def measure_reports(folder: Path, pages: int, seconds: float) -> None:
    """Measure the server while 100 jobs report every second, first without a page."""
    scan = WrittenScan("reporting", 100)
    server = Server(folder)
    try:
        for count in (0, pages):
            clients = Pages(server.port)
            await clients.connect(count, [scan.id])
            # The pages load all rows first, which is not to be measured here.
            await asyncio.sleep(4)
            server.begin()
            before_s = server.spent_s()
            before = clients.messages
            began = time.monotonic()
            await _report_for(scan, seconds)
            wall_s = time.monotonic() - began
            share = (server.spent_s() - before_s) / wall_s
            rate = (clients.messages - before) / wall_s / max(count, 1)
            print(
                f"100 jobs reporting every second, {count} pages: {100 * share:.1f} % of a core,"
                f" longest delay of the event loop {server.delay_ms():.0f} ms,"
                f" {rate:.1f} messages/s a page",
                flush=True,
            )
            clients.close()
    finally:
        server.end()
        scan.lease.release()


async def _report_for(scan: WrittenScan, seconds: float) -> None:
    """Let each job of a scan report once a second, for some seconds."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        # Jobs do not report at one and the same moment.
        for tenth in range(10):
            scan.report(range(1 + tenth, scan.jobs + 1, 10))
            scan.flush()
            await asyncio.sleep(0.1)


async def measure_many(folder: Path, scans: int, jobs: int, pages: int) -> None:
    """Measure the server while one page, and then all others, open all scans of a large home."""
    made = [WrittenScan(f"many-{number:03d}", jobs // scans) for number in range(scans)]
    ids = [scan.id for scan in made]
    began = time.monotonic()
    server = Server(folder)
    first = Pages(server.port)
    others = Pages(server.port)
    try:
        await first.connect(1, ids)
        while len(first.rows) < jobs:
            await asyncio.sleep(0.05)
        print(
            f"{scans} scans, {jobs:,} jobs: all rows at the first page"
            f" {time.monotonic() - began:.1f} s after the start,"
            f" {server.spent_s():.1f} s of a core",
            flush=True,
        )
        server.begin()
        began = time.monotonic()
        size = first.size
        before_s = server.spent_s()
        # All other pages open everything at the same moment, as after a restart of the server.
        await others.connect(pages - 1, ids)
        for step in range(10):
            for scan in made:
                scan.report(range(1 + step, scan.jobs + 1, 50))
                scan.flush()
            await asyncio.sleep(1)
        share = (server.spent_s() - before_s) / (time.monotonic() - began)
        print(
            f"{pages} pages with everything open: {100 * share:.0f} % of a core while they load,"
            f" longest delay of the event loop {server.delay_ms():.0f} ms,"
            f" {(first.size + others.size - size) / 2**20:.0f} MB sent",
            flush=True,
        )
    finally:
        others.close()
        first.close()
        server.end()
        for scan in made:
            scan.lease.release()


def _new_home(folder: str) -> Path:
    """Make the home of scans in a folder, and return the folder."""
    os.environ["GRIDGPU_HOME"] = f"{folder}/scans"
    Path(folder, "scans").mkdir()
    return Path(folder)


def main() -> None:
    """Run both measurements, each with a home of its own."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure_reports(_new_home(folder), given.pages, given.seconds))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure_many(_new_home(folder), 50, 10_000, 20))


if __name__ == "__main__":
    main()
