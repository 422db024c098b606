"""What can go wrong, as a user meets it.

    GridGpuError                 base of all; the text is meant for the user        (exit code 1)
    +-- UsageError               what was asked for is wrong; nothing was started   (exit code 2)
    |   +-- SpaceError           the cell body or a `-p` expression
    |   +-- NotebookError        the notebook, its kernel or its parameters
    |   +-- UnknownScan          no scan of that name, id or folder
    |   +-- UnknownJob           no such variant or attempt, or no such file of the job
    |   +-- ForeignScan          the scan is not this user's, and is only looked at
    +-- BackendError             the batch system refused, or something is missing  (exit code 3)
    |   +-- Unreachable          no answer for now; the jobs may have been taken or not
    |       +-- AnswerPending    another process is asking, and its answer is near
    |       +-- QueueFull        no more jobs of this user are taken for now
    +-- StorageError             a scan folder cannot be read or written            (exit code 3)
    |   +-- ScanLocked           another runner owns the scan
    |   +-- DamagedRecord        a file holds something else than it should
    +-- RehearsalFailed          the first variant failed; the scan was not sent    (exit code 1)

Every message is one sentence or two for the user: what is wrong, where, what to do. The command
line prints the message and ends with the exit code.
"""

from __future__ import annotations

TEXT_LIMIT = 300


class GridGpuError(Exception):
    """Base of all errors whose text is meant for the user.

    The text is one line of at most TEXT_LIMIT characters, since names and values of users may
    stand in it, and these may be long, or have ends of lines or controls of terminals in them.
    """

    exit_code = 1

    def __str__(self) -> str:
        """Return the text as one bounded line that can be written as UTF-8."""
        # Bytes of a name that are no UTF-8 are lone surrogates in Python, which no output takes.
        text = super().__str__().encode("utf-8", "backslashreplace").decode("utf-8")
        printable = (char if char.isprintable() else " " for char in text)
        line = " ".join("".join(printable).split())
        if len(line) <= TEXT_LIMIT:
            return line
        return line[: TEXT_LIMIT - 1] + "…"


class UsageError(GridGpuError):
    """What was asked for is wrong; nothing was started."""

    exit_code = 2


class SpaceError(UsageError):
    """The hyper-parameter space cannot be understood or is impossible."""


class NotebookError(UsageError):
    """The notebook is missing, is no notebook, or does not take the parameters."""


class UnknownScan(UsageError):
    """There is no scan of that name, id or folder."""


class UnknownJob(UsageError):
    """The scan has no such variant or attempt, or the job left no such file."""


class ForeignScan(UsageError):
    """The scan belongs to somebody else, or may: it can be looked at, and is not run."""


class BackendError(GridGpuError):
    """The batch system refused, or something that the backend needs is missing."""

    exit_code = 3


class Unreachable(BackendError):
    """The batch system does not answer for now; it may have taken the last jobs sent, or not.

    The runner tries again later, and asks first which jobs the batch system has.
    """


class AnswerPending(Unreachable):
    """Another process is asking the batch system; its answer is near."""


class QueueFull(Unreachable):
    """The batch system takes no more jobs of this user for now; it did not take these."""


class StorageError(GridGpuError):
    """A scan folder cannot be read or written."""

    exit_code = 3


class ScanLocked(StorageError):
    """Another runner owns the scan."""


class DamagedRecord(StorageError):
    """A record holds something else than it should; the text names the file and the key."""


class RehearsalFailed(GridGpuError):
    """The rehearsal of a scan failed, so the scan was not sent."""
