"""What a collector takes on one core: readings a second in batches of 100, and how long a job waits for its answer.

    python benchmarks/collector_load.py --seconds 10

The collector is a process of its own, bound to one core; the jobs are connections of another process, which sends the next
batch of each as soon as the last one is answered (--rate 0: as fast as it goes) or at a steady rate.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from jupyter_gridgpu.channels.push import Account
from jupyter_gridgpu.collector.members import InvitedMembers
from jupyter_gridgpu.transport.signing import ANNOUNCE, WRITE, Claim, signed

BATCH = 100


class Job:
    """One connection, which is kept open as a reverse proxy in front of a collector keeps it."""

    def __init__(self, port: int, account: Account, scan: str, number: int) -> None:
        self.port, self.scan, self.user = port, scan, account.user
        self.key = bytes.fromhex(account.sender(scan)["key"])
        self.name, self.offset, self.refused, self.waits = f"v{number:04d}.1", 0, 0, list[float]()

    async def run(self, until: float, pause: float) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        await asyncio.sleep(pause * (int(self.name[1:5]) % 97) / 97)
        while time.perf_counter() < until:
            began = time.perf_counter()
            writer.write(self.request())
            status = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
            size = next(
                int(line.split(b":")[1])
                for line in status
                if line.lower().startswith(b"content-length")
            )
            body = json.loads(await reader.readexactly(size))
            if b" 429 " in status[0]:  # more than one job or scan is granted
                self.refused += 1
                await asyncio.sleep(0.2)
                continue
            assert b" 200 " in status[0], status
            self.offset = body["next"]
            self.waits.append(time.perf_counter() - began)
            await asyncio.sleep(max(pause - (time.perf_counter() - began), 0.0))
        writer.close()

    def request(self) -> bytes:
        step = len(self.waits) * BATCH
        line = '{"t":%.3f,"s":%d,"of":1000000,"m":{"loss":%.6f,"val_loss":%.6f,"acc":%.6f}}\n'
        now = time.time()
        body = "".join(
            line % (now, step + i, 1 / (step + i + 1), 2 / (step + i + 1), 0.5)
            for i in range(BATCH)
        ).encode()
        head = signed(
            self.key,
            self.scan,
            Claim(WRITE, self.user, self.name, "ab12", self.offset, 0.1).text(),
            body,
        )
        words = "".join(f"{name}: {value}\r\n" for name, value in head.items())
        start = f"POST /gridgpu/collect/{self.scan} HTTP/1.1\r\nHost: x\r\n{words}Content-Length: {len(body)}\r\n\r\n"
        return start.encode() + body


async def load(jobs: list[Job], seconds: float, rate: float) -> None:
    pause = len(jobs) * BATCH / rate if rate else 0.0
    until = time.perf_counter() + seconds
    await asyncio.gather(*(job.run(until, pause) for job in jobs))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--scans", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=20, help="of each scan")
    parser.add_argument(
        "--rate",
        type=float,
        default=25_000,
        help="readings a second that are sent; 0: as many as go",
    )
    given = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder)
        command = [
            sys.executable,
            "-m",
            "jupyter_gridgpu.cli",
            "collector",
            "--store",
            folder,
            "--port",
            "0",
        ]
        server = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores[:1]),
        )
        try:
            assert server.stdout is not None
            url = server.stdout.readline().split()[-1]
            os.sched_setaffinity(0, cores[1:] or cores)
            measure(given, store, url, server.pid)
        finally:
            server.terminate()
            server.wait(20)


def measure(given: argparse.Namespace, store: Path, url: str, pid: int) -> None:
    secret = InvitedMembers(store).secret("bench")
    account = Account({"url": url, "user": "bench", "secret": (secret or b"").hex()})
    port = int(url.rstrip("/").rsplit(":", 1)[1])
    jobs = [
        Job(port, account, f"scan-{scan}", job + 1)
        for scan in range(given.scans)
        for job in range(given.jobs)
    ]
    for scan in {job.scan for job in jobs}:
        account.ask(scan, ANNOUNCE, " ".join(job.name for job in jobs if job.scan == scan).encode())
    before, began = _cpu(pid), time.perf_counter()
    asyncio.run(load(jobs, given.seconds, given.rate))
    wall, spent = time.perf_counter() - began, _cpu(pid) - before
    waits = sorted(wait for job in jobs for wait in job.waits)
    readings = len(waits) * BATCH
    print(
        f"{len(jobs)} jobs of {given.scans} scans, {readings / wall:,.0f} readings/s in batches of {BATCH}:"
        f" {100 * spent / wall:.0f} % of a core, {readings / spent:,.0f} readings a second of it;"
        f" {sum(job.refused for job in jobs)} were told to slow down;"
        f" a job waits {1000 * statistics.median(waits):.1f} ms, 99 % less than {1000 * waits[int(0.99 * len(waits))]:.0f} ms"
    )


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
