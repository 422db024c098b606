"""A path of somebody else's private folder is refused in one sentence, by every command.

The commands run as root without the rights that open everything, see tests/private_places.py.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.private_places import AS_A_USER
from tests.second_user import give_away, needs_root, open_place

from .lab import Lab

pytestmark = needs_root
DATA = Path(__file__).parent.parent / "data" / "format2" / "ended"
SCAN_VERBS = ("show", "watch", "logs", "stop", "retry", "pause", "resume", "replay", "verify")
FILES = ("data.txt", "x.sif", "space.py", "points.csv", "c.pem", "own.zip", "queues.json")
FOLDERS = ("dir", "box", "executed", "home", "queues")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder with one's own things, and two of another user.

    `theirs` is closed itself; in `open`, each file and folder is closed.
    """
    with open_place() as made:
        lab = Lab(made / "own")
        (made / "own" / "home").mkdir(parents=True)
        mine = lab.notebook("print(n)", parameters="n = 0")
        shutil.copytree(DATA, made / "own" / "home" / "mine")
        (made / "own" / "points.csv").write_text("n\n1\n")
        for name in ("theirs", "open"):
            folder = made / name
            folder.mkdir()
            shutil.copytree(DATA, folder / "scan")
            shutil.copy(mine, folder)
            for file in FILES:
                (folder / file).write_text("n = [1]")
            for inner in FOLDERS:
                (folder / inner / "bin").mkdir(parents=True)
            (folder / "dir" / "part").write_text("x")
        shutil.copytree(DATA, made / "own" / "home" / "closed")
        mixed = made / "own" / "mixed"
        (mixed / "sub").mkdir(parents=True)
        (mixed / "sub" / "part").write_text("x")
        closed = [made / "theirs", *(made / "open").iterdir(), mixed / "sub"]
        for path in (*closed, made / "own" / "home" / "closed"):
            for inside in [path, *path.rglob("*")]:
                give_away(inside)
            path.chmod(0o700 if path.is_dir() else 0o600)
        yield made


def on_paths(folder: Path) -> Iterator[list[str]]:
    """Yield commands with paths in a folder of the other user."""
    small = ["-p", "n = [1]", "--dry-run"]
    run = ["run", "train.ipynb", *small]
    yield ["run", f"{folder}/train.ipynb", *small]
    yield ["rehearse", f"{folder}/train.ipynb", "-p", "n = [1]"]
    for given in ("data.txt", "dir"):
        yield [*run, "--files", f"{folder}/{given}"]
    for given in ("x.sif", "box"):
        yield [*run, "--image", f"{folder}/{given}"]
        yield [*run, "--on", "slurm", "--image", f"{folder}/{given}"]
        yield ["image", "check", f"{folder}/{given}"]
    yield ["run", "train.ipynb", "--space", f"{folder}/space.py", "--dry-run"]
    yield ["import", f"{folder}/executed"]
    yield ["import", f"{folder}/points.csv", "--notebook", "train.ipynb"]
    yield ["import", "points.csv", "--notebook", f"{folder}/train.ipynb"]
    yield ["unpack", f"{folder}/own.zip"]
    yield ["queues", "import", f"{folder}/queues.json"]
    yield ["collector", "--certificate", f"{folder}/c.pem"]
    yield ["collector", "--store", f"{folder}/home"]
    for kind in ("csv", "json", "html", "papermill"):
        yield ["export", "mine", "--to", kind, "-o", f"{folder}/home/out.{kind}"]
    yield ["pack", "mine", "-o", f"{folder}/home/mine.zip"]


def on_scans(scan: str) -> Iterator[list[str]]:
    """Yield commands on a scan of the other user."""
    for verb in SCAN_VERBS:
        yield [verb, scan]
    yield ["pack", scan]
    yield ["extend", scan, "--trials", "3"]
    yield ["export", scan, "--to", "csv"]
    yield ["compare", "mine", scan]
    yield ["compare", scan, "mine"]


