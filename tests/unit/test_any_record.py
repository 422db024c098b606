"""Records from a folder, a job, a pack, a collector or a socket may hold anything.

Whatever is in it: who reads it gets a value that can be used, or an error with a sentence. Nothing
else comes out, also not later, when what was read is shown, sorted or sent on.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from jupyter_gridgpu import samplers
from jupyter_gridgpu.backends import base
from jupyter_gridgpu.backends.batch import batches, inquiry
from jupyter_gridgpu.backends.htcondor.transfer import FileTransfer
from jupyter_gridgpu.backends.local.backend import LocalBackend
from jupyter_gridgpu.backends.local.claims import read_claim
from jupyter_gridgpu.channels import drop, push
from jupyter_gridgpu.client import ScanHandle, look_at_scans
from jupyter_gridgpu.errors import GridGpuError, UsageError
from jupyter_gridgpu.images import check
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.scan import EarlierScan, to_json
from jupyter_gridgpu.model.scan_record import from_json
from jupyter_gridgpu.records.compare import Tolerance, compare
from jupyter_gridgpu.records.export import csv_table, html_report, json_file, optuna_study
from jupyter_gridgpu.records.packing import unpack
from jupyter_gridgpu.records.record import load_record
from jupyter_gridgpu.records.replay import ReplayRequest, plan_replay
from jupyter_gridgpu.records.verify import verify
from jupyter_gridgpu.runner import policy
from jupyter_gridgpu.server import notebook
from jupyter_gridgpu.server.command_body import parse_command
from jupyter_gridgpu.server.listing import RowQuery, row_page
from jupyter_gridgpu.server.stream import Stream
from jupyter_gridgpu.server.watched_scan import dumps
from jupyter_gridgpu.store import (
    earlier,
    fold_cache,
    home,
    home_mark,
    inbox,
    lease,
    lease_generations,
    manifest,
)
from jupyter_gridgpu.store import points as given_points
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.terminal import render
from jupyter_gridgpu.testing.examples import Story, small_scan
from jupyter_gridgpu.transport import key_files
from jupyter_gridgpu.transport.frames import whole_frames
from jupyter_gridgpu.transport.signing import parse_claim
from jupyter_gridgpu.widgets import static_table
from jupyter_gridgpu.worker.metrics import sender
from jupyter_gridgpu.worker.shared_files import SharedFileProblem, shared_places
from jupyter_gridgpu.worker.stop_file import read_stop
from tests import old_scans
from tests.any_record import ANY_BYTES, one_changed
from tests.kit import run_async

pytestmark = pytest.mark.any_record
EXAMPLES = settings(max_examples=int(os.environ.get("GRIDGPU_TEST_EXAMPLES", "120")))
KEY, COPY = "v0001.1", "3c439e8a"
ENDED = old_scans.FORMAT2 / "ended"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scan that has ended, in a home of its own. A test changes one file of it."""
    made = tmp_path_factory.mktemp("home") / "ended"
    shutil.copytree(ENDED, made)
    return made


@pytest.fixture(autouse=True)
def in_that_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDGPU_HOME", str(folder.parent))
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(folder.parent))
    # A runner that finds its lease unreadable looks again for two seconds.
    monkeypatch.setattr(lease_generations, "UNREADABLE_PAUSE_S", 0.0)


def lines_of(name: str) -> list[Any]:
    return [json.loads(line) for line in (ENDED / name).read_text().splitlines()]


def object_of(name: str) -> Any:
    return json.loads((ENDED / name).read_text())


# What is done with a record --------------------------------------------------------------


