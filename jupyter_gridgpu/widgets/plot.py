"""Plots of a scan, made by altair."""

from __future__ import annotations

from typing import Any

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.space import Range


def chart(handle: ScanHandle) -> Any:
    """Return a chart of the objective against each parameter that varies, side by side.

    Without an objective, the first metric is drawn. Raises UsageError if altair is missing, or if
    no variant has a value yet.
    """
    try:
        import altair
    except ImportError:
        raise UsageError("plot() needs altair: pip install altair.") from None
    frame = handle.to_frame().reset_index()
    metric = _metric(handle)
    # to_frame() gives a metric this name if another column, such as `state`, has its plain name.
    if f"metric:{metric}" in frame:
        metric = f"metric:{metric}"
    names = [name for name in handle.scan.space.varied if name in frame]
    if metric not in frame or not names:
        raise UsageError(f"{handle.name} has nothing to plot yet.")
    base = altair.Chart(frame).mark_circle(size=60).properties(width=180, height=180)
    panels = [_panel(altair, base, handle, name, metric) for name in names]
    return altair.hconcat(*panels).resolve_scale(y="shared")


def _panel(altair: Any, base: Any, handle: ScanHandle, name: str, metric: str) -> Any:
    """Return the chart of a metric against one parameter."""
    y = altair.Y(f"{_escaped(metric)}:Q", title=metric).scale(zero=False)
    tips = ["id", "state", altair.Tooltip(f"{_escaped(metric)}:Q", title=metric)]
    x = _parameter_axis(altair, handle, name)
    return base.encode(x=x, y=y, color=altair.Color("state:N"), tooltip=tips)


def _parameter_axis(altair: Any, handle: ScanHandle, name: str) -> Any:
    """Return the x axis of a parameter: continuous for a range, single values for a choice."""
    axis = handle.scan.space.axes[name]
    if not isinstance(axis, Range):
        return altair.X(f"{_escaped(name)}:O", title=name)
    # Zero is left out, since a range far from zero would fill only an edge of the panel.
    scale = altair.Scale(zero=False)
    if axis.log:
        scale = altair.Scale(type="log")
    return altair.X(f"{_escaped(name)}:Q", title=name).scale(scale)


def _metric(handle: ScanHandle) -> str:
    """Return the name of the metric to draw, or an empty text if no job reported any."""
    if handle.scan.objective:
        return handle.scan.objective.metric
    for variant in handle.view.variants.values():
        for name in variant.metrics:
            return name
    return ""


def _escaped(name: str) -> str:
    """Return a column's name in altair's shorthand, where colons and dots have a meaning."""
    return name.replace("\\", "\\\\").replace(":", "\\:").replace(".", "\\.")