def run_all(place: Path, cases: list[tuple[list[str], dict[str, str]]]) -> list[dict[str, Any]]:
    """Run commands as a user, in one process; return what became of each."""
    own = place / "own"
    usual = {"GRIDGPU_HOME": str(own / "home"), "JUPYTER_CONFIG_DIR": str(own / "config")}
    asked = [{"words": words, "env": {**usual, **env}, "folder": str(own)} for words, env in cases]
    ran = subprocess.run(
        [*AS_A_USER, sys.executable, "-m", "tests.private_places"],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert ran.returncode == 0, ran.stderr
    found: list[dict[str, Any]] = json.loads(ran.stdout)
    return [{**one, "words": words} for one, (words, _) in zip(found, cases, strict=True)]


def wrong(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what is no refusal of one sentence."""
    return [
        one
        for one in found
        if one["code"] not in (2, 3)
        or one["trace"]
        or one["err"].count("\n") != 1
        or not one["err"].startswith("gridgpu: ")
        or "Traceback" in one["err"]
    ]


def test_every_command_refuses_a_private_path_in_one_sentence(place: Path) -> None:
    cases: list[tuple[list[str], dict[str, str]]] = []
    for folder in (place / "theirs", place / "open"):
        cases += [(words, {}) for words in on_paths(folder)]
        cases += [(words, {}) for words in on_scans(f"{folder}/scan")]
        home = {"GRIDGPU_HOME": str(folder / "home")}
        for words in (["list"], ["list", "--json"], ["show", "x"], ["watch", "x"], ["verify", "x"]):
            cases.append((words, home))
        cases.append((["run", "train.ipynb", "-p", "n = [1]", "--no-wait"], home))
    cases += [(words, {}) for words in on_scans("closed")]
    cases.append((["run", "train.ipynb", "-p", "n = [1]", "--dry-run", "--files", "mixed"], {}))
    bind = ["--image", "docker://a/b", "--bind", f"{place}/theirs/dir:/data"]
    cases.append((["run", "train.ipynb", "-p", "n = [1]", "--dry-run", *bind], {}))
    found = run_all(place, cases)
    assert wrong(found) == []
    # Nothing was made, and the sentence says whose folder it is.
    assert sorted(os.listdir(place / "own" / "home")) in (
        ["closed", "mine"],
        [".mark", "closed", "mine"],
        [".starting", "closed", "mine"],
    )
    # click itself looks at some files, and says no more than that they are not readable.
    said = [one["err"] for one in found if "is not readable" not in one["err"]]
    assert len(said) > 60
    assert [text for text in said if "belongs to nobody and is closed to you" not in text] == []


def test_what_is_closed_is_left_out_with_a_sentence(place: Path) -> None:
    config = {"JUPYTER_CONFIG_DIR": str(place / "theirs" / "queues")}
    listed, shown, doctor = run_all(
        place, [(["list"], {}), (["queues"], config), (["doctor"], config)]
    )
    assert [one["trace"] for one in (listed, shown, doctor)] == ["", "", ""]
    assert (listed["code"], shown["code"]) == (0, 0)
    assert "mine" in listed["out"]
    assert "1 scan is left out" in listed["err"]
    assert "belongs to nobody and is closed to you" in listed["err"]
    assert "are left out: " in shown["err"] + shown["out"]


def test_python_and_the_magic_say_it_too(place: Path) -> None:
    code = f"""
import os
from jupyter_gridgpu import gridscan, open_scan
from jupyter_gridgpu.errors import GridGpuError
for ask in (
    lambda: open_scan({str(place / "theirs" / "scan")!r}),
    lambda: gridscan({str(place / "theirs" / "train.ipynb")!r}, {{"n": [1]}}),
    lambda: gridscan("train.ipynb", {{"n": [1]}}, files=[{str(place / "theirs" / "dir")!r}]),
):
    try:
        ask()
    except GridGpuError as error:
        print("SAID", error)
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
shell.run_line_magic("load_ext", "jupyter_gridgpu")
for line in ("{place}/theirs/train.ipynb", "{place}/theirs/scan", "replay {place}/theirs/scan"):
    shell.run_cell("%gridscan " + line)
"""
    own = place / "own"
    env = {**os.environ, "GRIDGPU_HOME": str(own / "home"), "JUPYTER_CONFIG_DIR": str(own / "c")}
    ran = subprocess.run(
        [*AS_A_USER, sys.executable, "-c", code], env=env, cwd=own, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.count("SAID") == 3
    said = ran.stdout + ran.stderr
    assert said.count("UsageError: ") == 3, said
    assert "Traceback" not in said
    assert "PermissionError" not in said
