"""What channels share whose jobs have no disk with us: a thread that fetches, and the files that it fetches into."""

from __future__ import annotations

import math
import os
import random
import threading
import time
from abc import abstractmethod
from collections.abc import Iterable
from pathlib import Path

from jupyter_gridgpu.channels.file import FileChannel
from jupyter_gridgpu.errors import GridGpuError, Unreachable
from jupyter_gridgpu.store.paths import COPY_NAME, CopyPaths, JobPaths, ScanPaths

COPY_BYTES = 256 * 1024 * 1024  # of one metrics file, as its worker bounds it
COPIES = 20  # of one job
SLOWEST_S = 30.0
SILENT_S = 60.0  # until a silence is worth a word


class ArrivedFiles:
    """The folder `arrived` of a scan: metrics files as the jobs wrote them, as far as they came. One thread writes."""

    def __init__(self, paths: ScanPaths) -> None:
        self._paths = paths
        self._sizes: dict[Path, int] = {}

    def copy(self, key: str, name: str) -> CopyPaths | None:
        """Return where a copy's files go; None for a name that is none, and for one copy too many."""
        job = self._paths.arrival(key)
        found = job.copy(name)
        if not COPY_NAME.fullmatch(name) or (
            not found.folder.is_dir() and len(job.copies()) >= COPIES
        ):
            return None
        return found

    def size(self, copy: CopyPaths) -> int:
        if copy.metrics not in self._sizes:
            self._sizes[copy.metrics] = copy.metrics.stat().st_size if copy.metrics.exists() else 0
        return self._sizes[copy.metrics]

    def add(self, copy: CopyPaths, offset: int, data: bytes, at: float) -> None:
        """Add bytes of a metrics file that begin at `offset`, as far as they are new; its time is that of the newest reading.

        What would leave a gap is dropped. Raises OSError.
        """
        have = self.size(copy)
        fresh = data[have - offset :] if offset <= have else b""
        if not fresh or have + len(fresh) > COPY_BYTES:
            return
        first = have == 0
        copy.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(
            copy.metrics,
            os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW,
            0o600,
        )
        try:
            while fresh:
                written = os.write(handle, fresh)
                self._sizes[copy.metrics] = self.size(copy) + written
                fresh = fresh[written:]
        finally:
            os.close(handle)
        when = min(at, time.time())
        os.utime(copy.metrics, (when, when))
        if first:
            copy.about.write_text("{}", encoding="utf-8")  # its time says which copy is the newest


class FetchingChannel(FileChannel):
    """A channel that fetches in rounds, in a thread that starts with the first job. Subclasses say what a round is."""

    every_s = 1.0
    slower_s = 2.0  # between rounds while nothing comes
    source = "The collector"

    def __init__(self, paths: ScanPaths) -> None:
        self._paths = paths
        self.arrivals = ArrivedFiles(paths)
        self._keys: set[str] = set()
        self._ended: dict[
            str, float
        ] = {}  # key -> when it was first asked whether all of it is here
        self._whole_since = -math.inf  # when the last round began that brought all there was
        self._answered = time.time()
        self._trouble = ""
        self._wake, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    @abstractmethod
    def fetch(self, keys: set[str], ended: set[str]) -> bool:
        """Bring what is new of jobs, of which some have ended; whether there was any. Raises GridGpuError, OSError."""

    def place(self, paths: ScanPaths, key: str) -> JobPaths:
        return paths.arrival(key)

    def follow(self, keys: Iterable[str]) -> None:
        new = set(keys) - self._keys
        if new:
            self._keys = self._keys | new
            self._start()

    def settled(self, key: str) -> bool:
        if key not in self._ended:
            self._ended = {**self._ended, key: time.monotonic()}
            self._keys = self._keys | {key}
            self._start()
        if self._ended[key] > self._whole_since:
            return False
        self._keys = self._keys - {key}
        self._ended = {other: at for other, at in self._ended.items() if other != key}
        return True

    def notice(self) -> str | None:
        silent = time.time() - self._answered
        if not self._trouble or silent < SILENT_S or not self._keys:
            return None
        shown = time.strftime("%H:%M", time.localtime(self._answered))
        return f"{self.source} has given no metrics for {int(silent // 60)} min; they are those of {shown}. ({self._trouble})"

    def close(self) -> None:
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
        """Fetch once; return how long to wait until the next time."""
        keys, ended, began = self._keys, set(self._ended), time.monotonic()
        if not keys or self._closing.is_set():
            return self.slower_s
        try:
            news = self.fetch(keys, ended)
        except (GridGpuError, OSError) as error:
            self._trouble = str(error) if isinstance(error, GridGpuError) else f"{error.strerror}."
            return min(max(2 * pause, self.every_s), SLOWEST_S) * random.uniform(0.9, 1.1)
        except Exception as error:  # an answer in a form that nobody knows: as good as none
            self._trouble = str(Unreachable(f"Its answer cannot be read: {type(error).__name__}."))
            return SLOWEST_S
        self._trouble, self._answered, self._whole_since = "", time.time(), began
        return self.every_s if news else self.slower_s
