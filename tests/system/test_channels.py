"""Whole scans whose metrics come by other ways than a shared disk.

Workers, kernels, collectors and storages are real ones.
"""

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

from .helpers import command_of, options, processes_with
from .lab import Lab, ScanOfLab
from .notebooks import LONG, Executed
from .slurm_lab import ON, slurm_lab

__all__ = ["panda"]


@pytest.fixture(autouse=True)
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the keys of collectors and storages in a folder of the test."""
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Collecting]:
    """Yield a collector that runs, and of which the user is a member."""
    with collecting(tmp_path / "collector") as made:
        key_files.write(key_files.collector_file(), made.member())
        yield made


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Dav]:
    """Yield a storage with WebDAV, which the user uses."""
    with dav(tmp_path / "dav") as made:
        key_files.write(key_files.drop_file(), made.settings())
        yield made


def reported(scan: ScanOfLab) -> int:
    """Return how many reports of metrics the journal has."""
    return len(scan.events_of("job.reported"))


def own_lines(scan: ScanOfLab) -> list[str]:
    """Return the lines that the jobs have written on the disk that only they see."""
    lines = []
    for path in scan.folder.glob("jobs/*/*/metrics.jsonl"):
        lines += path.read_text().splitlines()
    return lines


def readings(scan: ScanOfLab) -> int:
    """Return how many of the jobs' own lines are readings; the others are signs of life."""
    return sum('"beat"' not in line for line in own_lines(scan))


def test_metrics_come_by_push_alone_and_nothing_is_lost_by_a_collector_that_was_killed(
    lab: Lab, collector: Collecting
) -> None:
    scan = lab.training(1, *options("--metrics push"), steps=LONG)
    scan.wait_for("v0001", loss=1.0)
    collector.end(hard=True)
    before = reported(scan)
    (log,) = scan.folder.glob("jobs/*/*/worker.log")
    silence = "Metrics are not sent now: 127.0.0.1:"
    eventually(lambda: silence in log.read_text(), what="the job finds nobody")
    lines = len(own_lines(scan))
    eventually(lambda: len(own_lines(scan)) > lines + 5, what="the job goes on")
    held = reported(scan)
    assert held <= before + 1  # what was on its way
    collector.start()
    eventually(lambda: reported(scan) > held, what="what was held back comes")
    count, low, high, _ = scan.events_of("job.reported")[-1]["metrics"]["loss"]
    assert (count, low) == (high, 1)  # every epoch, once
    assert scan.variant("v0001")["state"] == "running"
    scan.gridgpu("stop")
    scan.wait("stopped")
    assert scan.events_of("job.reported")[-1]["metrics"]["loss"][0] == readings(scan)
    assert silence in log.read_text()


def test_no_key_is_in_a_folder_a_log_or_a_command(lab: Lab, collector: Collecting) -> None:
    scan = lab.training(1, *options("--metrics push"), steps=LONG)
    scan.wait_for("v0001", loss=1.0)
    (sender,) = (key_files.folder() / "senders").iterdir()
    secrets = [json.loads(sender.read_text())["key"], collector.member()["secret"]]
    commands = [" ".join(command_of(process)) for process in processes_with(str(scan.folder))]
    environment = str(psutil.Process(scan.kernel("v0001.1")).environ())
    for secret in secrets:
        assert not [command for command in commands if secret in command]
        assert secret not in environment
    lab.hurry()
    scan.wait("done")
    for path in scan.folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [secret for secret in secrets if secret.encode() in data], path
    # What jobs send with is of no use when the scan has ended.
    eventually(lambda: not sender.exists(), what="the sender file is gone")


def test_a_stopped_job_leaves_its_notebook_in_the_storage(lab: Lab, storage: Dav) -> None:
    scan = lab.training(1, *options("--metrics drop"), steps=LONG)
    scan.wait_for("v0001", loss=1.0)
    scan.gridgpu("stop")
    scan.wait("stopped")
    (folder,) = storage.folder.iterdir()
    # The runner of a scan on this machine finds the result on the disk, and does not wait for what
    # the worker drops after that.
    eventually((folder / "v0001.1.ipynb").exists, what="the notebook is dropped")
    dropped = folder / "v0001.1.jsonl"
    eventually(lambda: dropped.read_text().count('"loss"') == readings(scan), what="all metrics")
    eventually(
        lambda: "epoch 1" in (folder / "v0001.1.ipynb").read_text(), what="the notebook is whole"
    )
    assert JOBS.partition(":")[2] not in scan.log()


def test_metrics_at_the_end_come_at_the_end(lab: Lab) -> None:
    scan = lab.training(1, *options("--metrics end"), steps=LONG)
    eventually(lambda: len(own_lines(scan)) > 5, what="the job reports")
    assert scan.variant("v0001")["metrics"] == {}
    shown = scan.gridgpu("show").stdout
    assert "Metrics arrive when a job ends." in shown
    lab.hurry()
    scan.wait("done")
    assert scan.variant("v0001")["metrics"] == {"loss": float(LONG)}
    assert reported(scan) == 1


def test_a_way_that_is_not_there_is_said_before_anything_starts(lab: Lab) -> None:
    words = options("-p 'n = [1]' --metrics push")
    ran = lab.gridgpu("run", str(lab.notebook()), *words, code=2)
    assert ran.stderr == (
        "gridgpu: --channel push: you use no collector yet;"
        " `gridgpu collector use` takes what its owner gave you.\n"
    )


def test_jobs_on_the_grid_push_while_they_run(
    lab: Lab, panda: FakePanda, collector: Collecting
) -> None:
    # There is a collector, so `--metrics auto` means push.
    scan = lab.training(1, *options("--on panda"), steps=LONG)
    found = scan.wait_for("v0001", loss=1.0)
    assert not list(scan.folder.glob("jobs/*/*/metrics.jsonl"))
    assert found["metrics"]["loss"] < LONG
    lab.hurry()
    scan.wait("done")
    assert scan.variant("v0001")["metrics"] == {"loss": float(LONG)}


def test_jobs_on_slurm_push_where_that_is_asked_for(
    tmp_path: Path, slurm: Cluster, collector: Collecting
) -> None:
    with slurm_lab(tmp_path, slurm) as lab:
        scan = lab.training(1, *ON, *options("--metrics push"), steps=LONG)
        scan.wait_for("v0001", loss=1.0)
        assert list(scan.folder.glob("arrived/v0001.1/*/metrics.jsonl"))
        lab.hurry()
        scan.wait("done")
        assert scan.variant("v0001")["metrics"] == {"loss": float(LONG)}


def test_a_job_that_the_grid_kills_leaves_metrics_and_notebook_in_the_storage(
    lab: Lab, panda: FakePanda, storage: Dav
) -> None:
    """PanDA keeps nothing of a job that it has killed."""
    scan = lab.training(1, *options("--on panda"), steps=LONG)
    scan.wait_for("v0001", loss=1.0)
    scan.gridgpu("stop")
    scan.wait("stopped")
    found = scan.variant("v0001")
    assert found["state"] == "cancelled"
    assert Path(found["notebook"]).is_relative_to(scan.folder / "arrived" / "v0001.1")
    assert "epoch 1\n" in Executed.read(found["notebook"]).text()
    (dropped,) = storage.folder.glob("*/v0001.1.jsonl")
    last = scan.events_of("job.reported")[-1]
    assert last["metrics"] or last["notebook"]
    assert found["metrics"]["loss"] == dropped.read_text().count('"loss"')
