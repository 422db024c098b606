"""Jobs of this machine whose claim is damaged, and whose worker is late."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from jupyter_gridgpu.backends.local.claims import claim_for_runner, read_claim
from jupyter_gridgpu.backends.local.devices import GpuPins
from jupyter_gridgpu.backends.local.tracking import (
    LOST_S,
    MAX_HAND_OVERS,
    UNCLAIMED_S,
    UNREADABLE_S,
    LocalJobTracker,
)
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.store.process import Process, this_process
from jupyter_gridgpu.worker.claim import claim_job, new_copy

KEY = "v0001.1"


class FakeStarter:
    """Counts how often a worker was to be started; no worker ever comes."""

    def __init__(self) -> None:
        self.failed_starts = 0
        self.started = 0

    def open(self) -> None: ...

    def start(self, key: str) -> None:
        self.started += 1

    def start_again(self, key: str) -> None:
        self.start(key)

    def may_claim(self, key: str) -> bool:
        return True

    def exit_code(self, key: str) -> int | None:
        return None

    def close(self) -> None: ...


class Ground:
    """A tracker whose clock a test sets."""

    def __init__(self, folder: Path) -> None:
        self.paths = ScanPaths(folder)
        self.job = self.paths.job(KEY)
        self.job.folder.mkdir(parents=True)
        self.job.spec.write_text("{}")
        self.starter = FakeStarter()
        self.now = 1000.0
        self.tracker = LocalJobTracker(
            self.paths, self.starter, GpuPins(), False, 12.0, clock=lambda: self.now
        )
        self.tracker.hand_over(KEY)

    def state(self) -> str:
        return self.tracker.look(KEY).state


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


DAMAGED = ["", "{", "null", "[]", '"x"', "{}", '{"copy": "ab12"}', '{"pid": "x"}', "\x00" * 120]


@pytest.mark.parametrize("text", DAMAGED)
def test_a_claim_that_stays_unreadable_is_that_of_a_dead_worker(ground: Ground, text: str) -> None:
    ground.job.claim.write_text(text)
    assert ground.state() == "queued"
    ground.now += UNREADABLE_S + 1
    seen = ground.tracker.look(KEY)
    assert (seen.state, seen.reason) == ("failed", "node")


def test_a_claim_that_is_no_file_is_that_of_a_dead_worker(ground: Ground) -> None:
    ground.job.claim.symlink_to("nowhere")
    assert ground.state() == "queued"
    ground.now += UNREADABLE_S + 1
    assert ground.state() == "failed"


def test_a_claim_that_can_be_read_again_is_believed(ground: Ground) -> None:
    ground.job.claim.write_text("")
    assert ground.state() == "queued"
    ground.job.claim.unlink()
    assert claim_job(ground.job, new_copy(ground.job))
    ground.now += UNREADABLE_S + 1
    assert ground.state() == "running"


def test_a_claim_is_synced_before_it_has_its_name(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut leaves a claim whole or missing."""
    named_at_sync: list[bool] = []
    monkeypatch.setattr("os.fsync", lambda handle: named_at_sync.append(ground.job.claim.exists()))
    assert claim_job(ground.job, new_copy(ground.job))
    assert named_at_sync == [False]


def test_a_job_that_nobody_takes_is_handed_over_again_and_fails_late(ground: Ground) -> None:
    wait_s = UNCLAIMED_S
    for times in range(1, MAX_HAND_OVERS):
        ground.now += wait_s - 1
        ground.state()
        assert ground.starter.started == times
        ground.now += 2
        assert ground.state() == "queued"
        assert ground.starter.started == times + 1
        wait_s *= 2
    ground.now += wait_s + 1
    seen = ground.tracker.look(KEY)
    assert (seen.state, seen.reason) == ("failed", "submit")
    assert not claim_job(ground.job, new_copy(ground.job))


def test_a_worker_that_comes_late_runs_the_job_once(ground: Ground) -> None:
    ground.now += UNCLAIMED_S + 1
    assert ground.state() == "queued"
    assert claim_job(ground.job, new_copy(ground.job))
    assert not claim_job(ground.job, new_copy(ground.job))
    assert ground.state() == "running"


def test_a_clock_of_the_day_that_jumps_hands_nothing_over(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 4e9)
    assert ground.state() == "queued"
    assert ground.starter.started == 1


def test_a_job_on_another_host_is_lost_only_after_a_silence_that_was_seen(ground: Ground) -> None:
    """After this host slept, the last sign of life is old, although the job goes on."""
    owner = Process("another", "boot", 1, 1).to_json()
    ground.job.claim.write_text(json.dumps({"copy": "ab12", **owner}))
    now = time.time()
    os.utime(ground.job.claim, (now - 1000, now - 1000))
    assert ground.state() == "running"
    ground.now += LOST_S + 1
    os.utime(ground.job.claim, (now - 900, now - 900))
    assert ground.state() == "running"
    ground.now += LOST_S + 1
    assert ground.state() == "lost"


def test_a_job_on_another_host_that_was_silent_long_before_is_lost_at_once(ground: Ground) -> None:
    owner = Process("another", "boot", 1, 1).to_json()
    ground.job.claim.write_text(json.dumps({"copy": "ab12", **owner}))
    yesterday = time.time() - 24 * 3600
    os.utime(ground.job.claim, (yesterday, yesterday))
    assert ground.state() == "lost"


@pytest.mark.parametrize("stamp", [1.0, 4e9])
def test_the_time_of_a_killed_worker_is_that_of_its_process(ground: Ground, stamp: float) -> None:
    """The clock of the day was set since the job was claimed."""
    ended = {**this_process().to_json(), "start": this_process().start - 1}
    ground.job.claim.write_text(json.dumps({"copy": "ab12", **ended}))
    os.utime(ground.job.claim, (stamp, stamp))
    age_s = this_process().age_s()
    assert age_s is not None
    seen = ground.tracker.look(KEY)
    assert seen.state == "failed"
    assert seen.ended is not None
    assert 0 <= seen.ended - stamp <= age_s + 60


def test_a_job_that_the_runner_took_is_cancelled(ground: Ground) -> None:
    assert claim_for_runner(ground.job)
    claim = read_claim(ground.job)
    assert claim is not None
    assert not claim.damaged
    assert ground.state() == "cancelled"
