from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model.metrics import clean_name
from jupyter_gridgpu.model.scan import to_json
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.terminal import BARS, render, sparkline
from jupyter_gridgpu.testing.examples import Story, small_scan


def printed(
    folder: Path, story: Story, limit: int | None = None, width: int = 140, **changes: Any
) -> str:
    paths = ScanPaths(folder)
    write_json(paths.spec, to_json(small_scan(**changes)))
    paths.journal.write_bytes(story.text())
    handle = ScanHandle(folder)
    handle.refresh()
    console = Console(file=io.StringIO(), width=width, force_terminal=False, color_system=None)
    console.print(render(handle, "running", console, limit))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@given(st.lists(st.none() | st.floats() | st.integers(-(2**53), 2**53)), st.integers(1, 40))
def test_a_curve_of_any_values_is_short_blocks(values: list[float | None], width: int) -> None:
    curve = sparkline(values, width)
    assert len(curve) <= width
    assert set(curve) <= {*BARS, " "}


def test_a_curve_of_the_largest_and_smallest_numbers_is_drawn() -> None:
    assert sparkline([-1.7e308, 0.0, 1.7e308]) in ("▁▄█", "▁▅█")


def test_a_curve_rises_and_has_gaps() -> None:
    assert sparkline([0.0, math.nan, 7.0, None, 3.5]) == "▁ █ ▅"
    assert sparkline([1.0, 1.0]) == "▁▁"
    assert sparkline([1.0]) == ""


def test_a_scan_is_shown_with_states_metrics_and_best(tmp_path: Path) -> None:
    story = Story()
    story.run(1, acc=0.5, lr=0.1)
    story.run(2, "failed", lr=0.2)
    story.tell("job.observed", key="v0002.1", state="failed", message="never seen: it had ended")
    story.propose(3, lr=0.3)
    text = printed(tmp_path, story)
    for words in ("v0001 ★", "✔ done", "✖ failed", "◌ new", "0.5000", "2 of 3", "on this machine"):
        assert words in text
    assert "never seen" not in text


def test_of_many_rows_the_running_and_failed_ones_are_shown(tmp_path: Path) -> None:
    story = Story()
    ends = {40: None, 50: "failed"}  # None: the job runs
    for number in range(1, 60):
        story.run(number, ends.get(number, "done"))
    text = printed(tmp_path, story, limit=4)
    assert "v0040" in text
    assert "v0050" in text
    assert "55 more rows" in text


@pytest.mark.parametrize(
    "word",
    ["[red]x[/red]", "[/]", "\x1b[31mred", "\x1b]0;title\x07", "a\nb\tc", "x" * 5000, "é漢字"],
)
def test_odd_words_neither_break_nor_colour_the_table(tmp_path: Path, word: str) -> None:
    story = Story()
    ident = story.propose(1, lr=word)
    story.tell("job.intended", key=f"{ident}.1")
    story.tell(
        "job.reported", key=f"{ident}.1", step=1, metrics={clean_name(word): [1, None, None, [2]]}
    )
    text = printed(tmp_path, story, width=60)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 60


@pytest.mark.parametrize(
    ("channel", "at", "words"),
    [
        ("push", 12.0, "Metrics come by push; the newest is 12 s old."),
        ("drop", None, "Metrics come by drop; none so far."),
        ("end", None, "Metrics arrive when a job ends."),
        ("file", 12.0, ""),
    ],
)
def test_the_way_of_metrics_is_said_where_it_is_no_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channel: str, at: float | None, words: str
) -> None:
    monkeypatch.setattr("jupyter_gridgpu.terminal.time.time", lambda: 2000.0)
    story = Story()
    story.tell("runner.started")
    story.run(1, None, lr=0.1)
    more = {} if at is None else {"at": 2000.0 - at}
    story.tell(
        "job.reported",
        key="v0001.1",
        step=1,
        steps=9,
        metrics={"acc": [1, 0.5, 0.5, [0.5]]},
        **more,
    )
    said = printed(tmp_path, story, channel=channel)
    assert words in said
    assert ("Metrics" in said) is bool(words)
