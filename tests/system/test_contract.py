"""What the command line promises: one JSON object, exit codes, one sentence for a mistake.

And that a request which was made before attaches to the scan that it started.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import pytest

from tests.kit import eventually

from .helpers import one_sentence, options, space, strict_json
from .lab import SUMMARY_KEYS, VARIANT_KEYS, Lab
from .notebooks import LONG

QUICK = "from jupyter_gridgpu import report\nreport(loss=n)\nassert n != 13"


def test_json_of_run_and_show(lab: Lab) -> None:
    notebook = lab.notebook(QUICK, name="quick")
    words = ["run", str(notebook), *space(n=[1, 13])]
    words += options("--minimize loss --parallel 2 --json")
    ran = lab.gridgpu(*words, code=1)
    assert ran.stderr == ""
    body = strict_json(ran.stdout)
    assert set(body) == SUMMARY_KEYS
    assert (body["scan"], body["folder"]) == ("quick", str(lab.home / "quick"))
    assert (body["state"], body["best"]) == ("done", "v0001")
    first, second = body["variants"]
    assert set(first) == set(second) >= VARIANT_KEYS
    assert (first["id"], first["params"], first["state"]) == ("v0001", {"n": 1}, "done")
    assert (first["reason"], first["attempts"], first["metrics"]) == (None, 1, {"loss": 1})
    assert (second["state"], second["reason"]) == ("failed", "notebook")
    assert second["metrics"] == {"loss": 13}
    assert Path(first["notebook"]).is_file()
    assert strict_json(lab.gridgpu("show", "quick", "--json").stdout) == body
    assert strict_json(lab.gridgpu("show", body["folder"], "--json").stdout) == body
    listed = strict_json(lab.gridgpu("list", "--json").stdout)
    quick = {"scan": "quick", "folder": body["folder"], "state": "done", "foreign": None}
    assert listed == {"scans": [quick], "left_out": []}
    # The same request again: the same scan, at once, with the same exit code.
    again = lab.gridgpu(*words, code=1)
    assert strict_json(again.stdout) == body


def test_folders_are_private(lab: Lab) -> None:
    scan = lab.run(lab.notebook(QUICK), *space(n=[1]))
    below = scan.folder.rglob("*")
    folders = [path for path in below if path.is_dir() and not path.is_symlink()]
    assert {path.stat().st_mode & 0o077 for path in [scan.folder, *folders]} == {0}


def test_no_wait(lab: Lab) -> None:
    ran = lab.gridgpu("run", str(lab.notebook(QUICK)), *space(n=[1]), "--no-wait", "--json")
    body = strict_json(ran.stdout)
    assert set(body) == {"scan", "folder"}
    assert lab.gridgpu("watch", body["scan"]).returncode == 0


def test_dry_run_starts_nothing(lab: Lab) -> None:
    ran = lab.gridgpu("run", str(lab.notebook(QUICK)), *space(n=[1, 2, 3]), "--dry-run")
    assert "Nothing was started" in ran.stdout
    assert not lab.home.exists()


@pytest.mark.parametrize(
    "words",
    [
        ["run", "missing.ipynb", "-p", "n = [1]"],
        ["run", "quick.ipynb", "-p", "m = [1]"],
        ["run", "quick.ipynb", "-p", "n = ["],
        ["run", "quick.ipynb", "-p", "n = ['a', 'b']"],
        ["run", "quick.ipynb", "-p", "n = [1]", "--parallel", "many"],
        ["run", "quick.ipynb", "-p", "n = [1]", "--walltime", "soon"],
        ["run", "quick.ipynb", "-p", "n = [1]", "--name", "../up"],
        ["run", "quick.ipynb", "-p", "n = [1]", "--on", "nowhere"],
        ["run", "quick.ipynb", "-p", "n = [1]", "--files", "missing.csv"],
        ["run", "quick.ipynb", "-p", "n = [1]", "--frobnicate"],
        ["run", "quick.ipynb", "--space", "missing.py"],
        ["run", "untagged.ipynb", "-p", "n = [1]"],
        ["run", "foreign.ipynb", "-p", "n = [1]"],
        ["run", "text.ipynb", "-p", "n = [1]"],
        ["show", "nothing"],
        ["logs", "nothing/v0001"],
    ],
)
def test_mistakes(lab: Lab, words: list[str]) -> None:
    """One sentence, exit code 2, and nothing was made."""
    lab.notebook(QUICK, name="quick")
    lab.notebook(QUICK, name="foreign", kernel="cobol")
    spec = {"kernelspec": {"name": "python3", "display_name": "p"}}
    nbformat.write(nbformat.v4.new_notebook(metadata=spec), lab.folder / "untagged.ipynb")
    (lab.folder / "text.ipynb").write_text("this is no notebook")
    lab.home.mkdir()
    one_sentence(lab.gridgpu(*words, code=2).stderr)
    assert list(lab.home.iterdir()) == []


def test_attaching(lab: Lab) -> None:
    """The same request finds its scan, also after the notebook was saved with other outputs.

    Another request does not find it.
    """
    notebook = lab.notebook(QUICK, name="quick")
    words = space(n=[1])
    first = lab.start(notebook, *words)
    assert lab.start(notebook, *words).folder == first.folder
    body = nbformat.read(notebook, 4)
    body.cells[-1].outputs = [nbformat.v4.new_output("stream", text="hello")]
    body.cells[-1].execution_count = 7
    body.metadata["papermill"] = {"duration": 1.0}
    nbformat.write(body, notebook)
    assert lab.start(notebook, *words).folder == first.folder
    other_space = lab.start(notebook, *space(n=[2]))
    body.cells[-1].source += "\nprint(n)"
    nbformat.write(body, notebook)
    other_code = lab.start(notebook, *words)
    new = lab.start(notebook, *words, "--new")
    assert lab.start(notebook, *words).folder == new.folder
    scans = [first, other_space, other_code, new]
    assert [scan.name for scan in scans] == ["quick", "quick-2", "quick-3", "quick-4"]
    for scan in scans:
        assert scan.wait()["state"] == "done"
        assert len(scan.events_of("runner.started")) == 1


def test_started_twice_at_once(lab: Lab) -> None:
    """Three clicks make one scan with one runner."""
    notebook = lab.notebook()
    axes = space(n=[1, 2], mark=str(lab.mark), steps=2)

    def click(_: int) -> str:
        return lab.gridgpu("run", str(notebook), *axes, "--no-wait", "--json").stdout

    with ThreadPoolExecutor(3) as pool:
        bodies = list(pool.map(click, range(3)))
    assert len(set(bodies)) == 1
    assert [path.name for path in lab.home.iterdir() if not path.name.startswith(".")] == ["train"]
    scan = lab.start(notebook, *axes)
    assert scan.wait()["state"] == "done"
    assert lab.marks() == ["1", "2"]
    assert len(scan.runners()) <= 1


def test_interrupted_command_leaves_the_scan_running(lab: Lab) -> None:
    axes = space(n=[1], mark=str(lab.mark), steps=LONG)
    words = [sys.executable, "-m", "jupyter_gridgpu.cli", "run", str(lab.notebook()), *axes]
    with subprocess.Popen(
        words, env=lab.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        eventually(lab.marks)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in err
    assert "train goes on" in err
    lab.hurry()
    assert lab.gridgpu("watch", "train").returncode == 0
    assert lab.marks() == ["1"]


VALUES = {
    "word": "a'b\"c\n\\ é <b> $x {y}",
    "items": [1, [2.5, None]],
    "table": {"k": True},
    "n": 10**15,
    "x": 1e-300,
}
COMPARE = f"""
given = dict(word=word, items=items, table=table, n=n, x=x)
assert given == {VALUES!r}, given
assert none is None
"""


def test_values_of_every_kind(lab: Lab) -> None:
    """What goes into scan.json and the journal comes out in the notebook as it was."""
    parameters = "word = ''\nitems = []\ntable = {}\nn = 0\nx = 0.0\nnone = None"
    notebook = lab.notebook(COMPARE, parameters=parameters)
    lines = [f"{name} = fixed({value!r})" for name, value in VALUES.items()]
    axes = lab.folder / "space.py"
    axes.write_text("\n".join([*lines, "none = None"]))
    scan = lab.run(notebook, "--space", str(axes))
    assert json.loads(json.dumps(scan.show()["variants"][0]["params"])) == {**VALUES, "none": None}


def test_files_go_along(lab: Lab) -> None:
    """Helper files lie beside the notebook; what a variant writes stays its own."""
    (lab.folder / "data").mkdir()
    (lab.folder / "data" / "x.txt").write_text("42")
    (lab.folder / "helper.py").write_text("def answer(): return int(open('data/x.txt').read())")
    notebook = lab.notebook(
        "import helper",
        "from jupyter_gridgpu import report",
        "open('out.txt', 'w').write(str(n))\nreport(x=helper.answer() + n)",
    )
    files = options("--files helper.py --files data --parallel 2")
    variants = lab.run(notebook, *space(n=[1, 2]), *files).show()["variants"]
    assert [variant["metrics"] for variant in variants] == [{"x": 43}, {"x": 44}]
    folders = [Path(variant["notebook"]).parent for variant in variants]
    texts = [(folder / "artifacts" / "out.txt").read_text() for folder in folders]
    assert texts == ["1", "2"]
