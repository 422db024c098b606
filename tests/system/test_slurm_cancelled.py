"""Jobs that somebody cancels in Slurm by hand are cancelled: not sent again, and not lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.slurm import Cluster
from tests.kit import eventually

from .slurm_lab import SlurmLab, slurm_lab, task_of, text_of

BY = "you or an administrator"


@pytest.fixture
def lab(tmp_path: Path, slurm: Cluster) -> Iterator[SlurmLab]:
    """Yield a lab on the cluster that all tests share."""
    with slurm_lab(tmp_path, slurm) as made:
        yield made


def test_what_is_cancelled_by_hand_is_cancelled_however_that_is_done(lab: SlurmLab) -> None:
    """One that runs, some that wait, and then all of the user; one has just been sent."""
    scan = lab.held(5, "--parallel", "2", "--retries", "1")
    scan.wait_for("v0001", loss=1)
    scan.wait_for("v0002", loss=1)
    array = task_of(scan, "v0001.1").split("_")[0]
    lab.cluster.run("scancel", f"{array}_[3,5]")
    eventually(lambda: scan.states()[2] == scan.states()[4] == "cancelled", within_s=60)
    lab.cluster.run("scancel", f"{array}_1")
    eventually(lambda: scan.states()[0] == "cancelled", within_s=60)
    scan.wait_for("v0004", loss=1)
    lab.cluster.run("scancel", "--user", "root")
    body = scan.wait()
    ends = [(seen["state"], seen["reason"], seen["attempts"]) for seen in body["variants"]]
    assert ends == [("cancelled", "user", 1)] * 5
    unstarted = f"Cancelled in Slurm before it started by {BY}."
    said = [seen["message"] for seen in body["variants"]]
    assert [said[2], said[4]] == [unstarted] * 2
    assert [said[0], said[1], said[3]] == [f"Cancelled in Slurm by {BY}."] * 3
    assert all("begun on" in text_of(body["variants"][number]) for number in (0, 1, 3))
