"""Sends a job's metrics while the job runs on a disk that the runner does not see.

Sending may fail, wait or be late; the job itself never waits or fails for it. A thread reads what
the worker writes into metrics.jsonl and sends it. The sender file, which is the same for all jobs
of a scan, says where to:

    {"kind": "push", "url", "scan", "user", "key"}      to a collector
    {"kind": "drop", "url", "query", "headers"}         into a storage
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
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import open_plain, read_bounded
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths, read_json
from jupyter_gridgpu.transport import http
from jupyter_gridgpu.transport.signing import BATCH_BYTES, WRITE, Claim, signed_headers

# Holds the text of the sender file where a launcher could read it and the image cannot see it.
SENDER_VARIABLE = "GRIDGPU_SENDER"
PUSH_EVERY_S = 1.0
BATCHES_AT_ONCE = 64  # sent without a pause in between
DROP_EVERY_S = 5.0
# Each drop puts the whole file again. The pause after it is 20 times as long as putting took, so
# that large files do not keep a storage busy.
DROP_PAUSE = 20
DROP_BYTES = 64 * 1024 * 1024  # of one file
ANSWER_BYTES = 10_000
LOOK_EVERY_S = 0.25  # for the first reading; a job without metrics never connects to anything
SLOWEST_S = 60.0  # between two tries while nobody answers
FLUSH_S = 10.0  # at the end of a job, for what was not sent yet
HURRIED_S = 5.0  # the same where somebody ends the job and waits for it


class NoLongerWanted(Exception):
    """The receiver will never again take anything from this job."""


class RetryLater(Exception):
    """The receiver could not take the metrics now; it asks for a pause of `after_s` seconds."""

    def __init__(self, message: str, after_s: float = 0.0) -> None:
        super().__init__(message)
        self.after_s = after_s


class Delivery(Protocol):
    """A way of sending metrics, to a receiver of one kind."""

    every_s: float  # between two deliveries

    def deliver(self, metrics: Path, timeout_s: float) -> None:
        """Send what is new in the metrics file.

        Raises RetryLater, NoLongerWanted or Unreachable.
        """
        ...

    def finish(self, notebook: Path, timeout_s: float) -> None:
        """Send what is left of a job that has ended, after its metrics.

        Raises RetryLater, NoLongerWanted or Unreachable.
        """
        ...


class PushDelivery:
    """Sends new bytes of the metrics file to a collector.

    They go in batches of whole lines. Each batch says at which byte of the file it begins, so that
    a batch that comes twice does no harm.
    """

    every_s = PUSH_EVERY_S

    def __init__(self, config: dict[str, Any], job: str, copy: str) -> None:
        """`config` is the sender file. Raises KeyError, TypeError or ValueError for a bad one."""
        self._scan = config["scan"]
        self._user = config["user"]
        self._key = bytes.fromhex(config["key"])
        self._url = f"{config['url']}/{quote(self._scan, safe='')}"
        self._job, self._copy = job, copy
        self._offset = 0  # bytes of the metrics file that the collector has

    def deliver(self, metrics: Path, timeout_s: float) -> None:
        """Send the new lines, at most BATCHES_AT_ONCE batches of them."""
        for _ in range(BATCHES_AT_ONCE):
            batch = _whole_lines(metrics, self._offset, BATCH_BYTES)
            if not batch:
                return
            self._send(batch, timeout_s)

    def _send(self, batch: bytes, timeout_s: float) -> None:
        claim = Claim(WRITE, self._user, self._job, self._copy, self._offset, _age_s(batch)).text()
        headers = {
            **signed_headers(self._key, self._scan, claim, batch),
            "Content-Type": "text/plain",
        }
        answer = http.request("POST", self._url, batch, headers, timeout_s, ANSWER_BYTES)
        if answer.status == 410:
            raise NoLongerWanted("the collector takes nothing more for this scan")
        # 409 refuses a batch that would leave a gap, and says where to go on.
        next_offset = _next_offset(answer.body) if answer.status in (200, 409) else None
        if next_offset is None:
            raise RetryLater(f"the collector answers {answer.status}", answer.retry_after_s())
        # The collector's offset counts, not ours: the collector has more than we know of if an
        # answer was lost, and less if its disk was lost.
        self._offset = next_offset

    def finish(self, notebook: Path, timeout_s: float) -> None:
        """Do nothing: a collector takes metrics only."""


class DropDelivery:
    """Puts the whole metrics file into a storage each time.

    The first line of what is put says which copy of the job wrote the metrics.
    """

    every_s = DROP_EVERY_S

    def __init__(self, config: dict[str, Any], job: str, copy: str) -> None:
        """`config` is the sender file."""
        self._config, self._job = config, job
        self._head = json.dumps({"copy": copy}).encode() + b"\n"
        self._sent = -1  # bytes of the metrics file that were put last
        self._not_before = 0.0  # on the monotonic clock

    def deliver(self, metrics: Path, timeout_s: float) -> None:
        """Put the file if it has grown and the pause since the last time is over."""
        lines = _whole_lines(metrics, 0, DROP_BYTES)
        if len(lines) == self._sent:
            return
        began = time.monotonic()
        # A short timeout means that the job is ending: then the last lines may not wait.
        if timeout_s > HURRIED_S and began < self._not_before:
            return
        self._put(f"{self._job}.jsonl", self._head + lines, timeout_s)
        self._sent = len(lines)
        ended = time.monotonic()
        self._not_before = ended + DROP_PAUSE * (ended - began)

    def finish(self, notebook: Path, timeout_s: float) -> None:
        """Put the executed notebook, if there is one and it is not too large."""
        with suppress(OSError):
            self._put(f"{self._job}.ipynb", read_bounded(notebook, DROP_BYTES), timeout_s)

    def _put(self, name: str, body: bytes, timeout_s: float) -> None:
        url = f"{self._config['url']}/{quote(name)}{self._config.get('query', '')}"
        headers = self._config.get("headers", {})
        answer = http.request("PUT", url, body, headers, timeout_s, ANSWER_BYTES)
        if not 200 <= answer.status < 300:
            raise RetryLater(f"the storage answers {answer.status}", answer.retry_after_s())


class Sender:
    """The thread that sends. Whatever goes wrong only writes a line into the job's log."""

    def __init__(self, delivery: Delivery, copy: CopyPaths, log: Callable[[str], None]) -> None:
        self._delivery, self._copy, self._log = delivery, copy, log
        self._ending = threading.Event()
        self._deadline = float("inf")  # for the last delivery, on the monotonic clock
        self._logged = ""
        self._thread = threading.Thread(target=self._run, name="gridgpu-send", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def close(self, within_s: float) -> None:
        """Send the rest, for `within_s` seconds at most.

        Readings that are not sent by then come with the job's files, if these come back.
        """
        self._deadline = time.monotonic() + within_s
        self._ending.set()
        self._thread.join(within_s)

    def _run(self) -> None:
        try:
            self._wait_for_readings()
            pause = 0.0
            while not self._ending.wait(pause):
                pause = self._deliver(pause)
            self._flush()
        except NoLongerWanted as refusal:
            self._warn(str(refusal))
        # An unexpected error ends the sending, never the job.
        except Exception as error:
            self._warn(f"{type(error).__name__}: {error}")

    def _wait_for_readings(self) -> None:
        while not self._ending.wait(LOOK_EVERY_S) and not _size(self._copy.metrics):
            pass

    def _deliver(self, pause: float) -> float:
        """Send what is new, and return the seconds to wait until the next time.

        `pause` is the last waiting time in seconds. Raises NoLongerWanted.
        """
        every_s = self._delivery.every_s
        try:
            self._delivery.deliver(self._copy.metrics, http.TIMEOUT_S)
        except (RetryLater, Unreachable) as trouble:
            self._warn(str(trouble))
            slower = min(max(2 * pause, every_s), SLOWEST_S)
            # Chance spreads the jobs of a scan, so that they do not all come back at one moment.
            return max(slower * random.uniform(0.8, 1.2), _requested_wait_s(trouble))
        self._logged = ""
        return every_s

    def _flush(self) -> None:
        """Send the rest, trying again and again until the deadline. Raises NoLongerWanted."""
        while (left := self._deadline - time.monotonic()) > 0:
            try:
                self._delivery.deliver(self._copy.metrics, min(left, HURRIED_S))
                left_now = max(self._deadline - time.monotonic(), 0.1)
                self._delivery.finish(self._copy.notebook, left_now)
                return
            except (RetryLater, Unreachable) as trouble:
                self._warn(str(trouble))
                time.sleep(min(max(LOOK_EVERY_S, _requested_wait_s(trouble)), left))

    def _warn(self, message: str) -> None:
        # A message that repeats is logged only once.
        if message != self._logged:
            self._logged = message
            self._log(f"Metrics are not sent now: {message.rstrip('.')}. The job goes on.")


def start_sender(
    job: dict[str, Any], scan: ScanPaths, copy: CopyPaths, log: Callable[[str], None]
) -> Sender | None:
    """Start and return the sender of a job's metrics.

    Return None where metrics come back as files, and where there is no sound sender file. `job` is
    the job's spec, `log` writes a line into the job's log.
    """
    deliveries: dict[Any, Callable[[dict[str, Any], str, str], Delivery]] = {
        "push": PushDelivery,
        "drop": DropDelivery,
    }
    try:
        config = _sender_config(job, scan)
        delivery = deliveries.get(config.get("kind")) if config else None
        if config is None or delivery is None:
            return None
        sender = Sender(delivery(config, str(job["key"]), copy.folder.name), copy, log)
        sender.start()
        return sender
    # The file may hold anything. Its values may be secret, so the log gets only the error's type.
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        log(f"Metrics are not sent: {type(error).__name__}.")
        return None


def _sender_config(job: dict[str, Any], scan: ScanPaths) -> dict[str, Any] | None:
    """Return the content of the sender file, or None if there is no such file.

    The launcher hands the text on in a variable, or job.json names the file, or the file lies in
    the scan's folder.
    """
    # Taken out of the environment, since the notebook does not need it.
    text = os.environ.pop(SENDER_VARIABLE, "")
    if text:
        try:
            config = parse_json(text)
        except ValueError:
            return None
    else:
        named = Path(str(job.get("sender") or scan.sender))
        config = read_json(named) or read_json(scan.sender)
    return config if isinstance(config, dict) else None


def _requested_wait_s(trouble: RetryLater | Unreachable) -> float:
    """Return for how many seconds the receiver asked to get nothing."""
    return trouble.after_s if isinstance(trouble, RetryLater) else 0.0


def _whole_lines(path: Path, offset: int, limit: int) -> bytes:
    """Return the whole lines of a file from byte `offset` on, at most `limit` bytes of them."""
    try:
        with open_plain(path) as file:
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


def _age_s(batch: bytes) -> float:
    """Return how many seconds old the newest line of a batch is.

    The same clock wrote the line and measures its age, so this clock need not agree with that of
    the receiver.
    """
    newest = batch[:-1].rpartition(b"\n")[2]
    try:
        age = time.time() - float(parse_json(newest)["t"])
    except (ValueError, TypeError, KeyError, OverflowError):
        return 0.0
    return min(max(age, 0.0), 1e8)


def _next_offset(body: bytes) -> int | None:
    """Return from which byte on a collector wants to go on, or None if it does not say so."""
    try:
        offset = parse_json(body)["next"]
    except (ValueError, TypeError, KeyError):
        return None
    return offset if isinstance(offset, int) and offset >= 0 else None
