"""Two ways to start a worker on this machine.

Workers are forked from one process, the fork server. With an image, or with setup lines, each job
gets a process of its own instead, which turns into the launcher `worker.sh`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Protocol

from jupyter_gridgpu.images import temporary_folder
from jupyter_gridgpu.store.opener import plain_handle
from jupyter_gridgpu.store.paths import ScanPaths

LAST_S = 2.0  # how long to wait, at the end, for processes whose jobs have ended
CLOSE_TIMEOUT_S = 30  # the fork server looks twice a second whether its runner is there


class Starter(Protocol):
    """Starts a worker for a job; the worker then claims the job.

    A job may be started again: only the first worker gets the claim.
    """

    # How many processes have ended without a worker since the last worker started. A high number
    # means that workers cannot start on this machine at all.
    failed_starts: int

    def open(self) -> None:
        """Get ready to start workers."""
        ...

    def start(self, key: str) -> None:
        """Start a worker for a job. Raises OSError."""
        ...

    def start_again(self, key: str) -> None:
        """Start another worker for a job whose first one is late, perhaps for ever.

        Nothing waits for the first one; it may still claim the job. Raises OSError.
        """
        ...

    def may_claim(self, key: str) -> bool:
        """Return whether the process that was started for a job lives and may still claim it."""
        ...

    def exit_code(self, key: str) -> int | None:
        """Return the exit code of the process of a job that has ended; None if it is not known."""
        ...

    def close(self) -> None:
        """Start no more workers. Those that run go on."""
        ...


def _worker(paths: ScanPaths) -> str:
    """Return the path of the packed worker. Raises OSError if it is no plain file."""
    # A Python that is given a pipe as its program waits for ever. One without a program ends.
    with contextlib.suppress(FileNotFoundError):
        os.close(plain_handle(paths.worker))
    return str(paths.worker)


class ForkServer:
    """Starts the fork server, which imports papermill once and forks a worker for every job."""

    def __init__(
        self,
        paths: ScanPaths,
        program: str = sys.executable,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        """`program` is the Python of the workers. `variables` are all that it gets.

        None stands for the variables of this process.
        """
        self._program = program
        self._variables = variables
        self.failed_starts = 0
        self.process: subprocess.Popen[bytes] | None = None
        self._paths = paths
        self._given_to: dict[str, int] = {}  # key -> pid of the fork server that got the job
        self._late: list[subprocess.Popen[bytes]] = []  # fork servers that did nothing for long

    def open(self) -> None:
        """Start the fork server, unless it runs already. Raises OSError."""
        if self._alive():
            return
        if self.process is not None:
            self.failed_starts += 1
            self._close_pipe()
        # The fork server is called 'nursery' here, since the packed workers of older scans know it
        # by this name.
        command = [self._program, _worker(self._paths), "nursery"]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, cwd=self._paths.folder, env=self._variables
        )

    def start(self, key: str) -> None:
        """Tell the fork server to fork a worker for a job. Raises OSError."""
        self.open()
        assert self.process is not None
        assert self.process.stdin is not None
        line = json.dumps({"job": str(self._paths.job(key).spec)}).encode() + b"\n"
        # A fork server that was killed just now is noticed by the next poll, which starts another
        # one and gives the job to that.
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(line)
            self.process.stdin.flush()
        self._given_to[key] = self.process.pid

    def start_again(self, key: str) -> None:
        """Start another fork server, unless there is one since the job was given, and tell it.

        The old one is stopped, or imports from a disk that is very slow. It is not killed, since it
        may be about to do its work: its pipe is closed, so it ends when it has read all lines.
        """
        if (
            self._alive()
            and self.process is not None
            and self._given_to.get(key) == self.process.pid
        ):
            self._close_pipe()
            self._late.append(self.process)
            self.process = None
        self._late = [process for process in self._late if process.poll() is None]
        self.start(key)

    def may_claim(self, key: str) -> bool:
        """Return whether the fork server that got the job still runs."""
        if self.process is None or not self._alive():
            return False
        return self._given_to.get(key) == self.process.pid

    def exit_code(self, key: str) -> int | None:
        """Return None: workers are no children of this process."""
        return None

    def close(self) -> None:
        """Let the fork server end, and wait for that. Its workers go on."""
        if self.process is not None:
            self._close_pipe()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=CLOSE_TIMEOUT_S)
        # Nobody waits for these any more. A job that one of them has not started is not claimed.
        for process in self._late:
            process.kill()
            process.wait()
        self._late.clear()

    def _alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def _close_pipe(self) -> None:
        """Close the pipe to the fork server, which is how it learns that it shall end."""
        if self.process is not None and self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()


class LauncherStarter:
    """Starts a process for every job, which claims the job and becomes the launcher.

    The process outlives the runner.
    """

    def __init__(self, paths: ScanPaths, environment: Callable[[], dict[str, str]]) -> None:
        """`environment` gives the variables of a container runtime and of what it starts."""
        self.failed_starts = 0
        self._paths = paths
        self._environment = environment
        self._pids: dict[str, int] = {}  # key -> process that was started for the job
        self._late: set[int] = set()  # processes that did nothing for long
        self._codes: dict[int, int] = {}  # exit codes of processes that have ended
        self._last: dict[str, int] = {}  # key -> process that was started last for the job

    def open(self) -> None:
        """Do nothing: every job gets a process of its own."""

    def start(self, key: str) -> None:
        """Start the process of a job. Raises OSError."""
        # A job is started again because its first process ended without a claim, or is late.
        if key in self._pids and self._pids[key] not in self._late:
            self.failed_starts += 1
        spec = self._paths.job(key).spec
        command = [sys.executable, _worker(self._paths), "launch", str(spec)]
        empty_stdin = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
        # A runner that a script started in the background ignores SIGINT, and its children would
        # inherit that: neither a notebook nor its kernel could be interrupted.
        self._pids[key] = self._last[key] = os.posix_spawn(
            sys.executable,
            command,
            self._environment(),
            file_actions=[empty_stdin],
            setsid=True,
            setsigdef=[signal.SIGINT],
        )

    def start_again(self, key: str) -> None:
        """Start another process for a job. If the old one goes on, it finds the job claimed."""
        if key in self._pids:
            self._late.add(self._pids[key])
        self.start(key)

    def may_claim(self, key: str) -> bool:
        """Return whether the process of a job still runs."""
        self._forget_claimed()
        return key in self._pids and not self._ended(self._pids[key])

    def exit_code(self, key: str) -> int | None:
        """Return the exit code of the process that was started last for a job, if it has ended."""
        pid = self._last.get(key)
        if pid is None or not self._ended(pid):
            return None
        return self._codes.get(pid)

    def close(self) -> None:
        """Forget processes that have ended. The others go on."""
        until = time.monotonic() + LAST_S
        self._forget_claimed()
        while self._end_soon() and time.monotonic() < until:
            time.sleep(LAST_S / 40)
            self._forget_claimed()

    def _end_soon(self) -> bool:
        """Return whether a process is about to end, since its job has a result."""
        return any(self._paths.job(key).result.exists() for key in self._pids)

    def _forget_claimed(self) -> None:
        """Forget processes that have ended after their job was claimed."""
        self._late = {pid for pid in self._late if not self._ended(pid)}
        for key, pid in list(self._pids.items()):
            if self._ended(pid) and self._paths.job(key).claim.exists():
                shutil.rmtree(temporary_folder(pid), ignore_errors=True)
                del self._pids[key]

    def _ended(self, pid: int) -> bool:
        """Return whether a child process has ended.

        If it has, its exit status is collected, so that no zombie stays.
        """
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            return True
        if found == pid:
            self._codes[pid] = os.waitstatus_to_exitcode(status)
        return found == pid
