"""The stand-in's server, and the knobs by which tests make it fail."""

from __future__ import annotations

import struct
import threading
import time
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.engines.panda.answers import done
from tests.engines.panda.gpus import Gpu
from tests.engines.panda.handler import handler_for
from tests.engines.panda.jedi import Jedi
from tests.engines.panda.pilot import Pilot
from tests.engines.panda.tasks import REPORTED, Job, stamp
from tests.engines.panda.tokens import make_token

__all__ = ["CPU_SITE", "GPU_SITE", "FakePanda", "make_token"]

CACHE_LIMIT = 10 * 1024 * 1024  # bytes of one upload
GPU_SITE, CPU_SITE = "LAB_GPU", "LAB_CPU"
POLL_S = 0.05  # until the server notices that it is to end
THREADS_END_S = 10
# A real server leaves tasks for minutes in most of these states, and for seconds in the first.
LINGERING = ("registered", "prepared", "passed", "aborting", "toabort")
LINGER_S = 0.3


class FakePanda:
    """A server with two sites, one of which has a GPU.

    `live` lets JEDI and the workers go on by themselves.
    """

    def __init__(self, folder: Path, live: bool = True) -> None:
        """Serve from now on, and keep files and jobs in `folder`."""
        self.lock = threading.RLock()
        self.jedi = Jedi({GPU_SITE: Gpu(), CPU_SITE: None})
        self.cache = folder / "cache"  # what clients upload
        self.storage = folder / "storage"  # what jobs put out
        for path in (self.cache, self.storage):
            path.mkdir(parents=True)
        self.pilot = Pilot(self, folder / "jobs")
        self.calls: list[str] = []  # the endpoints that were asked, in order
        # the knobs
        self.slots = 2  # jobs at once
        self.pace_s = 0.02  # between two steps
        self.heartbeat_s = 0.1
        self.hold = False  # no worker takes a job
        self.drop_metadata = False
        # (number, attempt) -> what the site says when it fails that job
        self.fails: dict[tuple[int, int], dict[str, Any]] = {}
        self.datasets: dict[str, bytes] = {}  # files that every job gets
        self.trouble: dict[str, str] = {}  # endpoint, or "" for all -> down, 500, html, slow
        self._sums: dict[tuple[int, int], str] = {}  # (size, checksum) -> uploaded file
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(self))
        self._server.daemon_threads = True
        serving = threading.Thread(target=self._server.serve_forever, args=(POLL_S,), daemon=True)
        self._threads = [serving]
        if live:
            self.jedi.linger_s = dict.fromkeys(LINGERING, LINGER_S)
            self._threads.append(threading.Thread(target=self._go_on, daemon=True))
        for thread in self._threads:
            thread.start()

    @property
    def url(self) -> str:
        """Return the address of the server."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def environment(self, token: str | None = None) -> dict[str, str]:
        """Return what panda-client needs to find the server and to sign in."""
        address = f"{self.url}/server/panda"
        return {
            "PANDA_URL": address,
            "PANDA_URL_SSL": address,
            "PANDACACHE_URL": address,
            "PANDA_BEHIND_REAL_LB": "1",
            "PANDA_AUTH": "oidc",
            "PANDA_AUTH_VO": "wlcg",
            "PANDA_AUTH_ID_TOKEN": token or make_token(),
        }

    def stop(self) -> None:
        """End all jobs and the server."""
        self._over.set()
        self.pilot.end()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join(THREADS_END_S)

    def tell(self, job: Job, status: str, **fields: Any) -> None:
        """Note what a worker says about its job."""
        with self.lock:
            job.outcome = status
            if status != "finished":
                job.metadata = None
            if status in REPORTED:
                # JEDI has to look at it before it counts as ended.
                job.set("holding", **fields, endTime=stamp(time.time()))
            else:
                job.set(status, **fields)

    def job(self, number: int, attempt: int | None = None, task: int | None = None) -> Job:
        """Return the newest job of a sequence number, of any attempt and task if none is given."""
        found = [
            job
            for job in self.jedi.jobs.values()
            if job.number == number
            and task in (None, job.task.ident)
            and attempt in (None, job.attempt)
        ]
        return found[-1]

    def _go_on(self) -> None:
        """Take steps with all tasks and jobs until the server ends."""
        while not self._over.wait(self.pace_s):
            with self.lock:
                for task in list(self.jedi.tasks.values()):
                    self.jedi.advance(task)
                self.pilot.take()

    # the files of jobs ------------------------------------------------------------------

    def validate(self, size: int, checksum: int) -> dict[str, Any]:
        """Say whether a file of this size and sum was uploaded before."""
        name = self._sums.get((size, checksum))
        if name is None:
            return {"success": False, "message": "NOTFOUND", "data": None}
        return done(None, f"FOUND:127.0.0.1:{name}")

    def upload(self, name: str, data: bytes) -> dict[str, Any]:
        """Keep a file that a client uploads, unless it is too large."""
        if len(data) > CACHE_LIMIT:
            words = (
                f"ERROR: upload failure. Exceeded size limit {len(data) // 1024**2} MB > 10 MB."
                " Please submit the job without --noBuild/--libDS since those options impose a"
                " tighter size limit"
            )
            return {"success": False, "message": words, "data": None}
        (self.cache / name).write_bytes(data)
        # The sum that panda-client compares: a gzip file ends with it and with the size.
        checksum, _ = struct.unpack("II", data[-8:])
        self._sums[len(data), checksum] = name
        return done(None)
