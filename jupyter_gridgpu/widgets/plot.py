"""Plots of a scan, made by altair.

Names and values of a scan come from jobs and from strangers. Vega has an expression language of its
own, and altair puts a chart into the script of a page as it is. So the table that is plotted has
columns with names of ours (`y`, `x0`, `x1`, ...), what the scan calls them is only written beside
the axes, and no text keeps a character that Vega or a page could take for code.
"""

from __future__ import annotations

import math
import operator
from typing import Any

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.space import Range
from jupyter_gridgpu.model.units import parameter_text

TEXT_LIMIT = 60  # characters of a title, or of a value that is no number
# Vega-Lite writes titles into expressions, and forgets about a backslash before a quote. In the
# script of a page, `</script>` ends the script, wherever it stands.
_LOOK_ALIKES = str.maketrans(
    {
        "\\": "\N{SET MINUS}",
        '"': "\N{RIGHT DOUBLE QUOTATION MARK}",
        "<": "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}",
    }
)


def chart(handle: ScanHandle) -> Any:
    """Return a chart of the objective against each parameter that varies, side by side.

    Each of several objectives has a row of its own, in which the Pareto front is drawn as diamonds.
    Without an objective, the first metric is drawn. Raises UsageError if altair is missing, or if
    no variant has a value yet.
    """
    try:
        import altair
    except ImportError:
        raise UsageError("plot() needs altair: pip install altair.") from None
    handle.refresh()
    names = [name for name in handle.scan.space.varied if _is_given(handle, name)]
    metrics = _metrics(handle)
    rows_of = {metric: _rows(handle, metric, names) for metric in metrics}
    values = [row["y"] for rows in rows_of.values() for row in rows]
    if not names or all(value is None for value in values):
        raise UsageError(f"{handle.name} has nothing to plot yet.")
    tables: dict[str, list[dict[str, Any]]] = {}
    charts = [
        _panels(altair, handle, tables, rows, metric, names) for metric, rows in rows_of.items()
    ]
    made = charts[0] if len(charts) == 1 else altair.vconcat(*charts)
    return made.properties(datasets=tables)


def _panels(
    altair: Any,
    handle: ScanHandle,
    tables: dict[str, list[dict[str, Any]]],
    rows: list[dict[str, Any]],
    metric: str,
    names: list[str],
) -> Any:
    """Return the panels of one metric, one for each parameter.

    A panel leaves out the variants at whose points its parameter is not active. What the panels
    show is put into `tables`, each table once.
    """
    y = altair.Y("y:Q", title=plot_text(metric)).scale(zero=False)
    # A reader of the page may take a tip that is called `image` for the address of a picture.
    tips = ["id:N", "state:N", altair.Tooltip("y:Q", title="value")]
    shape = {}
    if len(handle.view.objectives) > 1:
        scale = altair.Scale(domain=["front", "other"], range=["diamond", "circle"])
        shape = {"shape": altair.Shape("pareto:N", title="Pareto", scale=scale)}
        tips.append("pareto:N")
    panels = [
        _points(altair, _table(tables, rows, f"x{i}"), len(handle.view.objectives) > 1).encode(
            x=_parameter_axis(altair, handle, f"x{i}", name),
            y=y,
            color=altair.Color("state:N"),
            tooltip=tips,
            **shape,
        )
        for i, name in enumerate(names)
    ]
    return altair.hconcat(*panels).resolve_scale(y="shared")


def _table(tables: dict[str, list[dict[str, Any]]], rows: list[dict[str, Any]], column: str) -> str:
    """Return the name of the table with the rows that have a column."""
    given = [row for row in rows if column in row]
    for name, known in tables.items():
        if len(known) == len(given) and all(map(operator.is_, known, given)):
            return name
    name = f"rows{len(tables)}"
    tables[name] = given
    return name


def _points(altair: Any, table: str, several: bool) -> Any:
    """Return a chart with a point for each row of a table, without axes yet."""
    chart = altair.Chart(altair.NamedData(table))
    # A circle has one shape; a point has any.
    points = chart.mark_point(size=60, filled=True) if several else chart.mark_circle(size=60)
    return points.properties(width=180, height=180)


def _is_given(handle: ScanHandle, name: str) -> bool:
    return any(name in variant.params for variant in handle.view.variants.values())


def _rows(handle: ScanHandle, metric: str, names: list[str]) -> list[dict[str, Any]]:
    """Return what is plotted of each variant: `y` is its metric, `x0`, `x1`, ... its parameters.

    A parameter that is not active at a point has no key.
    """
    rows = []
    with handle.lock:
        front = {variant.id for variant in handle.view.pareto()}
        several = len(handle.view.objectives) > 1
        reductions = {one.metric: one.reduction for one in handle.view.objectives if several}
        for variant in handle.view.variants.values():
            series = variant.metrics.get(metric)
            row = {"id": variant.id, "state": variant.state, "y": None}
            if series is not None:
                row["y"] = _plotted(series.reduced(reductions.get(metric, "last")))
            if several:
                row["pareto"] = "front" if variant.id in front else "other"
            for i, name in enumerate(names):
                if name in variant.params:
                    value = variant.params[name]
                    row[f"x{i}"] = "None" if value is None else _plotted(value)
            rows.append(row)
    return rows


def plot_text(text: str) -> str:
    """Return a text of a scan as a chart can show it, without what could be taken for code."""
    return (one_line(text, TEXT_LIMIT) or "").translate(_LOOK_ALIKES)


def _plotted(value: Any) -> Any:
    """Return a value as a number, or as a short text; None where there is nothing to plot."""
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None  # JSON has no other numbers
    return plot_text(parameter_text(value))


def _parameter_axis(altair: Any, handle: ScanHandle, column: str, name: str) -> Any:
    """Return the x axis of a parameter: continuous for a range, single values for a choice."""
    axis, title = handle.scan.space.axes[name], plot_text(name)
    if not isinstance(axis, Range):
        return altair.X(f"{column}:O", title=title)
    # Zero is left out, since a range far from zero would fill only an edge of the panel.
    scale = altair.Scale(zero=False)
    if axis.log:
        scale = altair.Scale(type="log")
    return altair.X(f"{column}:Q", title=title).scale(scale)


def _metrics(handle: ScanHandle) -> list[str]:
    """Return the names of the metrics to draw: the objectives, else the first one, if any."""
    if handle.view.objectives:
        return [objective.metric for objective in handle.view.objectives]
    for variant in handle.view.variants.values():
        for name in variant.metrics:
            return [name]
    return []
