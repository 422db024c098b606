"""Records that anybody may have written: any bytes, and sound records with one value changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

DEEP: Any = "x"
for _ in range(300):
    DEEP = {"a": [DEEP]}
# Values that have done harm somewhere: to a path, a terminal, a sum, a sort, a loop.
WORST = [
    *(None, True, False, 0, -1, 1, 3, 2**31, 2**53 + 1, 2**63, 10**400, -(10**400)),
    *(1e308, -1e308, float("nan"), float("inf"), float("-inf"), 1e-320, 0.5),
    *("", "NaN", "Infinity", "../../../x", "/etc/passwd", "\x1b[31m\x07", "\u202e", "\udc80"),
    *("v0001", "v0001.1", "v9999999.1", "done", "running", "{0}%s", "x" * 5000, "\0", "-x"),
    *([], {}, [[]], [None], {"": None}, ["v0001", "v0001"], DEEP, [1] * 3000),
]
ANY_JSON = st.one_of(
    st.sampled_from(WORST),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
        ),
        max_leaves=6,
    ),
)


class Large(bytes):
    """Many bytes, of which a report shows the first."""

    def __repr__(self) -> str:
        return f"Large({bytes(self[:20])!r}, {len(self)} bytes)"


BYTES = [
    *(b"", b"\xef\xbb\xbf{}", b'{"t":1e999}', "{}".encode("utf-16"), b'"\\ud800"', b"{}{}"),
    *(b"NaN", b"\n\n\r\n", b"\0" * 99),
    *(Large(b"[" * 200_000), Large(b'{"a":' * 100_000), Large(b"1" * 20_000)),
]
ANY_BYTES = st.one_of(
    st.binary(max_size=200),
    ANY_JSON.map(lambda value: Large(json.dumps(value).encode())),
    st.sampled_from(BYTES),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value inside a JSON value."""
    if isinstance(value, dict):
        inner: Any = value.items()
    elif isinstance(value, list):
        inner = enumerate(value)
    else:
        return
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


@st.composite
def one_changed(draw: st.DrawFn, sound: Any) -> Any:
    """A sound value in which one value is any other, or is missing, or has a key beside it."""
    body = copy.deepcopy(sound)
    path = draw(st.sampled_from(list(places(body))))
    place = body
    for key in path[:-1]:
        place = place[key]
    how = draw(st.sampled_from(["other", "other", "other", "other", "missing", "beside"]))
    if how == "missing":
        del place[path[-1]]
    elif how == "beside" and isinstance(place, dict):
        place[draw(st.text(max_size=9))] = draw(ANY_JSON)
    else:
        place[path[-1]] = draw(ANY_JSON)
    return body
