"""What a replay would run, and what it refuses."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import client, images
from jupyter_gridgpu.errors import GridGpuError, NotebookError, StorageError, UsageError
from jupyter_gridgpu.model.resources import Container, Placement, Resources
from jupyter_gridgpu.model.scan import Origin
from jupyter_gridgpu.planning.notebook import read_notebook
from jupyter_gridgpu.planning.request import Plan
from jupyter_gridgpu.records.record import Record, load_record
from jupyter_gridgpu.records.replay import ReplayRequest, plan_replay
from jupyter_gridgpu.store import points
from jupyter_gridgpu.testing.examples import notebook_json

from .kit import write_scan

NOTEBOOK = notebook_json("lr = 0.1\nepochs = 20\nseed = 0\nwords = 'x'", "acc = 1 - lr")
JOBS: dict[int, Any] = {
    1: {"acc": [0.5]},
    2: "KeyError in cell 3.",
    3: {"acc": [0.9]},
    4: {"acc": [0.7]},
}
OLD = Path(__file__).parents[2] / "data/format1"


@pytest.fixture
def digest(tmp_path: Path) -> str:
    (tmp_path / "n.ipynb").write_text(NOTEBOOK)
    return read_notebook(tmp_path / "n.ipynb").digest


@pytest.fixture
def origin(digest: str) -> Record:
    """A scan in which a runner with another sampler had extended the points."""
    seeds = {number: {"lr": number / 10, "epochs": 20, "seed": (number - 1) % 2} for number in JOBS}
    return write_scan(
        "btag",
        JOBS,
        params=seeds,
        notebook=NOTEBOOK,
        notebook_digest=digest,
        sampler="tpe",
        trials=1,
        seed=7,
        space="lr = uniform(0, 1)\nepochs = 20\nseed = repeats(2)",
    )


def given(plan: Plan, folder: Path) -> dict[str, Any]:
    (folder / "points").write_text(plan.points, encoding="utf-8")
    return {point["variant"]: point["params"] for point in points.read(folder / "points")}


def test_a_replay_has_the_recorded_points_those_added_later_too(
    origin: Record, tmp_path: Path
) -> None:
    plan = plan_replay(origin)
    assert given(plan, tmp_path) == {variant.id: variant.params for variant in origin.variants}
    scan = plan.scan
    assert (scan.recorded, scan.total(), scan.name) == (4, 4, "btag-replay")
    assert scan.origin == Origin(
        "replay", "id-btag", "btag", fingerprint=scan.origin.fingerprint if scan.origin else ""
    )
    assert scan.space == origin.scan.space
    assert plan.notebook.content == origin.paths.notebook.read_bytes()


def test_the_same_replay_twice_is_one_request(origin: Record) -> None:
    from jupyter_gridgpu.model.scan import fingerprint

    requests = [
        ReplayRequest(),
        ReplayRequest(only="best 2"),
        ReplayRequest(changes=("epochs=50",)),
    ]
    found = {fingerprint(plan_replay(origin, request).scan) for request in [*requests, *requests]}
    assert len(found) == 3
    assert fingerprint(origin.scan) not in found


def test_some_of_the_variants(origin: Record, tmp_path: Path) -> None:
    plan = plan_replay(origin, ReplayRequest(only="best 1"))
    assert given(plan, tmp_path) == {"v0003": {"lr": 0.3, "epochs": 20, "seed": 0}}
    assert plan.scan.origin is not None
    assert (plan.scan.origin.kind, plan.scan.origin.only) == ("replay", "best 1")


def test_another_value_makes_it_a_variation(origin: Record, tmp_path: Path) -> None:
    plan = plan_replay(origin, ReplayRequest(changes=("epochs = 50", "words='größe = 1'")))
    assert plan.scan.origin is not None
    assert plan.scan.origin.kind == "variation"
    assert plan.scan.origin.changes == ("epochs = 50 (was 20)", "words = 'größe = 1' (was 'x')")
    assert given(plan, tmp_path)["v0001"] == {
        "lr": 0.1,
        "epochs": 50,
        "seed": 0,
        "words": "größe = 1",
    }
    assert plan.scan.space.fixed == {"epochs": 50, "words": "größe = 1"}
    same = plan_replay(origin, ReplayRequest(changes=("epochs=20",))).scan.origin
    assert same is not None
    assert same.kind == "replay"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("k = 5", "v0001 is no point of the space, since it does not meet `n \\* k < 4`"),
        ("k = 2", "v0001 is no point of the space, since conditions make other parameters active"),
        ("k = 0", r"`n \+ 6 // k`: a number is divided by zero"),
        ("k = -1", None),
    ],
)
def test_a_variation_keeps_to_conditions_and_constraints(
    scans_home: Path, tmp_path: Path, change: str, words: str | None
) -> None:
    notebook = notebook_json("k = 1\nn = 1\nd = 0\nlr = 0.1\nlast = 1", "acc = 1")
    (tmp_path / "c.ipynb").write_text(notebook)
    space = "k = 1\nn = [1]\nd = n + 6 // k\nassert n * k < 4\nif n * k == 2:\n    lr = [0.5]\n"
    params: dict[int, Any] = {1: {"k": 1, "n": 1, "d": 7, "last": 7}}
    made = write_scan(
        "c",
        {1: {"acc": [1.0]}},
        params=params,
        notebook=notebook,
        notebook_digest=read_notebook(tmp_path / "c.ipynb").digest,
        space=f"{space}last = 7",
    )
    request = ReplayRequest(changes=(change,))
    if words is not None:
        with pytest.raises(UsageError, match=words):
            plan_replay(made, request)
        return
    # What stands below the constraint is there, too.
    assert given(plan_replay(made, request), tmp_path)["v0001"] == {
        "k": -1, "n": 1, "d": -5, "last": 7,
    }  # fmt: skip


def test_where_it_runs_may_be_another_place_without_making_it_a_variation(digest: str) -> None:
    there: dict[str, Any] = {
        "resources": Resources(gpus=0, memory_mb=4000, walltime_s=60, cpus=2),
        "placement": Placement(queue="gpu", account="atlas"),
        "parallel": 3,
    }
    record = write_scan(
        "btag", JOBS, notebook=NOTEBOOK, notebook_digest=digest, backend="nowhere", **there
    )
    scan = plan_replay(record, ReplayRequest(options={"on": "local", "walltime": "2h"})).scan
    assert (scan.backend, scan.resources.walltime_s, scan.resources.memory_mb, scan.parallel) == (
        "local",
        7200,
        4000,
        3,
    )
    assert scan.placement == Placement()
    assert scan.origin is not None
    assert scan.origin.kind == "replay"
    with pytest.raises(GridGpuError, match="'nowhere' is not known"):
        plan_replay(record)


def test_another_image_makes_it_a_variation_and_the_same_one_keeps_its_digest(
    digest: str, tmp_path: Path
) -> None:
    (tmp_path / "a.sif").write_bytes(b"image")
    (tmp_path / "b.sif").write_bytes(b"image")
    image = Container(str(tmp_path / "a.sif"), "sha256:0123", "none", ())
    record = write_scan("btag", JOBS, notebook=NOTEBOOK, notebook_digest=digest, container=image)
    scan = plan_replay(record, ask=False).scan
    assert scan.container == image
    other = plan_replay(
        record, ReplayRequest(options={"image": str(tmp_path / "b.sif")}), ask=False
    ).scan
    assert other.container.digest != "sha256:0123"
    assert other.origin is not None
    assert other.origin.kind == "variation"
    assert "b.sif (was" in other.origin.changes[0]


def test_an_image_that_is_gone_is_said_before_anything_starts(digest: str) -> None:
    record = write_scan(
        "btag",
        JOBS,
        notebook=NOTEBOOK,
        notebook_digest=digest,
        container=Container("/nowhere/gone.sif"),
    )
    with pytest.raises(GridGpuError, match=r"/nowhere/gone\.sif"):
        plan_replay(record)


@pytest.mark.parametrize(
    ("replay_request", "words"),
    [
        (
            ReplayRequest(changes=("lr=0.5",)),
            "lr: it varies in btag; --only chooses among its variants",
        ),
        (ReplayRequest(changes=("seed=5",)), "it varies"),
        (ReplayRequest(changes=("epochs",)), "--set epochs: give one value"),
        (ReplayRequest(changes=("epochs=[1, 2]",)), "give one value"),
        (ReplayRequest(changes=("epochs=3", "epochs=4")), "--set epochs is given twice"),
        (ReplayRequest(changes=("epoch=3",)), "did you mean epochs"),
        (ReplayRequest(changes=("epochs='many'",)), "takes a number"),
        (ReplayRequest(only="v0077"), "has no variant"),
        (ReplayRequest(options={"name": "no/name"}), "cannot name a scan"),
        (ReplayRequest(options={"walltime": "soon"}), "length of time"),
    ],
)
def test_what_cannot_be_replayed_is_said_in_a_sentence(
    origin: Record, replay_request: ReplayRequest, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        plan_replay(origin, replay_request)


def test_a_tampered_notebook_is_no_replay(origin: Record) -> None:
    origin.paths.notebook.write_text(origin.paths.notebook.read_text() + " ")
    with pytest.raises(
        UsageError, match=r"notebook\.ipynb of btag was changed after it ran.*gridgpu verify btag"
    ):
        plan_replay(origin)
    # Without the digests of bytes, the digest of what the notebook does is left.
    origin.paths.provenance.unlink()
    assert plan_replay(origin).scan.recorded == 4
    origin.paths.notebook.write_text(notebook_json("lr = 0.1\nepochs = 20\nseed = 0", "acc = 7"))
    with pytest.raises(UsageError, match="was changed after it ran"):
        plan_replay(origin)


def test_a_folder_that_is_partly_missing(origin: Record) -> None:
    shutil.rmtree(origin.paths.jobs)
    origin.paths.manifest.unlink()
    assert plan_replay(load_record(origin.paths.folder)).scan.recorded == 4
    origin.paths.notebook.unlink()
    with pytest.raises(GridGpuError, match=r"notebook\.ipynb"):
        plan_replay(load_record(origin.paths.folder))
    origin.paths.journal.unlink()
    with pytest.raises(UsageError, match="btag has no variants"):
        plan_replay(load_record(origin.paths.folder))


def test_a_kernel_that_is_not_here_is_said_unless_an_image_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = NOTEBOOK.replace('"name": "python3"', '"name": "julia-9"')
    (tmp_path / "j.ipynb").write_text(text)
    known = read_notebook(tmp_path / "j.ipynb", kernel_here=False).digest
    record = write_scan("btag", JOBS, notebook=text, notebook_digest=known, kernel="julia-9")
    with pytest.raises(NotebookError, match="julia-9"):
        plan_replay(record)
    monkeypatch.setattr(
        images, "check_runs_here", lambda container: None
    )  # whether or not this machine has Apptainer
    for part in ("bin", "usr"):
        (tmp_path / "root" / part).mkdir(parents=True)
    record = write_scan(
        "btag",
        JOBS,
        notebook=text,
        notebook_digest=known,
        kernel="julia-9",
        container=Container(str(tmp_path / "root"), None, "apptainer"),
    )
    assert plan_replay(record, ask=False).scan.kernel == "julia-9"


def test_a_moved_scan_of_the_first_format_is_replayed(tmp_path: Path) -> None:
    shutil.copytree(OLD, tmp_path / "moved here")
    plan = plan_replay(load_record(tmp_path / "moved here"), ReplayRequest(only="failed"))
    assert plan.scan.recorded == 2
    assert list(plan.files) == ["jets.txt"]


def test_the_folder_of_a_replay_holds_its_points_and_the_git_of_its_origin(
    origin: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = json.loads(origin.paths.provenance.read_text())
    origin.paths.provenance.write_text(json.dumps({**body, "git": {"commit": "abc"}}))
    plan = plan_replay(origin, ReplayRequest(command="gridgpu replay btag"))
    handle = client.create(replace(plan, new=True))
    kept = json.loads(handle.paths.provenance.read_text())
    assert (kept["git"], kept["command"]) == ({"commit": "abc"}, "gridgpu replay btag")
    assert "points.jsonl" in kept["inputs"]
    assert handle.view.total() == 4
    with pytest.raises(UsageError, match="the points it was given"):
        handle.extend(3)


def test_points_that_were_tampered_with_start_nothing(origin: Record) -> None:
    from jupyter_gridgpu.runner import policy

    handle = client.create(plan_replay(origin))
    handle.paths.points.write_text('{"variant": "../../x"}\n')
    with pytest.raises(StorageError, match="not sound"):
        policy.missing_points(handle.view, handle.paths.points)
