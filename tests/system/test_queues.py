"""Queues of real batch systems on the command line, and scans that leave the choice to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engines.condor import Pool
from tests.engines.slurm import Cluster
from tests.kit import eventually

from .helpers import one_sentence, options, space, strict_json
from .lab import Lab

DUMP = Path(__file__).parents[1] / "data" / "cric-queues.json"
SPACE = space(n=[1, 2], steps=1, pause=0.0)


@pytest.fixture(autouse=True)
def own_config(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be declared, and no batch system be known, but what a test declares or has."""
    lab.env["JUPYTER_CONFIG_DIR"] = str(lab.folder / "config")
    for name in ("CONDOR_CONFIG", "SLURM_CONF"):
        monkeypatch.delenv(name, raising=False)


def declare(lab: Lab, text: str) -> Path:
    """Write a declaration of queues, and return its file."""
    path = lab.folder / "config/gridgpu/queues.d/mine.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def listed(lab: Lab, *words: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the queues that `gridgpu queues` lists, by backend and name."""
    body = strict_json(lab.gridgpu("queues", "--json", *words).stdout)
    return {(queue["backend"], queue["name"]): queue for queue in body["queues"]}


BEST = """
queues:
- {name: best, backend: slurm, placement: {queue: gpu}, rank: 3, limits: {gpus: 1}}
"""


def test_partitions_of_a_running_slurm(slurm: Cluster, lab: Lab) -> None:
    found = listed(lab)
    gpu = found["slurm", "gpu"]
    kinds = [(kind["model"], kind["count"], kind["total"]) for kind in gpu["gpus"]]
    assert kinds == [("A100", 2, 2), ("V100", 2, 2)]
    assert (gpu["state"], gpu["free"], gpu["queue"]) == ("online", 4, "gpu")
    assert gpu["limits"]["walltime_s"] == 7 * 86400
    assert found["slurm", "short"]["limits"]["walltime_s"] == 600
    assert found["slurm", "down"]["state"] == "offline"
    words = [*options("-p gpu --gres=gpu:v100:2 --mem=100 -D"), str(lab.folder)]
    slurm.run("sbatch", *words, "--wrap", "sleep 60")
    eventually(lambda: listed(lab)["slurm", "gpu"]["free"] == 2, what="the job holds its GPUs")
    declare(lab, BEST)
    best = listed(lab)["slurm", "best"]
    assert (best["free"], best["total"]) == (2, 4)
    assert (best["limits"]["gpus"], best["limits"]["cpus"]) == (1, 8)
    answer = listed(lab, "--gpu", "model=V100, vram>=40GB")["slurm", "best"]
    assert answer["fits"] is False
    assert answer["why"] == "has 32 GB of GPU memory, 40 GB asked"
    assert listed(lab, "--gpu", "A100")["slurm", "best"]["fits"] is True


def test_partitions_of_a_newer_slurm(new_slurm_cluster: Cluster, lab: Lab) -> None:
    lab.env.update(new_slurm_cluster.env)
    found = listed(lab)
    kinds = [(kind["model"], kind["total"]) for kind in found["slurm", "gpu"]["gpus"]]
    assert kinds == [("A100", 2), ("V100", 2)]
    assert found["slurm", "gpu"]["default"] is True
    assert found["slurm", "short"]["default"] is False


def test_a_running_htcondor_pool(condor_pool: Pool, lab: Lab) -> None:
    pool = listed(lab)["htcondor", "htcondor"]
    assert (pool["state"], pool["total"], pool["free"]) == ("online", 4, 4)
    versions = {kind["model"]: kind["cuda"] for kind in pool["gpus"]}
    assert versions == {"T4": "12.4", "A100-SXM4-40GB": "12.4"}
    assert pool["limits"]["cpus"]
    assert pool["limits"]["gpus"] == 2


def test_a_pool_gives_the_gpu_that_the_queue_was_chosen_for(condor_pool: Pool, lab: Lab) -> None:
    """The batch system must match what our matcher has matched.

    A GPU that is sold as 40 GB shows less, and its model is written in other letters.
    """
    wanted = options("--gpus 1 --vram 40GB --gpu-model 'a100 sxm4' --cuda 12")
    scan = lab.run(lab.notebook(), *SPACE, "--on", "auto", *wanted)
    choice = json.loads((scan.folder / "scan.json").read_text())["choice"]
    assert choice.startswith("Chosen: htcondor (htcondor), since it fits")
    assert scan.states() == ["done", "done"]


