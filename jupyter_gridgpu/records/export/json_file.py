"""JSON: everything that is known of a scan, in one object.

The object holds the spec, the provenance, and the variants with their curves and what each job
recorded. It loses only the files of the jobs: executed notebooks, logs and artifacts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model import scan as scans
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.model.wire import best_keys
from jupyter_gridgpu.records.record import Record

SUFFIX = ".json"
FORMAT = 1


def write(record: Record, target: Path, curves: bool) -> None:
    """Write a file of strict JSON in UTF-8. NaN and infinities become words like "NaN"."""
    # The curves of a large scan may not fit into memory. So variants are read and written one by
    # one, at the end of an object that is still open.
    head = _json(_head(record))
    with open(target, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(head.removesuffix("}") + ', "variants": [')
        separator = "\n"
        for variant in record.variants:
            file.write(separator + _json(_variant(record, variant)))
            separator = ",\n"
        file.write("\n]}\n")


def _json(value: Any) -> str:
    return json.dumps(numbers.encode_all(value, mark=""), ensure_ascii=False, allow_nan=False)


def _head(record: Record) -> dict[str, Any]:
    """Return the object without its variants."""
    view = record.view
    return {
        "format": FORMAT,
        "state": view.state,
        **best_keys(view),
        "scan": scans.to_json(record.scan),
        "provenance": record.provenance(),
    }


def _variant(record: Record, variant: VariantView) -> dict[str, Any]:
    """Return all that is known of one variant; times are seconds since the epoch."""
    return {
        "id": variant.id,
        "point": variant.point,
        "repeat": variant.repeat,
        "params": variant.params,
        "state": variant.state,
        "reason": variant.reason,
        "message": variant.message,
        "attempts": variant.attempts,
        "started": variant.started,
        "ended": variant.ended,
        "objective": record.view.value(variant),
        **_objectives(record, variant),
        "metrics": {name: series.last for name, series in variant.metrics.items()},
        "notebook": variant.notebook,
        "curves": _curves(record, variant),
        "provenance": record.job_provenance(variant),
    }


def _objectives(record: Record, variant: VariantView) -> dict[str, Any]:
    """Return the values of several objectives by metric; nothing where there is one or none."""
    view = record.view
    if len(view.objectives) < 2:
        return {}
    names = [objective.metric for objective in view.objectives]
    return {"objectives": dict(zip(names, view.values(variant), strict=True))}


def _curves(record: Record, variant: VariantView) -> dict[str, dict[str, list[Any]]]:
    """Return steps, times and values of each metric, three lists of the same length."""
    # A metric need not be in every reading, so that each one has steps and times of its own.
    curves: dict[str, dict[str, list[Any]]] = {}
    for reading in record.series(variant):
        for name, value in reading.values.items():
            curve = curves.setdefault(name, {"steps": [], "times": [], "values": []})
            curve["steps"].append(reading.step)
            curve["times"].append(reading.time)
            curve["values"].append(value)
    return curves
