"""TPE and CMA-ES, by Optuna. The study is rebuilt from the history at every call, so a restart changes nothing."""

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
    """Base of both. Choices are handed to Optuna as the numbers of their values, since a value may be a list."""

    adaptive = True
    name = ""

    def __init__(self, space: Space, objective: Objective | None) -> None:
        need_searched(self.name, space)
        self._space = space
        self._objective = need_objective(self.name, objective)

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        # One seed for ever would propose one point for ever; a seed for each index does not.
        direction = optuna.study.StudyDirection[self._objective.direction.upper()]
        study = optuna.create_study(direction=direction, sampler=self._make(_seed(seed, index)))
        space = {name: _distribution(axis) for name, axis in self._space.searched.items()}
        study.add_trials([self._frozen(trial, space) for trial in history])
        return [self._ask(study, space) for _ in range(n)]

    def _make(self, seed: int) -> optuna.samplers.BaseSampler:
        raise NotImplementedError

    def _ask(self, study: optuna.Study, space: dict[str, Any]) -> Proposal:
        trial = study.ask(space)
        frozen = study._storage.get_trial(
            trial._trial_id
        )  # CMA-ES keeps its state in the trial's system attributes
        params = {
            name: _value(axis, trial.params[name]) for name, axis in self._space.searched.items()
        }
        return Proposal(params, dict(frozen.system_attrs))

    def _frozen(self, trial: Trial, space: dict[str, Any]) -> optuna.trial.FrozenTrial:
        from optuna.trial import TrialState, create_trial

        axes = self._space.searched
        state = {
            "running": TrialState.RUNNING,
            "done": TrialState.COMPLETE,
            "failed": TrialState.FAIL,
        }[trial.state]
        if state is TrialState.COMPLETE and (trial.value is None or math.isnan(trial.value)):
            state = TrialState.FAIL
        return create_trial(
            state=state,
            value=trial.value if state is TrialState.COMPLETE else None,
            params={name: _coded(axis, trial.params[name]) for name, axis in axes.items()},
            distributions=space,
            system_attrs=trial.attrs,
        )


class TpeSampler(OptunaSampler):
    name = "tpe"

    def _make(self, seed: int) -> optuna.samplers.BaseSampler:
        from optuna.samplers import TPESampler

        return TPESampler(seed=seed, constant_liar=True)


class CmaEsSampler(OptunaSampler):
    name = "cmaes"

    def _make(self, seed: int) -> optuna.samplers.BaseSampler:
        from optuna.samplers import CmaEsSampler as OptunaCmaEs

        return OptunaCmaEs(seed=seed, warn_independent_sampling=False)


def _seed(seed: int, index: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}:{index}".encode()).digest()[:4], "big")


def _distribution(axis: Choice | Range) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(axis, Choice):
        return CategoricalDistribution(range(len(axis.values)))
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _value(axis: Choice | Range, coded: Any) -> Any:
    return axis.values[coded] if isinstance(axis, Choice) else coded


def _coded(axis: Choice | Range, value: Any) -> Any:
    # By repr, since NaN is not itself and True is 1.
    return (
        [repr(item) for item in axis.values].index(repr(value))
        if isinstance(axis, Choice)
        else value
    )
