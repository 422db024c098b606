"""A scan whose space has conditions, constraints, rows and derived values, with real kernels."""

from __future__ import annotations

from typing import Any

from .helpers import one_sentence, options
from .lab import Lab

PARAMETERS = (
    "optimizer = 'adam'\nmomentum = 0.0\nunits = 64\nlayers = 2\nfactor = 1\nper_step = 1\nseed = 0"
)
CELL = "acc = units * 1000 + layers * 100 + per_step * 10 + momentum + seed * 0.01"
SPACE = """
optimizer = ["adam", "sgd"]
if optimizer == "sgd":
    momentum = [0.5]
units, layers = together([(1, 4), (2, 3), (9, 9)])
assert units * layers <= 6
assert momentum < 0.1 or units == 2
factor = 4
per_step = factor // units + 1
seed = repeats(2)
"""


def acc(params: dict[str, Any]) -> float:
    """What the notebook computes: a parameter that is not active has the notebook's own value."""
    known = {"momentum": 0.0, **params}
    return float(eval(CELL.removeprefix("acc = "), known))


def test_jobs_get_what_is_active_and_everybody_says_so(shared_lab: Lab) -> None:
    notebook = shared_lab.notebook(CELL, parameters=PARAMETERS)
    (shared_lab.folder / "space.py").write_text(SPACE)
    asked = ["--space", "space.py", *options("--maximize acc --name conditions --parallel 2")]
    scan = shared_lab.run(notebook, *asked)
    told = scan.summary()
    points = [variant["params"] for variant in told["variants"]]
    assert points == [
        {**point, "factor": 4, "per_step": per_step, "seed": seed}
        for point, per_step in [
            ({"optimizer": "adam", "units": 1, "layers": 4}, 5),
            ({"optimizer": "adam", "units": 2, "layers": 3}, 3),
            ({"optimizer": "sgd", "momentum": 0.5, "units": 2, "layers": 3}, 3),
        ]
        for seed in (0, 1)
    ]
    for variant in told["variants"]:
        assert variant["metrics"]["acc"] == acc(variant["params"])
    (row,) = [line for line in scan.gridgpu("show").stdout.splitlines() if line.startswith("v0001")]
    assert row.split()[3:6] == ["adam", "–", "1"]
    # The same space finds the scan again.
    assert shared_lab.run(notebook, *asked).folder == scan.folder
    # What follows from a new value is computed again.
    words = ("replay", "--json", "--only", "v0001", "--set", "factor=9")
    (again,) = scan.lab.scan_of(scan.gridgpu(*words)).summary()["variants"]
    assert again["params"] == {**points[0], "factor": 9, "per_step": 10}
    refused = scan.gridgpu("replay", "--set", "per_step=3", code=2)
    assert "per_step: it follows from others" in one_sentence(refused.stderr)
