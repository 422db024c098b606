"""Samplers that go on in a space that was extended."""

from __future__ import annotations

import pytest

from jupyter_gridgpu import samplers
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.extension import Extension, extended
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.samplers.base import Proposal, Sampler, Trial
from jupyter_gridgpu.samplers.optuna import NsgaIISampler, OptunaSampler, TpeSampler

OBJECTIVES = (Objective("acc", "maximize"),)
OLD = """
opt = ["adam", "sgd"]
if opt == "sgd":
    momentum = uniform(0.5, 0.7)
size = ordinal(1, 2, 4)
lr = loguniform(1e-3, 1e-2)
n = integer(1, 4)
step = uniform(0, 1, step=0.5)
a, b = together([(1, 2), (3, 4)])
layers = choice([8], [16, 8])
assert n < 9
"""
ADD = """
opt = ["lion"]
momentum = uniform(0.7, 0.99)
size = [8]
lr = loguniform(1e-2, 1e-1)
n = integer(0, 8)
step = uniform(-1, 0, step=0.5)
a, b = together([(5, 6)])
layers = fixed([32])
"""
# One axis at a time, so that each kind of axis is seen to grow.
AXES = [line.strip() for line in ADD.strip().splitlines()]


def grown(*lines: str, old: str = OLD) -> tuple[Space, Space]:
    before = parse_space(old)
    return before, extended(before, Extension(add=parse_space("\n".join(lines)).body))


def trials(sampler: Sampler, count: int, seed: int = 3) -> list[Trial]:
    made: list[Trial] = []
    while len(made) < count:
        (point,) = sampler.propose(made, 1, seed, len(made))
        made.append(Trial(point.params, point.attrs, "done", (float(len(made) % 7),)))
    return made


@pytest.mark.parametrize("kind", [TpeSampler, NsgaIISampler])
@pytest.mark.parametrize("line", [*AXES, "\n".join(AXES)])
def test_a_sampler_goes_on_with_its_history(line: str, kind: type[OptunaSampler]) -> None:
    """Values are coded by their places, and those of the old trials stay the same."""
    before, space = grown(*line.splitlines())
    made = trials(kind(before, OBJECTIVES), 12)
    made.append(Trial(trials(samplers.load("random", before, OBJECTIVES), 1)[0].params))
    sampler = kind(space, OBJECTIVES)
    for index in range(13, 17):
        (point,) = sampler.propose(made, 1, 3, index)
        assert [point] == sampler.propose(made, 1, 3, index)
        made.append(Trial(point.params, point.attrs, "done", (9.0,)))
        assert space.complete(point.params)


def test_tpe_learns_that_a_new_value_is_better() -> None:
    before, space = grown("lr = [7, 8, 9]", old="lr = [1, 2, 3]\nx = uniform(0, 1)")
    made = [
        Trial(trial.params, trial.attrs, "done", (float(trial.params["lr"]),))
        for trial in trials(TpeSampler(before, OBJECTIVES), 15)
    ]
    sampler = samplers.load("tpe", space, OBJECTIVES)
    for index in range(15, 50):
        (point,) = sampler.propose(made, 1, 3, index)
        made.append(Trial(point.params, point.attrs, "done", (float(point.params["lr"]),)))
    assert sum(trial.params["lr"] == 9 for trial in made[30:]) > 10


@pytest.mark.parametrize("name", ["random", "sobol"])
def test_new_points_have_old_and_new_values(name: str) -> None:
    before, space = grown("lr = [4, 5]", old="lr = [1, 2, 3]\nx = uniform(0, 1)")
    old = samplers.load(name, before, OBJECTIVES).propose([], 16, 5, 0)
    new = samplers.load(name, space, OBJECTIVES).propose([], 48, 5, 16)
    assert {point.params["lr"] for point in new} == {1, 2, 3, 4, 5}
    assert not {key(point) for point in old} & {key(point) for point in new}


def key(point: Proposal) -> str:
    return repr(point.params)


@pytest.mark.parametrize("line", ["lr = loguniform(1e-4, 1)", "n = integer(0, 9)", "size = [8]"])
def test_cmaes_refuses_a_wider_range_in_one_sentence(line: str) -> None:
    old = "lr = loguniform(1e-3, 1e-2)\nn = integer(1, 4)\nsize = ordinal(1, 2)\nopt = [1, 2]"
    _, space = grown(line, old=old)
    with pytest.raises(UsageError, match="start a new scan"):
        samplers.load("cmaes", space, OBJECTIVES)
    before, space = grown("opt = [3]", old=old)
    made = trials(samplers.load("cmaes", before, OBJECTIVES), 9)
    values = [
        point.params["opt"]
        for index in range(9, 29)
        for point in samplers.load("cmaes", space, OBJECTIVES).propose(made, 1, 1, index)
    ]
    assert 3 in values
