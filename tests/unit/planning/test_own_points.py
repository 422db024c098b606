"""A request with points of the user's own: which sampler goes on, and what the scan keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.scan import fingerprint
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.dry_run import plan_json, plan_text
from jupyter_gridgpu.planning.request import Plan, plan
from jupyter_gridgpu.rehearsal import rehearsal_plan
from jupyter_gridgpu.testing.examples import notebook_json

RANGE = "lr = uniform(0, 1)\nunits = [64, 128]"
GRID = "lr = [0.1, 0.2, 0.3]\nunits = [64, 128]"
TABLE = "units,lr\n64,0.1\n128,0.2\n"


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    (tmp_path / "train.ipynb").write_text(notebook_json("lr = 0.5\nunits = 8\nseed = 0", "lr"))
    (tmp_path / "points.csv").write_text(TABLE)
    return tmp_path / "train.ipynb"


def planned(notebook: Path, space: str, **options: Any) -> Plan:
    given = {"points": str(notebook.with_name("points.csv")), **options}
    return plan(notebook, space, Options(**given), ask=False)


@pytest.mark.parametrize(
    ("space", "options", "sampler", "points", "variants"),
    [
        (GRID, {}, "grid", 6, 6),
        (GRID, {"trials": 6}, "grid", 6, 6),
        (GRID, {"trials": 4, "maximize": "acc"}, "tpe", 4, 4),
        (GRID + "\nseed = repeats(3)", {}, "grid", 6, 18),
        (RANGE, {"trials": 5, "minimize": "loss"}, "tpe", 5, 5),
        (RANGE, {"trials": 5, "sampler": "sobol"}, "sobol", 5, 5),
        # Nothing is left to a sampler, and none needs an objective.
        (RANGE, {"trials": 2}, "random", 2, 2),
        (RANGE, {"trials": 2, "minimize": "loss"}, "tpe", 2, 2),
    ],
)
def test_own_points_count_among_those_of_the_scan(
    notebook: Path, space: str, options: dict[str, Any], sampler: str, points: int, variants: int
) -> None:
    made = planned(notebook, space, **options)
    scan = made.scan
    assert (scan.sampler, scan.points(), scan.total()) == (sampler, points, variants)
    assert (scan.own_points, scan.recorded) == (2, 0)
    lines = [json.loads(line) for line in made.points.splitlines()]
    assert len(lines) == 2 * scan.space.repeat_count
    assert list(lines[0]["params"].items())[:2] == [("lr", 0.1), ("units", 64)]
    assert f"2 of them your own, then sampler {sampler}" in plan_text(scan, ())
    assert plan_json(scan)["own_points"] == 2


@pytest.mark.parametrize(
    ("space", "options", "words"),
    [
        (RANGE, {}, r"--points .*points.csv says .*: give --trials N, which counts its 2"),
        (RANGE, {"trials": 1, "sampler": "random"}, r"--trials 1 is fewer than the 2 points of"),
        (GRID, {"trials": 1, "maximize": "acc"}, r"--trials 1 is fewer than the 2 points of"),
        (GRID, {"points": "nowhere.csv"}, r"--points nowhere.csv cannot be read: No such file"),
        ("lr = [1, 2]", {}, r"points.csv, line 2: 'units' is no parameter of the space"),
        ("lr = 1", {}, r"no parameter varies"),
        ("lr = integer(0, 200)\nseed = repeats(1000)", {"points": "many.csv"}, "101,000 variants"),
    ],
)
def test_what_cannot_be_tried_is_refused(
    notebook: Path,
    monkeypatch: pytest.MonkeyPatch,
    space: str,
    options: dict[str, Any],
    words: str,
) -> None:
    monkeypatch.chdir(notebook.parent)
    many = "lr\n" + "".join(f"{number}\n" for number in range(101))
    Path("many.csv").write_text(many)
    with pytest.raises(UsageError, match=words):
        planned(notebook, space, **options)


def test_a_scan_of_other_points_is_another_scan(notebook: Path) -> None:
    """How the file is written does not count, and neither does its name."""
    first = fingerprint(planned(notebook, GRID).scan)
    again = notebook.with_name("again.json")
    again.write_text('[{"lr": 0.1, "units": 64.0}, {"units": 128, "lr": 2e-1}]')
    assert fingerprint(planned(notebook, GRID, points=str(again)).scan) == first
    seen = {first, fingerprint(planned(notebook, GRID, points=None).scan)}
    for text in ("units,lr\n128,0.2\n64,0.1\n", "units,lr\n64,0.1\n", TABLE + "64,0.3\n"):
        notebook.with_name("points.csv").write_text(text)
        seen.add(fingerprint(planned(notebook, GRID).scan))
    assert len(seen) == 5


def test_a_rehearsal_runs_the_first_of_own_points(notebook: Path) -> None:
    notebook.with_name("points.csv").write_text("units,lr\n128,0.3\n")
    made = rehearsal_plan(planned(notebook, GRID), False, 60)
    assert made.scan.space.fixed == {"lr": 0.3, "units": 128}
    assert (made.scan.own_points, made.scan.total(), made.points) == (0, 1, "")
