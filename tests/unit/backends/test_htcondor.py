from __future__ import annotations

import json
import os
import re
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_gridgpu.backends.batch.batches import BatchStore, still_sending
from jupyter_gridgpu.backends.htcondor import ads, bindings, description, quoting
from jupyter_gridgpu.backends.htcondor import backend as htcondor_backend
from jupyter_gridgpu.backends.htcondor.backend import HTCondorBackend
from jupyter_gridgpu.backends.htcondor.start_script import shell_arguments
from jupyter_gridgpu.backends.htcondor.transfer import FileTransfer
from jupyter_gridgpu.errors import BackendError, Unreachable
from jupyter_gridgpu.model.resources import Container, Placement, Resources
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.testing.examples import small_scan
from jupyter_gridgpu.worker.metrics.mirror import Mirror

RECORDED: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "htcondor" / "ads-23.9.json").read_text()
)


# what it says -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "state", "reason", "words"),
    [
        ("queue: no machine fits", "queued", None, "Waits for a machine: no match found."),
        ("queue: running", "running", None, None),
        (
            "held: held by its user",
            "queued",
            None,
            "Held: to look at it (by user physicist). It waits for its release.",
        ),
        ("held: over its memory", "failed", "oom", "memory usage exceeded request_memory."),
        (
            "held: over its time",
            "failed",
            "timeout",
            "The job exceeded allowed execute duration of 00:03.",
        ),
        ("left: over its memory", "failed", "oom", "memory usage exceeded request_memory."),
        (
            "left: over its time",
            "failed",
            "timeout",
            "The job exceeded allowed execute duration of 00:03.",
        ),
        (
            "left: removed by a policy",
            "failed",
            "node",
            "Removed by HTCondor: The job attribute PeriodicRemove",
        ),
        (
            "left: removed by its user",
            "cancelled",
            "user",
            "Removed from HTCondor by physicist: ended by its user.",
        ),
        (
            "left: node without the folder",
            "done",
            "node",
            "The node does not see the scan's folder.",
        ),
        (
            "left: ended by a signal",
            "done",
            "node",
            "The job was ended by signal 9 and left no result.",
        ),
        ("left: ended well", "done", None, None),
    ],
)
def test_what_htcondor_said_is_understood(
    name: str, state: str, reason: str | None, words: str | None
) -> None:
    seen = (ads.history_status if name.startswith("left") else ads.queue_status)(
        RECORDED[name], pool="pool"
    )
    assert (seen.state, seen.reason, seen.where) == (state, reason, "pool")
    assert (words or "") in (seen.message or "")
    assert (words is None) == (seen.message is None)
    assert seen.node in (None, "node1@vm", "node2@vm")


def test_a_job_that_waits_says_how_many_machines_fit() -> None:
    waits = RECORDED["queue: no machine fits"]
    assert (
        ads.queue_status(waits, 0).message
        == "Waits, but no machine of the pool fits what it asks for."
    )
    assert ads.queue_status(waits, 3).message == "Waits: 3 machines fit, none is free for it now."
    assert ads.queue_status({**waits, "NumJobStarts": 1}, 1).message == (
        "It ran before, and starts again. Waits: one machine fits, none is free for it now."
    )


# The times of an ad are those of the schedd's clock, and the last moment is its own.
STARTED, SILENT = 1_795_810_320, 1_795_810_324
DISCONNECTED = {
    "JobStatus": ads.RUNNING,
    "RemoteHost": "slot1_1@node2@vm",
    "JobCurrentStartDate": STARTED,
    "JobDisconnectedDate": SILENT,
    "JobCurrentReconnectAttempt": 4,
    "JobLeaseDuration": 1200,
    "ServerTime": SILENT + 200,
}


def at(seconds: float) -> str:
    return time.strftime("%H:%M", time.localtime(seconds))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "The node has been silent for 3 min; HTCondor waits for it until {until}."),
        ({"ServerTime": SILENT + 5}, "The node has been silent for less than a minute;"),
        ({"JobLeaseDuration": None}, "The node has been silent for 3 min; HTCondor waits for it."),
        # It runs on another node, and the date is still that of the first.
        ({"JobCurrentStartDate": SILENT + 30}, None),
        # HTCondor leaves the attempts undefined once the node answers, or when the job runs again.
        ({"JobCurrentReconnectAttempt": None}, None),
        ({"JobDisconnectedDate": None}, None),
        ({"JobStatus": ads.SUSPENDED}, "Suspended by its node."),
    ],
)
def test_a_silent_node_is_said_with_the_end_of_the_wait(
    changes: dict[str, Any], words: str | None
) -> None:
    seen = ads.queue_status({**DISCONNECTED, **changes})
    assert seen.state == "running"
    if words is None:
        assert seen.message is None
    else:
        assert (seen.message or "").startswith(words.format(until=at(SILENT + 1200)))


