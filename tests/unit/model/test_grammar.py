from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu import (
    choice,
    fixed,
    geomspace,
    integer,
    linspace,
    logint,
    loguniform,
    repeats,
    uniform,
)
from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.grammar import parse_space, space_of
from jupyter_gridgpu.model.space import GRID_LIMIT, Choice, Fixed, Range, Repeats


@pytest.mark.parametrize(
    ("body", "axis"),
    [
        ("x = 20", Fixed(20)),
        ("x = 'adam'", Fixed("adam")),
        ("x = None", Fixed(None)),
        ("x = [1, 2]", Choice((1, 2))),
        ("x = (1, 2)", Choice((1, 2))),
        ("x = choice(1, 2)", Choice((1, 2))),
        ("x = choice([1, 2])", Choice((1, 2))),
        ("x = choice([1], [2, 3])", Choice(([1], [2, 3]))),
        ("x = fixed([1, 2])", Fixed([1, 2])),
        ("x = {'a': 1}", Fixed({"a": 1})),
        ("x: float = uniform(0, 1)", Range(0.0, 1.0)),
        ("x = loguniform(1e-4, 1e-2)", Range(1e-4, 1e-2, log=True)),
        ("x = integer(1, 5)", Range(1, 5, whole=True)),
        ("x = logint(1, 5e3)", Range(1, 5000, log=True, whole=True)),
        ("x = linspace(0.0, 1.0, 3)", Choice((0.0, 0.5, 1.0))),
        ("x = repeats(3)", Repeats(3)),
        ("x = [2**i for i in range(3)]  # powers", Choice((1, 2, 4))),
        ("x = y * 2", Fixed(6)),
        ("x = uniform(-y, y)", Range(-3.0, 3.0)),
        ("x = np.float32(0.5)", Fixed(0.5)),
    ],
)
def test_a_line_says_which_values_a_parameter_takes(body: str, axis: object) -> None:
    assert parse_space(body, {"y": 3, "np": np, "choice": "the user's own"}).axes == {"x": axis}


def test_the_order_of_the_cell_is_kept() -> None:
    assert list(parse_space("b = 1\n\n# a word\na = [1, 2]\nseed = repeats(2)")) == [
        "b",
        "a",
        "seed",
    ]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("", "empty"),
        ("# nothing", "empty"),
        ("import os", "Line 1 is not an assignment"),
        ("x = 1\nprint(x)", "Line 2 is not an assignment"),
        ("x += 1", "not an assignment"),
        ("x, y = 1, 2", "not an assignment"),
        ("x = y = 1", "not an assignment"),
        ("x.y = 1", "not an assignment"),
        ("x: int", "not an assignment"),
        ("for i in []: pass", "not an assignment"),
        ("x = ", "Line 1 is not Python"),
        ("x = 1\n  y = 2", "Line 2 is not Python"),
        ("x = '\0'", "not Python"),
        ("x = 1\nx = 2", "Line 2: x is given twice"),
        ("x = nothing", "Line 1, x: NameError"),
        ("x = 1 / 0", "ZeroDivisionError"),
        ("x = []", "empty"),
        ("x = choice()", "empty"),
        ("x = {1, 2}", "a set cannot be a parameter"),
        ("x = [uniform(0, 1)]", "cannot be a parameter"),
        ("x = uniform(1, 0)", "below"),
        ("x = uniform(1, 1)", "below"),
        ("x = uniform(0, float('inf'))", "finite"),
        ("x = uniform(float('nan'), 1)", "finite"),
        ("x = uniform('a', 1)", "finite"),
        ("x = uniform(False, True)", "finite"),
        ("x = uniform(0)", "TypeError"),
        ("x = loguniform(0, 1)", "above 0"),
        ("x = logint(-1, 5)", "above 0"),
        ("x = integer(0.5, 2)", "whole"),
        ("x = linspace(0, 1, 0)", "whole number from 1"),
        ("x = linspace(0, 1, 2.5)", "whole number from 1"),
        ("x = geomspace(0, 1, 3)", "above 0"),
        ("x = geomspace(-1, 1, 3)", "above 0"),
        ("x = repeats(0)", "repeats(0)"),
        ("x = repeats(1.5)", "repeats(1.5)"),
        ("x = repeats(10**9)", "repeats"),
        ("a = repeats(2)\nb = repeats(2)", "only one"),
        (f"x = list(range({GRID_LIMIT + 1}))", "at most"),
        ("x = uniform(0, 10**400)", "x"),
        ("x = integer(0, 10**400)", "x"),
        ("x = [].index('a' * 5000)", "ValueError"),
        ("x = [].index('a\\nb')", "ValueError"),
        ("x = fail()", "ValueError"),
        ("x = " + "a" * 5000, "NameError"),
        ("x" * 5000 + ".y = 1", "not an assignment"),
        ("x = " + "-" * 50_000 + "1", ""),
    ],
)
def test_a_bad_line_is_refused_in_one_sentence(body: str, words: str) -> None:
    def fail() -> None:
        raise ValueError("first line\nsecond line")

    with pytest.raises(SpaceError) as caught:
        parse_space(body, {"fail": fail})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 300
    assert str(caught.value).endswith((".", ")", "…"))


