"""A pipe, a device, a link, a socket, a folder or a huge file at any name of a scan folder.

Every face and the runner end with a value or a sentence. None of them waits, and none of them shows
what is in a file outside of the folder. A good scan in the same home is not affected.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner

from jupyter_gridgpu import client, open_scan
from jupyter_gridgpu.backends.local.starters import ForkServer
from jupyter_gridgpu.cli.app import gridgpu
from jupyter_gridgpu.client import ScanHandle, list_scans
from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.records.export import export
from jupyter_gridgpu.records.packing import pack
from jupyter_gridgpu.records.record import load_record
from jupyter_gridgpu.records.verify import verify
from jupyter_gridgpu.runner import loop
from jupyter_gridgpu.runner.loop import Runner
from jupyter_gridgpu.server import notebook as server_notebook
from jupyter_gridgpu.server.scans import WatchedScans
from jupyter_gridgpu.server.watched_scan import Pace
from jupyter_gridgpu.store import home, home_mark, lease_generations
from jupyter_gridgpu.store.paths import ScanPaths
from tests.kit import eventually
from tests.odd_files import ODD_FILES, SECRET, make_odd
from tests.old_scans import CACHED, ENDED, bring

JOB = "jobs/v0002.2"
COPY = f"{JOB}/473db40d"
COMMAND = "inbox/00000000000000000001-a.json"
OF_THE_SCAN = (
    "scan.json", "notebook.ipynb", "worker.pyz", "worker.sh", "provenance.json", "points.jsonl",
    "earlier.jsonl", "manifest.jsonl", "journal.jsonl", "fold.json", "checkpoint.json",
    "runner.lock", "runner.lock.7", "runner.log", "image.mark", "inbox", COMMAND, "files", "jobs",
)  # fmt: skip
OF_A_JOB = (
    JOB, COPY, f"{JOB}/job.json", f"{JOB}/result.json", f"{JOB}/claim.json", f"{JOB}/stop",
    f"{JOB}/launch.log", f"{COPY}/copy.json", f"{COPY}/metrics.jsonl", f"{COPY}/result.json",
    f"{COPY}/output.ipynb", f"{COPY}/provenance.json", f"{COPY}/worker.log",
)  # fmt: skip
NAMES = OF_THE_SCAN + OF_A_JOB
VERIFIED = ("provenance.json", "notebook.ipynb", f"{COPY}/output.ipynb", f"{COPY}/metrics.jsonl")
GOOD = "good"
NEVER_S = 150  # a test that takes longer hangs

pytestmark = pytest.mark.timeout(NEVER_S)


@pytest.fixture(autouse=True)
def no_runners(monkeypatch: pytest.MonkeyPatch) -> None:
    """No face starts a runner here."""
    monkeypatch.setattr(client, "spawn", lambda folder: None)
    monkeypatch.setattr(loop, "PATIENCE_S", 0.1)
    monkeypatch.setattr(lease_generations, "UNREADABLE_PAUSE_S", 0.001)


@pytest.fixture(params=sorted(ODD_FILES))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def bad_scans(home: Path, kind: str) -> dict[str, Path]:
    """Make a scan for each name of NAMES, with something odd at that name; return their folders."""
    made = {}
    for number, name in enumerate(NAMES):
        folder = bring(ENDED, home).rename(home / f"bad-{number}")
        spec = json.loads((folder / "scan.json").read_text())
        (folder / "scan.json").write_text(json.dumps({**spec, "id": f"id-{number}"}))
        place = folder / name
        if place.is_dir():
            shutil.rmtree(place)
        make_odd(place, kind)
        made[name] = folder
    bring(CACHED, home).rename(home / GOOD)
    return made


def reads(handle: ScanHandle) -> Iterator[Callable[[], object]]:
    """Yield all that faces read of a scan and of one of its jobs."""
    yield handle.summary
    yield lambda: handle.state
    yield lambda: handle.best
    yield lambda: handle.job("v0002")
    yield lambda: handle.log_part("v0002")
    yield lambda: handle.curves("v0002")
    yield lambda: handle.runner_log()
    yield lambda: server_notebook.contents(handle, "v0002")


def test_every_face_says_something_of_every_odd_file(
    scans_home: Path, tmp_path: Path, kind: str
) -> None:
    bad = bad_scans(scans_home, kind)
    check_lists()
    for name, folder in bad.items():
        check_reads(name, folder)
        check_records(name, folder, kind, tmp_path)
    assert open_scan(GOOD).state == "done"


def check_lists() -> None:
    """The good scan is listed, whatever the others are like."""
    assert GOOD in [scan.name for scan in list_scans()]
    listed = CliRunner().invoke(gridgpu, ["list"])
    assert (listed.exit_code, listed.exception) == (0, None)
    assert GOOD in listed.output
    scans = WatchedScans(Pace(0.01, 0.01, 0.01, 0.0, 0.01), logging.getLogger("scans"))
    for _ in range(3):
        scans.sweep()
    assert GOOD in [head["name"] for head in scans.heads()]


def check_reads(name: str, folder: Path) -> None:
    """What faces read of a scan with something odd at `name` is a value or a sentence."""
    try:
        handle = open_scan(folder)
    except GridGpuError as error:
        assert name in ("scan.json", "journal.jsonl"), error  # noqa: PT017
        return
    seen = []
    for read in reads(handle):
        with contextlib.suppress(GridGpuError):
            seen.append(read())
    assert SECRET not in repr(seen), name


def check_records(name: str, folder: Path, kind: str, target: Path) -> None:
    """A scan with something odd at `name` is verified, exported and packed, or refused."""
    with contextlib.suppress(GridGpuError):
        record = load_record(folder)
        assert verify(record).exit_code or name not in VERIFIED, name
        export(record, "json", target / f"{folder.name}.json", curves=True)
        # It takes long to pack its zeros.
        if kind != "sparse":
            packed = pack(record, target / f"{folder.name}.gridscan.zip")
            with zipfile.ZipFile(packed) as archive:
                assert SECRET.encode() not in [archive.read(name) for name in archive.namelist()]


def refuse(*_: object) -> None:
    raise OSError("nothing is started here")


def test_a_runner_takes_every_odd_file(
    scans_home: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # These scans have ended, and a fork server would take most of the time.
    monkeypatch.setattr(ForkServer, "open", lambda self: None)
    monkeypatch.setattr(ForkServer, "start", refuse)
    for folder in bad_scans(scans_home, kind).values():
        # These are the errors that a runner says in its log.
        with contextlib.suppress(GridGpuError, OSError):
            Runner(folder).run()


def test_no_worker_is_started_from_an_odd_file(scans_home: Path, kind: str) -> None:
    paths = ScanPaths(bring(ENDED, scans_home))
    make_odd(paths.worker, kind)
    starter = ForkServer(paths)
    if kind == "sparse":  # a Python ends at once with it
        return
    with pytest.raises(OSError, match="plain"):
        starter.open()
    assert starter.process is None


def _has_ended(process: subprocess.Popen[str]) -> bool:
    return process.poll() is not None


def test_a_runner_of_its_own_ends_at_a_pipe(scans_home: Path) -> None:
    bad = bad_scans(scans_home, "pipe")
    names = ("scan.json", "journal.jsonl", "runner.lock", "manifest.jsonl", COMMAND)
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "jupyter_gridgpu.runner", bad[name]],
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    try:
        for name, process in zip(names, started, strict=True):
            eventually(partial(_has_ended, process), f"the end for {name}")
            assert process.stderr is not None
            said = process.stderr.read()
            assert "Traceback" not in said
            assert process.returncode == 0 or said
    finally:
        for process in started:
            process.kill()
            process.communicate()


@pytest.mark.parametrize("name", [".mark", ".starting"])
def test_odd_files_of_a_home(scans_home: Path, kind: str, name: str) -> None:
    bring(ENDED, scans_home)
    make_odd(scans_home / name, kind)
    assert ENDED in [scan.name for scan in list_scans()]
    assert SECRET not in home_mark.leave()
    with contextlib.suppress(GridGpuError), home.starting():
        pass