def show(handle: ScanHandle) -> None:
    """All that the faces do with a scan."""
    handle.refresh()
    state = handle.state
    head = wire.head(handle.view, state, 1e9)
    rows = [wire.row(handle.view, variant) for variant in handle.view.variants.values()]
    dumps([head, rows, handle.summary()])
    repr(handle.best)
    for ident in list(handle.view.variants):
        dumps(handle.job(ident))
        dumps(handle.curves(ident))
        dumps(handle.log_part(ident))
    for sort in ("id", "-value", "started", "state", "params.lr", "-metrics.acc", "step"):
        json.loads(row_page(handle, RowQuery(sort, text="done x")))
    static_table.html(head, rows).encode()
    console = Console(file=io.StringIO(), width=80)
    console.print(render(handle, state, console, limit=None))
    list(handle.view.waiting())
    repr(handle)


def show_folder(folder: Path) -> None:
    show(ScanHandle(folder))


def list_home(folder: Path) -> None:
    """What is wrong with one scan is said, and raises nothing at all."""
    found, left_out = look_at_scans(lambda handle: (handle.state, repr(handle), handle.best))
    assert len(found) + len(left_out) == 1
    home.find_fingerprint("x", None)
    with suppress(UsageError):
        home.find("some")


def evidence(folder: Path) -> None:
    """All that is done with a scan as evidence."""
    record = load_record(folder)
    again = load_record(ENDED)
    json.dumps(verify(record).to_json())
    for first, second in ((record, again), (again, record)):
        found = compare(first, second, Tolerance(), ())
        json.dumps(found.to_json())
    html_report.write(record, folder.parent / ".report.html", curves=False)


def data_files(folder: Path) -> None:
    """The scan as tables that other programs read."""
    record = load_record(folder)
    for exporter in (csv_table, json_file, optuna_study):
        exporter.write(record, folder.parent / ".export", curves=False)
        (folder.parent / ".export").read_bytes().decode()
    (folder.parent / ".export").unlink()


def again(folder: Path) -> None:
    """The plan of a replay, which is not started."""
    made = plan_replay(load_record(folder), ReplayRequest(), ask=False)
    from_json(json.loads(json.dumps(to_json(made.scan))))


def read_notebook(folder: Path) -> None:
    made = notebook.contents(ScanHandle(folder), "v0001")
    assert isinstance(json.loads(made)["content"]["cells"], list)


def read_mark(folder: Path) -> None:
    home_mark.read().encode()


def take_command(folder: Path) -> None:
    found = inbox.read(folder / "inbox" / "01.json")
    if found is not None:
        story = Story(seq=1000, term=1000)
        story.tell("command.applied", **found)
        handle = ScanHandle(folder)
        handle.refresh()
        handle.view.apply_all(story.events)
        show_view(handle)


def show_view(handle: ScanHandle) -> None:
    dumps(wire.head(handle.view, "running", 1e9))
    dumps([wire.row(handle.view, variant) for variant in handle.view.variants.values()])


def read_lease(folder: Path) -> None:
    path = folder / "runner.lock"
    lease.held(path)
    with suppress(GridGpuError):
        taken = lease.Lease(path)
        assert taken.term > 0
        taken.release()


def read_generation(folder: Path) -> None:
    lease.held(folder / "runner.lock")
    lease_generations.held(folder / "runner.lock", 60.0)


def read_points(folder: Path) -> None:
    story = Story()
    for point in given_points.read(folder / "points.jsonl"):
        story.tell("variant.proposed", **point)
    handle = ScanHandle(folder)
    handle.view.apply_all(story.events)
    show_view(handle)


def read_earlier(folder: Path) -> None:
    both = (Objective("acc", "maximize"), Objective("f1", "maximize"))
    scan = small_scan("lr = uniform(0, 2)\nx = choice([1], [2])", objectives=both, sampler="tpe")
    scan = replace(scan, warm_start=(EarlierScan("a", "a", 2),))
    trials = policy.earlier_trials(earlier.read(folder / "earlier.jsonl", scan))
    samplers.load_for(scan).propose(trials, 1, 0, 0)


def read_cache(folder: Path) -> None:
    paths = ScanPaths(folder)
    if fold_cache.read(paths, home.load(folder)) is not None:
        show_folder(folder)


