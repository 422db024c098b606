"""The stand-in's workers, which are called pilots.

Each takes a job, unpacks its sandbox, and really runs its command in a process.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import psutil

from tests.engines.panda.tasks import Job, stamp

if TYPE_CHECKING:
    from tests.engines.panda.fake import FakePanda

METADATA_BYTES = 1024 * 1024  # a pilot drops metadata that is larger
KILL_S = 20.0  # from SIGTERM to SIGKILL
LOOK_S = 0.1  # between two looks at a job that runs
THREADS_END_S = 10
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ")  # of the environment that the tests run in
SCRIPT = "__run_main_exec.sh"  # what the real runGen calls the command of a job


class Pilot:
    """Runs jobs in threads, as many at once as the stand-in has slots."""

    def __init__(self, panda: FakePanda, folder: Path) -> None:
        """Run the jobs of `panda` below `folder`."""
        self.processes: dict[int, subprocess.Popen[bytes]] = {}  # by the number of the job
        self._panda = panda
        self._folder = folder
        self._threads: dict[int, threading.Thread] = {}

    def take(self) -> None:
        """Start the jobs that may start now. The stand-in must be locked."""
        panda = self._panda
        self._threads = {
            ident: thread for ident, thread in self._threads.items() if thread.is_alive()
        }
        for job in list(panda.jedi.jobs.values()):
            if panda.hold or len(self._threads) >= panda.slots:
                return
            if job.status == "activated" and panda.jedi.fits(job):
                self._start(job)

    def _start(self, job: Job) -> None:
        job.set("starting", schedulerID="lab", computingElement="lab-ce", modificationHost="node1")
        thread = threading.Thread(target=self._run, args=(job,), daemon=True)
        self._threads[job.ident] = thread
        thread.start()

    def folder(self, job: Job) -> Path:
        """Return the folder that a job runs in."""
        return self._folder / str(job.ident)

    def end(self) -> None:
        """Kill all jobs."""
        for process in list(self.processes.values()):
            self._signal(process, signal.SIGKILL)
        for thread in list(self._threads.values()):
            thread.join(THREADS_END_S)

    def _run(self, job: Job) -> None:
        """Run a job from its start to its report."""
        panda = self._panda
        time.sleep(panda.pace_s)
        fault = panda.fails.get((job.number, job.attempt))
        if fault is not None:
            panda.tell(job, "failed", **fault)
            return
        folder = self.folder(job)
        self._stage(job, folder)
        with (
            open(folder / "payload.stdout", "wb") as out,
            open(folder / "payload.stderr", "wb") as err,
        ):
            process = subprocess.Popen(
                ["/bin/sh", SCRIPT],
                cwd=folder,
                env=self._environment(job, folder),
                # A process group of its own, so that all of it can be killed.
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        self.processes[job.ident] = process
        panda.tell(job, "running", startTime=stamp(time.time()))
        killed = self._wait(job, process)
        self.processes.pop(job.ident)
        self._report(job, folder, process.returncode, killed)

    def _stage(self, job: Job, folder: Path) -> None:
        """Make the folder of a job: its sandbox, its command and its input files."""
        parameters = job.parameters()
        archive = _found(r"-a (\S+)", parameters)
        folder.mkdir(parents=True)
        with tarfile.open(self._panda.cache / archive) as members:
            members.extractall(folder, filter="data")
        line = _found(r'-p "([^"]*)"', parameters)
        (folder / SCRIPT).write_text(unquote(line) + "\n")
        for name, data in self._panda.datasets.items():
            (folder / name).write_bytes(data)
        if self._panda.datasets:
            (folder / "input.txt").write_text(",".join(self._panda.datasets))

    def _environment(self, job: Job, folder: Path) -> dict[str, str]:
        """Return what a job sees: nothing of the scan's machine, its sign-in or its folders."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
        image = job.task.params.get("container_name")
        # Nothing is started here, but a container of apptainer would have this variable.
        inside = {"APPTAINER_CONTAINER": image} if image else {}
        return {
            **kept,
            **inside,
            "PATH": path,
            "HOME": str(folder),
            "CUDA_VISIBLE_DEVICES": "0" if self._panda.jedi.sites[job.site] else "",
        }

    def _wait(self, job: Job, process: subprocess.Popen[bytes]) -> bool:
        """Wait for a job, with heartbeats, and return whether it was killed.

        A killed job has ended when all of its processes have, as with the real pilot, which kills
        the whole group before it tells the server. The shell of a job is gone long before its
        worker has saved the notebook.
        """
        told = 0.0  # when SIGTERM was sent
        while process.poll() is None or (told and _lives(process.pid)):
            time.sleep(min(self._panda.heartbeat_s, LOOK_S))
            job.heard = time.time()
            if job.to_be_killed and not told:
                told = time.monotonic()
                self._signal(process, signal.SIGTERM)
            if told and time.monotonic() - told > KILL_S:
                self._signal(process, signal.SIGKILL)
        return bool(told)

    @staticmethod
    def _signal(process: subprocess.Popen[bytes], number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)

    def _report(self, job: Job, folder: Path, code: int, killed: bool) -> None:
        """Tell the server how a job ended. A negative code is the signal that ended it."""
        code = code if code >= 0 else 128 - code
        if killed:
            words = "This job was killed by panda server"
            self._panda.tell(job, "cancelled", pilotErrorCode=1144, pilotErrorDiag=words)
            return
        if code:
            self._report_failure(job, folder, code)
            return
        missing = self._store(job, folder)
        if missing is not None:
            words = f"Missing output file: {missing}"
            self._panda.tell(job, "failed", pilotErrorCode=1165, pilotErrorDiag=words)
            return
        job.metadata = self._metadata(folder)
        self._panda.tell(job, "finished", transExitCode="0")

    def _report_failure(self, job: Job, folder: Path, code: int) -> None:
        """Tell the server that a command failed: by its error report, else by its stderr."""
        said = _error_line(folder / "payload.stderr")
        code_said, diagnostic = code, f"payload exit code {code}"
        report = folder / "payload_error_report.json"
        if report.exists():
            body = json.loads(report.read_text())
            code_said, diagnostic = int(body["error_code"]), str(body["error_diag"])
            said = diagnostic
        self._panda.tell(
            job,
            "failed",
            transExitCode=str(code),
            pilotErrorCode=1305,
            pilotErrorDiag=(said or "Failed to execute payload")[:250],
            exeErrorCode=code_said,
            exeErrorDiag=diagnostic[:250],
        )

    def _store(self, job: Job, folder: Path) -> str | None:
        """Keep the output files. Returns the name of one that is missing, or None."""
        found = re.search(r"-o \"({.*?})\"", job.parameters())
        outputs = ast.literal_eval(found[1]) if found else {}
        for name, lfn in outputs.items():
            if not (folder / name).is_file():
                return str(name)
            (self._panda.storage / lfn).write_bytes((folder / name).read_bytes())
        return None

    def _metadata(self, folder: Path) -> str | None:
        """Return what a job left for its user, as a pilot sends it; None if it sends nothing."""
        path = folder / "userJobMetadata.json"
        if self._panda.drop_metadata or not path.exists() or path.stat().st_size > METADATA_BYTES:
            return None
        return json.dumps({"user_job_metadata": json.loads(path.read_text())})


def _found(pattern: str, text: str) -> str:
    """Return what the group of a pattern matches. Fails if it matches nothing."""
    found = re.search(pattern, text)
    assert found is not None, (pattern, text)
    return found[1]


def _error_line(path: Path) -> str:
    """Return the first error that a command wrote to its stderr, as pilots look for it."""
    text = path.read_text(errors="replace")
    for pattern in (r"ERROR\s*:\s*(.*)", r"Error\s*:\s*(.*)", r"error\s*:\s*(.*)"):
        if found := re.search(pattern, text):
            return found[1]
    return ""


def _lives(group: int) -> bool:
    """Return whether any process of a process group has not ended."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            # An ended process stays in its group until its parent has noticed that.
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False
