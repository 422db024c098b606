"""The curves of a scan as an SVG picture, for the HTML report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jupyter_gridgpu.model.units import number_text
from jupyter_gridgpu.records.html_text import html_text

# The size of the picture in SVG units, and the width of the edge around the curves for labels.
WIDTH, HEIGHT, EDGE = 760, 260, 46

Point = tuple[float, float]  # step and value


@dataclass(frozen=True)
class _Ranges:
    """The ends of both axes, each divided by 4.

    The largest float minus its negative is no finite float any more. A quarter of it is.
    """

    left: float
    right: float
    low: float
    high: float

    def place(self, point: Point) -> str:
        """Return where in the picture a point lies, as SVG writes it: `x,y`."""
        step, value = point
        # An axis of a single value has no length. Its points then lie at its beginning.
        across = (step / 4 - self.left) / ((self.right - self.left) or 1.0)
        up = (value / 4 - self.low) / ((self.high - self.low) or 1.0)
        x = EDGE + across * (WIDTH - 2 * EDGE)
        y = HEIGHT - EDGE / 2 - up * (HEIGHT - EDGE)
        return f"{x:.1f},{y:.1f}"

    def labels(self) -> str:
        """Return the labels at the ends of both axes as SVG."""
        # x, y, which end of the text lies there, and the number
        places = (
            (0.0, EDGE / 2 + 4, "start", self.high),
            (0.0, HEIGHT - EDGE / 2, "start", self.low),
            (EDGE, HEIGHT - 4, "start", self.left),
            (WIDTH - EDGE, HEIGHT - 4, "end", self.right),
        )
        labels = []
        for x, y, anchor, quarter in places:
            label = number_text(4 * quarter, 3)
            labels.append(
                f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{html_text(label)}</text>'
            )
        return "".join(labels)


def draw_curves(curves: Mapping[str, Sequence[Point]], best_id: str | None) -> str:
    """Return an SVG picture of curves, each with the id of its variant; the best one is bold.

    There must be at least one curve, and each must have a point.
    """
    steps = [step / 4 for curve in curves.values() for step, _ in curve]
    values = [value / 4 for curve in curves.values() for _, value in curve]
    ranges = _Ranges(min(steps), max(steps), min(values), max(values))
    others = [variant_id for variant_id in curves if variant_id != best_id]
    drawn = [_polyline(variant_id, curves[variant_id], ranges, False) for variant_id in others]
    # What is drawn last lies on top.
    if best_id is not None and best_id in curves:
        drawn.append(_polyline(best_id, curves[best_id], ranges, True))
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" font-size="11" fill="currentColor" '
        f'role="img" aria-label="curves">{ranges.labels()}{"".join(drawn)}</svg>'
    )


def _polyline(variant_id: str, curve: Sequence[Point], ranges: _Ranges, is_best: bool) -> str:
    style = 'stroke="#888" stroke-opacity="0.55"'
    if is_best:
        style = 'stroke="currentColor" stroke-width="2.5"'
    points = " ".join(map(ranges.place, curve))
    return (
        f'<polyline fill="none" {style} points="{points}">'
        f"<title>{html_text(variant_id)}</title></polyline>"
    )
