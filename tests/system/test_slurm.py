"""Scans on a real Slurm, through everything that can go wrong there."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.slurm import Cluster, limits_memory
from tests.kit import eventually

from .helpers import gone, one_sentence, options, processes_with, space
from .notebooks import Executed
from .slurm_lab import GREEDY, ON, SlurmLab, check_done_once, slurm_lab, task_of, text_of


@pytest.fixture
def lab(tmp_path: Path, slurm: Cluster) -> Iterator[SlurmLab]:
    """Yield a lab on the cluster that all tests share."""
    with slurm_lab(tmp_path, slurm) as made:
        yield made


# sending ------------------------------------------------------------------------------


def test_jobs_get_the_gpus_they_ask_for_from_a_machine_that_has_none(
    lab: SlurmLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SITE_TOKEN", "secret")
    lab.env["CUDA_VISIBLE_DEVICES"] = ""
    show = """
import os
found = os.environ
print(found["SLURMD_NODENAME"], found["CUDA_VISIBLE_DEVICES"], "SITE_TOKEN" in found)
"""
    notebook = lab.notebook(show, parameters="x = 0")
    size = "--cpus 2 --memory 300MB --walltime 5min --gpu-model V100 --queue gpu"
    body = lab.run(notebook, *space(x=[1, 2, 3]), *ON, *options(size)).show()
    texts = {text_of(variant).strip() for variant in body["variants"]}
    assert texts == {"node2 0 False", "node2 1 False"}


def test_hundreds_of_jobs_are_sent_in_one_call_and_stopped_in_few(lab: SlurmLab) -> None:
    for command in ("sbatch", "scancel", "scontrol", "sacct"):
        lab.wrap(command)
    scan = lab.held(500, "--parallel", "2")
    for variant in ("v0001", "v0002"):
        scan.wait_for(variant, loss=1)
    assert ["--array=1-500%2" in call for call in lab.sent()] == [True]
    assert len(lab.calls("sbatch")) + len(lab.calls("scontrol")) <= 5
    limit = "as many of the scan's jobs as may run at once do"
    eventually(lambda: limit in str(scan.variant("v0400").get("message")))
    scan.gridgpu("stop")
    body = scan.wait()
    assert {variant["state"] for variant in body["variants"]} == {"cancelled"}
    assert "begun on" in text_of(body["variants"][0])
    assert lab.marks() == ["1", "2"]
    assert len(lab.calls("scancel")) <= 6
    assert len(lab.calls("sacct")) <= 1  # that there is no accounting is found out once
    eventually(lambda: not {"PENDING", "RUNNING"} & set(lab.cluster.jobs().values()))
    eventually(lambda: not processes_with(str(scan.folder / "jobs")), what="no job is left")


def test_a_scan_run_here_is_replayed_on_the_cluster_and_says_the_same(lab: SlurmLab) -> None:
    code = "from jupyter_gridgpu import report\nreport(epoch=1, loss=lr * 2)"
    notebook = lab.notebook(code, parameters="lr = 0.5")
    here = lab.run(notebook, *space(lr=[0.1, 0.2]), *options("--maximize loss --name here"))
    asked = options("--on slurm --queue gpu --gpus 1 --json")
    there = lab.scan_of(lab.gridgpu("replay", "here", *asked))
    assert {variant["state"] for variant in there.show()["variants"]} == {"done"}
    for about in there.folder.glob("jobs/*/*/copy.json"):
        assert json.loads(about.read_text())["gpus"] in ("0", "1")
    assert "reproduced" in here.gridgpu("compare", there.name).stdout


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            "--queue nosuch",
            "Invalid partition name specified (invalid partition specified: nosuch)."
            " `sinfo -s` lists the partitions.",
        ),
        (
            "--queue closed --account chem",
            "--account chem may not use the partition closed, which takes phys",
        ),
        (
            "--queue short --walltime 1h",
            "longer than the 10 min that the partition short allows",
        ),
        ("--gpus 7", "Requested node configuration is not available"),
        ("--gpu-model h100", "--gpu-model h100: Slurm has a100, v100"),
        ("--memory 900GB", "Requested node configuration is not available"),
    ],
)
def test_what_slurm_refuses_is_said_before_anything_is_sent(
    lab: SlurmLab, asked: str, said: str
) -> None:
    notebook = lab.notebook(parameters="x = 0")
    ran = lab.gridgpu("run", str(notebook), *space(x=1), *ON, *options(asked), code=3)
    assert said in one_sentence(ran.stderr)
    assert not lab.home.exists() or not list(lab.home.glob("*/scan.json"))


# A line of shell for a wrapped sbatch that does something where the call sends jobs, which calls
# that only ask whether they might do not.
WHERE_IT_SENDS = 'case "$*" in *--test-only*) ;; *) {};; esac'


def test_a_runner_killed_before_it_hears_what_slurm_took_is_followed_by_one_that_adopts(
    lab: SlurmLab,
) -> None:
    lab.wrap("sbatch", after=WHERE_IT_SENDS.format("kill -9 $PPID; exit 1"))
    lab.open()
    scan = lab.held(2)
    eventually(lambda: lab.sent() and not scan.runners(), what="the runner is killed")
    assert not scan.events_of("job.submitted")
    scan.gridgpu("resume")
    check_done_once(scan, 2)
    assert len(lab.sent()) == 1


def test_an_sbatch_that_outlives_its_runner_is_waited_for(lab: SlurmLab) -> None:
    wait = f"kill -9 $PPID; until [ -e {lab.folder}/go ]; do sleep 0.1; done"
    lab.wrap("sbatch", before=WHERE_IT_SENDS.format(wait))
    lab.open()
    scan = lab.held(2)
    eventually(lambda: lab.sent() and not scan.runners(), what="the runner is killed")
    scan.gridgpu("resume")
    eventually(lambda: len(scan.events_of("runner.started")) == 2)
    (lab.folder / "go").touch()
    check_done_once(scan, 2)
    assert len(lab.sent()) == 1


def test_jobs_of_another_scan_of_that_name_are_not_adopted(lab: SlurmLab) -> None:
    """The second is killed before it sends.

    Slurm then has a job of the same name, of the same folder.
    """
    first = lab.held(1)
    first.wait_for("v0001")
    first.kill_runner()
    shutil.move(first.folder, lab.folder / "moved-away")
    die_once = "[ -e $0.tried ] || { touch $0.tried; kill -9 $PPID; exit 1; }"
    lab.wrap("sbatch", before=WHERE_IT_SENDS.format(die_once))
    second = lab.held(1)
    eventually(lambda: lab.sent() and not second.runners(), what="the runner is killed")
    second.gridgpu("resume")
    second.wait_for("v0001")
    lab.open()
    assert second.wait()["variants"][0]["state"] == "done"


# while they run -------------------------------------------------------------------------


def test_a_scheduler_that_is_down_for_a_while_changes_nothing(lab: SlurmLab) -> None:
    lab.wrap("sbatch")
    # Without GPUs, since a Slurm that was just started again knows nothing of them yet.
    scan = lab.held(3, *options("--parallel 2 --gpus 0"))
    scan.wait_for("v0001", loss=1)
    scan.wait_for("v0002", loss=1)
    lab.cluster.end_daemon("slurmctld", signal.SIGTERM)
    try:
        note = eventually(
            lambda: [event for event in scan.events_of("engine.noted") if event.get("message")],
            what="a word on the silence",
        )
        assert "Slurm has not answered" in note[0]["message"]
        assert scan.states() == ["running", "running", "queued"]
        other = lab.notebook(parameters="x = 0", name="other")
        ran = lab.gridgpu("run", str(other), *space(x=1), *ON, code=3)
        assert "Unable to contact slurm controller" in one_sentence(ran.stderr)
        lab.open()  # what ends meanwhile is told by its files
        eventually(lambda: scan.states() == ["done", "done", "queued"])
    finally:
        lab.cluster.start_controller()
    check_done_once(scan, 3)
    assert len(lab.sent()) == 1


def test_a_job_whose_node_died_runs_again_and_one_result_counts(lab: SlurmLab) -> None:
    scan = lab.held(1)
    scan.wait_for("v0001")

    def nodes() -> list[str]:
        seen = [str(event.get("node")) for event in scan.events_of("job.observed")]
        return [node for node in seen if node.startswith("node")]

    node = eventually(nodes, what="the job's node is known")[-1]
    lab.cluster.end_daemon(node)
    try:
        eventually(lambda: lab.marks() == ["1", "1"], what="a second copy begins")
        lab.open()
        body = scan.wait()
    finally:
        lab.cluster.start_node(node)
    (variant,) = body["variants"]
    assert (variant["state"], variant["attempts"]) == ("done", 1)
    assert len(list(scan.job("v0001.1").glob("*/copy.json"))) == 2
    states = [event["state"] for event in scan.events_of("job.observed")]
    assert states.count("done") == 1


def test_stopping_one_that_runs_and_one_that_waits_leaves_the_others(lab: SlurmLab) -> None:
    scan = lab.held(4, "--parallel", "2")
    scan.wait_for("v0001", loss=1)
    scan.wait_for("v0002", loss=1)
    kernels = [process.pid for process in processes_with(str(scan.job("v0001.1")))]
    # The waiting one first: it would take the place of one that ended before it.
    scan.gridgpu("stop", variant="v0003")
    eventually(lambda: scan.states()[2] == "cancelled")
    scan.gridgpu("stop", variant="v0001")
    eventually(lambda: scan.states()[0] == "cancelled")
    assert "begun on" in text_of(scan.variant("v0001"))
    eventually(lambda: all(gone(pid) for pid in kernels))
    scan.wait_for("v0004")
    lab.open()
    body = scan.wait()
    assert [variant["state"] for variant in body["variants"]] == [
        "cancelled",
        "done",
        "cancelled",
        "done",
    ]
    assert lab.marks() == ["1", "2", "4"]


def test_variants_share_jobs_one_after_another_and_side_by_side(lab: SlurmLab) -> None:
    lab.wrap("sbatch")
    scan = lab.held(4, *options("--per-job 2 --per-gpu 2"))
    eventually(lambda: lab.marks() == ["1", "2"])
    lab.open()
    check_done_once(scan, 4)
    assert "--array=1-1 " in lab.calls("sbatch")[-1]
    assert len({event["engine_id"] for event in scan.events_of("job.submitted")}) == 1


# ends -----------------------------------------------------------------------------------


def test_a_job_at_its_time_limit_is_saved_and_says_so(lab: SlurmLab) -> None:
    scan = lab.held(1)
    scan.wait_for("v0001", loss=1)
    lab.cluster.update(f"JobId={task_of(scan, 'v0001.1')}", "TimeLimit=1")
    variant = scan.wait()["variants"][0]
    assert (variant["state"], variant["reason"]) == ("failed", "timeout"), variant
    assert "begun on" in text_of(variant)


def test_a_preempted_job_says_so_and_is_sent_again(lab: SlurmLab) -> None:
    scan = lab.held(1, *options("--queue spare --gpu-model a100 --gpus 2"))
    scan.wait_for("v0001", loss=1)
    wanted = options("--gres=gpu:a100:2 --partition=gpu --output=/dev/null")
    other = lab.cluster.run("sbatch", "--parsable", *wanted, "--wrap", "sleep 1000")
    eventually(lambda: scan.variant("v0001")["attempts"] == 2, what="a second attempt")
    ends = [event for event in scan.events_of("job.observed") if event["state"] == "failed"]
    assert [(end["key"], end["reason"]) for end in ends] == [("v0001.1", "preempted")]
    assert "begun on" in Executed.read(scan.folder / ends[0]["notebook"]).text()
    lab.cluster.run("scancel", other)
    lab.open()
    (variant,) = scan.wait()["variants"]
    assert (variant["state"], variant["attempts"]) == ("done", 2)


@pytest.mark.parametrize("at_once", [False, True])
def test_a_job_over_its_memory_says_so(lab: SlurmLab, at_once: bool) -> None:
    """A slow one is ended by the worker, a fast one by the kernel before anybody looks."""
    if at_once and not limits_memory():
        pytest.skip("the kernel's memory groups are out of reach here")
    greedy = GREEDY if at_once else f"{GREEDY}\n    time.sleep(0.2)"
    notebook = lab.notebook(greedy, parameters="x = 0")
    body = lab.run(notebook, *space(x=1), *ON, "--memory", "300MB", code=1).show()
    variant = body["variants"][0]
    assert (variant["state"], variant["reason"]) == ("failed", "oom"), variant
    assert "begun on" in text_of(variant)


def test_a_node_that_does_not_see_the_folder_is_named(lab: SlurmLab) -> None:
    lab.home.mkdir()
    lab.cluster.end_daemon("node2")
    lab.cluster.start_node("node2", hides=lab.home)
    try:
        scan = lab.held(1, "--gpu-model", "v100")
        variant = scan.wait()["variants"][0]
    finally:
        lab.cluster.end_daemon("node2")
        lab.cluster.start_node("node2")
    assert (variant["state"], variant["reason"]) == ("failed", "node")
    assert variant["message"] == "The node does not see the scan's folder."
    assert any(event.get("node") == "node2" for event in scan.events_of("job.observed"))


def test_a_job_that_somebody_else_cancelled_or_holds_says_so(lab: SlurmLab) -> None:
    scan = lab.held(3, "--parallel", "1")
    scan.wait_for("v0001", loss=1)
    array = task_of(scan, "v0001.1").split("_")[0]
    lab.cluster.run("scontrol", "hold", f"{array}_3")
    eventually(lambda: "held" in str(scan.variant("v0003").get("message")))
    lab.cluster.run("scontrol", "release", f"{array}_3")
    lab.cluster.run("scancel", f"{array}_1")
    eventually(lambda: scan.variant("v0001")["state"] in ("failed", "cancelled"))
    first = scan.variant("v0001")
    assert (first["state"], first["attempts"]) == ("cancelled", 1), "its user has cancelled it"
    assert "begun on" in text_of(first)
    lab.open()
    states = [variant["state"] for variant in scan.wait()["variants"]]
    assert states[1:] == ["done", "done"]
