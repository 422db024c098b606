"""JSON: all of a scan in one object: spec, provenance, variants with their curves and what each ran with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model import scan as scans
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.records.record import Record

SUFFIX = ".json"
FORMAT = 1


def write(record: Record, target: Path, curves: bool) -> None:
    best = record.view.best()
    head = {
        "format": FORMAT,
        "state": record.view.state,
        "best": best.id if best else None,
        "scan": scans.to_json(record.scan),
        "provenance": record.provenance(),
    }
    with open(target, "w", encoding="utf-8") as file:
        file.write(
            json.dumps(numbers.strict(head, mark=""), ensure_ascii=False, allow_nan=False)[:-1]
            + ', "variants": ['
        )
        for index, variant in enumerate(record.variants):
            text = json.dumps(
                numbers.strict(_variant(record, variant), mark=""),
                ensure_ascii=False,
                allow_nan=False,
            )
            file.write((",\n" if index else "\n") + text)
        file.write("\n]}\n")


def _variant(record: Record, variant: VariantView) -> dict[str, Any]:
    curves: dict[str, dict[str, list[Any]]] = {}
    for reading in record.series(variant):
        for name, value in reading.values.items():
            curve = curves.setdefault(name, {"steps": [], "times": [], "values": []})
            curve["steps"].append(reading.step)
            curve["times"].append(reading.time)
            curve["values"].append(value)
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
        "metrics": {name: series.last for name, series in variant.metrics.items()},
        "notebook": variant.notebook,
        "curves": curves,
        "provenance": record.job_provenance(variant),
    }
