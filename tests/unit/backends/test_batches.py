"""How batches are kept on disk, and what a runner learns from them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_gridgpu.backends.batch.batches import BatchStore
from jupyter_gridgpu.store.paths import ScanPaths
from tests.old_scans import SLURM, bring

TASKS = [["v0001.1", "v0002.1"], ["v0003.1"]]


def test_a_new_runner_knows_what_was_handed_over_and_what_the_batch_system_calls_it(
    tmp_path: Path,
) -> None:
    first = BatchStore(ScanPaths(tmp_path))
    batch = first.make(TASKS)
    assert first.unconfirmed(["v0003.1", "v0009.1"]) == [batch]
    first.record_id(batch, "17")
    for batches in (first, BatchStore(ScanPaths(tmp_path))):
        assert batches.place("v0003.1") == (batch, 2)
        assert batches.place("v0009.1") is None
        assert (batches.id_of(batch), batches.unconfirmed(["v0001.1"])) == ("17", [])


def test_a_batch_that_was_not_sent_after_all_has_no_id_and_is_not_asked_for_again(
    tmp_path: Path,
) -> None:
    batches = BatchStore(ScanPaths(tmp_path))
    batch = batches.make(TASKS)
    batches.record_id(batch, None)
    for known in (batches, BatchStore(ScanPaths(tmp_path))):
        assert (known.id_of(batch), known.unconfirmed(["v0001.1"])) == (None, [])


def test_a_job_is_where_it_was_handed_over_last(tmp_path: Path) -> None:
    batches = BatchStore(ScanPaths(tmp_path))
    batches.record_id(batches.make(TASKS), None)
    again = batches.make([["v0003.1"]])
    assert again.name == "b0002"
    assert BatchStore(ScanPaths(tmp_path)).place("v0003.1") == (again, 1)


def test_batches_are_numbered_on_past_ten_thousand(tmp_path: Path) -> None:
    (tmp_path / "batches" / "b10000").mkdir(parents=True)
    (tmp_path / "batches" / "b9999").mkdir()
    assert BatchStore(ScanPaths(tmp_path)).make(TASKS).name == "b10001"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"id": 3}', '{"id": ["a"]}', "{}"])
def test_an_answer_that_is_not_sound_leaves_the_batch_unsure(tmp_path: Path, text: str) -> None:
    batch = BatchStore(ScanPaths(tmp_path)).make(TASKS)
    batch.engine_file.write_text(text)
    assert BatchStore(ScanPaths(tmp_path)).unconfirmed(["v0001.1"]) == [batch]


def test_a_batch_of_which_a_killed_runner_wrote_only_the_folder_holds_nothing(
    tmp_path: Path,
) -> None:
    (tmp_path / "batches" / "b0001").mkdir(parents=True)
    batches = BatchStore(ScanPaths(tmp_path))
    assert batches.unconfirmed(["v0001.1"]) == []
    assert batches.make(TASKS).name == "b0002"


def test_a_batch_whose_tasks_could_not_be_written_is_in_nobody_s_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = BatchStore(ScanPaths(tmp_path))
    with monkeypatch.context() as disk:
        disk.setattr(
            "jupyter_gridgpu.backends.batch.batches.write_atomic",
            lambda path, text: os.stat("/none"),
        )
        with pytest.raises(OSError, match="none"):
            found.make(TASKS)
    assert found.place("v0003.1") is None
    assert found.place(TASKS[0][0]) is None
    batch = found.make(TASKS)
    assert found.place("v0003.1") == (batch, 2)


def test_batches_that_an_earlier_version_sent_to_slurm_are_known(tmp_path: Path) -> None:
    batches = BatchStore(ScanPaths(bring(SLURM, tmp_path)))
    assert [batch.name for batch in batches.all()] == ["b0001", "b0002"]
    keys = ("v0001.1", "v0002.1", "v0003.1", "v0004.1", "v0004.2")
    places = [batches.place(key) for key in keys]
    names = [(place[0].name, place[1]) for place in places if place is not None]
    assert names == [("b0001", 1), ("b0001", 1), ("b0001", 2), ("b0001", 2), ("b0002", 1)]
    assert [batches.id_of(batch) for batch in batches.all()] == ["53909922", "53909924"]
    assert batches.unconfirmed(keys) == []