def show_observed(folder: Path, seen: object) -> None:
    """Show the scan as if the runner had recorded what was seen of its job."""
    story = Story(seq=1000, term=1000)
    known = {name: value for name, value in vars(seen).items() if value is not None}
    story.tell("job.intended", key=KEY)
    story.tell("job.observed", key=KEY, **known)
    handle = ScanHandle(folder)
    handle.refresh()
    handle.view.apply_all(story.events)
    show_view(handle)


def read_result(folder: Path) -> None:
    paths = ScanPaths(folder)
    found = base.read_result(paths, KEY)
    if found is not None:
        show_observed(folder, found)
    manifest.job_files(paths, KEY)


def read_copy(folder: Path) -> None:
    info = base.copy_info(ScanPaths(folder).job(KEY).copy(COPY))
    base.gpu_label(info)


def read_claimed(folder: Path) -> None:
    owner = read_claim(ScanPaths(folder).job(KEY))
    if owner is not None and owner.process is not None:
        owner.process.alive()
        owner.process.age_s()
        assert owner.process.pid > 0


def read_job(folder: Path) -> None:
    """The runner's part; a worker that is given no sound job.json ends, and the job has failed."""
    backend = LocalBackend(small_scan(), ScanPaths(folder))
    assert all(isinstance(device, str) for device in backend._written_gpus(KEY))
    sender._sender_config(json_or_none(folder / "jobs" / KEY / "job.json"), ScanPaths(folder))


def json_or_none(path: Path) -> Any:
    with suppress(ValueError, RecursionError):
        body = json.loads(path.read_bytes())
        return body if isinstance(body, dict) else {}
    return {}


def read_engine(folder: Path) -> None:
    known = batches.BatchStore(ScanPaths(folder))
    for batch in known._read().values():
        ident = known.id_of(batch)
        assert ident is None or isinstance(ident, str)


def read_answers(folder: Path) -> None:
    found = inquiry._read_answer(folder / "answers.json")
    if found is not None:
        for status in found.tasks.values():
            assert isinstance(status.state, str)
            show_observed(folder, status)


def read_sender(folder: Path) -> None:
    scan = ScanPaths(folder)
    said: list[str] = []
    found = sender._sender_config({}, scan)
    assert found is None or isinstance(found, dict)
    sender._next_offset((folder / "sender.json").read_bytes())
    sender._age_s((folder / "sender.json").read_bytes())
    assert not said


def read_accounts(folder: Path) -> None:
    for path in (key_files.collector_file(), key_files.drop_file()):
        path.parent.mkdir(exist_ok=True)
        shutil.copy(folder / "account.json", path)
        path.chmod(0o600)
    for load in (push.load_account, drop.load_storage):
        with suppress(GridGpuError):
            load()
    push._read_cursor(folder / "account.json")
    drop._copy_name((folder / "account.json").read_bytes())


def read_shared_files(folder: Path) -> None:
    paths = ScanPaths(folder)
    for name, about in FileTransfer(paths).seen_by_nodes().items():
        assert isinstance(name, str)
        assert about["size"] >= 0
    with suppress(SharedFileProblem):
        for place in shared_places(paths):
            assert ".." not in place.parts
            assert not place.is_absolute()


def read_probe(folder: Path) -> None:
    output = (folder / "probe").read_bytes().decode("utf-8", "replace")
    with suppress(*check.UNSOUND):
        found = check._read_answer(output)
        assert all(isinstance(name, str) for name in (*found.packages, *found.kernels))


def read_frames(folder: Path) -> None:
    data = (folder / "frames").read_bytes()
    with suppress(ValueError):
        for frame, body, end in whole_frames(data):
            assert len(body) == frame.size <= end <= len(data)
    text = data.decode("utf-8", "replace")
    claim = parse_claim(text)
    assert claim is None or parse_claim(claim.text()) is not None


