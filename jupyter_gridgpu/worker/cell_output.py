"""Passes what cells print to the log and the metrics, and bounds how much a notebook keeps."""

from __future__ import annotations

from typing import Any

from jupyter_gridgpu.model.escapes import without_escapes
from jupyter_gridgpu.worker.job_log import JobLog
from jupyter_gridgpu.worker.kept_output import KeptOutput, size_of
from jupyter_gridgpu.worker.metrics.lines import TerminalLines
from jupyter_gridgpu.worker.metrics.recorder import MetricsRecorder


class CellOutput:
    """The outputs of a notebook's cells, on their way to the log, the metrics and the notebook.

    `kept` bounds what the cell that runs leaves in the notebook.
    """

    def __init__(self, log: JobLog, metrics: MetricsRecorder) -> None:
        self._log = log
        self._metrics = metrics
        self._lines: dict[str, TerminalLines] = {}  # by stream: stdout, stderr
        self._cell: Any = None
        self._sizes: dict[str, int] = {}  # of displays that may be updated, by their id
        self.kept = KeptOutput()

    def start_cell(self, cell: Any) -> None:
        """Begin with the outputs of a cell."""
        self._cell = cell
        self.kept.clear()

    def read(self, stream: str, text: str) -> None:
        """Pass printed text on to the log and the metrics, line by line."""
        self._take_lines(self._lines.setdefault(stream, TerminalLines()).feed(text))

    def read_error(self, traceback: list[str]) -> None:
        """Write a traceback into the log, which is what people look at first."""
        self.end_lines()
        lines = without_escapes("\n".join(traceback)).split("\n")
        self._log.add([line for line in lines if line.strip("- ")])

    def accepts_display(self, data: Any, display_id: str | None, update: bool) -> bool:
        """Return whether the notebook keeps a display, or the update of one."""
        before = self._sizes.get(display_id, 0) if display_id and update else 0
        if update and not before:
            return True  # of a display that the notebook does not have
        accepted = self.kept.accepts_display(data, before)
        if accepted and display_id:
            self._sizes[display_id] = size_of(data)
        return accepted

    def flush_if_due(self) -> None:
        """Write lines to the log that have waited for some time."""
        self._log.flush_if_due()

    def refresh(self) -> None:
        """Make the outputs of the cell that runs say what was left out."""
        outputs = self._cell.get("outputs") if self._cell is not None else None
        if outputs is not None:
            self.kept.logged = not self._log.full
            self.kept.refresh(outputs)

    def end_lines(self) -> None:
        """Take the last line of each stream, which may lack its newline."""
        self._take_lines([line for lines in self._lines.values() if (line := lines.finish())])

    def end_cell(self) -> None:
        """Take what is left of the cell that ran: last lines, reports, what was left out."""
        self.end_lines()
        self.refresh()
        self._log.flush()
        self._metrics.drain_reports()

    def _take_lines(self, lines: list[str]) -> None:
        self._log.add(lines)
        self._metrics.take_printed(lines)