def test_of_an_idle_job_no_silence_is_said_but_why_it_starts_again() -> None:
    idle = {**DISCONNECTED, "JobStatus": ads.IDLE, "VacateReasonCode": ads.LEASE_OVER}
    seen = ads.queue_status(idle, 1)
    assert seen.message == (
        "Its node was silent for too long; it starts again."
        " Waits: one machine fits, none is free for it now."
    )


BY_HAND = "via condor_rm (by user physicist)"
SITE = "The system macro SYSTEM_PERIODIC_REMOVE expression '{}' evaluated to TRUE"


@pytest.mark.parametrize(
    ("ad", "state", "reason", "words"),
    [
        # Its worker gets the time to save that was asked for.
        ({"ServerTime": SILENT + 70}, "running", None, "by physicist: via condor_rm. It saves"),
        ({"ServerTime": SILENT + 700}, "cancelled", "user", "by physicist: via condor_rm."),
        ({"RemoteHost": None}, "cancelled", "user", "Removed from HTCondor by physicist: via"),
        (
            {"JobDisconnectedDate": SILENT, "JobCurrentReconnectAttempt": 2},
            "cancelled",
            "user",
            "Removed from HTCondor by physicist: via condor_rm.",
        ),
        (
            {"RemoteHost": None, "RemoveReason": "too (very) long. (by user root)"},
            "cancelled",
            "user",
            "Removed from HTCondor by root: too (very) long.",
        ),
        (
            {"RemoteHost": None, "RemoveReason": SITE.format("RemoteWallClockTime > 9")},
            "failed",
            "timeout",
            "Removed by HTCondor: The system macro",
        ),
        (
            {"RemoteHost": None, "RemoveReason": SITE.format("ResidentSetSize > 9")},
            "failed",
            "oom",
            "evaluated to TRUE.",
        ),
        # SYSTEM_PERIODIC_REMOVE_REASON is what the site likes to say.
        (
            {"RemoteHost": None, "NumJobStarts": 2, "RemoveReason": "Ask the help desk"},
            "failed",
            "node",
            "Removed by HTCondor: Ask the help desk.",
        ),
        (
            {"RemoteHost": None, "NumJobStarts": 0, "RemoveReason": "Ask the help desk"},
            "failed",
            "submit",
            "Removed by HTCondor: Ask the help desk.",
        ),
    ],
)
def test_a_job_that_is_being_removed(
    ad: dict[str, Any], state: str, reason: str | None, words: str
) -> None:
    removed = {
        "JobStatus": ads.REMOVED,
        "RemoteHost": "slot1_1@node2@vm",
        "RemoveReason": BY_HAND,
        "JobMaxVacateTime": 60,
        "JobCurrentStartDate": STARTED,
        "EnteredCurrentStatus": SILENT,
        "ServerTime": SILENT + 3,
    }
    seen = ads.queue_status({**removed, **ad})
    assert (seen.state, seen.reason) == (state, reason)
    assert words in (seen.message or "")
    if state != "running":
        assert ads.history_status({**removed, **ad}).message == seen.message


def test_a_schedd_whose_clock_is_behind_still_tells_what_became_of_jobs() -> None:
    asked: list[str] = []

    class FakeSchedd:
        def history(self, constraint: str, projection: Any, match: int, since: str) -> list[Any]:
            asked.append(since)
            return []

    condor = SimpleNamespace(Schedd=FakeSchedd, param={"COLLECTOR_HOST": "pool"})
    bindings.history(condor, ["7.0"], since=100_000.0)
    before = int(asked[0].removeprefix("EnteredCurrentStatus < "))
    assert 100_000 - 2 * 3600 < before < 100_000 - 600


@pytest.mark.parametrize(
    ("configured", "lease_s"),
    [("2400", "1200"), ("300", "300"), ("0", "1200"), ("x", "1200"), (None, "1200")],
)
def test_the_lease_is_ours_unless_the_pool_has_a_shorter_one(
    configured: str | None, lease_s: str
) -> None:
    sent: list[dict[str, str]] = []

    class FakeSchedd:
        def submit(self, commands: dict[str, str], itemdata: Any, spool: bool) -> Any:
            sent.append(commands)
            return SimpleNamespace(cluster=lambda: 7)

    condor = SimpleNamespace(
        Schedd=FakeSchedd,
        Submit=dict,
        HTCondorException=OSError,
        param={"JOB_DEFAULT_LEASE_DURATION": configured},
    )
    commands = description.description(small_scan(), "scan/b0001", "words")
    assert bindings.submit(condor, commands, [], "scan/b0001", 0.0) == 7
    assert sent[0]["job_lease_duration"] == lease_s


