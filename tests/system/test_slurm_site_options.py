"""Options of a site's own Slurm: its words for GPUs, reservations, other clusters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.slurm import Cluster
from tests.kit import eventually

from .helpers import one_sentence, options, space
from .slurm_lab import SlurmLab, slurm_lab, task_of

# The plugin that many sites have. This one refuses GPUs that are asked for by node, as --gres does.
REFUSES_GRES = """
function slurm_job_submit(job, parts, uid)
    if job.tres_per_node ~= nil and string.find(job.tres_per_node, "gpu") then
        slurm.log_user("This cluster wants GPUs to be asked for per job.")
        return slurm.ERROR
    end
    return slurm.SUCCESS
end
function slurm_job_modify(job, old, parts, uid)
    return slurm.SUCCESS
end
"""


@pytest.fixture
def lab(tmp_path: Path, slurm: Cluster) -> Iterator[SlurmLab]:
    """Yield a lab on the cluster that all tests share."""
    with slurm_lab(tmp_path, slurm) as made:
        yield made


def test_a_reservation_an_exclude_list_and_memory_per_core_reach_slurm(lab: SlurmLab) -> None:
    start = ("StartTime=now", "Duration=60", "Users=root", "Nodes=node2")
    lab.cluster.run("scontrol", "create", "reservation", "ReservationName=ours", *start)
    try:
        given = options("--engine-option --reservation=ours --engine-option --mem-per-cpu=1000")
        excluded = ("--engine-option", "-x node1")
        lab.open()
        words = (*given, *excluded, "--memory", "900MB")
        notebook = lab.notebook(parameters="x = 0")
        ran = lab.gridgpu("run", str(notebook), *space(x=1), "--on", "slurm", *words, "--dry-run")
        assert "is what Slurm is asked for, not --memory." in ran.stdout
        scan = lab.start(notebook, *space(x=1), "--on", "slurm", *words)
        (variant,) = scan.wait()["variants"]
        assert variant["state"] == "done", variant
        said = lab.cluster.run("scontrol", "show", "job", "-o", task_of(scan, "v0001.1"))
    finally:
        lab.cluster.clear()
        lab.cluster.run("scontrol", "delete", "ReservationName=ours")
    for part in ("Reservation=ours", "ExcNodeList=node1", "MinMemoryCPU=1000M", "NodeList=node2"):
        assert f" {part} " in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--reservation=nosuch", "Slurm refuses such jobs: Requested reservation is invalid"),
        ("--no-such-option=1", 'Slurm refuses such jobs: Try "sbatch --help"'),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    lab: SlurmLab, given: str, said: str
) -> None:
    words = (*space(x=1), "--on", "slurm", "--engine-option", given)
    notebook = lab.notebook(parameters="x = 0")
    ran = lab.gridgpu("run", str(notebook), *words, code=3)
    assert said in one_sentence(ran.stderr)


def test_gpus_are_asked_for_as_the_site_s_own_plugin_wants(lab: SlurmLab) -> None:
    cluster = lab.cluster
    (cluster.folder / "job_submit.lua").write_text(REFUSES_GRES)
    before = cluster.conf.read_text()
    cluster.conf.write_text(f"{before}\nJobSubmitPlugins=lua\n")
    cluster.end_daemon("slurmctld")
    cluster.start_controller()
    idle = "node1 idle\nnode2 idle"
    eventually(lambda: cluster.run("sinfo", "-h", "-N", "-p", "gpu", "-o", "%N %T") == idle)
    eventually(lambda: not cluster.run("sbatch", "--test-only", "--gpus=1", "--wrap", "true"))
    try:
        assert "wants GPUs" in cluster.run("sbatch", "--gres=gpu:1", "--wrap", "true", check=False)
        show = "import os\nprint(os.environ['CUDA_VISIBLE_DEVICES'])"
        notebook = lab.notebook(show, parameters="x = 0")
        words = (*space(x=1), *options("--on slurm --gpus 1"))
        ran = lab.gridgpu("run", str(notebook), *words, "--dry-run")
        assert "This Slurm refuses --gres, so GPUs are asked for with --gpus." in ran.stdout
        scan = lab.start(notebook, *words)
        assert scan.wait()["variants"][0]["state"] == "done"
        said = cluster.run("scontrol", "show", "job", "-o", task_of(scan, "v0001.1"))
        assert re.search(r"TresPerJob=\S*gpu:1(\s|$)", said), said
    finally:
        cluster.conf.write_text(before)
        cluster.end_daemon("slurmctld")
        cluster.start_controller()
        cluster.idle()
