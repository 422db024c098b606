"""What a sampler learns from beside its own scan: the results of earlier scans, one point a line.

They are copied when the scan is made, since the earlier scans may be removed or run on.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.fields import is_bounded
from jupyter_gridgpu.model.program import PartlyKnown, meant_by
from jupyter_gridgpu.model.records import EarlierLine
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.soundness import is_index
from jupyter_gridgpu.model.space import is_parameter_name
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.sound_lines import not_sound, sound_lines
from jupyter_gridgpu.store.tail import LINE_LIMIT

_WHAT = "The results of earlier scans"


@dataclass(frozen=True)
class EarlierResult:
    """A point of an earlier scan, and what came out."""

    scan: str  # its id
    point: int
    params: Mapping[str, Any]  # those that this scan's sampler chooses, too
    values: tuple[float, ...]  # of this scan's objectives


def lines(results: Iterable[EarlierResult]) -> str:
    """Return the text of `earlier.jsonl` for some results."""
    return "".join(_line(result) for result in results)


def _line(result: EarlierResult) -> str:
    body: EarlierLine = {
        "scan": result.scan,
        "point": result.point,
        "params": numbers.encode_all(result.params),
        "values": list(result.values),
    }
    return json.dumps(body) + "\n"


def read(path: Path, scan: ScanSpec) -> list[EarlierResult]:
    """Return the results that a scan learns from.

    Raises StorageError if the file cannot be read, is damaged, or has not all of them.
    """
    count = sum(source.results for source in scan.warm_start)
    results = sound_lines(path, _WHAT, lambda line: _checked(parsed(line), scan))
    # One more is enough to see that there are too many.
    found = list(islice(results, count + 1))
    if len(found) != count:
        raise not_sound(path, _WHAT)
    return found


def _checked(result: EarlierResult, scan: ScanSpec) -> EarlierResult:
    """Return a result with the values that the space has. Raises SpaceError or ValueError."""
    known = PartlyKnown(meant_by(result.params))
    scan.space.point(known)
    if len(result.values) != len(scan.objectives):
        raise ValueError("there is not a value for each objective")
    return replace(result, params=known.found)


def parsed(line: str | bytes) -> EarlierResult:
    """Return the result in a line. Raises KeyError, TypeError or ValueError."""
    body: Any = parse_json(line, LINE_LIMIT)
    scan, point, params, values = (body[key] for key in ("scan", "point", "params", "values"))
    sound = isinstance(scan, str) and is_index(point) and isinstance(params, dict)
    if not sound or not is_bounded(params) or not all(map(is_parameter_name, params)):
        raise ValueError("the samplers could not take it")
    if not isinstance(values, list) or not all(map(_is_result, values)):
        raise ValueError("a value is no number")
    return EarlierResult(scan, point, numbers.decode_all(params), tuple(map(float, values)))


def _is_result(value: Any) -> bool:
    # True is a number for isinstance.
    return type(value) in (int, float) and math.isfinite(numbers.to_float(value))
