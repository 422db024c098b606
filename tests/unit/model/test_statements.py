"""Spaces with conditions, constraints, rows and derived values."""

from __future__ import annotations

import json
import os
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gridgpu.errors import DamagedRecord, GridGpuError, SpaceError
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.axes import Axis, Choice, Fixed, Range, Repeats, axis_values, value_at
from jupyter_gridgpu.model.expressions import Expression
from jupyter_gridgpu.model.fields import Fields
from jupyter_gridgpu.model.space import SIZE_LIMIT, Space
from jupyter_gridgpu.model.space_record import format_of, from_json, to_json
from jupyter_gridgpu.model.statements import Assign, Derived, Require, Statement, Together, When
from tests.random_spaces import CONTINUOUS, DEFAULTS, DISCRETE, brute_force, statements


def choice(name: str, *values: Any) -> Statement:
    return Assign(name, Choice(values))


def derived(name: str, text: str) -> Statement:
    return Assign(name, Derived(Expression(text)))


def require(text: str) -> Statement:
    return Require(Expression(text))


def when(text: str, then: list[Statement], otherwise: list[Statement] | None = None) -> Statement:
    return When(Expression(text), tuple(then), tuple(otherwise or ()))


EXAMPLE: list[Statement] = [
    choice("optimizer", "adam", "sgd"),
    when(
        "optimizer == 'sgd'",
        [choice("momentum", 0.5, 0.9), choice("nesterov", True, False)],
        [Assign("momentum", Fixed(0.0))],
    ),
    Together(("units", "layers"), ((64, 4), (128, 3), (256, 2))),
    Assign("batch", Fixed(256)),
    require("units * layers <= 400"),
    derived("per_step", "batch // units"),
]


@pytest.mark.any_cell
@given(statements())
@settings(max_examples=int(os.environ.get("GRIDGPU_TEST_EXAMPLES", "100")))
def test_the_grid_is_the_filtered_product(made: list[Statement]) -> None:
    space = Space.of(made, DEFAULTS)
    points = list(space.grid())
    expected = brute_force(made)
    ordered = [{name: point[name] for name in space if name in point} for point in expected]
    assert [{name: point[name] for name in space if name in point} for point in points] == ordered
    assert space.grid_size() == len(points)


@given(statements(risky=True))
def test_an_expression_without_a_value_is_said_and_never_decides(made: list[Statement]) -> None:
    space = Space.of(made, DEFAULTS)
    try:
        expected = brute_force(made)
    except ZeroDivisionError:
        # The grid may prune what the product stumbles over, since constraints come early there.
        with_error = True
    else:
        with_error = False
    try:
        points = list(space.grid())
    except SpaceError:
        assert with_error
        return
    if not with_error:
        assert len(points) == len(expected)
        assert space.grid_size() == len(points)


@given(statements(DISCRETE | CONTINUOUS), st.randoms(use_true_random=False))
def test_a_point_is_what_its_statements_say(made: list[Statement], chance: Any) -> None:
    space = Space.of(made, DEFAULTS)
    point = space.point(lambda draw: value_at(draw.axis, chance.random()))
    if point.broken is not None:
        return
    assert set(space.fixed) <= set(point.params) <= set(space)
    assert set(point.chosen) <= set(space.searched)
    assert list(point.params) == [name for name in space if name in point.params]
    again = space.complete(point.params)
    assert again == space.complete(point.chosen) == point.params
    if space.repeats:
        assert space.complete(point.chosen, 1)[space.repeats[0]] == 1


@given(statements(DISCRETE | CONTINUOUS))
def test_any_space_survives_scan_json(made: list[Statement]) -> None:
    space = Space.of(made, DEFAULTS)
    text = json.dumps(numbers.encode_all(to_json(space)), allow_nan=False)
    again = from_json(Fields({"space": json.loads(text)}, "scan.json").inner_list("space"))
    assert again == space
    assert repr(again.statements) == repr(space.statements)


