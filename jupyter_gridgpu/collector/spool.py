"""What a collector took of jobs, on its disk: one file a scan, only appended to, each bounded, all of them together too.

    <folder>/.store                 an id that every new store has of its own, so that runners know when to begin anew
    <folder>/<user>/<scan>.frames   see store/frames.py
    <folder>/<user>/<scan>.revoked  there once nothing more is taken for the scan

One thread at a time uses it. A write that is refused is taken back, and what a crash left half is cut off.
"""

from __future__ import annotations

import os
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_gridgpu.collector.rate_limit import TokenBucket
from jupyter_gridgpu.transport.frames import HEAD_LIMIT, Frame, parse_head

OPEN_LIMIT = 256  # scans whose files are held open
JOBS_LIMIT = 200_000  # of one scan
COPIES_LIMIT = 20  # of one job
SWEEP_S = 600.0


class Refused(Exception):
    """A request is not served: with this HTTP status, one sentence, and perhaps when to try again."""

    def __init__(
        self, status: int, message: str, next_offset: int | None = None, after_s: float = 0.0
    ) -> None:
        super().__init__(message)
        self.status, self.message, self.next_offset, self.after_s = (
            status,
            message,
            next_offset,
            after_s,
        )


@dataclass(frozen=True)
class CollectorLimits:
    """What a collector grants. Bytes a second are of readings, of which one has about a hundred bytes."""

    scan_bytes: int = 256 * 2**20
    user_bytes: int = 2 * 2**30
    total_bytes: int = 8 * 2**30
    user_scans: int = 10_000
    keep_s: float = 14 * 86400.0  # after the last that came or was read
    job_rate: float = 128 * 1024  # bytes a second of one job, in the long run
    job_burst: float = 4 * 2**20
    scan_rate: float = 4 * 2**20
    scan_burst: float = 64 * 2**20
    job_requests: float = 5.0  # a second, in the long run
    request_burst: float = 100.0


@dataclass
class _Kept:
    """One scan, as its file tells it."""

    path: Path
    handle: int
    length: int = 0
    jobs: set[str] = field(default_factory=set)
    sizes: dict[str, dict[str, int]] = field(
        default_factory=dict
    )  # job -> copy -> bytes of its metrics file
    paces: dict[str, tuple[TokenBucket, TokenBucket]] = field(default_factory=dict)
    pace: TokenBucket | None = None
    used: float = 0.0

    @property
    def revoked(self) -> bool:
        return self.path.with_suffix(".revoked").exists()


