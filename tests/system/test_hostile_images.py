"""Scans whose jobs run in a hostile image, in real containers."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines import images

from .helpers import options, space, strict_json
from .lab import Lab, ScanOfLab

RUNTIMES = ("apptainer", "podman")
SECRET = "a key of the user"
TRAIN = "from jupyter_gridgpu import report\nreport(epoch=1, loss=lr)"
COPY_FILES = ("copy.json", "output.ipynb", "worker.log", "provenance.json")
COPY = "ab12cd34"
TRICKS = ("links", "pipes", "sockets", "endless", "folders", "link at the copy")


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """Yield a folder outside /tmp, which no container sees as it is."""
    folder = Path(tempfile.mkdtemp(prefix="gridgpu-test-", dir="/var/lib"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def attacked(elsewhere: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """Return a lab of a user whose home has keys, with both runtimes."""
    runtimes = {**images.apptainer_environment(), **images.podman_environment()}
    for name, value in runtimes.items():
        monkeypatch.setenv(name, value)
    user = elsewhere / "user"
    for name in (".ssh/id_ed25519", ".ssh/authorized_keys", ".config/gridgpu/collector.json"):
        (user / name).parent.mkdir(parents=True, exist_ok=True)
        (user / name).write_text(SECRET)
    lab = Lab(elsewhere, user / "scans of mine")
    lab.env.update(HOME=str(user), CUDA_VISIBLE_DEVICES="")
    return lab


def digests(folder: Path) -> dict[str, str]:
    """Return a digest of each file of a folder, by its path in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def keys(scan: ScanOfLab) -> list[Path]:
    return sorted((scan.folder / "jobs").iterdir())


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_an_image_changes_and_reads_nothing_but_its_jobs_own(
    attacked: Lab, elsewhere: Path, tmp_path: Path, runtime: str
) -> None:
    user = elsewhere / "user"
    other = attacked.run(attacked.notebook(TRAIN, parameters="lr = 0.1"), *space(lr=[0.1]))
    folder = attacked.home / "attacked"
    in_scan = (
        "worker.sh", "worker.pyz", "scan.json", "notebook.ipynb", "journal.jsonl", "runner.lock",
        "runner.log", "provenance.json", "files/data.txt", "inbox/command", "image.mark",
        "jobs/v0002.1/job.json", "jobs/v0002.1/result.json", "jobs/v0001.1/job.json",
        "jobs/v0001.1/claim.json", "jobs/new",
    )  # fmt: skip
    targets = [folder / name for name in in_scan]
    targets += [other.folder / "scan.json", other.folder / "inbox/command", attacked.home / "new"]
    targets += [user / ".ssh/authorized_keys", user / ".config/gridgpu/collector.json"]
    listening = tmp_path / "a.sock"  # below /tmp, as those of many programs are
    secrets = [user / ".ssh/id_ed25519", user / ".config/gridgpu/collector.json", listening]
    (elsewhere / "data.txt").write_text("data")
    words = space(
        trick=["look"],
        targets=["|".join(map(str, targets))],
        secrets=["|".join(map(str, secrets))],
        lr=[0.1, 0.2],
    )
    image = options(f"--image {images.hostile_sandbox()} --runtime {runtime} --files data.txt")
    notebook = attacked.notebook(
        TRAIN, parameters="trick = targets = secrets = ''\nlr = 0.1", name="attacked"
    )
    theirs = digests(user / ".ssh"), digests(user / ".config"), digests(other.folder)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(listening))
        server.listen()
        scan = attacked.run(notebook, *words, *image)
    assert scan.folder == folder
    assert [variant["state"] for variant in scan.show()["variants"]] == ["done", "done"]
    for job in keys(scan):
        assert (job / "seen.json").exists(), (job / "launch.log").read_text()
        seen = strict_json((job / "seen.json").read_text())
        assert (seen["done"], seen["read"]) == ([], [])
    assert (digests(user / ".ssh"), digests(user / ".config"), digests(other.folder)) == theirs
    assert {path.parent.parent.name for path in user.rglob("*evil*")} <= {"jobs"}
    # What runs as its owner is where nobody else comes, and goes along into no pack.
    assert (scan.folder / "jobs/v0001.1/su").stat().st_mode & stat.S_ISUID
    assert scan.folder.stat().st_mode & 0o077 == 0
    scan.gridgpu("verify")


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_what_an_image_leaves_in_place_of_files_neither_hangs_nor_leads_elsewhere(
    attacked: Lab, elsewhere: Path, runtime: str
) -> None:
    led = elsewhere / "led"
    for place, number in ((led, 1), (led / "copy", 1 + TRICKS.index("link at the copy"))):
        place.mkdir()
        for name in ("stop", "launch.log", *COPY_FILES):
            (place / name).write_text(SECRET)
        result = {"key": f"v{number:04d}.1", "state": "done", "message": SECRET, "copy": COPY}
        (place / "result.json").write_text(json.dumps(result))
        reading = {"step": 1, "values": {"secret": 1.0}, "message": SECRET}
        (place / "metrics.jsonl").write_text(json.dumps(reading) + "\n")
    before = digests(led)
    notebook = attacked.notebook(TRAIN, parameters="trick = elsewhere = ''\nlr = 0.1")
    words = space(trick=[*TRICKS, ""], elsewhere=[str(led)], lr=[0.1])
    image = options(f"--image {images.hostile_sandbox()} --runtime {runtime}")
    scan = attacked.run(notebook, *words, *image, *options("--max-failures 9"), code=1)
    variants = scan.show()["variants"]
    assert [variant["state"] for variant in variants] == ["failed"] * len(TRICKS) + ["done"]
    assert [variant["metrics"] for variant in variants[:-1]] == [{}] * len(TRICKS)
    for variant in variants:
        said = scan.gridgpu("logs", variant=variant["id"], code=None)
        assert SECRET not in said.stdout + said.stderr
    assert SECRET not in (scan.folder / "journal.jsonl").read_text()
    scan.gridgpu("verify", code=None)
    assert digests(led) == before