def test_an_example_in_full() -> None:
    space = Space.of(EXAMPLE)
    assert list(space) == [
        "optimizer", "momentum", "nesterov", "units", "layers", "batch", "per_step",
    ]  # fmt: skip
    assert space.fixed == {"batch": 256}
    assert space.axes["momentum"] == Choice((0.5, 0.9, 0.0))
    assert space.varied == ["optimizer", "momentum", "nesterov", "units", "layers"]
    assert (space.derived, space.repeats, space.has_conditions) == (["per_step"], None, True)
    assert space.grid_size() == len(list(space.grid())) == 10  # (1 + 2 * 2) * 2
    assert list(space.grid())[2] == {
        "optimizer": "sgd", "momentum": 0.5, "nesterov": True, "units": 64, "layers": 4,
    }  # fmt: skip
    assert space.complete({"optimizer": "adam", "units": 128, "layers": 3}) == {
        "optimizer": "adam", "momentum": 0.0, "units": 128, "layers": 3, "batch": 256,
        "per_step": 2,
    }  # fmt: skip
    broken = space.point(lambda draw: list(axis_values(draw.axis))[-1]).broken
    assert broken == Expression("units * layers <= 400")


def test_a_range_with_steps_has_the_numbers_that_were_written() -> None:
    assert list(axis_values(Range(0.0, 0.3, step=0.05))) == [0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3]
    assert list(axis_values(Range(0.0, 1.0, step=0.3))) == [0.0, 0.3, 0.6, 0.9]
    assert list(axis_values(Range(1, 10, whole=True, step=4))) == [1, 5, 9]
    assert value_at(Range(0.0, 1.0, step=0.5), 0.99) == 1.0


def test_an_inactive_parameter_has_the_notebooks_own_value() -> None:
    made: list[Statement] = [
        choice("a", 0, 1),
        when("a == 1", [choice("b", 5, 9)]),
        require("b > 5"),
        derived("c", "b + 1"),
    ]
    space = Space.of(made)
    assert space.inactive == {"b"}
    with pytest.raises(SpaceError, match="b has no value here"):
        list(space.grid())
    with pytest.raises(SpaceError, match="b is read where it is not active"):
        space.with_defaults({"a": 3})
    bound = space.with_defaults({"a": 3, "b": 7})
    assert bound.defaults == {"b": 7}
    assert list(bound.grid()) == [{"a": 0}, {"a": 1, "b": 9}]
    assert bound.complete({"a": 0}) == {"a": 0, "c": 8}
    # The value of an active parameter does not stay when it is inactive again.
    turned = Space.of([choice("a", 1, 0), *made[1:]]).with_defaults({"b": 3})
    assert list(turned.grid()) == [{"a": 1, "b": 9}]


@pytest.mark.parametrize("line", [derived("b", "a + 5"), Assign("b", Fixed(6))])
def test_what_is_computed_early_under_a_condition_stays_there(line: Statement) -> None:
    made: list[Statement] = [
        choice("a", 1, 0),
        when("a == 1", [choice("c", 1, 2), line]),
        require("b > 3"),
    ]
    space = Space.of(made, {"b": 0})
    assert list(space.grid()) == [{"a": 1, "c": 1}, {"a": 1, "c": 2}]
    assert space.grid_size() == 2


def test_the_notebooks_own_value_decides_nothing_before_a_line_gives_another() -> None:
    inside: list[Statement] = [derived("b", "a + 5"), choice("c", 1, 2), require("b > 3")]
    space = Space.of([choice("a", 1, 0), when("a == 1", inside), require("b < 9")], {"b": 0})
    assert space.grid_size() == len(list(space.grid())) == 3


@pytest.mark.parametrize("line", [derived("b", "a + 5"), Assign("b", Fixed(6))])
def test_a_constraint_that_no_choice_changes_comes_before_a_range(line: Statement) -> None:
    inside: list[Statement] = [Assign("a", Fixed(1)), Assign("x", Range(0.0, 1.0)), line]
    space = Space.of([choice("k", 1, 2), when("k > 0", [*inside, require("b > 10")])])
    assert space.grid_size() == 0


