"""Kernels that are forked from a process which has imported what the notebook imports: no different to the notebook."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.backends.base import Job, job_spec, write_spec
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from tests.kit import eventually

from .helpers import Executed, Lab, ScanOfLab, gone, kill, processes_with

PARENT = "jupyter_gridgpu.worker.prefork.parent"
# Who the kernel's parent is, and what it finds.
LOOK = """
import numpy, os, signal, sys
looked = {
    "parent": open(f"/proc/{os.getppid()}/cmdline").read().split(chr(0))[:-1], "cwd": os.path.basename(os.getcwd()),
    "gpus": os.environ.get("CUDA_VISIBLE_DEVICES"), "prefix": sys.prefix, "argv": sys.argv[:1],
    "path": [os.path.basename(place) for place in sys.path],
    "left": os.environ.get("LEFT_BEHIND"), "usr1": str(signal.getsignal(signal.SIGUSR1)), "file": os.path.exists("left"),
    "own": open("/proc/self/environ").read().count("GRIDGPU_JOB="),
    "job": os.environ["GRIDGPU_JOB"] in open("/proc/self/environ").read(),
}
"""
TELL = "import json\nprint(json.dumps(looked))"
MESS = "os.environ['LEFT_BEHIND'] = 'x'\nopen('left', 'w')\nos.chdir('/')\nsignal.signal(signal.SIGUSR1, signal.SIG_IGN)"
# What Python does only when it ends.
LEAVE = """
import atexit, pathlib, sys, threading, time, types
variable = open("variable", "w")
variable.write("kept")
sys.modules["made"] = made = types.ModuleType("made")
made.file = open("module", "w")
made.file.write("kept")

class Circle:
    def __del__(self, path=pathlib.Path("circle")):
        path.write_text("kept")

circle = Circle()
circle.itself = circle
atexit.register(pathlib.Path("atexit").write_text, "kept")
threading.Thread(target=lambda: (time.sleep(0.3), pathlib.Path("thread").write_text("kept"))).start()
"""
HOLD = """
import os, subprocess, sys, time
with open(mark, "a") as file:
    file.write(f"{n}\\n")
while hold and not os.path.exists(gate):
    time.sleep(0.05)
