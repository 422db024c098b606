"""Ends the cell that runs: what the job started first, and then the kernel.

The order lets everything save. A command that a cell started (`!python train.py`) gets SIGINT
first and is waited for, since IPython kills it half a second after the kernel was interrupted.
Then the kernel is interrupted. At half of the grace the commands get SIGTERM, and the kernel is
interrupted again. At the end of the grace everything is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_gridgpu.worker.usage import job_processes

LOOK_EVERY_S = 0.05
# A kernel that neither computes nor writes for so long after an interrupt does not save. Python
# needs 0.2 s for a KeyboardInterrupt. This shortcut is taken only without --grace.
QUIET_S = 3.0
BUSY_CORES = 0.02  # less is the idle of a kernel
SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish", "csh", "tcsh"})
# Words in the commands of processes that compute for their parent, which multiprocessing, joblib
# and PyTorch start. They are interrupted together with the kernel.
_HELPERS = ("multiprocessing", "loky")


@dataclass(frozen=True)
class Grace:
    """How long saving may take; `asked` says whether the user gave this time."""

    seconds: float
    asked: bool


class Interruption:
    """Ends one cell. `run` is cancelled as soon as the cell has ended."""

    def __init__(self, manager: Any, grace: Grace, log: Callable[[str], None]) -> None:
        """`manager` is the kernel's manager of jupyter_client."""
        self._manager = manager
        self._grace = grace
        self._log = log
        self._end = time.monotonic() + grace.seconds
        self._half = time.monotonic() + grace.seconds / 2

    async def run(self) -> None:
        """Interrupt the cell, and kill the kernel if the cell goes on all the same."""
        kernel = _kernel_pid(self._manager)
        commands = _commands(kernel)
        for process in commands:
            _send(process, signal.SIGINT)
        while time.monotonic() < self._half and any(map(_saves, commands)):
            await asyncio.sleep(LOOK_EVERY_S)
        deaf = _ignores_interrupts(kernel)
        await _quietly(self._manager.interrupt_kernel)
        await self._wait(self._half, deaf)
        if time.monotonic() >= self._half:
            self._terminate(kernel)
            await _quietly(self._manager.interrupt_kernel)
            await self._wait(self._end, deaf)
        self._log("The cell went on after the interrupt; its kernel is killed.")
        await _quietly(self._manager.shutdown_kernel, now=True)

    async def _wait(self, until: float, deaf: bool) -> None:
        """Wait for the cell's end, until a time or until nothing seems to be saved any more."""
        quiet_since = time.monotonic()
        before = _work()
        while time.monotonic() < until:
            await asyncio.sleep(min(LOOK_EVERY_S, max(until - time.monotonic(), 0.0)))
            now = time.monotonic()
            if now - quiet_since < QUIET_S:
                continue
            work = _work()
            if not self._grace.asked and (deaf or not work.more_than(before, now - quiet_since)):
                return
            before, quiet_since = work, now

    def _terminate(self, kernel: int | None) -> None:
        """Send SIGTERM to the commands that still run, and to their process groups."""
        own = {os.getpgid(0), _group(kernel)}
        groups = set()
        for process in _commands(kernel):
            group = _group(process.pid)
            if group is None or group in own:
                _send(process, signal.SIGTERM)
            else:
                groups.add(group)
        for group in groups:
            with contextlib.suppress(OSError):
                os.killpg(group, signal.SIGTERM)


@dataclass(frozen=True)
class _Work:
    """What the processes of the job have done so far."""

    cpu_s: float
    written: int  # bytes

    def more_than(self, before: _Work, seconds: float) -> bool:
        """Return whether the job has worked since `before`, which was `seconds` ago."""
        busy = abs(self.cpu_s - before.cpu_s) > BUSY_CORES * seconds
        return busy or self.written != before.written


def _work() -> _Work:
    cpu_s, written = 0.0, 0
    for process in job_processes():
        with contextlib.suppress(Exception):  # it has just ended
            times = process.cpu_times()
            cpu_s += times.user + times.system
        with contextlib.suppress(Exception):  # macOS has no such counters
            written += process.io_counters().write_bytes
    return _Work(cpu_s, written)


def _kernel_pid(manager: Any) -> int | None:
    pid = getattr(getattr(manager, "provisioner", None), "pid", None)
    return pid if isinstance(pid, int) else None


def _commands(kernel: int | None) -> list[Any]:
    """Return the processes that cells started as commands, as psutil.Process objects."""
    processes = {process.pid: process for process in job_processes()}
    own = _command_line(processes.get(kernel or 0))
    found = []
    for process in processes.values():
        line = _command_line(process)
        if process.pid == kernel or not line or line == own:
            continue
        if not any(word in argument for argument in line for word in _HELPERS):
            found.append(process)
    return found


def _command_line(process: Any) -> list[str]:
    with contextlib.suppress(Exception):  # it has just ended
        return list(process.cmdline())
    return []


def _saves(process: Any) -> bool:
    """Return whether a command that got SIGINT is worth waiting for."""
    with contextlib.suppress(Exception):  # it has ended
        if not process.is_running() or process.status() == "zombie":
            return False
        # A shell has nothing to save; what it started is looked at itself.
        return process.name() not in SHELLS and not _ignores_interrupts(process.pid)
    return False


def _ignores_interrupts(pid: int | None) -> bool:
    """Return whether a process ignores SIGINT; False where the system does not tell."""
    for name, value in _status_lines(pid):
        if name == "SigIgn":
            return bool(int(value, 16) >> (signal.SIGINT - 1) & 1)
    return False


def _status_lines(pid: int | None) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            name, _, value = line.partition(":")
            yield name, value.strip()


def _group(pid: int | None) -> int | None:
    with contextlib.suppress(OSError):
        return os.getpgid(pid) if pid else None
    return None


def _send(process: Any, number: int) -> None:
    with contextlib.suppress(Exception):  # it has just ended
        process.send_signal(number)


async def _quietly(ask: Callable[..., Any], **options: Any) -> None:
    """Ask the kernel's manager, and ignore its failure: the kernel is ended by other means."""
    with contextlib.suppress(Exception):
        result = ask(**options)
        if inspect.isawaitable(result):
            await result
