"""The HTML report of a scan whose texts are made to run code or to mislead its reader."""

from __future__ import annotations

import re
from pathlib import Path

from jupyter_gridgpu.records.export import html_report
from jupyter_gridgpu.records.record import load_record
from tests.hostile_scans import RIGHT_TO_LEFT, write

OURS = (
    "html|head|meta|title|style|body|h1|h2|p|b|br|bdi|div|table|thead|tbody|tr|th|td|pre|svg|text"
    "|polyline"
)
MISLEADING = (
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def test_a_hostile_scan_is_text_in_its_report(tmp_path: Path) -> None:
    record = load_record(write(tmp_path, "hostile"))
    target = tmp_path / "report.html"
    html_report.write(record, target, curves=True)
    page = target.read_text(encoding="utf-8")
    assert re.findall(rf"<(?!/?(?:{OURS}|!doctype)\b)", page) == []
    assert not re.search(MISLEADING, page)
    assert len(page) < 1_000_000
    # In a sentence, a name from right to left stands for itself.
    assert f"<bdi>{RIGHT_TO_LEFT}</bdi> = " in page
    # No half of a character reference is left where a long text was cut.
    assert re.findall(r"&(?!(?:lt|gt|amp|quot|#x27);)", page) == []
