"""What the command line promises: one JSON object, exit codes, one sentence for a mistake, attaching to what runs."""

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

from .helpers import SUMMARY_KEYS, VARIANT_KEYS, Lab, one_sentence, strict_json

QUICK = "from jupyter_gridgpu import report\nreport(loss=n)\nassert n != 13"


def test_json_of_run_and_show(lab: Lab) -> None:
    notebook = lab.notebook(QUICK, name="quick")
    ran = lab.gridgpu(
        "run",
        str(notebook),
        "-p",
        "n = [1, 13]",
        "--minimize",
        "loss",
        "--parallel",
        "2",
        "--json",
        code=1,
    )
    assert ran.stderr == ""
    body = strict_json(ran.stdout)
    assert set(body) == SUMMARY_KEYS
    assert (body["scan"], body["folder"], body["state"], body["best"]) == (
        "quick",
        str(lab.home / "quick"),
        "done",
        "v0001",
    )
    first, second = body["variants"]
    assert set(first) == set(second) >= VARIANT_KEYS
    assert (first["id"], first["params"], first["state"], first["reason"], first["attempts"], first["metrics"]) == (
        "v0001", {"n": 1}, "done", None, 1, {"loss": 1},
    )  # fmt: skip
    assert (second["state"], second["reason"], second["metrics"]) == (
        "failed",
        "notebook",
        {"loss": 13},
    )
    assert Path(first["notebook"]).is_file()
    assert strict_json(lab.gridgpu("show", "quick", "--json").stdout) == body
    assert strict_json(lab.gridgpu("show", body["folder"], "--json").stdout) == body
    listed = strict_json(lab.gridgpu("list", "--json").stdout)
    assert listed == {"scans": [{"scan": "quick", "folder": body["folder"], "state": "done"}]}
    # The same request again: the same scan, at once, with the same exit code.
    again = lab.gridgpu(
        "run",
        str(notebook),
        "-p",
        "n = [1, 13]",
        "--minimize",
        "loss",
        "--parallel",
        "2",
        "--json",
        code=1,
    )
    assert strict_json(again.stdout) == body


def test_folders_are_private(lab: Lab) -> None:
    scan = lab.run(lab.notebook(QUICK), "-p", "n = [1]")
    folders = [
        scan.folder,
        *(path for path in scan.folder.rglob("*") if path.is_dir() and not path.is_symlink()),
    ]
    assert {path.stat().st_mode & 0o077 for path in folders} == {0}


def test_no_wait(lab: Lab) -> None:
    ran = lab.gridgpu("run", str(lab.notebook(QUICK)), "-p", "n = [1]", "--no-wait", "--json")
    body = strict_json(ran.stdout)
    assert set(body) == {"scan", "folder"}
    assert lab.gridgpu("watch", body["scan"]).returncode == 0


def test_dry_run_starts_nothing(lab: Lab) -> None:
    ran = lab.gridgpu("run", str(lab.notebook(QUICK)), "-p", "n = [1, 2, 3]", "--dry-run")
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
)  # fmt: skip
def test_mistakes(lab: Lab, words: list[str]) -> None:
    """One sentence, exit code 2, and nothing was made."""
    lab.notebook(QUICK, name="quick")
    lab.notebook(QUICK, name="foreign", kernel="cobol")
    nbformat.write(
        nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "p"}}),
        lab.folder / "untagged.ipynb",
    )
    (lab.folder / "text.ipynb").write_text("this is no notebook")
    lab.home.mkdir()
    one_sentence(lab.gridgpu(*words, code=2).stderr)
    assert list(lab.home.iterdir()) == []


def test_attaching(lab: Lab) -> None:
    """The same request finds its scan, also after the notebook was saved with other outputs; another request does not."""
    notebook = lab.notebook(QUICK, name="quick")
    words = ("-p", "n = [1]")
    first = lab.start(notebook, *words)
    assert lab.start(notebook, *words).folder == first.folder
    body = nbformat.read(notebook, 4)
    body.cells[-1].outputs = [nbformat.v4.new_output("stream", text="hello")]
    body.cells[-1].execution_count = 7
    body.metadata["papermill"] = {"duration": 1.0}
    nbformat.write(body, notebook)
    assert lab.start(notebook, *words).folder == first.folder
    other_space = lab.start(notebook, "-p", "n = [2]")
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
    """Two clicks make one scan with one runner."""
    notebook = lab.notebook()
    space = ["-p", "n = [1, 2]", "-p", f"mark = {str(lab.mark)!r}", "-p", "steps = 2"]

    def click(_: int) -> str:
        return lab.gridgpu("run", str(notebook), *space, "--no-wait", "--json").stdout

    with ThreadPoolExecutor(3) as pool:
        bodies = list(pool.map(click, range(3)))
    assert len(set(bodies)) == 1
    assert [path.name for path in lab.home.iterdir() if not path.name.startswith(".")] == ["train"]
    scan = lab.start(notebook, *space)
    assert scan.wait()["state"] == "done"
    assert lab.marks() == ["1", "2"]
    assert len(scan.runners()) <= 1


def test_interrupted_command_leaves_the_scan_running(lab: Lab) -> None:
    space = [
        word
        for line in ("n = [1]", f"mark = {str(lab.mark)!r}", "steps = 40")
        for word in ("-p", line)
    ]
    words = [sys.executable, "-m", "jupyter_gridgpu.cli", "run", str(lab.notebook()), *space]
    with subprocess.Popen(
        words, env=lab.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        eventually(lab.marks)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert running.returncode == 130
    assert "Traceback" not in err
    assert "train goes on" in err
    assert lab.gridgpu("watch", "train").returncode == 0
    assert lab.marks() == ["1"]


def test_values_of_every_kind(lab: Lab) -> None:
    """What goes into scan.json and the journal comes out in the notebook as it was."""
    values = {
        "word": "a'b\"c\n\\ é <b> $x {y}",
        "items": [1, [2.5, None]],
        "table": {"k": True},
        "n": 10**15,
        "x": 1e-300,
    }
    code = f"given = dict(word=word, items=items, table=table, n=n, x=x)\nassert given == {values!r}, given\nassert none is None"
    notebook = lab.notebook(
        code, parameters="word = ''\nitems = []\ntable = {}\nn = 0\nx = 0.0\nnone = None"
    )
    lines = [f"{name} = fixed({value!r})" for name, value in values.items()] + ["none = None"]
    space = lab.folder / "space.py"
    space.write_text("\n".join(lines))
    scan = lab.run(notebook, "--space", str(space))
    assert json.loads(json.dumps(scan.show()["variants"][0]["params"])) == {**values, "none": None}


def test_files_go_along(lab: Lab) -> None:
    """Helper files lie beside the notebook; what a variant writes stays its own."""
    (lab.folder / "data").mkdir()
    (lab.folder / "data" / "x.txt").write_text("42")
    (lab.folder / "helper.py").write_text("def answer(): return int(open('data/x.txt').read())")
    notebook = lab.notebook(
        "import helper\nfrom jupyter_gridgpu import report\nopen('out.txt', 'w').write(str(n))\nreport(x=helper.answer() + n)"
    )
    scan = lab.run(
        notebook, "-p", "n = [1, 2]", "--files", "helper.py", "--files", "data", "--parallel", "2"
    )
    assert [variant["metrics"] for variant in scan.show()["variants"]] == [{"x": 43}, {"x": 44}]
    written = [
        Path(variant["notebook"]).parent / "artifacts" / "out.txt"
        for variant in scan.show()["variants"]
    ]
    assert [path.read_text() for path in written] == ["1", "2"]
