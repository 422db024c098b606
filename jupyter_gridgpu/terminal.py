"""The table in a terminal, drawn by rich from the same rows as the table in a browser."""

from __future__ import annotations

import math
import time
from typing import TypeGuard

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.measure import Measurement
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model import row_text, wire
from jupyter_gridgpu.model.job import END_STATES, one_line
from jupyter_gridgpu.model.numbers import decode
from jupyter_gridgpu.model.units import duration_text, parameter_text
from jupyter_gridgpu.model.view import VariantView

STATE_SIGNS = {
    "new": "◌",
    "queued": "◷",
    "running": "◉",
    "done": "✔",
    "failed": "✖",
    "cancelled": "⊘",
    "lost": "?",
}
COLOURS = {"running": "blue", "done": "green", "failed": "red", "lost": "yellow"}
# If not all rows fit, those of the lowest rank stay: what a user wants to see of a running scan.
RANKS = {"running": 0, "failed": 1, "lost": 1, "queued": 2, "done": 3, "cancelled": 4, "new": 5}
BARS = "▁▂▃▄▅▆▇█"
METRICS_SHOWN = 4  # the most metrics of the table
NARROW = 80  # columns; a narrower terminal has no room for curves
ROW_RESERVE = 9  # lines of the screen above and below the rows
UNBOUNDED = 10_000  # columns: wider than any table
REFRESH_PER_S = 8
CHECK_S = 0.1  # seconds between two looks at the journal


def watch(handle: ScanHandle, console: Console) -> str:
    """Show the scan live until it has ended, and return its state.

    If the console is no terminal, for example a file, only the end is printed.
    """
    if not console.is_terminal:
        state = handle.wait()
        console.print(render(handle, state, console, limit=None))
        return state
    state = handle.state
    with Live(console=console, refresh_per_second=REFRESH_PER_S, transient=True) as live:
        for state in handle.changes(every_s=CHECK_S):
            rows = max(console.height - ROW_RESERVE, 4)
            live.update(render(handle, state, console, limit=rows))
    # The live display vanishes when it ends. The whole table, however long, is printed instead.
    console.print(render(handle, state, console, limit=None))
    return state


def render(handle: ScanHandle, state: str, console: Console, limit: int | None) -> Group:
    """Return the scan's head and its rows, ready to be printed.

    At most `limit` rows are drawn, the running ones first; None means all.
    """
    # The lock is held only while the fold is read, not while rich draws.
    with handle.lock:
        head = wire.head(handle.view, state, time.time())
        variants = list(handle.view.variants.values())
        rows = [wire.row(handle.view, variant) for variant in _shown_variants(variants, limit)]
    parts: list[RenderableType] = [_title(head), _progress(head, console)]
    parts.append(_fitting_table(head, rows, console))
    left_out = len(variants) - len(rows)
    if left_out:
        hint = f"{left_out} more rows; `gridgpu show {head['name']} --all` prints all."
        parts.append(Text(hint, style="dim"))
    metrics_text = row_text.metrics_text(head)
    if metrics_text:
        parts.append(Text(metrics_text, style="dim"))
    if head["note"]:
        parts.append(Text(head["note"], style="yellow"))
    return Group(*parts)


def _title(head: wire.Head) -> Text:
    place: str = head["backend"]
    if place == "local":
        place = "this machine"
    # Text, not a str: rich would read brackets in a name as markup.
    text = Text(head["name"], style="bold")
    text.append(f"  {head['notebook']} on {place}, {head['state']}", style="not bold")
    return text


def _progress(head: wire.Head, console: Console) -> Table:
    """Return one line: a bar, how many variants have ended, their states, and times."""
    counts = {state: count for state, count in head["counts"].items() if count}
    ended = sum(count for state, count in counts.items() if state in END_STATES)
    total = max(head["total"] or 0, 1)  # rich draws no bar of 0
    until = head["ended"] or head["now"]
    times = duration_text(until - head["created"])
    if head["left_s"] is not None:
        times += f", about {duration_text(head['left_s'])} left"
    states = "  ".join(f"{STATE_SIGNS[state]} {count} {state}" for state, count in counts.items())
    bar = ProgressBar(total=total, completed=ended, width=max(min(30, console.width - 60), 10))
    grid = Table.grid(padding=(0, 2))
    grid.add_row(bar, f"{ended} of {total}", states, times)
    return grid


