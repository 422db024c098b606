"""Kernels that are forked from a process which has imported what the notebook imports.

To the notebook they are no different.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.backends.base import Job, job_spec, write_spec
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from tests.kit import eventually

from .forked import LOOK, PARENT, TELL, forked, looked, text
from .helpers import options, processes_with, space
from .lab import Lab
from .notebooks import Executed

MESS = """
os.environ['LEFT_BEHIND'] = 'x'
open('left', 'w')
os.chdir('/')
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
"""
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

def late():
    time.sleep(0.3)
    pathlib.Path("thread").write_text("kept")

threading.Thread(target=late).start()
"""


def test_kernels_are_forked_and_each_finds_the_world_as_if_it_were_alone(lab: Lab) -> None:
    notebook = lab.notebook(LOOK, TELL, MESS, parameters="n = 0")
    scan = lab.run(notebook, *space(n=[1, 2, 3]), "--parallel", "1")
    plain = lab.run(notebook, *space(n=[1]), "--no-prefork")
    for found in looked(scan):
        assert forked(found.pop("parent"))
        (alone,) = looked(plain)
        assert not forked(alone.pop("parent"))
        assert found == alone
        assert (found["own"], found["job"], found["file"]) == (1, True, False)
    assert len({tuple(found["parent"]) for found in looked(scan)}) == 1


def test_kernels_end_when_they_are_asked_to(lab: Lab) -> None:
    notebook = lab.notebook("x = n", parameters="n = 0")
    scan = lab.start(notebook, *space(n=list(range(16))), "--parallel", "2")
    scan.wait()
    assert scan.states() == ["done"] * 16
    logs = [log.read_text() for log in scan.folder.glob("jobs/*/*/worker.log")]
    assert len(logs) == 16
    assert not [log for log in logs if "did not end" in log]


def test_what_a_notebook_leaves_to_the_end_is_done(lab: Lab) -> None:
    scan = lab.start(lab.notebook(LEAVE, parameters="n = 0"), *space(n=[1]))
    scan.wait()
    (folder,) = scan.folder.glob("jobs/v0001.1/*/artifacts")
    written = {file.name: file.read_text() for file in folder.iterdir()}
    names = ("variable", "module", "circle", "atexit", "thread")
    assert written == dict.fromkeys(names, "kept")


def test_a_notebook_may_opt_out(lab: Lab) -> None:
    notebook = lab.notebook(LOOK, TELL, parameters="n = 0")
    body = nbformat.read(notebook, 4)
    body.metadata["gridgpu"] = {"prefork": False}
    nbformat.write(body, notebook)
    scan = lab.run(notebook, *space(n=[1]))
    assert not forked(looked(scan)[0]["parent"])
    assert scan.log() == ""


def test_each_kernel_has_its_own_gpu(lab: Lab) -> None:
    notebook = lab.notebook(LOOK, TELL, parameters="n = 0")
    devices = {"CUDA_VISIBLE_DEVICES": "0,1"}
    scan = lab.run(notebook, *space(n=[1, 2]), *options("--gpus 1 --parallel 2"), env=devices)
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
from keras.layers import Dense, Dropout
layers = [Dense(16, activation="relu"), Dropout(0.3), Dense(1)]
model = keras.Sequential([keras.Input((8,)), *layers])
model.compile("adam", "mse")
model.fit(x, x[:, :1], epochs=2, verbose=0)
print([float(weights.sum()).hex() for weights in model.get_weights()])
"""


def test_the_results_are_the_same_bit_for_bit(lab: Lab) -> None:
    """With seeds; TensorFlow takes part where it is installed."""
    pytest.importorskip("tensorflow")
    notebook = lab.notebook(SEEDED, KERAS, parameters="seed = 0")
    words = [*space(seed=[1, 2]), "--parallel", "1"]
    # Both run at the same time, since each imports TensorFlow.
    scans = [lab.start(notebook, *words), lab.start(notebook, *words, "--no-prefork")]
    for scan in scans:
        scan.wait("done")
        assert scan.states() == ["done", "done"]
    first, second = [[text(scan, ident) for ident in scan.variants()] for scan in scans]
    assert first == second
    assert first[0] != first[1]
    assert first[0].count("0x") == 6


DRAW = """
import numpy as np, random, uuid
print(np.random.rand(), random.random(), uuid.uuid4(), np.random.default_rng().normal())
"""


def test_kernels_without_a_seed_draw_different_numbers(lab: Lab) -> None:
    scan = lab.run(lab.notebook(DRAW, parameters="n = 0"), *space(n=[1, 2, 3]), "--parallel", "1")
    drawn = [text(scan, ident).split() for ident in scan.variants()]
    for column in zip(*drawn, strict=True):
        assert len(set(column)) == 3


def install_kernel(lab: Lab, name: str, python: str) -> None:
    """Make a kernel known to the lab's scans that runs ipykernel with a Python of its own."""
    folder = lab.folder / "share" / "kernels" / name
    folder.mkdir(parents=True)
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": name, "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    lab.env["JUPYTER_PATH"] = str(lab.folder / "share")


