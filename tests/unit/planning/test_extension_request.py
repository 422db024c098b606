"""What a user may ask `extend` for, through command line, Python and REST alike."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.app import gridgpu, main
from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.extension import Extension, to_json
from jupyter_gridgpu.model.scan import fingerprint
from jupyter_gridgpu.model.statements import Together
from jupyter_gridgpu.planning.extension_request import BYTES_LIMIT
from jupyter_gridgpu.server.command_body import parse_command
from jupyter_gridgpu.store import home, inbox
from jupyter_gridgpu.testing.examples import notebook_json, small_scan

NOTEBOOK = notebook_json("lr = 0.1\nn = 3\nopt = 'adam'\nlayers = [8]\nm = 1\nseed = 0\nd = 1\n")
SPACE = """
lr = [0.1, 0.2]
opt = ["adam", "sgd"]
if opt == "sgd":
    m = integer(1, 2)
n = 4
d = n if lr < 1 else "much"
seed = repeats(2)
"""
Make = Callable[..., ScanHandle]


@pytest.fixture
def make(scans_home: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setattr(client, "spawn", lambda folder: None)
    scans_home.mkdir()

    def made(space: str = SPACE, **changes: Any) -> ScanHandle:
        scan = small_scan(space, **changes)
        folder = home.create(scan, NOTEBOOK.encode(), {}, lambda target: None, None)
        return ScanHandle(folder)

    return made


REFUSED: list[tuple[list[str], str]] = [
    ([], "extend needs what is to be added"),
    (["--trials", "3"], "--add"),
    (["--repeats", "2"], "2 repeats already"),
    (["--repeats", "0"], "--repeats takes a whole number from 1 to 1,000"),
    (["--add", "lr = ["], "--add: Line 1 is not Python"),
    (["--add", "lr == 3"], "is not an assignment"),
    (["--add", "if lr > 1:\n    n = [3]"], "--add: "),
    (["--add", "assert 2 > 1"], "--add: "),
    (["--add", "lr = 9**9**9"], "--add: "),
    (["--add", "lr = [0.1]"], "0.1 is there already"),
    (["--add", "lr = [5]", "--add", "lr = [6]"], "lr is given twice"),
    (["--add", "lr = ['fast']"], "lr: 'fast' is a string, but train.ipynb takes a number"),
    (["--add", "opt = [3]"], "opt: 3 is a number, but train.ipynb takes a string"),
    (["--add", "n = [5]"], "n has one value in all points"),
    (["--add", "moon = [5]"], "moon is no parameter"),
    (["--add", "seed = [5]"], "--repeats"),
    (["--add", "lr = [5]"], "d: 'much' is a string, but train.ipynb takes"),
    (["--add", "lr = range(100000)"], "100,00"),
    (["--points", "none.csv"], "is a grid"),
]


@pytest.mark.parametrize(("words", "said"), REFUSED)
def test_a_refusal_is_one_sentence_and_nothing_is_sent(
    make: Make,
    words: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    handle = make()
    monkeypatch.setattr(sys, "argv", ["gridgpu", "extend", handle.name, *words])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    sentence = capsys.readouterr().err
    assert said in sentence
    assert len(sentence.strip().splitlines()) == 1
    assert inbox.pending(handle.paths.inbox) == []


def test_several_things_are_added_at_once(make: Make) -> None:
    handle = make()
    words = ["--add", "lr = [1e-5, 3e-5]", "--add", "m = integer(3, 4)", "--repeats", "3"]
    ran = CliRunner().invoke(gridgpu, ["extend", handle.name, *words])
    assert ran.stdout == (
        "Asked for: lr = 1e-05, 3e-05; m = integer(3, 4); 3 repeats (48 variants more).\n"
    )
    (path,) = inbox.pending(handle.paths.inbox)
    command = inbox.read(path)
    assert command is not None
    assert (command["repeats"], command["trials"]) == (3, None)
    # What waits counts, so that the same cannot be asked for again.
    with pytest.raises(UsageError, match="there already"):
        handle.extend(add={"lr": [1e-5]})
    handle.extend(add={"lr": [1e-4]})


def test_points_of_the_users_own_come_from_a_file_or_a_list(make: Make, tmp_path: Path) -> None:
    handle = make(sampler="random", trials=3)
    table = tmp_path / "points.csv"
    table.write_text("lr,opt,m\n0.1,adam,\n0.2,sgd,2\n")
    assert handle.command("extend", points=str(table)) == (
        "Asked for: 2 own points (4 variants more)."
    )
    handle.extend(points=[{"lr": 0.1, "opt": "sgd", "m": 1.0}], trials=2)
    found = [inbox.read(path) for path in inbox.pending(handle.paths.inbox)]
    points = [command["points"] for command in found if command]
    assert points == [
        [{"lr": 0.1, "opt": "adam"}, {"lr": 0.2, "opt": "sgd", "m": 2}],
        [{"lr": 0.1, "opt": "sgd", "m": 1}],
    ]


@pytest.mark.parametrize(
    ("points", "words"),
    [
        ([{"lr": 0.3, "opt": "adam"}], "Point 1: lr: the space does not have the value"),
        ([{"lr": 0.1, "opt": "adam"}, {"lr": 0.1}], "Point 2: The point has no value for opt"),
        ([{"moon": 1}], "Point 1: 'moon' is no parameter"),
        ([3], "Point 1: it is no mapping"),
        ([], "There are no points to add"),
        ([{"lr": object()}], "Point 1: "),
    ],
)
def test_a_point_that_is_none_of_the_space_is_refused(make: Make, points: Any, words: str) -> None:
    handle = make(sampler="random", trials=3)
    with pytest.raises(UsageError, match=words):
        handle.extend(points=points)
    assert inbox.pending(handle.paths.inbox) == []


def test_an_extension_that_no_line_of_the_journal_holds_is_refused(make: Make) -> None:
    handle = make("lr = [0.1]\nopt = ['adam']")
    with pytest.raises(UsageError, match="900 kB"):
        handle.extend(add={"opt": ["x" * 99_000 + str(n) for n in range(10)]})


@pytest.mark.parametrize("kind", ["points", "rows"])
def test_a_command_of_the_largest_size_is_read(tmp_path: Path, kind: str) -> None:
    """However the file is written: many small values take more room than a few large ones."""
    pairs = [(number / 1000, "a") for number in range(26_000)]
    made = Extension(points=tuple({"lr": lr, "opt": opt} for lr, opt in pairs))
    if kind == "rows":
        made = Extension(add=(Together(("lr", "opt"), (*pairs, *((lr, "b") for lr, _ in pairs))),))
    body = to_json(made)
    assert 0.75 < len(json.dumps(body)) / BYTES_LIMIT <= 1
    ident = inbox.post(tmp_path, "extend", **body)
    assert inbox.read(tmp_path / f"{ident}.json") is not None


def test_new_values_need_new_points_of_a_sampler(make: Make) -> None:
    handle = make(sampler="random", trials=3)
    handle.view.points = 3
    with pytest.raises(UsageError, match="All 3 points of small are proposed already"):
        handle.command("extend", add={"lr": [0.5]})
    assert "2 points more" in handle.command("extend", add={"lr": [0.5]}, trials=2)


def test_the_body_of_a_request_extends_a_scan(make: Make) -> None:
    handle = make(sampler="random", trials=3)
    body = parse_command(
        b'{"action": "extend", "trials": 1, "add": ["lr = 0.5", "m = integer(3, 4)"], "repeats": 3,'
        b' "points": [{"lr": 0.5, "opt": "adam"}]}'
    )
    said = handle.command(body.action, body.variants, body.trials, **body.more)
    assert said == (
        "Asked for: lr = 0.5; m = integer(3, 4); 3 repeats; 1 own point; 1 point more"
        " (9 variants more)."
    )


def test_lines_of_a_program_run_nothing(make: Make) -> None:
    handle = make()
    line = "lr = [__import__('os').getpid()]"
    with pytest.raises(UsageError, match="give values alone"):
        handle.command("extend", add=[line], any_call=False)
    assert "lr = 0.3" in handle.command("extend", add=["lr = [0.3]"], any_call=False)


def test_the_cell_that_started_a_scan_finds_it_after_an_extension(make: Make) -> None:
    handle = make()
    before = fingerprint(handle.scan)
    handle.extend(add={"lr": [0.5]})
    path = inbox.pending(handle.paths.inbox)[0]
    told = inbox.read(path)
    assert told is not None
    handle.view.growth.add(told, 0)
    assert fingerprint(handle.view.growth.original) == before != fingerprint(handle.scan)
    assert json.loads(handle.paths.spec.read_text())["fingerprint"] == before
