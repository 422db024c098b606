from __future__ import annotations

import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from jupyter_gridgpu.model import numbers

ANY_FLOAT = st.floats() | st.integers()
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats()
    | st.text()
    | st.sampled_from(list(numbers.NOT_FINITE)),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(ANY_FLOAT)
@example(math.nan)
@example(-math.inf)
@example(10**400)
@example(-(10**400))
def test_encoded_number_is_strict_json_and_decodes_to_itself(value: float) -> None:
    travelled = numbers.decode(json.loads(json.dumps(numbers.encode(value), allow_nan=False)))
    assert travelled is not None
    wanted = numbers.to_float(value) if isinstance(value, int) else value
    assert float(travelled) == wanted or math.isnan(wanted)


def test_whole_numbers_stay_whole_as_far_as_a_browser_counts() -> None:
    assert repr(numbers.encode(2**53)) == str(2**53)
    assert isinstance(numbers.encode(2**53 + 1), float)


@pytest.mark.parametrize("value", ["nan", "3", "", None, [1], {"a": 1}, b"1", object()])
def test_what_is_no_number_decodes_to_none(value: object) -> None:
    assert numbers.decode(value) is None


def test_truth_values_count_as_numbers() -> None:
    assert numbers.decode(True) == 1.0


@given(VALUES)
def test_strict_values_are_strict_json(value: object) -> None:
    json.dumps(numbers.encode_all(value), allow_nan=False)


@given(VALUES)
def test_loose_undoes_strict(value: object) -> None:
    travelled = json.loads(json.dumps(numbers.encode_all(value)))
    assert repr(numbers.decode_all(travelled)) == repr(value)
