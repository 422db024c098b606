"""A job pushes, a collector keeps, a runner fetches: with a real collector between them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import channels
from jupyter_gridgpu.channels.push import PushChannel
from jupyter_gridgpu.errors import StorageError, UsageError
from jupyter_gridgpu.job_files import JobFiles
from jupyter_gridgpu.runner.metrics import LATE_S, MetricsReader
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths
from jupyter_gridgpu.testing.examples import small_scan
from jupyter_gridgpu.transport import key_files
from jupyter_gridgpu.worker.metrics import sender as senders
from jupyter_gridgpu.worker.metrics.recorder import MetricsRecorder
from jupyter_gridgpu.worker.metrics.sender import Sender
from tests.engines.collectors import Collecting, collecting
from tests.kit import eventually

KEY = "v0001.1"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    with collecting(tmp_path_factory.mktemp("collector")) as made:
        yield made


@pytest.fixture(autouse=True)
def _settings(collector: Collecting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr(senders, "PUSH_EVERY_S", 0.05)
    monkeypatch.setattr(senders.PushDelivery, "every_s", 0.05)
    monkeypatch.setattr(PushChannel, "every_s", 0.05)
    monkeypatch.setattr(PushChannel, "slower_s", 0.05)
    key_files.write(key_files.collector_file(), collector.member())


class Away:
    """A scan whose jobs run where its folder is not seen."""

    def __init__(self, folder: Path, name: str) -> None:
        self.scan = replace(small_scan(), id=f"id-{name}", channel="push")
        self.paths, self.node = ScanPaths(folder / "here"), ScanPaths(folder / "node")
        self.paths.folder.mkdir()
        self.sender_file = channels.write_sender_file(self.scan)
        self.said: list[str] = []
        self.copy = self.start_copy("ab12")
        self.channel = channels.load(self.scan, self.paths)
        self.reader = MetricsReader(self.paths, self.channel)
        self.channel.follow([KEY])

    def start_copy(self, name: str) -> CopyPaths:
        copy = self.node.job(KEY).copy(name)
        copy.folder.mkdir(parents=True)
        self.metrics = MetricsRecorder(copy.metrics, copy.folder / "reports")
        return copy

    def send(self) -> Sender:
        made = senders.start_sender(
            {"key": KEY, "sender": str(self.sender_file)}, self.node, self.copy, self.said.append
        )
        assert made is not None
        return made

    def report(self, *values: float) -> None:
        for value in values:
            self.metrics.take({"epoch": int(value), "loss": value}, 2)

    def losses(self, data: dict[str, Any] | None) -> Any:
        return data["metrics"]["loss"][3] if data else None

    def read(self) -> Any:
        """The next values that a runner hears."""
        return eventually(
            lambda: self.losses(self.reader.read(KEY, time.time())), "something comes"
        )


@pytest.fixture
def away(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Away]:
    made = Away(tmp_path, request.node.name)
    yield made
    made.channel.close()


def test_readings_come_while_the_job_runs(away: Away) -> None:
    sending = away.send()
    away.report(1, 2)
    assert away.read() == [1, 2]
    away.report(3)
    away.reader._feeds[KEY].next_report = 0.0
    assert away.read() == [3]
    sending.close(5)
    assert away.said == []
    assert not away.paths.jobs.exists()


def test_nothing_is_lost_by_a_collector_that_is_away(away: Away, collector: Collecting) -> None:
    collector.end(hard=True)
    sending = away.send()
    away.report(*range(1, 500))
    eventually(lambda: away.said, "the sender says that it cannot send")
    collector.start()
    away.report(500)
    sending.close(20)
    assert away.said[0].startswith("Metrics are not sent now: 127.0.0.1:")
    assert away.losses(away.reader.finish(KEY, None, time.time())) is None or away.reader.waiting
    eventually(lambda: away.paths.arrival(KEY).copy("ab12").metrics.exists(), "it comes in the end")
    data = eventually(lambda: away.reader.late(time.time()))[0]
    assert data["metrics"]["loss"][:3] == [500, 1, 500]
    assert not away.reader.waiting
    assert (
        away.paths.arrival(KEY).copy("ab12").metrics.read_bytes() == away.copy.metrics.read_bytes()
    )


def test_a_collector_that_lost_its_disk_is_given_everything_again(
    away: Away, collector: Collecting
) -> None:
    sending = away.send()
    away.report(1, 2)
    assert away.read() == [1, 2]
    collector.end(hard=True)
    shutil.rmtree(collector.store / "scans")
    collector.start()
    away.report(3)
    away.reader._feeds[KEY].next_report = 0.0
    assert away.read() == [3]
    sending.close(5)
    assert (
        away.paths.arrival(KEY).copy("ab12").metrics.read_bytes() == away.copy.metrics.read_bytes()
    )


def test_a_runner_that_was_killed_is_followed_by_one_that_goes_on(away: Away) -> None:
    sending = away.send()
    away.report(1, 2)
    assert away.read() == [1, 2]
    away.channel.close()
    away.report(3)
    away.channel = channels.load(away.scan, away.paths)
    away.channel.follow([KEY])
    away.reader = MetricsReader(away.paths, away.channel)
    there = away.paths.arrival(KEY).copy("ab12").metrics
    eventually(lambda: there.read_bytes() == away.copy.metrics.read_bytes(), "the rest comes, once")
    assert away.read() == [1, 2, 3]
    sending.close(5)


def test_a_collector_that_is_not_there_costs_the_job_a_bounded_time(
    away: Away, collector: Collecting
) -> None:
    collector.end(hard=True)
    try:
        sending = away.send()
        away.report(1)
        began = time.monotonic()
        sending.close(1.0)
        assert time.monotonic() - began < 20
    finally:
        collector.start()
    assert away.reader.finish(KEY, None, 100.0) is None
    assert away.reader.waiting
    away.reader.late(100.0 + LATE_S + 1)
    assert not away.reader.waiting


def test_what_came_is_what_is_shown_of_a_job_whose_files_are_not_here(away: Away) -> None:
    sending = away.send()
    away.report(1, 2)
    assert away.read() == [1, 2]
    sending.close(5)
    files = JobFiles(away.paths, KEY)
    assert files.curves(10).curves()["loss"]["values"] == [1, 2]
    own = away.paths.job(KEY).copy("ab12")
    own.folder.mkdir(parents=True)
    own.metrics.write_text('{"t":1,"s":1,"m":{"loss":7}}\n')
    assert files.curves(10).curves()["loss"]["values"] == [7]


def test_the_files_of_the_job_itself_win(away: Away) -> None:
    sending = away.send()
    away.report(1, 2)
    assert away.read() == [1, 2]
    sending.close(5)
    own = away.paths.job(KEY).copy("ab12")
    shutil.copytree(away.copy.folder, own.folder)
    own.metrics.write_text('{"t":1,"s":1,"m":{"loss":7}}\n')
    data = away.reader.finish(KEY, None, time.time())
    assert data is not None
    assert (data["whole"], data["metrics"]["loss"]) == (True, [1, 7, 7, [7]])
    assert not away.reader.waiting


def test_a_job_whose_clock_is_wrong_is_as_fresh_as_it_is(away: Away) -> None:
    away.copy.metrics.write_bytes(
        b'{"t":9999999990,"s":1,"m":{"loss":1}}\n{"t":9999999999,"s":2,"m":{"loss":2}}\n'
    )
    sending = away.send()  # in 250 years, says the job
    assert away.read() == [1, 2]
    came = away.paths.arrival(KEY).copy("ab12").metrics.stat().st_mtime
    assert abs(time.time() - came) < 60
    sending.close(5)


def test_a_forged_copy_or_one_too_many_makes_no_folder(away: Away) -> None:
    channel = away.channel
    assert isinstance(channel, PushChannel)
    for name in ("..", "a/b", "A", "", "a" * 40):
        assert channel.arrivals.copy(KEY, name) is None
    for number in range(30):
        if copy := channel.arrivals.copy(KEY, f"c{number}"):
            channel.arrivals.add(copy, 0, b"{}\n", 1.0)
    assert len(away.paths.arrival(KEY).copies()) == 20


def test_a_gap_is_never_written(away: Away) -> None:
    channel = away.channel
    assert isinstance(channel, PushChannel)
    copy = channel.arrivals.copy(KEY, "ab12")
    assert copy is not None
    channel.arrivals.add(copy, 0, b"12\n", 1.0)
    channel.arrivals.add(copy, 6, b"78\n", 1.0)
    channel.arrivals.add(copy, 0, b"12\n45\n", 1.0)
    assert copy.metrics.read_bytes() == b"12\n45\n"
    assert copy.metrics.stat().st_mode & 0o077 == 0


def test_a_silence_is_said_in_words_until_it_is_over(
    away: Away, collector: Collecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert away.channel.notice() is None
    collector.end()
    monkeypatch.setattr("jupyter_gridgpu.channels.fetching.SILENT_S", 0.0)
    said = eventually(away.channel.notice)
    assert said.startswith("The collector has given no metrics for 0 min; they are those of ")
    assert said.endswith(f"(127.0.0.1:{collector.port} does not answer: Connection refused.)")
    collector.start()
    eventually(lambda: away.channel.notice() is None)


def test_another_secret_counts_at_once(
    away: Away, collector: Collecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyter_gridgpu.channels.fetching.SILENT_S", 0.0)
    key_files.write(key_files.collector_file(), {**collector.member(), "secret": "0" * 64})
    eventually(
        lambda: (
            "does not know your secret; run `gridgpu collector use`"
            in (away.channel.notice() or "")
        )
    )
    key_files.write(key_files.collector_file(), collector.member())
    eventually(lambda: away.channel.notice() is None)


def test_what_travels_with_jobs_is_private_and_of_one_scan(
    away: Away, collector: Collecting
) -> None:
    path = away.sender_file
    assert path is not None
    assert path.stat().st_mode & 0o077 == 0
    text = path.read_text()
    assert collector.member()["secret"] not in text
    assert path.is_relative_to(key_files.folder())
    channels.remove_sender_file(away.scan)
    assert not path.exists()


def test_settings_that_others_can_read_are_refused(away: Away) -> None:
    os.chmod(key_files.collector_file(), 0o644)
    with pytest.raises(StorageError, match="others may read it"):
        channels.write_sender_file(away.scan)


@pytest.mark.parametrize(
    "body",
    [{}, {"url": "ftp://x", "user": "me", "secret": "0" * 64}, {"url": "http://x", "user": "me"}],
)
def test_settings_that_are_none_are_said(body: dict[str, str]) -> None:
    key_files.write(key_files.collector_file(), body)
    with pytest.raises(UsageError, match="gridgpu collector use"):
        channels.choose("push", True)


def test_the_way_is_chosen_by_what_is_there() -> None:
    assert channels.choose("auto", live_files=True) == "file"
    assert channels.choose("auto", live_files=False) == "push"
    assert channels.choose("end", live_files=True) == "end"
    key_files.collector_file().unlink()
    assert channels.choose("auto", live_files=False) == "end"
    with pytest.raises(UsageError, match="--channel push"):
        channels.choose("push", True)
    with pytest.raises(UsageError, match="--channel drop"):
        channels.choose("drop", True)
    with pytest.raises(UsageError, match="choose one of auto, push, drop, end"):
        channels.choose("pigeon", True)