@given(st.text(max_size=60))
def test_any_text_is_a_space_or_a_space_error(body: str) -> None:
    try:
        found = str(list(parse_space(body)))
    except SpaceError as error:
        found = str(error)
    assert "\n" not in found
    assert found


@pytest.mark.parametrize("make", [uniform, loguniform, integer, logint])
def test_ends_beyond_a_float_are_refused(make: Any) -> None:
    with pytest.raises(SpaceError):
        make(1, 10**400)


def test_a_mapping_follows_the_same_rules_as_the_cell() -> None:
    space = space_of(
        {
            "lr": loguniform(1e-4, 1e-2),
            "units": [64, 128],
            "layers": fixed([1, 2]),
            "seed": repeats(2),
            "n": np.int64(3),
        }
    )
    body = (
        "lr = loguniform(1e-4, 1e-2)\nunits = [64, 128]\nlayers = fixed([1, 2])\n"
        "seed = repeats(2)\nn = 3"
    )
    assert space == parse_space(body)
    with pytest.raises(SpaceError, match=r"^x: "):
        space_of({"x": object()})
    with pytest.raises(SpaceError, match="empty"):
        space_of({})


@pytest.mark.parametrize("make", [linspace, geomspace])
def test_stepped_values_are_plain_numbers_with_exact_ends(make: Any) -> None:
    axis = make(np.float32(0.25), np.float64(4.0), np.int64(5))
    assert len(axis.values) == 5
    assert (axis.values[0], axis.values[-1]) == (0.25, 4.0)
    assert all(type(value) is float for value in axis.values)
    assert list(axis.values) == sorted(axis.values)
    assert make(2.0, 4.0, 1) == Choice((2.0,))


@given(st.floats(-1e100, 1e100), st.floats(-1e100, 1e100), st.integers(2, 50))
def test_linspace_has_even_steps(low: float, high: float, n: int) -> None:
    values = linspace(low, high, n).values
    assert (values[0], values[-1]) == (low, high)
    assert values == pytest.approx(np.linspace(low, high, n), abs=1e-12 * max(abs(low), abs(high)))


@given(st.floats(1e-100, 1e100), st.floats(1e-100, 1e100), st.integers(2, 50))
def test_geomspace_has_even_factors(low: float, high: float, n: int) -> None:
    values = geomspace(low, high, n).values
    assert (values[0], values[-1]) == (low, high)
    assert [math.log(v) for v in values] == pytest.approx(
        np.linspace(math.log(low), math.log(high), n), abs=1e-9
    )


def test_the_words_are_the_package_s() -> None:
    assert (choice(1, 2), integer(1, 2), logint(1, 2)) == (
        Choice((1, 2)),
        Range(1, 2, whole=True),
        Range(1, 2, log=True, whole=True),
    )
    assert (uniform(0, 1), geomspace(1, 1, 1)) == (Range(0.0, 1.0), Choice((1,)))


@pytest.mark.parametrize(
    "body",
    [
        "x = fixed(list(range(50_000)))",
        "x = 'x' * 200_000",
        "x = choice({'a': ['x' * 200_000]}, 1)",
    ],
)
def test_a_value_that_is_too_large_for_a_parameter_belongs_into_a_file(body: str) -> None:
    with pytest.raises(SpaceError, match="put it into a file"):
        parse_space(body)
