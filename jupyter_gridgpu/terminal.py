"""The live table in a terminal, drawn by rich from the same rows as the browser's."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.job import END_STATES, bounded
from jupyter_gridgpu.model.numbers import decode
from jupyter_gridgpu.model.units import duration, shown
from jupyter_gridgpu.model.view import VariantView

MARKS = {
    "new": "◌",
    "queued": "◷",
    "running": "◉",
    "done": "✔",
    "failed": "✖",
    "cancelled": "⊘",
    "lost": "?",
}
COLOURS = {"running": "blue", "done": "green", "failed": "red", "lost": "yellow"}
BARS = "▁▂▃▄▅▆▇█"
METRICS_SHOWN = 4
NARROW = 80  # columns of a terminal that has no room for curves
ROW_RESERVE = 9  # lines around the rows


def watch(handle: ScanHandle, console: Console) -> str:
    """Show the scan live until it has ended and return its state. Without a terminal, only the end is printed."""
    if not console.is_terminal:
        state = handle.wait()
        console.print(render(handle, state, console, limit=None))
        return state
    state = handle.state
    with Live(console=console, refresh_per_second=8, transient=True) as live:
        for state in handle.changes(every_s=0.1):
            live.update(render(handle, state, console, limit=max(console.height - ROW_RESERVE, 4)))
    console.print(render(handle, state, console, limit=None))
    return state


def render(handle: ScanHandle, state: str, console: Console, limit: int | None) -> Group:
    """Return the scan's head and its rows; at most `limit` of these, the running ones first."""
    with handle.lock:
        head = wire.head(handle.view, state, time.time())
        variants = list(handle.view.variants.values())
        chosen = (
            variants if limit is None or len(variants) <= limit else _most_alive(variants, limit)
        )
        drawn = [wire.row(handle.view, variant) for variant in chosen]
    parts: list[Any] = [_title(head), _progress(head, console), _fitting(head, drawn, console)]
    if len(drawn) < len(variants):
        parts.append(
            Text(
                f"{len(variants) - len(drawn)} more rows; `gridgpu show {head['name']} --all` prints all.",
                style="dim",
            )
        )
    if words := wire.metrics_text(head):
        parts.append(Text(words, style="dim"))
    if head["note"]:
        parts.append(Text(head["note"], style="yellow"))
    return Group(*parts)


def _title(head: wire.Head) -> Text:
    text = Text(head["name"], style="bold")
    place = "this machine" if head["backend"] == "local" else head["backend"]
    text.append(f"  {head['notebook']} on {place}, {head['state']}", style="not bold")
    return text


def _progress(head: wire.Head, console: Console) -> Table:
    counts, total = head["counts"], max(head["total"] or 0, 1)
    ended = sum(count for state, count in counts.items() if state in END_STATES)
    grid = Table.grid(padding=(0, 2))
    words = "  ".join(f"{MARKS[state]} {count} {state}" for state, count in counts.items() if count)
    until = head["ended"] or head["now"]
    times = duration(until - head["created"])
    if head["left_s"] is not None:
        times += f", about {duration(head['left_s'])} left"
    bar = ProgressBar(total=total, completed=ended, width=max(min(30, console.width - 60), 10))
    grid.add_row(bar, f"{ended} of {total}", words, times)
    return grid


def _most_alive(variants: list[VariantView], limit: int) -> list[VariantView]:
    order = {"running": 0, "failed": 1, "lost": 1, "queued": 2, "done": 3, "cancelled": 4, "new": 5}
    chosen = sorted(variants, key=lambda variant: order[variant.state])[:limit]
    return sorted(chosen, key=lambda variant: (len(variant.id), variant.id))


def _fitting(head: wire.Head, rows: list[wire.Row], console: Console) -> Table:
    """Return the table with as many metrics as the terminal is wide for; the objective and its curve go last."""
    metrics = wire.metric_names(head, rows, METRICS_SHOWN)
    for count in range(len(metrics), 1, -1):
        table = _table(head, rows, metrics[:count], curve=True)
        if (
            Measurement.get(console, console.options.update(max_width=10_000), table).maximum
            <= console.width
        ):
            return table
    return _table(head, rows, metrics[:1], curve=console.width >= NARROW)


def _table(head: wire.Head, rows: list[wire.Row], metrics: list[str], curve: bool) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1))
    table.add_column("id", no_wrap=True, min_width=7)
    table.add_column("state", no_wrap=True, min_width=11)
    for name in head["varied"]:
        table.add_column(Text(name), justify="right", no_wrap=True)
    table.add_column("epoch", justify="right", no_wrap=True, min_width=5)
    for i, name in enumerate(metrics):
        table.add_column(Text(wire.metric_label(head, name)), justify="right", no_wrap=True)
        if curve and i == 0:
            table.add_column("by epoch", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("", overflow="ellipsis", no_wrap=True)
    for row in rows:
        table.add_row(
            *_cells(head, row, metrics, curve), style="bold" if row["id"] == head["best"] else ""
        )
    return table


def _cells(head: wire.Head, row: wire.Row, metrics: list[str], curve: bool) -> list[Text]:
    state = row["state"]
    cells = [
        Text(row["id"] + (" ★" if row["id"] == head["best"] else "")),
        Text(f"{MARKS[state]} {state}", style=COLOURS.get(state, "")),
    ]
    cells += [Text(bounded(shown(row["params"].get(name))) or "") for name in head["varied"]]
    cells.append(Text(wire.step_text(row)))
    for i, name in enumerate(metrics):
        metric = row["metrics"].get(name)
        cells.append(Text(wire.metric_text(head, row, name)))
        if curve and i == 0:
            cells.append(
                Text(sparkline([decode(v) for v in metric["trail"]]) if metric else "", style="dim")
            )
    cells.append(Text(wire.time_text(head, row)))
    cells.append(Text(row["message"] or "", style="dim"))
    return cells


def sparkline(values: list[float | None], width: int = 12) -> str:
    """Return a curve in block characters; values that are not finite are gaps."""
    shown = values[:: max(1, -(-len(values) // width))]
    finite = [v for v in shown if v is not None and abs(v) < float("inf")]
    if len(finite) < 2:
        return ""
    low, span = (
        min(finite) / 2,
        (max(finite) / 2 - min(finite) / 2) or 1.0,
    )  # halved: the whole span may be beyond a float
    return "".join(
        BARS[round((v / 2 - low) / span * 7)] if v is not None and abs(v) < float("inf") else " "
        for v in shown
    )