def test_a_plain_space_is_a_plain_space_however_it_is_made() -> None:
    axes: dict[str, Axis] = {
        "a": Choice((1, 2)),
        "b": Range(0, 1),
        "c": Fixed([1]),
        "seed": Repeats(2),
    }
    made = Space.of([Assign(name, axis) for name, axis in axes.items()])
    assert made == Space(axes)
    assert format_of(made) == 2


@pytest.mark.parametrize(
    "space",
    [
        Space({"a": Range(0.0, 1.0, step=0.5)}),
        Space({"a": Choice((1, 2), ordered=True)}),
        Space.of(EXAMPLE),
        Space.of([Together(("a", "b"), ((1, 2),))]),
        Space.of([Assign("a", Fixed(1)), derived("b", "a + 1")]),
    ],
)
def test_what_an_older_version_would_pass_over_has_another_format(space: Space) -> None:
    assert format_of(space) == 3


def test_many_points_with_conditions_are_counted_quickly_and_take_no_memory() -> None:
    made: list[Statement] = [choice(name, *range(10)) for name in "abcd"]
    made += [
        choice("kind", *range(10)),
        when("kind > 4", [choice("e", 1)], [choice("e", 2)]),
        require("a + b <= 12"),
        require("c * d + e < 50 and kind != 3"),
    ]
    space = Space.of(made)
    spent = []
    for _ in range(3):  # a busy machine may be slow once
        begin = time.process_time()
        size = Space.of(made).grid_size()
        spent.append(time.process_time() - begin)
    assert min(spent) < 1
    tracemalloc.start()
    count = sum(1 for _ in space.grid())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == size
    assert peak < 500_000


def test_counting_has_an_end() -> None:
    axis = Range(1, 10**9, whole=True)
    wide: list[Statement] = [Assign("a", axis), Assign("b", axis), require("a + b == 3")]
    begin = time.monotonic()
    assert Space.of(wide).grid_size() == SIZE_LIMIT
    assert time.monotonic() - begin < 60
    # Where nearly all points count, it ends long before.
    begin = time.monotonic()
    assert Space.of([*wide[:2], require("a + b != 3")]).grid_size() == SIZE_LIMIT
    assert time.monotonic() - begin < 60
    # What nothing reads need not be gone through.
    assert Space.of([*wide[:2], choice("c", 1, 2), require("c == 2")]).grid_size() == SIZE_LIMIT
    few: list[Statement] = [
        Assign("a", Range(1, 10**6, whole=True)),
        choice("c", 1, 2),
        require("c == 2"),
    ]
    assert Space.of(few).grid_size() == 10**6


def test_only_an_axis_that_can_be_active_makes_a_grid_endless() -> None:
    line = Assign("lr", Range(0.0, 1.0))
    assert Space.of([choice("a", 1, 2), when("a == 2", [line])]).grid_size() is None
    more: list[Statement] = [Assign("a", Fixed(1)), when("a == 1", [Assign("m", Fixed(3))])]
    assert list(Space.of([*more, choice("n", 1, 5), require("m > n")]).grid()) == [{"n": 1}]
    made = Space.of([Assign("a", Fixed(1)), when("a == 2", [line], [choice("b", 1, 2)])])
    assert made.grid_size() == 2
    assert list(made.searched) == ["b"]
    assert made.complete({"b": 2}) == {"a": 1, "b": 2}
    assert not made.has_conditions


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ([choice("a", 1), choice("a", 2)], "a is given twice"),
        ([choice("a", 1), when("a", [choice("a", 2)])], "a is given twice"),
        ([choice("a", 1), when("a", [choice("b", 2)]), choice("b", 1)], "b is given twice"),
        ([choice("a", 1), Together(("b", "b"), ((1, 2),))], "b is given twice"),
        ([require("a > 1"), choice("a", 1)], "no line above gives"),
        ([derived("a", "b + 1"), derived("b", "a + 1")], "reads b, which no line above"),
        ([derived("a", "a + 1")], "reads a, which no line above"),
        ([choice("a", 1), when("a", [choice("b", 1)], [derived("c", "b + 1")])], "reads b"),
        ([choice("a", 1), when("a", [Assign("s", Repeats(2))])], "under a condition"),
        ([Assign("s", Repeats(2)), require("s > 0")], "repeats every point"),
        ([Assign("s", Repeats(2)), derived("t", "s + 1"), when("t", [])], "reads t, which repeats"),
    ],
)
def test_statements_that_make_no_sense_are_refused(made: list[Statement], words: str) -> None:
    with pytest.raises(SpaceError, match=words):
        Space.of(made)


