"""A scan as evidence, with real kernels.

It is run, looked at read-only, run again, compared, exported, imported and sent.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

from jupyter_gridgpu.client import open_scan
from tests.kit import eventually

from .helpers import one_sentence, options, strict_json
from .lab import Lab, ScanOfLab
from .notebooks import LONG, Executed

CELL = """
from jupyter_gridgpu import report
for epoch in (1, 2):
    report({"größe": float("nan")}, epoch=epoch, epochs=steps, acc=epoch * lr + seed * 0.001)
if lr > 0.5:
    raise ValueError("zu groß")
print(open("jets größe.txt").read())
"""
PARAMETERS = "lr = 0.1\nseed = 0\nsteps = 2"
# An environment in which this project is not installed: it is found in the current folder, or
# nowhere.
HIDING = """
import os, sys
from importlib.machinery import PathFinder
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == "jupyter_gridgpu":
            found = PathFinder.find_spec(name, [os.getcwd()])
            if found is None:
                raise ModuleNotFoundError(name)
            return found
sys.meta_path.insert(0, Hidden())
"""


@pytest.fixture(scope="module")
def scan(shared_lab: Lab) -> ScanOfLab:
    """Run three points, twice each; the last one fails."""
    (shared_lab.folder / "jets größe.txt").write_text("jets")
    notebook = shared_lab.notebook(CELL, parameters=PARAMETERS)
    axes = ["-p", "lr = [0.1, 0.2, 0.9]", "-p", "seed = repeats(2)"]
    asked = options("--maximize max(acc) --files jets*.txt --name evidence --parallel 2")
    return shared_lab.run(notebook, *axes, *asked, code=1)


@pytest.fixture(scope="module")
def again(scan: ScanOfLab) -> ScanOfLab:
    """Run a replay of the scan."""
    return scan.lab.scan_of(scan.gridgpu("replay", "--json", code=1))


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the size and the time stamp of each file below a folder."""
    found = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in found}


def test_every_job_says_what_it_ran_with(scan: ScanOfLab) -> None:
    first = scan.variant("v0001")
    copy = Path(first["notebook"]).parent
    about = strict_json((copy / "provenance.json").read_text())
    assert about["packages"]["papermill"]
    assert about["kernel"]["language"] == "python"
    assert (about["seeds"], about["key"]) == ({"seed": 0}, "v0001.1")
    result = strict_json((copy / "result.json").read_text())
    assert result["started"] <= about["started"] <= about["ended"] <= result["ended"]
    body = nbformat.read(first["notebook"], 4)
    nbformat.validate(body)
    assert body.metadata["gridgpu"]["packages"] == about["packages"]
    assert body.metadata["papermill"]["parameters"] == {"lr": 0.1, "seed": 0}
    failed = nbformat.read(scan.variant("v0005")["notebook"], 4)
    assert failed.metadata["gridgpu"]["ended"]
    start = strict_json((scan.folder / "provenance.json").read_text())
    assert start["command"].startswith("gridgpu run ")
    assert "files/jets größe.txt" in start["inputs"]
    everything = json.dumps([start, about])
    for name, value in os.environ.items():
        if name.endswith(("TOKEN", "PASSWORD")) and value:
            assert value not in everything, name


def test_a_scan_that_may_only_be_read_is_shown_verified_compared_and_exported(
    scan: ScanOfLab, again: ScanOfLab, tmp_path: Path
) -> None:
    """Nothing is written into it; where the tests are not root, nothing could be."""
    before = files(scan.folder)
    paths = [scan.folder, *scan.folder.rglob("*")]
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in paths if not path.is_symlink()}
    for path in modes:
        path.chmod(modes[path] & 0o555)
    try:
        assert scan.show()["state"] == "done"
        assert scan.gridgpu("verify").returncode == 0
        assert scan.gridgpu("compare", again.name).returncode == 0
        for kind in ("csv", "html", "papermill"):
            scan.gridgpu("export", "--to", kind, "-o", str(tmp_path / kind))
        scan.gridgpu("pack", "-o", str(tmp_path / "pack.zip"))
        dry = scan.gridgpu("replay", "--dry-run").stdout
        assert dry.startswith("train.ipynb would run as 6 variants (a replay of evidence)")
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert files(scan.folder) == before


