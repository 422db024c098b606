"""Notebooks and kernels as people have them, from the command line to the end of the scan.

Four notebooks have two kinds each, so that few scans are run. What is refused is refused in one
process.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.client import open_scan
from tests.kit import eventually

from .helpers import one_sentence, strict_json
from .lab import Lab

# Runs the command line for each list of words, and prints what stderr got and the exit code.
SEVERAL = """
import contextlib, io, json, sys
commands, answer = sys.argv[1:]
from jupyter_gridgpu.cli.app import main
said = []
for words in json.loads(commands):
    sys.argv, out, err, code = ["gridgpu", *words], io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code
    said.append([code or 0, out.getvalue(), err.getvalue()])
with open(answer, "w") as file:
    json.dump(said, file)
"""
METRIC = """
import os
with open(os.environ["GRIDGPU_METRICS"], "a") as file:
    file.write('{"loss": 2}\\n{"loss": 1}')
"""
GROUP = """
class Red(Exception):
    pass
raise BaseExceptionGroup("two \\x1b[31mfits\\x1b[0m failed", [Red("\\x1b[31mbad lr\\x1b[0m")])
"""
MAY_FAIL = "1 / 0"
Said = list[tuple[int, str, str]]


def gridgpu(lab: Lab, commands: list[list[str]]) -> Said:
    """Run several commands in one process; return exit code, stdout and stderr of each."""
    answer = lab.folder / "answer.json"
    lab.python(SEVERAL, json.dumps(commands), str(answer))
    return [(code, out, err) for code, out, err in json.loads(answer.read_text())]


def changed(path: Path, **metadata: Any) -> dict[str, Any]:
    """Change the metadata of a notebook (None: without this key), and return its content."""
    body: dict[str, Any] = json.loads(path.read_text())
    body["metadata"] = {
        name: value for name, value in {**body["metadata"], **metadata}.items() if value is not None
    }
    path.write_text(json.dumps(body))
    return body


@pytest.fixture(scope="module")
def kinds(shared_lab: Lab) -> dict[str, dict[str, Any]]:
    """Run the notebooks side by side; return the only variant of each by the notebook's name."""
    python = {"name": "python3", "display_name": "P"}
    paths = {}
    for name, cell in {"bom": "lr", "cased": MAY_FAIL, "ipython": METRIC, "gone": GROUP}.items():
        if name == "gone" and sys.version_info < (3, 11):
            cell = "raise ValueError('two fits failed, first Red: bad lr')"
        paths[name] = shared_lab.notebook(cell, "print('after')", name=name, parameters="lr = 0")
    changed(paths["bom"], kernelspec=python)  # no language, and a mark at the beginning
    paths["bom"].write_bytes(b"\xef\xbb\xbf" + paths["bom"].read_bytes())
    body = changed(paths["cased"], kernelspec={**python, "language": "Python"})
    body["cells"][1]["metadata"]["tags"] = ["raises-exception"]
    paths["cased"].write_text(json.dumps(body))
    changed(paths["ipython"], kernelspec={**python, "language": "ipython"})
    changed(paths["gone"], kernelspec={**python, "name": "gone-9"})
    commands = [
        ["run", str(path), "-p", "lr = 1", "--no-wait", "--json"] for path in paths.values()
    ]
    commands[-1] += ["--kernel", "python3"]
    scans = []
    for code, out, err in gridgpu(shared_lab, commands):
        assert (code, err) == (0, "")
        scans.append(open_scan(strict_json(out)["folder"]))
    eventually(lambda: all(scan.ended for scan in scans), "the scans end", 120)
    return {name: scan.summary()["variants"][0] for name, scan in zip(paths, scans, strict=True)}


@pytest.mark.parametrize("name", ["bom", "cased", "ipython"])
def test_kinds_that_run(kinds: dict[str, dict[str, Any]], name: str) -> None:
    """No language and a mark; `Python` and a cell that may fail; `ipython`."""
    assert (kinds[name]["state"], kinds[name]["message"]) == ("done", None)


def test_the_last_line_of_metrics_counts_without_its_end(kinds: dict[str, dict[str, Any]]) -> None:
    assert kinds["ipython"]["metrics"] == {"loss": 1}


def test_another_kernel_runs_it_and_a_group_says_its_first(
    kinds: dict[str, dict[str, Any]],
) -> None:
    failed = kinds["gone"]
    assert (failed["state"], failed["reason"], failed["cell"]) == ("failed", "notebook", 2)
    assert "two fits failed" in failed["message"]
    assert "first Red: bad lr" in failed["message"]
    assert "[31m" not in failed["message"]


def test_kinds_that_are_refused_before_anything_is_sent(shared_lab: Lab) -> None:
    kernels = shared_lab.folder / "jupyter" / "kernels"
    gone = {"argv": ["/nowhere/bin/python"], "display_name": "x", "language": "python"}
    for name, text in {"broken": "{", "programless": json.dumps(gone)}.items():
        (kernels / name).mkdir(parents=True)
        (kernels / name / "kernel.json").write_text(text)
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "away": ({"kernelspec": {"name": "gone-9"}}, "gone-9.*not installed here.*python3"),
        "broken": ({"kernelspec": {"name": "broken"}}, "no readable kernel.json"),
        "programless": ({"kernelspec": {"name": "programless"}}, "/nowhere/bin/python.*not there"),
        "mixed": ({"papermill": [1]}, "metadata 'papermill' is no group of values"),
    }
    commands = []
    for name, (metadata, _) in cases.items():
        path = shared_lab.notebook("lr", name=f"no-{name}", parameters="lr = 0")
        changed(path, **metadata)
        commands.append(["run", str(path), "-p", "lr = 1"])
    shared_lab.env["JUPYTER_PATH"] = str(kernels.parent)
    try:
        said = gridgpu(shared_lab, commands)
    finally:
        del shared_lab.env["JUPYTER_PATH"]
    for (code, out, err), (_, words) in zip(said, cases.values(), strict=True):
        assert (code, out) == (2, "")
        assert re.search(words, one_sentence(err))
