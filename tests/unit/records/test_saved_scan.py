"""A scan that was started becomes a file which asks for it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.resources import Placement
from jupyter_gridgpu.model.scan import Origin, ScanSpec, fingerprint
from jupyter_gridgpu.planning import request, scan_file
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.records.saved_scan import save_scan
from jupyter_gridgpu.testing.examples import notebook_json

from .test_kept_options import VALUES

SPACE = "lr = [0.1, 0.2]\nif lr > 0.1:\n    seed = 3\nassert lr < 1"
NO_POINTS = Path("none.jsonl")
# The search, and what else a user may say.
MORE: list[dict[str, Any]] = [
    {},
    {"maximize": ("max(acc)", "loss"), "minimize": ("time",), "trials": 9, "seed": 4},
    {"sampler": "random", "trials": 3, "seed": 7, "name": "mine", "max_failures": "none"},
    {"files": ("data.csv", "lib"), "walltime": "90", "memory": "1.5GB", "minimize": ("loss",)},
]


@pytest.fixture(autouse=True)
def anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work beside a notebook, and take scans as a backend would that honours every option."""

    def accepted(scan: ScanSpec, ask: bool = True, files: object = None) -> ScanSpec:
        return scan

    monkeypatch.setattr(request, "accepted_by_backend", accepted)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEY", "x")
    (tmp_path / "train.ipynb").write_text(notebook_json("lr = 0.1\nseed = 0", "acc = 1 - lr"))
    (tmp_path / "data.csv").touch()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/a.py").touch()


def planned(**options: Any) -> ScanSpec:
    return request.plan("train.ipynb", SPACE, Options(**options), ask=False).scan


@pytest.mark.parametrize("options", [*MORE, *({name: VALUES[name]} for name in VALUES)])
def test_the_file_of_a_scan_asks_for_the_same_scan(options: dict[str, Any]) -> None:
    if {"exclude_site", "inputs", "out", "attempts"} & set(options):
        options = {"on": "panda", **options}
    if {"runtime", "bind"} & set(options):
        options = {"on": "slurm", "image": VALUES["image"], **options}
    needed: dict[str, dict[str, Any]] = {
        "shared": {"no_shared_disk": True},
        "expose_secrets": {"secret": ("KEY",)},
    }
    for name, more in needed.items():
        options = {**more, **options} if name in options else options
    scan = planned(**options)
    assert save_scan(scan, NO_POINTS, "scan.yaml") == ["Saved: scan.yaml"]
    again = scan_file.read("scan.yaml").plan({}, ask=False).scan
    assert fingerprint(again) == fingerprint(scan)
    assert again.name == scan.name
    # What is the default is not written.
    given = {name for name in options if name not in ("kernel",)} | {"trials", "sampler"}
    assert set(scan_file.read("scan.yaml").options) <= given


def test_a_scan_whose_queue_was_chosen_asks_for_the_choice_again() -> None:
    asked = planned(on="auto", gpus=1)
    scan = replace(
        asked,
        backend="slurm",
        asked=asked.placement,
        placement=Placement(queue="gpu"),
        resources=replace(asked.resources, gpu_model="A100"),
        choice="It runs in gpu.",
    )
    save_scan(scan, NO_POINTS, "scan.yaml")
    assert scan_file.read("scan.yaml").options == {"on": "auto", "gpus": 1}


def test_what_a_file_cannot_tell_is_said(tmp_path: Path) -> None:
    scan = planned(files=("data.csv",))
    (tmp_path / "elsewhere").mkdir()
    first, notebook, files = save_scan(scan, NO_POINTS, "elsewhere/scan.yaml")
    assert first == "Saved: elsewhere/scan.yaml"
    assert notebook.startswith("elsewhere/train.ipynb is not there: put it beside the file")
    assert files.startswith("data.csv: not beside elsewhere/scan.yaml")
    (tmp_path / "train.ipynb").write_text(notebook_json("lr = 0.1\nseed = 0", "acc = lr"))
    _, changed = save_scan(scan, NO_POINTS, "scan.yaml")
    assert changed == "train.ipynb has changed since train was started."
    replay = replace(scan, recorded=2, origin=Origin("replay", "1", "btag"), name="btag-replay")
    with pytest.raises(UsageError, match=r"btag-replay runs points of another scan.*: save btag"):
        save_scan(replay, NO_POINTS, "replay.yaml")
    with pytest.raises(UsageError, match="describes another scan"):
        save_scan(replace(scan, retries=3), NO_POINTS, "scan.yaml")


def test_points_of_the_users_own_get_a_file(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("lr,opt,cut\n0.2,a,1.5\n0.35,NaN,nan\n0.4,a,inf\n")
    body = """lr = uniform(0.1, 0.5)
opt = ['a', 'NaN']
cut = [1.5, float('nan'), float('inf')]
twice = lr * 2
seed = repeats(2)"""
    parameters = "lr = 0.1\nopt = 'a'\ncut = 1.0\nseed = 0\ntwice = 0.1"
    (tmp_path / "train.ipynb").write_text(notebook_json(parameters, "acc = 1 - lr"))
    options = Options(points="own.csv", trials=4, sampler="random")
    plan = request.plan("train.ipynb", body, options, ask=False)
    (tmp_path / "points.jsonl").write_text(plan.points)
    (tmp_path / "there").mkdir()
    (tmp_path / "there/train.ipynb").write_bytes((tmp_path / "train.ipynb").read_bytes())
    for _ in range(2):
        save_scan(plan.scan, tmp_path / "points.jsonl", "there/scan.yaml")
    assert "points: scan-points.json" in (tmp_path / "there/scan.yaml").read_text()
    again = scan_file.read("there/scan.yaml").plan({}, ask=False)
    assert fingerprint(again.scan) == fingerprint(plan.scan)
    assert again.points == plan.points
    (tmp_path / "there/scan-points.json").write_text("[]")
    with pytest.raises(UsageError, match="has other points; say --overwrite"):
        save_scan(plan.scan, tmp_path / "points.jsonl", "there/scan.yaml")
    save_scan(plan.scan, tmp_path / "points.jsonl", "there/scan.yaml", overwrite=True)
    assert scan_file.read("there/scan.yaml").plan({}, ask=False).points == plan.points
