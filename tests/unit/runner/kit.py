"""Scan folders and runners of the tests in this folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_gridgpu.backends.base import Backend
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.scan import to_json
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.runner.loop import Runner
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.journal import JournalReader
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.testing.examples import small_scan


def scan_folder(folder: Path, **changes: Any) -> ScanPaths:
    """Make the folder of a small scan that has no journal yet."""
    paths = ScanPaths(folder)
    paths.jobs.mkdir()
    paths.inbox.mkdir()
    write_json(paths.spec, to_json(small_scan(**changes)))
    return paths


@contextmanager
def runner_of(paths: ScanPaths, backend: Backend | None = None) -> Iterator[Runner]:
    """Have a runner of a scan, which gives its lease back at the end."""
    runner = Runner(paths.folder, backend)
    try:
        yield runner
    finally:
        runner.scan.journal.close()
        runner.lease.release()


def seen_by_others(paths: ScanPaths) -> Any:
    """Return what faces see that read the journal of a scan."""
    return shown(ScanView(home.load(paths.folder)).apply_all(JournalReader(paths.journal).read()))


def shown(view: ScanView) -> Any:
    """Return all that faces show of a view."""
    return (
        view.seq,
        view.term,
        wire.head(view, view.state, 2000.0),
        [wire.row(view, v) for v in view.variants.values()],
    )
