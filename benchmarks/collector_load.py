"""How many readings a second a collector takes on one core, and how long a job waits for it.

    python benchmarks/collector_load.py --seconds 10

The collector is a process of its own, bound to one core. The jobs are connections of this process.
Each sends its next batch of readings when the last one was answered, at a steady rate or, with
`--rate 0`, as fast as it can.
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
from jupyter_gridgpu.transport.signing import ANNOUNCE, WRITE, Claim, signed_headers

BATCH = 100  # readings that a job sends in one request
SLOW_DOWN_S = 0.2  # seconds that a job waits after the collector refused a request
COPY = "ab12"  # the name of the one copy that each job has
LINE = '{"t":%.3f,"s":%d,"of":1000000,"m":{"loss":%.6f,"val_loss":%.6f,"acc":%.6f}}\n'
USER = "bench"


class Job:
    """One connection, which is kept open as a reverse proxy in front of a collector keeps it."""

    def __init__(self, port: int, account: Account, scan: str, number: int) -> None:
        """`number` counts the jobs of a scan from 1."""
        self.scan = scan
        self.number = number
        self.name = f"v{number:04d}.1"
        self.refused = 0  # requests that the collector refused for now
        self.waits: list[float] = []  # seconds that each batch took
        self._port = port
        self._user = account.user
        self._key = bytes.fromhex(account.sender(scan)["key"])
        self._offset = 0  # bytes of the job's metrics file that the collector has

    async def run(self, until: float, pause_s: float) -> None:
        """Send batches, one each `pause_s` seconds, until the performance counter is at `until`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        # Real jobs do not report at one and the same moment.
        await asyncio.sleep(pause_s * (self.number % 97) / 97)
        while time.perf_counter() < until:
            began = time.perf_counter()
            writer.write(self._request())
            status, body = await _answer(reader)
            if status == 429:  # the job or the scan sends too fast
                self.refused += 1
                await asyncio.sleep(SLOW_DOWN_S)
                continue
            assert status == 200, status
            self._offset = body["next"]
            took_s = time.perf_counter() - began
            self.waits.append(took_s)
            await asyncio.sleep(max(pause_s - took_s, 0.0))
        writer.close()

    def _request(self) -> bytes:
        """Return the HTTP request with the next batch."""
        now = time.time()
        first = len(self.waits) * BATCH
        lines = [
            LINE % (now, step, 1 / (step + 1), 2 / (step + 1), 0.5)
            for step in range(first, first + BATCH)
        ]
        body = "".join(lines).encode()
        claim = Claim(WRITE, self._user, self.name, COPY, self._offset, 0.1)
        headers = signed_headers(self._key, self.scan, claim.text(), body)
        head = [
            f"POST /gridgpu/collect/{self.scan} HTTP/1.1",
            "Host: x",
            *(f"{name}: {value}" for name, value in headers.items()),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(head) + "\r\n\r\n").encode() + body


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, int]]:
    """Read one HTTP answer; return its status and the JSON object in its body."""
    lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    size = 0
    for line in lines:
        if line.lower().startswith(b"content-length"):
            size = int(line.split(b":")[1])
    body = json.loads(await reader.readexactly(size))
    return int(lines[0].split()[1]), body


async def send_all(jobs: list[Job], seconds: float, rate: float) -> None:
    """Run all jobs for some seconds, together at `rate` readings a second (0: unlimited)."""
    pause_s = 0.0
    if rate:
        pause_s = len(jobs) * BATCH / rate
    until = time.perf_counter() + seconds
    await asyncio.gather(*(job.run(until, pause_s) for job in jobs))


def start_collector(store: Path, core: int) -> subprocess.Popen[str]:
    """Start a collector on one core, with its files in the folder `store`."""
    words = ["--store", str(store), "--port", "0"]
    # Port 0: the system chooses a free one, and the collector prints it.
    return subprocess.Popen(
        [sys.executable, "-m", "jupyter_gridgpu.cli", "collector", *words],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, [core]),
    )


def make_jobs(store: Path, url: str, scans: int, jobs_per_scan: int) -> list[Job]:
    """Invite a user, announce the jobs of all scans to the collector, and return them."""
    secret = InvitedMembers(store).secret(USER) or b""
    account = Account({"url": url, "user": USER, "secret": secret.hex()})
    port = int(url.rstrip("/").rsplit(":", 1)[1])
    jobs = []
    for scan in range(scans):
        of_scan = [Job(port, account, f"scan-{scan}", job + 1) for job in range(jobs_per_scan)]
        names = " ".join(job.name for job in of_scan)
        account.ask(f"scan-{scan}", ANNOUNCE, names.encode())
        jobs += of_scan
    return jobs


def measure(given: argparse.Namespace, store: Path, url: str, pid: int) -> None:
    """Load the collector at `url`, whose process is `pid`, and print what it took."""
    jobs = make_jobs(store, url, given.scans, given.jobs)
    before_s = _processor_s(pid)
    began = time.perf_counter()
    asyncio.run(send_all(jobs, given.seconds, given.rate))
    wall_s = time.perf_counter() - began
    spent_s = _processor_s(pid) - before_s
    waits = sorted(wait for job in jobs for wait in job.waits)
    readings = len(waits) * BATCH
    print(
        f"{len(jobs)} jobs of {given.scans} scans,"
        f" {readings / wall_s:,.0f} readings/s in batches of {BATCH}:"
        f" {100 * spent_s / wall_s:.0f} % of a core,"
        f" {readings / spent_s:,.0f} readings a second of it;"
        f" {sum(job.refused for job in jobs)} were told to slow down;"
        f" a job waits {1000 * statistics.median(waits):.1f} ms,"
        f" 99 % less than {1000 * waits[int(0.99 * len(waits))]:.0f} ms"
    )


def _processor_s(pid: int) -> float:
    """Return the processor seconds that a process has taken, its own and the system's for it."""
    # The name of the program comes before and may hold blanks; see proc(5).
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Start a collector, measure it under load, and end it."""
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
        collector = start_collector(store, cores[0])
        try:
            assert collector.stdout is not None
            url = collector.stdout.readline().split()[-1]
            # The jobs must not take time from the collector's core, where there is another one.
            os.sched_setaffinity(0, cores[1:] or cores)
            measure(given, store, url, collector.pid)
        finally:
            collector.terminate()
            collector.wait(20)


if __name__ == "__main__":
    main()
