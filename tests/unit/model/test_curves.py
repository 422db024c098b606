from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.model.curves import Curves, Thinning
from jupyter_gridgpu.model.metrics import Reading


@given(st.integers(0, 3000), st.integers(2, 40))
def test_a_thinned_series_keeps_first_last_and_order_and_never_more(
    count: int, points: int
) -> None:
    thinning = Thinning(points)
    for item in range(count):
        thinning.add(item)
        assert len(thinning._kept) <= 2 * points + 1
    items = thinning.items()
    assert len(items) == min(count, len(items)) <= points
    assert items == sorted(set(items))
    if count:
        assert (items[0], items[-1]) == (0, count - 1)
    if count <= points:
        assert items == list(range(count))


def test_a_thinned_series_is_spread_evenly() -> None:
    thinning = Thinning(100)
    for item in range(10_000):
        thinning.add(item)
    items = thinning.items()
    assert max(b - a for a, b in pairwise(items)) < 400


def test_each_metric_has_its_own_steps() -> None:
    curves = Curves(10)
    curves.take(
        [
            Reading(1.0, 5, None, {"a": 1.0}),
            Reading(2.0, None, None, {"b": 2.0}),
            Reading(3.0, None, None, {"b": float("inf")}),
        ]
    )
    assert curves.curves() == {
        "a": {"steps": [5], "values": [1.0]},
        "b": {"steps": [1, 2], "values": [2.0, "Infinity"]},
    }


def test_a_heartbeat_is_usage_and_no_curve() -> None:
    curves = Curves(10)
    curves.take(
        [
            Reading(7.0, None, None, {}, {"cpu": 0.5}),
            Reading(float("nan"), None, None, {}, {"cpu": 9.0}),
        ]
    )
    assert curves.curves() == {}
    assert curves.usage() == {
        "times": [7.0],
        "cpu": [0.5],
        "memory_mb": [None],
        "gpu": [None],
        "gpu_memory_mb": [None],
    }


def test_only_so_many_names_have_curves() -> None:
    curves = Curves(10)
    for number in range(200):
        curves.take([Reading(1.0, None, None, {f"m{number}": 1.0})])
    assert len(curves.curves()) == 64
