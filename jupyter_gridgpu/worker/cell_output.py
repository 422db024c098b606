"""Passes what cells print to the log and the metrics, and bounds how much a notebook keeps."""

from __future__ import annotations

from collections.abc import Callable

from jupyter_gridgpu.worker.metrics.lines import TerminalLines
from jupyter_gridgpu.worker.metrics.recorder import MetricsRecorder

# Characters of printed output that one cell may leave in the notebook. A notebook that prints for
# days would become too large to be saved every few seconds, and to be opened.
OUTPUT_LIMIT = 8 * 1024 * 1024


class CellOutput:
    """The printed text of a notebook's cells, on its way to the log and the metrics."""

    def __init__(self, log: Callable[[str], None], metrics: MetricsRecorder) -> None:
        self._log = log
        self._metrics = metrics
        self._lines: dict[str, TerminalLines] = {}  # by stream: stdout, stderr
        self._printed = 0  # characters of the cell that runs

    def start_cell(self) -> None:
        """Begin to count the output of a cell."""
        self._printed = 0

    def add(self, stream: str, text: str, cell: int | None) -> bool:
        """Read text that `cell` printed, and return whether the notebook should keep the text.

        Log and metrics get all lines, also those past OUTPUT_LIMIT.
        """
        for line in self._lines.setdefault(stream, TerminalLines()).feed(text):
            self._take_line(line)
        before = self._printed
        self._printed += len(text)
        if self._printed <= OUTPUT_LIMIT:
            return True
        # The log gets this line only once, for the text that crosses the limit.
        if before <= OUTPUT_LIMIT:
            limit_mb = OUTPUT_LIMIT // 2**20
            self._log(f"Cell {cell} printed more than {limit_mb} MB; the rest is not kept.")
        return False

    def end_cell(self) -> None:
        """Take the last line of each stream, which may lack its newline, and the last reports."""
        for lines in self._lines.values():
            line = lines.finish()
            if line:
                self._take_line(line)
        self._metrics.drain_reports()

    def _take_line(self, line: str) -> None:
        self._log(line)
        self._metrics.take_printed(line)
