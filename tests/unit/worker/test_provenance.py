from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from jupyter_gridgpu.worker import image
from jupyter_gridgpu.worker.provenance import Provenance, driver, gpus, packages, processor

JOB = {
    "scan": "btag",
    "id": "x",
    "key": "v0001.1",
    "kernel": "python3",
    "params": {"lr": 0.1, "seed": 3, "data_Seed": 4},
}


def distribution(folder: Path, name: str, **direct: object) -> None:
    made = folder / name
    made.mkdir(parents=True)
    if direct:
        (made / "direct_url.json").write_text(json.dumps(direct))


def test_packages_are_named_as_pip_does_and_the_first_place_wins(tmp_path: Path) -> None:
    distribution(tmp_path / "a", "Jet_Tools-1.2.dist-info")
    distribution(tmp_path / "a", "old-3.0-py3.9.egg-info")
    distribution(tmp_path / "b", "jet.tools-9.9.dist-info")
    (tmp_path / "a" / "no_package").mkdir()
    assert packages([str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "none")]) == {
        "jet-tools": "1.2",
        "old": "3.0",
    }


def test_where_a_package_came_from_is_told_without_a_login(tmp_path: Path) -> None:
    vcs = {"vcs_info": {"commit_id": "abc", "vcs": "git"}}
    distribution(
        tmp_path, "mine-1.0.dist-info", url="https://me:s3cret@git.example/mine.git", **vcs
    )
    distribution(
        tmp_path,
        "here-1.0.dist-info",
        url="file:///home/somebody/here",
        dir_info={"editable": True},
    )
    distribution(tmp_path, "odd-1.0.dist-info", url=7)
    found = packages([str(tmp_path)])
    assert found["mine"] == "1.0 @ https://git.example/mine.git@abc"
    assert found["here"] == "1.0 @ a local folder"
    assert found["odd"] == "1.0"


def test_processor_gpus_and_driver_are_what_the_system_says(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(
        "processor\t: 0\nmodel name\t: Fast \x07 CPU\nprocessor\t: 1\n"
    )
    for number, model in enumerate(("NVIDIA A100-SXM4-40GB", "Tesla T4")):
        folder = tmp_path / "driver/nvidia/gpus" / f"0000:0{number}:00.0"
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"Model: \t\t {model}\nIRQ: 10\n")
    (tmp_path / "driver/nvidia/version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug\n"
    )
    assert processor(tmp_path) == "Fast CPU"
    assert gpus(tmp_path) == ["NVIDIA A100-SXM4-40GB", "Tesla T4"]
    assert driver(tmp_path) == "535.104.05"
    assert (gpus(tmp_path / "none"), driver(tmp_path / "none")) == ([], None)


def test_a_job_says_what_it_ran_with() -> None:
    about = Provenance(JOB, [sys.executable, "-m", "ipykernel_launcher"]).finish(
        {"name": "python", "version": "3.x"}
    )
    assert about["packages"]["papermill"]
    assert about["kernel"]["version"] == "3.x"
    assert about["seeds"] == {"seed": 3, "data_Seed": 4}
    assert about["started"] <= about["ended"]
    assert about["executable"] == about["kernel_executable"] == sys.executable
    assert json.loads(json.dumps(about, allow_nan=False)) == about


def test_a_kernel_of_another_python_is_asked(tmp_path: Path) -> None:
    other = tmp_path / "python3"
    (tmp_path / "site").mkdir()
    distribution(tmp_path / "site", "other-7.0.dist-info")
    other.write_text(f'#!/bin/sh\necho \'["3.9.1 (main)", ["{tmp_path / "site"}"], "/opt/py"]\'\n')
    other.chmod(0o755)
    about = Provenance(JOB, [str(other), "-m", "ipykernel_launcher"]).finish()
    assert about["kernel"]["python"] == "3.9.1"
    assert about["packages"] == {"other": "7.0"}
    assert (about["executable"], about["kernel_executable"]) == (sys.executable, "/opt/py")


@pytest.mark.parametrize(
    "argv", [None, [], ["/usr/bin/R", "--slave"], ["/nowhere/python3", "-m", "x"]]
)
def test_of_a_kernel_that_cannot_be_asked_no_packages_are_told(argv: list[str] | None) -> None:
    about = Provenance(JOB, argv).finish()
    assert about["packages"] == {}
    assert "python" not in about["kernel"]


def test_values_of_the_environment_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X509_USER_PROXY", "/tmp/x509-very-private")
    monkeypatch.setenv("API_TOKEN", "very-private")
    assert "very-private" not in json.dumps(Provenance(JOB, [sys.executable]).finish())


def test_an_image_is_told_only_where_the_job_knows_that_it_runs_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """job.json names the image that was asked for."""
    asked = {**JOB, "image": "docker://ml/base", "image_digest": "sha256:1"}
    monkeypatch.delenv(image.NAME_VARIABLE, raising=False)
    assert not {"image", "image_digest", "container"} & set(Provenance(asked, None).facts)
    monkeypatch.setenv(image.NAME_VARIABLE, "docker://ml/base")
    monkeypatch.setattr(image, "_SIGNS", (("/no/such/file", "podman"),))
    monkeypatch.delenv("container", raising=False)
    monkeypatch.setenv("APPTAINER_CONTAINER", "/cache/abc")
    about = Provenance(asked, None).facts
    assert (about["image"], about["image_mark"], about["container"]) == (
        "docker://ml/base",
        "abc",
        "apptainer",
    )
    monkeypatch.delenv("APPTAINER_CONTAINER")
    assert Provenance(asked, None).facts["container"] is None
