"""Time limits on a real Slurm whose backfill scheduler shortens jobs wherever it may."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.slurm import Cluster
from tests.kit import eventually

from .helpers import options, space
from .lab import ScanOfLab
from .slurm_lab import SlurmLab, slurm_lab, task_of, text_of

LASTS = "import time\nprint('begun', flush=True)\ntime.sleep(lasts)"
ON_SLURM = ("--on", "slurm", "--gpus", "0", "--cpus", "1")


@pytest.fixture
def lab(tmp_path: Path, slurm: Cluster) -> Iterator[SlurmLab]:
    """Yield a lab on the cluster that all tests share."""
    with slurm_lab(tmp_path, slurm) as made:
        yield made


def load(cluster: Cluster) -> None:
    """Keep the nodes busy for an hour, with a job in front of the queue that waits for all of it.

    So only the backfill scheduler starts what comes after it.
    """
    words = ("sbatch", "--parsable", "--output=/dev/null", "--time=60", "--mem=1000")
    for node in ("node1", "node2"):
        cluster.run(*words, f"--nodelist={node}", "--cpus-per-task=4", "--wrap", "sleep 3600")
    eventually(lambda: list(cluster.jobs().values()).count("RUNNING") == 2)
    cluster.run(*words, "--nodes=2", "--exclusive", "--wrap", "true")


def test_short_walltimes_are_those_of_the_worker_under_backfill(lab: SlurmLab) -> None:
    """In the partition `short`, Slurm tells of its limit as soon as a job starts."""
    load(lab.cluster)
    lab.cluster.update("PartitionName=short", "MaxTime=1")
    notebook = lab.notebook(LASTS, parameters="lasts = 0")

    def start(lasts: int, words: str) -> ScanOfLab:
        name = f"--name w{len(scans)}"
        return lab.start(notebook, *space(lasts=[lasts]), *ON_SLURM, *options(f"{words} {name}"))

    scans: list[ScanOfLab] = []
    try:
        scans.append(start(3, "--walltime 1min --queue short"))
        scans.append(start(3000, "--walltime 1min --queue short"))
        scans.append(start(3, "--walltime 1min"))
        scans.append(start(34, "--walltime 2min"))
        scans.append(start(3000, "--walltime 20s"))
        tight, cut, *quick, late = [scan.wait()["variants"][0] for scan in scans]
    finally:
        lab.cluster.update("PartitionName=short", "MaxTime=10")
    limits = [
        limit_of(lab.cluster.run("scontrol", "show", "job", "-o", task_of(scan, "v0001.1")))
        for scan in scans
    ]
    assert limits == [1, 1, 4, 5, 4]
    assert [seen["state"] for seen in (tight, *quick)] == ["done"] * 3, (tight, *quick)
    for seen, message in (
        (cut, "Reached the time limit of the queue in cell"),
        (late, "Reached the limit of 20 s in cell"),
    ):
        assert (seen["state"], seen["reason"]) == ("failed", "timeout"), seen
        assert seen["message"].startswith(message)
        assert "begun" in text_of(seen)


def limit_of(said: str) -> int:
    """Return the minutes that Slurm gave to a job, which its backfill scheduler has started."""
    assert "Scheduler=Backfill" in said, said
    limit = re.search(r"TimeLimit=00:(\d\d):00", said)
    assert limit, said
    return int(limit[1])
