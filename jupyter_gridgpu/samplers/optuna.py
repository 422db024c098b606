"""The samplers TPE, NSGA-II and CMA-ES, which Optuna computes.

Optuna keeps in a study what it has learned. At every call, the study is built anew from the
history, so that a restart of the runner changes nothing.
"""

from __future__ import annotations

import hashlib
import math
import random
import warnings
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.axes import axis_index
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.program import Draw, PartlyKnown, given_by
from jupyter_gridgpu.model.space import Choice, Range, Space, axis_size, axis_value, value_at
from jupyter_gridgpu.samplers.base import (
    EARLIER,
    OWN,
    SAMPLED,
    Proposal,
    Trial,
    drawn_point,
    need_objectives,
    need_searched,
    sound_point,
    until_none,
)

if TYPE_CHECKING:
    import optuna

POPULATION = 20  # points of one generation of NSGA-II; scans have far fewer trials than Optuna's 50
GENERATION = "NSGAIISampler:generation"  # the attribute in which Optuna keeps it
ASKS = 100  # points that Optuna may propose for one, until the constraints hold


class OptunaSampler:
    """What these samplers share; a subclass makes Optuna's own sampler.

    Optuna accepts no lists as values of a choice. So each value of a choice is coded by its index
    in the choice.
    """

    adaptive = True
    name = ""  # as --sampler has it

    def __init__(self, space: Space, objectives: Sequence[Objective]) -> None:
        """Raise UsageError if there is nothing to choose, or no objective to learn from."""
        need_searched(self.name, space)
        self._space = space
        self._objectives = need_objectives(self.name, objectives)

    def propose(self, history: Sequence[Trial], n: int, seed: int, index: int) -> list[Proposal]:
        """Return `n` points that Optuna proposes after this history.

        Raises SpaceError if none meets a constraint.
        """
        # Optuna takes a second to import, and only scans with these samplers need it.
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        directions = [
            optuna.study.StudyDirection[objective.direction.upper()]
            for objective in self._objectives
        ]
        # The study is new at every call: with the same seed for all calls, it would draw the same
        # random numbers, and propose the same point, again and again.
        sampler = self._make(_seed(seed, index), history)
        study = optuna.create_study(directions=directions, sampler=sampler)
        study.add_trials([self._frozen(trial) for trial in history])
        self._prepare(study, history)
        return until_none(self._ask(study, f"{seed}:{index}:{number}") for number in range(n))

    def _make(self, seed: int, history: Sequence[Trial]) -> optuna.samplers.BaseSampler:
        """Return Optuna's sampler."""
        raise NotImplementedError

    def _prepare(self, study: optuna.Study, history: Sequence[Trial]) -> None:
        """Do what Optuna's sampler needs before it is asked for a point."""

    def _attrs(self, trial: Trial) -> dict[str, Any]:
        """Return what Optuna's sampler has to find at a trial."""
        return trial.attrs

    def _ask(self, study: optuna.Study, chance: str) -> Proposal:
        """Return the next point of a study; `chance` is the seed where Optuna finds none."""
        from optuna.trial import TrialState

        for _ in range(ASKS):
            trial = study.ask()
            # Each value is asked for when it is needed: so Optuna sees the axes that are active.
            walked = sound_point(self._space, partial(_suggested, trial))
            if walked is not None:
                # CMA-ES keeps its state in the system attributes of trials and reads it from the
                # history. Optuna has no public way to read these attributes of a trial that has
                # not finished.
                frozen = study._storage.get_trial(trial._trial_id)
                return Proposal(walked.chosen, dict(frozen.system_attrs))
            # What failed does not count for Optuna, and the next point is another one.
            study.tell(trial, state=TrialState.FAIL)
        generator = random.Random(chance)
        walked = drawn_point(self._space, lambda draw: value_at(draw.axis, generator.random()))
        return Proposal(walked.chosen)

    def _frozen(self, trial: Trial) -> optuna.trial.FrozenTrial:
        """Return a trial of the history as Optuna has it."""
        from optuna.trial import TrialState, create_trial

        states = {
            "running": TrialState.RUNNING,
            "done": TrialState.COMPLETE,
            "failed": TrialState.FAIL,
        }
        state, values = states[trial.state], None
        if state is TrialState.COMPLETE:
            values = [value for value in trial.values if value is not None]
            # Optuna refuses a finished trial without a number for each objective.
            if len(values) < len(self._objectives) or any(map(math.isnan, values)):
                state, values = TrialState.FAIL, None
        # What an earlier scan did not know is left out: Optuna learns of the others.
        known = PartlyKnown(given_by(trial.params))
        drawn = self._space.point(known).drawn
        unknown = {draw.key for draw in known.missing}
        active = [draw for draw in self._space.draws if draw.key in drawn.keys() - unknown]
        return create_trial(
            state=state,
            values=values,
            params={draw.key: _coded(draw.axis, drawn[draw.key]) for draw in active},
            distributions={draw.key: _distribution(draw.axis) for draw in active},
            system_attrs=self._attrs(trial),
        )


class TpeSampler(OptunaSampler):
    """The tree-structured Parzen estimator."""

    name = "tpe"

    def _make(self, seed: int, history: Sequence[Trial]) -> optuna.samplers.BaseSampler:
        """Return Optuna's sampler."""
        from optuna.samplers import TPESampler

        # With constant_liar, TPE counts trials that still run as bad, so that jobs that run at the
        # same time do not all try the same point.
        if not self._space.has_conditions:
            return TPESampler(seed=seed, constant_liar=True)
        with warnings.catch_warnings():
            # Optuna calls these two options experimental. With them, it learns apart from each
            # other what is active together.
            warnings.simplefilter("ignore")
            return TPESampler(seed=seed, constant_liar=True, multivariate=True, group=True)


