"""Queues of real engines on the command line, and scans that leave the choice to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.engines.condor import Pool
from tests.engines.slurm import Cluster
from tests.kit import eventually

from .helpers import Lab, one_sentence, strict_json

DUMP = Path(__file__).parents[1] / "data" / "cric-queues.json"
SPACE = ("-p", "n = [1, 2]", "-p", "steps = 1", "-p", "pause = 0.0")


@pytest.fixture(autouse=True)
def own_config(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is declared but what a test declares, and no engine is known but the one that it has."""
    lab.env["JUPYTER_CONFIG_DIR"] = str(lab.folder / "config")
    for name in ("CONDOR_CONFIG", "SLURM_CONF"):
        monkeypatch.delenv(name, raising=False)


def declare(lab: Lab, text: str) -> Path:
    path = lab.folder / "config/gridgpu/queues.d/mine.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def listed(lab: Lab, *words: str) -> dict[tuple[str, str], dict[str, Any]]:
    body = strict_json(lab.gridgpu("queues", "--json", *words).stdout)
    return {(queue["backend"], queue["name"]): queue for queue in body["queues"]}


def test_partitions_of_a_running_slurm(slurm: Cluster, lab: Lab) -> None:
    found = listed(lab)
    gpu = found["slurm", "gpu"]
    assert [(kind["model"], kind["count"], kind["total"]) for kind in gpu["gpus"]] == [
        ("A100", 2, 2),
        ("V100", 2, 2),
    ]
    assert (gpu["state"], gpu["free"], gpu["queue"], gpu["limits"]["walltime_s"]) == (
        "online",
        4,
        "gpu",
        7 * 86400,
    )
    assert found["slurm", "short"]["limits"]["walltime_s"] == 600
    assert found["slurm", "down"]["state"] == "offline"
    slurm.run(
        "sbatch",
        "-p",
        "gpu",
        "--gres=gpu:v100:2",
        "--mem=100",
        "-D",
        str(lab.folder),
        "--wrap",
        "sleep 60",
    )
    eventually(lambda: listed(lab)["slurm", "gpu"]["free"] == 2, what="the job holds its GPUs")
    declare(
        lab,
        "queues:\n- {name: best, backend: slurm, placement: {queue: gpu}, rank: 3, limits: {gpus: 1}}\n",
    )
    best = listed(lab)["slurm", "best"]
    assert (best["free"], best["total"], best["limits"]["gpus"], best["limits"]["cpus"]) == (
        2,
        4,
        1,
        8,
    )
    answer = listed(lab, "--gpu", "model=V100, vram>=40GB")
    assert (answer["slurm", "best"]["fits"], answer["slurm", "best"]["why"]) == (
        False,
        "has 32 GB of GPU memory, 40 GB asked",
    )
    assert listed(lab, "--gpu", "A100")["slurm", "best"]["fits"] is True


def test_partitions_of_a_newer_slurm(new_slurm_cluster: Cluster, lab: Lab) -> None:
    lab.env.update(new_slurm_cluster.env)
    found = listed(lab)
    assert [(kind["model"], kind["total"]) for kind in found["slurm", "gpu"]["gpus"]] == [
        ("A100", 2),
        ("V100", 2),
    ]
    assert (found["slurm", "gpu"]["default"], found["slurm", "short"]["default"]) == (True, False)


def test_a_running_htcondor_pool(condor_pool: Pool, lab: Lab) -> None:
    pool = listed(lab)["htcondor", "htcondor"]
    assert (pool["state"], pool["total"], pool["free"]) == ("online", 4, 4)
    assert {kind["model"]: kind["cuda"] for kind in pool["gpus"]} == {
        "T4": "12.4",
        "A100-SXM4-40GB": "12.4",
    }
    assert pool["limits"]["cpus"]
    assert pool["limits"]["gpus"] == 2


def test_a_pool_gives_the_gpu_that_the_queue_was_chosen_for(condor_pool: Pool, lab: Lab) -> None:
    """A GPU sold as 40 GB shows less, and is written in other letters; the engine must match what the matcher matched."""
    wanted = ("--gpus", "1", "--vram", "40GB", "--gpu-model", "a100 sxm4", "--cuda", "12")
    scan = lab.run(lab.notebook(), *SPACE, "--on", "auto", *wanted)
    assert json.loads((scan.folder / "scan.json").read_text())["choice"].startswith(
        "Chosen: htcondor (htcondor), since it fits"
    )
    assert scan.states() == ["done", "done"]


def test_an_engine_that_is_away_is_said_and_hides_nothing(lab: Lab) -> None:
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
    assert (
        found["panda", "EAST_GPU"]["why"]
        == "the memory of its GPUs is not known; its CUDA version is not known"
    )
    assert "no JSON" in one_sentence(lab.gridgpu("queues", "import", __file__, code=2).stderr)
    assert "--to" in one_sentence(
        lab.gridgpu("queues", "import", str(DUMP), "--to", "../x", code=2).stderr
    )


def test_a_wrong_file_is_said_beside_the_queues_that_are_right(lab: Lab) -> None:
    path = declare(
        lab,
        "queues:\n- {name: good, backend: slurm, state: online}\n- {name: bad, backend: slurm, gpus: 3}\n",
    )
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
    assert (spec["backend"], spec["asked"]["queue"], spec["choice"].startswith(said)) == (
        "local",
        None,
        True,
    )
    again = lab.gridgpu("run", *words, env=gpus)
    assert again.stdout.startswith("Same request as before: showing train")
    assert said not in again.stdout


def test_the_memory_that_is_asked_for_is_got_where_one_partition_has_both_kinds(
    slurm: Cluster, lab: Lab
) -> None:
    """Slurm knows types of GPUs and not their memory: the type that has it is asked for."""
    lab.env["GRIDGPU_POLL_S"] = "0.5"
    scan = lab.run(
        lab.notebook(),
        *SPACE,
        "--on",
        "auto",
        "--queue",
        "gpu",
        "--gpus",
        "1",
        "--vram",
        "40GB",
        "--memory",
        "400MB",
    )
    spec = json.loads((scan.folder / "scan.json").read_text())
    assert (spec["backend"], spec["resources"]["gpu_model"], spec["asked_model"]) == (
        "slurm",
        "A100",
        None,
    )
    nodes = {event["node"] for event in scan.events_of("job.observed") if event.get("node")}
    assert nodes >= {"node1"}
    assert "node2" not in nodes
    assert scan.states() == ["done", "done"]


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
    declare(
        lab,
        "queues:\n- {name: lab, backend: local, gpus: [{model: A100-SXM4-40GB}], placement: {queue: x}, state: online}\n",
    )
    asked = (str(lab.notebook()), *SPACE, "--on", "auto", "--gpus", "1", *words)
    ran = lab.gridgpu("run", *asked, code=2 if "--queue" in words else 3)
    assert one_sentence(ran.stderr) == f"gridgpu: {said}"
    assert not lab.home.exists()
