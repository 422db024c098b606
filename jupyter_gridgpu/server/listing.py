"""The rows of a scan, page by page: filtered and sorted over the fold, so that only the rows of the page are made."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.job import STATES
from jupyter_gridgpu.model.view import ScanView, VariantView
from jupyter_gridgpu.server.watched_scan import dumps

PLAIN = ("state", "value", "started", "ended", "step")


class Wanted(NamedTuple):
    """A page of the rows of a scan."""

    sort: str = "id"
    states: tuple[str, ...] = ()
    text: str = ""
    offset: int = 0
    limit: int = 100


@dataclass(frozen=True)
class _Order:
    """A sort key: what is missing or not a number comes last in either direction."""

    key: Callable[[ScanView, VariantView], Any]
    down: bool

    def sorted(self, view: ScanView, variants: list[VariantView]) -> list[VariantView]:
        keys = {variant.id: self.key(view, variant) for variant in variants}
        there = [variant for variant in variants if not _missing(keys[variant.id])]
        rest = [variant for variant in variants if _missing(keys[variant.id])]
        return (
            sorted(there, key=lambda variant: _ranked(keys[variant.id]), reverse=self.down) + rest
        )


def page(handle: ScanHandle, wanted: Wanted) -> bytes:
    """Return the page as JSON. Raises UsageError for a sort or a state that there is not."""
    order = _order(wanted.sort)
    unknown = [state for state in wanted.states if state not in STATES]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is no state; there are {', '.join(STATES)}.")
    with handle.lock:
        view = handle.view
        found = order.sorted(
            view, [variant for variant in view.variants.values() if _fits(variant, wanted)]
        )
        rows = b",".join(
            dumps(wire.row(view, variant))
            for variant in found[wanted.offset : wanted.offset + wanted.limit]
        )
        return b'{"total":%d,"rev":%d,"rows":[%s]}' % (len(found), view.rev, rows)


def _fits(variant: VariantView, wanted: Wanted) -> bool:
    if wanted.states and variant.state not in wanted.states:
        return False
    if not wanted.text:
        return True
    words = [variant.id, variant.state, variant.reason, variant.message, variant.where, variant.gpu]
    said = " ".join(
        [*filter(None, words), *(f"{name}={value}" for name, value in variant.params.items())]
    ).lower()
    return all(word in said for word in wanted.text.lower().split())


def _order(sort: str) -> _Order:
    name, down = sort.removeprefix("-"), sort.startswith("-")
    kind, dot, key = name.partition(".")
    if name == "id":
        return _Order(lambda view, variant: (len(variant.id), variant.id), down)
    if name == "value":
        return _Order(lambda view, variant: view.value(variant), down)
    if name == "state":
        return _Order(lambda view, variant: STATES.index(variant.state), down)
    if name in PLAIN:
        return _Order(lambda view, variant: getattr(variant, name), down)
    if dot and kind == "params":
        return _Order(lambda view, variant: variant.params.get(key), down)
    if dot and kind == "metrics":
        return _Order(
            lambda view, variant: variant.metrics[key].last if key in variant.metrics else None,
            down,
        )
    raise UsageError(
        f"Rows cannot be sorted by {name[:80]!r}; sort by id, {', '.join(PLAIN)}, params.NAME or metrics.NAME."
    )


def _missing(key: Any) -> bool:
    return key is None or (isinstance(key, float) and math.isnan(key))


def _ranked(key: Any) -> tuple[int, Any]:
    """Numbers, then texts, then anything else by what it looks like, so that any two compare."""
    if isinstance(key, (int, float)):
        return 0, key
    return (1, key) if isinstance(key, (str, tuple)) else (2, repr(key))
