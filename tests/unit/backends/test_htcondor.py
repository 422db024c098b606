"""What HTCondor is asked for, and the files that travel with jobs."""

from __future__ import annotations

import json
import os
import re
import subprocess
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