def outcomes(scan: ScanOfLab) -> dict[str, tuple[Any, str]]:
    """Return the parameters and the state of each variant."""
    variants = scan.variants()
    return {ident: (variant["params"], variant["state"]) for ident, variant in variants.items()}


def test_a_replay_runs_the_recorded_points_and_reproduces_them(
    scan: ScanOfLab, again: ScanOfLab
) -> None:
    assert outcomes(again) == outcomes(scan)
    assert [event["type"] for event in again.events()].count("variant.proposed") == 6
    compared = again.gridgpu("compare", "--json")
    body = strict_json(compared.stdout)
    assert (body["verdict"], body["counts"]) == ("reproduced", {"reproduced": 6})
    assert body["kind"] == "replay"
    assert {cell["metric"] for pair in body["pairs"] for cell in pair["cells"]} == {"acc", "größe"}
    assert body["inputs"] == []
    spec = strict_json((again.folder / "scan.json").read_text())
    assert spec["origin"]["id"] == strict_json((scan.folder / "scan.json").read_text())["id"]


def test_the_same_replay_is_found_again_and_another_one_is_started_on_wish(
    scan: ScanOfLab, again: ScanOfLab
) -> None:
    assert strict_json(scan.gridgpu("replay", "--no-wait", "--json").stdout)["scan"] == again.name
    words = options("--only v0003 --new --name one --json")
    only = strict_json(scan.gridgpu("replay", *words).stdout)
    assert [variant["id"] for variant in only["variants"]] == ["v0003"]
    assert "1 reproduced" in scan.lab.gridgpu("compare", "one").stdout


def test_a_variation_says_so_and_differs(scan: ScanOfLab) -> None:
    ran = scan.gridgpu("replay", *options("--only 'best 1' --set steps=7 --name varied"))
    assert "A variation of evidence, not a replay: steps = 7 (was 2)." in ran.stdout
    compared = scan.lab.gridgpu("compare", "varied")
    assert "parameter steps: the notebook's own -> 7" in compared.stdout
    assert "varied is a variation of evidence" in compared.stdout


def test_a_replay_goes_on_when_its_runner_is_killed(lab: Lab) -> None:
    origin = lab.training(4, "--parallel", "2", steps=1, pause=0.01)
    origin.wait()
    lab.mark.unlink()
    changed = options(f"--set pause=0.1 --set steps={LONG} --no-wait --json")
    again = lab.scan_of(origin.gridgpu("replay", *changed))
    again.wait_for("v0001")
    again.kill_runner()
    again.gridgpu("resume")
    lab.hurry()
    assert [variant["state"] for variant in again.wait()["variants"]] == ["done"] * 4
    assert lab.marks() == ["1", "2", "3", "4"]
    eventually(lambda: not again.runners())
    assert again.gridgpu("verify").returncode == 0


