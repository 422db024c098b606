"""Forked kernels and their prepared parents that are killed, stopped or interrupted."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from tests.kit import eventually

from .forked import HOLD, hold, parent_of
from .helpers import gone, kill, processes_with
from .lab import Lab


def test_a_killed_parent_is_replaced_and_its_kernels_go_on(lab: Lab) -> None:
    scan = hold(lab, 4, words="--parallel 2")
    eventually(lambda: lab.marks() == ["1", "2"])
    parent = parent_of(scan)
    kernels = [scan.kernel(key) for key in ("v0001.1", "v0002.1")]
    assert {psutil.Process(pid).ppid() for pid in kernels} == {parent}
    kill(parent)
    eventually(lambda: "another one is started" in scan.log())
    assert not any(gone(pid) for pid in kernels)
    (lab.folder / "gate").touch()
    assert scan.wait()["state"] == "done"
    assert scan.states() == ["done"] * 4
    assert scan.log().count("The process that kernels are forked from ended (signal 9)") == 1
    eventually(lambda: not scan.processes(), what="nothing is left running")


def test_a_killed_kernel_fails_its_job_alone(lab: Lab) -> None:
    scan = hold(lab, 2, words="--parallel 2")
    eventually(lambda: lab.marks() == ["1", "2"])
    kill(scan.kernel("v0001.1"))
    variant = scan.wait_for("v0001", "failed")
    assert variant["message"].startswith("The kernel died in cell 2;")
    (lab.folder / "gate").touch()
    assert scan.wait()["state"] == "done"
    assert scan.states() == ["failed", "done"]


CHILDREN = """
import os, subprocess, sys, time
for more in ({}, {"start_new_session": True}):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], **more)
for session in (False, True):
    if os.fork() == 0:
        if session:
            os.setsid()
        time.sleep(1000)
if os.fork() == 0:  # an orphan
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
"""


@pytest.mark.parametrize("ending", ["worker", "notebook"])
def test_what_a_kernel_started_ends_with_its_job(lab: Lab, ending: str) -> None:
    scan = hold(lab, 1, CHILDREN, HOLD)
    eventually(lambda: lab.marks() == ["1"])
    job = str(scan.job("v0001.1"))
    eventually(lambda: len(processes_with(job)) >= 6)
    if ending == "worker":
        kill(scan.worker("v0001.1"))
    else:
        (lab.folder / "gate").touch()
    assert scan.wait()["state"] == "done"
    assert scan.states() == ["failed" if ending == "worker" else "done"]
    eventually(lambda: not processes_with(job), what="no process of the job is left")


def test_kernels_outlive_the_runner_the_fork_server_and_their_parent(lab: Lab) -> None:
    scan = hold(lab, 2, words="--parallel 2")
    eventually(lambda: lab.marks() == ["1", "2"])
    kernels = [scan.kernel(key) for key in ("v0001.1", "v0002.1")]
    parent, fork_server = parent_of(scan), scan.fork_server()
    scan.kill_runner()
    for pid in (fork_server, parent):
        kill(pid)
    eventually(lambda: gone(fork_server) and gone(parent))
    assert not any(gone(pid) for pid in kernels)
    scan.gridgpu("resume")
    (lab.folder / "gate").touch()
    assert scan.wait()["state"] == "done"
    assert lab.marks() == ["1", "2"]


GREEDY = """
if n == 2:
    hoard = bytearray(900 * 2**20)
    hoard[::4096] = b'x' * len(hoard[::4096])
"""


def test_a_stopped_job_and_a_greedy_one(lab: Lab) -> None:
    """The interrupt reaches the kernel, and its memory is measured.

    Yet the kernel is no child of the worker's.
    """
    scan = hold(lab, 2, GREEDY, HOLD, words="--parallel 2 --memory 700MB")
    eventually(lambda: scan.variant("v0002")["state"] == "failed")
    assert scan.variant("v0002")["reason"] == "oom"
    eventually(lambda: "1" in lab.marks())
    scan.gridgpu("stop", variant="v0001")
    assert scan.wait()["state"] == "done"
    assert scan.variant("v0001")["state"] == "cancelled"
    (output,) = scan.job("v0001.1").glob("*/output.ipynb")
    assert "KeyboardInterrupt" in output.read_text()
    eventually(lambda: not scan.processes(), what="nothing is left running")


def test_a_signal_to_the_group_of_a_batch_job_spares_the_parent(lab: Lab) -> None:
    """Slurm may send SIGTERM to every process of a job.

    Kernels that run are ended by their workers.
    """
    scan = hold(lab, 1)
    eventually(lambda: lab.marks() == ["1"])
    parent = parent_of(scan)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
        os.kill(parent, number)
    (lab.folder / "gate").touch()
    assert scan.wait()["state"] == "done"
    assert scan.states() == ["done"]
    assert scan.log() == ""
