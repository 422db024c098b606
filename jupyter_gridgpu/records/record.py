"""A scan as evidence: its spec, its variants, and the files that its jobs left, opened with care."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from jupyter_gridgpu.channels.file import parse
from jupyter_gridgpu.model.metrics import Reading
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.view import ScanView, VariantView
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.journal import JournalReader
from jupyter_gridgpu.store.opener import opener_below
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.store.tail import read_lines

PROVENANCE_BYTES = 4_000_000
SERIES_BYTES = 512 * 1024 * 1024  # more than a worker writes
_COPY = re.compile(r"jobs/v\d{4,7}\.\d{1,4}/[a-z0-9]{1,32}/output\.ipynb")


@dataclass
class Record:
    """A scan's folder and what its journal says. Nothing is ever written into it."""

    paths: ScanPaths
    view: ScanView

    @property
    def scan(self) -> ScanSpec:
        return self.view.scan

    @property
    def name(self) -> str:
        return self.scan.name

    @property
    def variants(self) -> list[VariantView]:
        return list(self.view.variants.values())

    @property
    def finished(self) -> bool:
        return self.view.finished

    def provenance(self) -> dict[str, Any]:
        """Return what the start of the scan kept; nothing of a scan of an earlier version."""
        return self._json("provenance.json")

    def job_provenance(self, variant: VariantView) -> dict[str, Any]:
        """Return what the variant's latest job ran with; nothing where it left no such file."""
        copy = self.copy(variant)
        return self._json(f"{copy}/provenance.json") if copy else {}

    def copy(self, variant: VariantView) -> str | None:
        """Return the folder of the copy that counts, as it counts from the scan's folder."""
        found = variant.notebook
        return (
            found.rpartition("/")[0] if isinstance(found, str) and _COPY.fullmatch(found) else None
        )

    def series(self, variant: VariantView) -> Iterator[Reading]:
        """Yield all that the variant's latest job reported; nothing where the file is gone."""
        copy, cursor, before = self.copy(variant), 0, -1
        while copy and cursor != before and cursor < SERIES_BYTES:
            before = cursor
            try:
                lines, cursor = read_lines(
                    self.paths.folder / copy / "metrics.jsonl",
                    cursor,
                    opener_below(self.paths.folder),
                )
            except OSError:
                return
            yield from (
                reading for line in lines if (reading := parse(line)) is not None and reading.values
            )

    def open(self, name: str) -> IO[bytes]:
        """Open a plain file of the folder. Raises OSError, for a link too."""
        return open(self.paths.folder / name, "rb", opener=opener_below(self.paths.folder))

    def _json(self, name: str) -> dict[str, Any]:
        try:
            with self.open(name) as file:
                body = json.loads(file.read(PROVENANCE_BYTES))
        except (OSError, ValueError, RecursionError):
            return {}
        return body if isinstance(body, dict) else {}


def load(folder: Path) -> Record:
    """Return the record in a scan folder. Raises UnknownScan or StorageError."""
    paths = ScanPaths(folder)
    return Record(
        paths, ScanView(home.load(folder)).apply_all(JournalReader(paths.journal).events())
    )
