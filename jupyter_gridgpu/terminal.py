"""The table in a terminal, drawn by rich from the same rows as the table in a browser."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TypeGuard

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model import row_text, wire
from jupyter_gridgpu.model.job import END_STATES, one_line
from jupyter_gridgpu.model.numbers import decode
from jupyter_gridgpu.model.units import duration_text
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
GAP = 2  # columns of the terminal between two columns of the table
INDENT = 2  # of a line below its row
FOLDED_TITLE = 5  # columns of the terminal that a folded title has at least
ROW_RESERVE = 10  # lines of the screen above and below the rows
REFRESH_PER_S = 8
CHECK_S = 0.1  # seconds between two looks at the journal


def watch(handle: ScanHandle, console: Console) -> str:
    """Show the scan live until it has ended, and return its state. The console is a terminal."""
    state = handle.state
    with Live(console=console, refresh_per_second=REFRESH_PER_S, transient=True) as live:
        for state in handle.changes(every_s=CHECK_S):
            rows = max(console.height - ROW_RESERVE, 4)
            live.update(render(handle, state, console, limit=rows, lines=rows))
    # The live display vanishes when it ends. The whole table, however long, is printed instead.
    console.print(render(handle, state, console, limit=None))
    return state


def render(
    handle: ScanHandle, state: str, console: Console, limit: int | None, lines: int | None = None
) -> Group:
    """Return the scan's head and its rows, ready to be printed.

    At most `limit` rows are drawn, the running ones first; None means all. With `lines`, they take
    at most so many lines of a live display.
    """
    foreign = handle.foreign
    # The lock is held only while the fold is read, not while rich draws.
    with handle.lock:
        head = wire.head(handle.view, state, time.time(), foreign)
        variants = list(handle.view.variants.values())
        chosen = _shown_variants(variants, limit)
        rows = [wire.row(handle.view, variant) for variant in chosen]
    table = _table(head, rows, console, whole=lines is None)
    if lines is not None and len(table) > lines and limit and limit > 1:
        # Some rows take several lines.
        fewer = max(len(rows) * lines // len(table), 1)
        if fewer < len(rows):
            return render(handle, state, console, fewer, lines)
    parts: list[RenderableType] = [_title(head), _progress(head, console)]
    # Above the rows, so that a low terminal does not cut it off.
    if head["note"]:
        parts.append(Text(head["note"], style="yellow"))
    parts += table
    left_out = len(variants) - len(rows)
    if left_out:
        hint = f"{left_out} more rows; `gridgpu show {head['name']} --all` prints all."
        parts.append(Text(hint, style="dim"))
    metrics_text = row_text.metrics_text(head)
    if metrics_text:
        parts.append(Text(metrics_text, style="dim"))
    return Group(*parts)


def _title(head: wire.Head) -> Text:
    place: str = head["backend"]
    if place == "local":
        place = "this machine"
    # Text, not a str: rich would read brackets in a name as markup.
    text = Text(head["name"], style="bold")
    text.append(f"  {head['notebook']} on {place}, {head['state']}", style="not bold")
    return text


def _progress(head: wire.Head, console: Console) -> RenderableType:
    """Return a bar, how many variants have ended, their states, and times; in two lines if narrow.

    Nothing of it is left out, however narrow the terminal is.
    """
    counts = {state: count for state, count in head["counts"].items() if count}
    ended = sum(count for state, count in counts.items() if state in END_STATES)
    total = max(head["total"] or 0, 1)  # rich draws no bar of 0
    until = head["ended"] or head["now"]
    times = duration_text(until - head["created"])
    if head["left_s"] is not None:
        times += f", about {duration_text(head['left_s'])} left"
    states = "  ".join(f"{STATE_SIGNS[state]} {count} {state}" for state, count in counts.items())
    of_total = f"{ended} of {total}"
    bar = ProgressBar(total=total, completed=ended, width=max(min(30, console.width - 60), 10))
    grid = Table.grid(padding=(0, GAP))
    needed = (bar.width or 0) + sum(GAP + cell_len(text) for text in (of_total, states, times))
    if needed <= console.width:
        grid.add_row(bar, of_total, states, times)
        return grid
    grid.add_row(bar, of_total)
    return Group(grid, Text(f"{states}  {times}"))


def _shown_variants(variants: list[VariantView], limit: int | None) -> list[VariantView]:
    """Return at most `limit` variants, by id; running and failed ones are left out last."""
    if limit is None or len(variants) <= limit:
        return variants
    chosen = sorted(variants, key=lambda variant: RANKS[variant.state])[:limit]
    # By length first, since v10000 comes after v9999.
    return sorted(chosen, key=lambda variant: (len(variant.id), variant.id))


@dataclass(frozen=True)
class _Column:
    """A column of the table: its title and the cell of each row."""

    title: str
    cells: list[Text]
    right: bool = True  # whether its cells stand at the right
    # 0: it is never left out. Of the others, the column with the largest rank is left out first.
    rank: int = 0

    @property
    def values_width(self) -> int:
        """How many columns of the terminal the longest cell takes."""
        return max((cell.cell_len for cell in self.cells), default=0)

    def width(self, folded: bool) -> int:
        """Return how many columns of the terminal it needs. A long title may be `folded`."""
        title = cell_len(self.title)
        return max(self.values_width, min(title, FOLDED_TITLE) if folded else title)


def _table(head: wire.Head, rows: list[wire.Row], console: Console, whole: bool) -> list[Text]:
    """Return the lines of the table, none of which is longer than those of the console.

    Columns are as wide as their contents. If they do not all fit, messages go below their rows,
    then columns are left out, then titles are folded. Parameters and objectives are never left out
    or cut: as a last resort each row takes several lines. Unless `whole`, a message is one line.
    """
    width = console.width
    messages = [_clean(row["message"]) for row in rows]
    columns = _columns(head, rows)
    fitting = _fitting(columns, width)
    if fitting is None:
        return _blocks(columns, messages, console, whole)
    kept, gap, folded = fitting
    widths = [column.width(folded) for column in kept]
    room = width - sum(widths) - gap * len(kept)
    beside = max(map(cell_len, messages), default=0) <= room
    lines = _title_lines(kept, widths, gap)
    for index, message in enumerate(messages):
        line = _line([column.cells[index] for column in kept], kept, widths, gap)
        if beside and message:
            line.append(" " * (sum(widths) + gap * len(kept) - line.cell_len))
            line.append(message, style="dim")
        lines.append(line)
        if not beside:
            lines += _wrapped(message, console, whole)
    return lines


def _fitting(columns: list[_Column], width: int) -> tuple[list[_Column], int, bool] | None:
    """Return the columns that fit, the gap between them, and whether titles are folded.

    Returns None if those that may not be left out do not fit.
    """
    kept = list(columns)
    while True:
        last = max(kept, key=lambda column: column.rank)
        for gap, folded in ((GAP, False), (1, False), (1, True)):
            needed = sum(column.width(folded) for column in kept) + gap * (len(kept) - 1)
            if needed <= width and (gap == GAP or last.rank == 0):
                return kept, gap, folded
        if last.rank == 0:
            return None
        kept.remove(last)


def _title_lines(columns: list[_Column], widths: list[int], gap: int) -> list[Text]:
    """Return the titles; a title that is wider than its column is folded into several lines."""
    parts = [
        chop_cells(column.title, width) or [""]
        for column, width in zip(columns, widths, strict=True)
    ]
    lines = []
    for index in range(max(map(len, parts))):
        cells = [Text(part[index] if index < len(part) else "", style="dim") for part in parts]
        lines.append(_line(cells, columns, widths, gap))
    return lines


def _line(cells: list[Text], columns: list[_Column], widths: list[int], gap: int) -> Text:
    """Return one line of cells, each as wide as its column."""
    line = Text(no_wrap=True)
    for index, (cell, column, width) in enumerate(zip(cells, columns, widths, strict=True)):
        padding = " " * (width - cell.cell_len)
        line.append(" " * gap if index else "")
        if column.right:
            line.append(padding)
        line.append_text(cell)
        if not column.right and index < len(cells) - 1:
            line.append(padding)
    return line


def _blocks(
    columns: list[_Column], messages: list[str], console: Console, whole: bool
) -> list[Text]:
    """Return several lines for each row: id and state, then all else with its name, then why."""
    lines: list[Text] = []
    for index, message in enumerate(messages):
        ident, state, *others = (column.cells[index] for column in columns)
        lines.append(Text.assemble(ident, "  ", state))
        # There is little room, so there is only what may never be left out.
        pairs = [
            f"{column.title} = {cell.plain}"
            for column, cell in zip(columns[2:], others, strict=True)
            if column.rank == 0
        ]
        lines += _wrapped(", ".join(pairs), console, True, style="")
        lines += _wrapped(message, console, whole)
    return lines


def _wrapped(text: str, console: Console, whole: bool, style: str = "dim") -> list[Text]:
    """Return a text below a row: as many lines as it needs, or one that may be cut."""
    if not text:
        return []
    room = max(console.width - INDENT, 1)
    if not whole and cell_len(text) > room:
        text = set_cell_size(text, room - 1).rstrip() + "…"
    wrapped = Text(text, style=style).wrap(console, room)
    return [Text.assemble(" " * INDENT, line) for line in wrapped]


def _columns(head: wire.Head, rows: list[wire.Row]) -> list[_Column]:
    """Return all columns that the table may have."""
    metrics = row_text.metric_names(head, rows, METRICS_SHOWN)
    best = row_text.best_ids(head)
    columns = [
        _Column("id", [_ident(best, row) for row in rows], right=False),
        _Column("state", [_state(row) for row in rows], right=False),
    ]
    objectives = row_text.objectives(head)
    if len(objectives) > 1:
        marks = [Text("front" if row["id"] in best else "") for row in rows]
        columns.append(_Column("Pareto", marks, right=False, rank=1))
    columns += [
        _Column(_clean(name), [_parameter(row, name) for row in rows]) for name in head["varied"]
    ]
    columns.append(_Column("epoch", [Text(row_text.step_text(row)) for row in rows], rank=1))
    for index, name in enumerate(metrics):
        title = _clean(row_text.metric_label(head, name))
        cells = [Text(row_text.metric_text(head, row, name)) for row in rows]
        # The first ones are the objectives; where there is none, the first one stands for it.
        is_needed = index < max(len(objectives), 1)
        columns.append(_Column(title, cells, rank=0 if is_needed else 3 + index))
        if index == 0:
            curves = [Text(_curve(row, name), style="dim") for row in rows]
            columns.append(_Column("by epoch", curves, right=False, rank=3))
    times = [Text(row_text.time_text(head, row)) for row in rows]
    columns.append(_Column("time", times, rank=2))
    return columns


def _ident(best: set[str], row: wire.Row) -> Text:
    if row["id"] in best:
        return Text(f"{row['id']} ★", style="bold")
    return Text(row["id"])


def _state(row: wire.Row) -> Text:
    return Text(f"{STATE_SIGNS[row['state']]} {row['state']}", COLOURS.get(row["state"], ""))


def _parameter(row: wire.Row, name: str) -> Text:
    return Text(_clean(row_text.parameter_cell(row, name)))


def _clean(text: str | None) -> str:
    """Return a text of a job or a user so that it cannot disturb the terminal."""
    return one_line(text) or ""


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
