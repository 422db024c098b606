"""A folder with notebooks and a home for scans, and scans as a user and the operating system see them."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil

from jupyter_gridgpu.client import open_scan
from tests.kit import eventually as eventually

ENDED = ("done", "stopped")
SUMMARY_KEYS = {"scan", "folder", "state", "best", "variants"}
VARIANT_KEYS = {"id", "params", "state", "reason", "attempts", "metrics", "notebook"}
KEPT_OUT = (
    "CUDA_VISIBLE_DEVICES",
    "GRIDGPU_JOB",
    "GRIDGPU_METRICS",
    "GRIDGPU_HOME",
)  # of the environment the tests run in

# A training: `n` makes its metric, `mark` is a file to which every execution appends its n.
TRAINING = """
import os, time
from jupyter_gridgpu import report
with open(mark, "a") as file:
    file.write(f"{n}\\n")
for epoch in range(1, steps + 1):
    time.sleep(pause)
    print("epoch", epoch)
    report(epoch=epoch, epochs=steps, loss=n * epoch)
"""
TRAINING_PARAMETERS = "n = 0\nmark = '/dev/null'\nsteps = 4\npause = 0.1"


def strict_json(text: str) -> Any:
    """Parse one JSON value as RFC 8259 has it; NaN and Infinity as bare words are refused."""

    def refuse(word: str) -> Any:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(text, parse_constant=refuse)


def one_sentence(text: str) -> str:
    """The one line that stderr holds after a mistake."""
    lines = text.splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("gridgpu: "), text
    assert "Traceback" not in text
    return lines[0]


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def gone(pid: int) -> bool:
    """Whether a process is no more, or is only waited for."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def processes_with(text: str) -> list[Any]:
    """Living processes that have `text` in their command line or in the job that their environment names."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            job = process.environ().get("GRIDGPU_JOB", "")
            if (
                text in job or text in " ".join(process.cmdline())
            ) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@dataclass
class Lab:
    """Notebooks, and a home folder for their scans."""

    folder: Path
    home: Path = field(default=Path())
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.home == Path():
            self.home = self.folder / "home"

    @property
    def mark(self) -> Path:
        return self.folder / "marks.txt"

    def marks(self) -> list[str]:
        """What executions appended, sorted."""
        return sorted(self.mark.read_text().split()) if self.mark.exists() else []

    def environment(self, **more: str) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if name not in KEPT_OUT and not name.endswith("_NUM_THREADS")
        }
        return {**kept, "GRIDGPU_HOME": str(self.home), **self.env, **more}

    def notebook(
        self,
        *cells: str,
        name: str = "train",
        parameters: str = TRAINING_PARAMETERS,
        kernel: str = "python3",
        language: str = "python",
        info: bool = False,
    ) -> Path:
        """Write a notebook of these code cells behind a parameters cell; by default, a training.

        Its language stands in the kernelspec or, with `info`, in language_info, where many editors write it.
        """
        head = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
        body = [nbformat.v4.new_code_cell(cell.strip("\n")) for cell in cells or (TRAINING,)]
        spec = {"name": kernel, "display_name": kernel, **({} if info else {"language": language})}
        metadata = {"kernelspec": spec, **({"language_info": {"name": language}} if info else {})}
        path = self.folder / f"{name}.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[head, *body], metadata=metadata), path)
        return path

    def gridgpu(
        self, *words: str, code: int | None = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line; `code` is the exit code it must have (None: any)."""
        ran = subprocess.run(
            [sys.executable, "-m", "jupyter_gridgpu.cli", *words],
            env=self.environment(**(env or {})), cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=150,
        )  # fmt: skip
        assert code is None or ran.returncode == code, (
            words,
            ran.returncode,
            ran.stdout,
            ran.stderr,
        )
        return ran

    def start(self, notebook: Path, *options: str, env: dict[str, str] | None = None) -> ScanOfLab:
        """Start a scan and do not wait for it."""
        ran = self.gridgpu("run", str(notebook), *options, "--no-wait", "--json", env=env)
        body = strict_json(ran.stdout)
        return ScanOfLab(self, body["scan"], Path(body["folder"]))

    def run(
        self, notebook: Path, *options: str, code: int = 0, env: dict[str, str] | None = None
    ) -> ScanOfLab:
        """Run a scan to its end."""
        ran = self.gridgpu("run", str(notebook), *options, "--json", code=code, env=env)
        body = strict_json(ran.stdout)
        return ScanOfLab(self, body["scan"], Path(body["folder"]))

    def training(
        self,
        count: int,
        *options: str,
        steps: int = 4,
        pause: float = 0.1,
        env: dict[str, str] | None = None,
    ) -> ScanOfLab:
        """Start a scan of `count` trainings, n = 1 to `count`, that leave marks."""
        space = [
            f"n = {list(range(1, count + 1))}",
            f"mark = {str(self.mark)!r}",
            f"steps = {steps}",
            f"pause = {pause}",
        ]
        return self.start(
            self.notebook(), *(word for line in space for word in ("-p", line)), *options, env=env
        )

    def end(self) -> None:
        """Kill what is left of this lab's scans."""
        for process in [
            p for place in {self.folder, self.home} for p in processes_with(f"{place}{os.sep}")
        ]:
            with contextlib.suppress(psutil.Error):
                process.kill()


