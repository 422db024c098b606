"""NSGA-II breeds one generation from those before it, though its study is built anew each time."""

from __future__ import annotations

import optuna

from jupyter_gridgpu import samplers
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.samplers.base import Sampler, Trial
from jupyter_gridgpu.samplers.optuna import POPULATION

TWO = (Objective("near", "minimize"), Objective("far", "minimize"))
PLANE = "x = uniform(-5, 5)\ny = uniform(-5, 5)"
GENERATION = "NSGAIISampler:generation"
TRIALS = 4 * POPULATION


def nsgaii(body: str = PLANE) -> Sampler:
    return samplers.load("nsgaii", parse_space(body), TWO)


def values(params: dict[str, float]) -> tuple[float, float]:
    """Return two objectives whose Pareto front is the line y = 0 between -1 and 1."""
    x, y = params["x"], params["y"]
    return (x + 1) ** 2 + y**2, (x - 1) ** 2 + y**2


def rebuilt(keep_attrs: bool = True) -> list[Trial]:
    """Return the trials of a scan whose runner was started anew before every point."""
    history: list[Trial] = []
    for index in range(TRIALS):
        (point,) = nsgaii().propose(history, 1, 0, index)
        attrs = point.attrs if keep_attrs else {}
        history.append(Trial(point.params, attrs, "done", values(point.params)))
    return history


def live() -> list[int]:
    """Return the generations of a study of Optuna that is never built anew."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.NSGAIISampler(seed=0, population_size=POPULATION)
    study = optuna.create_study(directions=["minimize", "minimize"], sampler=sampler)
    for _ in range(TRIALS):
        trial = study.ask()
        params = {name: trial.suggest_float(name, -5, 5) for name in ("x", "y")}
        study.tell(trial, values(params))
    return [trial.system_attrs[GENERATION] for trial in study.get_trials()]


def mean_distance(trials: list[Trial]) -> float:
    return float(sum(abs(trial.params["y"]) for trial in trials) / len(trials))


def test_generations_advance_as_in_a_study_that_goes_on() -> None:
    trials = rebuilt()
    generations = [trial.attrs[GENERATION] for trial in trials]
    assert generations == live() == [index // POPULATION for index in range(TRIALS)]
    # The later generations are nearer to the front than the first one, which is drawn at random.
    assert mean_distance(trials[-POPULATION:]) < mean_distance(trials[:POPULATION])


def test_without_what_it_keeps_there_is_only_the_first_generation() -> None:
    (point,) = nsgaii().propose(rebuilt(keep_attrs=False), 1, 0, TRIALS)
    assert point.attrs[GENERATION] == 0


def test_conditions_are_kept_and_what_is_always_active_is_bred() -> None:
    body = f"{PLANE}\nif x > 0:\n    z = uniform(0, 1)"
    history: list[Trial] = []
    for index in range(3 * POPULATION):
        (point,) = nsgaii(body).propose(history, 1, 0, index)
        assert ("z" in point.params) == (point.params["x"] > 0)
        history.append(Trial(point.params, point.attrs, "done", values(point.params)))
    assert history[-1].attrs[GENERATION] == 2
    assert mean_distance(history[-POPULATION:]) < mean_distance(history[:POPULATION])


def test_hundreds_of_generations_are_no_problem() -> None:
    history = []
    # Few points in each of many generations: Optuna would go back through them by recursion.
    for index in range(1500):
        params = {"x": index % 7 - 3.0, "y": index % 5 - 2.0}
        history.append(Trial(params, {GENERATION: index}, "done", values(params)))
    (point,) = nsgaii().propose(history, 1, 0, len(history))
    assert point.attrs[GENERATION] == 1499
