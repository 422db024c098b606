"""Processes of real scans are killed and stopped at seeded instants, for more than a minute."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.campaign import Campaign

CAMPAIGN_S = 75.0


# The last scans end after the campaign, on a busy machine some minutes later.
@pytest.mark.timeout(600)
def test_nothing_is_lost_whatever_is_killed(tmp_path: Path) -> None:
    """`python -m tests.chaos --seed 1` runs the same for longer, and keeps the scans."""
    found = Campaign(tmp_path, seed=1).run(CAMPAIGN_S)
    print(found.text())
    assert not found.faults, found.text()
    assert found.scans
    assert found.strikes
    assert found.forked, "most kernels are forked, and are killed as such"
