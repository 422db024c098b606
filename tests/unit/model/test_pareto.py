from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.pareto import Point, front
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.testing.examples import Story, small_scan

REJ = (Objective("rej_light", "maximize", "max"), Objective("loss", "minimize"))
# Few values, so that ties are frequent; and what a notebook may report as well.
VALUES = st.sampled_from([0.0, -0.0, 1.0, 2.0, 3.0, math.inf, -math.inf, math.nan]) | st.floats()


def dominates(one: Point, other: Point) -> bool:
    pairs = list(zip(one, other, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def brute_force(points: list[Point]) -> list[int]:
    known = [index for index, point in enumerate(points) if not any(map(math.isnan, point))]
    return [
        index
        for index in known
        if not any(dominates(points[other], points[index]) for other in known)
    ]


@given(st.integers(1, 5).flatmap(lambda size: st.lists(st.tuples(*[VALUES] * size), max_size=60)))
def test_the_front_is_what_no_point_dominates(points: list[Point]) -> None:
    assert front(points) == brute_force(points)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4, 6, 8])
@pytest.mark.parametrize("kinds", [2, 5, 10**6])
def test_so_is_the_front_of_many_points(dimensions: int, kinds: int) -> None:
    generator = random.Random(dimensions)
    points = [
        tuple(float(generator.randrange(kinds)) for _ in range(dimensions)) for _ in range(400)
    ]
    assert front(points) == brute_force(points)
    # Of these, none dominates another one.
    level = [(*point, -sum(point)) for point in points]
    assert front(level) == brute_force(level) == list(range(400))


def told(*results: tuple[dict[str, list[float]], str]) -> Story:
    """Return a story of variants, each with the series of its metrics and its last state."""
    story = Story()
    for number, (metrics, state) in enumerate(results, 1):
        story.propose(number, lr=0.1)
        finish(story, f"v{number:04d}", metrics, state)
    return story


def finish(story: Story, ident: str, metrics: dict[str, list[float]], state: str = "done") -> None:
    key = f"{ident}.1"
    story.tell("job.intended", key=key)
    story.tell("job.observed", key=key, state="running")
    reported = {
        name: [len(series), *bounds(series), series] for name, series in metrics.items() if series
    }
    story.tell("job.reported", key=key, metrics=reported)
    story.tell("job.observed", key=key, state=state)


def bounds(series: list[float]) -> list[Any]:
    finite = [value for value in series if math.isfinite(value)]
    return [min(finite, default=None), max(finite, default=None)]


def ids(story: Story, **changes: Any) -> list[str]:
    view = ScanView(small_scan(**{"objectives": REJ, **changes})).apply_all(story.events)
    return [variant.id for variant in view.pareto()]


STORY = told(
    ({"rej_light": [9.0, 1.0], "loss": [0.3]}, "done"),  # its best epoch counts
    ({"rej_light": [8.0], "loss": [0.4]}, "done"),  # dominated by the first one
    ({"rej_light": [5.0], "loss": [0.9, 0.1]}, "done"),
    ({"rej_light": [5.0], "loss": [0.1]}, "done"),  # a tie
    ({"rej_light": [99.0], "loss": [0.0]}, "failed"),
    ({"rej_light": [99.0], "loss": [math.nan]}, "done"),
    ({"rej_light": [99.0]}, "done"),
    ({"rej_light": [99.0], "loss": [0.0]}, "running"),
)


def test_only_variants_that_are_done_and_have_all_values_are_in_the_front() -> None:
    assert ids(STORY) == ["v0001", "v0003", "v0004"]
    assert ids(STORY, objective=None) == ids(STORY, objective=REJ[0]) == []
    assert ids(Story()) == []


def test_repeats_of_a_point_are_compared_by_their_means() -> None:
    story = Story()
    # Of each point: the values of its three repeats. The second point is better on average.
    for point, values in enumerate(([9.0, 1.0, 1.0], [4.0, 4.0, 4.0], [50.0, math.nan, 50.0])):
        for repeat, value in enumerate(values):
            ident = f"v{point * 3 + repeat + 1:04d}"
            story.tell(
                "variant.proposed", variant=ident, point=point, repeat=repeat, params={}, attrs={}
            )
            finish(story, ident, {"rej_light": [value], "loss": [0.5]})
    assert ids(story, space="lr = [1, 2, 3]\nseed = repeats(3)") == ["v0004", "v0005", "v0006"]


def test_the_front_follows_each_event() -> None:
    view = ScanView(small_scan(objectives=REJ))
    for count, event in enumerate(STORY.events, 1):
        view.apply(event)
        again = ScanView(view.scan).apply_all(STORY.events[:count])
        assert [one.id for one in view.pareto()] == [one.id for one in again.pareto()]


def test_faces_and_programs_get_the_front_and_no_single_best() -> None:
    view = ScanView(small_scan(objectives=REJ)).apply_all(STORY.events)
    head = wire.head(view, "done", 2000.0)
    assert (head["objective"], head["best"], head["best_value"]) == (None, None, None)
    assert head["pareto"] == ["v0001", "v0003", "v0004"]
    assert [one["metric"] for one in head["objectives"]] == ["rej_light", "loss"]
    assert wire.row(view, view.variants["v0001"])["values"] == [9.0, 0.3]
    assert wire.row(view, view.variants["v0007"])["values"] == [99.0, None]
    summary = wire.summary(view, "done", "/scan")
    assert (summary["best"], summary["pareto"]) == (None, ["v0001", "v0003", "v0004"])


def test_one_objective_looks_as_it_always_did() -> None:
    view = ScanView(small_scan(objective=REJ[0])).apply_all(STORY.events)
    assert not {"objectives", "pareto"} & set(wire.head(view, "done", 2000.0))
    assert "values" not in wire.row(view, view.variants["v0001"])
    assert "pareto" not in wire.summary(view, "done", "/scan")