class NsgaIISampler(OptunaSampler):
    """The genetic algorithm NSGA-II: each generation is bred from the best ones before it."""

    name = "nsgaii"

    def _make(self, seed: int, history: Sequence[Trial]) -> optuna.samplers.BaseSampler:
        """Return Optuna's sampler."""
        from optuna.samplers import NSGAIISampler

        # It keeps the generation of a trial in the trial's attributes, which come back with it.
        return NSGAIISampler(seed=seed, population_size=POPULATION)

    def _prepare(self, study: optuna.Study, history: Sequence[Trial]) -> None:
        """Let Optuna find the parents of all generations in their order.

        Otherwise it would go back from the last one to the first by recursion, which fails for
        hundreds of generations. Versions that need not do so have no such method.
        """
        parents = getattr(study.sampler, "get_parent_population", None)
        if parents is None:
            return
        kept = [trial.attrs.get(GENERATION) for trial in history]
        newest = max((found for found in kept if isinstance(found, int)), default=0)
        # A journal may hold anything; there are never more generations than trials.
        for generation in range(1, min(newest, len(history)) + 1):
            parents(study, generation)

    def _attrs(self, trial: Trial) -> dict[str, Any]:
        """Return the generation of a trial: the first one for what others have proposed."""
        return trial.attrs if trial.source == SAMPLED else {GENERATION: 0}


class CmaEsSampler(OptunaSampler):
    """The covariance matrix adaptation evolution strategy; for a few continuous parameters."""

    name = "cmaes"
    # The best tenth of earlier results says where to begin: one at least, with all parameters.
    earlier_needed = 10

    def __init__(self, space: Space, objectives: Sequence[Objective]) -> None:
        """Raise UsageError also for conditions in the space, and for several objectives."""
        super().__init__(space, objectives)
        if len(objectives) > 1:
            raise UsageError(
                "--sampler cmaes takes one objective, and there are several: use --sampler tpe or"
                " nsgaii."
            )
        if space.has_conditions:
            raise UsageError(
                "--sampler cmaes needs the same parameters at all points, and the space has"
                " conditions (if): use --sampler tpe."
            )
        if space.before is not None and _ordered(space) != _ordered(space.before):
            # What it knows of ranges lies in the attributes of earlier trials.
            raise UsageError(
                "--sampler cmaes keeps the ranges that it began with, so they cannot get wider:"
                " start a new scan."
            )

    def _make(self, seed: int, history: Sequence[Trial]) -> optuna.samplers.BaseSampler:
        """Return Optuna's sampler."""
        from optuna.samplers import CmaEsSampler as OptunaCmaEs

        earlier = [self._source(trial) for trial in history if trial.source == EARLIER]
        with warnings.catch_warnings():
            # Optuna calls the start from earlier trials experimental.
            warnings.simplefilter("ignore")
            # CMA-ES draws choices at random and warns of it; a warning for every trial would not
            # help.
            return OptunaCmaEs(
                seed=seed,
                warn_independent_sampling=False,
                source_trials=earlier if len(earlier) >= self.earlier_needed else None,
            )

    def _source(self, trial: Trial) -> optuna.trial.FrozenTrial:
        """Return an earlier trial with the parameters that CMA-ES itself chooses, and no others."""
        from optuna.distributions import CategoricalDistribution

        frozen = self._frozen(trial)
        kept = {
            name: distribution
            for name, distribution in frozen.distributions.items()
            if not isinstance(distribution, CategoricalDistribution) and not distribution.single()
        }
        frozen.params = {name: frozen.params[name] for name in kept}
        frozen.distributions = kept
        return frozen

    def _attrs(self, trial: Trial) -> dict[str, Any]:
        """Return what CMA-ES keeps at a trial. A user's own points are in its first generation."""
        return {"cma:generation": 0} if trial.source == OWN else trial.attrs


def _seed(seed: int, index: int) -> int:
    """Return a seed of 32 bits for the points from number `index` on."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{index}".encode()).digest()[:4], "big")


def _is_stepped(axis: Choice | Range) -> bool:
    """Return whether the number of a value stands for it in Optuna, since its order says enough."""
    return axis.ordered if isinstance(axis, Choice) else axis.step is not None


def _ordered(space: Space) -> list[Choice | Range]:
    """Return the axes that are no plain choices."""
    axes = (draw.axis for draw in space.draws)
    return [axis for axis in axes if isinstance(axis, Range) or axis.ordered]


def _distribution(axis: Choice | Range) -> Any:
    """Return Optuna's distribution of an axis."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if _is_stepped(axis):
        return IntDistribution(0, (axis_size(axis) or 1) - 1)
    if isinstance(axis, Choice):
        return CategoricalDistribution(range(len(axis.values)))
    if axis.whole:
        return IntDistribution(int(axis.low), int(axis.high), log=axis.log)
    return FloatDistribution(axis.low, axis.high, log=axis.log)


def _suggested(trial: optuna.Trial, draw: Draw) -> Any:
    """Return the value of an axis that Optuna suggests."""
    axis, key = draw.axis, draw.key
    if _is_stepped(axis):
        return axis_value(axis, trial.suggest_int(key, 0, (axis_size(axis) or 1) - 1))
    if isinstance(axis, Choice):
        return axis.values[trial.suggest_categorical(key, range(len(axis.values)))]
    if axis.whole:
        return trial.suggest_int(key, int(axis.low), int(axis.high), log=axis.log)
    return trial.suggest_float(key, axis.low, axis.high, log=axis.log)


def _coded(axis: Choice | Range, value: Any) -> Any:
    """Return what stands for a value of an axis in Optuna."""
    if isinstance(axis, Choice) or _is_stepped(axis):
        return axis_index(axis, value)
    return value
