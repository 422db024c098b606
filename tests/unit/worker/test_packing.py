from __future__ import annotations

import ast
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from jupyter_gridgpu.worker.packing import pack

ALLOWED = tuple(f"jupyter_gridgpu/{room}/" for room in ("model", "store", "transport", "worker"))
SINGLE = {"__main__.py", "jupyter_gridgpu/__init__.py", "jupyter_gridgpu/errors.py"}
IMPORTED = tuple(f"jupyter_gridgpu/{room}/" for room in ("model", "store", "transport"))


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pack") / "worker.pyz"
    pack(path)
    return path


def test_the_same_sources_make_the_same_bytes(worker: Path, tmp_path: Path) -> None:
    pack(tmp_path / "again.pyz")
    assert (
        hashlib.sha256((tmp_path / "again.pyz").read_bytes()).digest()
        == hashlib.sha256(worker.read_bytes()).digest()
    )


def test_the_worker_is_small_and_holds_nothing_but_what_a_job_needs(worker: Path) -> None:
    names = zipfile.ZipFile(worker).namelist()
    assert worker.stat().st_size < 200_000
    assert set(names) >= SINGLE
    assert [
        name
        for name in names
        if name not in SINGLE and not (name.startswith(ALLOWED) and name.endswith(".py"))
    ] == []
    assert len(set(names)) == len(names)


def imported_modules(source: bytes) -> set[str]:
    """Return the modules of this package that a file imports, anywhere in it."""
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return {name for name in modules if name.startswith("jupyter_gridgpu.")}


def test_what_the_worker_imports_is_packed(worker: Path) -> None:
    archive = zipfile.ZipFile(worker)
    names = set(archive.namelist())
    for file in sorted(
        names - {"jupyter_gridgpu/__init__.py"}
    ):  # a front door to the whole package
        for module in imported_modules(archive.read(file)):
            path = module.replace(".", "/")
            assert names & {f"{path}.py", f"{path}/__init__.py"}, f"{file} imports {module}"


def test_everything_packed_can_be_read_by_python_3_9(worker: Path) -> None:
    archive = zipfile.ZipFile(worker)
    for name in archive.namelist():
        ast.parse(archive.read(name), name, feature_version=(3, 9))


def test_the_worker_imports_in_a_python_that_has_nothing_else(worker: Path) -> None:
    python = _plain_python("3.9") or sys.executable
    names = zipfile.ZipFile(worker).namelist()
    packed = [name[: -len(".py")].replace("/", ".") for name in names if name.startswith(IMPORTED)]
    modules = ", ".join(["sys", "jupyter_gridgpu.worker.job", *packed])
    lines = f"import {modules}; print(sys.modules['jupyter_gridgpu'].__file__)"
    done = subprocess.run(
        [python, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(worker)!r}); {lines}"],
        capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(worker))


def test_a_worker_without_a_job_says_how_it_is_used(worker: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(worker)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stderr.startswith("usage: worker.pyz [-h] [--together N] JOB.json")


def _plain_python(version: str) -> str | None:
    """Return a Python of that version that runs; a version manager's shim may lead nowhere."""
    found = shutil.which(f"python{version}")
    if (
        found
        and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0
    ):
        return found
    return None
