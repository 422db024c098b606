"""Scans whose files go through the spool of a schedd, which sees no file of its user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.backends.base import Job, job_spec
from jupyter_gridgpu.backends.htcondor import backend as htcondor_backend
from jupyter_gridgpu.backends.htcondor import bindings
from jupyter_gridgpu.backends.htcondor.backend import HTCondorBackend
from jupyter_gridgpu.errors import BackendError, Unreachable
from jupyter_gridgpu.model.resources import Placement
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan
from tests.engines.condor import Pool
from tests.kit import eventually

from .helpers import one_sentence, options, space
from .lab import Lab
from .notebooks import Executed
from .test_htcondor import check_done, gated
from .test_htcondor_faults import READ_AND_WRITE

SPOOL = ("--engine-option", "spool = True")


def test_what_jobs_need_and_leave_goes_through_the_spool(lab: Lab, pool: Pool) -> None:
    (lab.folder / "data.txt").write_text("seven")
    travels = options("--no-shared-disk --files data.txt")
    scan, gate = gated(lab, 2, *travels, *SPOOL, cells=(READ_AND_WRITE,))
    jobs = eventually(lambda: pool.jobs("Iwd", "StageInFinish"))
    assert all(str(pool.folder / "spool") in job["Iwd"] for job in jobs)
    eventually(lambda: set(scan.states()) == {"running"}, what="both run")
    # Its user's machine is away when they end.
    scan.kill_runner()
    gate.touch()
    eventually(
        lambda: [job["JobStatus"] for job in pool.jobs("JobStatus")] == [4, 4],
        what="both wait until their files are fetched",
    )
    scan.gridgpu("resume")
    check_done(scan, 2)
    for variant in scan.variants().values():
        assert "seven" in Executed.read(variant["notebook"]).text()
        artifacts = Path(variant["notebook"]).parent / "artifacts"
        assert (artifacts / "model.bin").read_bytes() == b"weights"
    eventually(lambda: not pool.jobs("ProcId"), what="what is fetched leaves the queue")
    assert not [path for path in (scan.folder / "batches" / "b0001").iterdir() if path.is_dir()]


def test_nodes_may_see_the_scan_folder_though_the_schedd_does_not(lab: Lab, pool: Pool) -> None:
    scan = lab.training(2, "--on", "htcondor", *SPOOL)
    check_done(scan, 2)
    eventually(lambda: not pool.jobs("ProcId"), what="the queue is empty")


def test_a_batch_whose_sender_was_killed_before_its_files_were_sent_is_sent_once_more(
    tmp_path: Path, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    import htcondor2

    paths = ScanPaths(tmp_path / "scan")
    paths.notebook.parent.mkdir(parents=True)
    for path in (paths.notebook, paths.worker, paths.launcher):
        path.write_text("exit 0\n")
    place = Placement(shared=False, options=("spool = True",))
    scan = small_scan(backend="htcondor", placement=place)
    jobs = [
        Job(key, paths.job(key), job_spec(scan, key, {"lr": 0.1})) for key in ("v0001.1", "v0002.1")
    ]
    call = bindings.call

    def killed_between(verb: str, keep: Any = None, **asked: Any) -> Any:
        if verb != "submit":
            return call(verb, keep, **asked)
        commands = htcondor2.Submit(asked["description"])
        htcondor2.Schedd().submit(commands, itemdata=iter(asked["tasks"]), spool=True)
        raise Unreachable("the process was killed")

    monkeypatch.setattr(htcondor_backend, "call", killed_between)
    answers = HTCondorBackend(scan, paths).submit(jobs)
    assert {type(answer) for answer in answers.values()} == {Unreachable}
    assert [job["HoldReasonCode"] for job in pool.jobs("HoldReasonCode")] == [16, 16]

    monkeypatch.setattr(htcondor_backend, "call", call)
    next_runner = HTCondorBackend(scan, paths)
    assert next_runner.find(["v0001.1", "v0002.1"]) == {}
    assert pool.jobs("ProcId") == []
    answers = next_runner.submit(jobs)
    tasks = {key: str(answer) for key, answer in answers.items()}
    clusters = {task.partition(".")[0] for task in tasks.values()}
    assert len(clusters) == 1, answers
    eventually(
        lambda: 16 not in [job.get("HoldReasonCode") for job in pool.jobs("HoldReasonCode")],
        what="HTCondor has their files",
    )
    # A third runner adopts them.
    (paths.batches / "b0002" / "engine.json").unlink()
    assert HTCondorBackend(scan, paths).find(list(tasks)) == tasks


def test_a_batch_whose_files_cannot_be_sent_is_refused_and_leaves_nothing(
    tmp_path: Path, pool: Pool
) -> None:
    paths = ScanPaths(tmp_path / "scan")
    (paths.batches / "b0001" / "1").mkdir(parents=True)
    gone = tmp_path / "gone.txt"
    commands = {
        "executable": "/bin/true",
        "transfer_input_files": str(gone),
        "should_transfer_files": "YES",
        "job_lease_duration": "1200",
        "My.GridGpuBatch": '"scan/b0001"',
    }
    with pytest.raises(BackendError, match=r"No such file|could not be sent"):
        bindings.call(
            "submit",
            description=commands,
            tasks=[{"number": "1"}],
            ident="scan/b0001",
            since=0.0,
            spool=True,
        )
    eventually(lambda: not pool.jobs("ProcId"), what="the queue is empty")


def test_a_ticket_that_cannot_be_had_is_said_before_anything_is_sent(lab: Lab, pool: Pool) -> None:
    words = [*space(n=1), "--on", "htcondor", "--engine-option", "MY.SendCredential = True"]
    ran = lab.gridgpu("run", str(lab.notebook()), *words, code=3)
    assert "HTCondor did not take a Kerberos ticket of yours" in one_sentence(ran.stderr)
    assert not pool.jobs("ProcId")
