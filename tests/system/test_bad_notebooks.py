"""Notebooks that fail, die, hang or eat memory.

They end with a reason, keep what they had, and harm no other variant.
"""

from __future__ import annotations

import json
import signal
import time
from typing import Any

import pytest

from tests.kit import eventually

from .helpers import command_of, gone, kill, options, processes_with, space
from .lab import Lab, ScanOfLab
from .notebooks import LONG, WAIT_UNTIL_LOGGED, Executed

START = f"""{WAIT_UNTIL_LOGGED}
import os, signal, subprocess, time
from jupyter_gridgpu import report
print("begun", kind)
report(epoch=1, loss=0.5)
"""
FAIL = """
print("before", kind, flush=True)
wait_until_logged(f"before {kind}")
if kind == "raises":
    {}["momentum"]
if kind == "says_a_lot":
    raise ValueError("line one\\n" + "x" * 10000)
if kind == "exits":
    subprocess.Popen(["sleep", "3600"], start_new_session=True)
    os._exit(3)
if kind == "kills_itself":
    os.kill(os.getpid(), signal.SIGKILL)
if kind == "leaves":
    import sys
    sys.exit(4)
if kind == "ignores":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if kind in ("hangs", "ignores"):
    for epoch in range(2, 100000):
        print("epoch", epoch)
        report(epoch=epoch, loss=1 / epoch)
        time.sleep(0.2)
if kind == "eats":
    eaten = [b"x" * 40_000_000 for _ in range(25) if not time.sleep(0.1)]
    time.sleep(3600)
"""
END = "print('after', kind)"
# Those that take longest come first, so that the others run beside them.
KINDS = ["hangs", "ignores", "eats", "fine", "raises", "says_a_lot", "exits"]
KINDS += ["kills_itself", "leaves", "fine too"]
CELL = 3  # parameters, START, FAIL; the cell with the values is none of the notebook


@pytest.fixture(scope="module")
def misfortunes(shared_lab: Lab) -> ScanOfLab:
    """Run one scan in which each of the kinds happens once."""
    notebook = shared_lab.notebook(START, FAIL, END, name="misfortunes", parameters="kind = ''")
    limits = options("--walltime 10s --memory 300MB --parallel 4 --minimize loss")
    return shared_lab.run(notebook, *space(kind=KINDS), *limits, code=1)


def check_partial(variant: dict[str, Any], kind: str) -> Executed:
    """Check and return the notebook of a variant that failed in FAIL.

    It must be valid, have the outputs, and be true about which cells ran.
    """
    assert variant["state"] == "failed"
    assert variant["cell"] == CELL
    assert variant["attempts"] == 1
    notebook = Executed.read(variant["notebook"])
    assert notebook.statuses() == ["completed", "completed", "completed", "failed", "pending"]
    assert f"begun {kind}" in notebook.text()
    assert f"before {kind}" in notebook.text()
    assert "after" not in notebook.text()
    return notebook


@pytest.mark.parametrize("kind", ["fine", "fine too"])
def test_others_are_done(misfortunes: ScanOfLab, kind: str) -> None:
    variant = misfortunes.by("kind")[kind]
    assert (variant["state"], variant["reason"]) == ("done", None)
    notebook = Executed.read(variant["notebook"])
    assert set(notebook.statuses()) == {"completed"}
    assert f"after {kind}" in notebook.text()


def test_raises(misfortunes: ScanOfLab) -> None:
    variant = misfortunes.by("kind")["raises"]
    notebook = check_partial(variant, "raises")
    assert variant["reason"] == "notebook"
    assert variant["message"] == "KeyError: 'momentum' in cell 3."
    assert variant["metrics"] == {"loss": 0.5}
    outputs = notebook.cells[3].outputs
    errors = [output["ename"] for output in outputs if output["output_type"] == "error"]
    assert errors == ["KeyError"]