"""
HOLD_PARAMETERS = "n = 0\nmark = ''\ngate = ''\nhold = True"


def text(scan: ScanOfLab, ident: str) -> str:
    return Executed.read(scan.variants()[ident]["notebook"]).text()


def looked(scan: ScanOfLab) -> list[dict[str, Any]]:
    return [json.loads(text(scan, ident)) for ident in scan.variants()]


def forked(parent: list[str]) -> bool:
    return PARENT in parent


def hold(lab: Lab, count: int, *cells: str, options: tuple[str, ...] = ()) -> ScanOfLab:
    """Start jobs that wait for the file `gate`."""
    fixed = ["-p", f"mark = {str(lab.mark)!r}", "-p", f"gate = {str(lab.folder / 'gate')!r}"]
    notebook = lab.notebook(*(cells or (HOLD,)), parameters=HOLD_PARAMETERS)
    return lab.start(notebook, "-p", f"n = {list(range(1, count + 1))}", *fixed, *options)


def parents(scan: ScanOfLab) -> list[Any]:
    """The processes that kernels are forked from; forked kernels that have not become what they are going to be too."""
    return [
        p
        for p in scan.processes()
        if PARENT in p.cmdline() and p.environ()["GRIDGPU_JOB"].endswith("/")
    ]


def test_kernels_are_forked_and_each_finds_the_world_as_if_it_were_alone(lab: Lab) -> None:
    scan = lab.run(
        lab.notebook(LOOK, TELL, MESS, parameters="n = 0"), "-p", "n = [1, 2, 3]", "--parallel", "1"
    )
    plain = lab.run(
        lab.notebook(LOOK, TELL, MESS, parameters="n = 0"), "-p", "n = [1]", "--no-prefork"
    )
    for found in looked(scan):
        assert forked(found.pop("parent"))
        (alone,) = looked(plain)
        assert not forked(alone.pop("parent"))
        assert found == alone
        assert (found["own"], found["job"], found["file"]) == (1, True, False)
    assert len({tuple(found["parent"]) for found in looked(scan)}) == 1


def test_kernels_end_when_they_are_asked_to(lab: Lab) -> None:
    scan = lab.start(
        lab.notebook("x = n", parameters="n = 0"), "-p", f"n = {list(range(16))}", "--parallel", "2"
    )
    scan.wait()
    assert scan.states() == ["done"] * 16
    logs = [log.read_text() for log in scan.folder.glob("jobs/*/*/worker.log")]
    assert len(logs) == 16
    assert not [log for log in logs if "did not end" in log]


def test_what_a_notebook_leaves_to_the_end_is_done(lab: Lab) -> None:
    scan = lab.start(lab.notebook(LEAVE, parameters="n = 0"), "-p", "n = [1]")
    scan.wait()
    (folder,) = scan.folder.glob("jobs/v0001.1/*/artifacts")
    assert {file.name: file.read_text() for file in folder.iterdir()} == dict.fromkeys(
        ("variable", "module", "circle", "atexit", "thread"), "kept"
    )


def test_a_notebook_may_opt_out(lab: Lab) -> None:
    notebook = lab.notebook(LOOK, TELL, parameters="n = 0")
    body = nbformat.read(notebook, 4)
    body.metadata["gridgpu"] = {"prefork": False}
    nbformat.write(body, notebook)
    scan = lab.run(notebook, "-p", "n = [1]")
    assert not forked(looked(scan)[0]["parent"])
    assert scan.log() == ""


def test_each_kernel_has_its_own_gpu(lab: Lab) -> None:
    env = {"CUDA_VISIBLE_DEVICES": "0,1"}
    scan = lab.run(
        lab.notebook(LOOK, TELL, parameters="n = 0"),
        "-p",
        "n = [1, 2]",
        "--gpus",
        "1",
        "--parallel",
        "2",
        env=env,
    )
    assert all(forked(found["parent"]) for found in looked(scan))
    assert sorted(found["gpus"] for found in looked(scan)) == ["0", "1"]


SEEDED = """
import random
import numpy as np
random.seed(seed); np.random.seed(seed)
rng = np.random.default_rng(seed)
a = rng.normal(size=(300, 300))
print([random.random(), np.random.rand()], (a @ a.T).sum().hex(), np.linalg.svd(a)[1].sum().hex())
"""
KERAS = """
import os
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
keras.utils.set_random_seed(seed)
x = np.random.default_rng(0).normal(size=(512, 8)).astype("float32")
layers = [keras.layers.Dense(16, activation="relu"), keras.layers.Dropout(0.3), keras.layers.Dense(1)]
model = keras.Sequential([keras.Input((8,)), *layers])
model.compile("adam", "mse")
model.fit(x, x[:, :1], epochs=2, verbose=0)
print([float(w.sum()).hex() for w in model.get_weights()])
"""


def test_the_results_are_the_same_bit_for_bit(lab: Lab) -> None:
    """With seeds; TensorFlow takes part where it is installed."""
    pytest.importorskip("tensorflow")
    notebook = lab.notebook(SEEDED, KERAS, parameters="seed = 0")
    scans = [
        lab.run(notebook, "-p", "seed = [1, 2]", "--parallel", "1", *more)
        for more in ((), ("--no-prefork",))
    ]
    first, second = [[text(scan, ident) for ident in scan.variants()] for scan in scans]
    assert first == second
    assert first[0] != first[1]
    assert first[0].count("0x") == 6


def test_kernels_without_a_seed_draw_different_numbers(lab: Lab) -> None:
    code = "import numpy as np, random, uuid\n"
    code += (
        "print(np.random.rand(), random.random(), uuid.uuid4(), np.random.default_rng().normal())"
    )
    scan = lab.run(lab.notebook(code, parameters="n = 0"), "-p", "n = [1, 2, 3]", "--parallel", "1")
    drawn = [text(scan, ident).split() for ident in scan.variants()]
    for column in zip(*drawn, strict=True):
        assert len(set(column)) == 3


def test_a_killed_parent_is_replaced_and_its_kernels_go_on(lab: Lab) -> None:
    scan = hold(lab, 4, options=("--parallel", "2"))
    eventually(lambda: lab.marks() == ["1", "2"])
    (parent,) = parents(scan)
    kernels = [scan.kernel(key) for key in ("v0001.1", "v0002.1")]
    assert {psutil.Process(pid).ppid() for pid in kernels} == {parent.pid}
    kill(parent.pid)
    eventually(lambda: "another one is started" in scan.log())
    assert not any(gone(pid) for pid in kernels)
    (lab.folder / "gate").touch()
    assert scan.wait()["state"] == "done"
    assert scan.states() == ["done"] * 4
    assert scan.log().count("The process that kernels are forked from ended (signal 9)") == 1
    eventually(lambda: not scan.processes(), what="nothing is left running")


def test_a_killed_kernel_fails_its_job_alone(lab: Lab) -> None:
    scan = hold(lab, 2, options=("--parallel", "2"))
    eventually(lambda: lab.marks() == ["1", "2"])
    kill(scan.kernel("v0001.1"))
    variant = scan.wait_for("v0001", "failed")
    assert variant["message"].startswith("The kernel died in cell 3;")
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


def test_kernels_outlive_the_runner_the_nursery_and_their_parent(lab: Lab) -> None:
    scan = hold(lab, 2, options=("--parallel", "2"))
    eventually(lambda: lab.marks() == ["1", "2"])
    kernels = [scan.kernel(key) for key in ("v0001.1", "v0002.1")]
    (parent,), (nursery,) = parents(scan), scan.nurseries()
    scan.kill_runner()
    for pid in (nursery.pid, parent.pid):
        kill(pid)
    eventually(lambda: gone(nursery.pid) and gone(parent.pid))
    assert not any(gone(pid) for pid in kernels)
    scan.gridgpu("resume")
    (lab.folder / "gate").touch()
    assert scan.wait()["state"] == "done"
    assert lab.marks() == ["1", "2"]


def test_a_stopped_job_and_a_greedy_one(lab: Lab) -> None:
    """The interrupt reaches the kernel, and its memory is measured though it is no child of the worker's."""
    cell = "if n == 2:\n    hoard = bytearray(900 * 2**20)\n    hoard[::4096] = b'x' * len(hoard[::4096])"
    scan = hold(lab, 2, cell, HOLD, options=("--parallel", "2", "--memory", "700MB"))
    eventually(lambda: scan.variant("v0002")["state"] == "failed")
    assert scan.variant("v0002")["reason"] == "oom"
    eventually(lambda: "1" in lab.marks())
    scan.gridgpu("stop", variant="v0001")
    assert scan.wait()["state"] == "done"
    assert scan.variant("v0001")["state"] == "cancelled"
    assert (
        "KeyboardInterrupt" in (scan.job("v0001.1").glob("*/output.ipynb").__next__()).read_text()
    )
    eventually(lambda: not scan.processes(), what="nothing is left running")


