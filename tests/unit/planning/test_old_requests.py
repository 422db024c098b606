"""A request of today finds the scan that an earlier version started for it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import loguniform, repeats
from jupyter_gridgpu.client import started_before
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.request import plan
from tests.old_scans import CACHED, ENDED, FORMAT2, UNFINISHED, bring

NAMES = {"rates": [0.1, 0.9], "low": 1e-3}


@pytest.mark.parametrize(
    ("name", "space", "options"),
    [
        (
            ENDED,
            "lr = [0.1, 0.9]\nseed = repeats(2)\njets = 'jets.txt'",
            {"maximize": "max(acc)", "retries": 1, "parallel": 2, "name": "ended"},
        ),
        (
            ENDED,
            "lr = rates   # a variable of the notebook\nseed = repeats(2)\njets = 'jets' + '.txt'",
            {"maximize": "max(acc)", "retries": 1, "parallel": 2},
        ),
        (
            ENDED,
            {"lr": [0.1, 0.9], "seed": repeats(2), "jets": "jets.txt"},
            {"maximize": "max(acc)", "retries": 1, "parallel": 2},
        ),
        # A condition that reads no parameter leaves no trace.
        (
            ENDED,
            "assert len(rates) == 2\nlr = rates\nseed = repeats(2)\nif low:\n  jets = 'jets.txt'",
            {"maximize": "max(acc)", "retries": 1, "parallel": 2},
        ),
        (
            CACHED,
            "lr = loguniform(low, 1e-1)",
            {
                "sampler": "random",
                "seed": 5,
                "trials": 2,
                "minimize": "loss",
                "channel": "end",
                "parallel": 1,
            },
        ),
        (
            CACHED,
            {"lr": loguniform(1e-3, 0.1)},
            {
                "sampler": "random",
                "seed": 5,
                "trials": 2,
                "minimize": "loss",
                "channel": "end",
                "parallel": 1,
            },
        ),
        (
            UNFINISHED,
            "lr = [n / 10 for n in (1, 2, 3, 4)]",
            {"maximize": "acc", "retries": 1, "parallel": 1},
        ),
    ],
)
def test_a_cell_of_today_finds_the_scan_that_it_started(
    scans_home: Path, tmp_path: Path, name: str, space: Any, options: dict[str, Any]
) -> None:
    folder = bring(name, scans_home)
    shutil.copy(FORMAT2 / name / "notebook.ipynb", tmp_path / "train.ipynb")
    shutil.copy(FORMAT2 / name / "files" / "jets.txt", tmp_path)
    asked = Options(files=("jets.txt",), **options)
    names = NAMES if isinstance(space, str) else None
    found = started_before(plan(tmp_path / "train.ipynb", space, asked, names))
    assert found is not None
    assert found.folder == folder
    # One line more asks for another scan.
    if isinstance(space, str):
        other = plan(tmp_path / "train.ipynb", f"{space}\nassert lr > 0", asked, names)
        assert started_before(other) is None
