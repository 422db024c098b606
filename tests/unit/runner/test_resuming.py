"""A runner that goes on from the journal of one that was killed; no job is started here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gridgpu.errors import ScanLocked
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.scan import to_json
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.runner.loop import Runner
from jupyter_gridgpu.store import home, inbox
from jupyter_gridgpu.store.journal import JournalReader
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.testing.examples import Story, small_scan


def scan_folder(folder: Path, **changes: Any) -> ScanPaths:
    paths = ScanPaths(folder)
    paths.jobs.mkdir()
    paths.inbox.mkdir()
    write_json(paths.spec, to_json(small_scan(**changes)))
    return paths


@contextmanager
def runner_of(paths: ScanPaths) -> Iterator[Runner]:
    runner = Runner(paths.folder)
    try:
        yield runner
    finally:
        runner.journal.close()
        runner.lease.release()


def seen_by_others(paths: ScanPaths) -> Any:
    return shown(ScanView(home.load(paths.folder)).apply_all(JournalReader(paths.journal).read()))


def shown(view: ScanView) -> Any:
    return view.seq, view.term, wire.head(view, view.state, 2000.0), [wire.row(view, v) for v in view.variants.values()]


def story() -> Story:
    story = Story()
    story.tell("runner.started")
    story.run(1, acc=0.5, lr=0.1)
    story.run(2, None, lr=0.2)
    story.tell("scan.finished", state="done")
    return story


STORY = story().text()


LINE_ENDS = [at for at, char in enumerate(STORY) if char == ord("\n")]


@settings(max_examples=40)
@given(st.integers(0, len(STORY)) | st.sampled_from(LINE_ENDS))
def test_a_resuming_runner_and_everybody_else_see_the_same_scan(size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = scan_folder(Path(folder))
        paths.journal.write_bytes(STORY[:size])
        with runner_of(paths) as runner:
            runner.record(("runner.started", {}))
            runner.record(("variant.proposed", {"variant": "v0009", "point": 8, "repeat": 0, "params": {"lr": 0.3}, "attrs": {}}))
            assert not runner.view.finished
            assert shown(runner.view) == seen_by_others(paths)


@pytest.mark.parametrize("text", [None, "", "{"])
def test_a_lost_lock_file_does_not_silence_the_runner(tmp_path: Path, text: str | None) -> None:
    paths = scan_folder(tmp_path)
    for _ in range(3):
        with runner_of(paths) as runner:
            runner.record(("runner.started", {}))
    paths.lock.unlink()
    if text is not None:
        paths.lock.write_text(text)
    with runner_of(paths) as runner:
        before = runner.view.rev
        runner.record(("runner.started", {}))
        assert runner.view.rev == before + 1


def test_a_second_runner_is_refused_and_touches_nothing(tmp_path: Path) -> None:
    paths = scan_folder(tmp_path)
    paths.journal.write_bytes(STORY[:-5])
    with runner_of(paths):
        before = paths.journal.read_bytes()
        with pytest.raises(ScanLocked):
            Runner(paths.folder)
        assert paths.journal.read_bytes() == before


def test_a_command_is_applied_once_though_it_lies_there_twice(tmp_path: Path) -> None:
    paths = scan_folder(tmp_path, sampler="random", trials=1)
    inbox.post(paths.inbox, "extend", trials=2)
    (command,) = inbox.pending(paths.inbox)
    text = command.read_text()
    with runner_of(paths) as runner:
        runner.obey()
    command.write_text(text)  # a runner that was killed between journal and removal
    (paths.inbox / "junk.json").write_text("{")
    with runner_of(paths) as runner:
        runner.obey()
        assert runner.view.trials() == 3
    assert inbox.pending(paths.inbox) == []


@pytest.mark.parametrize("sampler", ["grid", "random", "sobol", "tpe"])
def test_points_are_proposed_once_over_any_number_of_runners(tmp_path: Path, sampler: str) -> None:
    trials = None if sampler == "grid" else 6
    paths = scan_folder(
        tmp_path, space="a = [1, 2, 3]\nb = [4, 5]\nseed = repeats(2)", sampler=sampler, trials=trials, parallel=4
    )
    for _ in range(3):
        with runner_of(paths) as runner:
            runner.propose()
            lines = paths.journal.read_bytes().splitlines(keepends=True)
        paths.journal.write_bytes(b"".join(lines[: max(len(lines) - 1, 1)]))  # the last repeat was not written
    with runner_of(paths) as runner:
        runner.propose()
        variants = list(runner.view.variants.values())
    assert [v.id for v in variants] == [f"v{n:04d}" for n in range(1, len(variants) + 1)]
    assert [(v.point, v.repeat) for v in variants] == [divmod(n, 2) for n in range(len(variants))]
    assert len(variants) == (4 if sampler == "tpe" else 12)
    assert all(v.params["seed"] == v.repeat and list(v.params) == ["a", "b", "seed"] for v in variants)
