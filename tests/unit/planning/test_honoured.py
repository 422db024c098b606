"""No option is dropped in silence: each backend uses it, or refuses it in one sentence."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import backends
from jupyter_gridgpu.backends.local import devices
from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.model.queue import GpuKind, Queue
from jupyter_gridgpu.model.resources import Resources
from jupyter_gridgpu.planning import backend_choice, honoured
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.notebook import read_notebook
from jupyter_gridgpu.planning.request import Plan, plan
from jupyter_gridgpu.queues import discovery
from jupyter_gridgpu.queues.discovery import KnownQueues
from jupyter_gridgpu.rehearsal import rehearsal_plan
from jupyter_gridgpu.testing.examples import notebook_json
from tests.unit.records.kit import write_scan

GPU = {"gpus": 1}
# option -> a value, what is needed beside it, and the backends that use it. The others refuse it.
USED: dict[str, tuple[Any, dict[str, Any], str]] = {
    "parallel": (2, {}, "local slurm htcondor"),
    "gpus": (1, {}, "local slurm htcondor panda"),
    "gpu_model": ("A100", GPU, "local slurm htcondor panda"),
    "vram": ("30GB", GPU, "local htcondor panda"),
    "cuda": ("12.0", GPU, "local htcondor panda"),
    "cpus": (1, {}, "local slurm htcondor panda"),
    "memory": ("1GB", {}, "local slurm htcondor panda"),
    "walltime": ("1h", {}, "local slurm htcondor panda"),
    "grace": ("1min", {}, "local slurm htcondor panda"),
    "disk": ("1GB", {}, "slurm htcondor"),
    "per_gpu": (2, GPU, "local slurm htcondor panda"),
    "per_job": (2, {}, "slurm htcondor panda"),
    "queue": ("gpu", {}, "slurm panda"),
    "account": ("phys", {}, "slurm htcondor panda"),
    "qos": ("high", {}, "slurm"),
    "constraint": ("ib", {}, "slurm htcondor"),
    "no_shared_disk": (True, {}, "htcondor panda"),
    "exclude_site": (("CERN",), {}, "panda"),
    "inputs": (("user.me.jets",), {}, "panda"),
    "out": ("user.me.out", {}, "panda"),
    "attempts": (2, {}, "panda"),
    "engine_option": (("--reservation=x",), {}, "slurm"),
    "shared": (("/eos",), {"no_shared_disk": True}, "htcondor"),
}
# Options of `Options` that no batch system is told, or that other tests are about.
ELSEWHERE = {
    "maximize",
    "minimize",
    "trials",
    "points",
    "warm_start",
    "sampler",
    "seed",
    "on",
    "no_prefork",
}
ELSEWHERE |= {"retries", "max_failures", "image", "runtime", "bind", "channel", "files", "kernel"}
ELSEWHERE |= {"name", "new", "env", "secret", "expose_secrets", "setup", "python"}
BACKENDS = ("local", "slurm", "htcondor", "panda")
A100 = GpuKind("nvidia", "A100", 40960, "12.4")


@pytest.fixture(autouse=True)
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this machine have an A100, as NVML would show it, and the session a secret."""
    monkeypatch.setenv("KEY", "x")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    monkeypatch.setattr(devices, "single_gpus", lambda: [A100])
    for module in ("htcondor2", "pandaclient"):
        pytest.importorskip(module)


def planned(folder: Path, **options: Any) -> Plan:
    path = folder / "train.ipynb"
    path.write_text(notebook_json("lr = 0.1"))
    if "warm_start" in options:
        # A sampler that learns needs these, too.
        options |= {"trials": 2, "maximize": "acc"}
        digest = read_notebook(path).digest
        write_scan("old", {1: {"acc": [1.0]}}, notebook_digest=digest)
    if "points" in options:
        options["points"] = str(folder / options["points"])
        Path(options["points"]).write_text("lr\n0.2\n")
    return plan(path, "lr = [0.1, 0.2]", Options(**options), ask=False)


def test_every_option_is_in_the_table() -> None:
    assert {declared.name for declared in fields(Options)} == set(USED) | ELSEWHERE


@pytest.mark.parametrize("on", BACKENDS)
@pytest.mark.parametrize("name", USED)
def test_an_option_is_used_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on: str, name: str
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, *_, **__: f"/usr/bin/{name}")
    value, beside, used = USED[name]
    asked = {**beside, name: value, "on": on}
    if on in used.split():
        assert planned(tmp_path, **asked).scan.backend == on
        return
    with pytest.raises(GridGpuError) as refused:
        planned(tmp_path, **asked)
    word = honoured.word_of(name)
    assert word in str(refused.value)


