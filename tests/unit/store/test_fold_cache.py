"""A kept fold shows what the journal says, or nothing."""

from __future__ import annotations

import json
import math
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model import wire
from jupyter_gridgpu.model.variant import VariantView
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.store import fold_cache, home
from jupyter_gridgpu.store.fold_soundness import VARIANT, VIEW
from jupyter_gridgpu.store.journal import JournalReader
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import Story, small_scan


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_cache, "LEAST_VARIANTS", 1)


@pytest.fixture
def story() -> Story:
    made = Story()
    made.tell("runner.started")
    made.run(1, "done", acc=0.5, lr=0.1, größe=math.inf)
    made.run(2, "failed", acc=math.nan, lr=math.nan)
    made.run(2, "done", attempt=2, acc=0.7)
    made.run(3, None, acc=0.1, lr=[1, None])
    made.propose(4, lr=None)
    made.tell("command.applied", id="a", action="stop", variants=["v0004"])
    made.tell("job.observed", key="v0003.1", state="done", ended=5.0)
    made.tell("scan.finished", state="done")
    return made


@pytest.fixture
def paths(scans_home: Path, story: Story) -> ScanPaths:
    """A scan that has ended, with its fold kept."""
    scans_home.mkdir()
    made = ScanPaths(home.create(small_scan(), b"{}", {}, lambda paths: None, None))
    made.journal.write_bytes(story.text())
    fold_cache.write(made, folded(made), made.journal.stat().st_size)
    return made


def test_every_part_of_a_kept_fold_is_checked() -> None:
    # A part that is not checked would make all caches useless, and nobody would notice.
    kept_apart = {"metrics"}
    assert set(VARIANT) == {field.name for field in fields(VariantView)} - kept_apart
    assert set(VIEW) == set(fold_cache._PLAIN)


def folded(paths: ScanPaths) -> ScanView:
    return ScanView(home.load(paths.folder)).apply_all(JournalReader(paths.journal).read())


def shown(view: ScanView) -> Any:
    head = wire.head(view, view.state, 0.0)
    rows = [wire.row(view, variant) for variant in view.variants.values()]
    changed = [variant.id for variant in view.changed_since(view.rev - 3)]
    jobs = [wire.job(view, variant, False) for variant in view.variants.values()]
    return json.dumps(
        [head, rows, jobs, changed, view.rev, sorted(view.commands), [v.id for v in view.waiting()]]
    )


def test_what_was_kept_is_what_the_journal_says(paths: ScanPaths) -> None:
    kept = fold_cache.read(paths, home.load(paths.folder))
    assert kept is not None
    assert shown(kept[0]) == shown(folded(paths))
    handle = ScanHandle(paths.folder)
    assert handle.refresh()
    assert shown(handle.view) == shown(folded(paths))
    assert not handle.refresh()


def test_what_the_journal_gained_since_is_folded_on(paths: ScanPaths, story: Story) -> None:
    story.tell("command.applied", id="b", action="retry", variants=None)
    story.tell("job.intended", key="v0004.1")
    story.tell("job.observed", key="v0004.1", state="running", started=9.0)
    paths.journal.write_bytes(story.text())
    handle = ScanHandle(paths.folder)
    handle.refresh()
    assert handle.view.variants["v0004"].state == "running"
    assert shown(handle.view) == shown(folded(paths))


def test_another_journal_a_shorter_one_and_damage_are_noticed(
    paths: ScanPaths, story: Story
) -> None:
    text, kept = story.text(), paths.fold.read_text()
    for other in (text.replace(b"0.5", b"0.6"), text[:-20], b""):
        paths.journal.write_bytes(other)
        assert fold_cache.read(paths, home.load(paths.folder)) is None
    paths.journal.write_bytes(text)
    for damage in (
        "",
        "[]",
        "{}",
        kept[:-5],
        kept.replace('"shape":"', '"shape":"x', 1),
        kept.replace('"lr"', '"rl"', 1)[:90],
    ):
        paths.fold.write_text(damage)
        assert fold_cache.read(paths, home.load(paths.folder)) is None
    handle = ScanHandle(paths.folder)
    handle.refresh()
    assert shown(handle.view) == shown(folded(paths))


def test_a_short_journal_is_not_worth_it(paths: ScanPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fold_cache, "LEAST_VARIANTS", 500)
    paths.fold.unlink()
    fold_cache.write(paths, folded(paths), 10)
    assert not paths.fold.exists()


def test_a_cache_of_version_0_1_0_changes_nothing(paths: ScanPaths) -> None:
    paths.fold.rename(paths.folder / "checkpoint.json")
    for text in (None, "{", "[]"):
        if text is not None:
            (paths.folder / "checkpoint.json").write_text(text)
        assert fold_cache.read(paths, home.load(paths.folder)) is None
        handle = ScanHandle(paths.folder)
        handle.refresh()
        assert shown(handle.view) == shown(folded(paths))
