"""Shows the files of a copy while they grow, as lines on the job's standard output.

Some backends share no disk with their jobs. Their batch system brings the files of a job back when
the job ends by itself, but not if the job was removed or its node was lost. What a job prints comes
at once, whatever ends the job. So the worker prints what is new in its files.

A line is `gridgpu KEY/COPY/FILE OFFSET BASE64`. Each line is written whole or not at all, so the
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

from jupyter_gridgpu.store.opener import open_plain
from jupyter_gridgpu.store.paths import CopyPaths

# job.json sets this variable in the environment of a job that needs a mirror.
MIRROR_VARIABLE = "GRIDGPU_MIRROR"
LINE_START = b"gridgpu"  # how a line of the mirror begins
LOOK_EVERY_S = 1.0
# Bytes of a file in one line. In base64, and with the start of the line, they stay below the 4096
# bytes that a pipe takes whole.
PIECE_BYTES = 2700
FINISH_S = 60.0  # for a slow reader to take the rest, once the job has ended
FILE_LIMIT = 64 * 1024 * 1024  # bytes of any one file that are shown


class Mirror:
    """A thread that prints what is new in the files of a copy.

    The job never waits for a reader that does not keep up: the rest is printed later.
    """

    def __init__(self, key: str, copy: CopyPaths, handle: int) -> None:
        """Start the thread. `handle` is the file descriptor of the job's standard output."""
        self._copy = copy
        self._handle = handle
        self._prefix = f"{key}/{copy.folder.name}/".encode()
        self._shown: dict[str, int] = {}  # name of a file -> bytes of it that were printed
        self._ended = threading.Event()
        os.set_blocking(handle, False)
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Print the rest, with notebook and result, waiting at most FINISH_S for a slow reader."""
        self._ended.set()
        self._thread.join()
        _remove_links(self._copy.folder / "artifacts")
        deadline = time.monotonic() + FINISH_S
        # The result comes last, since it says to the reader that the job has ended.
        files = (*self._growing(), self._copy.provenance, self._copy.notebook, self._copy.result)
        with contextlib.suppress(OSError):
            while not self._show(files) and time.monotonic() < deadline:
                select.select([], [self._handle], [], 1.0)

    def _follow(self) -> None:
        # An OSError means that nobody reads the output any more. The job goes on without a mirror.
        with contextlib.suppress(OSError):
            while not self._ended.wait(LOOK_EVERY_S):
                self._show(self._growing())

    def _growing(self) -> tuple[Path, ...]:
        return self._copy.about, self._copy.metrics, self._copy.log

    def _show(self, files: tuple[Path, ...]) -> bool:
        """Print what is new in `files`, and return whether the reader has taken everything."""
        complete = True
        for path in files:
            if not self._show_file(path):
                complete = False
        return complete

    def _show_file(self, path: Path) -> bool:
        try:
            file = open_plain(path)
        except OSError:  # it is not there yet, or no file
            return True
        with file:
            file.seek(self._shown.get(path.name, 0))
            while piece := file.read(PIECE_BYTES):
                if not self._print_piece(path.name, piece):
                    return False
        return True

    def _print_piece(self, name: str, piece: bytes) -> bool:
        """Print one line, and return whether the reader took it."""
        offset = self._shown.get(name, 0)
        if offset > FILE_LIMIT:
            return True
        target = self._prefix + name.encode()
        line = b"%s %s %d %s\n" % (LINE_START, target, offset, base64.b64encode(piece))
        try:
            # A pipe takes a line of this length whole, or raises because it has no room.
            os.write(self._handle, line)
        except BlockingIOError:
            return False
        self._shown[name] = offset + len(piece)
        return True


def _remove_links(folder: Path) -> None:
    """Remove the links to the scan's helper files from the folder of artifacts.

    A batch system that brings the folder back would bring the files that the links lead to.
    """
    for root, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(root, name)
            if path.is_symlink():
                with contextlib.suppress(OSError):
                    path.unlink()
