"""Scans on a disk of which the runner sees an old state, while nodes see what is there.

The view is a real file system (bindfs) that keeps what it has once seen, in a mount of the runner
alone; Slurm's jobs write to the disk itself.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.engines.ground import SCRIPTS, absent, as_root, run_script

from .helpers import options, space
from .lab import COMMAND_S, Lab
from .notebooks import Executed

KEPT_S = 6  # how long the view keeps what it has seen
# The last lines are written at the very end, when the runner has seen an older size of the file.
TRAIN = """
import os, signal, time
from jupyter_gridgpu import report
with open(mark, "a") as file:
    file.write(f"{n}\\n")
for epoch in range(1, 21):
    time.sleep(0.1)
    report(epoch=epoch, loss=n * epoch)
if n == 3:
    raise ValueError("as planned")
if n == 4:
    os.kill(os.getppid(), signal.SIGKILL)
print("all of", n)
"""


@pytest.mark.usefixtures("slurm")
def test_nothing_is_lost_and_nothing_runs_twice_where_the_disk_is_seen_late(lab: Lab) -> None:
    as_root("a view of a disk")
    run_script("late_disk.sh")
    if not os.path.exists("/dev/fuse"):
        absent("there is no /dev/fuse")
    lab.home.mkdir()
    notebook = lab.notebook(TRAIN, parameters="n = 0\nmark = ''")
    words = [*space(n=[1, 2, 3, 4], mark=str(lab.mark)), *options("--on slurm --minimize loss")]
    # The kernel of a worker that is killed dies with it, which forked kernels do later.
    late = [str(SCRIPTS / "late_disk.sh"), str(lab.home), str(KEPT_S)]
    command = [sys.executable, "-m", "jupyter_gridgpu.cli", "run", str(notebook), *words]
    ran = subprocess.run(
        [*late, *command, "--no-prefork", "--json"],
        env=lab.environment(),
        cwd=lab.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
    )
    assert ran.returncode == 1, ran.stderr
    scan = lab.scan_of(ran)
    found = scan.by("n")
    assert [found[n]["state"] for n in (1, 2, 3, 4)] == ["done", "done", "failed", "failed"]
    assert [found[n]["reason"] for n in (3, 4)] == ["notebook", "node"]
    assert [found[n]["attempts"] for n in (1, 2, 3, 4)] == [1, 1, 1, 1]
    assert lab.marks() == ["1", "2", "3", "4"]
    # All readings were read, to the last, and each notebook was found.
    assert [found[n]["metrics"]["loss"] for n in (1, 2, 3)] == [20.0, 40.0, 60.0]
    for n in (1, 2):
        assert f"all of {n}" in Executed.read(scan.folder / found[n]["notebook"]).text()
    assert found[3]["notebook"]
    assert "lost" not in {event.get("state") for event in scan.events_of("job.observed")}
