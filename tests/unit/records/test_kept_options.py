"""A replay and an import honour every option of a scan; a new option cannot be forgotten."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.errors import GridGpuError, NotebookError, SpaceError
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.planning.declaration import NOT_FOR_A_REPLAY, NOT_FOR_AN_IMPORT, Options
from jupyter_gridgpu.planning.notebook import read_notebook
from jupyter_gridgpu.planning.option_values import backend_fields, container_of
from jupyter_gridgpu.planning.recorded_options import recorded_options
from jupyter_gridgpu.records import importing, replay
from jupyter_gridgpu.records.importing import plan_import
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.records.replay import ReplayRequest, plan_replay
from jupyter_gridgpu.testing.examples import notebook_json

from .kit import write_scan

# A value for each option that says how and where jobs run: none of them is the default.
VALUES: dict[str, Any] = {
    "on": "panda",
    "parallel": 3,
    "per_gpu": 2,
    "per_job": 4,
    "no_prefork": True,
    "gpus": 2,
    "gpu_model": "A100",
    "vram": 40960,
    "cuda": "12.0",
    "cpus": 5,
    "retries": 6,
    "max_failures": 7,
    "walltime": 3600,
    "grace": 60,
    "memory": 4096,
    "disk": 10240,
    "image": "docker://example/ml:1",
    "runtime": "apptainer",
    "bind": ("/data",),
    "queue": "CERN",
    "exclude_site": ("DESY",),
    "inputs": ("user.me.jets",),
    "out": "user.me.out",
    "attempts": 2,
    "account": "phys",
    "qos": "high",
    "constraint": "ib",
    "no_shared_disk": True,
    "channel": "push",
    "kernel": "python3",
    "engine_option": ("--reservation=x",),
    "shared": ("/eos",),
    "env": ("A=1", "B=x y"),
    "secret": ("KEY",),
    "expose_secrets": True,
    "setup": ("module load cuda",),
    "python": "python3.11",
}
# An image has a Python of its own.
TOGETHER = {name: value for name, value in VALUES.items() if name != "python"}
# These do not say how jobs run: they name the scan, or say whether there is to be another one.
OF_THE_REQUEST = {"name", "new"}
OF_THE_SEARCH = {
    "maximize",
    "minimize",
    "trials",
    "points",
    "warm_start",
    "sampler",
    "seed",
    "files",
}
SOURCE = notebook_json("lr = 0.1\nseed = 0", "acc = 1 - lr")


@pytest.fixture(autouse=True)
def anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take scans as a backend would that honours every option, and ask no registry for images."""

    def accepted(scan: ScanSpec, ask: bool = True, files: object = None) -> ScanSpec:
        return scan

    for module in (replay, importing):
        monkeypatch.setattr(module, "accepted_by_backend", accepted)
    monkeypatch.setattr("jupyter_gridgpu.backends.names", list)


@pytest.fixture
def digest(tmp_path: Path) -> str:
    (tmp_path / "n.ipynb").write_text(SOURCE)
    return read_notebook(tmp_path / "n.ipynb").digest


def recorded(digest: str, options: Options) -> Record:
    container = container_of(options, exact=False)
    return write_scan(notebook=SOURCE, notebook_digest=digest, **backend_fields(options, container))


def test_every_option_is_in_the_table() -> None:
    declared = {field.name for field in fields(Options)}
    assert declared == set(VALUES) | OF_THE_REQUEST | OF_THE_SEARCH
    assert set(NOT_FOR_A_REPLAY) == OF_THE_SEARCH
    assert set(NOT_FOR_AN_IMPORT) - {"new"} <= OF_THE_SEARCH
    default = Options()
    assert not [
        name
        for name, value in VALUES.items()
        if value == getattr(default, name) and name != "kernel"
    ]


@pytest.mark.parametrize("name", VALUES)
def test_a_replay_keeps_each_option(digest: str, name: str) -> None:
    """Each is changed alone, and each of the others is its default: none stands for another."""
    needed = {"image": VALUES["image"]} if name in ("runtime", "bind") else {}
    needed |= {"no_shared_disk": True} if name == "shared" else {}
    needed |= {"secret": ("KEY",)} if name == "expose_secrets" else {}
    needed |= {"gpus": 1} if name in ("gpu_model", "vram", "cuda") else {}
    only_panda = name in ("exclude_site", "inputs", "out", "attempts", "on")
    options = replace(
        Options(on="panda" if only_panda else "nowhere"), **{**needed, name: VALUES[name]}
    )
    origin = recorded(digest, options)
    made = plan_replay(origin, ask=False).scan
    for part in ("backend", "parallel", "per_gpu", "per_job", "prefork", "retries"):
        assert getattr(made, part) == getattr(origin.scan, part), part
    for part in (
        "max_failures",
        "resources",
        "container",
        "placement",
        "environment",
        "metrics",
        "kernel",
    ):
        assert getattr(made, part) == getattr(origin.scan, part), part