IMAGE = {"image": "docker://example/ml:1"}
# Options that mean something beside another one alone: the option, its values, what they need.
NEEDS: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "gpu_model": (("A100",), GPU),
    "vram": (("30GB",), GPU),
    "cuda": (("12.0",), GPU),
    "runtime": (("apptainer", "podman"), IMAGE),
    "bind": ((("/tmp",),), IMAGE),
    "shared": ((("/eos",),), {"no_shared_disk": True}),
    "expose_secrets": ((True,), {"secret": ("KEY",)}),
    "warm_start": ((("old",),), {"sampler": "tpe"}),
}
# The others mean something alone: each with a value that is not its default.
ALONE: dict[str, Any] = {name: value for name, (value, _, _) in USED.items() if name not in NEEDS}
ALONE |= {"maximize": "acc", "minimize": "loss", "trials": 9, "sampler": "grid", "on": "slurm"}
ALONE |= {"no_prefork": True, "retries": 1, "max_failures": 2, "channel": "end", "name": "mine"}
ALONE |= {"image": "docker://example/ml:1", "files": ("train.ipynb",), "kernel": "python3"}
ALONE |= {"new": True, "seed": 3, "env": ("A=1",), "secret": ("KEY",), "python": "python3"}
ALONE |= {"setup": ("module load cuda",), "points": "points.csv"}
# The backends that are asked for an option which this machine refuses, or has no place for.
FOR_ALONE = {"queue": "slurm", "account": "slurm", "qos": "slurm", "constraint": "slurm"}
FOR_ALONE |= {"disk": "slurm", "per_job": "slurm", "no_shared_disk": "htcondor", "image": "slurm"}
FOR_ALONE |= {"engine_option": "slurm"}
FOR_ALONE |= dict.fromkeys(("exclude_site", "inputs", "out", "attempts"), "panda")


def test_every_option_means_something_alone_or_names_what_it_needs() -> None:
    declared = {field.name for field in fields(Options)}
    assert declared == set(NEEDS) | set(ALONE)


@pytest.mark.parametrize("name", NEEDS)
def test_an_option_without_what_it_needs_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, *_, **__: f"/usr/bin/{name}")
    values, beside = NEEDS[name]
    [needed] = (honoured.word_of(word) for word in beside)
    on = "htcondor"  # which takes GPUs and images
    for value in values:
        with pytest.raises(GridGpuError) as refused:
            planned(tmp_path, on=on, **{name: value})
        assert honoured.word_of(name) in str(refused.value)
        assert needed in str(refused.value)
        if (name, value) != ("runtime", "podman"):
            assert planned(tmp_path, on=on, **{**beside, name: value}).scan.warnings == ()


@pytest.mark.parametrize("name", ALONE)
def test_an_option_that_needs_nothing_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, *_, **__: f"/usr/bin/{name}")
    asked = {"on": FOR_ALONE.get(name, "local"), name: ALONE[name]}
    if name == "image":
        asked["runtime"] = "apptainer"
    warnings = planned(tmp_path, **asked).scan.warnings
    # What these two say of themselves is tested elsewhere.
    assert [word for word in warnings if name not in ("seed", "setup")] == []


def test_without_an_image_no_runtime_is_what_happens(tmp_path: Path) -> None:
    assert planned(tmp_path, runtime="none").scan.container.runtime == "none"
    with pytest.raises(GridGpuError, match="--bind: with --runtime none"):
        planned(tmp_path, runtime="none", bind=("/tmp",), **IMAGE)


def test_what_counts_for_less_than_was_asked_is_said(tmp_path: Path) -> None:
    asked: dict[str, Any]
    for asked, words in (
        ({"seed": 3}, "--seed changes nothing"),
        ({"grace": "2h", "walltime": "1h"}, "--grace is at most half of --walltime"),
    ):
        [warning] = planned(tmp_path, **asked).scan.warnings
        assert words in warning
    for asked in (
        {"seed": 3, "sampler": "random", "trials": 2},
        {"grace": "30min", "walltime": "1h"},
        {"grace": "2h"},
    ):
        assert planned(tmp_path, **asked).scan.warnings == ()


def test_parallel_is_how_many_points_a_sampler_that_learns_proposes_at_once(
    tmp_path: Path,
) -> None:
    learns = {"sampler": "tpe", "trials": 2, "minimize": "loss"}
    assert planned(tmp_path, on="panda", parallel=2, **learns).scan.parallel == 2


