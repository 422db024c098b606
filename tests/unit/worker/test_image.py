"""What a worker says of the image that it runs in, and does in one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.worker import image, kernelspecs
from jupyter_gridgpu.worker.claim import COPY_VARIABLE, new_copy
from jupyter_gridgpu.worker.packing import pack


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(image.NAME_VARIABLE, "docker://ml/base")
    for name in (image.VERSION_VARIABLE, *image.CACHE_VARIABLES, "HOME"):
        monkeypatch.delenv(name, raising=False)


def test_this_python_lacks_nothing() -> None:
    assert image.missing_requirement() is None


def test_papermill_that_is_missing_or_old_is_said(
    inside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image, "version", lambda name: "2.3.4")
    assert (
        image.missing_requirement()
        == "The image docker://ml/base has papermill 2.3.4; 2.4 or newer is needed."
    )
    monkeypatch.setattr(image, "find_spec", lambda name: None)
    assert (
        image.missing_requirement()
        == "The image docker://ml/base has no papermill: pip install papermill ipykernel."
    )
    monkeypatch.delenv(image.NAME_VARIABLE)
    assert str(image.missing_requirement()).startswith(
        f"{sys.executable}, the Python of this node, has no papermill"
    )


def test_a_worker_without_papermill_ends_with_a_line_in_the_log_of_each_further_job(
    tmp_path: Path,
) -> None:
    pack(tmp_path / "worker.pyz")
    specs = [tmp_path / key / "job.json" for key in ("v0001.1", "v0002.1")]
    for spec in specs:
        spec.parent.mkdir()
        spec.write_text("{}")
    ran = subprocess.run(
        [sys.executable, "-S", tmp_path / "worker.pyz", *specs], capture_output=True, text=True
    )  # no packages
    assert (ran.returncode, ran.stderr.count("\n")) == (image.EXIT_NO_PAPERMILL, 1)
    assert "has no papermill" in ran.stderr
    assert (tmp_path / "v0002.1" / "launch.log").read_text() == ran.stderr


def test_the_version_is_the_launchers_or_that_of_the_runtimes_cache(
    inside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert image.image_version() is None
    monkeypatch.setenv("APPTAINER_CONTAINER", "/home/u/.apptainer/cache/oci-tmp/abc")
    assert image.image_version() == "abc"
    monkeypatch.setenv(image.VERSION_VARIABLE, "sha256:1")
    assert image.image_version() == "sha256:1"
    monkeypatch.delenv(image.NAME_VARIABLE)
    assert image.image_version() is None


def test_only_in_an_image_home_is_a_folder_of_the_job(
    inside: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image.make_home(tmp_path)
    assert Path(os.environ["HOME"]) == tmp_path / "home"
    monkeypatch.setenv("HOME", "/home/user")
    monkeypatch.delenv(image.NAME_VARIABLE)
    image.make_home(tmp_path)
    assert os.environ["HOME"] == "/home/user"


def test_the_images_python_stands_in_for_a_python_kernel_that_only_the_user_has(
    inside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    assert kernelspecs.choose_kernel("my-venv", "python", said.append) == "python3"
    assert said == ["The image has no kernel 'my-venv'; its 'python3' runs the notebook."]
    assert kernelspecs.choose_kernel("python3", "python", said.append) == "python3"
    assert kernelspecs.choose_kernel("ir", "R", said.append) == "ir"
    monkeypatch.delenv(image.NAME_VARIABLE)
    assert kernelspecs.choose_kernel("my-venv", "python", said.append) == "my-venv"
    assert len(said) == 1


def test_a_copy_that_was_named_outside_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = ScanPaths(tmp_path).job("v0001.1")
    monkeypatch.setenv(COPY_VARIABLE, "abc123")
    assert new_copy(job).folder.name == "abc123"
    assert len(new_copy(job).folder.name) == 8
    monkeypatch.setenv(COPY_VARIABLE, "../../x")
    assert len(new_copy(job).folder.name) == 8