def hear(folder: Path) -> None:
    async def receive() -> None:
        stream = Stream(None, None)  # type: ignore[arg-type]
        data = (folder / "message").read_bytes()
        stream.receive(data)
        stream.receive(data.decode("utf-8", "replace"))
        assert len(stream._wishes) <= 2

    run_async(receive())
    with suppress(UsageError):
        parse_command((folder / "message").read_bytes())


# The records ---------------------------------------------------------------------------------

Look = Callable[[Path], object]
STATUS = {
    "state": "running", "reason": "oom", "message": "m", "where": "gpu", "node": "n",
    "started": 1.0, "ended": 2.0, "link": "http://x",
}  # fmt: skip
OBJECTS: dict[str, tuple[str, Any, tuple[Look, ...]]] = {
    "spec": ("scan.json", object_of("scan.json"), (show_folder, evidence, list_home, again)),
    "provenance": ("provenance.json", object_of("provenance.json"), (evidence,)),
    "shared files": (
        "shared-files.json",
        {"files": {"in/a.npz": {"path": "/etc/hosts", "size": Path("/etc/hosts").stat().st_size}}},
        (read_shared_files,),
    ),
    "job provenance": (
        f"jobs/{KEY}/{COPY}/provenance.json",
        object_of(f"jobs/{KEY}/{COPY}/provenance.json"),
        (evidence,),
    ),
    "job notebook": (
        f"jobs/{KEY}/{COPY}/output.ipynb",
        object_of(f"jobs/{KEY}/{COPY}/output.ipynb"),
        (read_notebook,),
    ),
    "notebook": ("notebook.ipynb", object_of("notebook.ipynb"), (evidence, again)),
    "mark": ("../.mark", {"x": 1}, (read_mark,)),
    "result": (f"jobs/{KEY}/result.json", object_of(f"jobs/{KEY}/result.json"), (read_result,)),
    "copy": (
        f"jobs/{KEY}/{COPY}/copy.json",
        object_of(f"jobs/{KEY}/{COPY}/copy.json"),
        (read_copy,),
    ),
    "claim": (f"jobs/{KEY}/claim.json", object_of(f"jobs/{KEY}/claim.json"), (read_claimed,)),
    "job": (f"jobs/{KEY}/job.json", object_of(f"jobs/{KEY}/job.json"), (read_job,)),
    "stop": (
        f"jobs/{KEY}/stop",
        {"why": "pruned", "message": "m"},
        (lambda folder: read_stop(folder / "jobs" / KEY / "stop"),),
    ),
    "lease": ("runner.lock", object_of("runner.lock"), (read_lease, list_home)),
    "generation": ("runner.lock.7", object_of("runner.lock"), (read_generation,)),
    "command": (
        "inbox/01.json",
        {
            "action": "extend", "variants": ["v0001"], "trials": 3, "by": "me", "repeats": 3,
            "add": [{"name": "a", "kind": "choice", "values": [1, "NaN"]}], "points": [{"a": 1}],
        },
        (take_command,),
    ),
    "batch": ("batches/b0001/engine.json", {"id": "17"}, (read_engine,)),
    "answers": ("answers.json", {"time": 1e9, "tasks": {"17_1": STATUS}}, (read_answers,)),
    "sender": (
        "sender.json",
        {"kind": "push", "url": "http://x", "scan": "s", "user": "u", "key": "00" * 32, "next": 3},
        (read_sender,),
    ),
    "account": (
        "account.json",
        {
            "url": "http://x", "user": "u", "secret": "00" * 32, "runner": "r", "jobs": "j",
            "store": "s", "cursor": 3, "copy": "ab",
        },
        (read_accounts,),
    ),
    "probe": (
        "probe",
        {"python": [3, 9], "packages": {"papermill": "2"}, "kernels": ["k"], "gpus": ["g"]},
        (read_probe,),
    ),
    "message": (
        "message",
        {"type": "open", "scan": "s", "since": 3, "action": "stop", "variants": ["v"], "trials": 1},
        (hear,),
    ),
    "frames": ("frames", {"D": 1}, (read_frames,)),
}  # fmt: skip
# Events that the journal of that scan has not.
MORE_EVENTS: list[dict[str, Any]] = [
    {"type": "runner.started"},
    {
        "type": "command.applied",
        "id": "a",
        "action": "extend",
        "variants": None,
        "trials": 2,
    },
    {
        "type": "command.applied",
        "id": "b",
        "action": "extend",
        "variants": None,
        "trials": None,
        "add": [{"name": "lr", "kind": "choice", "values": [0.7]}],
        "points": [{"lr": 0.7}],
        "repeats": 3,
        "first": 2,
    },
    {"type": "job.intended", "key": "v0002.2"},
    {"type": "job.submitted", "key": "v0002.2", "engine_id": "17"},
    {
        "type": "job.reported",
        "key": "v0002.2",
        "step": 1,
        "steps": 2,
        "at": 1e9,
        "usage": {"cpu": 1.0},
        "whole": True,
        "notebook": "jobs/v0002.2/a/output.ipynb",
        "metrics": {"acc": [3, 0.1, 0.3, [0.1, "NaN", 0.3]]},
    },
    {"type": "engine.noted", "message": "m"},
    {"type": "rule.met", "rule": "max-failures", "why": "w"},
    {"type": "scan.finished", "state": "done"},
]
MORE = [
    {"seq": 1001 + number, "term": 9, "t": 1e9 + number, **event}
    for number, event in enumerate(MORE_EVENTS)
]
LINES: dict[str, tuple[str, list[Any], tuple[Look, ...]]] = {
    "journal": (
        "journal.jsonl",
        [*lines_of("journal.jsonl"), *MORE],
        (show_folder, list_home, data_files),
    ),
    "metrics": (
        f"jobs/{KEY}/{COPY}/metrics.jsonl",
        [
            *lines_of(f"jobs/{KEY}/{COPY}/metrics.jsonl"),
            {"t": 1.0, "s": 1, "of": 2, "m": {"acc": 0.5}},
            {"t": 1.0, "beat": {"cpu": 1.0, "memory_mb": 2.0, "gpu": 3.0, "gpu_memory_mb": 4.0}},
        ],
        (show_folder, evidence),
    ),
    "manifest": ("manifest.jsonl", lines_of("manifest.jsonl"), (evidence,)),
    "points": (
        "points.jsonl",
        [{"variant": "v0001", "point": 0, "repeat": 0, "params": {"lr": 1, "x": [1]}}] * 2,
        (read_points,),
    ),
    "earlier": (
        "earlier.jsonl",
        [{"scan": "a", "point": 0, "params": {"lr": 1, "x": [1]}, "values": [0.5, 1]}] * 2,
        (read_earlier,),
    ),
}


