"""Plots of a scan, by altair."""

from __future__ import annotations

from typing import Any

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.space import Range


def chart(handle: ScanHandle) -> Any:
    """Return the objective against every varied parameter, side by side. Raises UsageError if there is nothing to draw."""
    try:
        import altair
    except ImportError:
        raise UsageError("plot() needs altair: pip install altair.") from None
    frame = handle.to_frame().reset_index()
    metric = _metric(handle)
    metric = f"metric:{metric}" if f"metric:{metric}" in frame else metric
    names = [name for name in handle.scan.space.varied if name in frame]
    if metric not in frame or not names:
        raise UsageError(f"{handle.name} has nothing to plot yet.")
    base = altair.Chart(frame).mark_circle(size=60).properties(width=180, height=180)
    return altair.hconcat(
        *(_panel(altair, base, handle, name, metric) for name in names)
    ).resolve_scale(y="shared")


def _panel(altair: Any, base: Any, handle: ScanHandle, name: str, metric: str) -> Any:
    axis = handle.scan.space.axes[name]
    scale = (
        altair.Scale(type="log")
        if isinstance(axis, Range) and axis.log
        else altair.Scale(zero=False)
    )
    x = altair.X(
        f"{_escaped(name)}:Q" if isinstance(axis, Range) else f"{_escaped(name)}:O", title=name
    )
    x = x.scale(scale) if isinstance(axis, Range) else x
    y = altair.Y(f"{_escaped(metric)}:Q", title=metric).scale(zero=False)
    return base.encode(
        x=x,
        y=y,
        color=altair.Color("state:N"),
        tooltip=["id", "state", altair.Tooltip(f"{_escaped(metric)}:Q", title=metric)],
    )


def _metric(handle: ScanHandle) -> str:
    if handle.scan.objective:
        return handle.scan.objective.metric
    names = [name for variant in handle.view.variants.values() for name in variant.metrics]
    return names[0] if names else ""


def _escaped(name: str) -> str:
    """A column's name in altair's shorthand, where colons and dots mean something."""
    return name.replace("\\", "\\\\").replace(":", "\\:").replace(".", "\\.")
