"""What cells print, show and raise, run by the worker with real kernels.

All jobs run in one call of the worker. Their notebooks are put into their scans as they are, so
that the worker meets also what the check of a request would have refused.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import client
from jupyter_gridgpu.backends.base import Job, job_spec, write_spec
from jupyter_gridgpu.channels.file import FileChannel
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from jupyter_gridgpu.store.paths import CopyPaths, JobPaths, read_json
from jupyter_gridgpu.testing.examples import notebook_json

from .notebooks import WAIT_UNTIL_LOGGED, Executed

END = "print('the end', n)"
LOSE_IDLE = """
kernel = get_ipython().kernel
publish = kernel._publish_status
def lose(status, *rest, **more):
    if status == "idle":
        kernel._publish_status = publish
    else:
        publish(status, *rest, **more)
kernel._publish_status = lose
print("before the lost word")
"""
ODD_MESSAGES = """
kernel = get_ipython().kernel
def send(kind, content):
    kernel.session.send(kernel.iopub_socket, kind, content, parent=kernel.get_parent())
send("display_data", {"data": None})
send("display_data", {"data": {"text/plain": 3}, "metadata": None, "transient": None})
send("update_display_data", {"data": [], "transient": {"display_id": "x"}})
send("stream", {"name": "stdout"})
send("comm_open", {"comm_id": "y"})
send("comm_msg", {})
send("error", {"ename": None})
send("clear_output", {})
send("of_the_future", {"a": 1})
print("é after all of them")
"""
WIDGET = """
import ipywidgets
from IPython.display import display
shown = ipywidgets.Output()
display(shown)
with shown:
    for i in range(2000):
        print("in the widget", i)
"""
WIDGET_END = "assert shown.outputs[0]['text'].endswith('in the widget 1999\\n'), shown.outputs[-1:]"
DISPLAYS = """
from IPython.display import HTML, display
handle = display(HTML("x"), display_id=True)
for i in range(100):
    handle.update(HTML(f"update {i}" + "y" * 20_000))
for i in range(2000):
    display(HTML(f"shown {i}" + "y" * 20_000))
"""
GROUP = """
raise BaseExceptionGroup("two fits failed", [
    ValueError("bad lr\\nreally"), BaseExceptionGroup("inner", [KeyError("k")])
])
"""
DIES = f"""{WAIT_UNTIL_LOGGED}
import os
print("epoch 1\\nterminate called after throwing an instance of 'std::bad_alloc'", flush=True)
wait_until_logged("bad_alloc")
os._exit(1)
"""
REPORT = """
import os
with open(os.environ["GRIDGPU_METRICS"], "a") as file:
    file.write('{"acc": %d}' % n)
