"""How the local backend brings up workers: forked from one process, or each in a container of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import Protocol

from jupyter_gridgpu.store.paths import ScanPaths


class Starter(Protocol):
    """Starts a worker for a job, which claims it. A job may be started again: only the first worker gets the claim."""

    deaths: int  # of what it started, in a row, since a worker last came up

    def open(self) -> None:
        """Get ready."""
        ...

    def start(self, key: str) -> None:
        """Start a worker for a job. Raises OSError."""
        ...

    def holds(self, key: str) -> bool:
        """Whether the process that was started for a job is alive and may still claim it."""
        ...

    def close(self) -> None:
        """Let go; workers go on."""
        ...


class ForkServer:
    """A process that imports papermill once and forks a worker for every job."""

    def __init__(self, paths: ScanPaths) -> None:
        self.deaths = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._paths = paths
        self._handed: dict[str, int] = {}  # key -> which nursery it was handed to

    def open(self) -> None:
        """Start the nursery; what it needs it imports with its first job."""
        if self._alive():
            return
        if self.process is not None:
            self.deaths += 1
            self._hang_up()
        command = [sys.executable, str(self._paths.worker), "nursery"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, cwd=self._paths.folder)

    def start(self, key: str) -> None:
        self.open()
        assert self.process is not None
        assert self.process.stdin is not None
        line = json.dumps({"job": str(self._paths.job(key).spec)}).encode() + b"\n"
        with contextlib.suppress(
            BrokenPipeError
        ):  # it was just killed: the next poll hands the job to a new one
            self.process.stdin.write(line)
            self.process.stdin.flush()
        self._handed[key] = self.process.pid

    def holds(self, key: str) -> bool:
        return (
            self._alive() and self.process is not None and self._handed.get(key) == self.process.pid
        )

    def close(self) -> None:
        if self.process is not None:
            self._hang_up()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=30)  # it looks twice a second whether its runner is there

    def _alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _hang_up(self) -> None:
        if self.process is not None and self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()


class ContainerStarter:
    """A process for every job, which claims it and becomes the launcher of its container. It outlives the runner."""

    def __init__(self, paths: ScanPaths) -> None:
        self.deaths = 0
        self._paths = paths
        self._running: dict[str, int] = {}  # key -> pid

    def open(self) -> None:
        """Nothing can be made ready."""

    def start(self, key: str) -> None:
        if key in self._running:
            self.deaths += 1
        command = [
            sys.executable,
            str(self._paths.worker),
            "launch",
            str(self._paths.job(key).spec),
        ]
        nothing = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
        self._running[key] = os.posix_spawn(
            sys.executable, command, os.environ, file_actions=nothing, setsid=True
        )

    def holds(self, key: str) -> bool:
        self._reap()
        return key in self._running and not self._gone(self._running[key])

    def close(self) -> None:
        self._reap()

    def _reap(self) -> None:
        for key, pid in list(self._running.items()):
            if self._gone(pid) and self._paths.job(key).claim.exists():
                del self._running[key]

    @staticmethod
    def _gone(pid: int) -> bool:
        """Whether a child has ended; the operating system may forget it then."""
        try:
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            return True
