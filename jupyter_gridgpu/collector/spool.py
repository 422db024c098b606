"""What a collector keeps on its disk: one file for each scan, which is only appended to.

    <folder>/.store                 the id of this store; a new store has another id, by which
                                    runners notice that they must read from the beginning
    <folder>/<user>/<scan>.frames   the format is in transport/frames.py
    <folder>/<user>/<scan>.revoked  exists once nothing more is taken for the scan

The files of one scan, of one user and of all users together are bounded. One thread at a time uses
a spool. A write that the disk refuses is taken back, and half a frame, which a crash may leave, is
cut off.
"""

from __future__ import annotations

import os
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_gridgpu.collector.rate_limit import TokenBucket
from jupyter_gridgpu.store.opener import create_plain, plain_handle, read_start
from jupyter_gridgpu.transport.frames import HEAD_LIMIT, Frame, parse_head

# A facility has more scans than a process may have files open. Beyond this number, the file that
# was not used for the longest time is closed.
OPEN_LIMIT = 256
# Keys of jobs are held in memory, so a runner that announces without end must be refused.
JOBS_LIMIT = 200_000  # of one scan
# The key of a job can name any copy, and each copy would cost memory and a folder at the runner.
COPIES_LIMIT = 20  # of one job
SWEEP_S = 600.0  # between two looks for scans that nobody asks for any more
FULL_RETRY_S = 3600.0  # space comes free only when scans are forgotten, which takes days


