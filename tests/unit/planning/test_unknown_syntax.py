"""A parameters cell with the syntax of a Python that is newer than the one here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.errors import NotebookError
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.notebook import read_notebook
from jupyter_gridgpu.planning.parameter import NO_VALUE
from jupyter_gridgpu.planning.request import Plan, plan
from jupyter_gridgpu.testing.examples import notebook_json

# Lines that a newer Python knows, and the first version that does. None knows the last one yet.
NEWER: list[tuple[str, tuple[int, int]]] = [
    ("type Width = int", (3, 12)),
    ("label = f\"{'a' + f\"{'b'}\"}\"", (3, 12)),
    ("def first[T](items: list[T]) -> T: return items[0]", (3, 12)),
    ("title = t'{lr}'", (3, 14)),
    ("to come := = 1", (9, 0)),
]
UNKNOWN = [line for line, version in NEWER if sys.version_info < version]


@pytest.fixture(autouse=True)
def other_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a kernel `other` whose program is a script: nobody knows which Python it starts."""
    program = tmp_path / "bin" / "python9"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    program.chmod(0o755)
    folder = tmp_path / "jupyter" / "kernels" / "other"
    folder.mkdir(parents=True)
    argv = [str(program), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": argv, "display_name": "other", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))


def planned(folder: Path, line: str, **options: Any) -> Plan:
    path = folder / "train.ipynb"
    source = f"lr = 0.1  # of Adam\n{line}\nepochs: int = 20\nwords = ['a',\n  'b']"
    path.write_text(notebook_json(source, "print(lr, epochs)"))
    space = "lr = [0.1, 0.2]\nepochs = 3"
    return plan(path, space, Options(kernel="other", **options), ask=False)


@pytest.mark.parametrize("line", UNKNOWN)
def test_another_python_may_know_it(tmp_path: Path, line: str) -> None:
    made = planned(tmp_path, line)
    [warning] = made.scan.warnings
    assert "as papermill does" in warning
    assert f"Python {sys.version_info[0]}.{sys.version_info[1]} (line 2" in warning
    found = made.notebook.parameters
    assert {"lr", "epochs", "words"} <= set(found)
    # papermill takes a line without `=` for a part of the value above it.
    assert found["lr"].default == (NO_VALUE if line.startswith("def") else 0.1)
    assert (found["epochs"].default, found["epochs"].type) == (20, "int")
    assert found["words"].default == ["a", "b"]


@pytest.mark.parametrize("line", UNKNOWN)
def test_in_an_image_any_python_may_be(tmp_path: Path, line: str) -> None:
    image = {"image": "docker://example/ml:1", "runtime": "apptainer", "on": "htcondor"}
    pytest.importorskip("htcondor2")
    [warning] = planned(tmp_path, line, **image).scan.warnings
    assert "as papermill does" in warning


@pytest.mark.parametrize("line", UNKNOWN)
def test_the_python_that_runs_here_does_not_know_it(tmp_path: Path, line: str) -> None:
    path = tmp_path / "train.ipynb"
    path.write_text(notebook_json(f"lr = 0.1\n{line}", "print(lr)"))
    with pytest.raises(NotebookError, match="cannot be read as Python: line 2"):
        read_notebook(path)


def test_what_is_no_python_at_all_is_refused_for_any_kernel(tmp_path: Path) -> None:
    path = tmp_path / "train.ipynb"
    path.write_text(notebook_json("%%bash\nlr=0.1", "print(lr)"))
    with pytest.raises(NotebookError, match="run by %%bash"):
        read_notebook(path, wanted_kernel="other")


def test_what_this_python_knows_needs_no_warning(tmp_path: Path) -> None:
    assert planned(tmp_path, "seed = 1").scan.warnings == ()
