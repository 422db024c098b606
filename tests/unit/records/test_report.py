"""What the HTML report says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_gridgpu.records.export import export
from tests.unit.records.kit import write_scan


def test_the_report_tells_a_parameter_that_is_not_active_from_none(tmp_path: Path) -> None:
    space = 'opt = ["adam", "sgd"]\nif opt == "sgd":\n    momentum = [0.8, 0.9]\ndecay = [None, 1]'
    params: dict[int, dict[str, Any]] = {
        1: {"opt": "adam", "decay": None},
        2: {"opt": "sgd", "momentum": 0.9, "decay": 0.1},
    }
    jobs = {1: {"acc": [0.9]}, 2: {"acc": [0.8]}}
    made = write_scan("active", jobs, params=params, space=space)
    page = export(made, "html", tmp_path / "a.html").read_text(encoding="utf-8")
    assert '<td class="n">adam</td><td class="n">–</td><td class="n">None</td>' in page
    assert '<td class="n">sgd</td><td class="n">0.9000</td><td class="n">0.1000</td>' in page
    assert "<bdi>momentum</bdi> = <bdi>–</bdi>, <bdi>decay</bdi> = <bdi>None</bdi>" in page
