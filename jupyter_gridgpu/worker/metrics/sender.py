"""Sends a job's metrics while it runs, where nobody sees its disk. It may fail, wait or be late: the job never does.

What it works with is its sender file, the same for all jobs of a scan: `{"kind": "push", "url", "scan", "user", "key"}` or
`{"kind": "drop", "url", "query", "headers"}`. It reads what the worker writes into metrics.jsonl, in a thread of its own.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from jupyter_gridgpu.errors import Unreachable
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths, read_json
from jupyter_gridgpu.transport import http
from jupyter_gridgpu.transport.signing import BATCH_BYTES, WRITE, Claim, signed

VARIABLE = "GRIDGPU_SENDER"  # the text of the sender file, where a launcher could read what the image cannot see
PUSH_EVERY_S = 1.0
AT_ONCE = 64  # batches without a pause
DROP_EVERY_S = 5.0
DROP_SHARE = 20  # a file is put at most for one part in so many of the time
DROP_BYTES = 64 * 1024 * 1024
LOOK_S = 0.25
SLOWEST_S = 60.0
FLUSH_S = 10.0  # at the end, for what was not sent yet
HURRIED_S = 5.0  # the same where the job is being ended


class NoLongerWanted(Exception):
    """Nothing of this job is wanted any more."""


class RetryLater(Exception):
    """It could not be taken now; after `s` seconds it may."""

    def __init__(self, words: str, s: float = 0.0) -> None:
        super().__init__(words)
        self.s = s


class Delivery(Protocol):
    """How readings travel."""

    every_s: float

    def deliver(self, metrics: Path, timeout_s: float) -> None:
        """Send what is new. Raises Later or Over."""
        ...

    def finish(self, notebook: Path, timeout_s: float) -> None:
        """The job has ended and its metrics are sent. Raises Later or Over."""
        ...


class PushDelivery:
    """To a collector: the bytes of the metrics file, in batches of whole lines, each with the place that it belongs to."""

    every_s = PUSH_EVERY_S

    def __init__(self, config: dict[str, Any], job: str, copy: str) -> None:
        self._url = f"{config['url']}/{quote(config['scan'], safe='')}"
        self._scan, self._user, self._key = (
            config["scan"],
            config["user"],
            bytes.fromhex(config["key"]),
        )
        self._job, self._copy = job, copy
        self._offset = 0

    def deliver(self, metrics: Path, timeout_s: float) -> None:
        for _ in range(AT_ONCE):
            if not (batch := _lines(metrics, self._offset, BATCH_BYTES)):
                return
            self._send(batch, timeout_s)

    def _send(self, batch: bytes, timeout_s: float) -> None:
        claim = Claim(WRITE, self._user, self._job, self._copy, self._offset, _age(batch)).text()
        headers = {**signed(self._key, self._scan, claim, batch), "Content-Type": "text/plain"}
        answer = http.ask("POST", self._url, batch, headers, timeout_s, 10_000)
        kept = _next(answer.body) if answer.status in (200, 409) else None
        if (
            kept is not None
        ):  # it may have more than we thought, or less: one that lost its disk begins anew
            self._offset = kept
        elif answer.status == 410:
            raise NoLongerWanted("the collector takes nothing more for this scan")
        else:
            raise RetryLater(f"the collector answers {answer.status}", answer.retry_after_s())

    def finish(self, notebook: Path, timeout_s: float) -> None:
        """A collector takes metrics only."""


class DropDelivery:
    """To a storage: the whole file each time, behind a line that says which copy of the job wrote it."""

    every_s = DROP_EVERY_S

    def __init__(self, config: dict[str, Any], job: str, copy: str) -> None:
        self._config, self._job = config, job
        self._head = json.dumps({"copy": copy}).encode() + b"\n"
        self._sent = -1
        self._not_before = 0.0

    def deliver(self, metrics: Path, timeout_s: float) -> None:
        lines = _lines(metrics, 0, DROP_BYTES)
        if len(lines) == self._sent or (
            timeout_s > HURRIED_S and time.monotonic() < self._not_before
        ):
            return
        began = time.monotonic()
        self._put(f"{self._job}.jsonl", self._head + lines, timeout_s)
        self._sent, took = len(lines), time.monotonic() - began
        self._not_before = time.monotonic() + DROP_SHARE * took

    def finish(self, notebook: Path, timeout_s: float) -> None:
        with suppress(OSError):
            if notebook.stat().st_size <= DROP_BYTES:
                self._put(f"{self._job}.ipynb", notebook.read_bytes(), timeout_s)

    def _put(self, name: str, body: bytes, timeout_s: float) -> None:
        url = f"{self._config['url']}/{quote(name)}{self._config.get('query', '')}"
        answer = http.ask("PUT", url, body, self._config.get("headers", {}), timeout_s, 10_000)
        if not 200 <= answer.status < 300:
            raise RetryLater(f"the storage answers {answer.status}", answer.retry_after_s())


class Sender:
    """The thread that sends. Its troubles are lines in the job's log, and nothing else."""

    def __init__(self, way: Delivery, copy: CopyPaths, log: Callable[[str], None]) -> None:
        self._way, self._copy, self._log = way, copy, log
        self._ending = threading.Event()
        self._deadline = float("inf")
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="gridgpu-send", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, within_s: float) -> None:
        """Send the rest, for a bounded time; what is not sent then comes with the job's files, if they come."""
        self._deadline = time.monotonic() + within_s
        self._ending.set()
        self._thread.join(within_s)

    def _run(self) -> None:
        try:
            self._wait_for_readings()
            pause = 0.0
            while not self._ending.wait(pause):
                pause = self._try(pause, http.TIMEOUT_S)
            self._flush()
        except NoLongerWanted as over:
            self._say(str(over))
        except Exception as error:  # of a kind that nobody thought of: the job goes on
            self._say(f"{type(error).__name__}: {error}")

    def _wait_for_readings(self) -> None:
        while not self._ending.wait(LOOK_S) and not _size(self._copy.metrics):
            pass

    def _try(self, pause: float, timeout_s: float) -> float:
        """Send what is new; return how long to wait until the next time."""
        try:
            self._way.deliver(self._copy.metrics, timeout_s)
        except (RetryLater, Unreachable) as trouble:
            self._say(str(trouble))
            slower = min(max(2 * pause, self._way.every_s), SLOWEST_S)
            return max(slower * random.uniform(0.8, 1.2), getattr(trouble, "s", 0.0))
        self._said = ""
        return self._way.every_s

    def _flush(self) -> None:
        """Send the rest, at once and again and again until the time is over."""
        while (left := self._deadline - time.monotonic()) > 0:
            try:
                self._way.deliver(self._copy.metrics, min(left, HURRIED_S))
                self._way.finish(self._copy.notebook, max(self._deadline - time.monotonic(), 0.1))
                return
            except (RetryLater, Unreachable) as trouble:
                self._say(str(trouble))
                time.sleep(min(max(LOOK_S, getattr(trouble, "s", 0.0)), max(left, 0.0)))

    def _say(self, words: str) -> None:
        if words != self._said:
            self._said = words
            self._log(f"Metrics are not sent now: {words.rstrip('.')}. The job goes on.")


