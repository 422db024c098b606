"""Plots of scans whose names and values are made to be taken for code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.records.compare import compare
from jupyter_gridgpu.records.record import load_record
from jupyter_gridgpu.widgets.comparison import Compared
from jupyter_gridgpu.widgets.plot import chart, plot_text
from tests.hostile_scans import NAMES, SCRIPT, write

# Keys by which a specification computes something or reads something from elsewhere.
POWERS = {"expr", "signal", "url", "href", "test", "update", "calculate", "filter", "transform"}


def powers(spec: Any) -> Iterator[str]:
    """Yield what a specification could do, wherever it stands outside of the data."""
    if isinstance(spec, dict):
        yield from (key for key in spec if key in POWERS)
        for key, item in spec.items():
            if key not in ("datasets", "values"):
                yield from powers(item)
    elif isinstance(spec, list):
        for item in spec:
            yield from powers(item)


def tables(spec: Any) -> Iterator[list[dict[str, Any]]]:
    """Yield the data of a specification."""
    yield from spec.get("datasets", {}).values()
    if "values" in spec.get("data", {}):
        yield spec["data"]["values"]


def fields(spec: Any) -> Iterator[str]:
    if isinstance(spec, dict):
        yield from (item for key, item in spec.items() if key == "field")
        for item in spec.values():
            yield from fields(item)
    elif isinstance(spec, list):
        for item in spec:
            yield from fields(item)


def check(made: Any, known: set[str]) -> None:
    """Fail if a chart does more than show its data, or if its page would run something."""
    spec = made.to_dict()
    assert list(powers(spec)) == []
    plotted = list(tables(spec))
    assert plotted
    assert set(fields(spec)) <= known
    for rows in plotted:
        assert all(not isinstance(value, (dict, list)) for row in rows for value in row.values())
    text = json.dumps(spec, ensure_ascii=False)
    assert "<" not in text
    assert "\u202e" not in text
    assert len(text) < 100_000
    # Each backslash would end the name in an expression of Vega-Lite.
    assert "\\\\" not in text
    assert '\\"' not in text
    # Where the library that draws comes from is not ours to say; what it draws is.
    assert SCRIPT not in made.to_html()


def test_names_and_values_of_a_scan_are_data_and_never_code(tmp_path: Path) -> None:
    handle = ScanHandle(write(tmp_path, "hostile"))
    handle.refresh()
    check(chart(handle), {"id", "state", "y", *(f"x{i}" for i in range(len(NAMES)))})


def test_a_comparison_of_hostile_scans_is_data_and_never_code(tmp_path: Path) -> None:
    first, second = (load_record(write(tmp_path, name)) for name in ("first", "second"))
    shown = Compared(compare(first, second))
    check(shown.plot(), {"variant", "a", "b", "relative", "verdict"})
    assert not re.search(r"<(?!/?(div|p|b|table|thead|tbody|tr|th|td|pre)>)", shown.html())
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b\ud800-\udfff]", shown.html())


@given(st.text())
def test_no_text_of_a_plot_holds_what_a_page_could_take_for_code(text: str) -> None:
    shown = plot_text(text)
    assert not set(shown) & set('\\"<')
    assert shown.isprintable()
    assert len(shown) <= 60
