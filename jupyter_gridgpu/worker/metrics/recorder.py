"""Collects the metrics of one job from all sources, bounds them, and writes metrics.jsonl."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.metrics import NAMES_PER_JOB, Reading, clean_step, clean_values
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import APPEND, plain_handle
from jupyter_gridgpu.store.tail import read_lines, read_rest
from jupyter_gridgpu.worker.disk_retry import retry_while_disk_is_away
from jupyter_gridgpu.worker.metrics.keras_output import KerasOutput

FILE_LIMIT = 256 * 1024 * 1024  # bytes of a metrics file; later lines are dropped
UNWRITTEN_LIMIT = 4 * 1024 * 1024  # bytes kept in memory while the disk takes none
STEP_NAMES = ("epoch", "step")
TOTAL_NAMES = ("epochs", "steps")
# The strength of each source: Keras's output, scrapbook's glue, the report file.
PRINTED, GLUED, REPORTED = 0, 1, 2


class MetricsRecorder:
    """Collects what a job reported, and writes it to the job's metrics file.

    The sources, the strongest first: lines appended to the report file, scrapbook's glue, and the
    progress that Keras prints. A metric that a stronger source gave is not taken from a weaker one.
    """

    def __init__(self, path: Path, reports: Path) -> None:
        """Open the metrics file `path`; `reports` is the file that the notebook appends to."""
        self._handle = plain_handle(path, APPEND)
        self._unwritten = b""  # what a full disk has not taken yet
        self._reports = reports
        self._cursor = 0  # bytes of the report file that were read
        self._size = 0
        self._strength: dict[str, int] = {}  # metric -> the strongest source that gave it
        self._keras = KerasOutput()
        self.last_step: int | None = None

    @property
    def names(self) -> set[str]:
        """The names of the metrics that were reported."""
        return set(self._strength)

    def drain_reports(self) -> None:
        """Take what the notebook appended to its report file since the last call."""
        before = -1
        # One call of read_lines() is bounded, so it is called until it has nothing new.
        while before != self._cursor:
            before = self._cursor
            lines, self._cursor = read_lines(self._reports, self._cursor)
            for line in lines:
                self._take_report(line)

    def _take_report(self, line: bytes) -> None:
        # A notebook may write anything into the file: what is no JSON object is skipped.
        try:
            body = parse_json(line)
        except ValueError:
            return
        if isinstance(body, dict):
            self.take(body, strength=REPORTED)

    def take_printed(self, lines: Sequence[str]) -> None:
        """Take finished lines of the notebook's output."""
        if not self._keras.may_hold(lines):
            return
        for line in lines:
            if found := self._keras.read_line(line):
                self.take(found, strength=PRINTED)

    def take_display(self, data: dict[str, Any]) -> None:
        """Take the data of a display, by MIME type, that scrapbook's glue() may have made."""
        scrap = data.get("application/scrapbook.scrap.json+json")
        if isinstance(scrap, dict) and isinstance(scrap.get("name"), str):
            self.take({scrap["name"]: scrap.get("data")}, strength=GLUED)

    def take(self, raw: dict[Any, Any], strength: int) -> None:
        """Write one reading of a source; metrics past NAMES_PER_JOB are dropped."""
        raw = dict(raw)
        step = _take_count(raw, STEP_NAMES)
        steps = _take_count(raw, TOTAL_NAMES)
        cleaned = clean_values(raw)
        values = {name: cleaned[name] for name in cleaned if self._accept(name, strength)}
        # A step without a metric is progress, and the table shows that too.
        if values or step is not None:
            self._write_reading(Reading(time.time(), step, steps, values))
        if step is not None:
            self.last_step = step

    def write_heartbeat(self, usage: dict[str, float]) -> None:
        """Write what the job uses now: cpu (cores), memory_mb, gpu (%), gpu_memory_mb."""
        self._write_line({"t": round(time.time(), 3), "beat": usage})

    def close(self) -> None:
        """Take the last report, write what the disk has not taken yet, and close the file.

        The job has ended, so that a last line without its newline is complete: whoever wrote it
        writes no more. A full disk is waited for, for minutes if needed.
        """
        with contextlib.suppress(OSError):
            self.drain_reports()
            self._take_report(read_rest(self._reports, self._cursor))
        with contextlib.suppress(OSError):
            retry_while_disk_is_away(self._write_out)
        os.close(self._handle)

    def _accept(self, name: str, strength: int) -> bool:
        """Return whether a metric is taken from a source, and note the strongest source."""
        strongest = self._strength.get(name)
        if strongest is None:
            if len(self._strength) >= NAMES_PER_JOB:
                return False
            self._strength[name] = strength
            return True
        self._strength[name] = max(strength, strongest)
        return strength >= strongest

    def _write_reading(self, reading: Reading) -> None:
        values = {name: numbers.encode(value) for name, value in reading.values.items()}
        body = {"t": round(reading.time, 3), "s": reading.step, "of": reading.steps, "m": values}
        self._write_line(body)

    def _write_line(self, body: dict[str, Any]) -> None:
        text = json.dumps(body, separators=(",", ":")) + "\n"
        self._size += len(text)
        if self._size > FILE_LIMIT:
            return
        if len(self._unwritten) < UNWRITTEN_LIMIT:
            self._unwritten += text.encode()
        # A training must not fail because of its metrics. The next call tries again.
        with contextlib.suppress(OSError):
            self._write_out()

    def _write_out(self) -> None:
        while self._unwritten:
            written = os.write(self._handle, self._unwritten)
            self._unwritten = self._unwritten[written:]


def _take_count(raw: dict[Any, Any], names: Sequence[str]) -> int | None:
    """Remove `names` from a report, and return the first of them that is a sound step."""
    counts = [clean_step(raw.pop(name, None)) for name in names]
    for count in counts:
        if count is not None:
            return count
    return None
