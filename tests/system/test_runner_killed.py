"""A runner killed at any instant loses nothing and runs nothing twice."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

from jupyter_gridgpu.errors import ScanLocked
from tests.kit import eventually

from .helpers import Executed, Lab, ScanOfLab, gone, kill

COUNT = 6
KILLS = 3


def check_whole(scan: ScanOfLab, count: int) -> None:
    """Every variant was executed exactly once, and all of it is there."""
    body = scan.wait()
    assert body["state"] == "done"
    assert [variant["state"] for variant in body["variants"]] == ["done"] * count
    assert [variant["attempts"] for variant in body["variants"]] == [1] * count
    assert [variant["params"]["n"] for variant in body["variants"]] == list(range(1, count + 1))
    assert [variant["metrics"]["loss"] for variant in body["variants"]] == [
        4 * n for n in range(1, count + 1)
    ]
    assert scan.lab.marks() == [str(n) for n in range(1, count + 1)]
    assert scan.attempts() == {f"v{n:04d}.1": 1 for n in range(1, count + 1)}
    for variant in body["variants"]:
        assert set(Executed.read(variant["notebook"]).statuses()) == {"completed"}
    done = [event["key"] for event in scan.events_of("job.observed") if event["state"] == "done"]
    assert sorted(done) == [f"v{n:04d}.1" for n in range(1, count + 1)]
    eventually(lambda: not scan.processes(), what="nothing is left running")


def check_unharmed(scan: ScanOfLab) -> None:
    """What `show` says of a scan whose runner was just killed."""
    body = scan.show()
    assert body["state"] in ("running", "orphaned", "done")
    assert {variant["state"] for variant in body["variants"]} <= {
        "new",
        "queued",
        "running",
        "done",
    }


@pytest.mark.parametrize("seed", range(4))
def test_killed_at_any_instant(lab: Lab, seed: int) -> None:
    chance = random.Random(seed)
    scan = lab.training(COUNT, "--parallel", "2")
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.0, 0.8) if chance.random() < 0.5 else chance.uniform(0.8, 3.0))
        scan.kill_runner()
        check_unharmed(scan)
        scan.gridgpu("resume")
    check_whole(scan, COUNT)


@pytest.mark.parametrize("event", ["variant.proposed", "job.intended", "job.reported"])
def test_killed_right_after(lab: Lab, event: str) -> None:
    """Killed as soon as the journal has that event: between the plan, the intent, the job and its end."""
    scan = lab.training(2, "--parallel", "2")
    journal = scan.folder / "journal.jsonl"
    deadline = time.monotonic() + 60
    while not journal.exists() or event.encode() not in journal.read_bytes():
        assert time.monotonic() < deadline
    scan.kill_runner()
    check_unharmed(scan)
    scan.gridgpu("resume")
    check_whole(scan, 2)


def test_killed_with_its_nursery(lab: Lab) -> None:
    scan = lab.training(4, "--parallel", "2")
    scan.wait_for("v0001", loss=1)
    nursery = scan.nurseries()[0].pid
    kill(scan.runners()[0].pid)
    kill(nursery)
    eventually(lambda: gone(nursery) and not scan.runners())
    check_unharmed(scan)
    scan.gridgpu("resume")
    check_whole(scan, 4)


def test_nursery_killed_alone(lab: Lab) -> None:
    """Jobs go on, the next ones start from a new nursery, and nobody has to do anything."""
    scan = lab.training(4, "--parallel", "2")
    scan.wait_for("v0001", loss=1)
    runner, nursery = scan.runners()[0].pid, scan.nurseries()[0].pid
    kill(nursery)
    eventually(lambda: gone(nursery))
    assert not gone(runner)
    check_whole(scan, 4)


def test_who_waits_for_a_scan_revives_it(lab: Lab) -> None:
    scan = lab.training(2, "--parallel", "2", steps=10)
    words = [sys.executable, "-m", "jupyter_gridgpu.cli", "watch", scan.name]
    with subprocess.Popen(
        words, env=lab.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as watching:
        scan.wait_for("v0001", loss=1)
        scan.kill_runner()
        watching.communicate(timeout=90)
    assert watching.returncode == 0
    assert scan.lab.marks() == ["1", "2"]
    assert scan.states() == ["done", "done"]


def test_second_runner_is_refused(lab: Lab) -> None:
    """It exits with one sentence, whether started by hand or by a client, and the first goes on undisturbed."""
    scan = lab.training(2, "--parallel", "1", steps=8)
    scan.wait_for("v0001", loss=1)
    first = scan.runners()[0].pid
    words = [sys.executable, "-m", "jupyter_gridgpu.runner", str(scan.folder)]
    second = subprocess.run(
        words, env=lab.environment(), capture_output=True, text=True, timeout=60
    )
    assert second.returncode == ScanLocked.exit_code
    assert len(second.stderr.splitlines()) == 1
    assert f"already has a runner (process {first}" in second.stderr
    spawn = "import sys; from pathlib import Path; from jupyter_gridgpu.runner.spawn import spawn; spawn(Path(sys.argv[1]))"
    subprocess.run(
        [sys.executable, "-c", spawn, str(scan.folder)],
        env=lab.environment(),
        check=True,
        timeout=60,
    )
    eventually(lambda: "already has a runner" in scan.log())
    assert len(scan.log().splitlines()) == 1
    eventually(
        lambda: [process.pid for process in scan.runners()] == [first],
        what="only the first is left",
    )
    body = scan.wait()
    assert body["state"] == "done"
    assert lab.marks() == ["1", "2"]
    assert {event["term"] for event in scan.events()} == {1}


@pytest.mark.parametrize(
    "tail", ['{"seq":99,"term":1,"t":1.0,"ty', 'not a line\n"\n[1]\n{}\n\x00\x00\x00']
)
def test_torn_journal(lab: Lab, tail: str) -> None:
    """Half a line at the journal's end, or a foreign one, is passed over by readers and by the runner that goes on."""
    scan = lab.training(2, "--parallel", "2")
    scan.wait_for("v0001", loss=1)
    scan.kill_runner()
    journal = scan.folder / "journal.jsonl"
    with open(journal, "a") as file:
        file.write(tail)
    check_unharmed(scan)
    scan.gridgpu("resume")
    body = scan.wait()
    assert [variant["state"] for variant in body["variants"]] == ["done", "done"]
    assert [variant["attempts"] for variant in body["variants"]] == [1, 1]
    assert lab.marks() == ["1", "2"]
    assert (
        len([line for line in journal.read_text().splitlines() if not _sound(line)])
        == tail.count("\n") + 1
    )