def try_record(folder: Path, name: str, data: bytes, looks: tuple[Look, ...]) -> None:
    """Put a record in its place, look at it, and put back what was there."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_bytes() if path.exists() else None
    try:
        path.write_bytes(data)
        for look in looks:
            with suppress(GridGpuError):
                look(folder)
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)


@pytest.mark.parametrize("record", OBJECTS)
def test_a_file_of_any_bytes_is_a_sentence_or_a_value(folder: Path, record: str) -> None:
    name, _, looks = OBJECTS[record]

    @EXAMPLES
    @given(ANY_BYTES)
    def check(data: bytes) -> None:
        try_record(folder, name, data, looks)

    check()


@pytest.mark.parametrize("record", OBJECTS)
def test_a_file_with_one_other_value_is_a_sentence_or_a_value(folder: Path, record: str) -> None:
    name, sound, looks = OBJECTS[record]

    @EXAMPLES
    @given(one_changed(sound))
    def check(body: Any) -> None:
        try_record(folder, name, json.dumps(body).encode(), looks)

    check()


@pytest.mark.parametrize("record", LINES)
def test_a_line_of_any_bytes_is_passed_over_or_a_sentence(folder: Path, record: str) -> None:
    name, sound, looks = LINES[record]

    @EXAMPLES
    @given(st.integers(0, len(sound)), ANY_BYTES)
    def check(place: int, data: bytes) -> None:
        lines = [json.dumps(line).encode() for line in sound]
        try_record(folder, name, b"\n".join([*lines[:place], data, *lines[place:], b""]), looks)

    check()


@pytest.mark.parametrize("record", LINES)
def test_a_line_with_one_other_value_is_a_sentence_or_a_value(folder: Path, record: str) -> None:
    name, sound, looks = LINES[record]
    # Without their checksums, as an earlier version wrote them.
    bare = [{key: value for key, value in line.items() if key != "crc"} for line in sound]

    @EXAMPLES
    @given(one_changed(bare))
    def check(lines: list[Any]) -> None:
        text = "".join(json.dumps(line) + "\n" for line in lines)
        try_record(folder, name, text.encode(), looks)

    check()


def test_a_cached_fold_with_one_other_value_is_used_or_not(folder: Path) -> None:
    handle = ScanHandle(folder)
    handle.refresh()
    offset = handle.paths.journal.stat().st_size
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fold_cache, "LEAST_VARIANTS", 1)
        fold_cache.write(handle.paths, handle.view, offset)
    sound = json.loads(handle.paths.fold.read_text())

    @EXAMPLES
    @given(one_changed(sound))
    def check(body: Any) -> None:
        try_record(folder, "fold.json", json.dumps(body).encode(), (show_folder, evidence))

    @EXAMPLES
    @given(ANY_BYTES)
    def check_bytes(data: bytes) -> None:
        try_record(folder, "fold.json", data, (show_folder,))

    check()
    check_bytes()
    handle.paths.fold.unlink()


MEMBER = st.one_of(
    st.sampled_from(
        [
            *("scan.json", "ended/scan.json", "../x", "/etc/x", "ended/../x", "ended//x", ""),
            *("ended/a\\b", "ended/x\x1b", "ended/\udc80x", "ended/" + "x" * 999),
        ]
    ),
    st.text(max_size=12),
)


@EXAMPLES
@given(st.lists(st.tuples(MEMBER, st.integers(0, 2**32 - 1), st.binary(max_size=9)), max_size=5))
def test_a_pack_of_any_files_is_refused_or_unpacked(
    tmp_path_factory: pytest.TempPathFactory, members: list[tuple[str, int, bytes]]
) -> None:
    place = tmp_path_factory.mktemp("pack", numbered=True)
    with zipfile.ZipFile(place / "pack.zip", "w") as archive:
        for name, mode, data in members:
            info = zipfile.ZipInfo("x")
            info.filename, info.external_attr = name.encode("utf-8", "replace").decode(), mode
            with suppress(UserWarning):
                archive.writestr(info, data)
    with suppress(GridGpuError):
        unpack(place / "pack.zip", place / "into")
    shutil.rmtree(place)


@EXAMPLES
@given(ANY_BYTES, st.integers(0, 300), ANY_BYTES)
def test_a_damaged_pack_is_refused(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, cut: int, data: bytes
) -> None:
    place = tmp_path_factory.mktemp("pack", numbered=True)
    with zipfile.ZipFile(place / "pack.zip", "w") as archive:
        archive.writestr("ended/scan.json", data)
    whole = (place / "pack.zip").read_bytes()
    (place / "pack.zip").write_bytes(whole[:cut] + head[:9] + whole[cut + 9 :])
    with suppress(GridGpuError):
        unpack(place / "pack.zip", place / "into")
    shutil.rmtree(place)
