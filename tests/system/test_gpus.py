"""GPUs are given to jobs so that none has more users than asked for.

The devices are only named here, not used.
"""

from __future__ import annotations

import os
import time
from typing import Any

from tests.kit import eventually

from .helpers import options, space, strict_json
from .lab import Lab, ScanOfLab

# Every run writes when it held which device. It holds it until `wait_for` runs have begun.
HOLD = """
import json, os, time
held = {
    "n": n,
    "device": os.environ.get("CUDA_VISIBLE_DEVICES"),
    "threads": os.environ.get("OMP_NUM_THREADS"),
    "start": time.time(),
}
with open(begun, "a") as file:
    file.write(f"{n}\\n")
time.sleep(0.3)
while len(open(begun).readlines()) < wait_for and time.time() < held["start"] + 60:
    time.sleep(0.05)
held["end"] = time.time()
print("device", held["device"])
with open(mark, "a") as file:
    file.write(json.dumps(held) + "\\n")
"""
HOLD_PARAMETERS = "n = 0\nmark = ''\nbegun = ''\nwait_for = 0"
DEVICES = {"CUDA_VISIBLE_DEVICES": "0,1"}


def hold(
    lab: Lab, count: int, *words: str, wait_for: int = 0
) -> tuple[ScanOfLab, list[dict[str, Any]]]:
    """Run `count` jobs to their end, and return the scan with what the jobs wrote."""
    notebook = lab.notebook(HOLD, parameters=HOLD_PARAMETERS)
    axes = space(n=list(range(count)), wait_for=wait_for, **files(lab))
    scan = lab.run(notebook, *axes, *words, env=DEVICES)
    held = written(lab)
    assert len(held) == count
    return scan, held


def files(lab: Lab) -> dict[str, str]:
    """Return the parameters that name the files of the jobs."""
    return {"mark": str(lab.mark), "begun": str(lab.folder / "begun")}


def written(lab: Lab) -> list[dict[str, Any]]:
    """Return what the jobs that have ended wrote."""
    return [strict_json(line) for line in lab.mark.read_text().splitlines()]


def most_at_once(held: list[dict[str, Any]], device: str) -> int:
    """Return how many jobs held a device at the same time, at the most."""
    of_device = [run for run in held if run["device"] == device]
    return max(sum(_holds(run, other["start"]) for run in of_device) for other in of_device)


def _holds(run: dict[str, Any], moment: float) -> bool:
    return bool(run["start"] <= moment < run["end"])


def test_one_job_a_gpu(lab: Lab) -> None:
    scan, held = hold(lab, 6, *options("--gpus 1 --parallel 4"))
    assert {run["device"] for run in held} == {"0", "1"}
    assert [most_at_once(held, device) for device in ("0", "1")] == [1, 1]
    share = max(1, len(os.sched_getaffinity(0)) // 2)  # of the cores, for each job
    assert {run["threads"] for run in held} == {str(share)}
    gpus = [event["gpu"] for event in scan.events_of("job.observed") if event.get("gpu")]
    assert set(gpus) == {"0", "1"}


def test_two_jobs_a_gpu(lab: Lab) -> None:
    """All four wait for each other, so they end only if all run at once."""
    _, held = hold(lab, 4, *options("--gpus 1 --per-gpu 2 --parallel 4"), wait_for=4)
    assert max(run["end"] - run["start"] for run in held) < 60
    assert [most_at_once(held, device) for device in ("0", "1")] == [2, 2]


def test_two_gpus_a_job(lab: Lab) -> None:
    _, held = hold(lab, 2, *options("--gpus 2 --parallel 4"))
    assert {run["device"] for run in held} == {"0,1"}
    assert most_at_once(held, "0,1") == 1


def test_pins_outlive_the_runner(lab: Lab) -> None:
    """A new runner knows which devices the jobs it adopts are using."""
    notebook = lab.notebook(HOLD, parameters=HOLD_PARAMETERS)
    axes = space(n=[0, 1, 2, 3], wait_for=100, **files(lab))
    scan = lab.start(notebook, *axes, "--gpus", "1", env=DEVICES)
    eventually((lab.folder / "begun").exists, what="a job has begun")
    scan.wait_for("v0001")
    scan.wait_for("v0002")
    scan.kill_runner()
    lab.gridgpu("resume", scan.name, env=DEVICES)
    eventually(lambda: len(scan.events_of("runner.started")) == 2, what="a new runner")
    # A runner that took the devices for free would start the others in this time.
    time.sleep(1)
    assert scan.states()[:2] == ["running", "running"]
    assert "running" not in scan.states()[2:]
    with open(lab.folder / "begun", "a") as begun:
        begun.write("\n" * 100)
    assert scan.wait()["state"] == "done"
    held = written(lab)
    assert sorted(run["n"] for run in held) == [0, 1, 2, 3]
    assert [most_at_once(held, device) for device in ("0", "1")] == [1, 1]


def test_more_gpus_than_there_are(lab: Lab) -> None:
    words = [*space(n=[1]), "--gpus", "3"]
    ran = lab.gridgpu("run", str(lab.notebook()), *words, code=3, env=DEVICES)
    assert "has 2 GPUs" in ran.stderr
    assert not lab.home.exists() or not list(lab.home.iterdir())


def test_the_users_own_limit_of_threads_stays(lab: Lab) -> None:
    lab.env["OMP_NUM_THREADS"] = "7"
    _, held = hold(lab, 1, "--gpus", "1")
    assert held[0]["threads"] == "7"
