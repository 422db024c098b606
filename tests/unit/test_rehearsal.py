"""What is rehearsed of a scan, and what is made of what was seen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.model.scan import fingerprint
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import Plan, plan
from jupyter_gridgpu.rehearsal import RehearsalReport, first_point, rehearsal_plan, report_text
from jupyter_gridgpu.testing.examples import notebook_json


def planned(tmp_path: Path, space: str, **options: Any) -> Plan:
    path = tmp_path / "train.ipynb"
    path.write_text(notebook_json("lr = 0.1\nunits = 64\nseed = 0\nlayers = [1]"))
    return plan(path, space, Options(**options))


@pytest.mark.parametrize("sampler", ["grid", "random", "sobol", "tpe", "cmaes"])
def test_the_first_variant_of_the_scan_is_rehearsed(sampler: str, tmp_path: Path) -> None:
    from jupyter_gridgpu import samplers

    trials = {} if sampler == "grid" else {"trials": 8, "maximize": "acc"}
    ranges = "lr = [0.1, 0.2]" if sampler == "grid" else "lr = loguniform(1e-3, 1e-1)"
    space = f"{ranges}\nunits = 32\nlayers = fixed([256, 128])\nseed = repeats(3)"
    made = planned(tmp_path, space, sampler=sampler, seed=3, **trials)
    [first] = samplers.load(sampler, made.scan.space, made.scan.objectives).propose([], 1, 3, 0)
    found = first_point(made)
    assert found.fixed == {**first.params, "units": 32, "layers": [256, 128], "seed": 0}
    assert list(found) == list(made.scan.space)
    assert rehearsal_plan(made, False, 600).scan.total() == 1


def test_a_rehearsal_is_a_request_of_its_own_with_what_the_scan_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    made = planned(
        tmp_path,
        "lr = 0.1",
        gpus=2,
        walltime="2h",
        memory="4GB",
        name="x" * 64,
        retries=3,
    )
    made = replace(made, scan=replace(made.scan, per_job=4))  # as on a batch system
    scan = rehearsal_plan(made, False, 600).scan
    assert scan.resources == Resources(2, 4096, 600)
    assert (scan.name, scan.retries, scan.per_job, scan.parallel) == (
        "x" * 54 + "-rehearsal",
        0,
        1,
        1,
    )
    assert fingerprint(scan) != fingerprint(made.scan)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert rehearsal_plan(made, False, 600).scan.resources.gpus == 0, (
        "better without a GPU than not at all"
    )
    assert rehearsal_plan(planned(tmp_path, "lr = 0.1"), False, 600).scan.resources.memory_mb, (
        "so that memory is measured"
    )


def shown(**more: Any) -> str:
    found = {
        "scan": "btag-rehearsal",
        "folder": "/x",
        "where": "slurm gpu",
        "params": {"lr": 0.1},
        "passed": True,
        "verdict": "It ran as far as was wanted.",
        "hint": None,
        "note": None,
        "started_s": 34.0,
        "first_epoch_s": 71.0,
        "epoch_s": 12.0,
        "peak_mb": 3072.0,
        "metrics": ["loss", "acc"],
        "objective": "acc",
        "objective_seen": True,
        "files": ["jets.npz"],
        "wrote": [],
        "variants": 64,
        "variant_s": 300.0,
        "at_most": False,
        "gpus": 1,
        "hours": 5.333,
        "epochs": 20,
        **more,
    }
    return report_text(RehearsalReport(**found))


def test_a_report_says_what_was_seen() -> None:
    assert shown().splitlines() == [
        "  started      after 34.0 s",
        "  first epoch  after 1 min 11 s, then 12.0 s each",
        "  memory       3.00 GB at most so far",
        "  metrics      loss, acc",
        "  objective    acc, seen",
        "  went along   jets.npz",
        "  whole scan   about 5.33 GPU-h: 64 variants, about 5 min 00 s each",
        "  passed       It ran as far as was wanted.",
    ]


def test_a_report_says_which_of_several_objectives_were_seen() -> None:
    both = ["acc", "size"]
    found = shown(objective="acc, size", objectives=both, objective_seen=False)
    assert "  objective    acc, seen; size, not seen\n" in found


def test_a_report_is_honest_about_what_it_does_not_know() -> None:
    assert "at most about 5.33 GPU-h: 64 variants, at most about 5 min 00 s each" in shown(
        at_most=True, epoch_s=None
    )
    assert "64 variants; how long one takes is not known" in shown(variant_s=None, hours=None)
    assert "5.33 h, one after another" in shown(gpus=0)
    failed = shown(
        passed=False,
        verdict="KeyError: 'x' in cell 2.",
        hint="See.",
        metrics=[],
        objective_seen=False,
    )
    assert "  metrics      none\n  objective    acc, not seen" in failed
    assert failed.endswith("  failed       KeyError: 'x' in cell 2. See.")
