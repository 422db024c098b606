"""A comparison as a notebook shows it."""

from __future__ import annotations

import math

import pytest

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.records.compare import compare
from jupyter_gridgpu.widgets.comparison import ROW_LIMIT, Compared

from .kit import write_scan

EVIL = "<img src=x onerror=alert(1)>"


def test_the_table_escapes_what_jobs_said_and_the_plot_has_a_panel_a_metric() -> None:
    a = write_scan("a", {1: {"acc": [0.5], EVIL: [1.0]}, 2: {"acc": [math.inf]}})
    b = write_scan(
        "b", {1: {"acc": [0.7], EVIL: [1.0]}, 2: {"acc": [math.nan]}}, about={"cpu": EVIL}
    )
    shown = Compared(compare(a, b))
    assert repr(shown) == "<b against a: differs; 2 differs>"
    assert "<img" not in shown.html()
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown.html()
    body = shown.plot().to_dict()
    assert len(body["hconcat"]) == 2
    frame = shown.to_frame()
    assert frame["verdict"].to_list() == ["differs", "reproduced", "differs"]
    assert frame["lr"].to_list() == [0.1, 0.1, 0.2]


def test_many_rows_are_cut_and_nothing_to_plot_is_said() -> None:
    jobs = {number: {"acc": [0.5]} for number in range(1, ROW_LIMIT + 10)}
    shown = Compared(compare(write_scan("a", jobs), write_scan("b", jobs)))
    assert "9 more rows" in shown.html()
    assert shown.html().count("<tr>") == ROW_LIMIT + 1
    with pytest.raises(UsageError, match="no values to plot"):
        Compared(compare(write_scan("c", {}), write_scan("d", {}))).plot()
