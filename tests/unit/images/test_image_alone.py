"""Inside of an image, the image's own python3 runs the worker, whatever the sender's machine has.

tests/system/test_image_alone.py has real containers, and jobs of PanDA.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_gridgpu import images
from jupyter_gridgpu.backends.htcondor.start_script import shell_arguments
from jupyter_gridgpu.backends.slurm.options import job_environment
from jupyter_gridgpu.images.hidden import (
    HIDDEN_VARIABLES,
    RUNTIME_VARIABLES,
    SENT_PATH,
    USUAL_PATH,
    hiding,
    image_alone,
    is_hidden,
)
from jupyter_gridgpu.model.resources import Container, Placement
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan

from .kit import sandbox
from .test_launcher import Node, arguments

IMAGE = "docker://ml/base"
DECOY = "#!/bin/sh\necho [decoy]\n"
# Variables that would choose another Python, or its packages, kernels and libraries.
LEAKS = {
    "PYTHONPATH": "/decoy",
    "PYTHONHOME": "/decoy",
    "PYTHONSTARTUP": "/decoy",
    "VIRTUAL_ENV": "/decoy",
    "CONDA_PREFIX": "/decoy",
    "CONDA_PYTHON_EXE": "/decoy",
    "MAMBA_ROOT_PREFIX": "/decoy",
    "JUPYTER_PATH": "/decoy",
    "JUPYTER_DATA_DIR": "/decoy",
    "JUPYTER_PREFER_ENV_PATH": "1",
    "IPYTHONDIR": "/decoy",
    "XDG_DATA_HOME": "/decoy",
    "R_LIBS_USER": "/decoy",
    "JULIA_DEPOT_PATH": "/decoy",
    "LD_PRELOAD": "",
    "BASH_ENV": "/decoy",
}
# What apptainer would take from the sender, and set or do inside.
LEAKS_OF_APPTAINER = {
    "APPTAINERENV_PATH": "/decoy",
    "APPTAINERENV_PREPEND_PATH": "/decoy",
    "SINGULARITYENV_PREPEND_PATH": "/decoy",
    "SINGULARITYENV_APPEND_PATH": "/decoy",
    "APPTAINERENV_PYTHONHOME": "/decoy",
    "SINGULARITYENV_CONDA_PREFIX": "/decoy",
    "APPTAINERENV_LD_LIBRARY_PATH": "/decoy",
    "APPTAINER_OVERLAY": "/decoy",
    "SINGULARITY_ENV_FILE": "/decoy",
    "APPTAINER_CONTAINER": "/decoy",
}
KEPT = {"SLURM_JOB_ID": "7", "APPTAINERENV_SEED": "3", "OMP_NUM_THREADS": "2", "X509_CERT": "x"}


@pytest.fixture
def node(tmp_path: Path) -> Node:
    made = Node(tmp_path)
    made.install("python3")
    return made


@pytest.fixture
def decoy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the sender's Python, at which the job finds another one."""
    path = tmp_path / "conda" / "python"
    path.parent.mkdir()
    path.write_text(DECOY)
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))
    return path


@pytest.mark.parametrize(
    ("backend", "image", "runtime", "sender"),
    [
        # Where the nodes share the disks of this machine, its Python is the right one.
        ("local", None, "auto", True),
        ("slurm", None, "auto", True),
        ("slurm", None, "none", True),
        ("htcondor", None, "auto", True),
        ("panda", None, "auto", False),
        # In a container that somebody else starts.
        ("panda", IMAGE, "auto", False),
        ("panda", "/cvmfs/unpacked.cern.ch/ml:latest", "auto", False),
        ("slurm", IMAGE, "none", False),
        ("htcondor", IMAGE, "none", False),
    ],
)
def test_which_python_runs_the_worker(
    node: Node, decoy: Path, backend: str, image: str | None, runtime: str, sender: bool
) -> None:
    container = Container(image, runtime=runtime)
    text = images.launcher_text(replace(small_scan(), backend=backend, container=container))
    assert (str(decoy) in text) is sender
    said = arguments(node.run_script(text))[0]
    assert said == ("decoy" if sender else str(node.bin / "python3"))


