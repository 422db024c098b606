from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu.worker import oom_kills


@pytest.mark.parametrize(
    ("own", "file", "text", "kills"),
    [
        (
            "4:memory:/slurm/job_7\n0::/",
            "memory/slurm/job_7/memory.oom_control",
            "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
            3,
        ),
        (
            "0::/system.slice/job_7",
            "system.slice/job_7/memory.events",
            "low 0\noom 2\noom_kill 1\noom_group_kill 0\n",
            1,
        ),
        ("0::/of/the/host", "memory.events", "oom_kill 4\n", 4),
        ("0::/x", "x/memory.events", "nothing of that kind\n", 0),
        ("no such line", "else", "", 0),
    ],
)
def test_processes_ended_for_want_of_memory_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, file: str, text: str, kills: int
) -> None:
    (tmp_path / "own").write_text(own)
    counter = tmp_path / "groups" / file
    counter.parent.mkdir(parents=True)
    counter.write_text(text)
    monkeypatch.setattr(oom_kills, "CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(oom_kills, "OWN_CGROUPS", tmp_path / "own")
    assert oom_kills.count_oom_kills() == kills


def test_where_nobody_counts_there_are_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oom_kills, "CGROUPS", tmp_path / "none")
    monkeypatch.setattr(oom_kills, "OWN_CGROUPS", tmp_path / "none")
    assert oom_kills.count_oom_kills() == 0


@pytest.mark.parametrize(
    ("own", "file"),
    [
        ("8:pids:/slurm/job_7\n0::/", "pids/slurm/job_7/pids.events"),
        ("0::/system.slice/job_7", "system.slice/job_7/pids.events"),
        ("8:pids:/of/the/host", "pids/pids.events"),
    ],
)
def test_refused_processes_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: str, file: str
) -> None:
    (tmp_path / "own").write_text(own)
    counter = tmp_path / "groups" / file
    counter.parent.mkdir(parents=True)
    counter.write_text("max 5\n")
    monkeypatch.setattr(oom_kills, "CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(oom_kills, "OWN_CGROUPS", tmp_path / "own")
    assert oom_kills.count_refused_processes() == 5
