from __future__ import annotations

import gzip
import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.backends.panda import sandbox, task_options
from jupyter_gridgpu.backends.panda.backend import PandaBackend
from jupyter_gridgpu.backends.panda.task_map import Submitter, task_map, task_name
from jupyter_gridgpu.errors import BackendError
from jupyter_gridgpu.model.resources import Container, Placement, Resources
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan
from tests.engines.panda import recorded

SITE = Submitter("labuser", "wlcg", "http://127.0.0.1:25080", "2.2.0")


def recorded_map(name: str = "e_library_submission") -> dict[str, Any]:
    """The map of a task that ran to its end."""
    found = (line for line in recorded.lines(name) if line.get("path") == "/api/v1/task/submit")
    return next(dict(line["request"]["task_parameters"]) for line in found)


def gpu_scan(**changes: Any) -> ScanSpec:
    box = Container("docker://registry.example/atlasml:1")
    resources = Resources(gpus=1, memory_mb=2000)
    return small_scan(**{"backend": "panda", "container": box, "resources": resources, **changes})


def mapped(scan: ScanSpec, jobs: int = 4) -> dict[str, Any]:
    return task_map(scan, "b0001", jobs, SITE, "jobO.x.tar.gz")


def test_the_map_has_what_one_has_that_ran_to_its_end() -> None:
    ours, theirs = mapped(gpu_scan(placement=Placement(queue="LAB_GPU"))), recorded_map()
    assert set(theirs) <= set(ours)
    for name in set(theirs) - {
        "taskName",
        "log",
        "jobParameters",
        "cliParams",
        "multiStepExec",
        "architecture",
    }:
        assert ours[name] == theirs[name], name
    assert ours["multiStepExec"]["preprocess"] == theirs["multiStepExec"]["preprocess"]
    kinds = [(one["type"], one.get("param_type")) for one in theirs["jobParameters"]]
    assert [(one["type"], one.get("param_type")) for one in ours["jobParameters"]] == kinds
    assert ours["architecture"] == "#&nvidia"


def test_wishes_become_parameters() -> None:
    placement = Placement(
        queue="A,B", exclude=("C",), output="user.labuser.mine", attempts=5, account="perf-ftag"
    )
    resources = Resources(
        gpus=1,
        gpu_model="A100",
        vram_mb=40960,
        cuda="12.0",
        cpus=4,
        memory_mb=9000,
        walltime_s=5400,
    )
    ours = mapped(gpu_scan(placement=placement, resources=resources, per_job=2), jobs=7)
    assert (ours["site"], ours["includedSite"], ours["excludedSite"]) == (None, ["A", "B"], ["C"])
    assert ours["architecture"] == "#&nvidia:model=.*A100.*:vram>=40960:cuda>=12.0"
    assert (ours["coreCount"], ours["ramCount"], ours["ramCountUnit"]) == (4, 2250, "MBPerCore")
    assert (ours["maxWalltime"], ours["maxAttempt"], ours["workingGroup"]) == (3, 5, "perf-ftag")
    assert (ours["nEvents"], ours["nEventsPerJob"]) == (7, 1)
    assert ours["taskName"] == "user.labuser.small.20260101-000000-abcdef.b0001/"
    assert ours["log"]["dataset"] == "user.labuser.mine.log/"
    output = next(one for one in ours["jobParameters"] if one.get("param_type") == "output")
    assert output["dataset"] == "user.labuser.mine_gridgpu.tgz/"


def test_jobs_side_by_side_ask_for_as_much_more() -> None:
    resources = Resources(gpus=1, cpus=4, memory_mb=9000)
    ours = mapped(gpu_scan(resources=resources, per_gpu=2))
    assert (ours["coreCount"], ours["ramCount"]) == (8, 2250)
    ours = mapped(gpu_scan(resources=replace(resources, cpus=None), per_gpu=2))
    assert ("coreCount" in ours, ours["ramCount"]) == (False, 18_000)


