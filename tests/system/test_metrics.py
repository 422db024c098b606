"""Metrics from every source a notebook has, however many and however strange."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .helpers import options, space, strict_json
from .lab import Lab, ScanOfLab

KINDS = """
import os
from fractions import Fraction
import numpy
from jupyter_gridgpu import report
if kind == "strange":
    report(loss=float("nan"), up=float("inf"), down=-numpy.inf, flag=True, huge=10**400)
    report(half=numpy.float32(0.5), whole=numpy.int64(7))
    report({"<b>val & loss</b>\\x00\\n\\x1b[31m": 1.0, "": 2.0, 3: 4.0}, epoch=1)
    unusable = {"nothing": None, "thing": object(), "z": 1 + 2j, "far": Fraction(10**400)}
    report(text="high", items=[1, 2], **unusable, kept=1)
    with open(os.environ["GRIDGPU_METRICS"], "a") as file:
        file.write('{"torn": \\n[1, 2]\\nnull\\n{"nested": {"a": 1}, "by_hand": 0.25}\\n')
        file.write("\\xff\\n" + "[" * 100000 + "\\n")
if kind == "many names":
    report({f"m{i}": i for i in range(1000)})
if kind == "many points":
    for i in range(100_000):
        report(epoch=i + 1, loss=1 / (i + 1))
if kind == "glue":
    import scrapbook
    scrapbook.glue("loss", 0.125)
    scrapbook.glue("words", "no number")
if kind == "variable":
    loss = 0.75
if kind == "numpy variable":
    loss = numpy.float64(0.875)
if kind == "nan variable":
    loss = float("nan")
if kind == "no number":
    loss = "small"
if kind == "other":
    report(accuracy=0.5)
"""
KERAS = """
import sys
def bar(step, of, info, was):
    done = 20 * step // of
    head = f"\\x1b[1m{step:2d}/{of}\\x1b[0m " + (f"\\x1b[32m{'━' * done}\\x1b[0m" if done else "")
    rest = f"\\x1b[37m{'━' * (20 - done)}\\x1b[0m \\x1b[1m0s\\x1b[0m 12ms/step"
    sys.stdout.write("\\b" * was + "\\r" + head + rest + info)
    sys.stdout.flush()
    return 30 + len(info)
if kind == "keras":
    for epoch in (1, 2, 3):
        print(f"Epoch {epoch}/3")
        was = 0
        for step in (1, 16, 32):
            was = bar(step, 32, f" - accuracy: {step / 100:.4f} - loss: 0.9999", was)
        info = f" - accuracy: 0.5{epoch}00 - loss: 6.9e-0{epoch} - val_loss: 0.7{epoch}"
        bar(32, 32, info, was)
        sys.stdout.write("\\n")
"""
ALL = ["strange", "many names", "many points", "glue", "variable", "numpy variable"]
ALL += ["nan variable", "no number", "other", "keras"]


@pytest.fixture(scope="module")
def reported(shared_lab: Lab) -> ScanOfLab:
    """Run one scan in which each of the kinds happens once."""
    notebook = shared_lab.notebook(KINDS, KERAS, name="metrics", parameters="kind = ''")
    return shared_lab.run(notebook, *space(kind=ALL), *options("--minimize loss --parallel 2"))


def metrics(scan: ScanOfLab, kind: str) -> dict[str, Any]:
    """Return the last values of all metrics of a variant."""
    variant = scan.by("kind")[kind]
    assert variant["state"] == "done", variant
    found = variant["metrics"]
    assert isinstance(found, dict)
    return found


def reports(scan: ScanOfLab, kind: str) -> list[dict[str, Any]]:
    """Return the reports about the job of a variant that the journal has."""
    key = f"{scan.by('kind')[kind]['id']}.1"
    return [event for event in scan.events_of("job.reported") if event["key"] == key]


def test_strange_values(reported: ScanOfLab) -> None:
    found = metrics(reported, "strange")
    assert (found["loss"], found["up"]) == ("NaN", "Infinity")
    assert (found["down"], found["huge"]) == ("-Infinity", "Infinity")
    assert (found["flag"], found["half"], found["whole"]) == (1, 0.5, 7)
    assert (found["by_hand"], found["kept"], found["3"]) == (0.25, 1, 4)
    assert not {"text", "items", "nothing", "thing", "z", "torn", "nested", ""} & set(found)
    names = [name for name in found if "val" in name]
    assert len(names) == 1
    assert names[0].startswith("<b>val & loss</b>")
    assert all(name.isprintable() for name in found)


def test_what_is_no_number_is_said(reported: ScanOfLab) -> None:
    text = Path(reported.by("kind")["strange"]["notebook"]).read_text()
    assert "report(): text is a str, not a number, and was left out." in text


def test_many_names_are_bounded(reported: ScanOfLab) -> None:
    assert 16 <= len(metrics(reported, "many names")) <= 64


def test_many_points_are_bounded(reported: ScanOfLab) -> None:
    """The job's file has each of them; the journal has what a table shows."""
    assert metrics(reported, "many points") == {"loss": 1e-05}
    variant = reported.by("kind")["many points"]
    last = reports(reported, "many points")[-1]["metrics"]["loss"]
    assert last[0] == 100_000
    assert last[1:3] == [1e-05, 1.0]
    assert (reported.folder / "journal.jsonl").stat().st_size < 200_000
    series = Path(variant["notebook"]).with_name("metrics.jsonl").read_text()
    assert series.count('"loss"') == 100_000