@pytest.mark.parametrize("on", [*BACKENDS, "auto"])
@pytest.mark.parametrize(("name", "value"), [("gpu_model", "A100"), ("vram", 1), ("cuda", "12.0")])
def test_what_a_gpu_must_be_needs_a_gpu(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on: str, name: str, value: Any
) -> None:
    monkeypatch.setattr("shutil.which", lambda name, *_, **__: f"/usr/bin/{name}")
    if (on, name) == ("slurm", "gpu_model"):  # which asks Slurm for one such GPU
        assert planned(tmp_path, on=on, gpu_model=value).scan.resources.gpu_model == value
        return
    with pytest.raises(GridGpuError, match="needs --gpus"):
        planned(tmp_path, on=on, **{name: value})


@pytest.mark.parametrize(
    ("asked", "clause"),
    [
        ({"gpu_model": "H100"}, "has A100, H100 asked"),
        ({"vram": "80GB"}, "80 GB asked"),
        ({"cuda": "13.0"}, "CUDA 12.4, 13.0 asked"),
        ({"gpu_model": "A100", "vram": "80GB"}, "80 GB asked"),
    ],
)
def test_a_gpu_that_this_machine_lacks_is_refused(
    tmp_path: Path, asked: dict[str, Any], clause: str
) -> None:
    with pytest.raises(GridGpuError, match=clause):
        planned(tmp_path, gpus=1, **asked)


def test_jobs_get_only_gpus_of_the_kind_they_want(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = [GpuKind("nvidia", "T4", 15360, "12.4"), A100, GpuKind()]
    monkeypatch.setattr(devices, "single_gpus", lambda: list(kinds))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    assert devices.fitting_gpus(Resources(gpus=1, gpu_model="a100")) == ["1"]
    assert devices.fitting_gpus(Resources(gpus=1)) == ["0", "1", "2", "3"]
    with pytest.raises(GridGpuError, match="1 GPUs that fit, 2 asked"):
        devices.check_gpu_kinds(Resources(gpus=2, vram_mb=30000))


def test_auto_takes_the_queue_whose_backend_honours_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is meant for one backend keeps `auto` from the others, and refuses nothing."""
    found = [Queue("here", "local"), Queue("pool", "htcondor"), Queue("part", "slurm", queue="p")]
    monkeypatch.setattr(discovery, "find_queues", lambda *_: KnownQueues(tuple(found)))
    base = planned(tmp_path).scan
    for placement, wanted in (
        ({"queue": "here"}, ["local"]),
        ({"queue": "pool"}, ["htcondor"]),
        ({"qos": "high"}, ["slurm"]),
        ({"account": "phys"}, ["htcondor", "slurm"]),
        ({"shared": False}, ["htcondor"]),
    ):
        asked = replace(base, backend="auto", placement=replace(base.placement, **placement))
        candidates = backend_choice._honouring(backend_choice._in_fitting_queues(asked))
        names = [scan.backend for scan in candidates]
        known = {name: backends.capabilities(name) for name in names}
        refused = [honoured.refusal(scan, known[scan.backend]) for scan in candidates]
        assert not any(refused), placement
        # HTCondor itself refuses --qos, and `auto` goes on to the next candidate then.
        assert set(wanted) <= set(names), placement
        assert "local" in wanted or "local" not in names, placement


def test_a_rehearsal_here_does_not_ask_for_the_gpus_of_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = planned(tmp_path, gpus=1, gpu_model="A100", vram="30GB", cuda="12.0", cpus=1)
    scan = replace(made.scan, resources=replace(made.scan.resources, gpu_model="H100", cpus=999))
    there = rehearsal_plan(replace(made, scan=scan), False, 600).scan.resources
    assert (there.gpus, there.gpu_model, there.vram_mb, there.cuda) == (1, None, None, None)
    assert 0 < (there.cpus or 0) < 999
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    there = rehearsal_plan(made, False, 600).scan.resources
    assert (there.gpus, there.gpu_model, there.vram_mb, there.cuda) == (0, None, None, None)


def test_a_scan_of_the_time_when_options_were_dropped_can_be_replayed() -> None:
    old = Options(disk="1GB", queue="gpu", vram="40GB", cpus=1)
    kept = honoured.without_ignored(old, backends.capabilities("local"))
    assert kept == Options(cpus=1)
    contained = Options(runtime="podman", bind=("/data",))
    assert honoured.without_ignored(contained, backends.capabilities("local")) == Options()
    there = replace(contained, image="docker://a", runtime="none")
    assert honoured.without_ignored(there, backends.capabilities("local")).bind == ()
