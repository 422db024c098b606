"""A job drops its files into a real WebDAV server, the runner looks what is new there."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu import channels
from jupyter_gridgpu.channels.drop import Credential, DropChannel
from jupyter_gridgpu.runner.metrics import MetricsReader
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths
from jupyter_gridgpu.testing.examples import small_scan
from jupyter_gridgpu.transport import key_files
from jupyter_gridgpu.worker.metrics import sender as senders
from jupyter_gridgpu.worker.metrics.recorder import MetricsRecorder
from jupyter_gridgpu.worker.metrics.sender import Sender
from tests.engines.collectors import JOBS, RUNNER, Dav, dav
from tests.kit import eventually

KEY = "v0001.1"


@pytest.fixture
def storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dav]:
    monkeypatch.setenv("JUPYTER_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr(senders.DropDelivery, "every_s", 0.05)
    monkeypatch.setattr(DropChannel, "every_s", 0.05)
    monkeypatch.setattr(DropChannel, "slower_s", 0.05)
    with dav(tmp_path / "dav") as made:
        key_files.write(key_files.drop_file(), made.settings())
        yield made


class Away:
    """A scan whose jobs run where its folder is not seen."""

    def __init__(self, folder: Path) -> None:
        self.scan = replace(small_scan(), channel="drop")
        self.paths, self.node = ScanPaths(folder / "here"), ScanPaths(folder / "node")
        self.paths.folder.mkdir()
        self.sender_file = channels.write_sender_file(self.scan)
        self.said: list[str] = []
        self.channel = channels.load(self.scan, self.paths)
        self.reader = MetricsReader(self.paths, self.channel)

    def start(self, name: str) -> tuple[CopyPaths, MetricsRecorder, Sender]:
        copy = self.node.job(KEY).copy(name)
        copy.folder.mkdir(parents=True)
        metrics = MetricsRecorder(copy.metrics, copy.folder / "reports")
        made = senders.start_sender(
            {"key": KEY, "sender": str(self.sender_file)}, self.node, copy, self.said.append
        )
        assert made is not None
        return copy, metrics, made

    def arrived(self, name: str) -> bytes:
        path = self.paths.arrival(KEY).copy(name).metrics
        return path.read_bytes() if path.exists() else b""


@pytest.fixture
def away(storage: Dav, tmp_path: Path) -> Iterator[Away]:
    made = Away(tmp_path)
    made.channel.follow([KEY])
    eventually(lambda: list(storage.folder.iterdir()), "the runner makes the scan's folder")
    yield made
    made.channel.close()


def report(metrics: MetricsRecorder, *values: float) -> None:
    for value in values:
        metrics.take({"epoch": int(value), "loss": value}, 2)


def test_files_grow_here_as_they_grow_there_and_only_what_is_new_is_read(
    away: Away, storage: Dav
) -> None:
    copy, metrics, sending = away.start("ab12")
    for step in range(1, 4):
        report(metrics, step)
        eventually(lambda: away.arrived("ab12") == copy.metrics.read_bytes())
    sending.close(10)
    gets = [
        status
        for method, name, status in storage.asked
        if (method, name) == ("GET", f"{KEY}.jsonl")
    ]
    assert gets.count("200") == 1  # once whole
    assert "206" in gets  # then in parts
    assert "304" in gets  # and not at all where nothing changed


def test_the_notebook_comes_when_the_job_has_ended(away: Away) -> None:
    copy, metrics, sending = away.start("ab12")
    report(metrics, 1)
    copy.notebook.write_text('{"cells": []}')
    sending.close(10)
    away.reader.finish(KEY, None, time.time())
    data = eventually(lambda: away.reader.late(time.time()), "the rest comes")[0]
    assert data["notebook"] == f"arrived/{KEY}/ab12/output.ipynb"
    assert (away.paths.folder / data["notebook"]).read_text() == '{"cells": []}'
    assert away.arrived("ab12") == copy.metrics.read_bytes()


def test_a_copy_that_takes_over_is_read_from_its_beginning(away: Away) -> None:
    first, metrics, sending = away.start("ab12")
    report(metrics, 1, 2, 3)
    sending.close(10)
    eventually(lambda: away.arrived("ab12") == first.metrics.read_bytes())
    second, metrics, sending = away.start("cd34")
    report(metrics, 9)
    eventually(lambda: away.arrived("cd34") == second.metrics.read_bytes())
    sending.close(10)
    assert away.arrived("ab12") == first.metrics.read_bytes()

    def told() -> Any:
        data = away.reader.read(KEY, time.time())
        return data and data["metrics"]["loss"]

    assert eventually(told) == [1, 9, 9, [9]]


def wait_for_requests(storage: Dav, count: int) -> None:
    """Wait until the storage was asked `count` times more."""
    wanted = len(storage.asked) + count
    eventually(lambda: len(storage.asked) >= wanted, "the storage is asked again")


def test_nothing_is_lost_by_a_storage_that_is_away(away: Away, storage: Dav) -> None:
    storage.end()
    copy, metrics, sending = away.start("ab12")
    report(metrics, *range(1, 200))
    eventually(lambda: away.said)
    storage.start()
    sending.close(20)
    eventually(lambda: away.arrived("ab12") == copy.metrics.read_bytes())


def test_a_file_that_holds_anything_else_makes_nothing(away: Away, storage: Dav) -> None:
    (folder,) = storage.folder.iterdir()
    for text in (
        "",
        "\n\n",
        "[]\nx\n",
        '{"copy": "../../x"}\n{}\n',
        '{"copy": 3}\n',
        "\0" * 1000,
        "{" * 100_000 + "\n{}\n",
    ):
        (folder / f"{KEY}.jsonl").write_text(text)
        wait_for_requests(storage, 5)
    assert not away.paths.arrived.exists() or not list(away.paths.arrived.rglob("metrics.jsonl"))


def test_the_runners_credential_stays_at_home(away: Away, storage: Dav) -> None:
    assert away.sender_file is not None
    text = away.sender_file.read_text()
    assert Credential(JOBS).headers()["Authorization"] in text
    assert Credential(RUNNER).headers()["Authorization"] not in text
    assert storage.settings()["secret"] not in text
    assert away.sender_file.stat().st_mode & 0o077 == 0


def test_a_wrong_credential_is_said_and_harms_no_job(storage: Dav, tmp_path: Path) -> None:
    key_files.write(key_files.drop_file(), {**storage.settings(), "jobs": "jobs:wrong"})
    away = Away(tmp_path)
    away.channel.follow([KEY])
    _, metrics, sending = away.start("ab12")
    report(metrics, 1)
    eventually(lambda: away.said)
    sending.close(1)
    away.channel.close()
    assert away.said == ["Metrics are not sent now: the storage answers 401. The job goes on."]
    assert storage.url not in away.said[0]
    assert away.arrived("ab12") == b""
