from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.model.form_cell import ParameterEntry, ParameterFacts, check_entry
from jupyter_gridgpu.model.typed_values import (
    NUMBER,
    TEXT,
    TRUTH,
    FieldError,
    check_one,
    check_several,
    typed_line,
)


def problem_of(text: str, kind: str | None = NUMBER, **names: object) -> FieldError:
    with pytest.raises(FieldError) as caught:
        check_one(text, "value", kind, names)
    assert str(caught.value).endswith(".")
    return caught.value


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0,2", "0.2"),
        ("1,000", "1000"),
        ("10 000", "10000"),
        ("10^-3", "10**-3"),
        ("'3'", "3"),
        ("0.1,", "0.1"),
        ("abc", None),
        ("", None),
        ("[1]", None),
        ("True", None),
    ],
)
def test_what_is_no_number_is_refused_with_what_was_meant(text: str, meant: str | None) -> None:
    assert problem_of(text).suggestion == meant


@pytest.mark.parametrize(
    "text", ["0.2", "1e-4", "-3", "2**10", "(1 + 2) * base / 3", "base", "None"]
)
def test_numbers_and_arithmetic_on_them_pass(text: str) -> None:
    check_one(text, "value", NUMBER, {"base": 0.5})


def test_none_is_no_end_of_a_range() -> None:
    with pytest.raises(FieldError):
        check_one("None", "low", NUMBER, {})


def test_a_text_without_quotes_gets_them_suggested() -> None:
    assert problem_of("adam", TEXT).suggestion == '"adam"'
    assert problem_of("true", TRUTH).suggestion == "True"
    with pytest.raises(FieldError) as caught:
        check_several("adam, sgd", "items", TEXT, {})
    assert caught.value.suggestion == '"adam", "sgd"'


def test_a_semicolon_between_values_becomes_a_comma() -> None:
    with pytest.raises(FieldError) as caught:
        check_several("64; 128", "items", NUMBER, {})
    assert caught.value.suggestion == "64, 128"


@pytest.mark.parametrize(
    "text",
    [
        "1], [2",
        "1]+[2",
        "1 # x",
        "1) + (2",
        "*x",
        "x for x in y",
        "x := 3",
        "1\n2",
        "k=1",
        "1 if x else 2",
    ],
)
def test_no_text_breaks_out_of_what_it_is_put_into(text: str) -> None:
    for check in (check_one, check_several):
        with pytest.raises(FieldError):
            check(text, "value", None, {"x": [1], "y": [1]})


@pytest.mark.parametrize(
    "text",
    [
        "10**10**10",
        "9**999999",
        "[0] * 10**9",
        "'a' * 10**9",
        "-" * 1500 + "1",
        "(" * 500,
        "1+" * 900 + "1",
    ],
)
def test_nothing_that_takes_long_is_computed(text: str) -> None:
    problem_of(typed_line(text))


class Trap:
    """An object of the user's; whatever is done to it shows."""

    sprung = False

    def __getattr__(self, name: str) -> Trap:
        Trap.sprung = True
        return self

    def __call__(self, *args: object, **kwargs: object) -> Trap:
        Trap.sprung = True
        return self

    __getitem__ = __add__ = __radd__ = __neg__ = __iter__ = __call__


PIECES = [
    "trap",
    "(",
    ")",
    "()",
    ".x",
    "[",
    "]",
    "[0]",
    ",",
    "1",
    "+",
    "-",
    "*",
    "lambda: ",
    "for x in ",
    "{",
    "}",
    ":",
    "f'{",
    "}'",
    "#",
    " if ",
    ":=",
    "\n",
]


@given(
    st.lists(st.sampled_from(PIECES), max_size=9).map("".join),
    st.sampled_from(["fixed", "list", "range", "repeats"]),
)
def test_checking_a_text_runs_nothing(text: str, kind: str) -> None:
    Trap.sprung = False
    wish = ParameterEntry("x", kind, text, text, text, text, text, times=text)
    for about in (ParameterFacts(), ParameterFacts(NUMBER, True), ParameterFacts("a list")):
        with contextlib.suppress(FieldError):
            check_entry(wish, about, {"trap": Trap()})
    assert not Trap.sprung


@given(st.text())
def test_a_line_is_one_bounded_line_whatever_came(text: str) -> None:
    made = typed_line(text * 50)
    assert len(made) <= 2000
    assert made == "" or made.isprintable()
    assert typed_line(made) == made
