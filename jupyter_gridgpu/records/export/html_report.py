"""One HTML page that stands alone: table, curves, best variant, provenance.

It has no script and asks for nothing from elsewhere; every text in it is escaped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model.metrics import thinned
from jupyter_gridgpu.model.units import duration, number
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.records.inputs import KNOWN, PACKAGE, as_dict, facts
from jupyter_gridgpu.records.record import Record

SUFFIX = ".html"
METRICS_SHOWN = 12
CURVES_SHOWN = 200
POINTS = 100  # of one curve
VALUES_SHOWN = 5  # of one fact, where the jobs of a scan have several
TEXT_SHOWN = 5000
WIDTH, HEIGHT, EDGE = 760, 260, 46

_STYLE = """
body{font:14px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222;background:#fff}
h1{font-size:20px}h2{font-size:16px;margin-top:2em}table{border-collapse:collapse;font-size:12px}
.wide{overflow-x:auto}th,td{padding:2px 10px 2px 0;text-align:left;border-bottom:1px solid #ddd;vertical-align:top}
td.n,th.n{text-align:right;font-family:monospace;white-space:nowrap}tr.best{font-weight:600}
pre{font-size:12px;white-space:pre-wrap;overflow-wrap:anywhere}.dim{color:#666}svg{max-width:100%}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}th,td{border-color:#333}.dim{color:#999}}
"""
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def write(record: Record, target: Path, curves: bool) -> None:
    parts = [_head(record), _best(record), _table(record), _curves(record), _provenance(record)]
    title = escape(record.name)
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><title>{title}</title><style>{_STYLE}</style></head>\n'
        "<body>\n"
    )
    target.write_text(
        page + "\n".join(filter(None, parts)) + "\n</body></html>\n", encoding="utf-8"
    )


def _head(record: Record) -> str:
    scan, counts = record.scan, record.view.counts()
    words = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    origin = scan.origin
    again = f" A {escape(origin.kind)} of {escape(origin.name)}." if origin and origin.name else ""
    changes = f" Changed: {escape('; '.join(origin.changes))}." if origin and origin.changes else ""
    unfinished = "" if record.finished else " It has not ended yet."
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(scan.created))
    what = f"{escape(scan.notebook)} on {escape(scan.backend)}, started {when}: {words}."
    return f"<h1>{escape(scan.name)}</h1><p>{what}{again}{changes}{unfinished}</p>"


def _best(record: Record) -> str:
    best, objective = record.view.best(), record.scan.objective
    if best is None or objective is None:
        return ""
    params = ", ".join(f"{name} = {_shown(best.params.get(name))}" for name in record.scan.space)
    value = _shown(record.view.value(best))
    return (
        f"<h2>Best variant</h2><p><b>{escape(best.id)}</b>: {escape(objective.reduction)}({escape(objective.metric)}) = {value},"
        f" {objective.direction}d.<br>{params}</p>"
    )


def _table(record: Record) -> str:
    names = _metric_names(record)
    varied, best = record.scan.space.varied, record.view.best()
    head = "".join(f"<th>{escape(name)}</th>" for name in ("id", "state"))
    head += "".join(f'<th class="n">{escape(name)}</th>' for name in [*varied, *names, "time"])
    lines = [_row(variant, varied, names, variant is best) for variant in _ranked(record)]
    fixed = ", ".join(
        f"{escape(name)} = {_shown(value)}" for name, value in record.scan.space.fixed.items()
    )
    return (
        f'<h2>Variants</h2><div class="wide"><table><thead><tr>{head}<th></th></tr></thead><tbody>\n'
        + "\n".join(lines)
        + f"\n</tbody></table></div>{f'<p class=dim>The same in all: {fixed}</p>' if fixed else ''}"
    )


def _row(variant: VariantView, varied: list[str], names: list[str], best: bool) -> str:
    cells = [f"<td>{escape(variant.id)}</td><td>{escape(variant.state)}</td>"]
    cells += [f'<td class="n">{_shown(variant.params.get(name))}</td>' for name in varied]
    cells += [f'<td class="n">{_last(variant, name)}</td>' for name in names]
    spent = duration(variant.ended - variant.started) if variant.ended and variant.started else "–"
    said = escape(variant.message or "")
    return f'<tr{" class=best" if best else ""}>{"".join(cells)}<td class="n">{spent}</td><td>{said}</td></tr>'


def _last(variant: VariantView, name: str) -> str:
    series = variant.metrics.get(name)
    return "–" if series is None or not series.n else _shown(series.last)


def _shown(value: Any) -> str:
    return "–" if value is None else escape(number(value, 4))[:200]


def _metric_names(record: Record) -> list[str]:
    names = dict.fromkeys([record.scan.objective.metric] if record.scan.objective else [])
    for variant in record.variants:
        names.update(dict.fromkeys(variant.metrics))
    return list(names)[:METRICS_SHOWN]


def _ranked(record: Record) -> list[VariantView]:
    """The best first; what has no value goes last, in the order of the scan."""
    objective = record.scan.objective

    def key(variant: VariantView) -> tuple[bool, float]:
        value = record.view.value(variant) if variant.state == "done" else None
        known = objective is not None and value is not None and not math.isnan(value)
        return (
            not known,
            -objective.sign * value if known and objective and value is not None else 0.0,
        )

    return sorted(record.variants, key=key)


# curves -------------------------------------------------------------------------------------


def _curves(record: Record) -> str:
    names = _metric_names(record)
    if not names:
        return ""
    name = names[0]
    lines = {}
    for variant in _ranked(record)[:CURVES_SHOWN]:
        points = thinned(_points(record, variant, name), POINTS)
        if len(points) > 1:
            lines[variant.id] = points
    if not lines:
        return ""
    best = record.view.best()
    cut = (
        f" Of {len(record.variants)} variants the best {CURVES_SHOWN}."
        if len(record.variants) > CURVES_SHOWN
        else ""
    )
    return f"<h2>{escape(name)} by step</h2>{_svg(lines, best.id if best else None)}<p class=dim>The best is drawn bold.{cut}</p>"


def _points(record: Record, variant: VariantView, name: str) -> Iterable[tuple[float, float]]:
    count = 0
    for reading in record.series(variant):
        value = reading.values.get(name)
        if value is not None:
            count += 1
            if math.isfinite(value):
                yield (float(count if reading.step is None else reading.step), float(value))


def _svg(lines: dict[str, list[tuple[float, float]]], best: str | None) -> str:
    xs, ys = ([point[axis] / 4 for line in lines.values() for point in line] for axis in (0, 1))
    (left, right), (low, high) = (
        (min(xs), max(xs)),
        (min(ys), max(ys)),
    )  # a quarter: the span may be beyond a float

    def place(point: tuple[float, float]) -> str:
        x = EDGE + (point[0] / 4 - left) / ((right - left) or 1.0) * (WIDTH - 2 * EDGE)
        y = HEIGHT - EDGE / 2 - (point[1] / 4 - low) / ((high - low) or 1.0) * (HEIGHT - EDGE)
        return f"{x:.1f},{y:.1f}"

    drawn = []
    for ident, points in sorted(lines.items(), key=lambda item: item[0] == best):
        style = (
            'stroke="currentColor" stroke-width="2.5"'
            if ident == best
            else 'stroke="#888" stroke-opacity="0.55"'
        )
        way = " ".join(map(place, points))
        drawn.append(
            f'<polyline fill="none" {style} points="{way}"><title>{escape(ident)}</title></polyline>'
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" font-size="11" fill="currentColor" role="img"'
        f' aria-label="curves">{_labels(left, right, low, high)}{"".join(drawn)}</svg>'
    )


def _labels(left: float, right: float, low: float, high: float) -> str:
    """The ends of both axes, given as quarters."""
    places = (
        (0, EDGE / 2 + 4, "start", high), (0, HEIGHT - EDGE / 2, "start", low), (EDGE, HEIGHT - 4, "start", left),
        (WIDTH - EDGE, HEIGHT - 4, "end", right),
    )  # fmt: skip
    return "".join(
        f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}">{number(4 * value, 3)}</text>'
        for x, y, anchor, value in places
    )


# provenance ---------------------------------------------------------------------------------


def _provenance(record: Record) -> str:
    start, told = record.provenance(), facts(record)
    told.pop(KNOWN, None)
    rows = [
        _line(what, str(value))
        for what, value in _start_facts(record, start).items()
        if value not in (None, "")
    ]
    rows += [
        _line(what, " | ".join(list(values)[:VALUES_SHOWN]))
        for what, values in told.items()
        if PACKAGE not in what
    ]
    rows += [_line(str(name), _sha(pair)) for name, pair in as_dict(start.get("inputs")).items()]
    packages = sorted(
        (what.removeprefix(PACKAGE), " | ".join(values))
        for what, values in told.items()
        if PACKAGE in what
    )
    listed = "\n".join(f"{name}=={version}" for name, version in packages)
    more = f"<h2>Packages</h2><pre>{escape(listed)}</pre>" if listed else ""
    return f'<h2>Provenance</h2><div class="wide"><table>{"".join(rows)}</table></div>{more}'


def _start_facts(record: Record, start: dict[str, Any]) -> dict[str, Any]:
    git, image, scan = as_dict(start.get("git")), record.scan.container, record.scan
    return {
        "scan": scan.id,
        "gridgpu": start.get("gridgpu"),
        "started on": start.get("host"),
        "command": start.get("command"),
        "git commit": git.get("commit"),
        "changes not committed": ("yes" if git.get("dirty") else "no") if git else None,
        "image": image.image,
        "image digest": image.digest,
        "sampler": scan.sampler,
        "seed of the sampler": scan.seed,
    }


def _line(what: str, value: str) -> str:
    return f"<tr><th>{escape(what)}</th><td>{escape(value[:TEXT_SHOWN])}</td></tr>"


def _sha(pair: Any) -> str:
    return str(pair[0]) if isinstance(pair, list) and pair else "?"
