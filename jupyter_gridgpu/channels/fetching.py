"""The common part of the channels for jobs without a shared disk.

A thread fetches what the jobs sent, and writes it into files, which the runner reads.
"""

from __future__ import annotations

import math
import os
import random
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

from jupyter_gridgpu.channels.metrics_file import read_readings
from jupyter_gridgpu.errors import GridGpuError, Unreachable
from jupyter_gridgpu.model.metrics import Reading
from jupyter_gridgpu.store.opener import APPEND, plain_handle
from jupyter_gridgpu.store.paths import COPY_NAME, CopyPaths, JobPaths, ScanPaths, write_atomic

FILE_BYTES = 256 * 1024 * 1024  # of one metrics file; its worker has the same limit
COPIES_LIMIT = 20  # of one job
SLOWEST_S = 30.0  # between two rounds while nobody answers
SILENT_S = 60.0  # a shorter silence is not worth a notice


class ArrivedFiles:
    """The folder `arrived` of a scan: the metrics files of its jobs, as far as they have arrived.

    The files hold the same bytes as the jobs wrote. Only one thread writes to them.
    """

    def __init__(self, paths: ScanPaths) -> None:
        self._paths = paths
        self._sizes: dict[Path, int] = {}

    def copy(self, key: str, name: str) -> CopyPaths | None:
        """Return where the files of a copy go.

        Return None if the name is unsound, or if the job has COPIES_LIMIT other copies already.
        """
        # The name comes over the network and becomes the name of a folder.
        if not COPY_NAME.fullmatch(name):
            return None
        job = self._paths.arrival(key)
        found = job.copy(name)
        if not found.folder.is_dir() and len(job.copies()) >= COPIES_LIMIT:
            return None
        return found

    def size(self, copy: CopyPaths) -> int:
        """Return how many bytes of a copy's metrics file are here."""
        path = copy.metrics
        if path not in self._sizes:
            self._sizes[path] = path.stat().st_size if path.exists() else 0
        return self._sizes[path]

    def add(self, copy: CopyPaths, offset: int, data: bytes, at: float) -> None:
        """Append bytes of a metrics file that begin at `offset`, as far as they are new.

        `at` is the time of the newest reading in `data`, and becomes that of the file. Bytes that
        would leave a gap are dropped. Raises OSError.
        """
        have = self.size(copy)
        if offset > have:
            return
        fresh = data[have - offset :]
        if not fresh or have + len(fresh) > FILE_BYTES:
            return
        copy.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._append(copy, fresh)
        # Faces show how old the newest reading is. A clock that is ahead must not give it a time
        # in the future.
        when = min(at, time.time())
        os.utime(copy.metrics, (when, when))
        if have == 0:
            # The time stamp of copy.json tells which copy is the newest.
            write_atomic(copy.about, "{}")

    def _append(self, copy: CopyPaths, data: bytes) -> None:
        handle = plain_handle(copy.metrics, APPEND)
        try:
            while data:
                written = os.write(handle, data)
                # Counted at once: a disk that is full in the middle leaves what it took.
                self._sizes[copy.metrics] = self.size(copy) + written
                data = data[written:]
        finally:
            os.close(handle)


class FetchingChannel(ABC):
    """A channel whose thread fetches in rounds. Subclasses define in `fetch` what a round does.

    The thread starts with the first job. The runner's thread replaces `_keys` and `_ended`, and
    never changes them in place, so that the fetching thread needs no lock to read them.
    """

    every_s = 1.0  # between rounds while something comes
    slower_s = 2.0  # between rounds while nothing comes
    source = "The collector"  # how a notice names the receiver

    def __init__(self, paths: ScanPaths) -> None:
        self._paths = paths
        self.arrivals = ArrivedFiles(paths)
        self._keys: set[str] = set()
        # Key of an ended job -> when settled() was first asked about it, on the monotonic clock.
        self._ended: dict[str, float] = {}
        # When the last round without trouble began, on the monotonic clock.
        self._complete_since = -math.inf
        # When the last round without trouble ended: in Unix seconds for the user to read, and on
        # the monotonic clock, which nobody sets, to tell how long ago that was.
        self._answered, self._answered_awake = time.time(), time.monotonic()
        self._trouble = ""  # why the last round failed
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def fetch(self, keys: set[str], ended: set[str]) -> bool:
        """Bring what is new of jobs, and return whether there was anything.

        `ended` has those of the `keys` whose jobs have ended. Raises GridGpuError or OSError.
        """

    def place(self, paths: ScanPaths, key: str) -> JobPaths:
        """Return the folder for what a job sent."""
        return paths.arrival(key)

    def read(self, copy: CopyPaths, cursor: int | None) -> tuple[list[Reading], int]:
        """Return the readings after byte `cursor` that were fetched, and the byte behind them."""
        return read_readings(copy, cursor)

    def follow(self, keys: Iterable[str]) -> None:
        """Fetch what these jobs send, from now on."""
        new = set(keys) - self._keys
        if new:
            self._keys = self._keys | new
            self._start()

    def settled(self, key: str) -> bool:
        """Return whether a round that began after the first call has brought everything."""
        if key not in self._ended:
            self._ended = {**self._ended, key: time.monotonic()}
            self._keys = self._keys | {key}
            self._start()
        # A round that began before the job had ended may have missed its last lines.
        if self._ended[key] > self._complete_since:
            return False
        self._keys = self._keys - {key}
        self._ended = {other: at for other, at in self._ended.items() if other != key}
        return True

    def notice(self) -> str | None:
        """Return a sentence on since when fetching fails; None before it has failed SILENT_S."""
        silent_s = time.monotonic() - self._answered_awake
        if not self._trouble or silent_s < SILENT_S or not self._keys:
            return None
        minutes = int(silent_s // 60)
        shown = time.strftime("%H:%M", time.localtime(self._answered))
        return (
            f"{self.source} has given no metrics for {minutes} min;"
            f" they are those of {shown}. ({self._trouble})"
        )

    def close(self) -> None:
        """End the thread, waiting for it a moment."""
        self._closing.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=2)

    def _start(self) -> None:
        self._wake.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="gridgpu-fetch", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        pause = 0.0
        while not self._closing.is_set():
            if self._wake.wait(pause):
                self._wake.clear()
            pause = self._round(pause)

    def _round(self, pause: float) -> float:
        """Fetch once, and return the seconds to wait until the next round.

        `pause` is how many seconds the thread waited before this round.
        """
        keys, ended = self._keys, set(self._ended)
        if not keys or self._closing.is_set():
            return self.slower_s
        began = time.monotonic()
        try:
            news = self.fetch(keys, ended)
        except GridGpuError as error:
            return self._failed(str(error), pause)
        except OSError as error:
            return self._failed(f"{error.strerror}.", pause)
        # An answer of an unexpected form counts as no answer. The thread must not end.
        except Exception as error:
            self._trouble = str(Unreachable(f"Its answer cannot be read: {type(error).__name__}."))
            return SLOWEST_S
        self._trouble = ""
        self._answered, self._answered_awake = time.time(), time.monotonic()
        self._complete_since = began
        return self.every_s if news else self.slower_s

    def _failed(self, trouble: str, pause: float) -> float:
        self._trouble = trouble
        # Chance spreads the runners of many users, so that they do not all come back at once.
        return min(max(2 * pause, self.every_s), SLOWEST_S) * random.uniform(0.9, 1.1)
