"""The processes that send batches to PanDA.

PanDA takes minutes to accept a batch. Each process runs client.py and leaves the answer in the
folder of its batch, so that the next runner finds the answer, too:

    batches/b0001/answer.json    {"answer": {"id": ...}}, or the error
"""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

from jupyter_gridgpu.backends.batch.batches import Batch
from jupyter_gridgpu.backends.panda import client_call
from jupyter_gridgpu.errors import AnswerPending, Unreachable
from jupyter_gridgpu.store.opener import read_bounded
from jupyter_gridgpu.store.paths import ScanPaths

ANSWER_BYTES = 1_000_000
CLOSE_TIMEOUT_S = 5


class BatchSenders:
    """The processes that send batches, one for each batch that is under way."""

    def __init__(self, paths: ScanPaths) -> None:
        self._paths = paths
        self._sending: dict[str, subprocess.Popen[bytes]] = {}  # by the name of the batch
        # Processes that have answered and end by themselves. They are kept until they have ended,
        # so that no zombie stays.
        self._leaving: list[subprocess.Popen[bytes]] = []

    def start(self, batch: Batch) -> None:
        """Start a process that sends a batch. Raises OSError."""
        arguments = {"folder": str(self._paths.folder), "batch": batch.name}
        answer_file = _answer_of(batch)
        self._sending[batch.name] = client_call.start("send", arguments, answer_file)

    def answer(self, batch: Batch) -> str:
        """Return the id of a batch.

        Raises AnswerPending while the id is not known, Unreachable if PanDA did not answer, and
        BackendError if PanDA refused the batch.
        """
        self._leaving = [process for process in self._leaving if process.poll() is None]
        answer_file = _answer_of(batch)
        process = self._sending.get(batch.name)
        if not answer_file.exists():
            # The process may have died, or a runner that was killed may have started it.
            if process is None or process.poll() is not None:
                self.start(batch)
            raise AnswerPending("It is being sent.")
        if process is not None:
            self._leaving.append(self._sending.pop(batch.name))
        try:
            text = read_bounded(answer_file, ANSWER_BYTES).decode("utf-8", "replace")
            answer = client_call.unpacked(text)
        except Unreachable:
            # Without this answer, the next call starts another process.
            answer_file.unlink()
            raise
        return str(answer["id"])

    def close(self) -> None:
        """Wait for processes that have answered."""
        for process in self._leaving:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(CLOSE_TIMEOUT_S)


def _answer_of(batch: Batch) -> Path:
    """Return the file into which the process that sends a batch writes its answer."""
    return batch.folder / "answer.json"
