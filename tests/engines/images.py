"""Real container runtimes and small real images for the tests, without any registry.

Each is built once for many test runs.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO

from tests.engines.ground import SCRIPTS, alone, as_root, engines_folder, run_script

PODMAN_CONF = """[containers]
netns="host"
default_ulimits=["nofile=1024:1024","nproc=1024:1024"]
[engine]
runtime="runc"
cgroup_manager="cgroupfs"
events_logger="file"
"""


HOSTILE = "hostile.py"


def apptainer_bin() -> Path:
    """Return the folder of a real `apptainer` for this machine."""
    as_root("Apptainer for this machine")

    def build(part: Path, home: Path) -> None:
        run_script("apptainer.sh", part, home)

    return _built("apptainer", "apptainer.sh", build) / "bin"


def apptainer_environment() -> dict[str, str]:
    """Return the environment in which a real `apptainer` is found."""
    return {"PATH": f"{apptainer_bin()}{os.pathsep}{os.environ['PATH']}"}


def podman_environment() -> dict[str, str]:
    """Return the environment in which podman runs on a test machine. Installs podman if needed."""
    as_root("podman")
    run_script("podman.sh")
    conf = engines_folder() / "podman.conf"
    conf.write_text(PODMAN_CONF)
    return {"CONTAINERS_CONF": str(conf)}


def sandbox() -> Path:
    """Return an image as a folder: a Debian with Python, papermill and its kernel."""
    return _folders() / "full"


def bare_sandbox() -> Path:
    """Return an image as a folder: a Debian with Python, without papermill."""
    return _folders() / "bare"


def hostile_sandbox() -> Path:
    """Return the image with papermill whose Python attacks; see hostile.py."""

    def build(part: Path, home: Path) -> None:
        _run(["cp", "-al", sandbox(), part])
        packages = part / "usr/local/lib/python3.11/dist-packages"
        shutil.copy(SCRIPTS / HOSTILE, packages)
        (packages / "hostile.pth").write_text("import hostile; hostile.play_once()\n")

    return _built("hostile", HOSTILE, build)


def sif() -> Path:
    """Return the image with papermill as one SIF file."""
    # Little compression, since building takes longer than reading here.
    command = ["build", "--mksquashfs-args", "-comp gzip -Xcompression-level 1"]

    def build(part: Path, home: Path) -> None:
        _run([apptainer_bin() / "apptainer", *command, part, sandbox()])

    return _built("image", "image.sh", build, suffix=".sif")


def archive() -> Path:
    """Return the image with papermill as an OCI archive, as podman saves it."""

    def build(part: Path, home: Path) -> None:
        env = podman_environment()
        name = "localhost/gridgpu-test-image"
        with subprocess.Popen(["tar", "-C", sandbox(), "-c", "."], stdout=subprocess.PIPE) as tar:
            _run(["podman", "import", "--quiet", "-", name], env, tar.stdout)
        _run(["podman", "save", "--quiet", "--format", "oci-archive", "-o", part, name], env)
        _run(["podman", "rmi", "--force", name], env)

    return _built("image", "image.sh", build, suffix=".tar")


def _folders() -> Path:
    as_root("An image")

    def build(part: Path, home: Path) -> None:
        run_script("image.sh", part, env={"PYTHON": sys.executable})

    return _built("images", "image.sh", build)


def _built(name: str, recipe: str, build: Callable[[Path, Path], None], suffix: str = "") -> Path:
    """Return what `build` makes, under a name that changes when its recipe does.

    Whoever asks first builds it: in the first path that `build` gets, which becomes the second one.
    """
    version = hashlib.sha256((SCRIPTS / recipe).read_bytes()).hexdigest()[:10]
    target = engines_folder() / f"{name}-{version}{suffix}"
    if target.exists():
        return target
    with alone(name + suffix):
        # Another test run may have built it while this one waited for the lock.
        if not target.exists():
            part = target.with_name(f".part-{target.name}")
            shutil.rmtree(part, ignore_errors=True)
            part.unlink(missing_ok=True)
            build(part, target)
            part.rename(target)
    return target


def _run(
    command: list[str | Path],
    env: dict[str, str] | None = None,
    stdin: int | IO[bytes] | None = None,
) -> None:
    ran = subprocess.run(
        command,
        env={**os.environ, **(env or {})},
        stdin=stdin or subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, (command, ran.stderr)