def test_the_kernel_s_own_python_is_the_parent_s(lab: Lab) -> None:
    """A kernelspec of another environment: its modules, not the worker's."""
    prefix = lab.folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(prefix)], check=True)
    (site,) = prefix.glob("lib/python*/site-packages")
    (own,) = [path for path in sys.path if path.endswith("site-packages")][:1]
    (site / "borrowed.pth").write_text(own)
    (site / "particle.py").write_text("where = __file__")
    python = str(prefix / "bin" / "python")
    install_kernel(lab, "other", python)
    code = f"import sys, particle\n{LOOK}\nlooked['where'] = particle.where"
    notebook = lab.notebook(code, TELL, parameters="n = 0", kernel="other")
    (found,) = looked(lab.run(notebook, *space(n=[1])))
    assert forked(found["parent"])
    assert found["parent"][0] == python
    assert (found["prefix"], found["where"]) == (str(prefix), str(site / "particle.py"))


def test_a_module_that_cannot_be_shared_is_said_once(lab: Lab) -> None:
    lib = lab.folder / "lib"
    lib.mkdir()
    (lib / "coffea.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(9999,), daemon=True).start()\n"
    )
    lab.env["PYTHONPATH"] = os.pathsep.join([str(lib), os.environ.get("PYTHONPATH", "")])
    notebook = lab.notebook("import coffea", LOOK, TELL, parameters="n = 0")
    scan = lab.run(notebook, *space(n=[1, 2]), "--parallel", "1")
    assert all(forked(found["parent"]) for found in looked(scan))
    assert scan.log().count("Each kernel imports coffea itself") == 1
    assert len(scan.log().splitlines()) == 1


def test_where_no_parent_can_be_started_kernels_are_started_one_by_one(lab: Lab) -> None:
    """The kernel's Python has no ipykernel that could be imported before.

    What it is started with works all the same.
    """
    wrapper = lab.folder / "python-odd"
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *{PARENT}*) exit 3;; esac\nexec {sys.executable} "$@"\n'
    )
    wrapper.chmod(0o755)
    install_kernel(lab, "odd", str(wrapper))
    notebook = lab.notebook(LOOK, TELL, parameters="n = 0", kernel="odd")
    scan = lab.run(notebook, *space(n=[1, 2, 3, 4]), "--parallel", "1")
    assert not any(forked(found["parent"]) for found in looked(scan))
    assert scan.log().count("kernels are started one by one from now on") == 1


@pytest.mark.parametrize("asked", [{"per_job": 3}, {"per_gpu": 3}], ids=["in turn", "side by side"])
def test_jobs_of_one_batch_job_share_a_parent(tmp_path: Path, asked: dict[str, Any]) -> None:
    """The launcher runs several jobs, one after another or side by side.

    Their kernels come from one process.
    """
    lab = Lab(tmp_path)
    (tmp_path / "scans").mkdir()
    notebook = lab.notebook(LOOK, TELL, parameters="n = 0")
    made = plan(notebook, "n = [1, 2, 3]", Options())
    handle = client.create(replace(made, scan=replace(made.scan, **asked)))
    keys = ["v0001.1", "v0002.1", "v0003.1"]
    for number, key in enumerate(keys, 1):
        write_spec(Job(key, handle.paths.job(key), job_spec(handle.scan, key, {"n": number})), {})
    command: list[str | Path] = ["sh", handle.paths.launcher, handle.paths.folder, *keys]
    subprocess.run(command, check=True, timeout=150)
    outputs = [handle.paths.job(key).copies()[0].notebook for key in keys]
    found = [json.loads(Executed.read(path).text())["parent"] for path in outputs]
    assert forked(found[0])
    assert found == [found[0]] * 3
    eventually(
        lambda: not processes_with(f"{handle.paths.jobs}{os.sep}"), what="nothing is left running"
    )


def test_figures_are_drawn_in_the_notebook(lab: Lab) -> None:
    """Matplotlib looks for its kernel when it is first used: never before the fork."""
    pytest.importorskip("matplotlib")
    code = f"import matplotlib, matplotlib.pyplot as plt\n{LOOK}\nplt.plot([1, 2]);"
    scan = lab.run(lab.notebook(code, TELL, parameters="n = 0"), *space(n=[1]))
    assert forked(looked(scan)[0]["parent"])
    outputs = Executed.read(scan.variants()["v0001"]["notebook"]).cells[2].outputs
    assert any("image/png" in output.get("data", {}) for output in outputs)
