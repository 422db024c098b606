"""The cached fold: the view of a long journal, kept so that a scan is shown at once.

It is a cache, and the journal is the truth. Only the runner writes it, when the scan has ended. It
holds for the first `offset` bytes of the journal; the events behind them are folded on top. It is
ignored if the journal is another one, or if another version of the fold has written it.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.model.metrics import Series
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.variant import VariantView
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.store.fold_soundness import VARIANT, VIEW, are_sound, is_series
from jupyter_gridgpu.store.json_decoder import decoder
from jupyter_gridgpu.store.opener import open_plain, read_bounded
from jupyter_gridgpu.store.paths import ScanPaths, write_atomic

LEAST_VARIANTS = 500  # a scan with fewer variants is folded from its journal just as fast
BYTES_LIMIT = 500 * 1024 * 1024  # the largest cache that is read
SAMPLED = 65536  # bytes at each end of the journal that tell it from another one
_FIELDS = {
    field.name: field for field in dataclasses.fields(VariantView) if field.name != "metrics"
}
_SERIES = [field.name for field in dataclasses.fields(Series)]
_PLAIN = tuple(VIEW)  # the attributes of a view that are kept as they are


def write(paths: ScanPaths, view: ScanView, offset: int) -> None:
    """Keep the fold of the first `offset` bytes of the journal, if the scan is large.

    Raises OSError.
    """
    if len(view.variants) < LEAST_VARIANTS:
        return
    body = {
        "shape": _shape(),
        "offset": offset,
        "journal": _fingerprint(paths.journal, offset),
        "view": {name: getattr(view, name) for name in _PLAIN},
        "commands": sorted(view.commands),
        "variants": [_variant_to_json(variant) for variant in view.variants.values()],
    }
    write_atomic(paths.fold, json.dumps(body, separators=(",", ":")))


def read(paths: ScanPaths, scan: ScanSpec) -> tuple[ScanView, int] | None:
    """Return the kept fold and the number of journal bytes that it holds for.

    Returns None if there is no cache, or if it cannot be trusted for this journal.
    """
    try:
        data = read_bounded(paths.fold, BYTES_LIMIT)
        body = decoder(len(data))(data)
        offset = body["offset"]
        if type(offset) is not int or offset < 0:
            return None
        if body["shape"] != _shape() or body["journal"] != _fingerprint(paths.journal, offset):
            return None
        return _view_from_json(scan, body), offset
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, GridGpuError):
        # Whatever is wrong with a cache, the journal gives the same view; it only takes longer.
        return None


def _shape() -> str:
    """Return a digest of the names of all fields in a cache; another version may have others."""
    return hashlib.sha256(repr((_PLAIN, sorted(_FIELDS), _SERIES)).encode()).hexdigest()


def _fingerprint(path: Path, offset: int) -> str:
    """Return a digest that tells a journal from another one, as far as byte `offset`.

    Raises OSError, and ValueError if the journal is shorter.
    """
    # To read a whole journal of hundreds of MB would cost the time that the cache saves. Every line
    # has a time and a number, so two journals differ in their first lines or in their last lines.
    with open_plain(path) as file:
        found = hashlib.sha256(file.read(min(SAMPLED, offset)))
        file.seek(max(offset - SAMPLED, 0))
        end = file.read(min(SAMPLED, offset))
    if os.stat(path).st_size < offset:
        raise ValueError("the journal is shorter than its cached fold says")
    found.update(end)
    return found.hexdigest()


def _variant_to_json(variant: VariantView) -> list[Any]:
    """Return the fields of a variant that differ from their defaults, and its metrics."""
    fields = {}
    for name, field in _FIELDS.items():
        value = getattr(variant, name)
        # Only None and texts are left out. A number that equals a default may still look different
        # in JSON (0 and 0.0), and a view from a cache must be the same to the last character.
        plain_default = field.default is None or isinstance(field.default, str)
        if not (plain_default and value == field.default):
            fields[name] = value
    metrics = {
        name: [getattr(series, part) for part in _SERIES]
        for name, series in variant.metrics.items()
    }
    return [fields, metrics]


def _view_from_json(scan: ScanSpec, body: dict[str, Any]) -> ScanView:
    """Return the view that a cache holds.

    Raises KeyError, TypeError, ValueError or AttributeError if it is damaged.
    """
    view = ScanView(scan)
    plain = {name: body["view"][name] for name in _PLAIN}
    if not are_sound(plain, VIEW) or not all(isinstance(ident, str) for ident in body["commands"]):
        raise ValueError("the fold of the scan is not sound")
    for name, value in plain.items():
        setattr(view, name, value)
    view.images = [(mark, variant) for mark, variant in view.images]
    view.commands = set(body["commands"])
    variants = []
    for fields, metrics in body["variants"]:
        if not are_sound(fields, VARIANT) or not all(map(is_series, metrics.values())):
            raise ValueError("the fold of a variant is not sound")
        variant = VariantView(**fields)
        variant.metrics = {name: Series(*values) for name, values in metrics.items()}
        variants.append(variant)
    # The view finds variants by their numbers.
    if {variant.number for variant in variants} != set(range(len(variants))):
        raise ValueError("variants are missing in the fold")
    view.adopt(variants)
    if len(view.variants) != len(variants):
        raise ValueError("a variant is in the fold twice")
    return view
