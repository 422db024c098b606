"""`report()` in a notebook: what it writes, and that it never fails a training."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from jupyter_gridgpu import report
from jupyter_gridgpu.model import numbers


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "reports.jsonl"
    monkeypatch.setenv("GRIDGPU_METRICS", str(path))
    return path


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_outside_of_a_scan_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    report(epoch=1, loss=0.5)
    assert list(tmp_path.iterdir()) == []


def test_numbers_of_every_kind_are_reported(reports: Path) -> None:
    report(
        epoch=1,
        epochs=2,
        loss=np.float32(0.5),
        n=np.int64(3),
        flag=True,
        half=Fraction(1, 2),
        array=np.array([7]).sum(),
    )
    report({"val loss": 0.25}, epoch=2)
    assert lines(reports) == [
        {"epoch": 1, "epochs": 2, "loss": 0.5, "n": 3, "flag": 1, "half": 0.5, "array": 7},
        {"val loss": 0.25, "epoch": 2},
    ]


def test_what_is_not_finite_is_reported(reports: Path) -> None:
    report(a=math.nan, b=np.float64("inf"), c=10**400)
    (line,) = lines(reports)
    assert repr([numbers.decode(line[name]) for name in "abc"]) == "[nan, inf, inf]"


def test_what_is_no_number_is_left_out_with_a_word(
    reports: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report(epoch=1, words="high", pair=[1, 2], thing=object(), none=None)
    assert lines(reports) == [{"epoch": 1}]
    said = capsys.readouterr().err
    assert [name in said for name in ("words", "pair", "thing", "none")] == [
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize(
    "value",
    [10**5000, Fraction(10**400), np.array([1.0, 2.0]), "9" * 5000],
    ids=["int", "fraction", "array", "text"],
)
def test_a_training_does_not_fail_for_its_report(reports: Path, value: Any) -> None:
    report(epoch=1, odd=value)
    assert lines(reports)[0]["epoch"] == 1


def test_a_training_does_not_fail_for_a_full_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GRIDGPU_METRICS", "/dev/full")
    report(loss=1)
    assert "report()" in capsys.readouterr().err
