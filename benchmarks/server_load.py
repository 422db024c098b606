"""What the server extension costs: processor time, and how long its event loop is kept waiting.

    python benchmarks/server_load.py --pages 5

First, one scan of 100 jobs that report every second, watched by some pages. Then a home of 50 scans with 10,000 jobs in all,
of which 20 pages open everything. Journals are written by hand under a lease that is held.
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


class Written:
    """A scan whose journal this process writes."""

    def __init__(self, name: str, jobs: int) -> None:
        made = replace(small_scan(), name=name, id=f"id-{name}", created=time.time())
        self.folder = home.create(made, b"{}", {}, lambda target: None, None)
        self.story, self.jobs, self.step = Story(), jobs, 0
        self.story.tell("runner.started")
        for number in range(1, jobs + 1):
            self.story.run(number, None, lr=number / 1000)
        for _ in range(48):
            self.report(range(1, jobs + 1))
        self.lease = Lease(self.folder / "runner.lock")
        self.flush()

    def report(self, numbers: Any) -> None:
        self.step += 1
        for number in numbers:
            values = {name: [self.step, 0.1, 0.9, [1 / (self.step + number)]] for name in METRICS}
            self.story.tell(
                "job.reported", key=f"v{number:04d}.1", step=self.step, steps=500, metrics=values
            )

    def flush(self) -> None:
        with (self.folder / "journal.jsonl").open("ab") as file:
            file.write(self.story.text())
        self.story.events.clear()


def serve(folder: Path, port: int, done: Any, delays: Any) -> None:
    """Run a Jupyter server until `done` is set; send the delays of its event loop behind the moment it is asked to."""
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
    ]
    app.initialize(
        [
            *words,
            "--ServerApp.jpserver_extensions=jupyter_gridgpu.server=True",
            "--log-level=ERROR",
        ],
        new_httpserver=True,
    )

    async def watch() -> None:
        longest = 0.0
        while not done.is_set():
            began = time.perf_counter()
            await asyncio.sleep(0.02)
            longest = max(longest, time.perf_counter() - began - 0.02)
            with delays.get_lock():
                if delays.value < 0:  # begin anew
                    longest = 0.0
                delays.value = longest
        app.stop()

    app.io_loop.add_callback(watch)
    app.start()


class Pages:
    """Clients that open scans and count what they hear."""

    def __init__(self, port: int) -> None:
        self.url = f"ws://127.0.0.1:{port}/gridgpu/api/events?token={TOKEN}"
        self.connections: list[WebSocketClientConnection] = []
        self.heard, self.size, self.rows = 0, 0, set[tuple[int, str, str]]()

    async def connect(self, count: int, scans: list[str]) -> None:
        for number in range(count):
            connection = await websocket_connect(self.url, max_message_size=2**30)
            self.connections.append(connection)
            for scan in scans:
                await connection.write_message(json.dumps({"type": "open", "scan": scan}))
            asyncio.get_running_loop().create_task(self._listen(number, connection))

    async def _listen(self, number: int, connection: WebSocketClientConnection) -> None:
        while (text := await connection.read_message()) is not None:
            self.heard += 1
            self.size += len(text)
            if number == 0:  # one that understands is enough
                body = json.loads(text)
                self.rows.update(
                    (number, body["scan"]["id"], row["id"]) for row in body.get("rows", [])
                )

    def close(self) -> None:
        for connection in self.connections:
            connection.close()


class Serving:
    """The server under load."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        spawning = multiprocessing.get_context("spawn")
        self.done, self.delays = spawning.Event(), spawning.Value("d", 0.0)
        self.process = spawning.Process(
            target=serve, args=(folder, self.port, self.done, self.delays)
        )
        self.process.start()
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 0.2).close()
                break
            except OSError:
                time.sleep(0.1)

    def begin(self) -> None:
        with self.delays.get_lock():
            self.delays.value = -1.0

    def spent(self) -> float:
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def end(self) -> None:
        self.done.set()
        self.process.join(20)


async def reporting(folder: Path, pages: int, seconds: float) -> None:
    scan = Written("reporting", 100)
    server, clients = Serving(folder), None
    try:
        for count in (0, pages):
            clients = Pages(server.port)
            await clients.connect(count, ["id-reporting"])
            await asyncio.sleep(4)
            server.begin()
            before, began, heard = server.spent(), time.monotonic(), clients.heard
            while time.monotonic() - began < seconds:
                for tenth in range(10):  # jobs do not report at one and the same time
                    scan.report(range(1 + tenth, scan.jobs + 1, 10))
                    scan.flush()
                    await asyncio.sleep(0.1)
            wall = time.monotonic() - began
            share = (server.spent() - before) / wall
            print(
                f"100 jobs reporting every second, {count} pages: {100 * share:.1f} % of a core,"
                f" longest delay of the event loop {1000 * server.delays.value:.0f} ms,"
                f" {(clients.heard - heard) / wall / max(count, 1):.1f} messages/s a page",
                flush=True,
            )
            clients.close()
    finally:
        server.end()
        scan.lease.release()


async def many(folder: Path, scans: int, jobs: int, pages: int) -> None:
    made = [Written(f"many-{number:03d}", jobs // scans) for number in range(scans)]
    began = time.monotonic()
    server = Serving(folder)
    clients = Pages(server.port)
    try:
        await clients.connect(1, [f"id-{one.folder.name}" for one in made])
        while len(clients.rows) < jobs:
            await asyncio.sleep(0.05)
        print(
            f"{scans} scans, {jobs:,} jobs: all rows at the first page {time.monotonic() - began:.1f} s after the start,"
            f" {server.spent():.1f} s of a core",
            flush=True,
        )
        server.begin()
        began, size, spent = time.monotonic(), clients.size, server.spent()
        others = Pages(server.port)
        await others.connect(pages - 1, [f"id-{one.folder.name}" for one in made])
        for step in range(10):
            for one in made:
                one.report(range(1 + step, one.jobs + 1, 50))
                one.flush()
            await asyncio.sleep(1)
        wall = time.monotonic() - began
        print(
            f"{pages} pages with everything open: {100 * (server.spent() - spent) / wall:.0f} % of a core while they load,"
            f" longest delay of the event loop {1000 * server.delays.value:.0f} ms,"
            f" {(clients.size + others.size - size) / 2**20:.0f} MB sent",
            flush=True,
        )
        others.close()
    finally:
        clients.close()
        server.end()
        for one in made:
            one.lease.release()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(reporting(_homed(folder), given.pages, given.seconds))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(many(_homed(folder), 50, 10_000, 20))


def _homed(folder: str) -> Path:
    os.environ["GRIDGPU_HOME"] = f"{folder}/scans"
    Path(folder, "scans").mkdir()
    return Path(folder)


if __name__ == "__main__":
    main()