@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        (34, "Job has gone over cgroup memory limit of 512 megabytes.", "oom"),
        (34, "Job has used more disk than it asked for", "node"),
        (13, "Transfer input files failure: reading from file /data/ml.sif: (errno 2)", "image"),
        (
            26,
            "The system macro SYSTEM_PERIODIC_HOLD expression evaluated to TRUE: wall time limit",
            "timeout",
        ),
        (6, "Error from slot1@n1: Failed to execute", "node"),
        (None, None, "node"),
    ],
)
def test_a_job_that_is_held_for_good_has_failed_for_a_reason(
    code: int | None, text: str | None, reason: str
) -> None:
    seen = ads.queue_status({"JobStatus": ads.HELD, "HoldReasonCode": code, "HoldReason": text})
    assert (seen.state, seen.reason) == ("failed", reason)
    assert seen.message
    assert seen.message.startswith("Held by HTCondor: ")


def test_ten_thousand_jobs_are_read_quickly() -> None:
    many = [{**RECORDED["queue: running"], "ProcId": number} for number in range(10_000)]
    before = time.process_time()
    assert (
        len({ads.task_id(ad): ads.queue_status(ad) for ad in json.loads(json.dumps(many))})
        == 10_000
    )
    assert time.process_time() - before < 5.0  # a tenth of it on a quiet machine


# what is asked of it ----------------------------------------------------------------------


def test_a_description_asks_for_what_the_job_needs() -> None:
    wanted = Resources(
        gpus=2,
        memory_mb=4000,
        walltime_s=600,
        gpu_model="A100",
        vram_mb=40000,
        cuda="12.4",
        cpus=3,
        disk_mb=9,
    )
    place = Placement(account="physics.top", constraint='Site == "X"')
    found = description.description(
        small_scan(resources=wanted, placement=place, per_job=2), "scan/b0001", "words"
    )
    assert found["request_gpus"] == "2"
    assert found["request_cpus"] == "3"
    assert found["request_disk"] == "9MB"
    assert "MaxSupportedVersion >= 12040" in found["require_gpus"]
    assert found["accounting_group"] == "physics.top"
    assert found["requirements"] == '(Site == "X")'
    assert found["allowed_execute_duration"] == str(2 * 600 + description.SPARE_S)
    assert found[f"My.{ads.BATCH}"] == '"scan/b0001"'


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {"request_cpus": "3", "request_memory": "6000", "request_disk": None}),
        ({"cpus": 2}, {"request_cpus": "6", "request_memory": "6000"}),
        ({"memory_mb": 500}, {"request_cpus": "3", "request_memory": "1500"}),
        ({"disk_mb": 40}, {"request_disk": "120MB"}),
        # The jobs share the GPUs, and run at the same time.
        ({"gpus": 1, "walltime_s": 60}, {"request_gpus": "1", "allowed_execute_duration": "420"}),
    ],
)
def test_jobs_side_by_side_need_as_much_as_all_of_them(
    asked: dict[str, Any], expected: dict[str, str | None]
) -> None:
    scan = small_scan(resources=Resources(**asked), per_gpu=3, per_job=2)
    found = description.description(scan, "scan/b0001", "words")
    assert {name: found.get(name) for name in expected} == expected


def test_a_job_that_says_nothing_of_memory_gets_what_a_notebook_needs() -> None:
    assert description.resources(small_scan())["request_memory"] == str(description.MEMORY_MB)


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain", "'plain'"),
        ("it's", "'it''s'"),
        ('a "b"', '\'a ""b""\''),
        ("$(x)", "'$(DOLLAR)(x)'"),
    ],
)
def test_words_are_arguments_as_they_are(word: str, written: str) -> None:
    assert quoting.argument(word) == written


def as_condor_reads(arguments: str) -> list[str]:
    """Return the words that HTCondor makes of arguments, without the keys."""
    text = arguments[1:-1].replace('""', '"').removesuffix(" $(keys)").replace("$(DOLLAR)", "$")
    words = re.findall(r"'((?:[^']|'')*)'|(\S+)", text)
    return [(quoted or bare).replace("''", "'") for quoted, bare in words]


