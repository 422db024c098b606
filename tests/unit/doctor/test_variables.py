"""`gridgpu doctor --on` lists names of variables, and no value."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from jupyter_gridgpu import doctor as doctor_room
from jupyter_gridgpu.cli.doctor import doctor
from jupyter_gridgpu.doctor.environment import session_variables
from jupyter_gridgpu.doctor.kept_secrets import kept
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.transport import key_files

SESSION = {"PATH": "/x", "OMP_NUM_THREADS": "2", "GITHUB_PAT": "v-1", "EDITOR": "v-2",
           "https_proxy": "http://me:v-3@proxy"}  # fmt: skip


def test_what_travels_depends_on_the_backend() -> None:
    found = session_variables("slurm", SESSION)
    assert found.travel == ("OMP_NUM_THREADS", "PATH")
    assert found.in_images == ("OMP_NUM_THREADS",)
    assert found.stay == ("EDITOR", "GITHUB_PAT", "https_proxy")
    assert found.secrets == ("GITHUB_PAT", "https_proxy")
    assert session_variables("panda", SESSION).travel == ()
    assert session_variables("local", SESSION).stay == ()
    with pytest.raises(UsageError, match=r"--on .nowhere. is not known; choose one of"):
        session_variables("nowhere", SESSION)


def test_the_command_lists_names_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_room, "PARTS", {})
    monkeypatch.setattr(doctor_room.examine, "__defaults__", ({}, 1.0))
    for name, value in SESSION.items():
        monkeypatch.setenv(name, value)
    told = CliRunner().invoke(doctor, ["--on", "slurm"]).output
    assert "Jobs --on slurm get: " in told
    assert "They do not get, since it may be secret: " in told
    body = json.loads(CliRunner().invoke(doctor, ["--on", "slurm", "--json"]).output)
    assert {"OMP_NUM_THREADS", "PATH"} <= set(body["environment"]["travel"])
    assert "GITHUB_PAT" in body["environment"]["secrets"]
    for text in (told, json.dumps(body)):
        assert not [value for value in ("v-1", "v-2", "v-3") if value in text]


def test_secrets_that_are_kept_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path))
    assert [finding.text for finding in kept()] == ["No secrets are kept."]
    path = key_files.secrets_file("20261127-1")
    key_files.write(path, {"KEY": "v-1"})
    [found] = kept()
    assert found.level == "note"
    assert "for 1 scan: 20261127-1." in found.text
    path.chmod(0o640)
    [found] = kept()
    assert found.level == "problem"
    assert "v-1" not in found.text
