"""Finds the variants of two scans that correspond to each other."""

from __future__ import annotations

import json

from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.records.record import Record

# A variant of the first scan, and the variant of the second scan that corresponds to it. One of the
# two may be missing.
VariantPair = tuple[VariantView | None, VariantView | None]


def pair_variants(first: Record, second: Record) -> list[VariantPair]:
    """Return the pairs of variants that are to be compared.

    The variants of a replay have the ids of its origin. So variants are paired by id where one
    scan replays the other or both replay the same one, and by their parameters otherwise.
    """
    first_variants, second_variants = first.view.variants, second.view.variants
    first_origin, second_origin = _origin_id(first), _origin_id(second)
    # A replay may run only some variants. The others of its origin are not missing, so only the
    # variants of the replay are paired.
    if second_origin == first.scan.id:
        return [(first_variants.get(key), variant) for key, variant in second_variants.items()]
    if first_origin == second.scan.id:
        return [(variant, second_variants.get(key)) for key, variant in first_variants.items()]
    # An imported scan has an origin without an id.
    if first_origin and first_origin == second_origin:
        keys = {**first_variants, **second_variants}
        return [(first_variants.get(key), second_variants.get(key)) for key in keys]
    return _pairs_by_parameters(first, second)


def _origin_id(record: Record) -> str | None:
    """Return the id of the scan that a scan replays, or None if it has no origin."""
    origin = record.scan.origin
    if origin is None:
        return None
    return origin.id


def _pairs_by_parameters(first: Record, second: Record) -> list[VariantPair]:
    """Pair variants with the same values of the parameters that both scans have."""
    shared = [name for name in first.scan.space if name in second.scan.space.axes]
    # Several variants may have the same values. They are paired in the order of their scans.
    unpaired: dict[str, list[VariantView]] = {}
    for variant in second.variants:
        unpaired.setdefault(_values_text(variant, shared), []).append(variant)
    pairs: list[VariantPair] = []
    for variant in first.variants:
        candidates = unpaired.get(_values_text(variant, shared))
        partner = None
        if candidates:
            partner = candidates.pop(0)
        pairs.append((variant, partner))
    for left_over in unpaired.values():
        pairs.extend((None, variant) for variant in left_over)
    return pairs


def _values_text(variant: VariantView, names: list[str]) -> str:
    """Return the values of these parameters as a text that can be compared, even lists and NaN."""
    # A parameter that is not active is another thing than one whose value is None.
    known = {name: variant.params[name] for name in names if name in variant.params}
    return json.dumps(numbers.encode_all(known), sort_keys=True)