def test_on_the_grid_a_python_of_cvmfs_is_the_same_everywhere(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/cvmfs/no.such.repository/bin/python3")
    without = replace(small_scan(), backend="panda")
    assert sys.executable in images.launcher_text(without)
    assert arguments(node.run_script(images.launcher_text(without)))[0] == str(node.bin / "python3")
    inside = replace(without, container=Container(IMAGE))
    assert sys.executable not in images.launcher_text(inside)


def test_a_python_that_does_not_start_on_the_node_is_passed_over_with_its_words(
    node: Node, decoy: Path
) -> None:
    decoy.write_text('#!/bin/sh\necho "libpython3.so: no such file" >&2\nexit 127\n')
    ran = node.run_script(images.launcher_text(small_scan()))
    assert arguments(ran)[0] == str(node.bin / "python3")
    said = node.logs()[1]
    assert said.startswith(f"{decoy} does not start on ")
    assert said.endswith(", so its python3 is taken: libpython3.so: no such file\n")


def test_an_image_without_python3_is_named(node: Node) -> None:
    (node.bin / "python3").unlink()
    text = images.launcher_text(
        replace(small_scan(), backend="panda", container=Container("docker://a/$b"))
    )
    ran = node.run_script(text)
    assert (ran.returncode, ran.stderr) == (74, "The image docker://a/$b has no python3.\n")


@pytest.mark.parametrize("runtime", ["apptainer", "podman", "started"])
def test_nothing_of_the_sender_chooses_a_python_inside(
    node: Node, tmp_path: Path, runtime: str
) -> None:
    if runtime == "started":
        scan = replace(small_scan(), backend="panda", container=Container(IMAGE))
    else:
        node.install(runtime)
        box = str(sandbox(tmp_path / "box"))
        scan = replace(small_scan(), container=Container(box, runtime=runtime))
    env = {**LEAKS, **LEAKS_OF_APPTAINER, **KEPT, "GRIDGPU_IMAGE": "of the sender"}
    ran = node.run_script(images.launcher_text(scan), env)
    lines = ran.stdout.splitlines()
    assert {f"{name}={value}" for name, value in KEPT.items()} <= set(lines)
    assert f"GRIDGPU_IMAGE={scan.container.image}" in lines
    words = [line for line in lines if line.startswith("[")]
    # Podman gets all variables, and hands on those that its options name.
    leaked = [line for line in lines if line.partition("=")[0] in {*LEAKS, *LEAKS_OF_APPTAINER}]
    if runtime == "podman":
        assert not [word for word in words for name in LEAKS if word == f"[--env={name}]"]
    elif runtime == "started":
        assert not [line for line in leaked if line.partition("=")[0] in LEAKS]
        assert "PYTHONNOUSERSITE=1" in lines
    else:
        assert leaked == []


def test_a_job_without_an_image_does_not_say_that_it_runs_in_one(node: Node) -> None:
    """The sender may sit in a job of ours that has an image."""
    text = images.launcher_text(replace(small_scan(), backend="panda"))
    said = {"GRIDGPU_IMAGE": "docker://of/sender", "GRIDGPU_IMAGE_MARK": "sha256:1"}
    assert "GRIDGPU_IMAGE" not in node.run_script(text, said).stdout


def alone(env: dict[str, str]) -> list[str]:
    """Return the environment after the line that a batch system's container runs first."""
    words = ["sh", "-c", f"{image_alone()}; /usr/bin/env"]
    usual = {"PATH": "/usr/bin:/bin", **env}
    return subprocess.run(words, env=usual, capture_output=True, text=True).stdout.splitlines()


def test_the_search_path_of_the_sender_is_left_and_that_of_the_image_is_kept() -> None:
    sent = "/home/me/conda/bin:/usr/bin:/bin"
    assert f"PATH={USUAL_PATH}" in alone({"PATH": sent, SENT_PATH: sent})
    assert "PATH=/opt/conda/bin:/usr/bin:/bin" in alone(
        {"PATH": "/opt/conda/bin:/usr/bin:/bin", SENT_PATH: sent}
    )
    assert not [line for line in alone({SENT_PATH: sent}) if line.startswith(SENT_PATH)]


def test_slurm_says_which_search_path_is_that_of_the_sender(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/home/me/conda/bin:/usr/bin")
    for image, runtime, told in (
        (IMAGE, "none", True),
        (IMAGE, "auto", False),
        (None, "auto", False),
    ):
        scan = replace(small_scan(), backend="slurm", container=Container(image, runtime=runtime))
        found = job_environment(scan, os.environ)
        assert found["PATH"] == "/home/me/conda/bin:/usr/bin"
        assert found.get(SENT_PATH) == (found["PATH"] if told else None)


def test_the_shell_and_python_agree_about_what_is_hidden() -> None:
    for name in {**LEAKS, "SEVERAL": "a\nCONDA_PREFIX=/x\nPYTHONPATH=/y", **KEPT}:
        shown = [line for line in alone({**LEAKS, **KEPT}) if line.startswith(f"{name}=")]
        assert bool(shown) is not is_hidden(name) or name == "SEVERAL"
    assert hiding(()) == ""
    assert hiding(("A",)) == "unset A"


def test_a_variable_of_the_runtime_is_no_variable_of_the_image() -> None:
    assert not is_hidden("APPTAINERENV_PATH", HIDDEN_VARIABLES)
    assert is_hidden("APPTAINERENV_PATH", RUNTIME_VARIABLES)


def test_a_container_of_htcondor_has_the_images_python_alone(tmp_path: Path) -> None:
    scan = replace(
        small_scan(),
        backend="htcondor",
        container=Container(IMAGE),
        placement=Placement(shared=False),
    )
    script = shell_arguments(scan, ScanPaths(tmp_path), IMAGE)
    assert "unset PYTHONPATH" in script
    assert USUAL_PATH in script
    assert sys.executable not in script