def test_the_kernel_s_own_python_is_the_parent_s(lab: Lab) -> None:
    """A kernelspec of another environment: its modules, not the worker's."""
    prefix = lab.folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    (site,) = prefix.glob("lib/python*/site-packages")
    (own,) = [path for path in sys.path if path.endswith("site-packages")][:1]
    (site / "borrowed.pth").write_text(own)
    (site / "particle.py").write_text("where = __file__")
    spec = lab.folder / "share" / "kernels" / "other"
    spec.mkdir(parents=True)
    argv = [str(prefix / "bin" / "python"), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "Other", "language": "python"})
    )
    lab.env["JUPYTER_PATH"] = str(lab.folder / "share")
    code = f"import sys, particle\n{LOOK}\nlooked['where'] = particle.where"
    found = looked(
        lab.run(lab.notebook(code, TELL, parameters="n = 0", kernel="other"), "-p", "n = [1]")
    )[0]
    assert forked(found["parent"])
    assert found["parent"][0] == argv[0]
    assert (found["prefix"], found["where"]) == (str(prefix), str(site / "particle.py"))


def test_a_module_that_cannot_be_shared_is_said_once(lab: Lab) -> None:
    lib = lab.folder / "lib"
    lib.mkdir()
    (lib / "coffea.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(9999,), daemon=True).start()"
    )
    lab.env["PYTHONPATH"] = os.pathsep.join([str(lib), os.environ.get("PYTHONPATH", "")])
    scan = lab.run(
        lab.notebook("import coffea", LOOK, TELL, parameters="n = 0"),
        "-p",
        "n = [1, 2]",
        "--parallel",
        "1",
    )
    assert all(forked(found["parent"]) for found in looked(scan))
    assert scan.log().count("Each kernel imports coffea itself") == 1
    assert len(scan.log().splitlines()) == 1


