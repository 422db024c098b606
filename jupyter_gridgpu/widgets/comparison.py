"""A comparison of two scans as a notebook shows it: a table and a plot."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.escapes import visible
from jupyter_gridgpu.records.compare import Comparison
from jupyter_gridgpu.records.comparison_rows import (
    column_names,
    pair_rows,
    pairs_to_look_at_first,
    row_texts,
)
from jupyter_gridgpu.records.html_text import html_text
from jupyter_gridgpu.widgets.plot import plot_text

if TYPE_CHECKING:
    import pandas

ROW_LIMIT = 200  # rows of the table
INPUT_LIMIT = 50  # rows of the table of inputs that differed
PANEL_LIMIT = 8  # metrics in the plot


class Compared:
    """What `scan.compare(other)` returns.

    `comparison` holds everything that was compared, `verdict` is the result in a word. A notebook
    displays the object as a table and a plot.
    """

    def __init__(self, comparison: Comparison) -> None:
        """`comparison` is what records.compare found."""
        self.comparison = comparison

    @property
    def verdict(self) -> str:
        """The result: reproduced, within tolerance, differs or incomplete."""
        return self.comparison.verdict

    def __repr__(self) -> str:
        found = self.comparison
        counts = ", ".join(f"{count} {verdict}" for verdict, count in found.counts().items())
        return f"<{found.b} against {found.a}: {found.verdict}; {counts or 'no variants'}>"

    def to_frame(self) -> pandas.DataFrame:
        """Return a DataFrame with one row for each metric of each pair of variants."""
        # Imported late: pandas takes long to import, and the HTML table does not need it.
        import pandas

        names = ("metric", "a", "b", "difference", "relative", "spread", "verdict")
        rows = []
        for pair in self.comparison.pairs:
            variants = {"variant": pair.a or pair.b, "other": pair.b}
            for cell in pair.cells:
                values = {name: getattr(cell, name) for name in names}
                rows.append({**variants, **pair.params, **values})
        return pandas.DataFrame(rows)

    def plot(self) -> Any:
        """Return an altair chart: for each metric, the values of one scan against the other's.

        Raises UsageError if no metric has values in both scans.
        """
        import altair

        frame = self.to_frame()
        # An empty frame has no columns that could be selected.
        if len(frame):
            frame = frame[frame["a"].notna() & frame["b"].notna()]
        if not len(frame):
            raise UsageError(
                f"{self.comparison.a} and {self.comparison.b} have no values to plot together."
            )
        plotted = set(frame["metric"])
        names = [name for name in self.comparison.metrics() if name in plotted]
        panels = [
            _panel(altair, frame[frame["metric"] == name], name, self.comparison)
            for name in names[:PANEL_LIMIT]
        ]
        return altair.hconcat(*panels)

    def html(self) -> str:
        """Return an HTML fragment: the verdict, the table of pairs and the inputs that differed.

        Every text in the fragment is escaped and bounded, since a job may have written it.
        """
        title = html_text(repr(self)[1:-1])
        notes = "".join(f"<p>{html_text(note)}</p>" for note in self.comparison.notes)
        return f"<div><p><b>{title}</b></p>{notes}{self._table()}{self._inputs()}</div>"

    def _table(self) -> str:
        """Return the table of pairs as HTML. Pairs that were not reproduced come first."""
        rows = pair_rows(pairs_to_look_at_first(self.comparison))
        if not rows:
            return ""
        names = [*column_names(self.comparison)[:-1], "verdict"]
        head = "".join(f"<th>{html_text(name)}</th>" for name in names)
        body = "".join(_line(row_texts(row)) for row in rows[:ROW_LIMIT])
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        if len(rows) > ROW_LIMIT:
            table += f"<p>{len(rows) - ROW_LIMIT:,} more rows: to_frame() has all.</p>"
        return table

    def _inputs(self) -> str:
        """Return the inputs of the two scans that differed, as HTML."""
        inputs = self.comparison.inputs
        if not inputs:
            return "<p>Nothing is known to have differed in what went in.</p>"
        rows = "".join(_line([item.what, item.a, item.b]) for item in inputs[:INPUT_LIMIT])
        more = ""
        if len(inputs) > INPUT_LIMIT:
            more = f"<p>{len(inputs) - INPUT_LIMIT} more.</p>"
        # A text may have several lines, for example a diff of two notebooks, which are kept.
        texts = "".join(f"<pre>{escape(visible(item.text))}</pre>" for item in inputs if item.text)
        return f"<p>What went in differed:</p><table><tbody>{rows}</tbody></table>{more}{texts}"

    def _repr_html_(self) -> str:
        return self.html()

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display

        display(HTML(self.html()))
        cells = (cell for pair in self.comparison.pairs for cell in pair.cells)
        # plot() would raise an error if it had nothing to draw.
        if any(cell.a is not None and cell.b is not None for cell in cells):
            display(self.plot())


def _panel(altair: Any, frame: Any, name: str, comparison: Comparison) -> Any:
    """Return the chart of one metric: a point for each variant, and the line of equal values."""
    frame = frame[["variant", "a", "b", "relative", "verdict"]].assign(
        variant=frame["variant"].map(str).map(plot_text)
    )
    x = altair.X("a:Q", title=plot_text(f"{name} in {comparison.a}")).scale(zero=False)
    y = altair.Y("b:Q", title=plot_text(f"{name} in {comparison.b}")).scale(zero=False)
    tips = ["variant:N", "a:Q", "b:Q", "relative:Q", "verdict:N"]
    points = altair.Chart(frame).mark_circle(size=60)
    points = points.encode(x=x, y=y, color=altair.Color("verdict:N"), tooltip=tips)
    line = altair.Chart(frame).mark_line(color="#999", strokeDash=[4, 4])
    line = line.encode(x="a:Q", y=altair.Y("a:Q", title=""))
    return (line + points).properties(width=200, height=200)


def _line(texts: list[str]) -> str:
    cells = "".join(f"<td>{html_text(text)}</td>" for text in texts)
    return f"<tr>{cells}</tr>"
