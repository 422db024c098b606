"""What every sampler must do.

In a test file:

    class TestMine(SamplesContract, LearnsContract):
        def make(self, space, objectives):
            return MySampler(space, objectives)

SamplerContract holds for all samplers; the other classes are for those of one kind.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from typing import Any

import pytest

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.axes import axis_index, axis_value
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.program import given_by
from jupyter_gridgpu.model.space import Axis, Choice, Range, Space
from jupyter_gridgpu.samplers.base import Proposal, Sampler, Trial
from jupyter_gridgpu.samplers.random import RandomSampler

SPACES = {
    "discrete": "units = [64, 128, 256]\ndepth = integer(1, 4)\nepochs = 20\nseed = repeats(2)",
    "values": "a = choice([1, 2], [3])\nb = [None, 'x', 1.5]\nc = [True, 1, 0, False]\n"
    "d = [float('nan'), float('inf'), 1.0]",
    "conditions": "kind = ['a', 'b']\nif kind == 'b':\n    n = integer(1, 3)\n    if n > 1:\n"
    "        on = [True, False]\nelse:\n    n = 7\nx, y = together([(1, [2]), (3, [4]), (5, [])])\n"
    "assert n * x < 15\nz = n + x\nseed = repeats(2)",
    "one": "only = [7]\nother = [8]",
    "numbers": "a = uniform(-1, 3)\nb = loguniform(1e-5, 1e-1)\n"
    "c = integer(-2, 9)\nd = logint(1, 4096)",
    "mixed": "lr = loguniform(1e-5, 1e-1)\nact = ['relu', 'tanh']\nlayers = choice([64], [64, 32])",
    "line": "x = uniform(0, 1)",
    "steps": "a = uniform(0, 1, step=0.1)\nb = integer(1, 9, step=4)\nc = ordinal('s', 'm', 'l')\n"
    "d = logint(1, 9)\nassert b < 9 or a > 0.5",
    "branches": "kind = ['a', 'b']\nif kind == 'b':\n    lr = loguniform(1e-3, 1)\nelse:\n"
    "    lr = uniform(0, 1)\n    m = uniform(0.5, 0.9)\nassert lr < 0.9",
}
CONTINUOUS = ("numbers", "mixed", "line", "branches")  # spaces with an axis that has no steps
CONDITIONS = ("conditions", "branches")  # spaces in which not every axis is active at all points
VALLEY = parse_space("x = uniform(-5, 5)\ny = uniform(-5, 5)")
LOWEST = {"x": 1.0, "y": -2.0}  # the point of the valley where the value is zero
SLOPE = parse_space("x = uniform(0, 1)\ny = uniform(0, 1)")
TRIALS, SEEDS = 40, 5  # learning is random: one search may be lucky
ONE = (Objective("value", "minimize"),)
TWO = (Objective("near", "minimize"), Objective("far", "maximize"))


class SamplerContract:
    """The contract of every sampler.

    Derive from it, name the class `Test...`, and define `make`.
    """

    adaptive = False  # whether results change what is proposed next
    continuous = True  # whether it takes ranges that have no steps
    conditions = True  # whether it takes spaces in which not every axis is always active
    several = True  # whether it takes several objectives
    complete = False  # whether it proposes every point of a discrete space once and then none

    def make(self, space: Space, objectives: Sequence[Objective]) -> Sampler:
        """Return a new sampler."""
        raise NotImplementedError

    # Helpers.

    def sampler(self, space: Space, objectives: Sequence[Objective] = ONE) -> Sampler:
        """Return a new sampler; it minimizes, unless other objectives are given."""
        return self.make(space, objectives)

    def spaces(self) -> list[Space]:
        """Return the spaces that the sampler must take."""
        found = []
        for name, body in SPACES.items():
            if (self.continuous or name not in CONTINUOUS) and (
                self.conditions or name not in CONDITIONS
            ):
                found.append(parse_space(body))
        return found

    def walk(self, space: Space, n: int, seed: int = 0) -> list[Trial]:
        """Ask for one point after another, and return the trials.

        Their results are of all kinds: good, bad, NaN, failed or still running.
        """
        history: list[Trial] = []
        for index in range(n):
            proposals = self.sampler(space).propose(history, 1, seed, index)
            history += [ended(proposal, index) for proposal in proposals]
        return history

    # The contract.

    def test_several_objectives_are_taken_or_refused(self) -> None:
        if not self.several:
            with pytest.raises(UsageError, match="several"):
                self.sampler(self.spaces()[0], TWO)
            return
        for space in self.spaces():
            history: list[Trial] = []
            kept = self.sampler(space, TWO)
            for index in range(12):
                found = kept.propose(history, 1, 3, index)
                known = [travelled(trial) for trial in history]
                again = self.sampler(space, TWO).propose(known, 1, 3, index)
                assert repr(again) == repr(found)
                for proposal in found:
                    check_inside(space, proposal.params)
                history += [ended(proposal, index, len(TWO)) for proposal in found]

    def test_bad_results_of_several_objectives_are_survived(self) -> None:
        bad = (math.nan, math.inf, -math.inf, None, 1e308)
        for space in self.spaces() if self.several else ():
            points = self.sampler(space, TWO).propose([], 5, 0, 0)
            for value in bad:
                pairs = [(value, 0.5), (0.5, value), (value, value), (0.1, 0.2)]
                history = [
                    Trial(point.params, point.attrs, "done", pair)
                    for point in points
                    for pair in pairs
                ]
                for proposal in self.sampler(space, TWO).propose(history, 2, 0, len(history)):
                    check_inside(space, proposal.params)

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
            for n in (1, 2, 7):
                expected = n
                if self.complete:
                    expected = min(n, space.grid_size() or n)
                assert len(self.sampler(space).propose([], n, 0, 0)) == expected
            assert self.sampler(space).propose([], 0, 0, 0) == []

    def test_what_it_proposes_travels_as_json(self) -> None:
        for space in self.spaces():
            for trial in self.walk(space, 10):
                assert repr(travelled(trial)) == repr(trial)

    def test_the_same_question_has_the_same_answer(self) -> None:
        for space in self.spaces():
            sampler = self.sampler(space)
            history = self.walk(space, 6)
            for index in (0, 2, len(history)):
                known = history[:index]
                first = repr(sampler.propose(known, 3, 5, index))
                assert repr(sampler.propose(known, 3, 5, index)) == first
                assert repr(self.sampler(space).propose(known, 3, 5, index)) == first

    def test_a_restart_changes_nothing(self) -> None:
        """A new sampler with the history of the journal proposes the same next points."""
        for space in self.spaces():
            history: list[Trial] = []
            kept = self.sampler(space)
            for index in range(15):
                found = kept.propose(history, 1, 3, index)
                known = [travelled(trial) for trial in history]
                again = self.sampler(space).propose(known, 1, 3, index)
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
        # A notebook may report anything as its objective, and no search may end because of that.
        for space in self.spaces():
            for value in (math.nan, math.inf, -math.inf, None, 1e308, -1e308):
                points = self.sampler(space).propose([], 4, 0, 0)
                history = [Trial(point.params, point.attrs, "done", (value,)) for point in points]
                history += [Trial(point.params, point.attrs, "failed") for point in points]
                history += [Trial(point.params, point.attrs, "running") for point in points]
                for proposal in self.sampler(space).propose(history, 2, 0, len(history)):
                    check_inside(space, proposal.params)

    def test_points_that_wait_for_a_result_are_survived(self) -> None:
        for space in self.spaces():
            for trial in waiting(self.sampler(space), 15):
                check_inside(space, trial.params)


class SamplesContract(SamplerContract):
    """What a sampler must do in addition if it draws points instead of trying all of them."""

    def test_another_seed_gives_other_points(self) -> None:
        space = self.spaces()[-1]
        answers = set()
        for seed in range(4):
            answers.add(repr([trial.params for trial in self.walk(space, 12, seed)]))
        assert len(answers) == 4

    def test_it_does_not_propose_the_same_for_ever(self) -> None:
        for body in (SPACES["numbers"], SPACES["line"]):
            space = parse_space(body)
            for trials in (self.walk(space, 30), waiting(self.sampler(space), 30)):
                # Whole numbers and rounding may repeat some points.
                assert len({repr(trial.params) for trial in trials}) >= 25


class AheadContract(SamplerContract):
    """What a sampler must do in addition if it does not learn: its points are known ahead."""

    def test_asking_in_one_go_or_in_pieces_is_the_same(self) -> None:
        for space in self.spaces():
            sampler = self.sampler(space)
            whole = repr(sampler.propose([], 12, 1, 0))
            one_by_one = []
            for index in range(12):
                one_by_one += sampler.propose([], 1, 1, index)
            assert repr(one_by_one) == whole
            # The runner asks for as many as it has room for, which differs from run to run.
            two_pieces = [*sampler.propose([], 5, 1, 0), *sampler.propose([], 7, 1, 5)]
            assert repr(two_pieces) == whole
            assert repr(sampler.propose(self.walk(space, 3), 12, 1, 0)) == whole


class CompleteContract(SamplerContract):
    """What a sampler must do in addition if it tries every point once."""

    continuous = False
    complete = True

    def test_every_combination_is_tried_once(self) -> None:
        for space in self.spaces():
            size = space.grid_size() or 0
            proposals = self.sampler(space).propose([], size + 10, 0, 0)
            points = [repr(proposal.params) for proposal in proposals]
            assert len(points) == len(set(points)) == size
            assert self.sampler(space).propose([], 10, 0, size) == []


class LearnsContract(SamplerContract):
    """What a sampler must do in addition if it learns from results."""

    adaptive = True
    trials = TRIALS  # it needs at most so many to be better than chance

    def test_it_learns(self) -> None:
        """Its best points in a valley are better than those of a random search.

        Compared is the median over the seeds, each with as many trials.
        """
        mine, random = (
            statistics.median(best_of(sampler, seed, self.trials) for seed in range(SEEDS))
            for sampler in (self.sampler(VALLEY), RandomSampler(VALLEY, ()))
        )
        assert mine < random

    def test_it_learns_from_several_objectives(self) -> None:
        """Its later points are nearer to the Pareto front than its first ones.

        The front is the line between the two points where one of the objectives is best.
        """
        early, late = [], []
        for seed in range(2) if self.several else ():
            history: list[Trial] = []
            sampler = self.sampler(VALLEY, TWO)
            for index in range(2 * self.trials):
                (point,) = sampler.propose(history, 1, seed, index)
                x, y = point.params["x"], point.params["y"]
                values = ((x + 1) ** 2 + y**2, -((x - 1) ** 2) - y**2)
                history.append(Trial(point.params, point.attrs, "done", values))
            distances = [abs(trial.params["y"]) for trial in history]
            early += distances[: self.trials // 2]
            late += distances[-self.trials // 2 :]
        assert not self.several or statistics.mean(late) < 0.75 * statistics.mean(early)

    @pytest.mark.parametrize("direction", ["minimize", "maximize"])
    def test_it_goes_where_the_objective_says(self, direction: str) -> None:
        """The later half of the points on a slope lies on the good side."""
        history: list[Trial] = []
        heights: list[float] = []
        for index in range(self.trials):
            sampler = self.make(SLOPE, [Objective("value", direction)])
            (point,) = sampler.propose(history, 1, 0, index)
            height = point.params["x"] + point.params["y"]
            heights.append(height)
            history.append(Trial(point.params, point.attrs, "done", (height,)))
        late = statistics.mean(heights[self.trials // 2 :])
        assert (late > 1) == (direction == "maximize")


def ended(proposal: Proposal, index: int, objectives: int = 1) -> Trial:
    """Return a trial of a point. Of seven trials, one fails, one is NaN, one still runs."""
    kind = index % 7
    if kind == 3:
        return Trial(proposal.params, proposal.attrs, "failed")
    if kind == 4:
        return Trial(proposal.params, proposal.attrs, "done", (math.nan,) * objectives)
    if kind == 5:
        return Trial(proposal.params, proposal.attrs, "running")
    values = tuple(float((index * 37 + number) % 11) for number in range(objectives))
    return Trial(proposal.params, proposal.attrs, "done", values)


def waiting(sampler: Sampler, n: int) -> list[Trial]:
    """Ask for one point after another while none of them ends, and return the trials."""
    history: list[Trial] = []
    for index in range(n):
        proposals = sampler.propose(history, 1, 0, index)
        history += [Trial(proposal.params, proposal.attrs) for proposal in proposals]
    return history


def travelled(trial: Trial) -> Trial:
    """Return a trial as it comes back out of the journal."""
    # Strict JSON knows no NaN and no infinity: values of an axis travel as words.
    params = numbers.decode_all(
        json.loads(json.dumps(numbers.encode_all(trial.params), allow_nan=False))
    )
    # Attributes come back as they were written: a sampler must propose none that JSON lacks.
    attrs = json.loads(json.dumps(numbers.encode_all(trial.attrs), allow_nan=False))
    return Trial(params, attrs, trial.state, trial.values)


def check_inside(space: Space, params: dict[str, Any]) -> None:
    """Assert that `params` are plain values of what is searched, in the order of the cell.

    Only the axes that are active have values, and all constraints hold.
    """
    walked = space.point(given_by(params))
    assert walked.broken is None
    assert repr(params) == repr(walked.chosen)
    assert space.statements or list(params) == list(space.searched)
    for draw in space.draws:
        if draw.key in walked.drawn:
            check_on_axis(draw.axis, walked.drawn[draw.key])


def check_on_axis(axis: Axis, value: Any) -> None:
    """Assert that a value lies on a searched axis and has the type of its values."""
    if isinstance(axis, Choice):
        # By their text, since True equals 1 and NaN equals nothing.
        assert any(repr(value) == repr(other) for other in axis.values)
        return
    assert isinstance(axis, Range)
    # Not isinstance: True is an int for Python, and NumPy's floats do not travel as JSON.
    if axis.whole:
        assert type(value) is int
    else:
        assert type(value) is float
    assert axis.low <= value <= axis.high
    if axis.step is not None:
        assert value == axis_value(axis, axis_index(axis, value))


def best_of(sampler: Sampler, seed: int, trials: int = TRIALS) -> float:
    """Return the least value that a sampler finds in the valley."""
    history: list[Trial] = []
    values: list[float] = []
    for index in range(trials):
        (point,) = sampler.propose(history, 1, seed, index)
        value = sum((point.params[name] - lowest) ** 2 for name, lowest in LOWEST.items())
        values.append(value)
        history.append(Trial(point.params, point.attrs, "done", (value,)))
    return min(values)
