"""A scan as its runner has it: the spec, the files, and the view that follows from the journal."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model.events import Event
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.store.journal import JournalReader, JournalWriter
from jupyter_gridgpu.store.paths import ScanPaths

GONE_S = 3.0  # a folder that is missing for so long was moved or removed


class DrivenScan:
    """The parts of a runner change the scan through `record`, and through nothing else."""

    def __init__(self, spec: ScanSpec, paths: ScanPaths, term: int) -> None:
        """Read the scan's journal and get ready to write it, under this term of the lease.

        Raises StorageError.
        """
        self.paths = paths
        self._folder = os.stat(paths.folder)
        self._gone_since: float | None = None  # when the folder was first missed
        # The writer comes first: it ends a torn last line. Otherwise the reader would stop before
        # that line, and the first new event would be appended to it.
        self.journal = JournalWriter(paths.journal, 0, term)
        self.view = ScanView(spec).apply_all(JournalReader(paths.journal).events())
        self.journal.seq = self.view.seq
        # If the lock file was lost or damaged, the terms begin at 1 again. With such a term our
        # events would be dropped everywhere, as events of a runner that lost its lease.
        self.journal.term = max(term, self.view.term + 1)

    @property
    def spec(self) -> ScanSpec:
        """The spec of the scan, with the space as it is now."""
        return self.view.scan

    def require_folder(self) -> None:
        """Raise StorageError if the user has moved or removed the scan folder.

        Raises FileNotFoundError if the folder may be missing only for a moment.

        Without this a runner would drive its scan for ever, in files that nobody sees any more, and
        take the jobs for lost.
        """
        try:
            os.stat(self.paths.spec)
            if os.path.samestat(self._folder, os.stat(self.paths.folder)):
                self._gone_since = None
                return
        except FileNotFoundError:
            # A network disk may be away for a moment: the tick fails then, and is tried again.
            now = time.monotonic()
            self._gone_since = self._gone_since or now
            if now - self._gone_since < GONE_S:
                raise
        raise StorageError(
            f"The scan folder {self.paths.folder} was moved or removed. "
            "If it was moved, resume the scan at its new place."
        )

    def record(self, *items: tuple[str, Mapping[str, Any]], durable: bool = False) -> list[Event]:
        """Write pairs of type and data into the journal as events, and return these events.

        The same events are folded into `view`, so that the view here is the view everywhere. With
        `durable` they also survive a power cut. Raises StorageError.
        """
        written = self.journal.append(items, durable=durable)
        self.view.apply_all(written)
        return written