def _shown_variants(variants: list[VariantView], limit: int | None) -> list[VariantView]:
    """Return at most `limit` variants, by id; running and failed ones are left out last."""
    if limit is None or len(variants) <= limit:
        return variants
    chosen = sorted(variants, key=lambda variant: RANKS[variant.state])[:limit]
    # By length first, since v10000 comes after v9999.
    return sorted(chosen, key=lambda variant: (len(variant.id), variant.id))


def _fitting_table(head: wire.Head, rows: list[wire.Row], console: Console) -> Table:
    """Return the table with as many metrics as the terminal has room for.

    The objective and its curve are left out last.
    """
    metrics = row_text.metric_names(head, rows, METRICS_SHOWN)
    # Measured in an unbounded width, since rich would shrink the columns to the real width.
    options = console.options.update(max_width=UNBOUNDED)
    for count in range(len(metrics), 1, -1):
        table = _table(head, rows, metrics[:count], curve=True)
        if Measurement.get(console, options, table).maximum <= console.width:
            return table
    return _table(head, rows, metrics[:1], curve=console.width >= NARROW)


def _table(head: wire.Head, rows: list[wire.Row], metrics: list[str], curve: bool) -> Table:
    """Return the table with these metrics. With `curve`, the first metric also has its curve."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1))
    table.add_column("id", no_wrap=True, min_width=7)
    table.add_column("state", no_wrap=True, min_width=11)
    for name in head["varied"]:
        table.add_column(Text(name), justify="right", no_wrap=True)
    table.add_column("epoch", justify="right", no_wrap=True, min_width=5)
    for index, name in enumerate(metrics):
        table.add_column(Text(row_text.metric_label(head, name)), justify="right", no_wrap=True)
        if curve and index == 0:
            table.add_column("by epoch", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("", overflow="ellipsis", no_wrap=True)
    for row in rows:
        style = ""
        if row["id"] == head["best"]:
            style = "bold"
        table.add_row(*_cells(head, row, metrics, curve), style=style)
    return table


def _cells(head: wire.Head, row: wire.Row, metrics: list[str], curve: bool) -> list[Text]:
    """Return the cells of one row, in the order of the columns of `_table`."""
    name = row["id"]
    if name == head["best"]:
        name += " ★"
    state = row["state"]
    cells = [Text(name), Text(f"{STATE_SIGNS[state]} {state}", style=COLOURS.get(state, ""))]
    cells += [
        Text(one_line(parameter_text(row["params"].get(name))) or "") for name in head["varied"]
    ]
    cells.append(Text(row_text.step_text(row)))
    for index, name in enumerate(metrics):
        cells.append(Text(row_text.metric_text(head, row, name)))
        if curve and index == 0:
            cells.append(Text(_curve(row, name), style="dim"))
    cells.append(Text(row_text.time_text(head, row)))
    cells.append(Text(row["message"] or "", style="dim"))
    return cells


def _curve(row: wire.Row, metric: str) -> str:
    if metric not in row["metrics"]:
        return ""
    return sparkline([decode(value) for value in row["metrics"][metric]["trail"]])


def sparkline(values: list[float | None], width: int = 12) -> str:
    """Return a curve of at most `width` block characters.

    None, NaN and infinities are gaps. With fewer than two finite values there is no curve.
    """
    step = max(1, math.ceil(len(values) / width))
    drawn = values[::step]
    # Halved, since the difference of the largest and the smallest float is too large for a float.
    halves = [value / 2 for value in drawn if _is_finite(value)]
    if len(halves) < 2:
        return ""
    low = min(halves)
    span = (max(halves) - low) or 1.0  # values that are all the same are drawn as a low line
    curve = ""
    for value in drawn:
        if _is_finite(value):
            curve += BARS[round((value / 2 - low) / span * 7)]
        else:
            curve += " "
    return curve


def _is_finite(value: float | None) -> TypeGuard[float]:
    return value is not None and abs(value) < float("inf")
