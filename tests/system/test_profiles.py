"""Whole scans with `--on PROFILE`: here, on a real Slurm, and from a cell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.slurm import Cluster
from tests.profile_files import one

from .helpers import one_sentence, space
from .lab import Lab
from .notebooks import Executed
from .slurm_lab import SlurmLab, slurm_lab

SHOW = """
import os
print(os.environ.get("LAB_DATA"), os.environ.get("FROM_SETUP"), os.environ.get("MINE"))
"""
MORE = """\
title: The lab
parallel: 2
setup: |
  LAB_ROOT=/opt/lab
  export FROM_SETUP="$LAB_ROOT/a b"
environment: {env: {LAB_DATA: /data/lab, MINE: site}}
"""
PRINTED = "/data/lab /opt/lab/a b user"


def declare(lab: Lab, text: str, name: str = "lab.yaml") -> Path:
    """Write a file with profiles into the user's folder, and return it."""
    lab.env["JUPYTER_CONFIG_DIR"] = str(lab.folder / "config")
    path = lab.folder / "config/gridgpu/profiles.d" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def printed(body: dict[str, object]) -> set[str]:
    """Return what the variants' notebooks printed."""
    variants = body["variants"]
    assert isinstance(variants, list)
    return {Executed.read(variant["notebook"]).text().strip() for variant in variants}


def test_a_scan_here_has_what_its_profile_says(lab: Lab) -> None:
    path = declare(lab, one(more=MORE))
    notebook = lab.notebook(SHOW, parameters="x = 0")
    words = (*space(x=[1, 2]), "--env", "MINE=user")
    scan = lab.run(notebook, *words, "--on", "lab")
    body = scan.summary()
    assert (body["profile"], printed(body)) == ("lab", {PRINTED})
    said = scan.gridgpu("show").stdout
    assert said.startswith("Profile lab: --on local --parallel 2 --env LAB_DATA=/data/lab")
    # The same content under another name finds the scan again.
    path.write_text(one("other", more=MORE))
    again = lab.gridgpu("run", str(notebook), *words, "--on", "other", "--no-wait")
    assert again.stdout.startswith(f"Same request as before, done: {scan.name}")
    # What the profile stood for is the scan's own now.
    path.unlink()
    replay = lab.scan_of(scan.gridgpu("replay", "--json"))
    assert printed(replay.summary()) == {PRINTED}


def test_a_profile_that_others_may_write_runs_nothing(lab: Lab) -> None:
    path = declare(lab, one(more=f"setup: [touch {lab.mark}]"))
    path.chmod(0o666)
    notebook = lab.notebook(SHOW, parameters="x = 0")
    ran = lab.gridgpu("run", str(notebook), *space(x=[1]), "--on", "lab", code=2)
    assert f"{path} may be written by others" in one_sentence(ran.stderr)
    assert lab.marks() == []


@pytest.fixture
def cluster_lab(tmp_path: Path, slurm: Cluster) -> Iterator[SlurmLab]:
    """Yield a lab on the cluster that all tests share."""
    with slurm_lab(tmp_path, slurm) as made:
        yield made


def test_a_scan_on_slurm_has_what_its_profile_says(cluster_lab: SlurmLab) -> None:
    lab = cluster_lab
    lab.wrap("sbatch")
    place = "queue: gpu\ngpus: 1\ngpu_model: V100\nwalltime: 5min\n"
    declare(lab, one("cluster", "slurm", MORE + place))
    notebook = lab.notebook(SHOW, parameters="x = 0")
    words = (*space(x=[1, 2]), "--env", "MINE=user", "--walltime", "6min")
    body = lab.run(notebook, *words, "--on", "cluster").summary()
    assert (body["profile"], printed(body)) == ("cluster", {PRINTED})
    [sent] = lab.sent()
    assert "--partition=gpu" in sent
    assert "v100" in sent.lower()
