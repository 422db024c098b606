from __future__ import annotations

import ast
import math
import shlex
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.form_cell import (
    ParameterEntry,
    ParameterFacts,
    assignments,
    check_entry,
    check_word,
    first_line,
    python_text,
    read_entry,
    right_side,
    to_json,
)
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.space import Choice, Fixed, Range, Repeats
from jupyter_gridgpu.model.typed_values import LIST, NUMBER, FieldError

FLOAT = ParameterFacts(NUMBER, False, "0.1")
WHOLE = ParameterFacts(NUMBER, True, "128")
LISTED = ParameterFacts(LIST, False, "[1, 2]")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def one(value: str) -> ParameterEntry:
    return ParameterEntry("x", value=value)


def several(items: str) -> ParameterEntry:
    return ParameterEntry("x", "list", items=items)


def steps(low: str, high: str, points: str, log: bool = False) -> ParameterEntry:
    return ParameterEntry("x", "range", low=low, high=high, points=points, log=log)


def between(low: str, high: str, log: bool = False) -> ParameterEntry:
    return ParameterEntry("x", "range", low=low, high=high, stepped=False, log=log)


def problem_of(entry: ParameterEntry, about: ParameterFacts = FLOAT) -> FieldError:
    with pytest.raises(FieldError) as caught:
        check_entry(entry, about)
    return caught.value


@given(VALUES)
def test_a_value_is_written_so_that_python_reads_it_back(value: Any) -> None:
    assert ast.literal_eval(python_text(value)) == value
    assert "\n" not in python_text(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-4, "1e-4"),
        (0.001, "0.001"),
        (1e-05, "1e-5"),
        (2.5e7, "2.5e7"),
        ("adam", '"adam"'),
        ([256, 0.5], "[256, 0.5]"),
        (-math.inf, "-1e999"),
    ],
)
def test_values_are_written_as_people_write_them(value: Any, text: str) -> None:
    assert python_text(value) == text


@pytest.mark.parametrize(
    ("entry", "about", "side", "axis"),
    [
        (one("0.2"), FLOAT, "0.2", Fixed(0.2)),
        (one("[3, 4]"), LISTED, "fixed([3, 4])", Fixed([3, 4])),
        (one("[3, 4]"), ParameterFacts(), "fixed([3, 4])", Fixed([3, 4])),
        (several("0.1, 0.2"), FLOAT, "[0.1, 0.2]", Choice((0.1, 0.2))),
        (several("[3], [4, 5]"), LISTED, "choice([3], [4, 5])", Choice(([3], [4, 5]))),
        (several("[3, 4]"), LISTED, "choice([[3, 4]])", Choice(([3, 4],))),
        (steps("0", "1", "3"), FLOAT, "linspace(0, 1, 3)", Choice((0.0, 0.5, 1.0))),
        (steps("1", "100", "2", log=True), FLOAT, "geomspace(1, 100, 2)", Choice((1.0, 100.0))),
        (between("0", "1"), FLOAT, "uniform(0, 1)", Range(0.0, 1.0)),
        (between("1e-4", "1", log=True), FLOAT, "loguniform(1e-4, 1)", Range(1e-4, 1.0, True)),
        (between("1", "9"), WHOLE, "integer(1, 9)", Range(1, 9, False, True)),
        (between("1", "9", log=True), WHOLE, "logint(1, 9)", Range(1, 9, True, True)),
        (steps("8", "32", "3", log=True), WHOLE, "[8, 16, 32]", Choice((8, 16, 32))),
        (steps("1", "3", "9"), WHOLE, "[1, 2, 3]", Choice((1, 2, 3))),
        (ParameterEntry("x", "repeats", times="3"), WHOLE, "repeats(3)", Repeats(3)),
    ],
)
def test_every_kind_has_its_text_and_its_axis(
    entry: ParameterEntry, about: ParameterFacts, side: str, axis: Any
) -> None:
    assert right_side(entry, about) == side
    assert check_entry(entry, about) == axis


@pytest.mark.parametrize("text", ["", "0.1"])
def test_the_notebooks_own_value_is_not_written(text: str) -> None:
    assert right_side(ParameterEntry("x", value=text), FLOAT) is None


