"""A scan whose variants all fail in the cell that imports is stopped, here and on Slurm."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_gridgpu.client import ScanHandle
from tests.engines.slurm import Cluster
from tests.kit import eventually

from .helpers import options, space
from .lab import Lab, ScanOfLab
from .slurm_lab import ON, SlurmLab, slurm_lab

# Cell 3, with the cell that papermill adds. The first variant goes on until there is a gate.
IMPORTS = """
import pathlib, sys, time
with open(mark, "a") as file:
    file.write(f"{n}\\n")
while n == 1 and hold and not pathlib.Path(gate).exists():
    time.sleep(0.05)
sys.path.insert(0, place)
if n > 1 or not hold:
    import torhc
"""
END = "from jupyter_gridgpu import report\nreport(epoch=1, accuracy=n)"
PARAMETERS = "n = 0\nmark = '/dev/null'\nplace = '/'\ngate = '/'\nhold = False"
WHY = "the first 5 variants all failed with ModuleNotFoundError: No module named 'torhc' in cell"


def start(lab: Lab, count: int, hold: bool, *words: str) -> ScanOfLab:
    notebook = lab.notebook(IMPORTS, END, parameters=PARAMETERS)
    folder = lab.folder
    axes = space(
        n=list(range(1, count + 1)),
        mark=str(lab.mark),
        place=str(folder / "modules"),
        gate=str(folder / "gate"),
        hold=hold,
    )
    return lab.start(notebook, *axes, *words)


def mend(lab: Lab) -> None:
    """Install the missing module."""
    (lab.folder / "modules").mkdir()
    (lab.folder / "modules" / "torhc.py").touch()


def test_a_module_that_is_missing_stops_the_scan_until_it_is_there(lab: Lab) -> None:
    words = options("--parallel 2 --maximize acc")
    scan = start(lab, 14, False, *words)
    ran = lab.gridgpu("watch", scan.name, code=1)
    assert WHY in " ".join(ran.stdout.split())
    assert WHY in " ".join(scan.gridgpu("show").stdout.split())
    body = scan.show()
    assert body["state"] == "stopped"
    assert WHY in body["stopped_by"]
    assert ScanHandle(scan.folder).stopped_by == body["stopped_by"]
    states = [variant["state"] for variant in body["variants"]]
    assert 5 <= states.count("failed") <= 7
    assert states.count("cancelled") == 14 - states.count("failed")
    assert len(lab.marks()) == states.count("failed")
    # The same request shows the scan that was stopped, and says how it goes on.
    again = start(lab, 14, False, *words)
    assert again.name == scan.name
    mend(lab)
    assert "goes on" in scan.gridgpu("resume").stdout
    # The objective has another name in the notebook: that is said while the scan runs.
    ran = lab.gridgpu("watch", scan.name)
    assert "ended without reporting acc, the objective; it reported accuracy" in ran.stderr
    assert "Is accuracy meant?" in ran.stderr
    body = scan.show()
    assert (body["state"], body["stopped_by"]) == ("done", None)
    assert {variant["state"] for variant in body["variants"]} == {"done"}


def test_none_lets_all_fail(lab: Lab) -> None:
    scan = start(lab, 7, False, *options("--parallel 2 --max-failures none"))
    body = scan.wait()
    assert (body["state"], body["stopped_by"]) == ("done", None)
    assert scan.states() == ["failed"] * 7


def test_a_runner_killed_after_it_leaves_the_scan_stopped(lab: Lab) -> None:
    scan = start(lab, 8, True, *options("--parallel 2 --max-failures 3"))
    eventually(lambda: scan.events_of("rule.met"), what="the breaker trips")
    scan.kill_runner()
    assert "the first 3 variants all failed" in scan.show()["stopped_by"]
    assert scan.variant("v0001")["state"] == "running"
    (lab.folder / "gate").touch()
    # Whoever follows a scan starts a runner for it.
    lab.gridgpu("watch", scan.name, code=1)
    body = scan.show()
    assert body["state"] == "stopped"
    assert body["variants"][0]["state"] == "done"
    assert len(scan.events_of("rule.met")) == 1
    marks = lab.marks()
    mend(lab)
    scan.gridgpu("resume")
    assert scan.wait()["state"] == "done"
    assert scan.states() == ["done"] * 8
    assert lab.marks().count("1") == marks.count("1") == 1


@pytest.fixture
def on_slurm(tmp_path: Path, slurm: Cluster) -> Iterator[SlurmLab]:
    """Yield a lab on the cluster that all tests share."""
    with slurm_lab(tmp_path, slurm) as made:
        yield made


@pytest.mark.parametrize("killed", [False, True])
def test_what_waits_in_slurm_is_taken_back(on_slurm: SlurmLab, killed: bool) -> None:
    lab = on_slurm
    scan = start(lab, 24, True, *ON)
    eventually(lambda: scan.events_of("rule.met"), what="the breaker trips")
    if killed:
        scan.kill_runner()
    (lab.folder / "gate").touch()
    lab.gridgpu("watch", scan.name, code=1)
    body = json.loads(scan.gridgpu("show", "--json").stdout)
    assert (body["state"], body["stopped_by"].startswith("Stopped: the first 5")) == (
        "stopped",
        True,
    )
    states = [variant["state"] for variant in body["variants"]]
    assert states[0] == "done", "what runs goes on"
    assert states.count("cancelled") >= 8
    assert states.count("failed") + states.count("cancelled") == 23
    eventually(lambda: not {"PENDING", "RUNNING"} & set(lab.cluster.jobs().values()))
    assert len(lab.marks()) < 16
    mend(lab)
    scan.gridgpu("resume")
    assert scan.wait()["state"] == "done"
    assert set(scan.states()) == {"done"}
    assert lab.marks().count("1") == 1