@pytest.mark.parametrize(
    "name",
    [
        "TOGETHER",
        "IMAGE_NAME",
        "{image}{together}",
        "#RUN#",
        "a'b\"c",
        "$(touch x)`touch x`",
        "$HOME",
    ],
)
def test_no_name_of_an_image_breaks_the_script_of_a_job(tmp_path: Path, name: str) -> None:
    image = f"/images/{name}"
    scan = small_scan(
        container=Container(image), placement=Placement(shared=False), per_gpu=3, backend="htcondor"
    )
    words = as_condor_reads(shell_arguments(scan, ScanPaths(tmp_path / "scan"), image))
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$GRIDGPU_IMAGE" "$@"\n')
    python.chmod(0o755)
    ran = subprocess.run(
        ["/bin/sh", *words, "v0001.1", "v0002.1"],
        cwd=tmp_path,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    specs = [f"{tmp_path}/jobs/{key}/job.json" for key in ("v0001.1", "v0002.1")]
    assert ran.stdout.splitlines() == [image, "worker.pyz", "--together", "3", *specs]
    assert (ran.returncode, ran.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == [python]


def test_nothing_is_replaced_in_the_names_of_files_that_travel(tmp_path: Path) -> None:
    found = ScanPaths(tmp_path / "$ENV(HOME)" / "$(number)")
    found.jobs.mkdir(parents=True)
    batch = BatchStore(found).make([["v0001.1"]])
    commands = FileTransfer(found).description(batch, "/images/$(x).sif")
    assert commands["initialdir"] == f"{quoting.plain(str(batch.folder))}/$(number)"
    for name in ("initialdir", "transfer_input_files", "container_image"):
        rest = commands[name].replace("$(DOLLAR)", "").removesuffix("/$(number)")
        assert "$" not in rest


def test_a_name_with_a_line_break_is_refused() -> None:
    with pytest.raises(BackendError, match="line break"):
        quoting.argument("a\nb")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "Unable to commit transaction, SCHEDD:2:The group x is not known.",
            "The group x is not known.",
        ),
        (
            "Failed to create job ad, errmsg=Submit:-1:Parse error in expression:",
            "Parse error in expression:",
        ),
        ("Unable to locate local daemon.", "Unable to locate local daemon."),
    ],
)
def test_a_refusal_is_told_without_names_of_functions(said: str, words: str) -> None:
    assert ads.refusal(said).startswith(words)


# files that travel --------------------------------------------------------------------------


@pytest.fixture
def paths(tmp_path: Path) -> ScanPaths:
    found = ScanPaths(tmp_path / "scan")
    (found.folder / "files").mkdir(parents=True)
    for key in ("v0001.1", "v0002.1"):
        found.job(key).folder.mkdir(parents=True)
        write_json(found.job(key).spec, {"key": key})
    return found


def told(folder: Path, *lines: str, output: str = "out.0") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / output).write_text("".join(f"{line}\n" for line in lines))


def test_what_a_worker_tells_is_what_its_files_hold(paths: ScanPaths, tmp_path: Path) -> None:
    there = ScanPaths(tmp_path / "node").job("v0001.1").copy("ab12")
    there.folder.mkdir(parents=True)
    (there.folder / "artifacts").mkdir()
    (there.folder / "artifacts" / "data.txt").symlink_to(tmp_path)
    batch = BatchStore(paths).make([["v0001.1"]])
    (batch.folder / "1").mkdir()
    with open(batch.folder / "1" / "out.0", "wb", buffering=0) as out:
        mirror = Mirror("v0001.1", there, out.fileno())
        there.metrics.write_bytes(b"x" * 10_000)
        there.notebook.write_text("{}")
        write_json(there.result, {"key": "v0001.1"})
        mirror.finish()
    assert FileTransfer(paths).read([(batch, 1)])  # a result came: the job has ended
    here = paths.job("v0001.1").copy("ab12")
    assert here.metrics.read_bytes() == b"x" * 10_000
    assert (here.notebook.read_text(), json.loads(here.result.read_text())) == (
        "{}",
        {"key": "v0001.1"},
    )
    assert not list((there.folder / "artifacts").iterdir())  # a link would bring back what was sent


