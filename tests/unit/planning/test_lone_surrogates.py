"""Texts of a user with bytes that are no UTF-8: a sentence before anything is sent.

Python keeps such a byte of a name or of a command line as half of a character, a lone surrogate.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.records.importing import plan_import
from jupyter_gridgpu.testing.examples import notebook_json

HALF = os.fsdecode(b"\xff")
HALVES = (HALF, "\ud800", "a\udfffb")
# The options that are texts: the others are numbers or flags.
TEXTS = [field.name for field in fields(Options) if field.type not in (int, bool, int | None)]


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    (tmp_path / "train.ipynb").write_text(notebook_json("lr = 0.1\nword = ''"))
    return tmp_path / "train.ipynb"


def refusal(notebook: Path | str, space: Any, **options: Any) -> str:
    with pytest.raises(GridGpuError) as refused:
        plan(notebook, space, Options(**options), ask=False)
    text = str(refused.value)
    assert text.isprintable()
    assert text.encode()
    return text


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("name", TEXTS)
def test_every_option_that_is_a_text(notebook: Path, name: str, half: str) -> None:
    value: Any = f"x{half}"
    if isinstance(getattr(Options(), name), tuple):
        value = ("a", value)
    text = refusal(notebook, "lr = [1, 2]", **{name: value})
    word = {"inputs": "in"}.get(name, name.replace("_", "-"))
    assert f"--{word} " in text
    assert "no UTF-8" in text
    points = notebook.with_name("p.csv")
    points.write_text("lr\n1\n")
    if name not in ("trials", "sampler", "seed", "new"):
        with pytest.raises(GridGpuError, match="no UTF-8"):
            plan_import(points, notebook, Options(**{name: value}), ask=False)


@pytest.mark.parametrize("half", HALVES)
def test_names_and_values_of_parameters(notebook: Path, half: str) -> None:
    spaces: list[str | Mapping[str, Any]] = [
        f"word = ['{half}']",
        f"{half} = 1",
        f"word = 'a'  # {half}",
        {half: 1},
        {"word": half},
        {"word": ["a", half]},
        {"word": [{"a": [half]}, 1]},
        {"word": [{half: 1}, 1]},
    ]
    for space in spaces:
        assert refusal(notebook, space)


@pytest.mark.parametrize("name", [b"\xff.ipynb", b"a\xff/train.ipynb"])
def test_the_path_of_a_notebook(notebook: Path, name: bytes) -> None:
    path = Path(os.fsdecode(os.fsencode(notebook.parent) + b"/" + name))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(notebook.read_bytes())
    assert "no UTF-8" in refusal(path, "lr = 1")
    assert "no UTF-8" in refusal(path.with_name(f"gone{HALF}"), "lr = 1")


@pytest.mark.parametrize("pattern", ["*.txt", "data"])
def test_the_names_of_helper_files(notebook: Path, pattern: str) -> None:
    folder = os.fsencode(notebook.parent)
    (notebook.parent / "data").mkdir()
    for name in (b"/\xff.txt", b"/data/\xff.bin"):
        Path(os.fsdecode(folder + name)).write_text("x")
    text = refusal(notebook, "lr = 1", files=(pattern,))
    assert "--files: the file" in text
    (notebook.parent / "p.csv").write_text("lr\n1\n")
    with pytest.raises(GridGpuError, match="--files: the file"):
        plan_import(notebook.parent / "p.csv", notebook, Options(files=(pattern,)), ask=False)


def test_scans_in_such_a_folder_are_shown_whatever_the_output_takes(notebook: Path) -> None:
    home = os.fsdecode(os.fsencode(notebook.parent) + b"/h\xff")
    env = {**os.environ, "GRIDGPU_HOME": home, "PYTHONIOENCODING": "utf-8:strict"}
    (notebook.parent / "p.csv").write_text("lr\n1\n")

    def gridgpu(*words: str) -> str:
        ran = subprocess.run(
            [sys.executable, "-m", "jupyter_gridgpu.cli", *words],
            env=env,
            cwd=notebook.parent,
            capture_output=True,
            timeout=100,
        )
        assert (ran.returncode, ran.stderr) == (0, b"")
        return ran.stdout.decode()

    said = gridgpu("import", "p.csv", "--notebook", "train.ipynb")
    assert "h\\udcff/p" in said
    assert "v0001" in gridgpu("show", "p")
