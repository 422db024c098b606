from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.model.metrics import (
    NAME_LIMIT,
    NAMES_PER_JOB,
    TRAIL_LIMIT,
    Series,
    clean_name,
    clean_step,
    clean_values,
    objective_value,
    thinned,
)
from jupyter_gridgpu.model.objective import Objective


def series_of(values: list[float]) -> Series:
    series = Series()
    for value in values:
        series.add(value)
    return series


@given(st.lists(st.floats()))
def test_a_series_knows_count_extremes_and_last(values: list[float]) -> None:
    series, finite = series_of(values), [v for v in values if math.isfinite(v)]
    assert series.n == len(values)
    assert (series.min, series.max) == ((min(finite), max(finite)) if finite else (None, None))
    assert repr(series.last) == repr(values[-1] if values else math.nan)
    json.dumps([series.summary(), series.row()], allow_nan=False)


@given(st.integers(0, 5000))
def test_a_trail_is_short_and_in_order_and_ends_with_the_last_value(count: int) -> None:
    trail = series_of([float(i) for i in range(count)]).shown_trail()
    assert len(trail) <= TRAIL_LIMIT + 1
    assert trail == sorted(set(trail))
    assert trail[:1] + trail[-1:] == ([0.0, count - 1.0] if count else [])


def test_a_hundred_thousand_points_stay_a_short_row() -> None:
    series = series_of([math.sin(i) for i in range(100_000)])
    assert series.n == 100_000
    assert len(json.dumps(series.row())) < 2500


def test_the_objective_is_the_reduction_of_a_series() -> None:
    metrics = {"loss": series_of([3.0, math.nan, 1.0, 2.0])}
    values = [
        objective_value(metrics, Objective("loss", "minimize", how))
        for how in ("last", "min", "max")
    ]
    assert values == [2.0, 1.0, 3.0]
    assert objective_value(metrics, Objective("acc", "maximize")) is None
    assert objective_value({"acc": Series()}, Objective("acc", "maximize")) is None
    assert objective_value(metrics, None) is None


def test_an_objective_without_a_finite_value_has_no_best_epoch() -> None:
    assert (
        objective_value({"loss": series_of([math.nan])}, Objective("loss", "minimize", "min"))
        is None
    )


@given(st.lists(st.floats(allow_nan=False)), st.integers(2, 50))
def test_thinned_values_keep_first_last_and_order(values: list[float], limit: int) -> None:
    short = thinned(values, limit)
    assert len(short) == min(len(values), limit)
    assert short[:1] + short[-1:] == values[:1] + values[-1:]
    rest = iter(values)
    assert all(any(value == other for other in rest) for value in short)


@pytest.mark.parametrize("name", ["", " ", "\n\t", "\x00\x1b", None, 3])
def test_a_name_of_which_nothing_is_left_is_dropped(name: object) -> None:
    assert clean_name(name) is None


@given(st.text())
def test_a_name_is_one_bounded_printable_line(text: str) -> None:
    name = clean_name(text)
    assert name is None or (0 < len(name) <= NAME_LIMIT and name.isprintable())


def test_hostile_names_are_made_harmless_but_kept() -> None:
    values = clean_values({"a\x1b[31mb\n": 1, "n" * 10_000: 2, "<script>": 3})
    assert list(values) == ["ab", "n" * (NAME_LIMIT - 1) + "…", "<script>"]


def test_only_so_many_names_are_kept_and_only_numbers() -> None:
    values = clean_values(
        {"text": "high", "none": None, "list": [1], **{f"m{i}": i for i in range(100)}}
    )
    assert list(values) == [f"m{i}" for i in range(NAMES_PER_JOB)]


def test_numbers_of_every_kind_are_kept() -> None:
    values = clean_values({"nan": "NaN", "inf": math.inf, "yes": True, "huge": 10**400, "int": 3})
    assert repr(values) == "{'nan': nan, 'inf': inf, 'yes': 1.0, 'huge': inf, 'int': 3}"


@pytest.mark.parametrize(("value", "step"), [(3, 3), (3.0, 3), (0, 0), (True, 1), (2**53, 2**53)])
def test_an_epoch_is_a_whole_number(value: float, step: int) -> None:
    assert clean_step(value) == step


@pytest.mark.parametrize("value", [-1, math.nan, math.inf, "NaN", "3", None, 10**400, 2**54, [1]])
def test_what_is_no_epoch_is_none(value: object) -> None:
    assert clean_step(value) is None