"""


@dataclass
class Case:
    """A notebook; `cells` are its code cells behind the parameters, or pairs of tags and code."""

    cells: list[Any]
    message: str | None = None  # of its failure
    cell: int | None = None  # in which it failed
    kernel: str = "python3"
    metadata: Any = None
    parameters: dict[str, Any] = field(default_factory=dict)  # of the cell with the parameters

    def text(self) -> str:
        codes = [cell if isinstance(cell, str) else cell[1] for cell in self.cells]
        body = json.loads(notebook_json("n = 1", *codes))
        for made, cell in zip(body["cells"][1:], self.cells, strict=True):
            if not isinstance(cell, str):
                made["metadata"]["tags"] = cell[0]
        body["cells"][0]["metadata"].update(self.parameters)
        if self.metadata is not None:
            body["metadata"] = self.metadata
        return json.dumps(body)


PYTHON = {"name": "python3", "display_name": "Python 3"}
CASES = {
    "lines": Case(["for i in range(100_000): print('line', i, 'x' * 90)", END]),
    "flushed": Case(["for i in range(6000): print('flushed', i, flush=True)", END]),
    "displays": Case([DISPLAYS, END]),
    "widget": Case([WIDGET, WIDGET_END, END]),
    "lost idle": Case([LOSE_IDLE, END]),
    "odd messages": Case([ODD_MESSAGES, END]),
    "may fail": Case([(["raises-exception"], "1 / 0"), END]),
    "all may fail": Case(
        ["1 / 0", END], metadata={"kernelspec": PYTHON, "execution": {"allow_errors": True}}
    ),
    "may fail, fails later": Case(
        [(["raises-exception"], "1 / 0"), "raise KeyError('x')"], "KeyError: 'x' in cell 3.", 3
    ),
    "group": Case(
        ["", GROUP, END],
        "ExceptionGroup: two fits failed (2 sub-exceptions), first ValueError: bad lr in cell 2.",
        2,
    ),
    "colours": Case(
        [r"raise ValueError('\x1b[31mloss is NaN\x1b[0m \x1b]8;;http://a\x1b\\link')"],
        "ValueError: loss is NaN link in cell 2.",
        2,
    ),
    "traceback": Case(
        ["def train():\n    return {}['momentum']", "train()"], "KeyError: 'momentum' in cell 3.", 3
    ),
    "values": Case(
        [(["injected-parameters"], "n = 0"), "1 / 0"],
        "ZeroDivisionError: division by zero in cell 3.",
        3,
    ),
    "dies": Case(
        ["", DIES],
        "The kernel died in cell 2: terminate called after throwing an instance of"
        " 'std::bad_alloc'.",
        2,
    ),
    "exits": Case(
        ["import os; os._exit(3)"],
        "The kernel died in cell 2; a crash, an exit or the"
        " system's out-of-memory killer ends it like that.",
        2,
    ),
    "no module": Case(
        [END],
        "The kernel ended before it was ready: ModuleNotFoundError: No module named"
        " 'no_such_module_here'.",
        kernel="broken",
    ),
    "unknown language": Case(
        [END],
        "The values cannot be given to a notebook in the language 'Fortran': papermill does not"
        " know it.",
        kernel="fortran",
    ),
    "unfinished report": Case([REPORT]),
    "no language": Case([END], metadata={"kernelspec": PYTHON}),
    "Python": Case([END], metadata={"kernelspec": {**PYTHON, "language": "Python"}}),
    "ipython": Case([END], metadata={"language_info": {"name": "ipython"}}),
    "odd metadata": Case(
        [("parameters no more", END)],
        metadata={"kernelspec": "python3", "papermill": None, "language_info": []},
        parameters={"papermill": "x", "tags": "parameters", "execution": 3},
    ),
    "papermill is a list": Case([END], metadata={"kernelspec": PYTHON, "papermill": []}),
    "no metadata": Case([END], metadata=[]),
}


if sys.version_info < (3, 11):  # the first Python with groups of exceptions
    del CASES["group"]


def write_kernels(folder: Path) -> None:
    """Write kernelspecs whose kernel does not start, or whose language nobody knows."""
    commands = {
        "broken": ([sys.executable, "-c", "import no_such_module_here"], "python"),
        "fortran": (
            [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
            "Fortran",
        ),
    }
    for name, (command, language) in commands.items():
        spec = folder / "kernels" / name
        spec.mkdir(parents=True)
        body = {"argv": command, "display_name": name, "language": language}
        (spec / "kernel.json").write_text(json.dumps(body))


def write_job(name: str, case: Case, folder: Path) -> JobPaths:
    """Make a scan with the notebook of a case and return its one job."""
    source = folder / f"{name}.ipynb"
    source.write_text(notebook_json("n = 1", END))
    handle = client.create(plan(source, "n = [2]", Options()))
    handle.paths.notebook.chmod(0o600)
    handle.paths.notebook.write_text(case.text())
    key = "v0001.1"
    spec = {**job_spec(handle.scan, key, {"n": 2}), "kernel": case.kernel}
    write_spec(Job(key, handle.paths.job(key), spec), {})
    return handle.paths.job(key)


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, JobPaths]:
    """Run the notebooks of all cases; the environment names no encoding."""
    folder = tmp_path_factory.mktemp("outputs")
    write_kernels(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRIDGPU_HOME", str(folder / "scans"))
        found = {name: write_job(name, case, folder) for name, case in CASES.items()}
    specs = [str(job.spec) for job in found.values()]
    command = [sys.executable, "-m", "jupyter_gridgpu.worker", "--together", "2", *specs]
    environment = {**os.environ, "JUPYTER_PATH": str(folder), "LC_ALL": "C", "LANG": "C"}
    subprocess.run(command, env=environment, check=True, timeout=170)
    return found


@dataclass
class Left:
    """What a job left."""

    copy: CopyPaths
    result: Any
    notebook: Executed  # without cells where the kernel never started

    @property
    def log(self) -> str:
        return self.copy.log.read_text()


@pytest.fixture
def left(request: pytest.FixtureRequest, jobs: dict[str, JobPaths]) -> Left:
    job = jobs[request.param]
    result = read_json(job.result)
    copy = job.copy(result["copy"])
    return Left(copy, result, Executed.read(copy.notebook))


def of(name: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("left", [name], indirect=True)


@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", CASES)
def test_how_it_ends(jobs: dict[str, JobPaths], name: str) -> None:
    case, result = CASES[name], read_json(jobs[name].result)
    if case.message is None:
        assert result["state"] == "done", result
    else:
        assert (result["message"], result["cell"]) == (case.message, case.cell)
    if case.message is None and END in case.cells:
        assert "the end 2" in jobs[name].copy(result["copy"]).log.read_text()


@of("lines")
def test_the_notebook_keeps_the_beginning_and_the_end(left: Left) -> None:
    text = left.notebook.text()
    assert len(text) < 9_000_000
    assert text.startswith("line 0 x")
    before, _, after = text.partition("\n... ")
    count, _, rest = after.partition(" lines left out, the log has them ...\n")
    kept = before.count("\nline") + 1 + rest.count("line ")
    assert int(count.replace(",", "")) + kept == 100_000
    assert "line 99999 x" in rest
    assert sum(line.startswith("line ") for line in left.log.splitlines()) == 100_000


@of("flushed")
def test_no_line_is_lost_in_a_flood_of_messages(left: Left) -> None:
    lines = [line for line in left.log.splitlines() if line.startswith("flushed")]
    assert lines == [f"flushed {i}" for i in range(6000)]
    assert len(left.notebook.cells[2].outputs) < 10


@of("displays")
def test_displays_are_bounded(left: Left) -> None:
    outputs = left.notebook.cells[2].outputs
    assert outputs[0]["data"]["text/html"].startswith("update 99")
    assert outputs[1]["data"]["text/html"].startswith("shown 0")
    kept = [output for output in outputs if output["output_type"] == "display_data"]
    (note,) = [output["text"] for output in outputs if output["output_type"] == "stream"]
    assert note == f"... {2001 - len(kept):,} displays left out ...\n"
    assert left.copy.notebook.stat().st_size < 40_000_000


@of("may fail")
def test_an_expected_error_stays_in_the_notebook(left: Left) -> None:
    (error,) = left.notebook.cells[2].outputs
    assert error["ename"] == "ZeroDivisionError"
    assert left.notebook.statuses() == ["completed"] * 4
    assert "ZeroDivisionError: division by zero" in left.log


@of("odd messages")
def test_messages_of_any_kind_are_no_reason_to_fail(left: Left) -> None:
    assert "é after all of them" in left.notebook.text()
    assert "An output of the kernel was left out" in left.log


@of("traceback")
def test_the_log_of_a_failed_job_has_its_traceback(left: Left) -> None:
    assert "return {}['momentum']" in left.log
    assert "KeyError: 'momentum'" in left.log
    assert "\x1b" not in left.log


@of("unfinished report")
def test_the_last_report_counts_without_its_newline(left: Left) -> None:
    readings, _ = FileChannel().read(left.copy, None)
    assert readings[-1].values == {"acc": 2}