class Spool:
    """All of them."""

    def __init__(self, folder: Path, limits: CollectorLimits | None = None) -> None:
        self.folder = folder
        self.limits = limits or CollectorLimits()
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._users: dict[str, int] = {}  # bytes of each
        self._scans: dict[str, int] = {}  # and how many scans
        self._total = 0
        self._swept = -1e9
        self._id = ""

    def ident(self) -> str:
        """Return the id of this store."""
        if not self._id:
            path = self.folder / ".store"
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with suppress(FileExistsError), open(path, "x", opener=_private) as file:
                file.write(uuid.uuid4().hex)
            self._id = path.read_text()[:64]
        return self._id

    def announce(self, user: str, scan: str, jobs: set[str]) -> None:
        """Take readings of these jobs from now on. Raises Refused."""
        kept = self._open(user, scan, make=True)
        assert kept is not None
        new = jobs - kept.jobs
        if len(kept.jobs) + len(new) > JOBS_LIMIT:
            raise Refused(413, f"A scan may have {JOBS_LIMIT:,} jobs.")
        if new:
            body = " ".join(sorted(new)).encode()
            self._append(user, kept, Frame(len(body)), body)
            kept.jobs |= new

    def write(
        self, user: str, scan: str, job: str, copy: str, offset: int, age_s: float, body: bytes
    ) -> int:
        """Keep bytes of a job's metrics file; return where the next ones belong. Raises Refused."""
        kept = self._open(user, scan)
        if kept is None or job not in kept.jobs:
            raise Refused(404, "No such job is known here.")
        if kept.revoked:
            raise Refused(410, "Nothing more is taken for this scan.")
        copies = kept.sizes.setdefault(job, {})
        if copy not in copies and len(copies) >= COPIES_LIMIT:
            raise Refused(429, "The job has been started too often.", after_s=3600)
        self._pace(kept, job, len(body))
        have = copies.get(copy, 0)
        if offset > have:
            raise Refused(409, "What comes before that is not here.", next_offset=have)
        fresh = body[have - offset :]
        if fresh:
            frame = Frame(len(fresh), job, copy, have, max(time.time() - age_s, 0.0))
            self._append(user, kept, frame, fresh)
            copies[copy] = have + len(fresh)
        return copies.get(copy, 0)

    def read(self, user: str, scan: str, cursor: int, limit: int) -> bytes:
        """Return what a scan's file has from a byte on. Raises Refused."""
        kept = self._open(user, scan)
        if kept is None:
            raise Refused(404, "No such scan is known here.")
        with suppress(OSError):
            os.utime(kept.path)
        return os.pread(kept.handle, limit, cursor)

    def revoke(self, user: str, scan: str) -> None:
        """Take nothing more for a scan, ever. Raises Refused."""
        kept = self._open(user, scan, make=True)
        assert kept is not None
        kept.path.with_suffix(".revoked").touch(0o600)

    def close(self) -> None:
        for kept in self._kept.values():
            os.close(kept.handle)
        self._kept.clear()

    # inside ---------------------------------------------------------------------------

    def _pace(self, kept: _Kept, job: str, size: int) -> None:
        limits = self.limits
        if job not in kept.paces:
            kept.paces[job] = (
                TokenBucket(limits.job_requests, limits.request_burst),
                TokenBucket(limits.job_rate, limits.job_burst),
            )
        kept.pace = kept.pace or TokenBucket(limits.scan_rate, limits.scan_burst)
        requests, own = kept.paces[job]
        wait = max(requests.wait_s(1), own.wait_s(size), kept.pace.wait_s(size))
        if wait > 0:
            raise Refused(429, "That is faster than is taken here.", after_s=wait)
        requests.take(1)
        own.take(size)
        kept.pace.take(size)

    def _append(self, user: str, kept: _Kept, frame: Frame, body: bytes) -> None:
        data = frame.head() + body
        self._room(user, kept, len(data))
        try:
            written = os.write(kept.handle, data)
            if written < len(data):
                raise OSError("half written")
        except OSError:
            os.ftruncate(kept.handle, kept.length)
            raise Refused(507, "The disk of the collector is full.", after_s=60) from None
        kept.length += len(data)
        self._users[user] = self._users.get(user, 0) + len(data)
        self._total += len(data)

    def _room(self, user: str, kept: _Kept, size: int) -> None:
        limits = self.limits
        if kept.length + size > limits.scan_bytes:
            raise Refused(507, "The scan has all the space that it may have here.", after_s=3600)
        if self._users.get(user, 0) + size > limits.user_bytes:
            raise Refused(507, "The user has all the space that they may have here.", after_s=3600)
        if self._total + size > limits.total_bytes:
            raise Refused(507, "The collector is full.", after_s=3600)

    def _open(self, user: str, scan: str, make: bool = False) -> _Kept | None:
        """The scan's file, which is made only where a runner asks for it."""
        now = time.monotonic()
        if now - self._swept > SWEEP_S:
            self._sweep(now)
        kept = self._kept.get((user, scan))
        if kept is not None and not _catch_up(kept):
            os.close(self._kept.pop((user, scan)).handle)
            kept = None
        if kept is None:
            path = self.folder / user / f"{scan}.frames"
            if make and not path.exists():
                self._count(user)
            kept = self._load(path, make)
            if kept is None:
                return None
            self._kept[user, scan] = kept
            self._let_go()
        kept.used = now
        return kept

    def _count(self, user: str) -> None:
        """One scan more of a user."""
        if self._scans.get(user, 0) >= self.limits.user_scans:
            raise Refused(507, "The user has all the scans that they may have here.", after_s=3600)
        self._scans[user] = self._scans.get(user, 0) + 1

    def _let_go(self) -> None:
        if len(self._kept) > OPEN_LIMIT:
            oldest = min(self._kept, key=lambda key: self._kept[key].used)
            os.close(self._kept.pop(oldest).handle)

    def _load(self, path: Path, make: bool) -> _Kept | None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | (os.O_CREAT if make else 0)
        if make:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            kept = _Kept(path, os.open(path, flags, 0o600))
        except FileNotFoundError:
            return None
        _catch_up(kept)
        os.ftruncate(kept.handle, kept.length)
        return kept

    def _sweep(self, now: float) -> None:
        """Count what there is, and let go of what nobody has asked for in a long time."""
        self._swept = now
        self._users.clear()
        self._scans.clear()
        for path in self.folder.glob("*/*.frames"):
            with suppress(OSError):
                found = path.stat()
                if time.time() - found.st_mtime > self.limits.keep_s:
                    self._forget(path)
                else:
                    self._users[path.parent.name] = (
                        self._users.get(path.parent.name, 0) + found.st_size
                    )
                    self._scans[path.parent.name] = self._scans.get(path.parent.name, 0) + 1
        self._total = sum(self._users.values())

    def _forget(self, path: Path) -> None:
        kept = self._kept.pop((path.parent.name, path.name.removesuffix(".frames")), None)
        if kept is not None:
            os.close(kept.handle)
        path.unlink()  # what is revoked stays so


def _catch_up(kept: _Kept) -> bool:
    """Take in what the file has that is not known yet; whether it is still there. Two servers of a user may share it."""
    found = os.fstat(kept.handle)
    while (frame := _frame_at(kept.handle, kept.length, found.st_size)) is not None:
        start = kept.length + len(frame.head())
        if frame.job:
            kept.sizes.setdefault(frame.job, {})[frame.copy] = frame.offset + frame.size
        else:
            kept.jobs.update(
                os.pread(kept.handle, frame.size, start).decode("ascii", "replace").split()
            )
        kept.length = start + frame.size
    return found.st_nlink > 0


def _frame_at(handle: int, at: int, size: int) -> Frame | None:
    """The frame that begins at a byte, if the whole of it is there."""
    if at >= size:
        return None
    line, newline, _ = os.pread(handle, HEAD_LIMIT, at).partition(b"\n")
    frame = parse_head(line) if newline else None
    return frame if frame is not None and at + len(line) + 1 + frame.size <= size else None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