def test_every_job_gets_all_of_every_dataset() -> None:
    ours = mapped(gpu_scan(placement=Placement(inputs=("user.me:jets.v3", "user.me:extra"))))
    given = [one for one in ours["jobParameters"] if one.get("param_type") == "input"]
    assert [one["dataset"] for one in given] == ["user.me:jets.v3", "user.me:extra"]
    assert all(one["attributes"] == "nosplit,repeat" for one in given)
    text = " ".join(one["value"] for one in ours["jobParameters"])
    assert "--writeInputToTxt IN:input.txt,IN2:input2.txt" in text
    assert ours["useLocalIO"] == 1


def test_a_scan_without_an_image_asks_for_no_container() -> None:
    assert not {"container_name", "multiStepExec"} & set(mapped(gpu_scan(container=Container())))


def test_names_of_tasks_are_those_of_datasets() -> None:
    scan = gpu_scan(name="what éver, it-is.v2" * 5)
    name = task_name(scan, "b0007", "labuser")
    assert name.startswith("user.labuser.what_ver_it-is_v2what")
    assert name.endswith("20260101-000000-abcdef.b0007")
    assert len(name) < 120


# options of prun ------------------------------------------------------------------------


def with_options(*options: str) -> dict[str, Any]:
    plain = mapped(gpu_scan())
    given = mapped(gpu_scan(placement=Placement(options=options)))
    return {name: given[name] for name in given if given[name] != plain.get(name)}


@pytest.mark.parametrize(
    ("options", "added"),
    [
        (("--cloud=US",), {"cloud": "US"}),
        (("--priority 900",), {"currentPriority": 900}),
        (("  --priority = 900 ",), {"currentPriority": 900}),
        (("--maxCpuCount=7200",), {"walltime": -7200}),
        (("--skipScout",), {"skipScout": True}),
        (("--expertOnly_skipScout",), {"skipScout": True}),
        (("--noLoopingCheck", "--debugMode"), {"noLoopingCheck": True, "debugMode": True}),
        (("--useNewCode",), {"fixedSandbox": "jobO.x.tar.gz"}),
        (("--fixedRamCount",), {"ramCountUnit": "MBPerCoreFixed"}),
        (
            ("--fixedCpuTime", "--cpuTimePerEvent=5"),
            {"cpuTime": 5, "cpuTimeUnit": "HS06sPerEventFixed"},
        ),
        ((), {}),
    ],
)
def test_options_of_prun_become_parameters(options: tuple[str, ...], added: dict[str, Any]) -> None:
    assert with_options(*options) == added


FORBIDDEN = (
    *("exec", "bexec", "noEmail", "outputs", "tmpDir", "useSecrets", "inTarBall", "spaceToken"),
    *("nJobs", "nEventsPerJob", "destSE", "pfnList", "voms", "alrbArgs", "transPath", "noSubmit"),
    *("mergeScript", "secondaryDSs", "prodSourceLabel", "env", "excludeFile"),
    "allowTaskDuplication",
)


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ("--reservation=x", "none of the options that PanDA is given; docs/panda.md"),
        ("priority=3", "look like --priority=900"),
        ("-v", "look like"),
        ("--priority", "takes a whole number"),
        ("--priority=high", "takes a whole number"),
        ("--priority=0", "takes a whole number"),
        ("--priority=-3", "takes a whole number"),
        ("--priority=٣", "takes a whole number"),
        ("--maxCpuCount=99999999999", "takes a whole number"),
        ("--skipScout=no", "takes no value"),
        ("--cloud", "takes one word"),
        ("--cloud=a b", "takes one word"),
        ("--site=A", "use --site"),
        ("--memory=2000", "use --memory"),
        ("--maxAttempt=9", "use --attempts"),
        ("--extFile=x", "use --files"),
        ("--architecture=x", "use --gpus"),
        *((f"--{word}=x", "sets the files, command, mail and environment") for word in FORBIDDEN),
    ],
)
def test_other_options_are_refused_before_anything_is_sent(option: str, said: str) -> None:
    scan = gpu_scan(placement=Placement(options=(option,)))
    with pytest.raises(BackendError) as refused:
        PandaBackend(scan, ScanPaths(Path("/nowhere"))).check(ask=False)
    assert said in str(refused.value)
    assert str(refused.value).startswith("--engine-option ")
    assert str(refused.value).endswith(".")
    with pytest.raises(BackendError):
        mapped(scan)


