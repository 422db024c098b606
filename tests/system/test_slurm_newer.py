"""A Slurm some years newer does the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.slurm import Cluster
from tests.kit import eventually

from .helpers import one_sentence, options, space
from .slurm_lab import ON, SlurmLab, slurm_lab, text_of


@pytest.fixture
def lab(tmp_path: Path, new_slurm_cluster: Cluster) -> Iterator[SlurmLab]:
    """Yield a lab on the newer cluster."""
    with slurm_lab(tmp_path, new_slurm_cluster) as made:
        yield made


def test_jobs_run_wait_are_stopped_and_refused_on_a_newer_slurm(lab: SlurmLab) -> None:
    assert "24." in lab.cluster.run("sinfo", "--version")
    scan = lab.held(4, *options("--parallel 2 --gpu-model a100 --walltime 5min"))
    for variant in ("v0001", "v0002"):
        scan.wait_for(variant, loss=1)
    eventually(lambda: "as many of the scan's jobs" in str(scan.variant("v0003").get("message")))
    scan.gridgpu("stop", variant="v0001")
    scan.gridgpu("stop", variant="v0003")
    eventually(lambda: scan.states()[0] == scan.states()[2] == "cancelled")
    lab.open()
    body = scan.wait()
    states = [variant["state"] for variant in body["variants"]]
    assert states == ["cancelled", "done", "cancelled", "done"]
    assert text_of(body["variants"][3]).startswith("begun on node1")
    other = lab.notebook(parameters="x = 0", name="other")
    words = [*space(x=1), *ON, "--queue", "nosuch"]
    ran = lab.gridgpu("run", str(other), *words, code=3)
    assert "Invalid partition name" in one_sentence(ran.stderr)
