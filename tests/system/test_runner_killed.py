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
from tests.kit import WITHIN_S, eventually

from .helpers import gone, kill
from .lab import Lab, ScanOfLab
from .notebooks import LONG, Executed

COUNT = 6
KILLS = 3


def check_whole(scan: ScanOfLab, count: int, steps: int = 4) -> None:
    """Check that every variant was executed exactly once, and that all of it is there."""
    numbers = range(1, count + 1)
    body = scan.wait()
    assert body["state"] == "done"
    assert [variant["state"] for variant in body["variants"]] == ["done"] * count
    assert [variant["attempts"] for variant in body["variants"]] == [1] * count
    assert [variant["params"]["n"] for variant in body["variants"]] == list(numbers)
    losses = [variant["metrics"]["loss"] for variant in body["variants"]]
    assert losses == [steps * number for number in numbers]
    assert scan.lab.marks() == [str(number) for number in numbers]
    keys = [f"v{number:04d}.1" for number in numbers]
    assert scan.attempts() == dict.fromkeys(keys, 1)
    for variant in body["variants"]:
        assert set(Executed.read(variant["notebook"]).statuses()) == {"completed"}
    done = [event["key"] for event in scan.events_of("job.observed") if event["state"] == "done"]
    assert sorted(done) == keys
    eventually(lambda: not scan.processes(), what="nothing is left running")


def check_unharmed(scan: ScanOfLab) -> None:
    """Check what `show` says of a scan whose runner was just killed."""
    body = scan.show()
    assert body["state"] in ("running", "orphaned", "done")
    states = {variant["state"] for variant in body["variants"]}
    assert states <= {"new", "queued", "running", "done"}


@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_instant(lab: Lab, seed: int) -> None:
    chance = random.Random(seed)
    scan = lab.training(COUNT, "--parallel", "2")
    for _ in range(KILLS):
        # Half of the instants lie in the first second of a runner.
        earliest, latest = (0.0, 0.8) if chance.random() < 0.5 else (0.8, 3.0)
        time.sleep(chance.uniform(earliest, latest))
        scan.kill_runner()
        check_unharmed(scan)
        scan.gridgpu("resume")
    check_whole(scan, COUNT)


@pytest.mark.parametrize("event", ["variant.proposed", "job.intended", "job.reported"])
def test_killed_right_after(lab: Lab, event: str) -> None:
    """Killed as soon as the journal has that event.

    That is between the plan, the intent, the job and its end.
    """
    scan = lab.training(2, "--parallel", "2")
    journal = scan.folder / "journal.jsonl"
    deadline = time.monotonic() + WITHIN_S
    # Without a pause between two looks, so that the runner has no time to go on.
    while not journal.exists() or event.encode() not in journal.read_bytes():
        assert time.monotonic() < deadline
    scan.kill_runner()
    check_unharmed(scan)
    scan.gridgpu("resume")
    check_whole(scan, 2)


def test_killed_with_its_fork_server(lab: Lab) -> None:
    scan = lab.training(4, "--parallel", "2", steps=LONG)
    scan.wait_for("v0001", loss=1)
    fork_server = scan.fork_server()
    kill(scan.runner())
    kill(fork_server)
    eventually(lambda: gone(fork_server) and not scan.runners())
    check_unharmed(scan)
    scan.gridgpu("resume")
    lab.hurry()
    check_whole(scan, 4, steps=LONG)


def test_fork_server_killed_alone(lab: Lab) -> None:
    """Jobs go on and the next ones start from a new fork server; nobody has to do anything."""
    scan = lab.training(4, "--parallel", "2", steps=LONG)
    scan.wait_for("v0001", loss=1)
    runner, fork_server = scan.runner(), scan.fork_server()
    kill(fork_server)
    eventually(lambda: gone(fork_server))
    assert not gone(runner)
    lab.hurry()
    check_whole(scan, 4, steps=LONG)


