"""How samplers take spaces with conditions and constraints."""

from __future__ import annotations

import pytest

from jupyter_gridgpu import samplers
from jupyter_gridgpu.errors import SpaceError, UsageError
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.samplers.base import Sampler, Trial

LOSS = Objective("loss", "minimize")
BRANCHES = (
    "kind = ['a', 'b']\nif kind == 'b':\n    x = uniform(0, 1)\nelse:\n    y = uniform(0, 1)\n"
)
PAIRS = "a = integer(1, 20)\nb = integer(1, 20)\nassert a * b <= 60 and a != b\n"
NOTHING = "a = integer(1, 20)\nb = uniform(0, 1)\nassert a * b > 30"
STRICT = "a = uniform(0, 1)\nassert a > 0.97"


def load(name: str, body: str) -> Sampler:
    return samplers.load(name, parse_space(body), [LOSS])


def test_a_grid_is_the_same_in_pieces_and_after_a_restart() -> None:
    whole = [point.params for point in load("grid", PAIRS).propose([], 1000, 0, 0)]
    assert len(whole) == parse_space(PAIRS).grid_size()
    pieces: list[object] = []
    sampler = load("grid", PAIRS)
    while len(pieces) < len(whole):
        pieces += [point.params for point in sampler.propose([], 7, 0, len(pieces))]
    assert pieces == whole
    assert sampler.propose([], 7, 0, len(whole)) == []
    assert [point.params for point in sampler.propose([], 3, 0, 5)] == whole[5:8]
    assert [point.params for point in sampler.propose([], 3, 0, 5)] == whole[5:8]
    assert [point.params for point in load("grid", PAIRS).propose([], 3, 0, 50)] == whole[50:53]


@pytest.mark.parametrize("name", ["random", "sobol"])
def test_a_point_is_a_function_of_its_number(name: str) -> None:
    for body in (PAIRS, STRICT, BRANCHES + "assert kind == 'b' or y > 0.5"):
        whole = load(name, body).propose([], 60, 3, 0)
        assert load(name, body).propose([], 5, 3, 40) == whole[40:45]
        sampler = load(name, body)
        assert sampler.propose([], 2, 3, 50) == whole[50:52]
        assert sampler.propose([], 2, 3, 10) == whole[10:12]
        assert sampler.propose([], 2, 4, 10) != whole[10:12]


def test_a_filtered_sobol_sequence_still_lies_evenly() -> None:
    points = load("sobol", "a = uniform(0, 1)\nassert a < 0.5").propose([], 128, 0, 0)
    tenths = [int(point.params["a"] * 20) for point in points]
    assert all(10 <= tenths.count(tenth) <= 16 for tenth in range(10))


@pytest.mark.parametrize("name", ["tpe", "cmaes", "random", "sobol"])
def test_a_strict_constraint_is_met(name: str) -> None:
    history: list[Trial] = []
    for index in range(12):
        (point,) = load(name, STRICT).propose(history, 1, 0, index)
        assert point.params["a"] > 0.97
        history.append(Trial(point.params, point.attrs, "done", (point.params["a"],)))
    several = load(name, STRICT).propose(history, 3, 0, 12)
    assert len({point.params["a"] for point in several}) == 3


@pytest.mark.parametrize("name", ["random", "sobol", "tpe", "cmaes"])
def test_a_constraint_that_nothing_meets_is_said(name: str) -> None:
    with pytest.raises(SpaceError, match=r"10,000 points .* none meets `a \* b > 30`"):
        load(name, NOTHING).propose([], 1, 0, 0)


def test_a_grid_without_points_is_refused() -> None:
    with pytest.raises(UsageError, match="No point of the grid meets `a > 5`"):
        load("grid", "a = [1, 2]\nassert a > 5")


def test_a_grid_that_cannot_be_counted_is_refused() -> None:
    body = "a = integer(1, 10**6)\nb = integer(1, 10**6)\nassert a + b < 10"
    with pytest.raises(UsageError, match="too many points to count"):
        load("grid", body)


def test_a_continuous_range_under_a_condition_is_no_grid() -> None:
    with pytest.raises(UsageError, match="x, y is a continuous range"):
        load("grid", BRANCHES)


def test_cmaes_refuses_conditions_in_one_sentence() -> None:
    with pytest.raises(UsageError, match=r"cmaes needs the same parameters at all points"):
        load("cmaes", BRANCHES)
    # A condition that only fixes values, or gives what follows from others, is none to it.
    load("cmaes", "a = uniform(0, 1)\nif a > 0.5:\n    b = 1\nelse:\n    b = 2")
    fixed = parse_space("kind = 'b'\n" + BRANCHES.partition("\n")[2])
    (point,) = samplers.load("cmaes", fixed, [LOSS]).propose([], 1, 0, 0)
    assert list(point.params) == list(fixed.searched) == ["x"]


def test_a_point_without_a_value_of_an_expression_is_drawn_again() -> None:
    for name in ("random", "sobol", "tpe", "nsgaii"):
        points = load(name, "a = integer(0, 1)\nb = [1, 2]\nassert b / a > 0").propose([], 5, 0, 0)
        assert [point.params["a"] for point in points] == [1] * 5


def test_tpe_learns_in_each_branch() -> None:
    history: list[Trial] = []
    for index in range(40):
        points = [load("tpe", BRANCHES).propose(history, 1, 5, index) for _ in range(2)]
        assert points[0] == points[1]
        (point,) = points[0]
        assert set(point.params) == (
            {"kind", "x"} if point.params["kind"] == "b" else {"kind", "y"}
        )
        value = abs(point.params["x"] - 0.3) if "x" in point.params else 2 + point.params["y"]
        history.append(Trial(point.params, point.attrs, "done", (value,)))
    late = [trial.params for trial in history[20:]]
    assert sum(params["kind"] == "b" for params in late) >= 14
    assert min(abs(params.get("x", 9) - 0.3) for params in late) < 0.1


def test_a_parameter_of_both_branches_has_an_axis_in_each() -> None:
    body = "kind = ['a', 'b']\nif kind == 'b':\n    x = uniform(5, 9)\nelse:\n    x = [1, 2]"
    history: list[Trial] = []
    for index in range(15):
        (point,) = load("tpe", body).propose(history, 1, 5, index)
        x = point.params["x"]
        assert (5 <= x <= 9) if point.params["kind"] == "b" else x in (1, 2)
        history.append(Trial(point.params, point.attrs, "done", (x,)))


def test_a_space_without_a_choice_is_refused() -> None:
    space = Space.of(parse_space("a = 1\nb = [1, 2]\nc = b + 1").body[:1])
    with pytest.raises(UsageError, match="at least one parameter"):
        samplers.load("random", space, ())
