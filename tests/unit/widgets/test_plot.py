"""Plots of scans."""

from __future__ import annotations

from typing import Any

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.widgets.plot import chart
from tests.unit.records.kit import write_scan


def test_a_panel_has_the_variants_at_whose_points_its_parameter_is_active() -> None:
    space = 'opt = ["adam", "sgd"]\nif opt == "sgd":\n    momentum = [0.8, 0.9, None]'
    params: dict[int, dict[str, Any]] = {
        1: {"opt": "adam"},
        2: {"opt": "sgd", "momentum": 0.9},
        3: {"opt": "sgd", "momentum": None},
    }
    jobs = {number: {"acc": [number / 10]} for number in params}
    made = write_scan("panels", jobs, params=params, space=space)
    spec = chart(ScanHandle(made.paths.folder)).to_dict()
    shown = {}
    for panel in spec["hconcat"]:
        rows = spec["datasets"][panel["data"]["name"]]
        encoding = panel["encoding"]["x"]
        shown[encoding["title"]] = [row[encoding["field"]] for row in rows]
    assert shown == {"opt": ["adam", "sgd", "sgd"], "momentum": [0.9, "None"]}
