from __future__ import annotations

import pytest

from jupyter_gridgpu import samplers
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.objective import Objective

ACC = (Objective("acc", "maximize"),)
RANGE = parse_space("lr = uniform(0, 1)")
FIXED = parse_space("lr = 1\nseed = repeats(2)")


def test_all_samplers_are_found_by_name() -> None:
    assert {"cmaes", "grid", "nsgaii", "random", "sobol", "tpe"} <= set(samplers.names())
    for name in samplers.names():
        assert samplers.load(name, parse_space("lr = [1, 2]\nb = [1, 2]"), ACC).adaptive == (
            name in ("cmaes", "nsgaii", "tpe")
        )


def test_an_unknown_sampler_is_refused_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"'guess' is not known; choose one of .*grid, .*random"):
        samplers.load("guess", RANGE, ACC)


@pytest.mark.parametrize("name", ["random", "sobol", "tpe", "nsgaii", "cmaes"])
def test_a_search_needs_something_to_search(name: str) -> None:
    with pytest.raises(UsageError, match="at least one parameter"):
        samplers.load(name, FIXED, ACC)


@pytest.mark.parametrize("name", ["tpe", "nsgaii", "cmaes"])
def test_a_sampler_that_learns_needs_an_objective(name: str) -> None:
    with pytest.raises(UsageError, match="--maximize NAME"):
        samplers.load(name, RANGE, ())


def test_a_grid_of_a_continuous_range_is_refused_with_a_way_out() -> None:
    with pytest.raises(UsageError, match=r"lr is a continuous range.*linspace"):
        samplers.load("grid", RANGE, ())


def test_a_grid_of_too_many_points_is_refused_with_their_number() -> None:
    with pytest.raises(UsageError, match="1,000,000,000 points"):
        samplers.load("grid", parse_space("a = logint(1, 10**9)"), ())
