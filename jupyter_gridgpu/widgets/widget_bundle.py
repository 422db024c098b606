"""The data with which a page draws a widget."""

from __future__ import annotations

from typing import Any

import anywidget


def widget_bundle(widget: anywidget.AnyWidget) -> dict[str, Any]:
    """Return the MIME bundle of a widget as a new dict, which is empty without widget support."""
    made = widget._repr_mimebundle_()
    # Some versions of anywidget return data and metadata, others the data alone, or None.
    if isinstance(made, tuple):
        return dict(made[0])
    return dict(made or {})
