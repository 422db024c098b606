"""A comparison of two scans in a notebook: a table and a plot."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.units import number
from jupyter_gridgpu.records.compare import REPRODUCED, Cell, Comparison, Pair

if TYPE_CHECKING:
    import pandas

ROW_LIMIT = 200
INPUT_LIMIT = 50
_HEAD = ("variant", "metric", "", "", "difference", "relative", "sigma", "verdict")


class Compared:
    """What `scan.compare(other)` returns: `verdict`, `comparison` with all of it, `to_frame()`, `plot()`."""

    def __init__(self, comparison: Comparison) -> None:
        self.comparison = comparison

    @property
    def verdict(self) -> str:
        """reproduced, within tolerance, differs or incomplete."""
        return self.comparison.verdict

    def __repr__(self) -> str:
        made = self.comparison
        counts = ", ".join(f"{count} {verdict}" for verdict, count in made.counts().items())
        return f"<{made.b} against {made.a}: {made.verdict}; {counts or 'no variants'}>"

    def to_frame(self) -> pandas.DataFrame:
        """One row for each metric of each pair of variants."""
        import pandas

        names = ("metric", "a", "b", "difference", "relative", "spread", "verdict")
        rows = [
            {
                "variant": pair.a or pair.b,
                "other": pair.b,
                **pair.params,
                **{name: getattr(cell, name) for name in names},
            }
            for pair in self.comparison.pairs
            for cell in pair.cells
        ]
        return pandas.DataFrame(rows)

    def plot(self) -> Any:
        """Return an altair chart, a panel a metric: the value in one scan against that in the other. Raises UsageError."""
        import altair

        frame = self.to_frame()
        frame = frame[frame["a"].notna() & frame["b"].notna()] if len(frame) else frame
        if not len(frame):
            raise UsageError(
                f"{self.comparison.a} and {self.comparison.b} have no values to plot together."
            )
        frame = frame[["variant", "metric", "a", "b", "relative", "verdict"]]
        names = [name for name in self.comparison.metrics() if name in set(frame["metric"])]
        panels = [
            _panel(altair, frame[frame["metric"] == name], name, self.comparison)
            for name in names[:8]
        ]
        return altair.hconcat(*panels)

    def html(self) -> str:
        """Return verdict, table and what went in as an HTML fragment; every word in it is escaped and bounded."""
        made = self.comparison
        ranked = sorted(made.pairs, key=lambda pair: pair.verdict == REPRODUCED)
        lines = [_line(pair, cell) for pair in ranked for cell in pair.cells or (None,)]
        head = "".join(
            f"<th>{_text(name)}</th>" for name in (*_HEAD[:2], made.a, made.b, *_HEAD[4:])
        )
        more = (
            f"<p>{len(lines) - ROW_LIMIT:,} more rows: to_frame() has all.</p>"
            if len(lines) > ROW_LIMIT
            else ""
        )
        notes = "".join(f"<p>{_text(note)}</p>" for note in made.notes)
        table = (
            f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines[:ROW_LIMIT])}</tbody></table>"
            if lines
            else ""
        )
        return f"<div><p><b>{_text(repr(self)[1:-1])}</b></p>{notes}{table}{more}{self._inputs()}</div>"

    def _inputs(self) -> str:
        made = self.comparison.inputs
        if not made:
            return "<p>Nothing is known to have differed in what went in.</p>"
        rows = "".join(
            f"<tr><td>{_text(one.what)}</td><td>{_text(one.a)}</td><td>{_text(one.b)}</td></tr>"
            for one in made[:INPUT_LIMIT]
        )
        texts = "".join(f"<pre>{escape(one.text)}</pre>" for one in made if one.text)
        more = f"<p>{len(made) - INPUT_LIMIT} more.</p>" if len(made) > INPUT_LIMIT else ""
        return f"<p>What went in differed:</p><table><tbody>{rows}</tbody></table>{more}{texts}"

    def _repr_html_(self) -> str:
        return self.html()

    def _ipython_display_(self) -> None:
        from IPython.display import HTML, display

        display(HTML(self.html()))
        if any(
            cell.a is not None and cell.b is not None
            for pair in self.comparison.pairs
            for cell in pair.cells
        ):
            display(self.plot())


def _panel(altair: Any, frame: Any, name: str, made: Comparison) -> Any:
    """Every variant a point; what is on the line is the same in both."""
    x = altair.X("a:Q", title=f"{name} in {made.a}").scale(zero=False)
    y = altair.Y("b:Q", title=f"{name} in {made.b}").scale(zero=False)
    tips = ["variant:N", "a:Q", "b:Q", "relative:Q", "verdict:N"]
    points = (
        altair.Chart(frame)
        .mark_circle(size=60)
        .encode(x=x, y=y, color=altair.Color("verdict:N"), tooltip=tips)
    )
    line = (
        altair.Chart(frame)
        .mark_line(color="#999", strokeDash=[4, 4])
        .encode(x="a:Q", y=altair.Y("a:Q", title=""))
    )
    return (line + points).properties(width=200, height=200)


def _line(pair: Pair, cell: Cell | None) -> str:
    ident = pair.a if pair.a == pair.b else f"{pair.a or '–'} / {pair.b or '–'}"
    if cell is None:
        words = [
            ident,
            "–",
            pair.states[0] or "missing",
            pair.states[1] or "missing",
            "",
            "",
            "",
            pair.verdict,
        ]
    else:
        values = (cell.a, cell.b, cell.difference, cell.relative, cell.spread)
        words = [
            ident,
            cell.metric,
            *("–" if value is None else number(value, 4) for value in values),
            cell.verdict,
        ]
    return f"<tr>{''.join(f'<td>{_text(word)}</td>' for word in words)}</tr>"


def _text(value: Any) -> str:
    return escape(bounded(str(value), 200) or "")
