"""A kernel ends when it is asked, whatever children its notebook has left."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.backends.base import Job, job_spec, write_spec
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.store.paths import read_json
from jupyter_gridgpu.testing.examples import notebook_json
from tests.kit import eventually
from tests.system.helpers import processes_with
from tests.unit.worker.test_several_jobs import Node

# Each leaves children that ipykernel would wait for until its worker kills it.
SPAWNED = """
import multiprocessing
with multiprocessing.get_context("spawn").Pool(1) as pool:
    print(pool.map(abs, [-1]))
"""
LEFT = """
import multiprocessing
pool = multiprocessing.get_context("fork").Pool(2)
print(pool.map(abs, [-1]))
"""
# A command that saves when it is told to end.
SAVES = """
import pathlib, signal, subprocess, sys, time
code = '''
import pathlib, signal, sys, time
def save(number, frame):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(0.3)
    pathlib.Path("saved").touch()
    sys.exit()
signal.signal(signal.SIGTERM, save)
pathlib.Path("ready").touch()
time.sleep(100)
'''
subprocess.Popen([sys.executable, "-c", code])
while not pathlib.Path("ready").exists():
    time.sleep(0.05)
"""
# Python runs this only if it ends by itself; a kernel that is killed leaves no such file.
AT_EXIT = "import atexit, pathlib\natexit.register(pathlib.Path('exited').absolute().touch)"


@pytest.mark.parametrize("cells", [(SPAWNED,), (LEFT, SAVES)], ids=["spawned", "left"])
def test_a_kernel_with_children_ends_by_itself(tmp_path: Path, cells: tuple[str, ...]) -> None:
    (tmp_path / "node").mkdir()
    node = Node(tmp_path / "node")
    source = tmp_path / "children.ipynb"
    source.write_text(notebook_json("x = 0", AT_EXIT, *cells))
    node.handle = client.create(plan(source, "x = [1]", Options()))
    node.paths = node.handle.paths
    job = node.paths.job("v0001.1")
    try:
        write_spec(Job("v0001.1", job, job_spec(node.handle.scan, "v0001.1", {"x": 1})), {})
        assert node.run("v0001.1") == 0
        result = read_json(job.result)
        assert isinstance(result, dict)
        assert result["state"] == "done", result
        assert list(job.folder.glob("*/artifacts/exited"))
        assert bool(list(job.folder.glob("*/artifacts/saved"))) == (SAVES in cells)
        eventually(lambda: not processes_with(str(job.folder)))
    finally:
        node.close()