def test_a_replay_keeps_all_options_at_once(digest: str) -> None:
    origin = recorded(digest, Options(**TOGETHER))
    kept = recorded_options(origin.scan)
    assert kept == Options(**TOGETHER)
    made = plan_replay(origin, ask=False).scan
    assert recorded_options(made) == kept


@pytest.mark.parametrize(
    ("given", "field", "value"),
    [
        ({"no_prefork": False}, "prefork", True),
        ({"channel": "auto"}, "metrics", "auto"),
        ({"per_job": 1}, "per_job", 1),
    ],
)
def test_an_option_that_is_given_wins(
    digest: str, given: dict[str, Any], field: str, value: Any
) -> None:
    origin = recorded(digest, Options(**TOGETHER))
    made = plan_replay(origin, ReplayRequest(options=given), ask=False).scan
    assert getattr(made, field) == value


def test_a_replay_in_an_image_runs_the_python_of_the_image(digest: str) -> None:
    origin = recorded(digest, Options(on="nowhere", python="python3.11", setup=("true",)))
    request = ReplayRequest(options={"image": VALUES["image"]})
    made = plan_replay(origin, request, ask=False).scan
    assert (made.environment.python, made.environment.setup) == (None, ("true",))


def table(folder: Path, source: str = SOURCE) -> Path:
    (folder / "train.ipynb").write_text(source)
    (folder / "points.csv").write_text("lr,seed\n0.1,1\n0.2,1\n")
    return folder / "points.csv"


def test_an_import_takes_each_option(tmp_path: Path) -> None:
    options = Options(**TOGETHER, maximize="max(acc)", files=("points.csv",), name="mine")
    plan, _ = plan_import(table(tmp_path), tmp_path / "train.ipynb", options, ask=False)
    container = container_of(options, exact=False)
    for part, value in backend_fields(options, container).items():
        assert getattr(plan.scan, part) == value, part
    assert plan.scan.objectives == (Objective("acc", "maximize", "max"),)
    assert (plan.scan.kernel, plan.scan.files, plan.scan.name) == (
        "python3",
        ("points.csv",),
        "mine",
    )


NO_EFFECT = notebook_json("lr = 0.1\nseed = 0", "lr = 7\nacc = 1 - lr")
NO_KERNEL = SOURCE.replace('"name": "python3"', '"name": "gone-9"')


@pytest.mark.parametrize(
    ("source", "words"), [(NO_EFFECT, "sets lr again"), (NO_KERNEL, "gone-9.*not installed here")]
)
def test_what_cannot_run_is_refused_in_a_table_and_said_of_what_ran(
    tmp_path: Path, source: str, words: str
) -> None:
    from .test_importing import executed

    with pytest.raises(GridGpuError, match=words):
        plan_import(table(tmp_path, source), tmp_path / "train.ipynb", ask=False)
    ran = tmp_path / "ran" / "1.ipynb"
    cell = "lr = 7\nacc = 1 - lr" if source is NO_EFFECT else "acc = 1 - lr"
    executed(ran, {"lr": 0.2, "seed": 1}, source=cell)
    if source is NO_KERNEL:
        ran.write_text(ran.read_text().replace('"name": "python3"', '"name": "gone-9"'))
    plan, _ = plan_import(ran.parent, ask=False)
    [warning] = plan.scan.warnings
    assert words.split(".*")[-1] in warning
    # An image brings its own kernels, and another kernel may be named.
    if source is NO_KERNEL:
        for options in (
            Options(image=VALUES["image"], runtime="apptainer"),
            Options(kernel="python3"),
        ):
            assert plan_import(ran.parent, None, options, ask=False)[0].scan.warnings == ()
            there = tmp_path / "train.ipynb"
            assert plan_import(table(tmp_path, source), there, options, ask=False)


def test_a_replay_says_what_has_no_effect_and_refuses_a_new_value_without_one(
    tmp_path: Path,
) -> None:
    source = notebook_json("lr = 0.1\nseed = 0", "lr = 7\nacc = 1 - lr\nseed = 2")
    (tmp_path / "n.ipynb").write_text(source)
    digest = read_notebook(tmp_path / "n.ipynb").digest
    origin = write_scan(notebook=source, notebook_digest=digest)
    [warning] = plan_replay(origin, ask=False).scan.warnings
    assert "sets lr again" in warning
    with pytest.raises(SpaceError, match="sets seed again"):
        plan_replay(origin, ReplayRequest(changes=("seed = 1",)), ask=False)
    with pytest.raises(NotebookError, match="gone-9"):
        plan_replay(origin, ReplayRequest(options={"kernel": "gone-9"}), ask=False)
