"""Whole scans whose metrics come by other ways than a shared disk: real workers, kernels, collectors and storages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from jupyter_gridgpu.transport import key_files
from tests.engines.collectors import JOBS, Collecting, Dav, collecting, dav
from tests.engines.panda import FakePanda
from tests.engines.panda.fixture import panda
from tests.engines.slurm import Cluster
from tests.kit import eventually

from .helpers import Executed, Lab, ScanOfLab, processes_with
from .slurm_lab import ON, slurm_lab

__all__ = ["panda"]


@pytest.fixture(autouse=True)
def _settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collecting]:
    with collecting(tmp_path / "collector") as made:
        key_files.write(key_files.collector_file(), made.member())
        yield made


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Dav]:
    with dav(tmp_path / "dav") as made:
        key_files.write(key_files.drop_file(), made.settings())
        yield made


def reported(scan: ScanOfLab) -> int:
    return len(scan.events_of("job.reported"))


def written(scan: ScanOfLab) -> int:
    """How many lines the jobs have written on the disk that only they see."""
    return sum(
        len(path.read_text().splitlines()) for path in scan.folder.glob("jobs/*/*/metrics.jsonl")
    )


def test_metrics_come_by_push_alone_and_nothing_is_lost_by_a_collector_that_was_killed(
    lab: Lab, collector: Collecting
) -> None:
    scan = lab.training(1, "--metrics", "push", steps=1000, pause=0.1)
    scan.wait_for("v0001", loss=1.0)
    collector.end(hard=True)
    before, lines = reported(scan), written(scan)
    eventually(lambda: written(scan) > lines + 15, what="the job goes on")
    held = reported(scan)
    assert held <= before + 1  # what was on its way
    collector.start()
    eventually(lambda: reported(scan) > held, what="what was held back comes")
    n, low, high, _ = scan.events_of("job.reported")[-1]["metrics"]["loss"]
    assert (n, low) == (high, 1)  # every epoch, once
    assert scan.variant("v0001")["state"] == "running"
    scan.gridgpu("stop")
    scan.wait("stopped")
    assert scan.events_of("job.reported")[-1]["metrics"]["loss"][0] == written(
        scan
    ) - written_beats(scan)
    assert (
        "Metrics are not sent now: 127.0.0.1:"
        in next(scan.folder.glob("jobs/*/*/worker.log")).read_text()
    )


def test_no_key_is_in_a_folder_a_log_or_a_command(lab: Lab, collector: Collecting) -> None:
    scan = lab.training(1, "--metrics", "push", steps=40, pause=0.1)
    scan.wait_for("v0001", loss=1.0)
    (sender,) = (key_files.folder() / "senders").iterdir()
    secrets = [json.loads(sender.read_text())["key"], collector.member()["secret"]]
    commands = [" ".join(process.cmdline()) for process in processes_with(str(scan.folder))]
    kernel = psutil.Process(scan.kernel("v0001.1"))
    assert not [secret for secret in secrets for command in commands if secret in command]
    assert not [secret for secret in secrets if secret in str(kernel.environ())]
    scan.wait("done")
    files = [path for path in scan.folder.rglob("*") if path.is_file()]
    assert not [
        path for path in files if any(secret.encode() in path.read_bytes() for secret in secrets)
    ]
    eventually(
        lambda: not sender.exists(), what="what jobs sent with is gone when the scan has ended"
    )


def test_a_stopped_job_leaves_its_notebook_in_the_storage(lab: Lab, storage: Dav) -> None:
    scan = lab.training(1, "--metrics", "drop", steps=500, pause=0.1)
    scan.wait_for("v0001", loss=1.0)
    scan.gridgpu("stop")
    scan.wait("stopped")
    (folder,) = storage.folder.iterdir()
    eventually(lambda: (folder / "v0001.1.ipynb").exists(), what="the notebook is dropped")
    assert "epoch 1" in (folder / "v0001.1.ipynb").read_text()
    assert (folder / "v0001.1.jsonl").read_text().count('"loss"') == written(scan) - written_beats(
        scan
    )
    assert JOBS.partition(":")[2] not in scan.log()


def written_beats(scan: ScanOfLab) -> int:
    return sum(
        path.read_text().count('"beat"') for path in scan.folder.glob("jobs/*/*/metrics.jsonl")
    )


def test_metrics_at_the_end_come_at_the_end(lab: Lab) -> None:
    scan = lab.training(1, "--metrics", "end", steps=20, pause=0.1)
    eventually(lambda: written(scan) > 5, what="the job reports")
    assert scan.variant("v0001")["metrics"] == {}
    shown = scan.gridgpu("show").stdout
    assert "Metrics arrive when a job ends." in shown
    scan.wait("done")
    assert scan.variant("v0001")["metrics"] == {"loss": 20.0}
    assert reported(scan) == 1


def test_a_way_that_is_not_there_is_said_before_anything_starts(lab: Lab) -> None:
    ran = lab.gridgpu("run", str(lab.notebook()), "-p", "n = [1]", "--metrics", "push", code=2)
    assert ran.stderr == (
        "gridgpu: --metrics push: you use no collector yet; `gridgpu collector use` takes what its owner gave you.\n"
    )


def test_jobs_on_the_grid_push_while_they_run(
    lab: Lab, panda: FakePanda, collector: Collecting
) -> None:
    scan = lab.training(
        1, "--on", "panda", steps=60, pause=0.2
    )  # a collector is there, so auto means push
    found = scan.wait_for("v0001", loss=1.0)
    assert not list(scan.folder.glob("jobs/*/*/metrics.jsonl"))
    assert found["metrics"]["loss"] < 60
    scan.wait("done")
    assert scan.variant("v0001")["metrics"] == {"loss": 60.0}


def test_jobs_on_slurm_push_where_that_is_asked_for(
    tmp_path: Path, slurm: Cluster, collector: Collecting
) -> None:
    with slurm_lab(tmp_path, slurm) as lab:
        scan = lab.training(1, *ON, "--metrics", "push", steps=40, pause=0.1)
        scan.wait_for("v0001", loss=1.0)
        assert list(scan.folder.glob("arrived/v0001.1/*/metrics.jsonl"))
        scan.wait("done")
        assert scan.variant("v0001")["metrics"] == {"loss": 40.0}


def test_a_job_that_the_grid_kills_leaves_metrics_and_notebook_in_the_storage(
    lab: Lab, panda: FakePanda, storage: Dav
) -> None:
    """Of a killed job PanDA keeps nothing."""
    scan = lab.training(1, "--on", "panda", steps=1000, pause=0.1)
    scan.wait_for("v0001", loss=1.0)
    scan.gridgpu("stop")
    scan.wait("stopped")
    found = scan.variant("v0001")
    assert found["state"] == "cancelled"
    assert Path(found["notebook"]).is_relative_to(scan.folder / "arrived" / "v0001.1")
    assert "epoch 1\n" in Executed.read(found["notebook"]).text()
    (dropped,) = storage.folder.glob("*/v0001.1.jsonl")
    assert (
        scan.events_of("job.reported")[-1]["metrics"]
        or scan.events_of("job.reported")[-1]["notebook"]
    )
    assert found["metrics"]["loss"] == dropped.read_text().count('"loss"')
