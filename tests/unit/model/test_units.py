from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.units import duration_text, number_text, parse_duration, parse_memory


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        (90, 90),
        (1.5, 1),
        ("90s", 90),
        ("30min", 1800),
        ("2h", 7200),
        ("1h30m", 5400),
        ("1:30:00", 5400),
        (" 1 D ", 86400),
    ],
)
def test_lengths_of_time_are_read(text: str | float, seconds: int) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-5", "0", "0s", "5 parsecs", "1:2", "1e3", "nan", "inf", "1000d", "9" * 400],
)
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "megabytes"),
    [
        ("4000", 4000),
        (4000, 4000),
        ("500MB", 500),
        ("4GB", 4096),
        ("1.5g", 1536),
        ("2 TB", 2**21),
        ("2048kb", 2),
    ],
)
def test_amounts_of_memory_are_read(text: str | int, megabytes: int) -> None:
    assert parse_memory(text) == megabytes


@pytest.mark.parametrize(
    "text", ["", "much", "-4GB", "0", "4PB", "1kb", "4 b", "nan", "inf", "1e9", "9" * 400]
)
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_memory(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_duration, parse_memory):
        try:
            found = str(parse(text))
        except UsageError as error:
            found = str(error)
        assert "\n" not in found


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-3, "0 s"),
        (59.9, "59 s"),
        (61, "1 min 01 s"),
        (600, "10 min"),
        (3840, "1 h 04 min"),
        (183600, "2 d 3 h"),
    ],
)
def test_durations_are_written(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@given(st.integers(1, 366 * 86400))
def test_written_durations_are_read_back_to_a_tenth(seconds: int) -> None:
    assert parse_duration(duration_text(seconds)) == pytest.approx(seconds, rel=0.1)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (3, "3"),
        (0.5, "0.500"),
        (1e-5, "1.00e-05"),
        (123456.0, "123456"),
        (1e9, "1.00e+09"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (None, "None"),
        (True, "True"),
        ("x", "x"),
    ],
)
def test_numbers_are_written(value: object, text: str) -> None:
    assert number_text(value) == text


@given(st.floats(-1e300, 1e300), st.integers(1, 8))
def test_written_numbers_keep_their_digits(value: float, digits: int) -> None:
    assert float(number_text(value, digits)) == pytest.approx(value, rel=10.0 ** (1 - digits))