def test_the_depth_and_the_number_of_statements_are_bounded() -> None:
    nested: list[Statement] = [choice("b", 1)]
    for _ in range(20):
        nested = [when("a", nested)]
    Space.of([choice("a", 1), *nested])
    nested = [when("a", nested)]
    with pytest.raises(SpaceError, match="conditions stand in each other"):
        Space.of([choice("a", 1), *nested])
    many: list[Statement] = [Assign(f"n{number}", Fixed(1)) for number in range(1_000)]
    lots: list[Statement] = [choice("a", 1, 2), *many, *[require("a > 0")] * 199]
    assert len(list(Space.of(lots).grid())) == 2
    with pytest.raises(SpaceError, match="more than 200 lines"):
        Space.of([*lots, require("a > 0")])
    with pytest.raises(SpaceError, match="more than 200 lines"):
        record(A, *[{"kind": "require", "condition": "a > 0"}] * 50_000)


def record(*items: dict[str, Any]) -> Space:
    return from_json(Fields({"space": list(items)}, "scan.json").inner_list("space"))


RANGE = {"name": "a", "kind": "range", "low": 1, "high": 2}
A = {"name": "a", "kind": "choice", "values": [1, 2]}


@pytest.mark.parametrize(
    "items",
    [
        [{"kind": "when"}],
        [A, {"kind": "when", "condition": 3, "statements": [], "otherwise": []}],
        [A, {"kind": "when", "condition": "a >", "statements": [], "otherwise": []}],
        [A, {"kind": "when", "condition": "a", "statements": {}, "otherwise": []}],
        [A, {"kind": "when", "condition": "a", "statements": [3], "otherwise": []}],
        [A, {"kind": "require", "condition": "9**9**9 > a.b"}],
        [A, {"kind": "require", "condition": "x"}],
        [A, {"kind": "require", "condition": "a" * 20_000}],
        [A, {"kind": "require", "condition": "NaN"}],
        [A, {"kind": "derived", "name": "b", "value": "open('x')"}],
        [A, {"kind": "derived", "name": "", "value": "a"}],
        [{"kind": "together", "names": [], "rows": [[]]}],
        [{"kind": "together", "names": ["a", 3], "rows": [[1, 2]]}],
        [{"kind": "together", "names": ["a", "b"], "rows": []}],
        [{"kind": "together", "names": ["a", "b"], "rows": [[1, 2], [3]]}],
        [{"kind": "default", "name": "a"}],
        [{**A, "ordered": 1}],
        [{"name": "a", "kind": "sphere"}],
        [{"kind": "sphere"}],
        *(
            [
                {
                    "name": "a",
                    "kind": "range",
                    "low": 1,
                    "high": 2,
                    "log": log,
                    "whole": whole,
                    "step": step,
                }
            ]
            for log, whole, step in [
                (False, False, 0),
                (False, False, -1),
                (False, False, "x"),
                (False, False, 1e-300),
                (False, True, 0.5),
                (True, False, 0.5),
            ]
        ),
    ],
)
def test_a_damaged_statement_is_refused(items: list[dict[str, Any]]) -> None:
    with pytest.raises((DamagedRecord, SpaceError)) as caught:
        record(*items)
    assert isinstance(caught.value, GridGpuError)
    assert len(str(caught.value)) < 310


def test_a_record_that_is_nested_deeply_is_refused() -> None:
    inner: list[Any] = []
    for _ in range(30):
        inner = [{"kind": "when", "condition": "a", "statements": inner, "otherwise": []}]
    with pytest.raises(SpaceError, match="conditions stand in each other"):
        record(A, *inner)
