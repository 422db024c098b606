"""The folder of a scan that runs is moved elsewhere."""

from __future__ import annotations

from tests.kit import eventually

from .lab import Lab, ScanOfLab
from .notebooks import LONG


def test_a_moved_scan_ends_and_goes_on_where_it_is_now(lab: Lab) -> None:
    """What had ended stays; what ran runs again as the same attempt; nothing fails."""
    scan = lab.training(4, "--parallel", "2", steps=LONG)
    scan.wait_for("v0001", loss=1)
    new = scan.folder.with_name("elsewhere")
    scan.folder.rename(new)
    eventually(lambda: not scan.processes(), what="runner and workers end")
    assert "was moved" in (new / "runner.log").read_text()
    moved = ScanOfLab(lab, str(new), new)
    assert "failed" not in moved.states()
    assert "lost" not in moved.states()
    lab.hurry()
    lab.gridgpu("resume", str(new))
    body = moved.wait()
    assert [variant["state"] for variant in body["variants"]] == ["done"] * 4
    assert [variant["attempts"] for variant in body["variants"]] == [1] * 4
    assert [variant["metrics"]["loss"] for variant in body["variants"]] == [
        LONG * number for number in range(1, 5)
    ]
    assert not scan.folder.exists()
