"""How long a disk may show an old state, and what does not end because of it."""

from __future__ import annotations

import errno
import os
import socket
import time
from pathlib import Path

import pytest

from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.runner import driven_scan
from jupyter_gridgpu.runner.driven_scan import DrivenScan
from jupyter_gridgpu.store import late_disk, lease
from jupyter_gridgpu.store.late_disk import freshen, has_size, seen_late_s
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.testing.examples import small_scan
from jupyter_gridgpu.worker.stop_file import read_stop
from tests.stale_view import StaleView

ROOT = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"
HOME = "36 21 0:40 / {} rw,noatime shared:2 - {} server:/home {}"


@pytest.mark.parametrize(
    ("kind", "options", "seconds"),
    [
        ("ext4", "rw", 0.0),
        ("xfs", "rw", 0.0),
        ("overlay", "rw,lowerdir=/a", 0.0),
        ("lustre", "rw,flock", 0.0),
        ("gpfs", "rw", 0.0),
        ("nfs4", "rw,vers=4.2,hard", 65.0),
        ("nfs", "rw,acregmin=1,acregmax=5,acdirmin=1,acdirmax=20", 25.0),
        ("nfs4", "rw,actimeo=600", 605.0),
        ("nfs4", "rw,noac", 0.0),
        ("fuse.eosxd", "rw", 65.0),
        ("fuse.bindfs", "rw", 65.0),
        ("cifs", "rw", 65.0),
    ],
)
def test_how_long_a_disk_may_show_an_old_state(
    tmp_path: Path, kind: str, options: str, seconds: float
) -> None:
    table, home = tmp_path / "mountinfo", os.path.realpath(tmp_path)
    place = home.replace(" ", r"\040")
    table.write_text(f"{ROOT}\n{HOME.format(place, kind, options)}\nodd line\n")
    assert seen_late_s(tmp_path / "scans" / "one", str(table)) == seconds
    assert seen_late_s(Path(f"{home}-other"), str(table)) == 0.0
    assert seen_late_s(tmp_path, str(tmp_path / "none")) == 0.0


def test_of_two_disks_at_one_place_the_later_one_counts(tmp_path: Path) -> None:
    table, home = tmp_path / "mountinfo", os.path.realpath(tmp_path)
    lines = [ROOT, HOME.format(home, "nfs4", "rw"), HOME.format(home, "tmpfs", "rw")]
    table.write_text("\n".join(lines))
    assert seen_late_s(tmp_path, str(table)) == 0.0
    assert seen_late_s(tmp_path) >= 0.0  # of this machine


def test_to_freshen_a_folder_leaves_nothing_and_asks_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = StaleView(tmp_path, monkeypatch)
    view.like_nfs = True
    assert os.listdir(tmp_path) == []
    with view.elsewhere():
        (tmp_path / "new").write_text("x")
    assert os.listdir(tmp_path) == []
    freshen(tmp_path)
    assert os.listdir(tmp_path) == ["new"]
    freshen(tmp_path / "none")


def test_a_file_has_a_size_if_it_can_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert not has_size(path, 0, exact=False)
    path.write_text("abc")
    assert has_size(path, 2, exact=False)
    assert not has_size(path, 2, exact=True)
    assert has_size(path, 3, exact=True)
    (tmp_path / "link").symlink_to(path)
    assert not has_size(tmp_path / "link", 3, exact=True)


def test_an_owner_elsewhere_is_believed_longer_where_its_time_stamp_is_seen_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "runner.lock"
    write_json(path, {"term": 3, "held": True, "host": "not-" + socket.gethostname(), "pid": 7})
    then = time.time() - lease.STALE_S - 20
    os.utime(path, (then, then))
    body = lease._body(path)
    assert not lease._renewed_elsewhere(path, body)
    monkeypatch.setattr(lease, "seen_late_s", lambda path: 65.0)
    assert lease._renewed_elsewhere(path, body)
    assert lease.stale_s(path) == lease.STALE_S + 65.0


def test_a_disk_that_forgot_a_stop_file_stops_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It raised OSError in the worker, which ended the job."""
    stop = tmp_path / "stop"
    assert read_stop(stop) is None
    stop.write_text("")
    assert read_stop(stop) == ("user", None)
    StaleView(tmp_path, monkeypatch).forgets = {str(stop)}
    with pytest.raises(OSError, match="Stale") as caught:
        stop.exists()
    assert caught.value.errno == errno.ESTALE
    assert read_stop(stop) is None


def test_a_scan_folder_that_is_away_for_a_moment_does_not_end_its_runner(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "scan"
    folder.mkdir()
    spec = small_scan()
    ScanPaths(folder).spec.write_text("{}")
    scan = DrivenScan(spec, ScanPaths(folder), 1)
    scan.require_folder()
    folder.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):  # a tick that fails so is tried again
        scan.require_folder()
    (tmp_path / "away").rename(folder)
    scan.require_folder()
    folder.rename(tmp_path / "away")
    monkeypatch.setattr(driven_scan, "GONE_S", 0.0)
    with pytest.raises(StorageError, match="was moved or removed"):
        scan.require_folder()
    scan.journal.close()


def test_all_kinds_are_named_once() -> None:
    assert "nfs4" not in late_disk.PROMPT
