"""Texts of a row, for the faces that have no browser: the terminal and the static table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.units import duration_text, number_text, parameter_text

if TYPE_CHECKING:
    from jupyter_gridgpu.model.numbers import Num
    from jupyter_gridgpu.model.wire import Head, ObjectiveInfo, Row

MISSING = "–"  # stands where there is nothing to show
DIGITS = 4  # significant digits of a metric


def parameter_cell(row: Row, name: str) -> str:
    """Return the value of a parameter; a parameter that is not active at this point has none."""
    if name not in row["params"]:
        return MISSING
    return parameter_text(row["params"][name])


def metric_names(head: Head, rows: Iterable[Row], limit: int) -> list[str]:
    """Return at most `limit` metrics to show: the objectives, then the others as they appear.

    All objectives are among them, also where they are more.
    """
    # A dict keeps the order in which names were put in, and each name once.
    names = dict.fromkeys(objective["metric"] for objective in objectives(head))
    limit = max(limit, len(names))
    for item in rows:
        names.update(dict.fromkeys(item["metrics"]))
    return list(names)[:limit]


def objectives(head: Head) -> list[ObjectiveInfo]:
    """Return the objectives of a scan: none, one or several."""
    if head["objective"]:
        return [head["objective"]]
    return head.get("objectives", [])


def best_ids(head: Head) -> set[str]:
    """Return the ids that faces mark: the best variant, or those of the Pareto front."""
    return {head["best"]} if head["best"] else set(head.get("pareto", ()))


def metric_label(head: Head, name: str) -> str:
    """Return the title of a metric: `max(rej_light)` for an objective like this, else its name."""
    for objective in objectives(head):
        if objective["metric"] == name and objective["reduction"] != "last":
            return f"{objective['reduction']}({name})"
    return name


def metric_text(head: Head, item: Row, name: str) -> str:
    """Return the value of a metric: of an objective as it ranks the row, else the last value."""
    if name not in item["metrics"]:
        return MISSING
    shown: Num | None = item["metrics"][name]["last"]
    values = item.get("values", [item["value"]])
    for index, objective in enumerate(objectives(head)):
        if objective["metric"] == name:
            shown = values[index]
    number = numbers.decode(shown)
    return MISSING if number is None else number_text(number, DIGITS)


def step_text(item: Row) -> str:
    """Return the step that a job has reached: `3/20`, or `3` where it is not known of how many."""
    if item["step"] is None:
        return MISSING
    if not item["steps"]:
        return str(item["step"])
    return f"{item['step']}/{item['steps']}"


def time_text(head: Head, item: Row) -> str:
    """Return how long the latest attempt took, or has taken so far: `24 min`."""
    if not item["started"]:
        return MISSING
    return duration_text((item["ended"] or head["now"]) - item["started"])


def metrics_text(head: Head) -> str:
    """Return a sentence on how metrics come and how old the newest is, or an empty text.

    The text is empty where metrics are read as they are written, and when the scan has ended.
    """
    channel = head["channel"]
    if head["ended"] is not None or channel == "file":
        return ""
    if channel == "end":
        return "Metrics arrive when a job ends."
    if head["reported"] is None:
        return f"Metrics come by {channel}; none so far."
    # The clock of the sender may be ahead of ours.
    age = max(head["now"] - head["reported"], 0.0)
    return f"Metrics come by {channel}; the newest is {duration_text(age)} old."
