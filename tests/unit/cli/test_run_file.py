"""`gridgpu run scan.yaml` and `--save`: what is said before anything starts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import api
from jupyter_gridgpu.cli.app import main
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.extension import Extension, to_json
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.scan import fingerprint
from jupyter_gridgpu.planning import scan_file
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import Story, notebook_json

TEXT = """\
version: 1
notebook: train.ipynb
space: |
  lr = [0.1, 0.2]  # rates
"""
LINE = "lr = [0.1, 0.2]  # rates"
WORDS = ["run", "train.ipynb", "-p", LINE, "--dry-run"]
FILE = ["run", "scan.yaml", "--dry-run"]
REFUSED: list[tuple[list[str], str]] = [
    (
        [*FILE, "-p", "lr = 1"],
        "scan.yaml has a space of its own: change its lines there, and leave",
    ),
    ([*FILE, "--space", "a.py"], "leave --space out"),
    ([*FILE, "--overwrite"], "--overwrite is for --save: give a file, or leave it out."),
    ([*FILE, "--gpus", "-1"], "--gpus -1: give a whole number from 0 up."),
    ([*WORDS, "--overwrite"], "--overwrite is for --save"),
    ([*WORDS, "--retries", "1", "--save", "scan.yaml"], "it is there and describes another scan"),
    ([*WORDS, "--save", "train.ipynb"], "give a file whose name ends in .yaml or .yml"),
    ([*WORDS, "--gpus", "-1", "--save", "new.yaml"], "--gpus -1"),
    (["run", "none.yaml"], "none.yaml cannot be read: No such file or directory."),
    (["rehearse", "none.YML"], "none.YML cannot be read: No such file or directory."),
    (["run", "wrong.yaml"], "wrong.yaml, line 6: --retries -1: give a whole number from 0 up."),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GRIDGPU_HOME", str(tmp_path / "home"))
    (tmp_path / "train.ipynb").write_text(notebook_json("lr = 0.1", "acc = lr"))
    (tmp_path / "scan.yaml").write_text(TEXT)
    (tmp_path / "wrong.yaml").write_text(TEXT + "options:\n  retries: -1\n")
    return tmp_path


def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, str]:
    """Return the exit code of a command, and what it printed to stdout and to stderr."""
    monkeypatch.setattr(sys, "argv", ["gridgpu", *words])
    with pytest.raises(SystemExit) as caught:
        main()
    said = capsys.readouterr()
    assert isinstance(caught.value.code, int)
    return caught.value.code, said.out, said.err


@pytest.mark.parametrize(("words", "sentence"), REFUSED)
def test_what_cannot_be_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folder: Path,
    words: list[str],
    sentence: str,
) -> None:
    code, out, err = run(monkeypatch, capsys, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err
    assert (folder / "scan.yaml").read_text() == TEXT
    assert not (folder / "new.yaml").exists()
    assert not (folder / "home").exists()


def test_a_file_is_written_once_and_changed_in_its_place(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    def said(*words: str) -> tuple[str, str]:
        code, out, err = run(monkeypatch, capsys, *words)
        assert code == 0
        return out.splitlines()[0], err

    assert said(*WORDS, "--save", "new.yaml") == ("Saved: new.yaml", "")
    assert (folder / "new.yaml").read_text() == TEXT
    assert said(*WORDS, "--save", "new.yaml")[0] == "new.yaml says the same already."
    more = ("--retries", "1", "--save", "new.yaml")
    assert said(*WORDS, *more, "--overwrite")[0] == "Changed: new.yaml"
    assert (folder / "new.yaml").read_text() == TEXT + "options:\n  retries: 1\n"
    # The file that was read is changed without another word.
    first, told = said(*FILE, *more[:2], "--save", "scan.yaml")
    assert first == "Changed: scan.yaml"
    assert told == "Other than in scan.yaml: --retries 1 (not there).\n"
    assert (folder / "scan.yaml").read_text() == TEXT + "options:\n  retries: 1\n"


def test_with_json_stdout_has_one_object(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    words = (*FILE, "--json", "--gpus", "0", "--save", "other.yaml")
    code, out, err = run(monkeypatch, capsys, *words)
    assert (code, json.loads(out)["variants"]) == (0, 2)
    assert err == "Other than in scan.yaml: --gpus 0 (not there).\nSaved: other.yaml\n"


def test_the_file_of_an_extended_scan_has_the_scan_as_it_was_started(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "home").mkdir()
    (folder / "train.ipynb").write_text(notebook_json("lr = 0.1\nseed = 0", "acc = lr"))
    (folder / "own.csv").write_text("lr\n0.2\n")
    options = Options(points="own.csv", trials=3, sampler="random")
    asked = plan("train.ipynb", "lr = uniform(0, 1)\nseed = repeats(2)", options, ask=False)

    def equip(paths: ScanPaths) -> None:
        paths.points.write_text(asked.points)
        story = Story()
        added = Extension(2, parse_space("lr = uniform(1, 2)").body, 3, ({"lr": 1.5},))
        about = {"id": "a", "action": "extend", "variants": None, "by": None, "first": 0}
        story.tell("command.applied", **about, **to_json(added))
        paths.journal.write_bytes(story.text())

    home.create(asked.scan, (folder / "train.ipynb").read_bytes(), {}, equip, None)
    code, out, err = run(monkeypatch, capsys, "show", "train", "--save", "old.yaml", "--json")
    assert code == 0, err
    assert "Extended by lr" in out
    assert err.endswith("train was extended; old.yaml has the scan as it was started.\n")
    again = scan_file.read("old.yaml").plan({}, ask=False)
    assert fingerprint(again.scan) == fingerprint(asked.scan)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: api.run_file("scan.yaml", gpu=1), r"run_file\(\) has no option 'gpu'; it has"),
        (lambda: api.run_file("none.yaml"), "none.yaml cannot be read"),
        (lambda: api.gridscan("train.ipynb", LINE, overwrite=True), "--overwrite is for --save"),
        (
            lambda: api.gridscan("train.ipynb", {"lr": [1.0]}, save="scan.yaml"),
            "describes another scan",
        ),
    ],
)
def test_python_refuses_the_same(call: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        call()
