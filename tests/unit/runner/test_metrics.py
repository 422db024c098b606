from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from jupyter_gridgpu.channels.file import FileChannel
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.runner.metrics import NEW_LIMIT, REPORT_EVERY_S, MetricsReader
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths
from jupyter_gridgpu.testing.examples import Story, small_scan

KEY = "v0001.1"


class Job:
    """A job that reports, and a view that is told of it."""

    def __init__(self, folder: Path) -> None:
        self.paths = ScanPaths(folder)
        self.copy = self.start_copy("ab12", 100)
        self.story = Story()
        self.story.run(1, None)
        self.reader = self.new_reader()

    def start_copy(self, name: str, at: float) -> CopyPaths:
        """Make a copy that an engine started at a time."""
        copy = self.paths.job(KEY).copy(name)
        copy.folder.mkdir(parents=True)
        copy.about.write_text("{}")
        os.utime(copy.about, (at, at))
        return copy

    def new_reader(self) -> MetricsReader:
        return MetricsReader(self.paths, FileChannel())

    def report(self, *values: Any, step: int | None = None, name: str = "acc") -> None:
        with open(self.copy.metrics, "a") as file:
            for value in values:
                file.write(json.dumps({"t": 1.0, "s": step, "of": 9, "m": {name: value}}) + "\n")

    def tell(self, data: dict[str, Any] | None) -> bool:
        if data is not None:
            self.story.tell("job.reported", **data)
        return data is not None

    def view(self) -> ScanView:
        return ScanView(small_scan()).apply_all(self.story.events)

    def row(self) -> Any:
        view = self.view()
        return wire.row(view, view.variants["v0001"])


def test_a_silent_job_is_not_reported(tmp_path: Path) -> None:
    job = Job(tmp_path)
    assert job.reader.read(KEY, 0.0) is None
    assert job.reader.finish(KEY) is None


def test_the_first_value_is_told_at_once_and_the_next_ones_once_a_second(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.report(0.1, step=1)
    assert job.tell(job.reader.read(KEY, 100.0))
    job.report(0.2, step=2)
    job.report(0.3, step=3)
    assert job.reader.read(KEY, 100.0 + 0.9 * REPORT_EVERY_S) is None
    assert job.tell(job.reader.read(KEY, 100.0 + REPORT_EVERY_S))
    assert job.reader.read(KEY, 200.0) is None
    assert (job.row()["step"], job.row()["steps"]) == (3, 9)
    assert job.row()["metrics"]["acc"] == {
        "last": 0.3,
        "min": 0.1,
        "max": 0.3,
        "n": 3,
        "trail": [0.1, 0.2, 0.3],
    }


def test_the_end_of_a_job_is_told_whenever_it_comes(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.report(0.1)
    job.tell(job.reader.read(KEY, 100.0))
    job.report(0.2)
    assert job.tell(job.reader.finish(KEY))
    assert job.row()["metrics"]["acc"]["last"] == 0.2
    assert job.reader.read("v0002.1", 100.0) is None


def test_a_hundred_thousand_points_are_counted_in_one_short_event(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.report(*(math.sin(i) for i in range(100_000)), step=1)
    job.report("NaN", 2, step=2)
    data = job.reader.finish(KEY)
    assert data is not None
    assert len(data["metrics"]["acc"][3]) <= NEW_LIMIT
    assert job.tell(data)
    acc = job.row()["metrics"]["acc"]
    assert (acc["n"], acc["max"], acc["last"]) == (100_002, 2, 2)


def test_a_new_runner_tells_the_same_as_one_that_went_on(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.report(0.5, 0.9, 0.1, step=1)
    job.tell(job.reader.read(KEY, 100.0))
    job.report(0.3, "Infinity", step=2)
    job.tell(job.reader.read(KEY, 200.0))
    whole = job.row()
    restarted = job.new_reader()
    assert job.tell(restarted.read(KEY, 300.0))
    assert job.row() == whole
    job.report(0.4, step=3)
    assert job.tell(restarted.finish(KEY))
    assert job.row()["metrics"]["acc"]["n"] == 6


def test_a_new_runner_that_finds_the_job_ended_counts_nothing_twice(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.report(0.5, 0.6)
    job.tell(job.reader.read(KEY, 100.0))
    assert job.tell(job.new_reader().finish(KEY))
    assert job.row()["metrics"]["acc"]["n"] == 2


def test_a_job_without_a_copy_has_nothing_to_read(tmp_path: Path) -> None:
    job = Job(tmp_path)
    assert job.reader.read("v0002.1", 0.0) is None
    assert job.reader.finish("v0002.1") is None


def test_a_copy_that_takes_over_is_told_from_its_beginning(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.report(0.1, 0.2, 0.9, step=3)
    job.tell(job.reader.read(KEY, 100.0))
    job.copy = job.start_copy("0001", 200)
    job.report(0.3, step=1)
    assert job.tell(job.reader.read(KEY, 200.0))
    assert (job.row()["step"], job.row()["metrics"]["acc"]) == (
        1, {"last": 0.3, "min": 0.3, "max": 0.3, "n": 1, "trail": [0.3]},
    )  # fmt: skip


def test_of_two_copies_the_one_whose_result_counts_is_told_in_the_end(tmp_path: Path) -> None:
    job = Job(tmp_path)
    job.report(0.1, 0.2)
    job.tell(job.reader.read(KEY, 100.0))
    first, job.copy = job.copy, job.start_copy("0001", 200)
    job.report(0.7)
    job.tell(job.reader.read(KEY, 200.0))
    assert job.tell(job.reader.finish(KEY, str(first.notebook.relative_to(tmp_path))))
    assert job.row()["metrics"]["acc"]["trail"] == [0.1, 0.2]
