"""The rows of a scan page by page, filtered and sorted.

A scan may have 100,000 variants. So the view is filtered and sorted, and only the rows of the page
are made into JSON.
"""

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

# Besides these, rows can be sorted by id, params.NAME and metrics.NAME.
SORTABLE = ("state", "value", "started", "ended", "step")

SortKey = Callable[[ScanView, VariantView], Any]


class RowQuery(NamedTuple):
    """Which rows of a scan a page asks for.

    `sort` is a name as in docs/openapi.json, with `-` before it for the reverse order. Rows must
    have one of `states`, if any are given, and every word of `text`. Of the rows that fit, `limit`
    are returned from number `offset` on.
    """

    sort: str = "id"
    states: tuple[str, ...] = ()
    text: str = ""
    offset: int = 0
    limit: int = 100


@dataclass(frozen=True)
class SortOrder:
    """An order of variants. Variants whose key is missing or NaN come last in either direction."""

    key: SortKey
    reverse: bool

    def sorted(self, view: ScanView, variants: list[VariantView]) -> list[VariantView]:
        """Return the variants in this order."""
        keys = {variant.id: self.key(view, variant) for variant in variants}
        with_key = [variant for variant in variants if not _is_missing(keys[variant.id])]
        without = [variant for variant in variants if _is_missing(keys[variant.id])]
        with_key.sort(key=lambda variant: _comparable(keys[variant.id]), reverse=self.reverse)
        return with_key + without


def row_page(handle: ScanHandle, query: RowQuery) -> bytes:
    """Return the rows that a query asks for, as JSON of the type `RowPage`.

    Raises UsageError for an order or a state that does not exist.
    """
    order = _sort_order(query.sort)
    unknown = [state for state in query.states if state not in STATES]
    if unknown:
        raise UsageError(f"{unknown[0]!r} is no state; there are {', '.join(STATES)}.")
    with handle.lock:
        view = handle.view
        fitting = [variant for variant in view.variants.values() if _fits(variant, query)]
        ordered = order.sorted(view, fitting)
        chosen = ordered[query.offset : query.offset + query.limit]
        rows = b",".join(dumps(wire.row(view, variant)) for variant in chosen)
        return b'{"total":%d,"rev":%d,"rows":[%s]}' % (len(ordered), view.rev, rows)


def _fits(variant: VariantView, query: RowQuery) -> bool:
    """Return whether a variant has one of the states and all words of the query."""
    if query.states and variant.state not in query.states:
        return False
    if not query.text:
        return True
    texts = [variant.id, variant.state, variant.reason, variant.message, variant.where, variant.gpu]
    texts += [f"{name}={value}" for name, value in variant.params.items()]
    row_text = " ".join(text for text in texts if text).lower()
    return all(word in row_text for word in query.text.lower().split())


def _sort_order(sort: str) -> SortOrder:
    """Return the order that a text such as `-params.lr` names. Raises UsageError."""
    name = sort.removeprefix("-")
    reverse = sort.startswith("-")
    kind, dot, rest = name.partition(".")
    if dot and kind == "params":
        return SortOrder(lambda view, variant: variant.params.get(rest), reverse)
    if dot and kind == "metrics":
        return SortOrder(lambda view, variant: _last_value(variant, rest), reverse)
    if name == "id":
        # By length first, since v10000 comes after v9999.
        return SortOrder(lambda view, variant: (len(variant.id), variant.id), reverse)
    if name == "value":
        return SortOrder(lambda view, variant: view.value(variant), reverse)
    if name == "state":
        # In the order of a job's life rather than of the alphabet.
        return SortOrder(lambda view, variant: STATES.index(variant.state), reverse)
    if name in SORTABLE:
        return SortOrder(lambda view, variant: getattr(variant, name), reverse)
    raise UsageError(
        f"Rows cannot be sorted by {name[:80]!r};"
        f" sort by id, {', '.join(SORTABLE)}, params.NAME or metrics.NAME."
    )


def _last_value(variant: VariantView, metric: str) -> Any:
    series = variant.metrics.get(metric)
    if series is None:
        return None
    return series.last


def _is_missing(key: Any) -> bool:
    return key is None or (isinstance(key, float) and math.isnan(key))


def _comparable(key: Any) -> tuple[int, Any]:
    """Return a key that compares with any other: numbers, then texts, then the rest by its repr.

    A parameter may be a number in one variant and a text or a list in another.
    """
    if isinstance(key, (int, float)):
        return 0, key
    if isinstance(key, (str, tuple)):
        return 1, key
    return 2, repr(key)
