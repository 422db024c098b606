"""In an image, no Python of whoever sent the job runs: decoys lie where one could be taken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.engines import images
from tests.engines.panda import FakePanda

from .helpers import options, space, strict_json
from .lab import Lab, ScanOfLab

SHOW = "import os, sys\nprint(sys.executable, os.environ['PATH'])"
ROOT = str(Path(__file__).parent.parent.parent)


def seen(scan: ScanOfLab) -> dict[str, Any]:
    """Return what the only job of a scan recorded of itself, in its notebook."""
    notebook = strict_json((scan.folder / scan.variant("v0001")["notebook"]).read_text())
    facts: dict[str, Any] = notebook["metadata"]["gridgpu"]
    return facts


def mark(folder: Path) -> str:
    """Return a line of Python that notes in a folder that a worker, or a kernel, was run by it."""
    return (
        f"import sys; runs = [word for word in sys.orig_argv if 'worker.pyz' in word or 'kernel' in"
        f" word]; runs and open({str(folder / 'ran')!r}, 'a').write(f'{{runs}}\\n')"
    )


@pytest.fixture
def sender(tmp_path: Path) -> Path:
    """A Python of the sender, with all that ours has. It notes which workers it has run."""
    home = tmp_path / "conda"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    [site] = home.glob("lib/python*/site-packages")
    (site / "ours.pth").write_text(f"{sysconfig.get_path('purelib')}\n{ROOT}\n{mark(home)}\n")
    return home


@pytest.mark.parametrize("image", [(), ("--image", "docker://ml/base:latest")])
def test_a_job_of_the_grid_runs_no_python_by_the_path_that_the_sender_has(
    lab: Lab, panda: FakePanda, sender: Path, image: tuple[str, ...]
) -> None:
    words = [*space(lr=[0.1]), *options("--on panda"), *image]
    notebook = lab.notebook(SHOW, parameters="lr = 0.1")
    command = [f"{sender}/bin/python", "-m", "jupyter_gridgpu.cli", "run", str(notebook), *words]
    ran = subprocess.run(
        [*command, "--json"],
        env=lab.environment(PYTHONPATH=""),
        cwd=lab.folder,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    scan = lab.scan_of(ran)
    facts = seen(scan)
    assert not (sender / "ran").exists(), (sender / "ran").read_text()
    there = str(Path(sys.executable).parent)  # where the stand-in's jobs have their python3
    for key in ("executable", "kernel_executable"):
        assert str(Path(facts[key]).parent) == there
    assert facts.get("image") == (image[1] if image else None)
    assert "no sign of a container" not in scan.gridgpu("show").stdout


@pytest.fixture
def runtimes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Both runtimes are found, and podman is set to let all variables in."""
    conf = tmp_path / "containers.conf"
    given = Path(images.podman_environment()["CONTAINERS_CONF"]).read_text()
    conf.write_text(given.replace("[containers]", "[containers]\nenv_host=true"))
    for name, value in {**images.apptainer_environment(), "CONTAINERS_CONF": str(conf)}.items():
        monkeypatch.setenv(name, value)


def decoys(folder: Path) -> dict[str, str]:
    """Make Pythons, modules and a kernel that note that they ran; return variables naming them."""
    programs, modules = folder / "bin", folder / "modules"
    kernel = folder / "share/jupyter/kernels/python3"
    for made in (programs, modules, kernel):
        made.mkdir(parents=True)
    for name in ("python3", "python"):
        (programs / name).write_text(f"#!/bin/sh\necho $0 $* >>{folder}/ran\nexit 1\n")
        (programs / name).chmod(0o755)
    (modules / "sitecustomize.py").write_text(mark(folder))
    (modules / "papermill.py").write_text(f"open({str(folder / 'ran')!r}, 'a').write('module')")
    argv = [f"{programs}/python3", "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    body = {"argv": argv, "display_name": "decoy", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(body))
    first = f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin"
    shared = {"CONDA_PREFIX": str(folder), "JUPYTER_PATH": str(folder / "share/jupyter")}
    return {
        **shared,
        "XDG_DATA_HOME": str(folder / "share"),
        **{f"APPTAINERENV_{name}": value for name, value in shared.items()},
        "APPTAINERENV_PREPEND_PATH": str(programs),
        "SINGULARITYENV_PATH": first,
        "APPTAINERENV_PYTHONPATH": str(modules),
        "SINGULARITYENV_PYTHONHOME": str(folder),
        "BASH_ENV": str(modules / "sitecustomize.py"),
    }


@pytest.mark.parametrize("runtime", ["apptainer", "podman"])
def test_no_decoy_of_the_sender_runs_in_an_image(lab: Lab, runtimes: None, runtime: str) -> None:
    """They lie in a folder that the image sees, and at the path of the sender's own Python."""
    folder = lab.folder / "decoy"
    variables = decoys(folder)
    # The sender's Python must work here, so these are set for the runner's children alone.
    path = f"{folder}/bin{os.pathsep}{os.environ['PATH']}"
    env = {**variables, "PATH": path, "CUDA_VISIBLE_DEVICES": ""}
    binds = ["--bind", str(folder), "--bind", f"{folder}/bin:{Path(sys.executable).parent}"]
    words = options(f"--image {images.sandbox()} --runtime {runtime}")
    notebook = lab.notebook(SHOW, parameters="lr = 0.1", kernel="python3")
    scan = lab.run(notebook, *space(lr=[0.1]), *words, *binds, env=env)
    facts = seen(scan)
    assert not (folder / "ran").exists(), (folder / "ran").read_text()
    assert (facts["executable"], facts["kernel_executable"]) == ("/usr/bin/python3",) * 2
    assert (facts["image"], facts["container"]) == (str(images.sandbox()), runtime)
    [about] = scan.folder.glob("jobs/*/*/copy.json")
    told = strict_json(about.read_text())
    assert (told["executable"], told["container"]) == ("/usr/bin/python3", runtime)
