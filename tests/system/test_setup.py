"""Setup lines and `--python` on every backend: what they export, how failures are said."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.engines import images
from tests.engines.condor import Pool
from tests.engines.panda import FakePanda
from tests.kit import eventually

from .helpers import one_sentence, options, processes_with, space, strict_json
from .lab import Lab, ScanOfLab
from .notebooks import Executed

# The package `chosen` has one version for each Python that has it.
SHOW = """
import os, sys
from jupyter_gridgpu import report
try:
    from chosen import version
except ImportError:
    version = 0
report(loss=lr)
print(sys.executable, version, os.environ.get("FROM_LINE"), os.environ.get("GRIDGPU_IMAGE"))
"""
LINES = ("--setup", "export FROM_LINE=12; echo said by a line", "--setup", "cd /; set -u")
FAILS = ("--setup", "true", "--setup", "echo what is wrong; false", "--retries", "0")
ROOT = str(Path(__file__).parent.parent.parent)


def printed(scan: ScanOfLab) -> list[list[str]]:
    """Return the words that each notebook of a scan printed."""
    variants = scan.show()["variants"]
    assert {variant["state"] for variant in variants} == {"done"}, variants
    return [
        Executed.read(scan.folder / str(variant["notebook"])).text().split() for variant in variants
    ]


def run(lab: Lab, *words: str, count: int = 1, kernel: str = "python3") -> ScanOfLab:
    """Run a scan of notebooks that show what they found."""
    notebook = lab.notebook(SHOW, parameters="lr = 0.1", kernel=kernel)
    return lab.run(notebook, *space(lr=[0.1 * n for n in range(1, count + 1)]), *words)


def check_failure(lab: Lab, *words: str) -> None:
    """Check that a setup line that fails is the reason of the failure, with what it printed."""
    notebook = lab.notebook(SHOW, parameters="lr = 0.1")
    scan = lab.run(notebook, *space(lr=[0.1]), *FAILS, *words, code=1)
    variant = scan.variant("v0001")
    assert (variant["state"], variant["reason"]) == ("failed", "setup")
    assert "Setup line 2 failed with exit code 1 on " in variant["message"]
    assert "It said: what is wrong" in variant["message"]


def python_with(folder: Path, version: int) -> Path:
    """Make a virtual environment with all that this one has, and its own version of `chosen`."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    [site] = folder.glob("lib/python*/site-packages")
    (site / "chosen.py").write_text(f"version = {version}\n")
    (site / "ours.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n")
    return folder / "bin" / "python"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A Python whose `chosen` has the version 7."""
    return python_with(tmp_path / "env 7", 7)


# this machine ---------------------------------------------------------------------------


def test_the_notebook_runs_in_the_python_that_is_named(
    lab: Lab, python: Path, tmp_path: Path
) -> None:
    # Another Python has put a kernel of the same name where Jupyter looks first.
    other = python_with(tmp_path / "env 8", 8)
    kernels = tmp_path / "jupyter" / "kernels" / "python3"
    kernels.mkdir(parents=True)
    command = f'["{other}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"]'
    (kernels / "kernel.json").write_text(
        f'{{"argv": {command}, "display_name": "x", "language": "python"}}'
    )
    lab.env["JUPYTER_PATH"] = str(tmp_path / "jupyter")
    assert printed(run(lab))[0][-3:-2] == ["8"]
    scan = run(lab, "--python", str(python), count=2, kernel="gone-from-here")
    for words in printed(scan):
        assert " ".join(words) == f"{python} 7 None None"
    assert "names the kernel 'gone-from-here'" in scan.show()["warnings"][0]
    for path in scan.folder.glob("jobs/*/*/provenance.json"):
        facts = strict_json(path.read_text())
        assert facts["python_option"] == facts["kernel_executable"] == str(python)
    # It goes with a replay.
    assert printed(lab.scan_of(lab.gridgpu("replay", scan.name, "--json")))[0][-3] == "7"


def test_lines_run_before_each_job_here(lab: Lab, python: Path) -> None:
    scan = run(lab, *LINES, "--python", f"conda:{python.parent.parent}", count=2)
    for words in printed(scan):
        assert " ".join(words) == f"{python} 7 12 None"
    log = (scan.folder / "jobs" / "v0002.1" / "launch.log").read_text()
    assert "said by a line\n" in log
    assert any("no kernel is forked" in text for text in scan.show()["warnings"])
    check_failure(lab)


def test_a_rehearsal_and_a_dry_run_know_the_lines(lab: Lab, python: Path) -> None:
    notebook = lab.notebook(SHOW, parameters="lr = 0.1")
    words = [str(notebook), *space(lr=[0.1, 0.2]), "--python", str(python)]
    said = lab.gridgpu("run", *words, *LINES, "--dry-run").stdout
    assert "Before each job, its node runs:\n  export FROM_LINE=12; echo said by a line\n" in said
    assert f"Jobs run with the Python {python}.\n" in said
    said = lab.gridgpu("rehearse", *words, *FAILS, code=None).stdout
    assert "Setup line 2 failed with exit code 1" in " ".join(said.split())


def test_a_job_whose_lines_run_can_be_stopped(lab: Lab) -> None:
    mark = lab.folder / "begun"
    notebook = lab.notebook(SHOW, parameters="lr = 0.1")
    line = f": >'{mark}'; sleep 7171"
    scan = lab.start(notebook, *space(lr=[0.1]), "--setup", line)
    eventually(mark.exists)
    scan.gridgpu("stop")
    (variant,) = scan.wait()["variants"]
    assert (variant["state"], variant["reason"]) == ("cancelled", "user")
    eventually(lambda: not processes_with("7171"))


def test_a_python_that_cannot_run_jobs_is_refused_before_anything_starts(
    lab: Lab, tmp_path: Path
) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    notebook = lab.notebook(SHOW, parameters="lr = 0.1")
    for python, words in (
        (bare / "bin" / "python", f"{bare}/bin/python has no papermill"),
        (bare / "bin" / "gone", f"has no {bare}/bin/gone, which --python names"),
        ("conda:no-such", "has no conda environment no-such"),
        ("/bin/ls", "does not start as a Python"),
    ):
        asked = [*space(lr=[0.1]), "--python", str(python)]
        said = one_sentence(lab.gridgpu("run", str(notebook), *asked, code=None).stderr)
        assert words in said
    assert not list(lab.home.glob("*/scan.json"))


# containers -----------------------------------------------------------------------------


@pytest.mark.parametrize("runtime", ["apptainer", "podman"])
def test_lines_run_outside_of_the_image(
    lab: Lab, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if runtime == "apptainer":
        # The program is found only by what the line does, as with `module load apptainer`.
        image, place = images.sif(), images.apptainer_bin()
        wrapped = lab.folder / "bin"
        wrapped.mkdir()
        script = f'#!/bin/sh\necho "$FROM_LINE" >{lab.folder}/seen\nexec {place}/apptainer "$@"\n'
        (wrapped / "apptainer").write_text(script)
        (wrapped / "apptainer").chmod(0o755)
        runtimes = images.apptainer_environment()
        line = f"export PATH={wrapped}:$PATH FROM_LINE=12; : >{lab.folder}/outside"
    else:
        image = images.archive()
        runtimes = images.podman_environment()
        line = f": >{lab.folder}/outside"
    for name, value in {**runtimes, "CUDA_VISIBLE_DEVICES": ""}.items():
        monkeypatch.setenv(name, value)
    scan = run(lab, "--image", str(image), "--setup", line)
    [words] = printed(scan)
    assert words[-1] == str(image)
    assert (lab.folder / "outside").exists()
    if runtime == "apptainer":
        assert (lab.folder / "seen").read_text() == "12\n"
        check_failure(lab, "--image", str(image))


# batch systems --------------------------------------------------------------------------


@pytest.mark.usefixtures("slurm")
def test_lines_and_python_on_slurm(lab: Lab, python: Path) -> None:
    there = options("--on slurm --per-job 2")
    scan = run(lab, *there, *LINES, "--python", str(python), count=2)
    for words in printed(scan):
        assert " ".join(words) == f"{python} 7 12 None"
    # The lines ran once for both jobs.
    logs = [scan.folder / "jobs" / key / "launch.log" for key in ("v0001.1", "v0002.1")]
    assert [log.exists() for log in logs] == [True, False]
    check_failure(lab, *options("--on slurm"))
    missing = ("--python", "/no/such/python", "--retries", "0")
    notebook = lab.notebook(SHOW, parameters="lr = 0.1")
    lost = lab.run(notebook, *space(lr=[0.1]), *options("--on slurm"), *missing, code=1)
    variant = lost.variant("v0001")
    assert variant["reason"] == "image"
    assert "has no /no/such/python, which --python names" in variant["message"]


@pytest.mark.parametrize("disk", [(), ("--no-shared-disk",)], ids=["shared", "not shared"])
def test_lines_and_python_on_htcondor(
    lab: Lab, condor_pool: Pool, tmp_path: Path, disk: tuple[str, ...]
) -> None:
    there = ("--on", "htcondor", *disk)
    # The nodes have another Python than this machine, so they make the environment themselves.
    made = tmp_path / "made"
    site = f"$(echo {made}/lib/python*/site-packages)"
    make = f"python3 -m venv --without-pip --system-site-packages {made}"
    asked = ("--setup", f"{make} && echo version = 7 >{site}/chosen.py", *LINES)
    scan = run(lab, *there, *asked, "--python", f"{made}/bin/python")
    [words] = printed(scan)
    assert " ".join(words).endswith("7 12 None")
    # What lines print is no metrics, though these travel by standard output without a shared disk.
    assert scan.variant("v0001")["metrics"] == {"loss": 0.1}
    check_failure(lab, *there)


def test_lines_and_python_on_panda(lab: Lab, panda: FakePanda, python: Path) -> None:
    there = options("--on panda --site LAB_GPU --attempts 1")
    [words] = printed(run(lab, *there, *LINES, "--python", str(python)))
    assert " ".join(words).endswith("7 12 None")
    # In an image, the pilot has started it, and the lines run inside.
    [words] = printed(run(lab, *there, *LINES, "--image", "docker://ml/base:latest"))
    assert words[-2:] == ["12", "docker://ml/base:latest"]
    check_failure(lab, *there)