def test_a_tampered_scan_is_found_out(scan: ScanOfLab, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    shutil.copytree(scan.folder, moved, symlinks=True)
    notebook = moved / Path(scan.variant("v0001")["notebook"]).relative_to(scan.folder)
    notebook.write_text(notebook.read_text().replace("0.1", "0.7", 1))
    text = scan.lab.gridgpu("verify", str(moved), code=1).stdout
    assert text.splitlines()[0] == f"changed  {notebook.relative_to(moved)}"
    (moved / "notebook.ipynb").write_text("{}")
    refused = scan.lab.gridgpu("replay", str(moved), code=2).stderr
    assert "was changed after it ran" in one_sentence(refused)
    notebook.unlink()
    assert "missing" in scan.lab.gridgpu("verify", str(moved), code=1).stdout


def test_the_folder_for_papermill_runs_without_this_project_and_comes_back(
    scan: ScanOfLab, tmp_path: Path
) -> None:
    made = tmp_path / "plain"
    scan.gridgpu("export", "--to", "papermill", "-o", str(made))
    hidden = tmp_path / "hidden"
    hidden.mkdir()
    (hidden / "sitecustomize.py").write_text(HIDING)
    (tmp_path / "bin").mkdir()
    papermill = tmp_path / "bin" / "papermill"
    papermill.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m papermill "$@"\n')
    papermill.chmod(0o755)
    lines = (made / "run.sh").read_text().splitlines()
    kept = [line for line in lines if not line.startswith("papermill ") or _is_enough(line)]
    (made / "run.sh").write_text("\n".join(kept) + "\n")
    env = {
        **scan.lab.environment(),
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(hidden),
    }
    ran = subprocess.run(
        ["sh", str(made / "run.sh")],
        env=env,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert ran.returncode == 1, ran.stderr
    assert "jets" in Executed.read(made / "executed" / "v0001.ipynb").text()
    assert "zu groß" in ran.stderr
    back = options("--name back --files jets*.txt")
    said = scan.lab.gridgpu("import", str(made), *back).stdout
    assert "Imported 2 variants as back" in said
    assert list(outcomes(ScanOfLab(scan.lab, "back", scan.lab.home / "back")).values()) == [
        ({"lr": 0.1, "seed": 0}, "done"),
        ({"lr": 0.9, "seed": 0}, "failed"),
    ]
    assert scan.lab.gridgpu("verify", "back").returncode == 0


def _is_enough(line: str) -> bool:
    """Return whether a line of the script runs one of the two variants that are enough here."""
    return "v0001" in line or "v0005" in line


def test_parameters_become_a_scan_that_runs_when_it_is_asked_to(lab: Lab) -> None:
    (lab.folder / "points.csv").write_text("n,steps,pause\n7,1,0.01\n8,1,0.01\n")
    lab.gridgpu("import", "points.csv", "--notebook", str(lab.notebook()), "--name", "points")
    lab.gridgpu("retry", "points")
    assert lab.gridgpu("watch", "points").returncode == 0
    variants = open_scan(lab.home / "points").summary()["variants"]
    assert [variant["metrics"]["loss"] for variant in variants] == [7, 8]


def test_a_scan_that_was_sent_is_the_same_there(scan: ScanOfLab, tmp_path: Path) -> None:
    made = tmp_path / "evidence.zip"
    scan.gridgpu("pack", "-o", str(made))
    there = Lab(tmp_path / "there")
    there.folder.mkdir()
    folder = Path(there.gridgpu("unpack", str(made)).stdout.strip())
    assert folder == there.home / "evidence"
    assert there.gridgpu("verify", "evidence").returncode == 0
    words = ["show", "evidence", "--json"]
    got = strict_json(there.gridgpu(*words).stdout)
    sent = strict_json(scan.lab.gridgpu(*words).stdout)
    assert got["best"] == sent["best"]
    assert there.gridgpu("compare", "evidence", str(scan.folder)).returncode == 0
    again = there.gridgpu("replay", "evidence", "--only", "v0002", "--json")
    assert strict_json(again.stdout)["variants"][0]["state"] == "done"
    there.end()


def test_a_scan_that_runs_is_incomplete_and_is_not_packed(lab: Lab) -> None:
    scan = lab.training(2, "--parallel", "1", steps=LONG)
    scan.wait_for("v0001", loss=1)
    assert "incomplete" in scan.gridgpu("compare", scan.name, code=3).stdout
    assert "has not ended" in one_sentence(scan.gridgpu("pack", code=2).stderr)
    exported = scan.gridgpu("export", "--to", "csv", "-o", str(lab.folder / "now.csv"))
    assert "has not ended" in exported.stderr
    assert scan.gridgpu("verify").returncode == 0
    assert "would run as 2 variants" in scan.gridgpu("replay", "--dry-run").stdout
