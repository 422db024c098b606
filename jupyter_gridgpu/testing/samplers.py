"""What every sampler must do. In a test file:

class TestMine(SamplesContract, LearnsContract):
    def make(self, space, objective):
        return MySampler(space, objective)
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from typing import Any

import pytest

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.scan import Objective
from jupyter_gridgpu.model.space import Choice, Range, Space
from jupyter_gridgpu.samplers.base import Proposal, Sampler, Trial
from jupyter_gridgpu.samplers.random import RandomSampler

SPACES = {
    "discrete": "units = [64, 128, 256]\ndepth = integer(1, 4)\nepochs = 20\nseed = repeats(2)",
    "values": "a = choice([1, 2], [3])\nb = [None, 'x', 1.5]\nc = [True, 1, 0, False]\nd = [float('nan'), float('inf'), 1.0]",
    "one": "only = [7]\nother = [8]",
    "numbers": "a = uniform(-1, 3)\nb = loguniform(1e-5, 1e-1)\nc = integer(-2, 9)\nd = logint(1, 4096)",
    "mixed": "lr = loguniform(1e-5, 1e-1)\nact = ['relu', 'tanh']\nlayers = choice([64], [64, 32])",
    "line": "x = uniform(0, 1)",
}
CONTINUOUS = ("numbers", "mixed", "line")
VALLEY = parse_space("x = uniform(-5, 5)\ny = uniform(-5, 5)")
TRIALS, SEEDS = 40, 5


class SamplerContract:
    """Subclass it, name the class `Test...`, and define `make`."""

    adaptive = False
    continuous = True  # whether it takes ranges that have no steps
    complete = False  # whether it tries every combination of a discrete space once and then ends

    def make(self, space: Space, objective: Objective | None) -> Sampler:
        """Return a new sampler."""
        raise NotImplementedError

    # helpers ------------------------------------------------------------------------

    def sampler(self, space: Space) -> Sampler:
        return self.make(space, Objective("value", "minimize"))

    def spaces(self) -> list[Space]:
        return [
            parse_space(body)
            for name, body in SPACES.items()
            if self.continuous or name not in CONTINUOUS
        ]

    def walk(self, space: Space, n: int, seed: int = 0) -> list[Trial]:
        """Ask for one point after the other, each with its result: good, bad, NaN, failed or still running."""
        history: list[Trial] = []
        for index in range(n):
            history += [
                ended(proposal, index)
                for proposal in self.sampler(space).propose(history, 1, seed, index)
            ]
        return history

    # the contract -------------------------------------------------------------------

    def test_it_says_whether_it_learns(self) -> None:
        assert self.sampler(self.spaces()[0]).adaptive is self.adaptive

    @pytest.mark.parametrize("n", [1, 3, 12])
    def test_every_point_is_inside_the_space(self, n: int) -> None:
        for space in self.spaces():
            proposals = self.sampler(space).propose([], n, 0, 0)
            assert 0 < len(proposals) <= n
            for proposal in proposals:
                check_inside(space, proposal.params)

    def test_points_are_inside_the_space_also_later(self) -> None:
        for space in self.spaces():
            for trial in self.walk(space, 15):
                check_inside(space, trial.params)

    def test_as_many_points_as_asked_for(self) -> None:
        for space in self.spaces():
            most = space.grid_size() if self.complete else None
            for n in (1, 2, 7):
                assert len(self.sampler(space).propose([], n, 0, 0)) == min(n, most or n)
            assert self.sampler(space).propose([], 0, 0, 0) == []

    def test_what_it_proposes_travels_as_json(self) -> None:
        for space in self.spaces():
            for trial in self.walk(space, 10):
                assert repr(travelled(trial)) == repr(trial)

    def test_the_same_question_has_the_same_answer(self) -> None:
        for space in self.spaces():
            sampler, history = self.sampler(space), self.walk(space, 6)
            for known, index in (([], 0), (history[:2], 2), (history, len(history))):
                first = repr(sampler.propose(known, 3, 5, index))
                assert repr(sampler.propose(known, 3, 5, index)) == first
                assert repr(self.sampler(space).propose(known, 3, 5, index)) == first

    def test_a_restart_changes_nothing(self) -> None:
        """A rebuilt sampler with the history as the journal gives it proposes the same next points."""
        for space in self.spaces():
            history: list[Trial] = []
            kept = self.sampler(space)
            for index in range(15):
                known = [travelled(trial) for trial in history]
                found, again = (
                    kept.propose(history, 1, 3, index),
                    self.sampler(space).propose(known, 1, 3, index),
                )
                assert repr(again) == repr(found)
                history += [ended(proposal, index) for proposal in found]

    def test_a_seed_may_be_any_whole_number(self) -> None:
        for seed in (0, 2**31, 2**40):
            assert self.sampler(self.spaces()[0]).propose([], 1, seed, 0)

    def test_nobody_changes_the_history(self) -> None:
        for space in self.spaces():
            history = self.walk(space, 8)
            before = repr(history)
            self.sampler(space).propose(history, 2, 0, len(history))
            assert repr(history) == before

    def test_bad_results_are_survived(self) -> None:
        for space in self.spaces():
            for value in (math.nan, math.inf, -math.inf, None, 1e308, -1e308):
                points = self.sampler(space).propose([], 4, 0, 0)
                history = [Trial(p.params, p.attrs, "done", value) for p in points]
                history += [Trial(p.params, p.attrs, "failed") for p in points]
                history += [Trial(p.params, p.attrs, "running") for p in points]
                for proposal in self.sampler(space).propose(history, 2, 0, len(history)):
                    check_inside(space, proposal.params)

    def test_points_that_wait_for_a_result_are_survived(self) -> None:
        for space in self.spaces():
            for trial in waiting(self.sampler(space), 15):
                check_inside(space, trial.params)


class SamplesContract(SamplerContract):
    """Also for one that takes samples rather than all there is."""

    def test_another_seed_gives_other_points(self) -> None:
        space = self.spaces()[-1]
        answers = {repr([t.params for t in self.walk(space, 12, seed)]) for seed in range(4)}
        assert len(answers) == 4

    def test_it_does_not_propose_the_same_for_ever(self) -> None:
        for body in (SPACES["numbers"], SPACES["line"]):
            space = parse_space(body)
            for trials in (self.walk(space, 30), waiting(self.sampler(space), 30)):
                assert len({repr(trial.params) for trial in trials}) >= 25


class AheadContract(SamplerContract):
    """Also for one that does not learn, so that its points are known ahead."""

    def test_asking_in_one_go_or_in_pieces_is_the_same(self) -> None:
        for space in self.spaces():
            sampler = self.sampler(space)
            whole = sampler.propose([], 12, 1, 0)
            assert repr([p for i in range(12) for p in sampler.propose([], 1, 1, i)]) == repr(whole)
            assert repr([*sampler.propose([], 5, 1, 0), *sampler.propose([], 7, 1, 5)]) == repr(
                whole
            )
            assert repr(sampler.propose(self.walk(space, 3), 12, 1, 0)) == repr(whole)


class CompleteContract(SamplerContract):
    """Also for one that tries every combination once."""

    continuous = False
    complete = True

    def test_every_combination_is_tried_once(self) -> None:
        for space in self.spaces():
            size = space.grid_size() or 0
            points = [repr(p.params) for p in self.sampler(space).propose([], size + 10, 0, 0)]
            assert len(points) == len(set(points)) == size
            assert self.sampler(space).propose([], 10, 0, size) == []


class LearnsContract(SamplerContract):
    """Also for one that learns from results."""

    adaptive = True

    def test_it_learns(self) -> None:
        """The median of the best of 40 points over five seeds is better than that of random search."""
        mine = statistics.median(best_of(self.sampler(VALLEY), seed) for seed in range(SEEDS))
        random = statistics.median(
            best_of(RandomSampler(VALLEY, None), seed) for seed in range(SEEDS)
        )
        assert mine < random

    @pytest.mark.parametrize("direction", ["minimize", "maximize"])
    def test_it_goes_where_the_objective_says(self, direction: str) -> None:
        """Of 40 points on a slope, the later ones lie on the good side."""
        space, history = parse_space("x = uniform(0, 1)\ny = uniform(0, 1)"), list[Trial]()
        for index in range(TRIALS):
            (point,) = self.make(space, Objective("value", direction)).propose(history, 1, 0, index)
            history.append(
                Trial(point.params, point.attrs, "done", point.params["x"] + point.params["y"])
            )
        late = statistics.mean(
            trial.params["x"] + trial.params["y"] for trial in history[TRIALS // 2 :]
        )
        assert (late > 1) == (direction == "maximize")


def ended(proposal: Proposal, index: int) -> Trial:
    """A result of each kind in turn; most are good."""
    kind = index % 7
    state = "failed" if kind == 3 else "running" if kind == 5 else "done"
    value = None if state != "done" else math.nan if kind == 4 else float((index * 37) % 11)
    return Trial(proposal.params, proposal.attrs, state, value)


def waiting(sampler: Sampler, n: int) -> list[Trial]:
    """Ask for one point after the other while none of them ends."""
    history: list[Trial] = []
    for index in range(n):
        history += [Trial(p.params, p.attrs) for p in sampler.propose(history, 1, 0, index)]
    return history


def travelled(trial: Trial) -> Trial:
    """The trial as it comes back out of the journal."""
    params = numbers.loose(json.loads(json.dumps(numbers.strict(trial.params), allow_nan=False)))
    attrs = json.loads(json.dumps(numbers.strict(trial.attrs), allow_nan=False))
    return Trial(params, attrs, trial.state, trial.value)


def check_inside(space: Space, params: dict[str, Any]) -> None:
    """Assert that `params` are plain values of the searched axes, in the order of the cell."""
    assert list(params) == list(space.searched)
    for name, axis in space.searched.items():
        value = params[name]
        if isinstance(axis, Choice):
            assert any(repr(value) == repr(other) for other in axis.values)
        else:
            assert isinstance(axis, Range)
            assert type(value) is (int if axis.whole else float)
            assert axis.low <= value <= axis.high


def best_of(sampler: Sampler, seed: int) -> float:
    history: Sequence[Trial] = []
    for index in range(TRIALS):
        (point,) = sampler.propose(history, 1, seed, index)
        value = (point.params["x"] - 1) ** 2 + (point.params["y"] + 2) ** 2
        history = [*history, Trial(point.params, point.attrs, "done", value)]
    return min(trial.value for trial in history if trial.value is not None)