@pytest.mark.parametrize(
    ("entry", "about", "part", "words"),
    [
        (steps("1", "0", "3"), WHOLE, "", "lower end must be below"),
        (steps("0,1", "1", "3"), FLOAT, "low", "Not a number."),
        (steps("0", "1", "3", log=True), FLOAT, "", "above 0"),
        (steps("0", "1", ""), FLOAT, "points", "Give a value."),
        (steps("0", "1", "0"), FLOAT, "", "whole number from 1"),
        (steps("0.5", "3", "3"), WHOLE, "", "whole numbers"),
        (steps("1", "100000", "5000"), WHOLE, "points", "At most 200"),
        (several(""), FLOAT, "items", "at least one"),
        (ParameterEntry("x", "repeats", times="0"), FLOAT, "", "1 to 1000"),
        (one("0,2"), FLOAT, "value", "Not a number."),
    ],
)
def test_a_mistake_names_its_input(
    entry: ParameterEntry, about: ParameterFacts, part: str, words: str
) -> None:
    found = problem_of(entry, about)
    assert found.part == part
    assert words in str(found)
    assert "Line" not in str(found)
    assert right_side(entry, about) is not None  # it is shown all the same


def test_values_may_use_the_users_variables() -> None:
    names = {"base": 0.01, "sizes": [32, 64]}
    assert check_entry(several("base / 2, base"), FLOAT, names) == Choice((0.005, 0.01))
    assert check_entry(one("sizes"), ParameterFacts(), names) == Fixed([32, 64])


NUMBERS = st.floats(1e-6, 1e6) | st.integers(1, 10**6)


@st.composite
def entries(draw: st.DrawFn) -> ParameterEntry:
    """Any entry with numbers in all its texts."""
    ends = draw(st.tuples(NUMBERS, NUMBERS))
    items = draw(st.lists(NUMBERS, min_size=1, max_size=5))
    return ParameterEntry(
        "x",
        draw(st.sampled_from(["fixed", "list", "range", "repeats"])),
        value=python_text(draw(NUMBERS)),
        items=", ".join(map(python_text, items)),
        low=python_text(min(ends)),
        high=python_text(max(ends) + 1),
        points=str(draw(st.integers(1, 50))),
        stepped=draw(st.booleans()),
        log=draw(st.booleans()),
        times=str(draw(st.integers(1, 20))),
    )


@given(st.lists(st.tuples(entries(), st.booleans()), min_size=1, max_size=5))
def test_the_cell_means_what_the_form_says(pairs: list[tuple[ParameterEntry, bool]]) -> None:
    sides: dict[str, str] = {}
    axes: dict[str, Any] = {}
    for index, (entry, whole) in enumerate(pairs):
        about, name = ParameterFacts(NUMBER, whole), f"x{'_' * index}"
        try:
            axis = check_entry(entry, about)
        except SpaceError:
            assert whole  # only fractions as ends of whole numbers are wrong here
            continue
        if not isinstance(axis, Repeats) or not any(
            isinstance(known, Repeats) for known in axes.values()
        ):
            axes[name], sides[name] = axis, right_side(entry, about) or ""
    if axes:
        body = assignments(sides)
        assert parse_space(body).axes == axes
        assert len({row.index(" = ") for row in body.splitlines()}) == 1


@given(
    st.dictionaries(
        st.sampled_from(["kind", "value", "items", "low", "log", "stepped", "times", "name"]),
        VALUES,
    )
)
def test_whatever_a_browser_sends_is_an_entry(body: dict[str, Any]) -> None:
    entry = read_entry("x", body)
    assert entry.name == "x"
    assert read_entry("x", to_json(entry)) == entry
    right_side(entry, FLOAT)


@given(st.lists(st.text(min_size=1), min_size=1))
def test_words_reach_the_magic_as_they_are(words: list[str]) -> None:
    assert shlex.split(first_line(words)) == ["%%gridscan", *words]


@pytest.mark.parametrize("word", ["a{b}", "$x"])
def test_a_word_that_ipython_would_fill_in_is_refused(word: str) -> None:
    with pytest.raises(FieldError, match="IPython"):
        check_word(word)
    check_word("max(acc)")
