"""Scans that an earlier version made are read as they were. Those that run again: tests/system."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from jupyter_gridgpu import open_scan
from jupyter_gridgpu.client import list_scans
from tests.old_scans import CACHED, ENDED, NAMES, SLURM, UNFINISHED, bring, comparable, expected


@pytest.mark.parametrize("name", NAMES)
def test_an_old_scan_is_opened_by_name_and_says_what_it_said(scans_home: Path, name: str) -> None:
    folder = bring(name, scans_home)
    scan = open_scan(name)
    assert (scan.folder, scan.state) == (folder, expected(name)["state"])
    assert comparable(scan.summary()) == expected(name)
    assert [found.name for found in list_scans()] == [name]


def test_a_cached_fold_of_an_old_scan_says_nothing_else_than_its_journal(scans_home: Path) -> None:
    folder = bring(CACHED, scans_home)
    with_cache = open_scan(CACHED).summary()
    (folder / "checkpoint.json").unlink()
    assert open_scan(CACHED).summary() == with_cache


def test_best_and_table_of_an_old_scan(scans_home: Path) -> None:
    folder = bring(ENDED, scans_home)
    scan = open_scan(ENDED)
    best = scan.best
    assert best is not None
    assert (best["id"], best["value"]) == ("v0001", pytest.approx(1 - 0.1 / 3))
    assert Path(best["notebook"]).is_relative_to(folder)
    frame = scan.to_frame()
    assert list(frame["state"]) == ["done", "done", "done", "failed"]
    assert list(frame["attempts"]) == [1, 2, 1, 2]
    assert list(frame["lr"]) == [0.1, 0.1, 0.9, 0.9]
    assert list(frame["größe"]) == [math.inf] * 4


def test_every_attempt_of_an_old_scan_has_its_files(scans_home: Path) -> None:
    bring(ENDED, scans_home)
    scan = open_scan(ENDED)
    assert "b c light" in scan.log_part("v0003")["text"]
    steps = {job: scan.curves(job)["curves"]["acc"]["steps"] for job in ("v0002.1", "v0002.2")}
    assert steps == {"v0002.1": [1], "v0002.2": [1, 2, 3]}  # the first one was stopped
    for job in ("v0001", "v0002.1", "v0002.2", "v0004.1", "v0004.2"):
        assert scan.notebook_file(job) is not None


def test_an_old_scan_of_slurm_says_where_its_jobs_ran(scans_home: Path) -> None:
    bring(SLURM, scans_home)
    scan = open_scan(SLURM)
    assert scan.scan.backend == "slurm"
    assert {scan.variant(f"v000{number}").where for number in (1, 2, 3, 4)} == {"gpu"}


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """This host is not called as the one on which the old scans ran."""
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")


@pytest.mark.usefixtures("elsewhere")
def test_a_killed_runner_of_an_old_scan_is_not_believed_for_long(scans_home: Path) -> None:
    folder = bring(UNFINISHED, scans_home)
    assert open_scan(UNFINISHED).state == "orphaned"
    (folder / "runner.lock").touch()  # as a runner does that lives on the host it names
    assert open_scan(UNFINISHED).state == "running"