@pytest.mark.parametrize("outputs", [("out.0", "out.0"), ("out.9", "out.10"), ("out", "out.1")])
def test_a_copy_that_starts_again_is_read_from_its_beginning(
    paths: ScanPaths, outputs: tuple[str, str]
) -> None:
    batch = BatchStore(paths).make([["v0001.1"]])
    travel = FileTransfer(paths)
    told(
        batch.folder / "1",
        "gridgpu v0001.1/aaaa/worker.log 0 b25l",
        "gridgpu v0001.1/aaaa/worker.log 3 b25l",
        output=outputs[0],
    )
    travel.read([(batch, 1)])
    told(
        batch.folder / "1",
        "gridgpu v0001.1/bbbb/worker.log 0 dHdv",
        "gridgpu v0001.1/bbbb/worker.log 3 dHdv",
        output=outputs[1],
    )
    travel.unpack(batch, 1)
    assert [copy.log.read_text() for copy in sorted(paths.job("v0001.1").copies(), key=str)] == [
        "oneone",
        "twotwo",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "gridgpu v0002.1/ab12/worker.log 0 b25l",  # another task's job
        "gridgpu v0001.1/../worker.log 0 b25l",
        "gridgpu v0001.1/ab12/scan.json 0 b25l",
        "gridgpu v0001.1/ab12/worker.log -1 b25l",
        "gridgpu v0001.1/ab12/worker.log 0 %%%",
        "other v0001.1/ab12/worker.log 0 b25l",
        "words of the notebook",
        "",
    ],
)
def test_what_is_no_line_of_a_worker_of_the_task_changes_nothing(
    paths: ScanPaths, line: str
) -> None:
    batch = BatchStore(paths).make([["v0001.1"], ["v0002.1"]])
    told(batch.folder / "1", line)
    before = sorted(path for path in paths.jobs.rglob("*"))
    FileTransfer(paths).read([(batch, 1)])
    assert sorted(path for path in paths.jobs.rglob("*")) == before


def test_what_a_task_brings_back_goes_to_its_jobs_and_nothing_else(paths: ScanPaths) -> None:
    batch = BatchStore(paths).make([["v0001.1"]])
    travel = FileTransfer(paths)
    travel.pack(batch)
    brought = batch.folder / "1" / "jobs"
    for place in (brought / "v0001.1" / "ab12" / "artifacts", brought / "v0002.1" / "cd34"):
        place.mkdir(parents=True)
        (place / "model.bin").write_text("weights")
    (brought / "v0001.1" / "job.json").write_text("{}")
    (brought / "v0001.1" / "ab12" / "result.json").symlink_to("/etc/passwd")
    travel.unpack(batch, 1)
    travel.unpack(batch, 1)
    assert (
        paths.job("v0001.1").copy("ab12").folder / "artifacts" / "model.bin"
    ).read_text() == "weights"
    assert not paths.job("v0001.1").copy("ab12").result.exists()
    assert json.loads(paths.job("v0001.1").spec.read_text()) == {"key": "v0001.1"}
    assert paths.job("v0002.1").copies() == []
    assert not (batch.folder / "1").exists()


def test_what_cannot_be_taken_over_is_kept(paths: ScanPaths) -> None:
    batch = BatchStore(paths).make([["v0001.1", "v0002.1"]])
    brought = batch.folder / "1" / "jobs" / "v0002.1" / "ab12" / "artifacts"
    brought.mkdir(parents=True)
    paths.job("v0002.1").copy("ab12").folder.write_text("in the way")
    FileTransfer(paths).unpack(batch, 1)
    assert brought.is_dir()
    paths.job("v0002.1").copy("ab12").folder.unlink()
    FileTransfer(paths).unpack(batch, 1)
    assert (paths.job("v0002.1").copy("ab12").folder / "artifacts").is_dir()
    assert not (batch.folder / "1").exists()


def test_while_a_process_of_a_killed_runner_sends_a_batch_nobody_else_does(
    paths: ScanPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = HTCondorBackend(small_scan(backend="htcondor"), paths)
    batch = backend._batches.make([["v0001.1"]])
    asked: list[str] = []

    def call(verb: str, keep: Any = None, **facts: Any) -> Any:
        asked.append(verb)
        if verb == "find":
            return {}
        assert still_sending(batch)
        with pytest.raises(Unreachable):
            HTCondorBackend(small_scan(backend="htcondor"), paths).find_batches([batch])
        return os.get_inheritable(keep.fileno())

    monkeypatch.setattr(htcondor_backend, "call", call)
    backend.send(batch)
    assert asked == ["submit"]
    assert backend.find_batches([batch]) == {}


def test_an_image_travels_unless_every_node_has_it(paths: ScanPaths) -> None:
    batch = BatchStore(paths).make([["v0001.1"]])
    travel = FileTransfer(paths)
    assert "container_image" not in travel.description(batch, None)
    assert travel.description(batch, "/data/ml.sif")["transfer_container"] == "True"
    assert travel.description(batch, "/cvmfs/ml")["transfer_container"] == "False"
