"""Metrics of a job: taken from a notebook's sources, bounded, and written for the runner."""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.channels.file import FileChannel
from jupyter_gridgpu.model.metrics import NAMES_PER_JOB, Reading
from jupyter_gridgpu.store.paths import JobPaths
from jupyter_gridgpu.worker.metrics import recorder as job_metrics
from jupyter_gridgpu.worker.metrics.recorder import MetricsRecorder


class Sources:
    """The metrics that a job records, and what its runner reads of them."""

    def __init__(self, folder: Path) -> None:
        self.job = JobPaths(folder)
        self.job.copy("ab").folder.mkdir()
        self.reports = folder / "reports.jsonl"
        self.metrics = MetricsRecorder(self.job.copy("ab").metrics, self.reports)

    def append(self, text: str) -> None:
        with open(self.reports, "a", encoding="utf-8", errors="surrogatepass") as file:
            file.write(text)

    def read(self) -> list[Reading]:
        channel, cursor, found = FileChannel(), None, list[Reading]()
        while True:
            readings, after = channel.read(self.job.copy("ab"), cursor)
            found += readings
            if after == cursor:
                return found
            cursor = after

    def values(self) -> list[dict[str, float]]:
        return [reading.values for reading in self.read()]


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Sources]:
    sources = Sources(tmp_path)
    yield sources
    sources.metrics.close()


def test_what_a_notebook_reports_arrives_with_its_epoch(job: Sources) -> None:
    job.append('{"epoch": 3, "epochs": 20, "loss": 0.5}\n{"step": 4, "loss": NaN}\n{"acc": 1')
    job.metrics.drain_reports()
    job.append("}\n")
    job.metrics.drain_reports()
    first, second, third = job.read()
    assert (first.step, first.steps, first.values) == (3, 20, {"loss": 0.5})
    assert (second.step, math.isnan(second.values["loss"])) == (4, True)
    assert (third.step, third.values) == (None, {"acc": 1})
    assert job.metrics.last_step == 4
    assert job.metrics.names == {"loss", "acc"}


def test_a_hundred_thousand_points_arrive(job: Sources) -> None:
    line = (
        '{{"epoch": {0}, "validation_loss_of_the_light_jets": {0}.5,'
        ' "validation_accuracy_of_the_light_jets": 0}}\n'
    )
    # Two points a line, and more than is read at once.
    job.append("".join(line.format(epoch) for epoch in range(50_000)))
    job.metrics.drain_reports()
    assert sum(len(values) for values in job.values()) == 100_000
    assert job.metrics.last_step == 49_999


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        '"x"',
        "[" * 100_000,
        "\x00",
        "\ud800",
        '{"a": ' + "9" * 5000 + "}",
    ],
)
def test_a_line_that_is_no_report_is_skipped(job: Sources, text: str) -> None:
    job.append(text + '\n{"loss": 1}\n')
    job.metrics.drain_reports()
    assert job.values() == [{"loss": 1}]


REPORTS = st.dictionaries(
    st.text(max_size=8) | st.sampled_from(["epoch", "step", "epochs", "steps"]),
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.integers(), max_size=2),
)


@given(st.lists(REPORTS, max_size=5))
def test_no_report_is_too_odd_and_all_that_is_written_is_strict_json(
    reports: list[dict[str, Any]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        job = Sources(Path(folder))
        for report in reports:
            job.metrics.take(report, strength=2)
        job.metrics.close()
        for line in job.job.copy("ab").metrics.read_text().splitlines():
            json.loads(line, parse_constant=pytest.fail)


def test_a_stronger_source_silences_a_weaker_one_for_its_metrics(job: Sources) -> None:
    job.metrics.take_printed(["Epoch 1/2", "9/9 - loss: 3 - acc: 0.1"])
    job.metrics.take({"epoch": 1, "loss": 1}, strength=2)
    for line in ("Epoch 2/2", "9/9 - loss: 4 - acc: 0.2"):
        job.metrics.take_printed([line])
    job.metrics.take_display({"application/scrapbook.scrap.json+json": {"name": "loss", "data": 9}})
    assert job.values() == [{"loss": 3, "acc": 0.1}, {"loss": 1}, {"acc": 0.2}]


def test_glue_of_a_number_is_a_metric_and_of_anything_else_is_not(job: Sources) -> None:
    kind = "application/scrapbook.scrap.json+json"
    odd: list[Any] = [
        None,
        [],
        "x",
        {},
        {"name": 3, "data": 1},
        {"name": "a"},
        {"name": "a", "data": [1]},
        {"name": "a", "data": "x"},
    ]
    for scrap in odd:
        job.metrics.take_display({kind: scrap})
    job.metrics.take_display({"text/plain": "0.5"})
    assert job.values() == []
    job.metrics.take_display({kind: {"name": "auc", "data": 0.5}})
    assert job.values() == [{"auc": 0.5}]


def test_only_so_many_names_are_taken(job: Sources) -> None:
    for number in range(100):
        job.metrics.take({f"m{number}": number}, strength=2)
    job.metrics.take({"m0": 5, "m99": 5}, strength=2)
    assert len(job.metrics.names) == NAMES_PER_JOB
    assert job.values()[-1] == {"m0": 5}


def test_hostile_names_arrive_harmless(job: Sources) -> None:
    job.metrics.take({"<script>": 1, "a\x1b[2J\n": 2, "n" * 10_000: 3, "\ud800": 4}, strength=2)
    (values,) = job.values()
    assert all(name.isprintable() and len(name) <= 80 for name in values)


def test_an_epoch_without_metrics_is_progress(job: Sources) -> None:
    job.metrics.take({"epoch": 2, "note": "text"}, strength=2)
    job.metrics.take({"note": "text"}, strength=2)
    assert [(reading.step, reading.values) for reading in job.read()] == [(2, {})]


def test_a_heartbeat_carries_what_the_job_uses_and_no_metric(job: Sources) -> None:
    job.metrics.write_heartbeat({"cpu": 0.5, "memory_mb": 80.0})
    assert [(reading.values, reading.usage) for reading in job.read()] == [
        ({}, {"cpu": 0.5, "memory_mb": 80.0})
    ]
    assert "beat" in job.job.copy("ab").metrics.read_text()


def test_a_file_of_metrics_does_not_grow_without_end(
    job: Sources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_metrics, "FILE_LIMIT", 1000)
    for step in range(1000):
        job.metrics.take({"loss": step}, strength=2)
    assert job.job.copy("ab").metrics.stat().st_size <= 1000
    assert job.values()[0] == {"loss": 0}


@pytest.mark.parametrize(
    ("end", "values"),
    [
        ('{"acc": 5}', [{"loss": 1}, {"acc": 5}]),
        ('{"acc": 5', [{"loss": 1}]),
        ('{"acc": 5}\n', [{"loss": 1}, {"acc": 5}]),
        ("x" * 2_000_000, [{"loss": 1}]),
        ("", [{"loss": 1}]),
    ],
)
def test_the_last_line_counts_with_or_without_its_newline(
    job: Sources, end: str, values: list[dict[str, float]]
) -> None:
    job.append('{"loss": 1}\n' + end)
    job.metrics.drain_reports()
    job.metrics.close()
    assert job.values() == values
    job.metrics = MetricsRecorder(job.job.copy("ab").metrics, job.reports.with_name("none"))
