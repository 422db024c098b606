"""The command line and the magic with the lowest declared versions, and with other Pythons."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from .lab import Lab

ROOT = Path(__file__).parents[2]
PYTHONS = ("python3.10", "python3.11", "python3.12", "python3.13")
pytestmark = pytest.mark.timeout(900)  # on a busy machine, installing takes minutes
INSTALL_S = 400.0  # downloads may be slow
RUN_S = 200.0
# A notebook's cell, run without a notebook: the magic, and the table that it leaves.
MAGIC = """
from IPython.core.interactiveshell import InteractiveShell
import jupyter_gridgpu
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "jupyter_gridgpu")
scan = jupyter_gridgpu.gridscan({notebook!r}, {{"n": [1, 2]}}, maximize="acc", name="magic")
scan.wait()
frame = scan.to_frame()
assert list(frame["acc"]) == [1.0, 2.0], frame
shell.run_cell_magic("gridscan", {notebook!r} + " --maximize acc --dry-run", "n = [1, 2]")
"""


def own_requirements() -> list[Requirement]:
    """Return what the project needs, without its extras."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read pyproject.toml.")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [Requirement(text) for text in project["dependencies"]]


def lowest(requirement: Requirement) -> str:
    """Return a requirement of exactly the lowest version that another one allows."""
    versions = [part.version for part in requirement.specifier if part.operator == ">="]
    return f"{requirement.name}=={versions[0]}" if versions else str(requirement)


def other_pythons() -> list[str]:
    """Return the programs of other versions of Python that work here."""
    found = []
    for name in PYTHONS:
        program = shutil.which(name)
        if program is None or name == f"python3.{sys.version_info.minor}":
            continue
        # A shim of pyenv is there for every version, and fails for those that are not chosen.
        asked = subprocess.run([program, "-c", "import venv, ensurepip"], capture_output=True)
        if asked.returncode == 0:
            found.append(program)
    return found


def environment_of(folder: Path, program: str, wanted: list[str]) -> Path:
    """Make a virtual environment with these packages and the project; return its Python."""
    subprocess.run([program, "-m", "venv", str(folder)], check=True, timeout=INSTALL_S)
    python = folder / "bin" / "python"
    subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", "--prefer-binary", *wanted],
        check=True,
        timeout=INSTALL_S,
    )
    # The project itself comes from where it is, with its entry points: a build would need Node.js.
    (site,) = (folder / "lib").glob("python3*/site-packages")
    (site / "project.pth").write_text(f"{ROOT}\n")
    metadata = importlib.metadata.distribution("jupyter_gridgpu")
    described = Path(str(metadata.locate_file(f"jupyter_gridgpu-{metadata.version}.dist-info")))
    shutil.copytree(described, site / described.name)
    return python


def check(lab: Lab, python: Path) -> None:
    """Run the command line and the magic with this Python."""
    cell = "from jupyter_gridgpu import report\nreport(acc=float(n))"
    notebook = str(lab.notebook(cell, parameters="n = 0"))
    environment = lab.environment()
    environment.pop("PYTHONPATH", None)
    path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(python), *words],
            env={**environment, "PATH": path},
            cwd=lab.folder,
            capture_output=True,
            text=True,
            timeout=RUN_S,
        )

    cli = ("-m", "jupyter_gridgpu.cli")
    check_exit(run(*cli), lambda code: code in (0, 2))
    check_exit(run(*cli, "nonsense"), lambda code: code == 2)
    words = ("run", notebook, "-p", "n = [1, 2]", "--maximize", "acc", "--json")
    ran = check_exit(run(*cli, *words), lambda code: code == 0)
    body = json.loads(ran.stdout)
    assert [variant["metrics"] for variant in body["variants"]] == [{"acc": 1}, {"acc": 2}]
    check_exit(run("-c", MAGIC.format(notebook=notebook)), lambda code: code == 0)


def check_exit(
    ran: subprocess.CompletedProcess[str], right: Callable[[int], bool]
) -> subprocess.CompletedProcess[str]:
    """Return what ran if its exit code is right and nothing ended in a traceback."""
    said = (ran.args, ran.returncode, ran.stdout, ran.stderr)
    assert right(ran.returncode), said
    assert "Traceback" not in ran.stderr, said
    return ran


def test_the_lowest_versions_that_are_declared(lab: Lab) -> None:
    if sys.version_info >= (3, 12):
        pytest.skip("The lowest versions of some packages were made before this Python.")
    wanted = [lowest(requirement) for requirement in own_requirements()]
    check(lab, environment_of(lab.folder / "env", sys.executable, wanted))


def test_each_python_that_is_here(lab: Lab) -> None:
    """Where no other Python is installed, this one is tested by all other tests."""
    wanted = [str(requirement) for requirement in own_requirements()]
    for program in other_pythons():
        check(lab, environment_of(lab.folder / Path(program).name, program, wanted))
