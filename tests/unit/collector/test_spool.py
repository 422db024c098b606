"""The files that a collector keeps: their limits, what is forgotten, and who may share them."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.collector import spool as spools
from jupyter_gridgpu.collector.spool import COPIES_LIMIT, CollectorLimits, Refused, Spool
from jupyter_gridgpu.transport.frames import whole_frames

JOB, COPY = "v0001.1", "ab12"
LINES = b"".join(b'{"t":%d,"s":%d,"m":{"loss":%d}}\n' % (step, step, step) for step in range(1, 6))


def spool(folder: Path, **limits: Any) -> Spool:
    made = Spool(folder, CollectorLimits(**limits))
    made.announce("alice", "scan", {JOB, "v0002.1"})
    return made


@pytest.mark.parametrize("limit", ["scan_bytes", "user_bytes", "total_bytes"])
def test_space_is_bounded(tmp_path: Path, limit: str) -> None:
    kept = spool(tmp_path, **{limit: 1000})
    for step in range(5):
        kept.write("alice", "scan", JOB, COPY, step * len(LINES), 0.0, LINES)
    with pytest.raises(Refused) as refused:
        kept.write("alice", "scan", JOB, COPY, 5 * len(LINES), 0.0, LINES)
    assert refused.value.status == 507
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.frames")) <= 1000
    kept.close()


def test_the_space_of_one_job_is_bounded(tmp_path: Path) -> None:
    kept = spool(tmp_path, job_bytes=3 * len(LINES))
    for step in range(2):
        kept.write("alice", "scan", JOB, COPY, step * len(LINES), 0.0, LINES)
    kept.write("alice", "scan", JOB, "cd34", 0, 0.0, LINES)
    for attempt in (
        lambda: kept.admit("alice", "scan", JOB, COPY, len(LINES)),
        lambda: kept.write("alice", "scan", JOB, COPY, 2 * len(LINES), 0.0, LINES),
    ):
        with pytest.raises(Refused, match="The job has all the space") as refused:
            attempt()
        assert refused.value.status == 507
    assert kept.write("alice", "scan", "v0002.1", COPY, 0, 0.0, LINES) == len(LINES)
    kept.close()


def test_scans_are_bounded(tmp_path: Path) -> None:
    kept = spool(tmp_path, user_scans=2)
    kept.announce("alice", "other", {JOB})
    kept.announce("alice", "scan", {"v0003.1"})
    kept.announce("bob", "scan", {JOB})
    with pytest.raises(Refused, match="all the scans"):
        kept.announce("alice", "third", {JOB})
    with pytest.raises(Refused, match="all the scans"):
        kept.revoke("alice", "third")
    kept.close()


def test_a_job_that_starts_again_and_again_is_bounded(tmp_path: Path) -> None:
    kept = spool(tmp_path)
    for number in range(COPIES_LIMIT):
        kept.write("alice", "scan", JOB, f"c{number}", 0, 0.0, LINES)
    with pytest.raises(Refused, match="too often"):
        kept.write("alice", "scan", JOB, "c999", 0, 0.0, LINES)
    kept.close()


def test_what_nobody_wants_any_more_is_let_go(tmp_path: Path) -> None:
    kept = spool(tmp_path, keep_s=100.0)
    kept.revoke("alice", "other")
    for path in tmp_path.rglob("*.frames"):
        os.utime(path, (1, 1))
    kept._swept = -1e9
    with pytest.raises(Refused) as refused:
        kept.read("alice", "scan", 0, 1000)
    assert refused.value.status == 404
    assert [path.name for path in tmp_path.rglob("*.*") if path.is_file() and path.suffix] == [
        "other.revoked"
    ]
    kept.close()


def test_more_scans_than_may_be_held_open_are_all_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spools, "OPEN_LIMIT", 2)
    kept = spool(tmp_path)
    for _ in range(2):
        for name in ("one", "two", "three", "four"):
            kept.announce("alice", name, {JOB})
            offset = len(kept.read("alice", name, 0, 10**6))
            assert kept.write("alice", name, JOB, name, 0, 0.0, LINES) == len(LINES)
            assert len(kept.read("alice", name, 0, 10**6)) >= offset
    assert len(kept._open_files) == 2
    kept.close()


def test_two_servers_of_a_user_may_share_a_store(tmp_path: Path) -> None:
    one, other = spool(tmp_path), spool(tmp_path)
    assert one.write("alice", "scan", JOB, COPY, 0, 0.0, LINES) == len(LINES)
    assert other.write("alice", "scan", JOB, COPY, 0, 0.0, LINES + LINES) == 2 * len(LINES)
    assert one.write("alice", "scan", JOB, COPY, len(LINES), 0.0, LINES) == 2 * len(LINES)
    data = b"".join(
        body for frame, body, _ in whole_frames(one.read("alice", "scan", 0, 10**6)) if frame.job
    )
    assert data == LINES * 2
    one.close()
    other.close()


def test_clocks_need_not_agree(tmp_path: Path) -> None:
    """A frame's time is the collector's, less the age that the job knows of its reading."""
    kept = spool(tmp_path)
    # LINES were written in 1970, says their own clock.
    kept.write("alice", "scan", JOB, COPY, 0, 100.0, LINES)
    found = whole_frames(kept.read("alice", "scan", 0, 10**6))
    (frame,) = [frame for frame, _, _ in found if frame.job]
    assert abs(time.time() - 100.0 - frame.time) < 60
    kept.close()
