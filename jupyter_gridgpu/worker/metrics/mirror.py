"""A copy's files, shown while they grow to a side that shares no disk: as lines on the job's standard output.

An engine that brings files back when a job has ended brings none of one that was removed, or whose node was lost; what a
job prints it forwards at once. A line is `gridgpu KEY/COPY/FILE OFFSET BASE64`; each is written whole or not at all, so the
lines of jobs that run side by side do not mix.
"""

from __future__ import annotations

import base64
import contextlib
import os
import select
import threading
import time
from pathlib import Path

from jupyter_gridgpu.store.paths import CopyPaths

VARIABLE = "GRIDGPU_MIRROR"  # in the environment that job.json gives
MARK = b"gridgpu"
EVERY_S = 1.0
PIECE = 2700  # bytes of a file in one line, which must stay below the 4096 that a pipe takes whole
FINISH_S = 60.0
NOTEBOOK_LIMIT = 64 * 1024 * 1024


class Mirror:
    """Tells in a thread of its own what is new in the files of a copy. A reader that does not keep up is never waited for."""

    def __init__(self, key: str, copy: CopyPaths, handle: int) -> None:
        self._copy = copy
        self._handle = handle
        self._head = f"{key}/{copy.folder.name}/".encode()
        self._told: dict[str, int] = {}
        self._over = threading.Event()
        os.set_blocking(handle, False)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Tell the rest: notebook and result too; wait for a slow reader, though not for ever."""
        self._over.set()
        self._thread.join()
        _drop_links(self._copy.folder / "artifacts")
        deadline = time.monotonic() + FINISH_S
        files = (*self._growing(), self._copy.provenance, self._copy.notebook, self._copy.result)
        with contextlib.suppress(OSError):
            while not self._tell(files) and time.monotonic() < deadline:
                select.select([], [self._handle], [], 1.0)

    def _follow(self) -> None:
        with contextlib.suppress(OSError):  # nobody listens any more
            while not self._over.wait(EVERY_S):
                self._tell(self._growing())

    def _growing(self) -> tuple[Path, ...]:
        return self._copy.about, self._copy.metrics, self._copy.log

    def _tell(self, files: tuple[Path, ...]) -> bool:
        """Write what is new, as far as the reader takes it; whether that was all."""
        untold = [path for path in files if not self._tell_of(path)]
        return not untold

    def _tell_of(self, path: Path) -> bool:
        try:
            with open(path, "rb") as file:
                file.seek(self._told.get(path.name, 0))
                while piece := file.read(PIECE):
                    if not self._line(path.name, piece):
                        return False
        except FileNotFoundError:
            pass
        return True

    def _line(self, name: str, piece: bytes) -> bool:
        offset = self._told.get(name, 0)
        if offset > NOTEBOOK_LIMIT:
            return True
        line = b"%s %s%s %d %s\n" % (
            MARK,
            self._head,
            name.encode(),
            offset,
            base64.b64encode(piece),
        )
        try:
            os.write(self._handle, line)
        except BlockingIOError:
            return False
        self._told[name] = offset + len(piece)
        return True


def _drop_links(folder: Path) -> None:
    """Remove the links to the scan's own files: an engine that brings a folder back would bring what they lead to."""
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            if path.is_symlink():
                with contextlib.suppress(OSError):
                    path.unlink()
