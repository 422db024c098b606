"""What Slurm's queue has forgotten is known from its accounting, where there is one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_gridgpu.backends.slurm.backend import SlurmBackend
from jupyter_gridgpu.errors import Unreachable
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan
from tests.engines.ground import as_root, run_script
from tests.engines.slurm import Cluster, started
from tests.engines.slurm_accounts import AccountedCluster
from tests.kit import eventually

from .helpers import kill, processes_with
from .lab import ScanOfLab
from .slurm_lab import SlurmLab, check_done_once, slurm_lab, task_of

ANY = -1  # number of jobs that a user may have in the queue


@pytest.fixture(scope="module")
def accounted() -> Iterator[AccountedCluster]:
    """Yield a cluster that keeps accounts, and forgets ended jobs soon."""
    as_root("Slurm")
    run_script("slurm.sh", "accounting")
    cluster = AccountedCluster()
    with started(cluster):
        yield cluster


@pytest.fixture
def lab(tmp_path: Path, accounted: Cluster) -> Iterator[SlurmLab]:
    """Yield a lab on that cluster."""
    with slurm_lab(tmp_path, accounted) as made:
        yield made


def test_a_job_that_died_while_nobody_looked_is_known_from_the_accounting(lab: SlurmLab) -> None:
    scan = lab.held(1)
    scan.wait_for("v0001", loss=1)
    scan.kill_runner()
    for process in processes_with(str(scan.job("v0001.1"))):
        kill(process.pid, signal.SIGKILL)
    eventually(lambda: not lab.cluster.jobs(), what="the queue has forgotten it")
    scan.gridgpu("resume")
    variant = scan.wait()["variants"][0]
    assert (variant["state"], variant["reason"]) == ("failed", "node")
    assert "signal 9" in variant["message"]


def test_jobs_that_ended_before_their_runner_heard_of_them_are_adopted(lab: SlurmLab) -> None:
    lab.wrap("sbatch", after='case "$*" in *--test-only*) ;; *) kill -9 $PPID; exit 1;; esac')
    lab.open()
    scan = lab.held(2)
    eventually(
        lambda: lab.marks() == ["1", "2"] and not lab.cluster.jobs(),
        what="the queue has forgotten them",
    )
    for seen in scan.folder.glob("batches/*/seen"):
        seen.unlink()  # as if the file system had lost it
    scan.gridgpu("resume")
    check_done_once(scan, 2)


def notes(scan: ScanOfLab) -> list[str | None]:
    """Return what was said of Slurm as a whole, one text after the other."""
    return [event.get("message") for event in scan.events_of("engine.noted")]


def test_a_queue_that_takes_few_jobs_of_a_user_gets_them_one_after_another(
    lab: SlurmLab, accounted: AccountedCluster
) -> None:
    lab.env["GRIDGPU_POLL_S"] = "0.2"
    accounted.allow(2)
    sentence = "3 jobs will be sent when there is room for more of yours."
    try:
        scan = lab.held(5)
        said = eventually(lambda: [text for text in notes(scan) if text], what="it says so")
        assert said == [f"{sentence} (Slurm: AssocMaxSubmitJobLimit.)"]
        lab.open()
        check_done_once(scan, 5)
    finally:
        accounted.allow(ANY)


def test_who_cancelled_a_job_is_said_and_what_vanished_unstarted_is_not_lost(
    lab: SlurmLab,
) -> None:
    """The queue forgets what ended within seconds, so only the accounting tells."""
    scan = lab.held(3, "--parallel", "1")
    scan.wait_for("v0001", loss=1)
    array = task_of(scan, "v0001.1").split("_")[0]
    scan.kill_runner()
    lab.cluster.run("scancel", f"{array}_3")
    lab.cluster.run("scancel", f"{array}_1")
    eventually(lambda: f"{array}_1" not in lab.cluster.jobs(), what="the queue has forgotten it")
    scan.gridgpu("resume")
    eventually(lambda: [scan.states()[number] for number in (0, 2)] == ["cancelled"] * 2)
    lab.open()
    body = scan.wait()
    assert [seen["state"] for seen in body["variants"]] == ["cancelled", "done", "cancelled"]
    assert body["variants"][0]["message"] == "Cancelled in Slurm by you."
    assert body["variants"][2]["message"].startswith("Cancelled in Slurm before it started")


def test_jobs_go_to_another_cluster_and_are_followed_and_ended_there(
    lab: SlurmLab, accounted: AccountedCluster
) -> None:
    with started(accounted.second("far")) as far:
        eventually(lambda: "far" in accounted.run("sacctmgr", "-n", "-P", "list", "cluster"))
        scan = lab.held(3, "--parallel", "1", "--engine-option", "-M far", "--walltime", "10min")
        scan.wait_for("v0001", loss=1)
        array = task_of(scan, "v0001.1").split("_")[0]
        assert far.jobs()[f"{array}_1"] == "RUNNING"
        assert not accounted.jobs(), "nothing runs here"
        eventually(lambda: "as many of the scan" in str(scan.variant("v0002").get("message")))
        far.run("scancel", f"{array}_3")
        scan.gridgpu("stop", variant="v0001")
        eventually(lambda: [scan.states()[n] for n in (0, 2)] == ["cancelled"] * 2)
        lab.open()
        assert scan.wait()["variants"][1]["state"] == "done"
        assert {"node1", "node2"} & {event.get("node") for event in scan.events_of("job.observed")}


# The last one, since slurmdbd has ended after it.
def test_an_accounting_that_does_not_answer_is_no_reason_to_send_again(
    accounted: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in accounted.env.items():
        monkeypatch.setenv(name, value)
    backend = SlurmBackend(small_scan(backend="slurm"), ScanPaths(tmp_path))
    batch = backend._batches.make([["v0001.1"]])
    assert backend.find_batches([batch]) == {}
    accounted.end_daemon("slurmdbd")
    with pytest.raises(Unreachable):
        backend.find_batches([batch])
    assert backend.query_past(["1_1"]) == {}
