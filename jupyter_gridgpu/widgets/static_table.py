"""The table as plain HTML, for GitHub, nbviewer, nbconvert and notebooks that are only looked at."""

from __future__ import annotations

from html import escape
from typing import Any

from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.numbers import decode
from jupyter_gridgpu.model.units import number, shown

ROW_LIMIT = 200
METRIC_LIMIT = 6


def html(head: wire.Head, rows: list[wire.Row]) -> str:
    """Return the scan as an HTML fragment. Every word in it may come from a job and is escaped and bounded."""
    metrics = wire.metric_names(head, rows, METRIC_LIMIT)
    names = [
        "id",
        "state",
        *head["varied"],
        "epoch",
        *(wire.metric_label(head, name) for name in metrics),
        "time",
        "",
    ]
    cells = "".join(f"<th>{_text(name)}</th>" for name in names)
    body = "".join(_row(head, row, metrics) for row in rows[:ROW_LIMIT])
    more = (
        f"<p>{len(rows) - ROW_LIMIT} more rows are in the scan folder.</p>"
        if len(rows) > ROW_LIMIT
        else ""
    )
    note = f"<p>{_text(head['note'])}</p>" if head["note"] else ""
    return f"<div><p>{_caption(head)}</p><table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>{more}{note}</div>"


def _caption(head: wire.Head) -> str:
    counts = (
        ", ".join(f"{count} {state}" for state, count in head["counts"].items() if count)
        or "no variants yet"
    )
    best = ""
    if head["best"] and head["objective"]:
        value = number(decode(head["best_value"]), 4)
        best = f"; best {_text(head['objective']['metric'])} {value} in {_text(head['best'])}"
    return (
        f"<b>{_text(head['name'])}</b>: {_text(head['notebook'])}, {head['state']}; {counts}{best}"
    )


def _row(head: wire.Head, row: wire.Row, metrics: list[str]) -> str:
    values = [wire.metric_text(head, row, name) for name in metrics]
    params = [shown(row["params"].get(name)) for name in head["varied"]]
    best = " ★" if row["id"] == head["best"] else ""
    words = [
        row["id"] + best,
        row["state"],
        *params,
        wire.step_text(row),
        *values,
        wire.time_text(head, row),
        row["message"] or "",
    ]
    return f"<tr>{''.join(f'<td>{_text(word)}</td>' for word in words)}</tr>"


def _text(value: Any) -> str:
    return escape(bounded(str(value), 200) or "")
