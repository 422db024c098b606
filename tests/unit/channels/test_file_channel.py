"""The channel `file`: what is read of a metrics file, and what is dropped."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.channels.file import FileChannel
from jupyter_gridgpu.channels.metrics_file import parse_reading
from jupyter_gridgpu.model.metrics import NAMES_PER_JOB
from jupyter_gridgpu.store.paths import CopyPaths


def line(**metrics: object) -> str:
    return json.dumps({"t": 1.0, "s": 2, "of": 3, "m": metrics}) + "\n"


def test_a_copy_that_wrote_nothing_has_nothing_to_read(tmp_path: Path) -> None:
    assert FileChannel().read(CopyPaths(tmp_path / "ab"), None) == ([], 0)


def test_each_reading_is_read_once(tmp_path: Path) -> None:
    copy, channel = CopyPaths(tmp_path / "ab"), FileChannel()
    copy.folder.mkdir()
    readings, cursor = channel.read(copy, None)
    assert readings == []
    text = line(acc=0.5) + line(acc=0.6)
    copy.metrics.write_text(text[:-3])
    readings, cursor = channel.read(copy, cursor)
    assert [(one.time, one.step, one.steps, one.values) for one in readings] == [
        (1.0, 2, 3, {"acc": 0.5})
    ]
    copy.metrics.write_text(text)
    readings, cursor = channel.read(copy, cursor)
    assert [reading.values for reading in readings] == [{"acc": 0.6}]
    assert channel.read(copy, cursor) == ([], cursor)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        "[]",
        "3",
        '"x"',
        "{}",
        '{"t": 1}',
        '{"m": {}}',
        '{"t": 1, "m": []}',
        '{"t": 1, "m": null}',
        '{"t": 1, "m": "acc"}',
        '{"t": 1.0, "beat": {"other": 1}}',
        '{"t": 1.0, "beat": {"cpu": "NaN"}}',
        '{"t": 1.0, "beat": 3}',
        "[" * 100_000,
        '{"t": 1, "m": {"a": ' + "9" * 5000 + "}}",
    ],
)
def test_what_is_no_reading_is_dropped(text: str) -> None:
    assert parse_reading(text.encode()) is None


def test_a_heartbeat_says_what_the_job_uses_and_nothing_else() -> None:
    reading = parse_reading(
        b'{"t": 1.0, "beat": {"cpu": 1.5, "memory_mb": "Infinity", "secret": 3, "gpu": 80}}'
    )
    assert reading is not None
    assert (reading.values, reading.usage) == ({}, {"cpu": 1.5, "gpu": 80})


@given(st.binary())
def test_no_bytes_are_too_odd(data: bytes) -> None:
    assert parse_reading(data) is None or b"m" in data


def test_hostile_readings_are_bounded() -> None:
    reading = parse_reading(
        json.dumps(
            {"t": "x", "s": -1, "of": 1e300, "m": {f"n{i}" * 5000: i for i in range(1000)}}
        ).encode()
    )
    assert reading is not None
    assert (reading.time, reading.step, reading.steps, len(reading.values)) == (
        0.0,
        None,
        None,
        NAMES_PER_JOB,
    )
    assert max(map(len, reading.values)) <= 80


def test_numbers_json_has_not_are_read() -> None:
    reading = parse_reading(
        b'{"t": 1, "s": 3.0, "m": {"a": NaN, "b": "NaN", "c": -Infinity, "d": true, "e": "high",'
        b' "f": 1' + b"0" * 400 + b"}}"
    )
    assert reading is not None
    assert reading.step == 3
    assert repr(reading.values) == "{'a': nan, 'b': nan, 'c': -inf, 'd': 1.0, 'f': inf}"
    assert math.isnan(reading.values["a"])


def test_a_file_that_cannot_be_read_has_nothing_new(tmp_path: Path) -> None:
    copy = CopyPaths(tmp_path)
    (copy.metrics / "inside").mkdir(parents=True)
    assert FileChannel().read(copy, 7) == ([], 7)
