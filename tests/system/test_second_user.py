"""Another user of this machine can neither read nor write, nor reach, what a scan has there."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jupyter_gridgpu.backends.batch.inquiry import _locked
from jupyter_gridgpu.client import open_scan
from jupyter_gridgpu.errors import ForeignScan
from jupyter_gridgpu.store.paths import write_json
from jupyter_gridgpu.transport import key_files
from tests.kit import eventually
from tests.second_user import allowed, as_other, needs_root, open_place

from .helpers import space
from .lab import Lab


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that everybody may enter, with a file that everybody may read."""
    with open_place() as made:
        (made / "seen").write_text("")
        yield made


@pytest.fixture
def open_umask() -> Iterator[None]:
    """What is made without care is open to everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


def sockets_of(processes: list[psutil.Process]) -> set[str]:
    """Return the sockets in the file system that processes have."""
    found = set()
    for process in processes:
        with contextlib.suppress(psutil.Error):
            found |= {item.laddr for item in process.net_connections("unix") if item.laddr}
    return {path for path in found if path.startswith("/")}


def reached(paths: set[str]) -> list[str]:
    """Return the sockets that accept a connection of whoever calls this."""
    found = []
    for path in sorted(paths):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as one:
            one.connect(path)
            found.append(path)
    return found


@needs_root
def test_a_running_scan_is_closed_to_other_users(lab: Lab, place: Path, open_umask: None) -> None:
    """Its folder, the scratch folders of its jobs, the sockets of kernels and their parent."""
    lab.home = place / "home"
    axes = space(n=[1, 2], mark=str(lab.mark), steps=60, pause=0.5)
    scan = lab.start(lab.notebook(), *axes)
    try:
        scan.wait_for("v0001", loss=0.0)
        scan.wait_for("v0002", loss=0.0)
        sockets = eventually(lambda: sockets_of(scan.processes()), "a kernel has a socket")
        scratch = [Path(path).parent for path in sockets]
        assert any(path.name.startswith("gridgpu-") for path in scratch)
        inside = [path for folder in scratch for path in [folder, *folder.rglob("*")]]
        assert reached(sockets) != []
        assert as_other(lambda: reached(sockets)) == []
        assert allowed([place / "seen"]) == [f"read {place / 'seen'}"]
        assert allowed([lab.home, *lab.home.rglob("*"), *inside]) == []
    finally:
        lab.hurry()
        scan.wait()
    assert allowed([lab.home, *lab.home.rglob("*")]) == []


@needs_root
def test_keys_and_answers_of_batch_systems_are_closed_to_other_users(
    place: Path, open_umask: None
) -> None:
    answers = place / ".engines"
    with _locked(answers / "slurm.lock"):
        write_json(answers / "slurm.json", {"time": 1.0, "tasks": {}})
    key_files.write(place / "settings" / "collector.json", {"key": "secret"})
    (place / "settings").chmod(0o755)
    assert allowed([answers, *answers.iterdir()]) == []
    assert allowed([place / "settings" / "collector.json"]) == []


@needs_root
def test_a_second_user_looks_at_a_scan_that_may_be_read(lab: Lab, place: Path) -> None:
    lab.home = place / "home"
    scan = lab.run(lab.notebook("pass"), *space(n=[1]))
    for path in [lab.home, scan.folder, *scan.folder.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o055)
    looked = as_other(lambda: open_scan(scan.folder).summary())
    assert (looked["state"], len(looked["variants"])) == ("done", 1)
    assert "belongs to root" in looked["foreign"]
    assert "belongs to root" in as_other(lambda: _refusal(scan.folder))
    assert list((scan.folder / "inbox").iterdir()) == []


def _refusal(folder: Path) -> str:
    """Return why a command to a scan is refused."""
    try:
        return open_scan(folder).command("retry")
    except ForeignScan as error:
        return str(error)


@needs_root
def test_a_second_user_is_one(place: Path) -> None:
    """The other tests of this file mean something."""
    (place / "open").write_text("")
    (place / "open").chmod(0o666)
    assert allowed([place / "open"]) == [f"read {place / 'open'}", f"write {place / 'open'}"]
    assert as_other(os.geteuid) == 65534