def test_glue(reported: ScanOfLab) -> None:
    assert metrics(reported, "glue") == {"loss": 0.125}


@pytest.mark.parametrize(
    ("kind", "value"), [("variable", 0.75), ("numpy variable", 0.875), ("nan variable", "NaN")]
)
def test_objective_that_is_a_variable(reported: ScanOfLab, kind: str, value: float) -> None:
    assert metrics(reported, kind) == {"loss": value}


def test_objective_that_is_not_there(reported: ScanOfLab) -> None:
    """It is no failure, but it is said, with the names that were reported."""
    assert metrics(reported, "no number") == {}
    assert metrics(reported, "other") == {"accuracy": 0.5}


def test_printed_by_keras(reported: ScanOfLab) -> None:
    """Of the line that an epoch draws again and again, only what it says in the end is read."""
    assert metrics(reported, "keras") == {"accuracy": 0.53, "loss": 0.0069, "val_loss": 0.73}
    last = reports(reported, "keras")[-1]
    assert (last["step"], last["steps"]) == (3, 3)
    assert last["metrics"]["val_loss"][:3] == [3, 0.71, 0.73]


def test_best_is_a_number(reported: ScanOfLab) -> None:
    """A NaN never wins."""
    body = reported.show()
    assert body["best"] == reported.by("kind")["many points"]["id"]


def test_note_about_the_objective(lab: Lab) -> None:
    code = "from jupyter_gridgpu import report\nreport(accuracy=0.5, auc=0.6)"
    notebook = lab.notebook(code, name="silent")
    shown = lab.gridgpu("run", str(notebook), *space(n=[1]), "--maximize", "acc").stdout
    words = " ".join(shown.split())
    assert "v0001 ended without reporting acc" in words
    assert "it reported accuracy, auc" in words


@pytest.fixture(scope="module")
def bash(shared_lab: Lab) -> None:
    """Install the bash kernel's spec where only this lab's scans see it."""
    prefix = shared_lab.folder / "prefix"
    subprocess.run(
        [sys.executable, "-m", "bash_kernel.install", "--prefix", str(prefix)],
        check=True,
        capture_output=True,
    )
    places = [str(prefix / "share" / "jupyter"), os.environ.get("JUPYTER_PATH", "")]
    shared_lab.env["JUPYTER_PATH"] = os.pathsep.join(places)


SHELL = (
    'echo "lr is $lr"',
    'for e in 1 2 3; do echo "{\\"epoch\\": $e, \\"loss\\": $lr}" >> "$GRIDGPU_METRICS"; done',
)


@pytest.mark.usefixtures("bash")
@pytest.mark.parametrize("info", [False, True])
def test_another_language(shared_lab: Lab, info: bool) -> None:
    """A kernel of any language reports by appending JSON lines."""
    notebook = shared_lab.notebook(
        *SHELL,
        name=f"shell-{info}",
        parameters="lr=0.1",
        kernel="bash",
        language="bash",
        info=info,
    )
    asked = options("--minimize loss --parallel 2")
    scan = shared_lab.run(notebook, *space(lr=[0.25, 0.5]), *asked)
    losses = [variant["metrics"] for variant in scan.show()["variants"]]
    assert losses == [{"loss": 0.25}, {"loss": 0.5}]
    assert scan.show()["best"] == "v0001"
    assert "lr is 0.5" in Path(scan.variant("v0002")["notebook"]).read_text()
    assert "one by one" not in scan.log()  # a kernel that cannot be forked is nothing amiss


@pytest.mark.usefixtures("bash")
def test_another_language_that_fails(shared_lab: Lab) -> None:
    notebook = shared_lab.notebook(
        "echo before; false",
        name="shell-fails",
        parameters="lr=0.1",
        kernel="bash",
        language="bash",
    )
    scan = shared_lab.run(notebook, *space(lr=[1]), code=1)
    variant = scan.variant("v0001")
    assert (variant["state"], variant["reason"], variant["cell"]) == ("failed", "notebook", 2)
    assert "in cell 2" in variant["message"]


def test_json_is_strict(reported: ScanOfLab) -> None:
    paths = [reported.folder / "scan.json"]
    for pattern in ("jobs/*/*.json", "jobs/*/*/*.json"):
        paths += reported.folder.glob(pattern)
    for path in paths:
        strict_json(path.read_text())
    reported.events()