def test_the_page_about_panda_lists_all_options() -> None:
    page = (Path(__file__).parents[3] / "docs" / "panda.md").read_text()
    for name in (*task_options._FLAGS, *task_options._NUMBERS, *task_options._TEXTS):
        assert f"`--{name}`" in page


def test_an_option_is_given_once() -> None:
    options = ("--priority=1", "--priority=2")
    with pytest.raises(BackendError, match="given twice"):
        mapped(gpu_scan(placement=Placement(options=options)))


# the sandbox ----------------------------------------------------------------------------


@pytest.fixture
def paths(tmp_path: Path) -> ScanPaths:
    paths = ScanPaths(tmp_path / "scan")
    (paths.files / "data").mkdir(parents=True)
    for path in (paths.worker, paths.launcher, paths.notebook, paths.files / "data" / "jets.txt"):
        path.write_text(path.name)
    for key in ("v0001.1", "v0002.1", "v0003.1"):
        paths.job(key).folder.mkdir(parents=True)
        paths.job(key).spec.write_text(json.dumps({"key": key, "params": {"lr": 0.1}}))
    return paths


def test_a_sandbox_holds_what_jobs_need_and_nothing_else(paths: ScanPaths, tmp_path: Path) -> None:
    (paths.folder / "scan.json").write_text("{}")
    size = sandbox.pack(paths, [["v0001.1", "v0002.1"], ["v0003.1"]], tmp_path / "box.tar.gz")
    assert size == (tmp_path / "box.tar.gz").stat().st_size
    with tarfile.open(tmp_path / "box.tar.gz") as archive:
        names = archive.getnames()
        table = archive.extractfile("jobs.jsonl")
        assert table is not None
        rows = [json.loads(line) for line in table]
    assert sorted(names) == [
        "files/data/jets.txt",
        "jobs.jsonl",
        "notebook.ipynb",
        "run.sh",
        "worker.pyz",
        "worker.sh",
    ]
    assert [[one["key"] for one in row] for row in rows] == [["v0001.1", "v0002.1"], ["v0003.1"]]


def test_the_same_content_makes_the_same_bytes(paths: ScanPaths, tmp_path: Path) -> None:
    for name in ("one", "two"):
        sandbox.pack(paths, [["v0001.1"]], tmp_path / name)
        (paths.files / "data" / "jets.txt").touch()
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def noise(size: int) -> bytes:
    import random

    return random.Random(1).randbytes(size)


def test_one_that_is_too_large_is_refused_with_what_to_drop(
    paths: ScanPaths, tmp_path: Path
) -> None:
    (paths.files / "big.npz").write_bytes(noise(11_000_000))
    with pytest.raises(BackendError) as refused:
        sandbox.pack(paths, [["v0001.1"]], tmp_path / "box")
    assert "big.npz (11.0 MB)" in str(refused.value)
    assert "--in" in str(refused.value)


def test_files_are_weighed_before_anything_is_made(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "zeros").write_bytes(b"\0" * 30_000_000)  # which packs well
    sandbox.check({"data": folder})
    (folder / "noise").write_bytes(noise(11_000_000))
    with pytest.raises(BackendError, match=r"data/noise \(11\.0 MB\)"):
        sandbox.check({"data": folder})


def test_an_archive_ends_as_panda_reads_it(paths: ScanPaths, tmp_path: Path) -> None:
    """Its last eight bytes, checksum and size, are what the server knows it by."""
    sandbox.pack(paths, [["v0001.1"]], tmp_path / "box")
    data = (tmp_path / "box").read_bytes()
    plain = gzip.GzipFile(fileobj=io.BytesIO(data)).read()
    assert int.from_bytes(data[-4:], "little") == len(plain)
