"""The record of a scan: its spec, its variants, and the files that its jobs left.

A job's files were written by code that may be anybody's, and the folder may have come from
somebody else. So links are not followed, sizes are bounded, and no content is trusted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from jupyter_gridgpu.channels.metrics_file import parse_reading
from jupyter_gridgpu.model.metrics import Reading
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.view import ScanView, VariantView
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.journal import JournalReader
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import open_plain, opener_below, read_bounded
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.store.tail import read_lines

PROVENANCE_BYTES = 4_000_000
METRICS_BYTES = 512 * 1024 * 1024  # more than a worker writes
_NOTEBOOK = re.compile(r"jobs/v\d{4,7}\.\d{1,4}/[a-z0-9]{1,32}/output\.ipynb")


@dataclass
class Record:
    """A scan's folder, and the view that its journal gives. Nothing is written into the folder."""

    paths: ScanPaths
    view: ScanView

    @property
    def scan(self) -> ScanSpec:
        """The scan's spec."""
        return self.view.scan

    @property
    def name(self) -> str:
        """The scan's name."""
        return self.scan.name

    @property
    def variants(self) -> list[VariantView]:
        """All variants in the order in which they were proposed."""
        return list(self.view.variants.values())

    @property
    def finished(self) -> bool:
        """Whether the journal says that the scan has ended."""
        return self.view.finished

    def provenance(self) -> dict[str, Any]:
        """Return what was recorded when the scan started; an empty dict if there is no file."""
        return self._json("provenance.json")

    def job_provenance(self, variant: VariantView) -> dict[str, Any]:
        """Return what the variant's latest job recorded; an empty dict if it left no file."""
        copy = self.copy(variant)
        if copy is None:
            return {}
        return self._json(f"{copy}/provenance.json")

    def copy(self, variant: VariantView) -> str | None:
        """Return the folder of the copy whose result counts, relative to the scan's folder.

        The answer is None if no job of the variant has left a notebook.
        """
        notebook = variant.notebook
        # The path comes from the journal. In a folder from somebody else it might lead elsewhere.
        if not isinstance(notebook, str) or not _NOTEBOOK.fullmatch(notebook):
            return None
        return notebook.rpartition("/")[0]

    def series(self, variant: VariantView) -> Iterator[Reading]:
        """Yield each reading of the variant's latest job; nothing if the file is gone."""
        copy = self.copy(variant)
        if copy is None:
            return
        path = self.paths.folder / copy / "metrics.jsonl"
        opener = opener_below(self.paths.folder)
        cursor, previous = 0, -1
        # The file is read in parts. At its end the cursor does not move any more.
        while cursor != previous and cursor < METRICS_BYTES:
            previous = cursor
            try:
                lines, cursor = read_lines(path, cursor, opener)
            except OSError:
                return
            for line in lines:
                reading = parse_reading(line)
                # Heartbeats have no values of metrics.
                if reading is not None and reading.values:
                    yield reading

    def open(self, name: str) -> IO[bytes]:
        """Open a plain file of the scan's folder for reading. Raises OSError, also for a link."""
        return open_plain(self.paths.folder / name, opener_below(self.paths.folder))

    def read(self, name: str, limit: int) -> bytes:
        """Return what is in a plain file of the scan's folder.

        Raises OSError, also if there are more than `limit` bytes.
        """
        return read_bounded(self.paths.folder / name, limit, opener_below(self.paths.folder))

    def _json(self, name: str) -> dict[str, Any]:
        """Return the object in a JSON file, or an empty dict if the file cannot be read."""
        try:
            body = parse_json(self.read(name, PROVENANCE_BYTES))
        except (OSError, ValueError):
            # Nothing but comparisons and reports needs provenance, so it may be missing.
            return {}
        if isinstance(body, dict):
            return body
        return {}


def load_record(folder: Path) -> Record:
    """Return the record in a scan's folder. Raises UnknownScan or StorageError."""
    paths = ScanPaths(folder)
    view = ScanView(home.load(folder))
    view.apply_all(JournalReader(paths.journal).events())
    return Record(paths, view)
