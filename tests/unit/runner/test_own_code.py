"""worker.pyz and worker.sh are ours whenever a job is sent, whatever lay in the folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from jupyter_gridgpu import images
from jupyter_gridgpu.records.record import load_record
from jupyter_gridgpu.records.verify import verify
from jupyter_gridgpu.runner.driven_scan import DrivenScan
from jupyter_gridgpu.runner.own_code import check_code
from jupyter_gridgpu.store.manifest import ManifestWriter
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan
from jupyter_gridgpu.worker.packing import packed
from tests.unit.records.kit import write_scan

BAD = b"import os; os.system('evil')"


def driven(paths: ScanPaths) -> DrivenScan:
    return DrivenScan(small_scan(), paths, 1)


def check(paths: ScanPaths) -> None:
    check_code(driven(paths), ManifestWriter(paths))


def assert_ours(paths: ScanPaths) -> None:
    assert paths.worker.read_bytes() == packed()
    assert paths.launcher.read_text() == images.launcher_text(small_scan())
    assert not paths.worker.is_symlink()


def missing(path: Path) -> None:
    path.unlink(missing_ok=True)


def changed(path: Path) -> None:
    path.write_bytes(BAD)


def longer(path: Path) -> None:
    path.write_bytes(packed() + b"\0")


def link(path: Path) -> None:
    elsewhere = path.parent.parent / "elsewhere"
    elsewhere.write_bytes(packed())
    path.unlink(missing_ok=True)
    path.symlink_to(elsewhere)


@pytest.mark.parametrize("name", ["worker.pyz", "worker.sh"])
@pytest.mark.parametrize("change", [missing, changed, longer, link])
def test_what_is_not_ours_is_written_anew(change: Callable[[Path], None], name: str) -> None:
    paths = write_scan().paths
    check(paths)
    assert_ours(paths)
    change(paths.folder / name)
    check(paths)
    assert_ours(paths)
    assert verify(load_record(paths.folder)).exit_code == 0


def test_what_is_ours_is_left_alone() -> None:
    paths = write_scan().paths
    check(paths)
    before = paths.worker.stat()
    lines = paths.manifest.read_text()
    check(paths)
    assert paths.worker.stat() == before
    assert paths.manifest.read_text() == lines


def test_jobs_under_way_keep_the_recorded_code_of_an_earlier_version() -> None:
    """Their Python reads parts of worker.pyz late, so the file must not change under them."""
    paths = write_scan(jobs={1: {}}, finished=False).paths
    launcher = images.launcher_text(small_scan())
    paths.launcher.write_text(launcher)
    ManifestWriter(paths).renew(["worker.pyz", "worker.sh"])
    check(paths)
    assert paths.worker.read_bytes() == b"worker"
    paths.worker.write_bytes(BAD)
    check(paths)
    assert_ours(paths)