@dataclass
class ScanOfLab:
    lab: Lab
    name: str
    folder: Path

    # as a user sees it ------------------------------------------------------------

    def gridgpu(
        self, command: str, *words: str, variant: str = "", code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        return self.lab.gridgpu(
            command, self.name + (f"/{variant}" if variant else ""), *words, code=code
        )

    def show(self) -> dict[str, Any]:
        """What `gridgpu show --json` prints, which must be sound at any moment."""
        body = strict_json(self.gridgpu("show", "--json").stdout)
        assert set(body) >= SUMMARY_KEYS
        assert all(set(variant) >= VARIANT_KEYS for variant in body["variants"])
        assert isinstance(body, dict)
        return body

    def summary(self) -> dict[str, Any]:
        """The same without a process of its own, for polling."""
        return open_scan(self.folder).summary()

    def state(self) -> str:
        return str(self.summary()["state"])

    def variants(self) -> dict[str, dict[str, Any]]:
        return {variant["id"]: variant for variant in self.summary()["variants"]}

    def variant(self, ident: str) -> dict[str, Any]:
        return self.variants().get(
            ident, {"state": "new", "metrics": {}, "reason": None, "attempts": 0}
        )

    def states(self) -> list[str]:
        return [variant["state"] for variant in self.variants().values()]

    def by(self, param: str) -> dict[Any, dict[str, Any]]:
        """Variants by the value of a parameter."""
        return {variant["params"][param]: variant for variant in self.summary()["variants"]}

    def wait(self, *states: str) -> dict[str, Any]:
        """Wait until the scan has ended (or is in one of `states`) and return what `show` says then."""
        eventually(
            lambda: self.state() in (states or ENDED), what=f"{self.name} ends; {self.log()}"
        )
        return self.show()

    def wait_for(self, ident: str, state: str = "running", loss: float = 0.0) -> dict[str, Any]:
        """Wait until a variant is in `state` and has reported a loss of at least `loss`."""

        def there() -> dict[str, Any] | None:
            found = self.variant(ident)
            return (
                found
                if found["state"] == state and found["metrics"].get("loss", 0.0) >= loss
                else None
            )

        return eventually(there, what=f"{ident} {state}") or {}

    def log(self) -> str:
        path = self.folder / "runner.log"
        return path.read_text() if path.exists() else ""

    # as the disk holds it -----------------------------------------------------------

    def events(self) -> list[dict[str, Any]]:
        """The journal; every line but the torn ones must be a sound event."""
        path = self.folder / "journal.jsonl"
        text = path.read_text() if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]  # the runner may be writing the next one
        return [strict_json(line) for line in whole.splitlines()]

    def events_of(self, type_: str) -> list[dict[str, Any]]:
        return [event for event in self.events() if event["type"] == type_]

    def job(self, key: str) -> Path:
        return self.folder / "jobs" / key

    def attempts(self) -> dict[str, int]:
        """How many executed notebooks each attempt left."""
        return {
            job.name: len(list(job.glob("*/output.ipynb")))
            for job in (self.folder / "jobs").iterdir()
        }

    # as the operating system sees it ---------------------------------------------------

    def processes(self) -> list[Any]:
        """Everything that runs for this scan."""
        return processes_with(f"{self.folder}{os.sep}") + self.runners()

    def runners(self) -> list[Any]:
        command = ["-m", "jupyter_gridgpu.runner", str(self.folder)]
        return [p for p in processes_with(str(self.folder)) if _command(p)[1:] == command]

    def nurseries(self) -> list[Any]:
        """The nursery, without the workers it forked, which lead sessions of their own."""
        found = [
            p
            for p in processes_with(f"{self.folder}{os.sep}worker.pyz")
            if _command(p)[-1:] == ["nursery"]
        ]
        return [process for process in found if _session(process.pid) not in (process.pid, None)]

    def kill_runner(self) -> int:
        """Kill the runner with no chance to say goodbye, and return how many there were."""
        found = self.runners()
        for process in found:
            kill(process.pid)
        eventually(lambda: not self.runners(), what="the runner is gone")
        return len(found)

    def worker(self, key: str) -> int:
        """The process that runs a job, as soon as there is one."""
        claim = self.job(key) / "claim.json"
        eventually(claim.exists, what=f"a worker takes {key}")
        return int(json.loads(claim.read_text())["pid"])

    def kernel(self, key: str) -> int:
        """The kernel of a job, as soon as there is one."""
        job = str(self.job(key))
        worker = self.worker(key)

        def there() -> int:
            found = [p for p in processes_with(job) if p.pid != worker and _session(p.pid) == p.pid]
            return int(found[0].pid) if found else 0

        return eventually(there, what=f"{key} has a kernel")


def _command(process: Any) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


def _session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


@dataclass(frozen=True)
class Executed:
    """An executed notebook as papermill left it."""

    cells: list[Any]

    @staticmethod
    def read(path: str | Path) -> Executed:
        """Read a notebook, which must be a valid one."""
        found = nbformat.read(path, 4)
        nbformat.validate(found)
        return Executed([cell for cell in found.cells if cell.cell_type == "code"])

    def statuses(self) -> list[str]:
        return [cell.metadata["papermill"]["status"] for cell in self.cells]

    def text(self) -> str:
        """All that was printed."""
        outputs = [output for cell in self.cells for output in cell.outputs]
        return "".join(output["text"] for output in outputs if output["output_type"] == "stream")
