"""Long JSON is decoded as Python's own module decodes it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.store import json_decoder
from jupyter_gridgpu.store.json_decoder import LONG, decoder, parse_json

plain = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters())
)
values = st.recursive(
    plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(values)
def test_long_and_short_texts_are_decoded_alike(value: Any) -> None:
    text = json.dumps(value).encode()
    assert repr(decoder(LONG)(text)) == repr(decoder(0)(text)) == repr(value)


@pytest.mark.parametrize(
    "text", [b'"\\ud800"', b"NaN", b"[1e400]", b"123456789012345678901234567890"]
)
def test_what_one_decoder_refuses_the_other_decodes(text: bytes) -> None:
    assert repr(decoder(LONG)(text)) == repr(json.loads(text))


@pytest.mark.parametrize("text", [b"", b'{"torn": ', b"\xff", b"[1] [2]", b"[" * 100_000])
def test_a_torn_text_is_an_error_either_way(text: bytes) -> None:
    for decode in (decoder(0), decoder(LONG)):
        with pytest.raises(ValueError):  # noqa: PT011
            decode(text)


HUGE = b"[" + b"9" * 1_000_000 + b"]"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff",
        b'"\xff"',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        "\ufeff{}",
        HUGE,
        b" " * 101,
    ],
)
@pytest.mark.parametrize("old_python", [False, True])
def test_whatever_is_wrong_with_a_text_is_one_kind_of_error(
    text: str | bytes, old_python: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old_python:
        monkeypatch.setattr(json_decoder, "_loads", json_decoder._loads_bounded)
    with pytest.raises(ValueError):  # noqa: PT011
        parse_json(text, limit=100 if text[:1] == b" " else 2_000_000)


def test_an_old_python_reads_all_other_numbers() -> None:
    assert json_decoder._loads_bounded(b"[-1, 12345678901234567890, 0.5]") == [
        -1,
        12345678901234567890,
        0.5,
    ]
