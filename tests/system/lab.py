"""A folder with notebooks and a home for scans, and scans as a user and the system see them."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
from click.testing import CliRunner

from jupyter_gridgpu.cli.show import show
from jupyter_gridgpu.client import open_scan
from tests.kit import eventually

from .helpers import command_of, kill, processes_with, session_of, space, strict_json
from .notebooks import HURRY, TRAINING, TRAINING_PARAMETERS

ENDED = ("done", "stopped")
SUMMARY_KEYS = {
    *("scan", "folder", "state", "best", "warnings", "stopped_by", "variants", "foreign"),
    "profile",
}
VARIANT_KEYS = {"id", "params", "state", "reason", "attempts", "metrics", "notebook"}
# These variables of the tests' own environment do not reach the scans.
KEPT_OUT = (
    "CUDA_VISIBLE_DEVICES",
    "GRIDGPU_HOME",
    "GRIDGPU_JOB",
    "GRIDGPU_METRICS",
    "GRIDGPU_STOP",
)
COMMAND_S = 150.0  # within which a command of the command line must have ended
NOT_YET: dict[str, Any] = {"state": "new", "metrics": {}, "reason": None, "attempts": 0}


@dataclass
class Lab:
    """Notebooks, a home folder for their scans, and the environment that commands get."""

    folder: Path
    home: Path = field(default=Path())
    env: dict[str, str] = field(default_factory=dict)  # beside the environment of the tests

    def __post_init__(self) -> None:
        if self.home == Path():
            self.home = self.folder / "home"

    @property
    def mark(self) -> Path:
        """The file to which each execution of a training appends its n."""
        return self.folder / "marks.txt"

    def marks(self) -> list[str]:
        """Return what executions appended to the file of marks, sorted as texts."""
        return sorted(self.mark.read_text().split()) if self.mark.exists() else []

    def hurry(self) -> None:
        """Let trainings that run, and all that follow, go on without pauses."""
        self.mark.with_name(self.mark.name + HURRY).touch()

    def environment(self, **more: str) -> dict[str, str]:
        """Return the environment for a process of this lab."""
        kept = {name: value for name, value in os.environ.items() if _is_passed_on(name)}
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

        Its language stands in the kernelspec or, with `info`, in language_info, where many editors
        write it.
        """
        head = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
        body = [nbformat.v4.new_code_cell(cell.strip("\n")) for cell in cells or (TRAINING,)]
        spec = {"name": kernel, "display_name": kernel}
        metadata: dict[str, Any] = {"kernelspec": spec}
        if info:
            metadata["language_info"] = {"name": language}
        else:
            spec["language"] = language
        path = self.folder / f"{name}.ipynb"
        nbformat.write(nbformat.v4.new_notebook(cells=[head, *body], metadata=metadata), path)
        return path

    def gridgpu(
        self, *words: str, code: int | None = 0, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line; `code` is the exit code it must have (None: any)."""
        ran = subprocess.run(
            [sys.executable, "-m", "jupyter_gridgpu.cli", *words],
            env=self.environment(**(env or {})),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
        )
        said = (words, ran.returncode, ran.stdout, ran.stderr)
        assert code is None or ran.returncode == code, said
        return ran

    def python(self, code: str, *words: str) -> None:
        """Run lines of Python in a process of their own; they find `words` in sys.argv."""
        command = [sys.executable, "-c", code, *words]
        subprocess.run(command, env=self.environment(), check=True, timeout=COMMAND_S)

    def start(self, notebook: Path, *words: str, env: dict[str, str] | None = None) -> ScanOfLab:
        """Start a scan and do not wait for it."""
        ran = self.gridgpu("run", str(notebook), *words, "--no-wait", "--json", env=env)
        return self.scan_of(ran)

    def run(
        self, notebook: Path, *words: str, code: int = 0, env: dict[str, str] | None = None
    ) -> ScanOfLab:
        """Run a scan to its end. The exit code is 1 where a variant fails."""
        return self.scan_of(
            self.gridgpu("run", str(notebook), *words, "--json", code=code, env=env)
        )

    def scan_of(self, ran: subprocess.CompletedProcess[str]) -> ScanOfLab:
        """Return the scan that a command has started, as its JSON names it."""
        body = strict_json(ran.stdout)
        return ScanOfLab(self, body["scan"], Path(body["folder"]))

    def training(
        self,
        count: int,
        *words: str,
        steps: int = 4,
        pause: float = 0.1,
        env: dict[str, str] | None = None,
    ) -> ScanOfLab:
        """Start a scan of `count` trainings, n = 1 to `count`, that leave marks."""
        numbers = list(range(1, count + 1))
        axes = space(n=numbers, mark=str(self.mark), steps=steps, pause=pause)
        return self.start(self.notebook(), *axes, *words, env=env)

    def end(self) -> None:
        """Kill what is left of this lab's scans."""
        for place in {self.folder, self.home}:
            for process in processes_with(f"{place}{os.sep}"):
                with contextlib.suppress(psutil.Error):
                    process.kill()


@dataclass
class ScanOfLab:
    """A scan of a lab."""

    lab: Lab
    name: str
    folder: Path

    # as a user sees it ------------------------------------------------------------

    def gridgpu(
        self, command: str, *words: str, variant: str = "", code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of the command line on the scan, or on one of its variants."""
        target = f"{self.name}/{variant}" if variant else self.name
        return self.lab.gridgpu(command, target, *words, code=code)

    def show(self) -> dict[str, Any]:
        """Return what `gridgpu show --json` prints, which must be sound at any moment."""
        return _sound_summary(self.gridgpu("show", "--json").stdout)

    def wait(self, *states: str) -> dict[str, Any]:
        """Wait until the scan has ended, or is in one of `states`; return what `show` says then.

        The command runs in this process, since a process for each of hundreds of waits takes long.
        """
        wanted = states or ENDED
        eventually(lambda: self.state() in wanted, what=f"{self.name} ends; {self.log()}")
        ran = CliRunner().invoke(show, [str(self.folder), "--json"], catch_exceptions=False)
        assert ran.exit_code == 0, ran.output
        return _sound_summary(ran.stdout)

    def summary(self) -> dict[str, Any]:
        """Return the summary as Python has it, for polling."""
        return open_scan(self.folder).summary()

    def state(self) -> str:
        """Return the state of the scan."""
        return str(self.summary()["state"])

    def variants(self) -> dict[str, dict[str, Any]]:
        """Return all variants by their id."""
        return {variant["id"]: variant for variant in self.summary()["variants"]}

    def variant(self, ident: str) -> dict[str, Any]:
        """Return a variant, also if the scan does not have it yet."""
        return self.variants().get(ident, NOT_YET)

    def states(self) -> list[str]:
        """Return the states of all variants in order."""
        return [variant["state"] for variant in self.variants().values()]

    def by(self, param: str) -> dict[Any, dict[str, Any]]:
        """Return all variants by the value of a parameter."""
        return {variant["params"][param]: variant for variant in self.summary()["variants"]}

    def wait_for(self, ident: str, state: str = "running", loss: float = 0.0) -> dict[str, Any]:
        """Wait until a variant is in `state` and has reported a loss of at least `loss`."""

        def there() -> dict[str, Any] | None:
            found = self.variant(ident)
            enough = found["metrics"].get("loss", 0.0) >= loss
            return found if found["state"] == state and enough else None

        return eventually(there, what=f"{ident} {state}") or {}

    def log(self) -> str:
        """Return what runners of the scan have logged."""
        path = self.folder / "runner.log"
        return path.read_text() if path.exists() else ""

    # as the disk holds it -----------------------------------------------------------

    def events(self) -> list[dict[str, Any]]:
        """Return the journal's events; every whole line must be a sound one."""
        path = self.folder / "journal.jsonl"
        text = path.read_text() if path.exists() else ""
        whole = text[: text.rfind("\n") + 1]  # the runner may be writing the next one
        return [strict_json(line) for line in whole.splitlines()]

    def events_of(self, kind: str) -> list[dict[str, Any]]:
        """Return the events of one type."""
        return [event for event in self.events() if event["type"] == kind]

    def job(self, key: str) -> Path:
        """Return the folder of a job."""
        return self.folder / "jobs" / key

    def attempts(self) -> dict[str, int]:
        """Return how many executed notebooks each job has left."""
        jobs = (self.folder / "jobs").iterdir()
        return {job.name: len(list(job.glob("*/output.ipynb"))) for job in jobs}

    # as the operating system sees it ---------------------------------------------------

    def processes(self) -> list[Any]:
        """Return everything that runs for this scan."""
        return processes_with(f"{self.folder}{os.sep}") + self.runners()

    def runners(self) -> list[Any]:
        """Return the runners of the scan, of which there should be one at most."""
        command = ["-m", "jupyter_gridgpu.runner", str(self.folder)]
        named = processes_with(str(self.folder))
        return [process for process in named if command_of(process)[1:] == command]

    def fork_servers(self) -> list[Any]:
        """Return the fork server, without the workers that it forked."""
        found = []
        for process in processes_with(f"{self.folder}{os.sep}worker.pyz"):
            # On the command line its name is 'nursery'. Forked workers have the same command line,
            # and lead sessions of their own.
            is_named = command_of(process)[-1:] == ["nursery"]
            if is_named and session_of(process.pid) not in (process.pid, None):
                found.append(process)
        return found

    def fork_server(self) -> int:
        """Return the process id of the fork server, as soon as there is one."""
        found = eventually(self.fork_servers, what="a fork server")
        return int(found[0].pid)

    def runner(self) -> int:
        """Return the process id of the runner, as soon as there is one."""
        return int(eventually(self.runners, what="a runner")[0].pid)

    def kill_runner(self) -> int:
        """Kill the runner with no chance to say goodbye, and return how many there were."""
        found = self.runners()
        for process in found:
            kill(process.pid)
        eventually(lambda: not self.runners(), what="the runner is gone")
        return len(found)

    def worker(self, key: str) -> int:
        """Return the process that runs a job, as soon as there is one."""
        claim = self.job(key) / "claim.json"
        eventually(claim.exists, what=f"a worker takes {key}")
        return int(json.loads(claim.read_text())["pid"])

    def kernel(self, key: str) -> int:
        """Return the kernel of a job, as soon as there is one."""
        job = str(self.job(key))
        worker = self.worker(key)

        def there() -> int:
            for process in processes_with(job):
                # A kernel leads a session of its own, as its worker does.
                if process.pid != worker and session_of(process.pid) == process.pid:
                    return int(process.pid)
            return 0

        return eventually(there, what=f"{key} has a kernel")


def _is_passed_on(name: str) -> bool:
    """Return whether a variable of the tests' own environment reaches the scans."""
    # Limits of threads would hide those that jobs get.
    return name not in KEPT_OUT and not name.endswith("_NUM_THREADS")


def _sound_summary(text: str) -> dict[str, Any]:
    """Return the summary that a JSON text holds, with all that must be in it."""
    body = strict_json(text)
    assert isinstance(body, dict)
    assert set(body) >= SUMMARY_KEYS
    assert all(set(variant) >= VARIANT_KEYS for variant in body["variants"])
    return body