def _sound(line: str) -> bool:
    try:
        return "seq" in json.loads(line)
    except ValueError:
        return False


def test_killed_together_with_a_worker(lab: Lab) -> None:
    """What died while nobody looked is found dead by the next runner, with all of its processes."""
    scan = lab.training(2, "--parallel", "2", steps=12)
    scan.wait_for("v0001", loss=1)
    kernel = scan.kernel("v0001.1")
    scan.kill_runner()
    kill(scan.worker("v0001.1"))
    eventually(lambda: gone(kernel), what="the kernel goes with its worker")
    check_unharmed(scan)
    scan.gridgpu("resume")
    first, second = scan.wait()["variants"]
    assert (first["state"], first["reason"]) == ("failed", "node")
    assert second["state"] == "done"


def test_outlives_the_kernel_that_started_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = lab.notebook(parameters="n = 0\nmark = '/dev/null'\nsteps = 10\npause = 0.1")
    code = f"""
from pathlib import Path
from jupyter_gridgpu import gridscan
scan = gridscan({str(notebook)!r}, {{"n": [1, 2, 3, 4], "mark": {str(lab.mark)!r}, "steps": 4}}, parallel=2)
Path("started.txt").write_text(str(scan.folder))
"""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=lab.environment(), cwd=str(lab.folder))
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        client.execute(code)
        started = lab.folder / "started.txt"
        folder = eventually(lambda: started.read_text() if started.exists() else "")
        scan = ScanOfLab(lab, "train", Path(folder))
        scan.wait_for("v0001")
        kernel = int(getattr(manager.provisioner, "pid", 0))
        assert kernel
        os.killpg(os.getpgid(kernel), 9)
        eventually(lambda: gone(kernel))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
    check_whole(scan, 4)
