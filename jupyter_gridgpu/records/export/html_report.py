"""HTML: one page with the table of variants, the curves, the best variant and the provenance.

The page stands alone: it has no script and loads nothing from elsewhere. Every text in it is
cleaned and escaped, since jobs and notebooks chose many of them. The page loses the curves of all
metrics but the first, all metrics but the first few, and the ends of long texts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model import notes
from jupyter_gridgpu.model.job import MESSAGE_LIMIT
from jupyter_gridgpu.model.metrics import thinned
from jupyter_gridgpu.model.ranking import in_rank
from jupyter_gridgpu.model.units import count_text, duration_text, number_text
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.records.export.html_curves import Point, draw_curves
from jupyter_gridgpu.records.html_text import html_name, html_text
from jupyter_gridgpu.records.job_facts import PACKAGE, PACKAGES_KNOWN, as_dict, job_facts
from jupyter_gridgpu.records.record import Record

SUFFIX = ".html"
METRICS_SHOWN = 12
CURVES_SHOWN = 200
FRONT_SHOWN = 100  # variants of a Pareto front that are listed above the table
POINTS_SHOWN = 100  # of one curve
VALUES_SHOWN = 5  # of one fact, where the jobs of a scan have several
TEXT_SHOWN = 5000  # characters
VALUE_SHOWN = 200  # characters of a parameter's value
NOTHING = "–"

# A backslash at the end of a line joins it with the next one.
_STYLE = """
body{font:14px/1.5 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;\
color:#222;background:#fff}
h1{font-size:20px}h2{font-size:16px;margin-top:2em}table{border-collapse:collapse;font-size:12px}
.wide{overflow-x:auto}th,td{padding:2px 10px 2px 0;text-align:left;\
border-bottom:1px solid #ddd;vertical-align:top}
td.n,th.n{text-align:right;font-family:monospace;white-space:nowrap}tr.best{font-weight:600}
pre{font-size:12px;white-space:pre-wrap;overflow-wrap:anywhere}.dim{color:#666}svg{max-width:100%}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#161616}\
th,td{border-color:#333}.dim{color:#999}}
"""
# Even if a text were not escaped, a browser would run and load nothing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_PAGE = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">\
<meta http-equiv="Content-Security-Policy" content="{policy}"><title>{title}</title>\
<style>{style}</style></head>
<body>
{body}
</body></html>
"""


def write(record: Record, target: Path, curves: bool) -> None:
    """Write the page in UTF-8."""
    metrics = _metric_names(record)
    ranked = in_rank(record.variants, record.view.objectives)
    sections = [
        _head(record),
        _best(record),
        _table(record, metrics, ranked),
        _curves(record, metrics, ranked),
        _provenance(record),
    ]
    body = "\n".join(section for section in sections if section)
    page = _PAGE.format(policy=_POLICY, title=html_text(record.name), style=_STYLE, body=body)
    target.write_text(page, encoding="utf-8")


def _head(record: Record) -> str:
    scan = record.scan
    counts = record.view.counts()
    states = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    started = time.strftime("%Y-%m-%d %H:%M", time.localtime(scan.created))
    notebook = html_name(scan.notebook)
    sentences = [f"{notebook} on {html_text(scan.backend)}, started {started}: {states}."]
    origin = scan.origin
    # An imported scan has an origin without a name.
    if origin and origin.name:
        sentences.append(f"A {html_text(origin.kind)} of {html_name(origin.name)}.")
    if origin and origin.changes:
        changes = html_name("; ".join(origin.changes), TEXT_SHOWN)
        sentences.append(f"Changed: {changes}.")
    extended = notes.extended(record.view)
    if extended:
        sentences.append(html_name(extended, TEXT_SHOWN))
    if not record.finished:
        sentences.append("It has not ended yet.")
    return f"<h1>{html_text(scan.name)}</h1><p>{' '.join(sentences)}</p>"


def _best(record: Record) -> str:
    """Return the section on the best variant or the front; empty if no variant can be ranked."""
    best, objective = record.view.best(), record.view.objective
    if len(record.view.objectives) > 1:
        return _front(record)
    if best is None or objective is None:
        return ""
    params = ", ".join(
        f"{html_name(name)} = <bdi>{_parameter(best, name)}</bdi>" for name in record.scan.space
    )
    value = _shown(record.view.value(best))
    reduced = f"{html_text(objective.reduction)}({html_name(objective.metric)})"
    return (
        f"<h2>Best variant</h2><p><b>{html_text(best.id)}</b>: {reduced} = {value},"
        f" {html_text(objective.direction)}d.<br>{params}</p>"
    )


def _front(record: Record) -> str:
    """Return the section on the Pareto front of several objectives."""
    front = record.view.pareto()
    wanted = ", ".join(
        f"{html_name(objective.label)} {html_text(objective.direction)}d"
        for objective in record.view.objectives
    )
    listed = ", ".join(f"<b>{html_text(variant.id)}</b>" for variant in front[:FRONT_SHOWN])
    more = f" and {len(front) - FRONT_SHOWN:,} more" if len(front) > FRONT_SHOWN else ""
    return (
        f"<h2>Pareto front</h2><p>{listed or 'None'}{more}: {wanted}. No other point is as good in"
        " all objectives and better in one.</p>"
    )


# the table ----------------------------------------------------------------------------------


def _table(record: Record, metrics: list[str], ranked: list[VariantView]) -> str:
    varied, best, front = record.scan.space.varied, record.view.best(), None
    head = "<th>id</th><th>state</th>"
    if len(record.view.objectives) > 1:
        front = {variant.id for variant in record.view.pareto()}
        head += "<th>Pareto</th>"
    for name in (*varied, *metrics, "time"):
        head += f'<th class="n">{html_text(name)}</th>'
    rows = [
        _row(record, variant, metrics, front or {best.id if best else ""}) for variant in ranked
    ]
    fixed = _assignments(record.scan.space.fixed.items())
    same_in_all = ""
    if fixed:
        same_in_all = f"<p class=dim>The same in all: {fixed}</p>"
    joined = "\n".join(rows)
    return (
        f'<h2>Variants</h2><div class="wide"><table><thead><tr>{head}<th></th></tr></thead>'
        f"<tbody>\n{joined}\n</tbody></table></div>{same_in_all}"
    )


def _row(record: Record, variant: VariantView, metrics: list[str], best_ids: set[str]) -> str:
    numbers = [_parameter(variant, name) for name in record.scan.space.varied]
    numbers += [_value(record, variant, name) for name in metrics]
    numbers.append(_time_spent(variant))
    cells = "".join(f'<td class="n">{text}</td>' for text in numbers)
    opening = "<tr>"
    if variant.id in best_ids:
        opening = "<tr class=best>"
    mark = ""
    if len(record.view.objectives) > 1:
        mark = f"<td>{'front' if variant.id in best_ids else ''}</td>"
    return (
        f"{opening}<td>{html_text(variant.id)}</td><td>{html_text(variant.state)}</td>{mark}{cells}"
        f"<td>{html_text(variant.message or '', MESSAGE_LIMIT)}</td></tr>"
    )


def _time_spent(variant: VariantView) -> str:
    if variant.ended and variant.started:
        return duration_text(variant.ended - variant.started)
    return NOTHING


def _value(record: Record, variant: VariantView, name: str) -> str:
    """Return the value of a metric: of several objectives as they rank, else the last one."""
    objectives = record.view.objectives
    if len(objectives) > 1:
        for objective, value in zip(objectives, record.view.values(variant), strict=True):
            if objective.metric == name:
                return _shown(value)
    series = variant.metrics.get(name)
    if series is None or not series.n:
        return NOTHING
    return _shown(series.last)


def _parameter(variant: VariantView, name: str) -> str:
    """Return the value of a parameter; one that is not active at this point has none."""
    if name not in variant.params:
        return NOTHING
    return _value_text(variant.params[name])


def _shown(value: float | None) -> str:
    """Return the value of a metric; None stands for one that is not there."""
    return NOTHING if value is None else _value_text(value)


def _value_text(value: Any) -> str:
    """Return a value as escaped text, a number with 4 digits."""
    return html_text(number_text(value, 4), VALUE_SHOWN)


def _assignments(values: Iterable[tuple[str, Any]]) -> str:
    """Return names and values as one sentence: `lr = 0.1000, units = 64`."""
    return ", ".join(
        f"{html_name(name)} = <bdi>{_value_text(value)}</bdi>" for name, value in values
    )


def _metric_names(record: Record) -> list[str]:
    """Return the metrics that are shown, the objectives first."""
    names = dict.fromkeys(objective.metric for objective in record.view.objectives)
    for variant in record.variants:
        names.update(dict.fromkeys(variant.metrics))
    return list(names)[:METRICS_SHOWN]


# the curves ---------------------------------------------------------------------------------


def _curves(record: Record, metrics: list[str], ranked: list[VariantView]) -> str:
    """Return the section with the curves of the first metric; empty if there are none."""
    if not metrics:
        return ""
    metric = metrics[0]
    curves = {}
    for variant in ranked[:CURVES_SHOWN]:
        points = thinned(_points(record, variant, metric), POINTS_SHOWN)
        # One point makes no curve.
        if len(points) > 1:
            curves[variant.id] = points
    if not curves:
        return ""
    best = record.view.best()
    best_id = best.id if best else None
    caption = "The best is drawn bold." if best_id else ""
    if len(record.variants) > CURVES_SHOWN:
        caption += f" Of {len(record.variants)} variants the best {CURVES_SHOWN}."
    return (
        f"<h2>{html_name(metric)} by step</h2>{draw_curves(curves, best_id)}"
        f"<p class=dim>{caption}</p>"
    )


def _points(record: Record, variant: VariantView, metric: str) -> Iterator[Point]:
    """Yield the finite values of a metric with their steps."""
    count = 0
    for reading in record.series(variant):
        value = reading.values.get(metric)
        if value is None:
            continue
        count += 1
        # A notebook need not report steps. Then the values are counted.
        step = reading.step
        if step is None:
            step = count
        if math.isfinite(value):
            yield float(step), float(value)


# the provenance -----------------------------------------------------------------------------


def _provenance(record: Record) -> str:
    start = record.provenance()
    rows = [_fact_row(what, text) for what, text in _start_facts(record, start)]
    packages = []
    for what, values in job_facts(record).items():
        if what == PACKAGES_KNOWN:
            continue
        if PACKAGE in what:
            packages.append((what.removeprefix(PACKAGE), " | ".join(values)))
        else:
            rows.append(_fact_row(what, " | ".join(list(values)[:VALUES_SHOWN])))
    for name, pair in as_dict(start.get("inputs")).items():
        rows.append(_fact_row(str(name), _digest_text(pair)))
    section = f'<h2>Provenance</h2><div class="wide"><table>{"".join(rows)}</table></div>'
    if packages:
        listed = [html_text(f"{name}=={version}") for name, version in sorted(packages)]
        joined = "\n".join(listed)
        section += f"<h2>Packages</h2><pre>{joined}</pre>"
    return section


def _uncommitted(dirty: Any) -> str:
    if dirty is None:
        return "not known, since filters of git were not run or git was too slow"
    return "yes" if dirty else "no"


def _start_facts(record: Record, start: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is known of the start of a scan, by what a user calls it."""
    scan, git = record.scan, as_dict(start.get("git"))
    uncommitted = None
    if git:
        uncommitted = _uncommitted(git.get("dirty"))
    facts = {
        "scan": scan.id,
        "gridgpu": start.get("gridgpu"),
        "started on": start.get("host"),
        "command": start.get("command"),
        "git commit": git.get("commit"),
        "changes not committed": uncommitted,
        "image": scan.container.image,
        "image digest": scan.container.digest,
        "sampler": scan.sampler,
        "seed of the sampler": scan.seed,
        "own points": scan.own_points or None,
        "learned from": "; ".join(
            f"{count_text(earlier.results, 'result')} of {earlier.name} ({earlier.id})"
            for earlier in scan.warm_start
        ),
    }
    for what, value in facts.items():
        if value is not None and value != "":
            yield what, str(value)


def _fact_row(what: str, value: str) -> str:
    return f"<tr><th>{html_text(what)}</th><td>{html_text(value, TEXT_SHOWN)}</td></tr>"


def _digest_text(pair: Any) -> str:
    """Return the digest of a pair of digest and size, which a file may hold or not."""
    if isinstance(pair, list) and pair:
        return str(pair[0])
    return "?"