def test_where_no_parent_can_be_started_kernels_are_started_one_by_one(lab: Lab) -> None:
    """The kernel's Python has no ipykernel that could be imported before; what it is started with works all the same."""
    spec = lab.folder / "share" / "kernels" / "odd"
    spec.mkdir(parents=True)
    wrapper = lab.folder / "python-odd"
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *{PARENT}*) exit 3;; esac\nexec {sys.executable} "$@"\n'
    )
    wrapper.chmod(0o755)
    argv = [str(wrapper), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(
        json.dumps({"argv": argv, "display_name": "Odd", "language": "python"})
    )
    lab.env["JUPYTER_PATH"] = str(lab.folder / "share")
    scan = lab.run(
        lab.notebook(LOOK, TELL, parameters="n = 0", kernel="odd"),
        "-p",
        "n = [1, 2, 3, 4]",
        "--parallel",
        "1",
    )
    assert not any(forked(found["parent"]) for found in looked(scan))
    assert scan.log().count("kernels are started one by one from now on") == 1


@pytest.mark.parametrize(
    "options", [Options(per_job=3), Options(per_gpu=3)], ids=["in turn", "side by side"]
)
def test_jobs_of_one_batch_job_share_a_parent(tmp_path: Path, options: Options) -> None:
    """The launcher of an engine runs several jobs, one after another or side by side; their kernels come from one process."""
    lab = Lab(tmp_path)
    (tmp_path / "scans").mkdir()
    handle = client.create(
        plan(lab.notebook(LOOK, TELL, parameters="n = 0"), "n = [1, 2, 3]", options)
    )
    keys = ["v0001.1", "v0002.1", "v0003.1"]
    for number, key in enumerate(keys, 1):
        write_spec(Job(key, handle.paths.job(key), job_spec(handle.scan, key, {"n": number})), {})
    subprocess.run(
        ["sh", handle.paths.launcher, handle.paths.folder, *keys], check=True, timeout=100
    )
    outputs = [handle.paths.job(key).copies()[0].notebook for key in keys]
    found = [json.loads(Executed.read(path).text())["parent"] for path in outputs]
    assert forked(found[0])
    assert found == [found[0]] * 3
    eventually(
        lambda: not processes_with(f"{handle.paths.jobs}{os.sep}"), what="nothing is left running"
    )


def test_a_signal_to_the_group_of_a_batch_job_spares_the_parent(lab: Lab) -> None:
    """Slurm may send SIGTERM to every process of a job; kernels that run are ended by their workers."""
    scan = hold(lab, 1)
    eventually(lambda: lab.marks() == ["1"])
    (parent,) = parents(scan)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
        os.kill(parent.pid, number)
    (lab.folder / "gate").touch()
    assert scan.wait()["state"] == "done"
    assert scan.states() == ["done"]
    assert scan.log() == ""


def test_figures_are_drawn_in_the_notebook(lab: Lab) -> None:
    """matplotlib looks for its kernel when it is first used: it must not have looked before the fork."""
    pytest.importorskip("matplotlib")
    code = f"import matplotlib, matplotlib.pyplot as plt\n{LOOK}\nplt.plot([1, 2]);"
    scan = lab.run(lab.notebook(code, TELL, parameters="n = 0"), "-p", "n = [1]")
    assert forked(looked(scan)[0]["parent"])
    outputs = Executed.read(scan.variants()["v0001"]["notebook"]).cells[2].outputs
    assert any("image/png" in output.get("data", {}) for output in outputs)