class Refused(Exception):
    """A request is not served: the HTTP status, and one sentence for its sender.

    If the bytes of a metrics file would leave a gap, `next_offset` is the byte at which to go on.
    `after_s` is after how many seconds to try again; 0 if that is not known.
    """

    def __init__(
        self, status: int, message: str, next_offset: int | None = None, after_s: float = 0.0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.next_offset = next_offset
        self.after_s = after_s


@dataclass(frozen=True)
class CollectorLimits:
    """How much a collector takes. A reading has about a hundred bytes."""

    # Space. Without these limits one job with a stolen key could fill the disk for everybody.
    job_bytes: int = 64 * 2**20
    scan_bytes: int = 256 * 2**20
    user_bytes: int = 2 * 2**30
    total_bytes: int = 8 * 2**30
    user_scans: int = 10_000
    keep_s: float = 14 * 86400.0  # a scan is forgotten so long after it was last written or read
    # Pace: bytes a second in the long run, and bytes at once. When a network works again, a job
    # sends much at once, so the bursts are large.
    job_rate: float = 128 * 1024
    job_burst: float = 4 * 2**20
    scan_rate: float = 4 * 2**20
    scan_burst: float = 64 * 2**20
    # Requests a second of one job. Small ones cost as much as large ones.
    job_requests: float = 5.0
    request_burst: float = 100.0


@dataclass
class _ScanFile:
    """The open file of one scan, and what was read from its frames."""

    path: Path
    handle: int
    length: int = 0  # bytes of the whole frames that were read
    jobs: set[str] = field(default_factory=set)  # keys of the jobs that were announced
    # job -> copy -> bytes of the copy's metrics file that are here
    sizes: dict[str, dict[str, int]] = field(default_factory=dict)
    # job -> its buckets of requests and of bytes
    job_buckets: dict[str, tuple[TokenBucket, TokenBucket]] = field(default_factory=dict)
    scan_bucket: TokenBucket | None = None
    used: float = 0.0  # when a request last needed it, on the monotonic clock

    @property
    def revoked_mark(self) -> Path:
        """The file that exists once the scan was revoked."""
        return self.path.with_suffix(".revoked")


class Spool:
    """The scans that a collector keeps. Two servers of one user may share a folder."""

    def __init__(self, folder: Path, limits: CollectorLimits | None = None) -> None:
        self.folder = folder
        self.limits = limits or CollectorLimits()
        self._open_files: dict[tuple[str, str], _ScanFile] = {}  # by user and scan
        self._user_bytes: dict[str, int] = {}
        self._user_scans: dict[str, int] = {}
        self._total_bytes = 0
        self._swept = -1e9  # on the monotonic clock; long ago, so that the first request sweeps
        self._store_id = ""

    # Requests of runners and jobs, in the order in which a scan makes them ---------------

    def store_id(self) -> str:
        """Return the id of this store; the first call makes the store and its id."""
        if not self._store_id:
            path = self.folder / ".store"
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with suppress(FileExistsError):
                create_plain(path, uuid.uuid4().hex.encode(), 0o600)
            self._store_id = read_start(path, 64).decode("ascii", "replace")
        return self._store_id

    def announce(self, user: str, scan: str, jobs: set[str]) -> None:
        """Take metrics of these jobs from now on. Raises Refused."""
        file = self._open_or_make(user, scan)
        new = jobs - file.jobs
        if len(file.jobs) + len(new) > JOBS_LIMIT:
            raise Refused(413, f"A scan may have {JOBS_LIMIT:,} jobs.")
        if new:
            body = " ".join(sorted(new)).encode()
            self._append(user, file, Frame(len(body)), body)
            file.jobs |= new

    def admit(self, user: str, scan: str, job: str, copy: str, size: int) -> None:
        """Raise Refused if `size` bytes of a copy's metrics file would not be taken now."""
        file = self._admitted(user, scan, job, copy, size)
        self._check_space(user, file, size)

    def write(
        self, user: str, scan: str, job: str, copy: str, offset: int, age_s: float, body: bytes
    ) -> int:
        """Keep `body`, the bytes of a copy's metrics file that begin at `offset`.

        `age_s` is the age of the newest reading in these bytes, in seconds. Returns the offset at
        which the next bytes belong. Raises Refused.
        """
        file = self._admitted(user, scan, job, copy, len(body))
        for bucket, amount in _buckets(file, job, len(body), self.limits):
            bucket.take(amount)
        copies = file.sizes.setdefault(job, {})
        have = copies.get(copy, 0)
        # A gap would never be filled, since the job does not know of it. So the answer tells the
        # job where to go on.
        if offset > have:
            raise Refused(409, "What comes before that is not here.", next_offset=have)
        fresh = body[have - offset :]
        if fresh:
            frame = Frame(len(fresh), job, copy, have, max(time.time() - age_s, 0.0))
            self._append(user, file, frame, fresh)
            copies[copy] = have + len(fresh)
        return copies.get(copy, 0)

    def read(self, user: str, scan: str, cursor: int, limit: int) -> bytes:
        """Return at most `limit` bytes of a scan's file, from byte `cursor` on. Raises Refused."""
        file = self._open(user, scan)
        if file is None:
            raise Refused(404, "No such scan is known here.")
        # `_sweep` forgets scans by the time stamp of their file, so reading must renew it.
        with suppress(OSError):
            os.utime(file.path)
        return os.pread(file.handle, limit, cursor)

    def revoke(self, user: str, scan: str) -> None:
        """Take nothing more for a scan, for good. Raises Refused."""
        file = self._open_or_make(user, scan)
        file.revoked_mark.touch(0o600)

    def close(self) -> None:
        """Close all files."""
        for file in self._open_files.values():
            os.close(file.handle)
        self._open_files.clear()

    # Opening the file of a scan -----------------------------------------------------------

    def _open_or_make(self, user: str, scan: str) -> _ScanFile:
        """Return the file of a scan; make it for a new scan. Raises Refused.

        Only requests that a runner signed make files, so that nobody can fill the disk with files
        by the key of a job.
        """
        file = self._open(user, scan)
        if file is not None:
            return file
        path = self.folder / user / f"{scan}.frames"
        if not path.exists():
            self._count_new_scan(user)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        return self._hold(user, scan, _load(path, os.O_CREAT))

    def _open(self, user: str, scan: str) -> _ScanFile | None:
        """Return the file of a scan as it is now, or None if there is none."""
        now = time.monotonic()
        if now - self._swept > SWEEP_S:
            self._sweep(now)
        file = self._open_files.get((user, scan))
        if file is not None and _catch_up(file):
            file.used = now
            return file
        # Another server forgot the scan, and removed the file that we hold open.
        if file is not None:
            os.close(self._open_files.pop((user, scan)).handle)
        try:
            file = _load(self.folder / user / f"{scan}.frames")
        except FileNotFoundError:
            return None
        return self._hold(user, scan, file)

    def _hold(self, user: str, scan: str, file: _ScanFile) -> _ScanFile:
        """Keep a file open, closing the one that was not used for the longest time."""
        # Set before the oldest file is looked for, which must not be this one.
        file.used = time.monotonic()
        self._open_files[user, scan] = file
        if len(self._open_files) > OPEN_LIMIT:
            oldest = min(self._open_files, key=lambda key: self._open_files[key].used)
            os.close(self._open_files.pop(oldest).handle)
        return file

    def _count_new_scan(self, user: str) -> None:
        if self._user_scans.get(user, 0) >= self.limits.user_scans:
            raise Refused(507, "The user has all the scans that they may have here.", after_s=3600)
        self._user_scans[user] = self._user_scans.get(user, 0) + 1

    # Limits and writing -------------------------------------------------------------------

    def _admitted(self, user: str, scan: str, job: str, copy: str, size: int) -> _ScanFile:
        """Return the file of a scan into which `size` bytes of a copy may be written.

        Raises Refused. Nothing is taken out of a bucket for a request that is refused.
        """
        file = self._open(user, scan)
        if file is None or job not in file.jobs:
            raise Refused(404, "No such job is known here.")
        if file.revoked_mark.exists():
            raise Refused(410, "Nothing more is taken for this scan.")
        copies = file.sizes.get(job, {})
        if copy not in copies and len(copies) >= COPIES_LIMIT:
            raise Refused(429, "The job has been started too often.", after_s=3600)
        if sum(copies.values()) + size > self.limits.job_bytes:
            message = "The job has all the space that it may have here."
            raise Refused(507, message, after_s=FULL_RETRY_S)
        waits = [bucket.wait_s(amount) for bucket, amount in _buckets(file, job, size, self.limits)]
        if max(waits) > 0:
            raise Refused(429, "That is faster than is taken here.", after_s=max(waits))
        return file

    def _append(self, user: str, file: _ScanFile, frame: Frame, body: bytes) -> None:
        """Append a frame whole or not at all. Raises Refused."""
        data = frame.head() + body
        self._check_space(user, file, len(data))
        try:
            written = os.write(file.handle, data)
            if written < len(data):
                raise OSError("half written")
        except OSError:
            os.ftruncate(file.handle, file.length)
            raise Refused(507, "The disk of the collector is full.", after_s=60) from None
        file.length += len(data)
        self._user_bytes[user] = self._user_bytes.get(user, 0) + len(data)
        self._total_bytes += len(data)

    def _check_space(self, user: str, file: _ScanFile, size: int) -> None:
        limits = self.limits
        if file.length + size > limits.scan_bytes:
            message = "The scan has all the space that it may have here."
        elif self._user_bytes.get(user, 0) + size > limits.user_bytes:
            message = "The user has all the space that they may have here."
        elif self._total_bytes + size > limits.total_bytes:
            message = "The collector is full."
        else:
            return
        raise Refused(507, message, after_s=FULL_RETRY_S)

    # Forgetting ---------------------------------------------------------------------------

    def _sweep(self, now: float) -> None:
        """Count scans and bytes of the store; forget scans that were not used for `keep_s`."""
        self._swept = now
        self._user_bytes.clear()
        self._user_scans.clear()
        for path in self.folder.glob("*/*.frames"):
            # Another server may have forgotten the scan at the same moment.
            with suppress(OSError):
                self._count_or_forget(path)
        self._total_bytes = sum(self._user_bytes.values())

    def _count_or_forget(self, path: Path) -> None:
        found = path.stat()
        if time.time() - found.st_mtime > self.limits.keep_s:
            self._forget(path)
            return
        user = path.parent.name
        self._user_bytes[user] = self._user_bytes.get(user, 0) + found.st_size
        self._user_scans[user] = self._user_scans.get(user, 0) + 1

    def _forget(self, path: Path) -> None:
        key = path.parent.name, path.name.removesuffix(".frames")
        file = self._open_files.pop(key, None)
        if file is not None:
            os.close(file.handle)
        # The mark of a revoked scan stays: its key may still be in somebody's hands.
        path.unlink()


def _buckets(
    file: _ScanFile, job: str, size: int, limits: CollectorLimits
) -> list[tuple[TokenBucket, float]]:
    """Return the buckets of a job's request of `size` bytes, with the amount for each."""
    if job not in file.job_buckets:
        file.job_buckets[job] = (
            TokenBucket(limits.job_requests, limits.request_burst),
            TokenBucket(limits.job_rate, limits.job_burst),
        )
    if file.scan_bucket is None:
        file.scan_bucket = TokenBucket(limits.scan_rate, limits.scan_burst)
    requests, job_bytes = file.job_buckets[job]
    return [(requests, 1), (job_bytes, size), (file.scan_bucket, size)]


def _load(path: Path, more_flags: int = 0) -> _ScanFile:
    """Open the file of a scan and read its frames. Raises FileNotFoundError."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | more_flags
    file = _ScanFile(path, plain_handle(path, flags))
    _catch_up(file)
    # Bytes behind the last whole frame were left by a crash.
    os.ftruncate(file.handle, file.length)
    return file


def _catch_up(file: _ScanFile) -> bool:
    """Read the frames that are new, and return whether the file is still in its folder.

    Another server of the same user may append to the file too.
    """
    found = os.fstat(file.handle)
    while (frame := _frame_at(file.handle, file.length, found.st_size)) is not None:
        start = file.length + len(frame.head())
        if frame.job:
            file.sizes.setdefault(frame.job, {})[frame.copy] = frame.offset + frame.size
        else:
            keys = os.pread(file.handle, frame.size, start).decode("ascii", "replace").split()
            file.jobs.update(keys)
        file.length = start + frame.size
    return found.st_nlink > 0


def _frame_at(handle: int, start: int, size: int) -> Frame | None:
    """Return the frame that begins at byte `start` of a file of `size` bytes, if it is whole."""
    if start >= size:
        return None
    line, newline, _ = os.pread(handle, HEAD_LIMIT, start).partition(b"\n")
    frame = parse_head(line) if newline else None
    if frame is None or start + len(line) + 1 + frame.size > size:
        return None
    return frame
