from __future__ import annotations

import enum
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.model.plain_values import NotPlain, plain

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


class Colour(str, enum.Enum):
    RED = "red"


@given(PLAIN)
def test_plain_values_stay_as_they_are(value: Any) -> None:
    assert repr(plain(value)) == repr(value)


@given(PLAIN)
def test_plain_is_read_back_the_same_from_its_repr(value: Any) -> None:
    assert repr(eval(repr(plain(value)), {"nan": float("nan"), "inf": float("inf")})) == repr(value)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (np.int64(3), 3),
        (np.float32(0.5), 0.5),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
        ((1, (2, 3)), [1, [2, 3]]),
        ({"a": (np.int8(1),)}, {"a": [1]}),
        (np.str_("x"), "x"),
        (Colour.RED, "red"),
    ],
)
def test_scalars_arrays_and_tuples_become_plain(value: Any, wanted: Any) -> None:
    assert plain(value) == wanted
    assert _types(plain(value)) == _types(wanted)


@pytest.mark.parametrize(
    "value", [{1, 2}, object(), 1j, b"x", {1: 2}, [Path("x")], np.array([1j]), range(3), len]
)
def test_everything_else_is_refused(value: Any) -> None:
    with pytest.raises(NotPlain):
        plain(value)


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(NotPlain):
        plain(loop)


def _types(value: Any) -> Any:
    return (
        [type(value), *(_types(item) for item in value)] if isinstance(value, list) else type(value)
    )
