"""An Optuna study in its journal format, with the values of every epoch: `optuna-dashboard FILE.log` opens it.

The journal is gathered in memory and written at once: through the file it would be synced once for each of thousands of trials.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.space import Choice, Fixed, Range, Repeats
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.records.record import Record

SUFFIX = "-optuna.log"
_STATES = {
    "done": "COMPLETE",
    "failed": "FAIL",
    "lost": "FAIL",
    "cancelled": "FAIL",
    "running": "RUNNING",
}


def write(record: Record, target: Path, curves: bool) -> None:
    import optuna
    from optuna.storages import JournalStorage

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    backend = _in_memory()
    objective = record.scan.objective
    direction = optuna.study.StudyDirection[
        objective.direction.upper() if objective else "MINIMIZE"
    ]
    study = optuna.create_study(
        storage=JournalStorage(backend), study_name=record.name, direction=direction
    )
    study.set_user_attr(
        "gridgpu", {"id": record.scan.id, "objective": objective.metric if objective else None}
    )
    distributions = _distributions(record)
    for variant in record.variants:
        study.add_trial(_trial(record, variant, distributions))
    target.write_text(
        "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in backend.logs),
        encoding="utf-8",
    )


def _in_memory() -> Any:
    from optuna.storages.journal import BaseJournalBackend

    class Memory(BaseJournalBackend):
        def __init__(self) -> None:
            self.logs: list[dict[str, Any]] = []

        def read_logs(self, log_number_from: int) -> Iterable[dict[str, Any]]:
            return iter(self.logs[log_number_from:])

        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            self.logs.extend(logs)

    return Memory()


def _distributions(record: Record) -> dict[str, Any]:
    """The axes that vary, wide enough for every value that ran: points may have been given from elsewhere."""
    found: dict[str, Any] = {}
    for name, axis in record.scan.space.axes.items():
        if not isinstance(axis, Fixed):
            found[name] = _distribution(
                axis, [v.params[name] for v in record.variants if name in v.params]
            )
    return found


def _distribution(axis: Choice | Range | Repeats, values: list[Any]) -> Any:
    """A choice goes by the text of its value, since a value may be a list."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(axis, Choice) or not all(
        type(value) in (int, float) and math.isfinite(value) for value in values
    ):
        known = [*(axis.values if isinstance(axis, Choice) else ()), *values]
        return CategoricalDistribution(list(dict.fromkeys(map(_coded, known))) or [None])
    low, high = (0, axis.count - 1) if isinstance(axis, Repeats) else (axis.low, axis.high)
    low, high = min([low, *values]), max([low, high, *values])
    log = isinstance(axis, Range) and axis.log and low > 0
    if all(type(value) is int for value in values) and (isinstance(axis, Repeats) or axis.whole):
        return IntDistribution(int(low), int(high), log=log)
    return FloatDistribution(low, high, log=log)


def _coded(value: Any) -> Any:
    if (
        value is None
        or isinstance(value, (bool, int, str))
        or (isinstance(value, float) and math.isfinite(value))
    ):
        return value
    return json.dumps(numbers.strict(value, mark=""), ensure_ascii=False)


def _trial(record: Record, variant: VariantView, distributions: dict[str, Any]) -> Any:
    from optuna.trial import FrozenTrial, TrialState

    value, state = record.view.value(variant), TrialState[_STATES.get(variant.state, "WAITING")]
    if state is TrialState.COMPLETE and (value is None or math.isnan(value)):
        state = TrialState.FAIL
    params = {
        name: _coded(variant.params[name]) for name in distributions if name in variant.params
    }
    facts = {
        "id": variant.id,
        "state": variant.state,
        "reason": variant.reason,
        "message": variant.message,
    }
    fixed = {name: value for name, value in variant.params.items() if name not in distributions}
    started, ended = _time(variant.started), _time(variant.ended)
    return FrozenTrial(
        number=-1, trial_id=-1, state=state, value=value if state is TrialState.COMPLETE else None, values=None,
        datetime_start=started or (ended if state.is_finished() else None),
        datetime_complete=(ended or started or _time(record.scan.created)) if state.is_finished() else None,
        params=params, distributions={name: distributions[name] for name in params},
        user_attrs=numbers.strict({**facts, "fixed": fixed, "metrics": {n: s.last for n, s in variant.metrics.items()}}, mark=""),
        system_attrs={}, intermediate_values=_intermediate(record, variant),
    )  # fmt: skip


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds)


def _intermediate(record: Record, variant: VariantView) -> dict[int, float]:
    """The objective by step; Optuna knows one curve a trial."""
    objective, found = record.scan.objective, {}
    if objective is None:
        return {}
    for count, reading in enumerate(record.series(variant), 1):
        value = reading.values.get(objective.metric)
        if value is not None:
            found[reading.step if reading.step is not None else count] = float(value)
    return found
