"""The fold of a long journal, kept so that thousands of variants are shown at once. A cache: the journal is the truth.

Only the runner writes it, when the scan has ended. It holds for the journal up to a byte, which it knows by its beginning
and by what stands before that byte; for any other journal, and for another version of the fold, it is ignored.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model.metrics import Series
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.variant import VariantView
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.store.json_decoder import decoder
from jupyter_gridgpu.store.paths import ScanPaths, write_atomic

VARIANTS = 500  # with fewer, the journal is folded as fast
BYTES = 500 * 1024 * 1024
SEEN = 65536  # bytes at both ends of the journal that tell it from another
_FIELDS = {
    field.name: field for field in dataclasses.fields(VariantView) if field.name != "metrics"
}
_SERIES = [field.name for field in dataclasses.fields(Series)]
_PLAIN = (
    "rev", "term", "seq", "stopped", "paused", "finished", "extra_trials", "engine_note", "started", "ended", "points",
)  # fmt: skip


def write(paths: ScanPaths, view: ScanView, offset: int) -> None:
    """Keep the fold of the journal's first `offset` bytes, if that is worth it. Raises OSError."""
    if len(view.variants) < VARIANTS:
        return
    body = {
        "shape": _shape(),
        "offset": offset,
        "journal": _journal(paths.journal, offset),
        "view": {name: getattr(view, name) for name in _PLAIN},
        "commands": sorted(view.commands),
        "variants": [_variant(variant) for variant in view.variants.values()],
    }
    write_atomic(paths.checkpoint, json.dumps(body, separators=(",", ":")))


def read(paths: ScanPaths, scan: ScanSpec) -> tuple[ScanView, int] | None:
    """Return a kept fold and the byte up to which it holds, or None if there is none that is sound."""
    try:
        size = os.stat(paths.checkpoint).st_size
        if size > BYTES:
            return None
        body = decoder(size)(paths.checkpoint.read_bytes())
        offset = body["offset"]
        if body["shape"] != _shape() or body["journal"] != _journal(paths.journal, offset):
            return None
        return _view(scan, body), offset
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _shape() -> str:
    """What this version's fold is made of."""
    return hashlib.sha256(repr((_PLAIN, sorted(_FIELDS), _SERIES)).encode()).hexdigest()


def _journal(path: Path, offset: int) -> str:
    """Tell a journal by its beginning and by what stands before a byte. Raises OSError, ValueError if it is shorter."""
    with open(path, "rb") as file:
        found = hashlib.sha256(file.read(min(SEEN, offset)))
        file.seek(max(offset - SEEN, 0))
        end = file.read(min(SEEN, offset))
    if os.stat(path).st_size < offset:
        raise ValueError("it is shorter")
    found.update(end)
    return found.hexdigest()


def _variant(variant: VariantView) -> list[Any]:
    """The fields that are not as they are at first, and the metrics."""
    kept = {
        name: value
        for name, field in _FIELDS.items()
        if (value := getattr(variant, name)) not in _defaults(field)
    }
    return [
        kept,
        {
            name: [getattr(series, item) for item in _SERIES]
            for name, series in variant.metrics.items()
        },
    ]


def _defaults(field: Any) -> tuple[Any, ...]:
    if field.default is not dataclasses.MISSING:
        return (field.default,) if field.default is None or isinstance(field.default, str) else ()
    return ()


def _view(scan: ScanSpec, body: dict[str, Any]) -> ScanView:
    view = ScanView(scan)
    view.__dict__.update({name: body["view"][name] for name in _PLAIN})
    view.commands = set(body["commands"])
    variants = [VariantView(**kept) for kept, _ in body["variants"]]
    for variant, (_, metrics) in zip(variants, body["variants"]):
        variant.metrics = {name: Series(*values) for name, values in metrics.items()}
    view.adopt(variants)
    return view
