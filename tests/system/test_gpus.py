"""GPUs are given to jobs so that none has more users than asked for; the devices are only named here, not used."""

from __future__ import annotations

import os
from typing import Any

from .helpers import Lab, ScanOfLab, strict_json

# Every run writes when it held which device; with `wait_for`, it holds it until so many runs have begun.
HOLD = """
import json, os, time
held = {"n": n, "device": os.environ.get("CUDA_VISIBLE_DEVICES"), "threads": os.environ.get("OMP_NUM_THREADS")}
held["start"] = time.time()
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
DEVICES = {"CUDA_VISIBLE_DEVICES": "0,1"}


def hold(
    lab: Lab, count: int, *options: str, wait_for: int = 0
) -> tuple[ScanOfLab, list[dict[str, Any]]]:
    notebook = lab.notebook(HOLD, parameters="n = 0\nmark = ''\nbegun = ''\nwait_for = 0")
    fixed = [
        "-p",
        f"mark = {str(lab.mark)!r}",
        "-p",
        f"begun = {str(lab.folder / 'begun')!r}",
        "-p",
        f"wait_for = {wait_for}",
    ]
    scan = lab.run(notebook, "-p", f"n = {list(range(count))}", *fixed, *options, env=DEVICES)
    held = [strict_json(line) for line in lab.mark.read_text().splitlines()]
    assert len(held) == count
    return scan, held


def most_at_once(held: list[dict[str, Any]], device: str) -> int:
    mine = [run for run in held if run["device"] == device]
    return max(int(sum(a["start"] <= b["start"] < a["end"] for a in mine)) for b in mine)


def test_one_job_a_gpu(lab: Lab) -> None:
    scan, held = hold(lab, 6, "--gpus", "1", "--parallel", "4")
    assert {run["device"] for run in held} == {"0", "1"}
    assert [most_at_once(held, device) for device in ("0", "1")] == [1, 1]
    assert {run["threads"] for run in held} == {
        str(max(1, len(os.sched_getaffinity(0)) // 2))
    }  # each job's share of the cores
    gpus = [event["gpu"] for event in scan.events_of("job.observed") if event.get("gpu")]
    assert set(gpus) == {"0", "1"}


def test_two_jobs_a_gpu(lab: Lab) -> None:
    """All four wait for each other, so they end only if all run at once."""
    _, held = hold(lab, 4, "--gpus", "1", "--per-gpu", "2", "--parallel", "4", wait_for=4)
    assert max(run["end"] - run["start"] for run in held) < 60
    assert [most_at_once(held, device) for device in ("0", "1")] == [2, 2]


def test_two_gpus_a_job(lab: Lab) -> None:
    _, held = hold(lab, 2, "--gpus", "2", "--parallel", "4")
    assert {run["device"] for run in held} == {"0,1"}
    assert most_at_once(held, "0,1") == 1


def test_pins_outlive_the_runner(lab: Lab) -> None:
    """A new runner knows which devices the jobs it adopts are using."""
    notebook = lab.notebook(HOLD, parameters="n = 0\nmark = ''\nbegun = ''\nwait_for = 0")
    space = [
        "-p",
        "n = [0, 1, 2, 3]",
        "-p",
        f"mark = {str(lab.mark)!r}",
        "-p",
        f"begun = {str(lab.folder / 'begun')!r}",
    ]
    scan = lab.start(notebook, *space, "--gpus", "1", env=DEVICES)
    scan.wait_for("v0002")
    scan.kill_runner()
    lab.gridgpu("resume", scan.name, env=DEVICES)
    assert scan.wait()["state"] == "done"
    held = [strict_json(line) for line in lab.mark.read_text().splitlines()]
    assert sorted(run["n"] for run in held) == [0, 1, 2, 3]
    assert [most_at_once(held, device) for device in ("0", "1")] == [1, 1]


def test_more_gpus_than_there_are(lab: Lab) -> None:
    ran = lab.gridgpu(
        "run", str(lab.notebook()), "-p", "n = [1]", "--gpus", "3", code=3, env=DEVICES
    )
    assert "has 2 GPUs" in ran.stderr
    assert not lab.home.exists() or not list(lab.home.iterdir())


def test_the_users_own_limit_of_threads_stays(lab: Lab) -> None:
    lab.env["OMP_NUM_THREADS"] = "7"
    _, held = hold(lab, 1, "--gpus", "1")
    assert held[0]["threads"] == "7"
