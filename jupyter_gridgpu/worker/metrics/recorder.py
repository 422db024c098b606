"""Metrics of one job: gathered from every source a notebook has, bounded, and written as lines of metrics.jsonl."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.metrics import NAMES_PER_JOB, Reading, clean_step, clean_values
from jupyter_gridgpu.store.tail import read_lines
from jupyter_gridgpu.worker.disk_retry import patiently
from jupyter_gridgpu.worker.metrics.keras_output import KerasOutput

FILE_LIMIT = 256 * 1024 * 1024
UNSENT_LIMIT = 4 * 1024 * 1024
STEP_NAMES = ("epoch", "step")
TOTAL_NAMES = ("epochs", "steps")


class MetricsRecorder:
    """What a job reported so far, and the file it is written to.

    Sources, the strongest first: lines appended to the report file, scrapbook's glue, Keras' printed progress. A metric
    that a stronger source gave is not taken from a weaker one.
    """

    def __init__(self, path: Path, reports: Path) -> None:
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._unsent = b""  # what a full disk has not taken yet
        self._reports = reports
        self._cursor = 0
        self._size = 0
        self._strength: dict[str, int] = {}
        self._keras = KerasOutput()
        self.last_step: int | None = None

    @property
    def names(self) -> set[str]:
        return set(self._strength)

    def drain_reports(self) -> None:
        """Take what the notebook appended to its report file since the last call."""
        before = -1
        while before != self._cursor:
            before = self._cursor
            lines, self._cursor = read_lines(self._reports, self._cursor)
            for line in lines:
                self._reported(line)

    def _reported(self, line: bytes) -> None:
        try:
            body = json.loads(line)
        except (ValueError, RecursionError):
            return
        if isinstance(body, dict):
            self.take(body, strength=2)

    def printed(self, line: str) -> None:
        """Take a finished line of the notebook's output."""
        if found := self._keras.line(line):
            self.take(found, strength=0)

    def glued(self, data: dict[str, Any]) -> None:
        """Take a display that scrapbook's glue() made."""
        scrap = data.get("application/scrapbook.scrap.json+json")
        if isinstance(scrap, dict) and isinstance(scrap.get("name"), str):
            self.take({scrap["name"]: scrap.get("data")}, strength=1)

    def take(self, raw: dict[Any, Any], strength: int) -> None:
        """Write one reading; names past the limit of a job are dropped."""
        raw = dict(raw)
        step = _first([clean_step(raw.pop(name, None)) for name in STEP_NAMES])
        steps = _first([clean_step(raw.pop(name, None)) for name in TOTAL_NAMES])
        values = {
            name: value for name, value in clean_values(raw).items() if self._accept(name, strength)
        }
        if values or step is not None:
            self._write(Reading(time.time(), step, steps, values))
        self.last_step = step if step is not None else self.last_step

    def heartbeat(self, usage: dict[str, float]) -> None:
        self._line({"t": round(time.time(), 3), "beat": usage})

    def close(self) -> None:
        with contextlib.suppress(OSError):
            patiently(self._send)
        os.close(self._handle)

    def _accept(self, name: str, strength: int) -> bool:
        held = self._strength.get(name)
        if held is None and len(self._strength) >= NAMES_PER_JOB:
            return False
        self._strength[name] = max(strength, held or 0)
        return held is None or strength >= held

    def _write(self, reading: Reading) -> None:
        head = {"t": round(reading.time, 3), "s": reading.step, "of": reading.steps}
        self._line(
            {**head, "m": {name: numbers.encode(value) for name, value in reading.values.items()}}
        )

    def _line(self, body: dict[str, Any]) -> None:
        text = json.dumps(body, separators=(",", ":")) + "\n"
        self._size += len(text)
        if self._size > FILE_LIMIT:
            return
        if len(self._unsent) < UNSENT_LIMIT:
            self._unsent += text.encode()
        with contextlib.suppress(
            OSError
        ):  # the next line tries again; a training does not fail for its metrics
            self._send()

    def _send(self) -> None:
        while self._unsent:
            self._unsent = self._unsent[os.write(self._handle, self._unsent) :]


def _first(values: list[int | None]) -> int | None:
    return next((value for value in values if value is not None), None)