def test_message_is_bounded(misfortunes: ScanOfLab) -> None:
    variant = misfortunes.by("kind")["says_a_lot"]
    check_partial(variant, "says_a_lot")
    assert variant["message"].startswith("ValueError: line one x")
    assert variant["message"].endswith("in cell 3.")
    assert len(variant["message"]) <= 500


@pytest.mark.parametrize("kind", ["exits", "kills_itself"])
def test_kernel_that_dies(misfortunes: ScanOfLab, kind: str) -> None:
    variant = misfortunes.by("kind")[kind]
    check_partial(variant, kind)
    assert variant["reason"] == "notebook"
    assert "kernel died in cell 3" in variant["message"]


def test_sys_exit(misfortunes: ScanOfLab) -> None:
    variant = misfortunes.by("kind")["leaves"]
    check_partial(variant, "leaves")
    assert variant["reason"] == "notebook"
    assert variant["message"] == "SystemExit: 4 in cell 3."


@pytest.mark.parametrize("kind", ["hangs", "ignores"])
def test_hangs(misfortunes: ScanOfLab, kind: str) -> None:
    """The walltime ends it, also where the kernel will not be interrupted.

    What it printed and reported is kept.
    """
    variant = misfortunes.by("kind")[kind]
    notebook = check_partial(variant, kind)
    assert variant["reason"] == "timeout"
    assert "limit of 10 s" in variant["message"]
    assert "in cell 3" in variant["message"]
    assert "epoch 3" in notebook.text()
    assert 0 < variant["metrics"]["loss"] <= 1 / 3


def test_eats_memory(misfortunes: ScanOfLab) -> None:
    variant = misfortunes.by("kind")["eats"]
    check_partial(variant, "eats")
    assert variant["reason"] == "oom"
    assert "of 0.3 GB allowed" in variant["message"]


def test_the_scan_as_a_whole(misfortunes: ScanOfLab) -> None:
    body = misfortunes.show()
    assert body["state"] == "done"
    assert len(body["variants"]) == len(KINDS)
    assert body["best"] in {misfortunes.by("kind")[kind]["id"] for kind in ("fine", "fine too")}
    assert misfortunes.log() == ""
    eventually(
        lambda: not misfortunes.processes(),
        what="nothing is left running, not even what a dead kernel had started",
    )


TRIES = """
tries = open(mark, "a+")
tries.write(f"{n}\\n")
tries.seek(0)
assert n == 2 and tries.read().split().count("2") > 1, "not yet"
"""


def test_retries(lab: Lab) -> None:
    """Failed ones are tried again as often as asked for, and not once more."""
    axes = space(n=[1, 2], mark=str(lab.mark))
    asked = options("--retries 1 --parallel 2")
    scan = lab.run(lab.notebook(TRIES), *axes, *asked, code=1)
    broken, flaky = scan.by("n")[1], scan.by("n")[2]
    assert (broken["state"], broken["reason"], broken["attempts"]) == ("failed", "notebook", 2)
    assert broken["message"] == "AssertionError: not yet in cell 2."
    assert (flaky["state"], flaky["reason"], flaky["attempts"]) == ("done", None, 2)
    assert flaky["message"] is None
    assert lab.marks() == ["1", "1", "2", "2"]
    assert scan.attempts() == {"v0001.1": 1, "v0001.2": 1, "v0002.1": 1, "v0002.2": 1}


def test_kernel_killed_from_outside(lab: Lab) -> None:
    scan = lab.training(2, "--parallel", "2", steps=LONG)
    scan.wait_for("v0001", loss=2)
    kill(scan.kernel("v0001.1"))
    scan.wait_for("v0001", "failed")
    lab.hurry()
    first, second = scan.wait()["variants"]
    assert (first["state"], first["reason"], first["cell"]) == ("failed", "notebook", 2)
    assert "kernel died in cell 2" in first["message"]
    notebook = Executed.read(first["notebook"])
    assert notebook.statuses() == ["completed", "completed", "failed"]
    assert "epoch 2" in notebook.text()
    assert first["metrics"]["loss"] >= 2
    assert second["state"] == "done"


