"""The doctor: no part holds up another, and what is wrong is found and said."""

from __future__ import annotations

import fcntl
import os
import shutil
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import doctor
from jupyter_gridgpu.doctor import batch_systems, home, jupyter, machine
from jupyter_gridgpu.doctor.finding import Finding, counted, ok
from jupyter_gridgpu.doctor.program import run_program
from jupyter_gridgpu.store.late_disk import mount_of


def test_a_part_that_hangs_or_breaks_keeps_no_other_from_answering() -> None:
    hung = threading.Event()

    def hangs() -> list[Finding]:
        hung.wait(60)
        return []

    def breaks() -> list[Finding]:
        raise KeyError("x")

    found = doctor.examine(
        {"hangs": hangs, "breaks": breaks, "good": lambda: [ok("fine")]}, timeout_s=0.3
    )
    hung.set()
    assert [finding.level for findings in found.values() for finding in findings] == [
        "problem",
        "problem",
        "ok",
    ]
    assert found["hangs"][0].text == "It did not answer within 0 s."
    assert found["breaks"][0].text == "It could not be asked: KeyError: 'x'."
    assert not doctor.healthy(found)
    assert doctor.healthy({"good": found["good"]})


def test_the_file_system_of_a_folder_is_the_nearest_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(
        "1 0 8:1 / / rw - ext4 root rw\n"
        "2 1 0:1 / /home rw,noatime shared:2 - nfs4 server:/h rw,hard\n"
        "3 2 0:2 / /home/my\\040data rw - afs server:/d rw\n"
        "short line\n"
    )
    monkeypatch.setattr(home, "mount_of", partial(mount_of, table=str(table)))
    places = ["/", "/home/me", "/home2", "/home/my data/x"]
    assert [home.file_system(Path(place)) for place in places] == ["ext4", "nfs4", "ext4", "afs"]


def test_locks_that_are_not_honoured_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scans_home: Path
) -> None:
    assert [finding.level for finding in home.folder()] == ["ok", "ok", "ok"]
    monkeypatch.setattr(fcntl, "flock", lambda handle, how: None)
    assert "two owners got one lock" in home.folder()[2].text

    def refuse(*args: Any) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setattr(os, "link", refuse)
    found = home.folder()
    assert [finding.level for finding in found] == ["ok", "ok", "note", "note"]
    assert "No locks available" in found[2].text
    assert not scans_home.exists(), "looking makes nothing"


def test_a_home_that_is_full_or_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 100 * 2**20})
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    assert [finding.level for finding in home.folder()][1] == "problem"
    monkeypatch.setenv("GRIDGPU_HOME", "/proc/nothing/here")
    [finding] = home.folder()
    assert finding.text.startswith("Scans cannot be kept in /proc/nothing/here")


def test_packages_that_are_missing_or_old(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {
        "papermill": "2.3.1",
        "ipykernel": None,
        "nbclient": "0.10.0",
        "jupyter_client": "8.1.0rc1",
    }
    monkeypatch.setattr(machine, "_version", versions.get)
    texts = [(finding.level, finding.text) for finding in machine.python()[1:]]
    assert texts == [
        ("problem", "papermill 2.3.1 is too old."),
        ("problem", "ipykernel is missing."),
        ("ok", "nbclient 0.10.0, jupyter_client 8.1.0rc1"),
    ]


def test_extensions_that_are_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from jupyter_core import paths

    monkeypatch.setattr(
        paths, "jupyter_config_path", lambda: [str(tmp_path / "first"), str(tmp_path / "second")]
    )
    monkeypatch.setattr(
        paths, "jupyter_path", lambda *names: [str(tmp_path.joinpath("data", *names))]
    )
    found = jupyter.extensions()
    assert [finding.level for finding in found] == ["problem", "problem"]
    for folder, value in (("first", "false"), ("second", "true")):
        config = tmp_path / folder / "jupyter_server_config.d"
        config.mkdir(parents=True)
        (config / "a.json").write_text(
            f'{{"ServerApp": {{"jpserver_extensions": {{"jupyter_gridgpu.server": {value}}}}}}}'
        )
    (tmp_path / "second/labconfig").mkdir()
    (tmp_path / "second/labconfig/page_config.json").write_text(
        '{"disabledExtensions": {"jupyter-gridgpu:panel": true}}'
    )
    package = tmp_path / "data/labextensions/jupyter-gridgpu/package.json"
    package.parent.mkdir(parents=True)
    package.write_text('{"version": "0.0.1"}')
    found = jupyter.extensions()
    assert [finding.level for finding in found] == ["problem", "note", "problem"]
    assert found[0].advice == "jupyter server extension enable jupyter_gridgpu.server"


@pytest.mark.parametrize(
    ("text", "level"), [(None, "ok"), ("30", "ok"), ("1", "note"), ("often", "problem")]
)
def test_how_often_engines_are_asked(
    text: str | None, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GRIDGPU_POLL_S", raising=False)
    if text is not None:
        monkeypatch.setenv("GRIDGPU_POLL_S", text)
    assert [finding.level for finding in batch_systems.pace()] == [level]


def test_programs_are_asked_with_a_limit() -> None:
    assert run_program("sleep", "20", timeout_s=0.1).complaint == "it did not answer within 0 s"
    assert run_program("no-such-program").complaint == "No such file or directory"
    assert run_program("sh", "-c", "echo one; echo two. >&2; exit 3").complaint == "two"
    assert counted(1, "scan", "scans") == "1 scan"
    assert counted(6, "scan", "scans", list("abcdef")) == "6 scans: a, b, c, d, …"
