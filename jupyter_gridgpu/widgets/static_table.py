"""The table as plain HTML, for GitHub, nbviewer, nbconvert and other readers without widgets."""

from __future__ import annotations

from jupyter_gridgpu.model import row_text, wire
from jupyter_gridgpu.model.numbers import decode
from jupyter_gridgpu.model.units import number_text
from jupyter_gridgpu.records.html_text import html_name, html_text

ROW_LIMIT = 200
METRIC_LIMIT = 6


def html(head: wire.Head, rows: list[wire.Row]) -> str:
    """Return the scan as an HTML fragment.

    Every text in the fragment is escaped and bounded, since a job may have written it.
    """
    metrics = row_text.metric_names(head, rows, METRIC_LIMIT)
    labels = [row_text.metric_label(head, name) for name in metrics]
    marks = ["Pareto"] if len(row_text.objectives(head)) > 1 else []
    names = ["id", "state", *marks, *head["varied"], "epoch", *labels, "time", ""]
    heads = "".join(f"<th>{html_text(name)}</th>" for name in names)
    body = "".join(_row(head, row, metrics) for row in rows[:ROW_LIMIT])
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    # Notebooks are mailed and committed, so the output must not grow with the scan.
    more = ""
    if len(rows) > ROW_LIMIT:
        more = f"<p>{len(rows) - ROW_LIMIT} more rows are in the scan folder.</p>"
    note = ""
    if head["note"]:
        note = f"<p>{html_text(head['note'])}</p>"
    return f"<div><p>{_caption(head)}</p>{table}{more}{note}</div>"


def _caption(head: wire.Head) -> str:
    """Return name, notebook, state, counts and best variant of the scan in one line of HTML."""
    counts = ", ".join(f"{count} {state}" for state, count in head["counts"].items() if count)
    best = ""
    if head["best"] and head["objective"]:
        metric = html_name(head["objective"]["metric"])
        value = html_text(number_text(decode(head["best_value"]), 4))
        best = f"; best {metric} {value} in {html_text(head['best'])}"
    elif len(row_text.objectives(head)) > 1:
        best = f"; {len(head.get('pareto', ())):,} in the Pareto front"
    name = html_name(head["name"])
    notebook = html_name(head["notebook"])
    return f"<b>{name}</b>: {notebook}, {head['state']}; {counts or 'no variants yet'}{best}"


def _row(head: wire.Head, row: wire.Row, metrics: list[str]) -> str:
    """Return one variant as a row of the table."""
    name = row["id"]
    is_best = name in row_text.best_ids(head)
    if is_best:
        name += " ★"
    marks = ["front" if is_best else ""] if len(row_text.objectives(head)) > 1 else []
    texts = [
        name,
        row["state"],
        *marks,
        *(row_text.parameter_cell(row, name) for name in head["varied"]),
        row_text.step_text(row),
        *(row_text.metric_text(head, row, name) for name in metrics),
        row_text.time_text(head, row),
        row["message"] or "",
    ]
    cells = "".join(f"<td>{html_text(text)}</td>" for text in texts)
    return f"<tr>{cells}</tr>"
