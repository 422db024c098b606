"""Provenance that only the start of a scan knows."""

from __future__ import annotations

import hashlib
import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.records.git_state import DIFF_LIMIT, git_state
from jupyter_gridgpu.records.scan_provenance import input_digests
from jupyter_gridgpu.testing.examples import notebook_json


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=me", "-c", "user.email=me@example", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    analysis = tmp_path / "analysis größe"
    analysis.mkdir()
    (analysis / "train.ipynb").write_text(notebook_json("lr = 0.1\njets = ''", "pass"))
    (analysis / "tool.py").write_text("one = 1\n")
    return analysis


@pytest.fixture
def repository(folder: Path) -> Path:
    git(folder, "init", "-q")
    (folder / "my.env").write_text("TOKEN=a\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


def test_commit_and_changes_of_the_notebooks_folder(repository: Path) -> None:
    (repository / "tool.py").write_text("one = 2\n")
    (repository / "my.env").write_text("TOKEN=very-private\n")
    (repository / "train.ipynb").write_text(notebook_json("lr = 0.7", "pass"))
    found = git_state(repository, "train.ipynb")
    assert found is not None
    assert len(found["commit"]) == 40
    assert found["dirty"]
    assert "+one = 2" in found["diff"]
    assert "very-private" not in json.dumps(found)
    assert "0.7" not in found["diff"]
    assert {line.split()[-1] for line in found["status"]} == {"my.env", "tool.py", "train.ipynb"}


def test_large_changes_are_cut(repository: Path) -> None:
    (repository / "tool.py").write_text("x = 1\n" * DIFF_LIMIT)
    found = git_state(repository, "train.ipynb")
    assert found is not None
    assert found["cut"]
    assert len(found["diff"]) <= DIFF_LIMIT


def test_programs_that_a_repository_names_are_not_run(repository: Path) -> None:
    mark = repository / "mark"
    for name in ("core.fsmonitor", "diff.external", "core.pager", "diff.x.textconv"):
        git(repository, "config", name, f"touch '{mark}'; true")
    (repository / ".gitattributes").write_text("*.py diff=x\n")
    (repository / "tool.py").write_text("one = 2\n")
    assert git_state(repository, "train.ipynb") is not None
    assert not mark.exists()


def test_without_git_nothing_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(folder.parent))
    assert git_state(folder, "train.ipynb") is None
    monkeypatch.setenv("PATH", "")
    assert git_state(folder, "train.ipynb") is None


def test_the_folder_of_a_scan_says_what_went_into_it(folder: Path) -> None:
    (folder / "jets.npz").write_bytes(b"jets")
    request_plan = plan(
        folder / "train.ipynb", {"lr": [0.1, 0.2], "jets": "jets.npz"}, Options(files=("tool.py",))
    )
    handle = client.create(replace(request_plan, command="gridgpu run train.ipynb"))
    body = json.loads(handle.paths.provenance.read_text())
    assert body["command"] == "gridgpu run train.ipynb"
    assert set(body["inputs"]) == {
        "scan.json",
        "notebook.ipynb",
        "worker.pyz",
        "worker.sh",
        "files/tool.py",
    }
    assert input_digests(handle.paths) == {
        name: tuple(found) for name, found in body["inputs"].items()
    }
    (data,) = body["data"]["jets"]
    assert data["size"] == 4
    assert data["sha256"] == hashlib.sha256(b"jets").hexdigest()