def test_a_batch_system_that_is_away_is_said_and_hides_nothing(lab: Lab) -> None:
    config = lab.folder / "condor_config"
    config.write_text("COLLECTOR_HOST = 127.0.0.1:1\nSEC_CLIENT_AUTHENTICATION_METHODS = FS\n")
    ran = lab.gridgpu("queues", env={"CONDOR_CONFIG": str(config)})
    assert "this machine" in ran.stdout
    assert "HTCondor's collector does not answer" in ran.stderr


def test_queues_of_a_dump_are_declared_listed_and_matched(lab: Lab) -> None:
    ran = lab.gridgpu("queues", "import", str(DUMP), "--to", "atlas")
    assert "3 queues declared" in ran.stdout
    assert ran.stderr == "Entry 5 (BROKEN) is left out: it has no usable nickname.\n"
    found = listed(lab, "--gpu", "vram>=40GB, cuda>=12")
    assert found["panda", "ANALY_NORTH_GPU"]["fits"] is True
    assert found["panda", "ANALY_SOUTH_GPU_TEST"]["why"] == "is offline"
    unknown = "the memory of its GPUs is not known; its CUDA version is not known"
    assert found["panda", "EAST_GPU"]["why"] == unknown
    assert "no JSON" in one_sentence(lab.gridgpu("queues", "import", __file__, code=2).stderr)
    outside = ["queues", "import", str(DUMP), "--to", "../x"]
    assert "--to" in one_sentence(lab.gridgpu(*outside, code=2).stderr)


def test_a_wrong_file_is_said_beside_the_queues_that_are_right(lab: Lab) -> None:
    good = "- {name: good, backend: slurm, state: online}"
    path = declare(lab, f"queues:\n{good}\n- {{name: bad, backend: slurm, gpus: 3}}\n")
    ran = lab.gridgpu("queues")
    assert "good" in ran.stdout
    assert ran.stderr.startswith(f"{path}, line 3: gpus is the text '3'; write a list")
    assert len(ran.stderr.splitlines()) == 1


def test_auto_takes_the_best_queue_says_so_and_finds_its_scan_again(lab: Lab) -> None:
    notebook, gpus = str(lab.notebook()), {"CUDA_VISIBLE_DEVICES": "0,1"}
    words = (notebook, *SPACE, "--on", "auto", "--gpus", "1", "--maximize", "loss")
    said = "Chosen: this machine, since it fits"
    dry = lab.gridgpu("run", *words, "--dry-run", env=gpus).stdout
    assert said in dry
    assert "on this machine" in dry
    ran = lab.gridgpu("run", *words, env=gpus)
    assert ran.stdout.startswith(said)
    spec = json.loads((lab.home / "train/scan.json").read_text())
    assert (spec["backend"], spec["asked"]["queue"]) == ("local", None)
    assert spec["choice"].startswith(said)
    again = lab.gridgpu("run", *words, env=gpus)
    assert again.stdout.startswith("Same request as before: showing train")
    assert said not in again.stdout


def test_the_memory_that_is_asked_for_is_got_where_one_partition_has_both_kinds(
    slurm: Cluster, lab: Lab
) -> None:
    """Slurm knows types of GPUs and not their memory: the type that has it is asked for."""
    asked = options("--on auto --queue gpu --gpus 1 --vram 40GB --memory 400MB")
    scan = lab.run(lab.notebook(), *SPACE, *asked)
    spec = json.loads((scan.folder / "scan.json").read_text())
    assert (spec["backend"], spec["asked_model"]) == ("slurm", None)
    assert spec["resources"]["gpu_model"] == "A100"
    nodes = {event["node"] for event in scan.events_of("job.observed") if event.get("node")}
    assert nodes >= {"node1"}
    assert "node2" not in nodes
    assert scan.states() == ["done", "done"]


LAB_QUEUE = """
queues:
- name: lab
  backend: local
  gpus: [{model: A100-SXM4-40GB}]
  placement: {queue: x}
  state: online
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--vram", "80GB"), "No queue fits: 80 GB of GPU memory asked, the largest has 40 GB."),
        (("--gpu-model", "H100"), "No queue fits: H100 asked, there is A100-SXM4-40GB."),
        (("--queue", "nowhere"), "No queue is called 'nowhere'; there are lab, here."),
    ],
)
def test_nothing_fits_is_said_before_anything_is_sent(
    words: tuple[str, ...], said: str, lab: Lab
) -> None:
    declare(lab, LAB_QUEUE)
    asked = (str(lab.notebook()), *SPACE, "--on", "auto", "--gpus", "1", *words)
    ran = lab.gridgpu("run", *asked, code=2 if "--queue" in words else 3)
    assert one_sentence(ran.stderr) == f"gridgpu: {said}"
    assert not lab.home.exists()