def test_who_waits_for_a_scan_revives_it(lab: Lab) -> None:
    scan = lab.training(2, "--parallel", "2", steps=LONG)
    words = [sys.executable, "-m", "jupyter_gridgpu.cli", "watch", scan.name]
    with subprocess.Popen(
        words, env=lab.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as watching:
        scan.wait_for("v0001", loss=1)
        scan.kill_runner()
        lab.hurry()
        watching.communicate(timeout=90)
    assert watching.returncode == 0
    assert scan.lab.marks() == ["1", "2"]
    assert scan.states() == ["done", "done"]


# Starts a runner as a client does.
SPAWN = """
import sys
from pathlib import Path
from jupyter_gridgpu.runner.spawn import spawn
spawn(Path(sys.argv[1]))
"""


def test_second_runner_is_refused(lab: Lab) -> None:
    """It exits with one sentence, whether started by hand or by a client.

    The first goes on undisturbed.
    """
    scan = lab.training(2, "--parallel", "1", steps=LONG)
    scan.wait_for("v0001", loss=1)
    first = scan.runner()
    words = [sys.executable, "-m", "jupyter_gridgpu.runner", str(scan.folder)]
    second = subprocess.run(
        words, env=lab.environment(), capture_output=True, text=True, timeout=60
    )
    assert second.returncode == ScanLocked.exit_code
    assert len(second.stderr.splitlines()) == 1
    assert f"already has a runner (process {first}" in second.stderr
    subprocess.run(
        [sys.executable, "-c", SPAWN, str(scan.folder)],
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
    lab.hurry()
    body = scan.wait()
    assert body["state"] == "done"
    assert lab.marks() == ["1", "2"]
    assert {event["term"] for event in scan.events()} == {1}


@pytest.mark.parametrize(
    "tail", ['{"seq":99,"term":1,"t":1.0,"ty', 'not a line\n"\n[1]\n{}\n\x00\x00\x00']
)
def test_torn_journal(lab: Lab, tail: str) -> None:
    """Half a line at the journal's end, or a foreign one, is passed over.

    Readers do so, and the runner that goes on.
    """
    scan = lab.training(2, "--parallel", "2", steps=LONG)
    scan.wait_for("v0001", loss=1)
    scan.kill_runner()
    journal = scan.folder / "journal.jsonl"
    with open(journal, "a") as file:
        file.write(tail)
    check_unharmed(scan)
    scan.gridgpu("resume")
    lab.hurry()
    body = scan.wait()
    assert [variant["state"] for variant in body["variants"]] == ["done", "done"]
    assert [variant["attempts"] for variant in body["variants"]] == [1, 1]
    assert lab.marks() == ["1", "2"]
    unsound = [line for line in journal.read_text().splitlines() if not _sound(line)]
    assert len(unsound) == tail.count("\n") + 1


def _sound(line: str) -> bool:
    """Return whether a line of a journal is an event."""
    try:
        return "seq" in json.loads(line)
    except ValueError:
        return False


def test_killed_together_with_a_worker(lab: Lab) -> None:
    """What died while nobody looked is found dead by the next runner, with all of its processes."""
    scan = lab.training(2, "--parallel", "2", steps=LONG)
    scan.wait_for("v0001", loss=1)
    kernel = scan.kernel("v0001.1")
    scan.kill_runner()
    kill(scan.worker("v0001.1"))
    eventually(lambda: gone(kernel), what="the kernel goes with its worker")
    check_unharmed(scan)
    scan.gridgpu("resume")
    lab.hurry()
    first, second = scan.wait()["variants"]
    assert (first["state"], first["reason"]) == ("failed", "node")
    assert second["state"] == "done"


# Runs in the kernel of a user.
START = """
from pathlib import Path
from jupyter_gridgpu import gridscan
space = {{"n": [1, 2, 3, 4], "mark": {mark!r}, "steps": {steps}}}
scan = gridscan({notebook!r}, space, parallel=2)
Path("started.part").write_text(str(scan.folder))
Path("started.part").rename("started.txt")
"""


def test_outlives_the_kernel_that_started_it(lab: Lab) -> None:
    notebook = lab.notebook()
    code = START.format(notebook=str(notebook), mark=str(lab.mark), steps=LONG)
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=lab.environment(), cwd=str(lab.folder))
    client = manager.blocking_client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        client.execute(code)
        started = lab.folder / "started.txt"
        eventually(started.exists, what="the scan is started")
        scan = ScanOfLab(lab, "train", Path(started.read_text()))
        scan.wait_for("v0001")
        kernel = int(getattr(manager.provisioner, "pid", 0))
        assert kernel
        os.killpg(os.getpgid(kernel), 9)
        eventually(lambda: gone(kernel))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()
    lab.hurry()
    check_whole(scan, 4, steps=LONG)
