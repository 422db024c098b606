"""The stand-in's workers: each takes a job, unpacks its sandbox, and really runs its command in a process."""

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

METADATA_BYTES = 1024 * 1024
KILL_S = 20.0  # from SIGTERM to SIGKILL
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "TZ")  # of the environment the tests run in


class Pilot:
    """Runs jobs in threads, as many at once as the stand-in has slots."""

    def __init__(self, panda: FakePanda, folder: Path) -> None:
        self._panda = panda
        self._folder = folder
        self._threads: dict[int, threading.Thread] = {}
        self.processes: dict[int, subprocess.Popen[bytes]] = {}

    def take(self) -> None:
        """Start what may start now. The stand-in is locked meanwhile."""
        panda = self._panda
        self._threads = {
            ident: thread for ident, thread in self._threads.items() if thread.is_alive()
        }
        for job in list(panda.jedi.jobs.values()):
            if len(self._threads) >= panda.slots or panda.hold:
                return
            if job.status == "activated" and panda.jedi.fits(job):
                job.set(
                    "starting",
                    schedulerID="lab",
                    computingElement="lab-ce",
                    modificationHost="node1",
                )
                self._threads[job.ident] = threading.Thread(
                    target=self._run, args=(job,), daemon=True
                )
                self._threads[job.ident].start()

    def folder(self, job: Job) -> Path:
        return self._folder / str(job.ident)

    def end(self) -> None:
        for process in list(self.processes.values()):
            self._signal(process, signal.SIGKILL)
        for thread in list(self._threads.values()):
            thread.join(10)

    def _run(self, job: Job) -> None:
        panda = self._panda
        time.sleep(panda.pace_s)
        if (fault := panda.fails.get((job.number, job.attempt))) is not None:
            panda.tell(job, "failed", **fault)
            return
        folder = self.folder(job)
        self._stage(job, folder)
        with (
            open(folder / "payload.stdout", "wb") as out,
            open(folder / "payload.stderr", "wb") as err,
        ):
            process = subprocess.Popen(
                ["/bin/sh", "__run_main_exec.sh"], cwd=folder, env=self._environment(job, folder), start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            )  # fmt: skip
        self.processes[job.ident] = process
        panda.tell(job, "running", startTime=stamp(time.time()))
        killed = self._wait(job, process)
        self.processes.pop(job.ident)
        self._report(job, folder, process.returncode, killed)

    def _stage(self, job: Job, folder: Path) -> None:
        parameters = job.parameters()
        archive = re.search(r"-a (\S+)", parameters)
        folder.mkdir(parents=True)
        with tarfile.open(self._panda.cache / archive[1]) as members:  # type: ignore[index]
            members.extractall(folder, filter="data")
        line = re.search(r'-p "([^"]*)"', parameters)
        (folder / "__run_main_exec.sh").write_text(unquote(line[1]) + "\n")  # type: ignore[index]
        for name, data in self._panda.datasets.items():
            (folder / name).write_bytes(data)
        if self._panda.datasets:
            (folder / "input.txt").write_text(",".join(self._panda.datasets))

    def _environment(self, job: Job, folder: Path) -> dict[str, str]:
        """What a payload sees: nothing of the scan's machine, its sign-in or its folders."""
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
        return {
            **kept,
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
        told = 0.0
        while process.poll() is None or (told and _lives(process.pid)):
            time.sleep(min(self._panda.heartbeat_s, 0.1))
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
        code = code if code >= 0 else 128 - code
        if killed:
            words = "This job was killed by panda server"
            self._panda.tell(job, "cancelled", pilotErrorCode=1144, pilotErrorDiag=words)
        elif code:
            said = (folder / "payload.stderr").read_text(errors="replace").strip().splitlines()[-1:]
            diagnostics = f"Non-zero exit code from payload: {code} ({said[0] if said else ''})"
            self._panda.tell(job, "failed", transExitCode=str(code), pilotErrorCode=1305, pilotErrorDiag=diagnostics[:250],
                             exeErrorCode=code, exeErrorDiag=f"payload exit code {code}")  # fmt: skip
        elif missing := self._store(job, folder):
            self._panda.tell(
                job, "failed", pilotErrorCode=1165, pilotErrorDiag=f"Missing output file: {missing}"
            )
        else:
            job.metadata = self._metadata(folder)
            self._panda.tell(job, "finished", transExitCode="0")

    def _store(self, job: Job, folder: Path) -> str | None:
        """Keep the output files; return the name of one that is not there."""
        found = re.search(r"-o \"({.*?})\"", job.parameters())
        for name, lfn in ast.literal_eval(found[1]).items() if found else ():
            if not (folder / name).is_file():
                return str(name)
            (self._panda.storage / lfn).write_bytes((folder / name).read_bytes())
        return None

    def _metadata(self, folder: Path) -> str | None:
        path = folder / "userJobMetadata.json"
        if self._panda.drop_metadata or not path.exists() or path.stat().st_size > METADATA_BYTES:
            return None
        return json.dumps({"user_job_metadata": json.loads(path.read_text())})


def _lives(group: int) -> bool:
    """Return whether any process of a process group has not ended."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            # An ended process stays in its group until its parent has noticed that.
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False
