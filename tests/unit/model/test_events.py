from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.model.events import Event, parse_line

TEXT = st.text().filter(
    lambda text: text.lstrip("'") not in ("NaN", "Infinity", "-Infinity")
)  # the journal marks those
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)
# A line has these keys of its own, so no event has data of these names.
KEYS_OF_LINES = ("seq", "term", "t", "type", "crc")
DATA = st.dictionaries(st.text().filter(lambda name: name not in KEYS_OF_LINES), JSON, max_size=4)


@given(st.integers(0, 2**53), st.integers(0, 2**53), st.text(), DATA)
def test_an_event_is_one_line_and_read_back_the_same(
    seq: int, term: int, kind: str, data: dict[str, object]
) -> None:
    event = Event(seq, term, 1234.567, kind, data)
    assert "\n" not in event.line()
    assert parse_line(event.line().encode()) == event


def test_numbers_that_json_has_not_travel_as_words() -> None:
    line = Event(
        1, 1, 0.0, "job.reported", {"metrics": {"loss": [1, None, None, [math.nan, -math.inf]]}}
    ).line()
    assert json.loads(line, parse_constant=pytest.fail)["metrics"]["loss"][3] == [
        "NaN",
        "-Infinity",
    ]


@given(st.binary() | st.text().map(str.encode) | JSON.map(lambda value: json.dumps(value).encode()))
def test_a_foreign_line_is_no_event(line: bytes) -> None:
    assert parse_line(line) is None


@pytest.mark.parametrize(
    "line",
    [
        '{"seq":1e999,"term":1,"t":0,"type":"x"}',
        '{"seq":1,"term":Infinity,"t":0,"type":"x"}',
        '{"seq":1,"term":NaN,"t":0,"type":"x"}',
        '{"seq":1,"term":1,"t":1' + "0" * 400 + ',"type":"x"}',
        '{"seq":null,"term":1,"t":0,"type":"x"}',
        '{"seq":1,"term":1,"t":0}',
        "[" * 100_000,
        "9" * 5000,
    ],
)
def test_a_line_with_impossible_values_is_no_event(line: str) -> None:
    assert parse_line(line.encode()) is None


@pytest.mark.parametrize("half", [b"\\ud83d", b"\\uDE00", b"\xed\xa0\xbd"])
def test_half_a_surrogate_pair_becomes_text_that_can_be_sent(half: bytes) -> None:
    line = b'{"seq":1,"term":1,"t":1.0,"type":"x","%s":["a%s"]}' % (half, half)
    event = parse_line(line)
    assert event is not None
    assert event.data == {"\ufffd": ["a\ufffd"]}


def test_whole_pairs_and_other_letters_stay() -> None:
    event = parse_line(b'{"seq":1,"term":1,"t":1,"type":"x","a":"\\ud83d\\ude00 \xed\x95\x9c"}')
    assert event is not None
    assert event.data == {"a": "\U0001f600 \ud55c"}
