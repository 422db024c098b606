"""Results that a network disk shows late: no job is given up while its result may be there.

A node's result may be on the disk before this host sees it, since NFS and other network disks keep
for up to a minute what they have once seen. So a job counts as one without a result only once that
is written down under the name of its result. That name can be given only once, and the server
decides who gave it.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable

from jupyter_gridgpu.backends.base import RESULT_BYTES, has_damaged_result
from jupyter_gridgpu.model.job import Observation
from jupyter_gridgpu.store.late_disk import freshen, has_size
from jupyter_gridgpu.store.paths import (
    COPY_NAME,
    NOTEBOOK_BYTES,
    ScanPaths,
    publish,
    read_json,
    write_json,
)

WHOLE_S = 90.0  # how long to wait for the end of files whose result is seen
SEEN_S = 600.0  # how long to wait for a result that is certainly there


class LateResults:
    """Which jobs have a result that is not seen yet, or not with all that belongs to it."""

    def __init__(self, paths: ScanPaths, clock: Callable[[], float] = time.monotonic) -> None:
        self._paths = paths
        self._clock = clock
        self._since: dict[tuple[str, str], float] = {}  # key and what is waited for -> since when

    def has_come(self, key: str) -> bool:
        """Return whether all that belongs to a result, which is seen, is seen as well.

        After some time it is True in any case.
        """
        return _is_whole(self._paths, key) or self._waited(key, "files", WHOLE_S)

    def has_none(self, key: str, end: Observation, copy: str | None = None) -> bool:
        """Return whether a job has no result, and see to it that none can come any more.

        `end` is how the job has ended if it has none, and `copy` is the name of its newest copy.
        False means that there is a result, which this host does not see yet; after some time it is
        True in any case.
        """
        if has_damaged_result(self._paths, key) or self._conclude(key, end, copy):
            return True
        freshen(self._paths.job(key).folder)
        return self._waited(key, "result", SEEN_S)

    def forget(self, key: str) -> None:
        """Forget a job that has ended."""
        for what in ("files", "result"):
            self._since.pop((key, what), None)

    def _waited(self, key: str, what: str, limit_s: float) -> bool:
        now = self._clock()
        return now - self._since.setdefault((key, what), now) > limit_s

    def _conclude(self, key: str, end: Observation, copy: str | None) -> bool:
        """Say in result.json that there is no result; return whether nobody has said otherwise."""
        job = self._paths.job(key)
        part = job.folder / f".result.{uuid.uuid4().hex[:8]}"
        body = {
            "key": key,
            "copy": copy or "",
            "started": end.started,
            "ended": end.ended,
            "state": "failed",
            "reason": end.reason or "node",
            "message": end.message,
        }
        try:
            write_json(part, body)
            return publish(part, job.result)
        except OSError:
            # The folder is gone, or the disk is full: no worker can write there either.
            return True
        finally:
            with contextlib.suppress(OSError):
                part.unlink()


def _is_whole(paths: ScanPaths, key: str) -> bool:
    """Return whether what a job left is seen here as it was when its worker wrote the result."""
    body = read_json(paths.job(key).result, RESULT_BYTES)
    body = body if isinstance(body, dict) else {}
    left, name = body.get("left"), body.get("copy")
    if not isinstance(left, dict) or not isinstance(name, str) or not COPY_NAME.fullmatch(name):
        return True  # earlier versions did not write the sizes
    copy = paths.job(key).copy(name)
    for path in (copy.metrics, copy.notebook):
        size = left.get(path.name)
        if type(size) is not int or not 0 <= size <= NOTEBOOK_BYTES:
            continue
        if not has_size(path, size, exact=path == copy.notebook):
            return False
    return True
