from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.fields import Fields
from jupyter_gridgpu.model.space import (
    Choice,
    Fixed,
    Range,
    Repeats,
    Space,
    value_at,
)
from jupyter_gridgpu.model.space_record import from_json, to_json
from jupyter_gridgpu.samplers.grid import GridSampler

ALMOST_ONE = math.nextafter(1.0, 0.0)
FRACTIONS = st.floats(0.0, ALMOST_ONE)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
POSITIVE = st.floats(min_value=0.0, exclude_min=True, allow_infinity=False)
WHOLE = st.integers(-(2**31), 2**31)


def ordered(ends: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, Any]]:
    return st.lists(ends, min_size=2, max_size=2, unique=True).map(
        lambda pair: (min(pair), max(pair))
    )


CONTINUOUS = st.one_of(
    ordered(FINITE).map(lambda e: Range(*e)),
    ordered(POSITIVE).map(lambda e: Range(*e, log=True)),
)
INTEGERS = st.one_of(
    ordered(WHOLE).map(lambda e: Range(*e, whole=True)),
    ordered(st.integers(1, 2**31)).map(lambda e: Range(*e, log=True, whole=True)),
)
CHOICES = st.lists(st.integers() | st.text() | st.lists(st.integers()), min_size=1, max_size=5).map(
    lambda v: Choice(tuple(v))
)


@given(CONTINUOUS | INTEGERS, FRACTIONS)
@example(Range(-1.7e308, 1.7e308), 0.5)
@example(Range(-1e-3, 0.1), ALMOST_ONE)
@example(Range(1e-300, 1e300, log=True), ALMOST_ONE)
def test_a_value_of_a_range_is_inside_both_ends(axis: Range, fraction: float) -> None:
    value = value_at(axis, fraction)
    assert axis.low <= value <= axis.high
    assert isinstance(value, int if axis.whole else float)


@given(INTEGERS)
def test_both_ends_of_an_integer_range_are_reached(axis: Range) -> None:
    assert value_at(axis, 0.0) == axis.low
    assert value_at(axis, ALMOST_ONE) == axis.high


@given(CONTINUOUS)
def test_a_range_begins_at_its_lower_end(axis: Range) -> None:
    assert value_at(axis, 0.0) == pytest.approx(axis.low)


@given(CHOICES, FRACTIONS)
def test_a_value_of_a_choice_is_one_of_its_values(axis: Choice, fraction: float) -> None:
    assert value_at(axis, fraction) in axis.values


def test_even_fractions_give_each_integer_the_same_weight() -> None:
    axis = Range(1, 10, whole=True)
    values = [value_at(axis, i / 1000) for i in range(1000)]
    assert {values.count(n) for n in range(1, 11)} == {100}


def test_a_logarithmic_range_spends_as_much_on_each_decade() -> None:
    values = [value_at(Range(1e-4, 1.0, log=True), i / 1000) for i in range(1000)]
    for low in (1e-4, 1e-3, 1e-2, 1e-1):
        assert sum(low <= value < 10 * low for value in values) == pytest.approx(250, abs=2)


SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=4)


@given(SIZES)
def test_grid_enumerates_each_combination_exactly_once(sizes: list[int]) -> None:
    space = Space(
        {
            f"p{i}": Choice(tuple(range(n))) if i % 2 else Range(5, 4 + n, whole=True)
            for i, n in enumerate(sizes)
        }
    )
    points = [tuple(p.params.values()) for p in GridSampler(space, ()).propose([], 10_000, 0, 0)]
    values = [range(n) if i % 2 else range(5, 5 + n) for i, n in enumerate(sizes)]
    assert points == list(itertools.product(*values))
    assert space.grid_size() == len(points)


def test_a_space_without_anything_to_search_has_one_point() -> None:
    space = Space({"epochs": Fixed(3), "seed": Repeats(2)})
    assert space.grid_size() == 1
    assert [p.params for p in GridSampler(space, ()).propose([], 10, 0, 0)] == [{}]


def test_a_continuous_axis_has_no_grid() -> None:
    assert Space({"a": Choice((1, 2)), "b": Range(0.0, 1.0)}).grid_size() is None


def test_a_space_knows_what_varies() -> None:
    space = Space({"a": Fixed(1), "b": Choice((1, 2)), "c": Range(0, 1), "seed": Repeats(3)})
    assert (space.fixed, list(space.searched), space.varied) == (
        {"a": 1},
        ["b", "c"],
        ["b", "c", "seed"],
    )
    assert space.repeats == ("seed", 3)


AXES = st.one_of(
    CONTINUOUS,
    INTEGERS,
    CHOICES,
    st.integers(1, 9).map(Repeats),
    st.text().map(Fixed),
    st.none().map(Fixed),
)


# Only one parameter may repeat the points.
SPACES = st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), AXES, max_size=5).filter(
    lambda axes: sum(isinstance(axis, Repeats) for axis in axes.values()) < 2
)


@given(SPACES)
def test_a_space_survives_scan_json(axes: dict[str, Any]) -> None:
    items = json.loads(json.dumps(numbers.encode_all(to_json(Space(axes)))))
    travelled = Fields({"space": items}, "scan.json").inner_list("space")
    assert repr(from_json(travelled)) == repr(Space(axes))
    assert list(from_json(travelled)) == list(axes)
