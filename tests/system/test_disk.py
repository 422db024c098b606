"""Disks that are full or may not be written."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_gridgpu.store import inbox
from tests.kit import eventually

from .helpers import gone, one_sentence, space, strict_json
from .lab import Lab, ScanOfLab
from .notebooks import LONG, Executed


def _mount(*words: str) -> bool:
    """Run mount or umount, as root or by a sudo that asks nothing, and return whether it did it."""
    for prefix in ([], ["sudo", "-n"]):
        command = [*prefix, *words]
        if not shutil.which(command[0]):
            continue
        if subprocess.run(command, capture_output=True).returncode == 0:
            return True
    return False


@pytest.fixture
def small_disk(tmp_path: Path, lab: Lab) -> Iterator[Path]:
    """Yield a file system of 4 MB, with the lab's home on it."""
    place = tmp_path / "disk"
    place.mkdir()
    wanted = f"size=4m,mode=700,uid={os.getuid()},gid={os.getgid()}"
    if not _mount("mount", "-t", "tmpfs", "-o", wanted, "tmpfs", str(place)):
        assert os.environ.get("CI") != "true", "this has to be tested in CI: let it mount a tmpfs"
        pytest.skip("a tmpfs cannot be mounted here")
    lab.home = place / "home"
    yield place
    lab.end()
    eventually(lambda: _mount("umount", str(place)))


def fill(place: Path) -> Path:
    """Write a file until the disk is full, and return its path."""
    ballast = place / "ballast"
    with contextlib.suppress(OSError), open(ballast, "ab", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return ballast


def test_full_from_the_start(small_disk: Path, lab: Lab) -> None:
    """One sentence, exit code 3, nothing half-made; with space, the same request works."""
    lab.home.mkdir()
    ballast = fill(small_disk)
    notebook = lab.notebook()
    ran = lab.gridgpu("run", str(notebook), *space(n=[1]), code=3)
    assert "No space left on device" in one_sentence(ran.stderr)
    assert [path.name for path in lab.home.iterdir() if path.name != ".starting"] == []
    ballast.unlink()
    assert lab.run(notebook, *space(n=[1])).show()["state"] == "done"


def test_nearly_full_from_the_start(small_disk: Path, lab: Lab) -> None:
    """Wherever a start runs out of space, it says so and leaves nothing that looks like a scan."""
    lab.home.mkdir()
    ballast = fill(small_disk)
    notebook = lab.notebook()
    for pages in range(1, 8):
        os.truncate(ballast, ballast.stat().st_size - 4096 * pages)
        ran = lab.gridgpu("run", str(notebook), *space(n=[1]), "--no-wait", code=None)
        if ran.returncode == 0:
            break
        assert ran.returncode == 3
        one_sentence(ran.stderr)
        assert strict_json(lab.gridgpu("list", "--json").stdout) == {"scans": [], "left_out": []}
        fill(small_disk)


def test_fills_while_the_scan_runs(small_disk: Path, lab: Lab) -> None:
    """The journal stays sound and nothing is called failed; with space again the scan ends."""
    scan = lab.training(4, "--parallel", "1", steps=LONG)
    scan.wait_for("v0001", loss=1)
    ready = small_disk / "ready"
    ready.mkdir()
    # Commands make the runner write into the journal, once there is no space left.
    names = [inbox.post(ready, "resume") for _ in range(100)]
    ballast = fill(small_disk)
    for name in names:  # linked, so that obeying one frees nothing
        os.link(ready / f"{name}.json", scan.folder / "inbox" / f"{name}.json")
    eventually(lambda: not scan.runners(), what="the runner gives up")
    check_sound_while_full(scan)
    assert "No space left on device" in one_sentence(scan.gridgpu("stop", code=3).stderr)
    ballast.unlink()
    lab.hurry()
    scan.gridgpu("resume")
    body = scan.wait()
    assert body["state"] == "done"
    assert [variant["state"] for variant in body["variants"]] == ["done"] * 4
    assert [variant["attempts"] for variant in body["variants"]] == [1] * 4
    losses = [variant["metrics"] for variant in body["variants"]]
    assert losses == [{"loss": LONG * number} for number in range(1, 5)]
    assert lab.marks() == ["1", "2", "3", "4"]
    check_sound_while_full(scan)
    applied = [event["id"] for event in scan.events_of("command.applied")]
    assert len(applied) == len(set(applied)) >= len(names)


def check_sound_while_full(scan: ScanOfLab) -> None:
    """Check that every line of the journal is an event, and that `show` tells no failure."""
    scan.events()
    body = scan.show()
    assert body["state"] in ("running", "orphaned", "done")
    assert "failed" not in [variant["state"] for variant in body["variants"]]


def test_fills_for_a_while(small_disk: Path, lab: Lab) -> None:
    """A training does not fail because there was no space when it ended.

    Its metrics, its notebook and its result are written as soon as there is space again.
    """
    scan = lab.training(1, steps=LONG)
    scan.wait_for("v0001", loss=1)
    kernel = scan.kernel("v0001.1")
    ballast = fill(small_disk)
    lab.hurry()
    eventually(lambda: gone(kernel), what="the training comes to its end")
    check_sound_while_full(scan)
    ballast.unlink()
    scan.gridgpu("resume")
    variant = scan.wait()["variants"][0]
    assert (variant["state"], variant["attempts"]) == ("done", 1)
    assert variant["metrics"] == {"loss": LONG}
    assert f"epoch {LONG}" in Executed.read(variant["notebook"]).text()
    assert lab.marks() == ["1"]


def test_home_that_is_read_only(small_disk: Path, lab: Lab) -> None:
    assert _mount("mount", "-o", "remount,ro", str(small_disk))
    ran = lab.gridgpu("run", str(lab.notebook()), *space(n=[1]), code=3)
    assert "GRIDGPU_HOME" in one_sentence(ran.stderr)
    assert not lab.home.exists()


def test_home_that_is_a_file(lab: Lab) -> None:
    lab.home.write_text("in the way")
    one_sentence(lab.gridgpu("run", str(lab.notebook()), *space(n=[1]), code=3).stderr)
    assert strict_json(lab.gridgpu("list", "--json").stdout) == {"scans": [], "left_out": []}
    lab.home = lab.home / "below"
    ran = lab.gridgpu("run", str(lab.notebook()), *space(n=[1]), code=3)
    assert str(lab.home) in one_sentence(ran.stderr)
    assert (lab.folder / "home").read_text() == "in the way"


def test_scan_folder_that_was_removed(lab: Lab) -> None:
    """A user who deletes the folder of a running scan ends it: runner and jobs go."""
    scan = lab.training(2, "--parallel", "1", steps=LONG)
    scan.wait_for("v0001", loss=1)
    shutil.rmtree(scan.folder, ignore_errors=True)
    eventually(lambda: not scan.processes(), what="all of it ends")
    one_sentence(lab.gridgpu("show", scan.name, code=2).stderr)
