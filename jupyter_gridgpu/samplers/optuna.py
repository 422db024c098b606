"""The samplers TPE and CMA-ES, which Optuna computes.

Optuna keeps in a study what it has learned. At every call, the study is built anew from the
history, so that a restart of the runner changes nothing.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from jupyter_gridgpu.model.scan import Objective
from jupyter_gridgpu.model.space import Choice, Range, Space
from jupyter_gridgpu.samplers.base import Proposal, Trial, need_objective, need_searched

if TYPE_CHECKING:
    import optuna


class OptunaSampler:
    """What both samplers share; a subclass makes Optuna's own sampler.

    Optuna accepts no lists as values of a choice. So each value of a choice is coded by its index
    in the choice.
    """

    adaptive = True
    name = ""  # as --sampler has it

    def __init__(self, space: Space, objective: Objective | None) -> None:
        """Raise UsageError if there is nothing to choose, or no objective to learn from."""
        need_searched(self.name, space)
        self._space = space
        self._objective = need_objective(self.name, objective)

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        """Return `n` points that Optuna proposes after this history."""
        # Optuna takes a second to import, and only scans with these samplers need it.
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        direction = optuna.study.StudyDirection[self._objective.direction.upper()]
        # The study is new at every call: with the same seed for all calls, it would draw the same
        # random numbers, and propose the same point, again and again.
        study = optuna.create_study(direction=direction, sampler=self._make(_seed(seed, index)))
        space = {name: _distribution(axis) for name, axis in self._space.searched.items()}
        study.add_trials([self._frozen(trial, space) for trial in history])
        return [self._ask(study, space) for _ in range(n)]

    def _make(self, seed: int) -> optuna.samplers.BaseSampler:
        """Return Optuna's sampler."""
        raise NotImplementedError

    def _ask(self, study: optuna.Study, space: dict[str, Any]) -> Proposal:
        """Return the next point of a study."""
        trial = study.ask(space)
        # CMA-ES keeps its state in the system attributes of trials and reads it from the history.
        # Optuna has no public way to read these attributes of a trial that has not finished.
        frozen = study._storage.get_trial(trial._trial_id)
        params = {
            name: _value(axis, trial.params[name]) for name, axis in self._space.searched.items()
        }
        return Proposal(params, dict(frozen.system_attrs))

    def _frozen(self, trial: Trial, space: dict[str, Any]) -> optuna.trial.FrozenTrial:
        """Return a trial of the history as Optuna has it."""
        from optuna.trial import TrialState, create_trial

        axes = self._space.searched
        states = {
            "running": TrialState.RUNNING,
            "done": TrialState.COMPLETE,
            "failed": TrialState.FAIL,
        }
        state, value = states[trial.state], None
        if state is TrialState.COMPLETE:
            value = trial.value
            # Optuna refuses a finished trial without a number.
            if value is None or math.isnan(value):
                state, value = TrialState.FAIL, None
        return create_trial(
            state=state,
            value=value,
            params={name: _coded(axis, trial.params[name]) for name, axis in axes.items()},
            distributions=space,
            system_attrs=trial.attrs,
        )


class TpeSampler(OptunaSampler):
    """The tree-structured Parzen estimator."""

    name = "tpe"

    def _make(self, seed: int) -> optuna.samplers.BaseSampler:
        """Return Optuna's sampler."""
        from optuna.samplers import TPESampler

        # With constant_liar, TPE counts trials that still run as bad, so that jobs that run at the
        # same time do not all try the same point.
        return TPESampler(seed=seed, constant_liar=True)


class CmaEsSampler(OptunaSampler):
    """The covariance matrix adaptation evolution strategy; for a few continuous parameters."""

    name = "cmaes"

    def _make(self, seed: int) -> optuna.samplers.BaseSampler:
        """Return Optuna's sampler."""
        from optuna.samplers import CmaEsSampler as OptunaCmaEs

        # CMA-ES draws choices at random and warns of it; a warning for every trial would not help.
        return OptunaCmaEs(seed=seed, warn_independent_sampling=False)


def _seed(seed: int, index: int) -> int:
    """Return a seed of 32 bits for the points from number `index` on."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{index}".encode()).digest()[:4], "big")


def _distribution(axis: Choice | Range) -> Any:
    """Return Optuna's distribution of an axis."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(axis, Choice):
        return CategoricalDistribution(range(len(axis.values)))
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _value(axis: Choice | Range, coded: Any) -> Any:
    """Return the value of an axis for which `coded` stands in Optuna."""
    if isinstance(axis, Choice):
        return axis.values[coded]
    return coded


def _coded(axis: Choice | Range, value: Any) -> Any:
    """Return what stands for a value of an axis in Optuna."""
    if not isinstance(axis, Choice):
        return value
    # Values are compared by their text, since NaN does not equal itself and True equals 1.
    return [repr(item) for item in axis.values].index(repr(value))
