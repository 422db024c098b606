"""Samplers that learn: what they make of earlier results, and of a user's own points."""

from __future__ import annotations

import random
import statistics
import warnings
from collections.abc import Sequence
from typing import Any

import pytest

from jupyter_gridgpu import samplers
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.samplers.base import EARLIER, OWN, Trial

LOSS = [Objective("loss", "minimize")]
VALLEY = parse_space("x = uniform(-5, 5)\ny = uniform(-5, 5)")
MIXED = parse_space("x = uniform(-5, 5)\ny = uniform(-5, 5)\nkind = ['a', 'b', 'c']\none = [7]")
# How many results of others let a sampler begin well: NSGA-II keeps the best 20 of them.
LEARN = {"tpe": 60, "cmaes": 60, "nsgaii": 400}


def loss(params: dict[str, Any]) -> float:
    return float((params["x"] - 2) ** 2 + (params["y"] + 1) ** 2)


def trials(count: int, source: str, seed: int = 0, **more: Any) -> list[Trial]:
    chance = random.Random(seed)
    points = [{"x": chance.uniform(-5, 5), "y": chance.uniform(-5, 5)} for _ in range(count)]
    return [Trial({**p, **more}, {}, "done", (loss(p),), source) for p in points]


def first_losses(name: str, space: Space, history: Sequence[Trial], count: int = 5) -> list[float]:
    """Return what the first points give, over a few seeds."""
    found = []
    for seed in range(4):
        so_far = list(history)
        for index in range(count):
            sampler = samplers.load(name, space, LOSS)
            [proposal] = sampler.propose(so_far, 1, seed, index)
            value = loss(proposal.params)
            found.append(value)
            so_far.append(Trial(proposal.params, proposal.attrs, "done", (value,)))
    return found


@pytest.mark.parametrize("name", LEARN)
@pytest.mark.parametrize("space", [VALLEY, MIXED], ids=["numbers", "mixed"])
def test_the_first_points_are_better_after_earlier_results(name: str, space: Space) -> None:
    more: dict[str, Any] = {} if space is VALLEY else {"kind": "a", "one": 7}
    cold = statistics.median(first_losses(name, space, []))
    warm = statistics.median(first_losses(name, space, trials(LEARN[name], EARLIER, **more)))
    # With two parameters, NSGA-II draws one of two anew.
    assert warm < (cold if name == "nsgaii" else cold / 2)


@pytest.mark.parametrize("name", LEARN)
@pytest.mark.parametrize("source", [EARLIER, OWN])
def test_the_same_history_gives_the_same_points(name: str, source: str) -> None:
    history = trials(60, source)
    twice = [samplers.load(name, VALLEY, LOSS).propose(history, 8, 5, 2) for _ in range(2)]
    assert twice[0] == twice[1]
    others = samplers.load(name, VALLEY, LOSS).propose(trials(60, source, 1), 8, 5, 2)
    assert others != twice[0]


@pytest.mark.parametrize("name", LEARN)
def test_own_points_are_learned_from(name: str) -> None:
    """CMA-ES and NSGA-II take them for their first generation, which ends after some trials."""
    cold = statistics.median(first_losses(name, VALLEY, [], 8))
    own = statistics.median(first_losses(name, VALLEY, trials(LEARN[name], OWN), 8))
    assert own < cold


@pytest.mark.parametrize("name", LEARN)
def test_few_earlier_results_are_no_trouble(name: str) -> None:
    for count in (1, 9, 10):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = samplers.load(name, MIXED, LOSS).propose(
                trials(count, EARLIER, kind="b", one=7), 2, 0, 0
            )
        assert len(found) == 2


CONDITIONS = parse_space(
    "kind = ['a', 'b']\nif kind == 'b':\n    n = integer(1, 9)\n    if n > 4:\n"
    "        x = uniform(0, 1)\ny = uniform(0, 1)\nr, s = together([(1, 2), (3, 4)])"
)
PARTS: list[dict[str, Any]] = [
    {"y": 0.5},
    {"kind": "b"},
    {"kind": "b", "n": 7},
    {"kind": "b", "n": 7, "x": 0.1},
    {"n": 7, "y": 0.3},
    {"r": 1, "s": 2},
    {"r": 1, "y": 0.1},
    {"kind": "a", "y": 0.2, "r": 3, "s": 4},
]


@pytest.mark.parametrize("name", ["tpe", "nsgaii"])
def test_results_that_lack_parameters_tell_of_the_others(name: str) -> None:
    history = [
        Trial(params, {}, "done", (number / 8,), EARLIER) for number, params in enumerate(PARTS * 4)
    ]
    for seed in range(3):
        [proposal] = samplers.load(name, CONDITIONS, LOSS).propose(history, 1, seed, 0)
        assert {"kind", "y", "r", "s"} <= set(proposal.params)
        assert ("n" in proposal.params) == (proposal.params["kind"] == "b")


def test_a_parameter_that_results_lack_does_not_hide_the_others() -> None:
    history = trials(60, EARLIER)
    wider = parse_space("x = uniform(-5, 5)\ny = uniform(-5, 5)\nz = uniform(0, 1)")
    cold = statistics.median(first_losses("tpe", wider, []))
    assert statistics.median(first_losses("tpe", wider, history)) < cold / 2