# A kernel with children, one of which leads a session of its own. It waits for the file `gate`.
FAMILY = """
import os, subprocess, time
from jupyter_gridgpu import report
subprocess.Popen(["sleep", "3600"])
subprocess.Popen(["sh", "-c", "sleep 3600 & sleep 3600"], start_new_session=True)
while not os.path.exists(gate):
    time.sleep(0.05)
report(loss=n)
"""


@pytest.mark.parametrize("retries", [0, 1])
def test_worker_killed(lab: Lab, retries: int) -> None:
    """Its kernel and all that the kernel started go with it.

    Only that variant fails, or is tried again.
    """
    gate = lab.folder / "gate"
    notebook = lab.notebook(FAMILY, parameters="n = 0\ngate = ''")
    asked = options(f"--parallel 2 --retries {retries}")
    scan = lab.start(notebook, *space(n=[1, 2], gate=str(gate)), *asked)
    job = str(scan.job("v0001.1"))

    def sleepers() -> list[Any]:
        found = processes_with(job)
        return [process for process in found if "sleep" in " ".join(command_of(process))]

    eventually(lambda: len(sleepers()) >= 4, what="a family")
    worker, kernel = scan.worker("v0001.1"), scan.kernel("v0001.1")
    kill(worker)
    eventually(lambda: gone(worker) and gone(kernel), what="the kernel goes with its worker")
    eventually(lambda: not processes_with(job), what="children of the kernel go, too")
    gate.touch()
    first, second = scan.wait()["variants"]
    assert second["state"] == "done"
    assert second["attempts"] == 1
    if retries:
        assert (first["state"], first["attempts"], first["metrics"]) == ("done", 2, {"loss": 1})
    else:
        assert (first["state"], first["reason"], first["attempts"]) == ("failed", "node", 1)
        assert "worker was killed" in first["message"]
    eventually(lambda: not scan.processes(), what="nothing is left running")


def test_worker_told_to_end(lab: Lab) -> None:
    """SIGTERM, as a batch system sends it: saved, said why, ended, and sent again."""
    scan = lab.training(1, steps=LONG)
    scan.wait_for("v0001", loss=3)
    worker = scan.worker("v0001.1")
    kill(worker, signal.SIGTERM)
    eventually(lambda: scan.variant("v0001")["attempts"] == 2, what="a second attempt")
    (end,) = [event for event in scan.events_of("job.observed") if event["state"] == "failed"]
    assert (end["key"], end["reason"], end["cell"]) == ("v0001.1", "preempted", 2)
    assert "SIGTERM" in end["message"]
    assert "Epochs up to" in end["message"]
    result = json.loads((scan.job("v0001.1") / "result.json").read_text())
    assert result["reason"] == "preempted"
    notebook = Executed.read(scan.folder / end["notebook"])
    assert notebook.statuses() == ["completed", "completed", "failed"]
    assert "epoch 3" in notebook.text()
    eventually(lambda: gone(worker) and not processes_with(str(scan.job("v0001.1"))))
    scan.wait_for("v0001", loss=3)
    scan.gridgpu("stop")
    (variant,) = scan.wait()["variants"]
    assert (variant["state"], variant["attempts"]) == ("cancelled", 2), "a stop is the end"


def test_worker_told_to_end_before_its_kernel_is_there(lab: Lab) -> None:
    scan = lab.training(1, steps=LONG)
    worker = scan.worker("v0001.1")
    # Any moment of its first second is one that the test is about.
    time.sleep(0.1)
    kill(worker, signal.SIGTERM)
    eventually(lambda: gone(worker), what="it ends")
    eventually(
        lambda: scan.variant("v0001")["attempts"] == 2 or scan.variant("v0001")["reason"] == "node"
    )
    scan.gridgpu("stop")
    scan.wait()
    eventually(lambda: not scan.processes())