def sender(
    job: dict[str, Any], scan: ScanPaths, copy: CopyPaths, log: Callable[[str], None]
) -> Sender | None:
    """Return what sends a job's metrics, started; None where they come back as files, or it is not known how to."""
    config = _config(job, scan)
    kinds: dict[Any, Callable[[dict[str, Any], str, str], Delivery]] = {
        "push": PushDelivery,
        "drop": DropDelivery,
    }
    try:
        way = kinds.get(config.get("kind")) if config else None
        if config is None or way is None:
            return None
        made = Sender(way(config, str(job["key"]), copy.folder.name), copy, log)
        made.start()
        return made
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        log(f"Metrics are not sent: {type(error).__name__}.")
        return None


def _config(job: dict[str, Any], scan: ScanPaths) -> dict[str, Any] | None:
    """The sender file: handed on by the launcher, or where the scan's jobs find it, or beside the worker."""
    text = os.environ.pop(VARIABLE, "")  # the notebook need not have it
    with suppress(ValueError):
        found = (
            json.loads(text)
            if text
            else read_json(Path(str(job.get("sender") or scan.sender))) or read_json(scan.sender)
        )
        return found if isinstance(found, dict) else None
    return None


def _lines(path: Path, offset: int, limit: int) -> bytes:
    """The whole lines of a file from a byte on, at most `limit` bytes."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            data = file.read(limit)
    except OSError:
        return b""
    return data[: data.rfind(b"\n") + 1]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _age(batch: bytes) -> float:
    """How old the newest line of a batch is, by the clock that it was written with."""
    try:
        return min(
            max(time.time() - float(json.loads(batch[:-1].rpartition(b"\n")[2])["t"]), 0.0), 1e8
        )
    except (ValueError, TypeError, KeyError):
        return 0.0


def _next(body: bytes) -> int | None:
    try:
        found = json.loads(body)["next"]
    except (ValueError, TypeError, KeyError):
        return None
    return found if isinstance(found, int) and found >= 0 else None
