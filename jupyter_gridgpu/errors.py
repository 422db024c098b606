"""What can go wrong, as a user meets it.

    GridGpuError
    +-- UsageError      what was asked for is wrong; nothing was started           (exit code 2)
    |   +-- SpaceError      the cell body or a `-p` expression
    |   +-- NotebookError   the notebook, its kernel or its parameters
    |   +-- UnknownScan     no scan of that name, id or folder
    |   +-- UnknownJob      the scan has no such variant or attempt, or the job left no such file
    +-- EngineError     the engine refused or could not be reached                 (exit code 3)
    |   +-- Unreachable     it does not answer; whether it took what was sent is not known
    |       +-- Underway        it is being asked, and the answer is near
    +-- StorageError    a scan folder cannot be read or written                    (exit code 3)
        +-- ScanLocked      another runner owns the scan

Every message is one sentence or two for the user: what is wrong, where, what to do.
"""

from __future__ import annotations

TEXT_LIMIT = 300


class GridGpuError(Exception):
    """Base of all errors whose text is meant for the user: one line, bounded, whatever a name or a value in it holds."""

    exit_code = 1

    def __str__(self) -> str:
        line = " ".join(super().__str__().split())
        return line if len(line) <= TEXT_LIMIT else line[: TEXT_LIMIT - 1] + "…"


class UsageError(GridGpuError):
    exit_code = 2


class SpaceError(UsageError):
    """The hyper-parameter space cannot be understood or is impossible."""


class NotebookError(UsageError):
    """The notebook is missing, is not one, or does not take the parameters."""


class UnknownScan(UsageError):
    """No scan of that name, id or folder."""


class UnknownJob(UsageError):
    """The scan has no such variant or attempt, or the job left no such file."""


class BackendError(GridGpuError):
    exit_code = 3


class Unreachable(BackendError):
    """The engine does not answer, for now; whether it took what was sent last is not known."""


class Underway(Unreachable):
    """The engine is being asked by another process; the answer is near."""


class Full(Unreachable):
    """The engine takes no more jobs of this user, for now; it did not take these."""


class StorageError(GridGpuError):
    exit_code = 3


class ScanLocked(StorageError):
    """Another runner owns the scan."""


class RehearsalFailed(GridGpuError):
    """The rehearsal of a scan failed, so the scan was not sent."""
