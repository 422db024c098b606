"""A cell, a command, Python and a file that say the same find the same scan."""

from __future__ import annotations

import subprocess
import sys

from .helpers import options
from .lab import Lab

PARAMETERS = "optimizer = 'adam'\nmomentum = 0.0\nlr = 0.1\nunits = 1"
SPACE = """\
# what is tried
optimizer = ["adam", "sgd"]
if optimizer == "sgd":
    momentum = [2 * 0.25]   # only there
lr = [10**-k for k in range(1, 3)]
units = 64 // 2
assert lr < 0.05
"""
# A shell with the magics: what the cells print, and in the end the scans that there are.
SHELL = """
import sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config
import jupyter_gridgpu as g
from jupyter_gridgpu.records.saved_scan import save_scan

space, folder = sys.argv[1:3]
shell = InteractiveShell.instance(
    config=Config({"HistoryManager": {"enabled": False}}), ipython_dir=folder
)
g.load_ipython_extension(shell)
shell.user_ns["half"] = 0.25
for cell in (
    "%%gridscan train.ipynb --maximize acc --save cell.yaml\\n" + space.replace("0.25", "half"),
    "%gridscan run scan.yaml --dry-run --parallel 2",
    "%gridscan run scan.yaml",
):
    print("CELL", shell.run_cell(cell).success)
scan = g.open_scan("train")
save_scan(scan.scan, scan.paths.points, "shown.yaml")
for scan in (
    g.gridscan("train.ipynb", space, maximize="acc", save="python.yaml"),
    g.run_file("scan.yaml"),
    g.run_file("cell.yaml"),
    g.run_file("python.yaml"),
    g.run_file("shown.yaml"),
):
    print("SCAN", scan.name, scan.attached, scan.wait())
"""


def test_the_same_request_through_every_door_is_one_scan(lab: Lab) -> None:
    lab.notebook("acc = lr + momentum + units", parameters=PARAMETERS)
    (lab.folder / "space.py").write_text(SPACE)
    words = ("run", "train.ipynb", "--space", "space.py", *options("--maximize acc"))
    tried = lab.gridgpu(*words, "--dry-run", "--save", "scan.yaml").stdout
    assert tried.startswith("Saved: scan.yaml\ntrain.ipynb would run as 2 variants")
    assert "The constraints leave 2 of 4 points." in tried
    saved = (lab.folder / "scan.yaml").read_text()
    assert "  # what is tried\n" in saved
    assert "momentum = [2 * 0.25]   # only there\n" in saved
    assert not lab.home.exists()
    scan = lab.scan_of(lab.gridgpu("run", "scan.yaml", "--json"))
    points = [variant["params"] for variant in scan.summary()["variants"]]
    assert points == [
        {"optimizer": "adam", "lr": 0.01, "units": 32},
        {"optimizer": "sgd", "momentum": 0.5, "lr": 0.01, "units": 32},
    ]
    said = in_a_shell(lab)
    assert said.count("CELL True") == 3
    assert said.count(f"SCAN {scan.name} True done") == 5
    assert lab.scan_of(lab.gridgpu(*words, "--json")).folder == scan.folder
    assert [path.name for path in lab.home.iterdir() if path.is_dir()] == [scan.name]


def in_a_shell(lab: Lab) -> str:
    """Run the magics and Python in a process of their own, and return what they print."""
    ran = subprocess.run(
        [sys.executable, "-c", SHELL, SPACE, str(lab.folder / "ipython")],
        env=lab.environment(),
        cwd=lab.folder,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Options: --parallel 2." in ran.stdout
    assert "Other than in scan.yaml: --parallel 2 (not there)." in ran.stdout
    return ran.stdout
