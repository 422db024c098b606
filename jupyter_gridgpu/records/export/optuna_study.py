"""Optuna: a study in its journal format, which `optuna-dashboard FILE.log` opens.

Each variant is a trial with the curve of its objective. The export loses the curves of all other
metrics (their last values are kept as attributes), the spec and the provenance. A value that is
neither a number nor a text, such as a list, becomes JSON text.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.space import Choice, Fixed, Range, Repeats
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.records.export.base import json_text
from jupyter_gridgpu.records.record import Record

SUFFIX = "-optuna.log"
# Our states and what Optuna calls them. Any other state is WAITING.
_STATES = {
    "done": "COMPLETE",
    "failed": "FAIL",
    "lost": "FAIL",
    "cancelled": "FAIL",
    "running": "RUNNING",
}


def write(record: Record, target: Path, curves: bool) -> None:
    """Write the study as a file of Optuna's JournalFileBackend, one line of JSON an operation."""
    import optuna
    from optuna.storages import JournalStorage

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    backend = _memory_backend()
    objective, several = record.view.objective, record.view.objectives
    about: dict[str, Any] = {
        "id": record.scan.id,
        "objective": objective.metric if objective else None,
    }
    if len(several) > 1:
        about["objectives"] = [each.metric for each in several]
    # A study cannot be without a direction.
    names = [each.direction for each in several] or ["minimize"]
    study = optuna.create_study(
        storage=JournalStorage(backend),
        study_name=record.name,
        directions=[optuna.study.StudyDirection[name.upper()] for name in names],
    )
    study.set_user_attr("gridgpu", about)
    distributions = _distributions(record)
    for variant in record.variants:
        study.add_trial(_trial(record, variant, distributions))
    lines = [json.dumps(entry, separators=(",", ":")) + "\n" for entry in backend.entries]
    target.write_text("".join(lines), encoding="utf-8", errors="backslashreplace")


def _memory_backend() -> Any:
    """Return a journal of Optuna that is held in memory, in its attribute `entries`.

    Optuna's own journal in a file would wait for the disk once for each of thousands of trials.
    """
    from optuna.storages.journal import BaseJournalBackend

    class MemoryBackend(BaseJournalBackend):
        def __init__(self) -> None:
            self.entries: list[dict[str, Any]] = []

        def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
            return iter(self.entries[log_number_from:])

        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            self.entries.extend(logs)

    return MemoryBackend()


# distributions ------------------------------------------------------------------------------


def _distributions(record: Record) -> dict[str, Any]:
    """Return Optuna's distribution of each parameter that varies."""
    found: dict[str, Any] = {}
    for name, axis in record.scan.space.axes.items():
        if isinstance(axis, Fixed):
            continue
        values = [variant.params[name] for variant in record.variants if name in variant.params]
        found[name] = _distribution(axis, values)
    return found


def _distribution(axis: Choice | Range | Repeats, values: list[Any]) -> Any:
    """Return the distribution of one axis, wide enough for all values that ran.

    Optuna refuses a trial whose value its distribution does not have. The points of a replay or an
    import were given, so that a value may lie outside of its axis.
    """
    from optuna.distributions import FloatDistribution, IntDistribution

    if isinstance(axis, Choice) or not all(map(_is_finite_number, values)):
        return _categories(axis, values)
    is_log, is_whole = False, True
    if isinstance(axis, Repeats):
        low, high = 0.0, axis.count - 1.0
    else:
        low, high, is_log, is_whole = axis.low, axis.high, axis.log, axis.whole
    low, high = min([low, *values]), max([high, low, *values])
    is_log = is_log and low > 0
    if is_whole and all(type(value) is int for value in values):
        return IntDistribution(int(low), int(high), log=is_log)
    return FloatDistribution(low, high, log=is_log)


def _categories(axis: Choice | Range | Repeats, values: list[Any]) -> Any:
    """Return a distribution of single values: those of the axis and those that ran."""
    from optuna.distributions import CategoricalDistribution

    known = values
    if isinstance(axis, Choice):
        known = [*axis.values, *values]
    # A distribution cannot be empty.
    return CategoricalDistribution(list(dict.fromkeys(map(_category, known))) or [None])


def _category(value: Any) -> Any:
    """Return a value as Optuna takes it for a category; what it does not take as JSON text."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return json_text(value)


def _is_finite_number(value: Any) -> bool:
    # `isinstance` would count True as a number.
    # A whole number may be too large for a float, which is all that Optuna knows.
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


# trials -------------------------------------------------------------------------------------


def _trial(record: Record, variant: VariantView, distributions: dict[str, Any]) -> Any:
    """Return a variant as Optuna's FrozenTrial."""
    from optuna.trial import FrozenTrial

    state, values = _state_and_values(record, variant)
    started, completed = _times(record, variant, state.is_finished())
    params, trial_distributions = {}, {}
    for name, distribution in distributions.items():
        if name in variant.params:
            params[name] = _category(variant.params[name])
            trial_distributions[name] = distribution
    return FrozenTrial(
        number=-1,  # the study gives the trial its number and its id
        trial_id=-1,
        state=state,
        value=None,
        values=values,
        datetime_start=started,
        datetime_complete=completed,
        params=params,
        distributions=trial_distributions,
        user_attrs=_attributes(variant, distributions),
        system_attrs={},
        intermediate_values=_objective_curve(record, variant),
    )


def _state_and_values(record: Record, variant: VariantView) -> tuple[Any, list[float] | None]:
    """Return Optuna's state of a trial and the values of its objectives."""
    from optuna.trial import TrialState

    state = TrialState[_STATES.get(variant.state, "WAITING")]
    if state is not TrialState.COMPLETE:
        return state, None
    values = [value for value in record.view.values(variant) if value is not None]
    # Optuna takes no complete trial without values that can be ranked.
    missing = len(values) < max(len(record.view.objectives), 1)
    if missing or any(map(math.isnan, values)):
        return TrialState.FAIL, None
    return state, values


def _times(
    record: Record, variant: VariantView, finished: bool
) -> tuple[datetime | None, datetime | None]:
    """Return when a trial started and when it was complete.

    Optuna needs both times of a finished trial. One that is not known is replaced by the other, or
    by the time when the scan was made.
    """
    started, ended = _datetime(variant.started), _datetime(variant.ended)
    if not finished:
        return started, None
    known = ended or started or _datetime(record.scan.created)
    return started or known, known


def _datetime(seconds: float | None) -> datetime | None:
    """Return a time in this machine's time zone, as Optuna writes it."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds)


def _attributes(variant: VariantView, distributions: dict[str, Any]) -> Any:
    """Return what Optuna has no place for, as strict JSON."""
    fixed = {name: value for name, value in variant.params.items() if name not in distributions}
    attributes = {
        "id": variant.id,
        "state": variant.state,
        "reason": variant.reason,
        "message": variant.message,
        "fixed": fixed,
        "metrics": {name: series.last for name, series in variant.metrics.items()},
    }
    return numbers.encode_all(attributes, mark="")


def _objective_curve(record: Record, variant: VariantView) -> dict[int, float]:
    """Return the values of the only objective by step: Optuna has room for one curve a trial."""
    curve: dict[int, float] = {}
    objective = record.view.objective
    if objective is None:
        return curve
    for count, reading in enumerate(record.series(variant), 1):
        value = reading.values.get(objective.metric)
        if value is None:
            continue
        # A notebook need not report steps. Then its readings are counted.
        step = reading.step
        if step is None:
            step = count
        curve[step] = float(value)
    return curve
