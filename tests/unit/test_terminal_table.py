from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.model.metrics import clean_name
from jupyter_gridgpu.model.objective import Objective
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


# A scan with long names, a long message, and a variant in each state that a row may have.
ROWS = [
    (0.0001, 64, "relu", "done"),
    (0.00123456, 128, "gelu", "failed"),
    (0.01, 1024, "relu", None),
    (0.5, 8, "silu", "new"),
]
WHY = "ValueError: the learning rate is too large for this network in cell 3."
SPACE = "learning_rate = [1.0, 2.0]\nunits = [1, 2]\nactivation = ['a', 'b']"


def wide_story() -> Story:
    story = Story()
    for number, (rate, units, activation, end) in enumerate(ROWS, 1):
        ident = story.propose(number, learning_rate=rate, units=units, activation=activation)
        if end == "new":
            continue
        key = f"{ident}.1"
        story.tell("job.intended", key=key)
        story.tell("job.submitted", key=key, engine_id=key)
        story.tell("job.observed", key=key, state="running", started=1000.0)
        values = {"rej_light": [3, 1.0, 123.4 * number, [1.0, 50.0, 123.4 * number]]}
        values |= {name: [1, 0.5, 0.5, [0.5]] for name in ("loss", "val_loss", "auc")}
        story.tell("job.reported", key=key, step=number, steps=20, metrics=values, whole=True)
        if end:
            more = {"message": WHY, "reason": "notebook"} if end == "failed" else {}
            story.tell("job.observed", key=key, state=end, ended=1100.0, **more)
    return story


def table_of(folder: Path, width: int) -> list[str]:
    """Return the lines of the table, without those above it."""
    objective = Objective("rej_light", "maximize", "max")
    text = printed(folder, wide_story(), width=width, space=SPACE, objective=objective)
    lines = [line.rstrip() for line in text.splitlines()]
    begin = next(n for n, line in enumerate(lines) if line.startswith(("id ", "v0001")))
    return [line for line in lines[begin:] if line]


PICTURES = {
    40: """
v0001 ★  ✔ done
  learning_rate = 0.000100, units = 64,
  activation = relu, max(rej_light) =
  123.4
v0002  ✖ failed
  learning_rate = 0.00123, units = 128,
  activation = gelu, max(rej_light) =
  246.8
  ValueError: the learning rate is too
  large for this network in cell 3.
v0003  ◉ running
  learning_rate = 0.0100, units = 1024,
  activation = relu, max(rej_light) =
  370.2
v0004  ◌ new
  learning_rate = 0.500, units = 8,
  activation = silu, max(rej_light) = –
""",
    60: """
id      state     learning units activ max(r
                     _rate       ation ej_li
                                        ght)
v0001 ★ ✔ done    0.000100    64  relu 123.4
v0002   ✖ failed   0.00123   128  gelu 246.8
  ValueError: the learning rate is too large for this
  network in cell 3.
v0003   ◉ running   0.0100  1024  relu 370.2
v0004   ◌ new        0.500     8  silu     –
""",
    80: """
id       state      learning_rate  units  activation  epoch  max(rej_light)
v0001 ★  ✔ done          0.000100     64        relu   1/20           123.4
v0002    ✖ failed         0.00123    128        gelu   2/20           246.8
  ValueError: the learning rate is too large for this network in cell 3.
v0003    ◉ running         0.0100   1024        relu   3/20           370.2
v0004    ◌ new              0.500      8        silu      –               –
""",
}


@pytest.mark.parametrize("width", PICTURES)
def test_the_table_looks_like_this(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr("jupyter_gridgpu.terminal.time.time", lambda: 1200.0)
    assert "\n".join(table_of(tmp_path, width)) == PICTURES[width].strip("\n")


@pytest.mark.parametrize("width", range(40, 201))
def test_id_state_parameters_and_objective_are_whole_at_any_width(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr("jupyter_gridgpu.terminal.time.time", lambda: 1200.0)
    lines = table_of(tmp_path, width)
    text = "\n".join(lines)
    assert "…" not in text
    assert max(map(cell_len, lines)) <= width
    for number, words in enumerate(
        [
            ("✔ done", "0.000100", "64", "relu", "123.4"),
            ("✖ failed", "0.00123", "128", "gelu", "246.8"),
            ("◉ running", "0.0100", "1024", "relu", "370.2"),
            ("◌ new", "0.500", "8", "silu", "–"),
        ],
        1,
    ):
        # From the id of the variant to that of the next one.
        row = text.partition(f"v{number:04d}")[2].partition("v000")[0]
        for word in words:
            assert word in row.replace("=", " ").replace(",", " ").split() or word in row, word
    assert WHY.split() == " ".join(text.split()).partition(WHY)[1].split()


def test_a_live_display_takes_no_more_lines_than_the_terminal_has(tmp_path: Path) -> None:
    story = Story()
    for number in range(1, 40):
        story.run(number, None, lr=0.1)
        key = f"v{number:04d}.1"
        story.tell("job.observed", key=key, state="failed", message=WHY * 3)
    paths = ScanPaths(tmp_path)
    write_json(paths.spec, to_json(small_scan()))
    paths.journal.write_bytes(story.text())
    handle = ScanHandle(tmp_path)
    handle.refresh()
    console = Console(file=io.StringIO(), width=60, color_system=None)
    console.print(render(handle, "running", console, 12, lines=12))
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= 12 + 10
    assert sum(line.startswith("v00") for line in lines) >= 5


@pytest.mark.parametrize("width", [20, 40, 60, 80, 140])
def test_no_objective_is_left_out_however_narrow_the_terminal_is(
    tmp_path: Path, width: int
) -> None:
    both = (Objective("rej_light", "maximize", "max"), Objective("loss", "minimize"))
    text = printed(tmp_path, wide_story(), width=width, space=SPACE, objectives=both)
    joined = "".join("".join(text.split()))
    assert "v0001★" in joined
    assert "123.4" in joined
    assert "0.5000" in joined
    assert all(cell_len(line.rstrip()) <= width for line in text.splitlines())
    # The word may be left out where there is no room; the sign stays.
    assert ("front" in joined) is (width >= 140)
