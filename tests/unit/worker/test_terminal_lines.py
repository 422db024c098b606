"""Output of a terminal program as the lines that a person would see."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_gridgpu.worker.metrics.lines import LINE_LIMIT, TerminalLines, resolved

PRINTED = st.text(st.sampled_from("ab \r\b\n\x1b[31m]0;\x07(Bé")) | st.text()


def lines_of(chunks: list[str]) -> list[str]:
    lines = TerminalLines()
    found = [line for chunk in chunks for line in lines.feed(chunk)]
    return [*found, lines.finish()]


@given(PRINTED, st.lists(st.integers(0, 100)))
def test_lines_are_the_same_however_the_text_comes(text: str, cuts: list[int]) -> None:
    ends = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(ends)]
    assert "".join(pieces) == text
    assert lines_of(pieces) == lines_of([text])


@given(PRINTED)
def test_any_line_is_resolved_to_plain_text(text: str) -> None:
    line = resolved(text)
    assert len(line) <= LINE_LIMIT
    assert "\r" not in line
    assert "\b" not in line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("plain", "plain"),
        ("abc\r", "abc"),
        ("abc\rX", "Xbc"),
        ("abc\b\bX", "aXc"),
        ("\b\b\bX", "X"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("  0%\r 50%\r100%", "100%"),
        ("\x1b[2K\rdone", "done"),
    ],
)
def test_a_line_shows_what_a_terminal_would(text: str, line: str) -> None:
    assert resolved(text) == line


@pytest.mark.parametrize("step", ["\r{:4d}/9999", "{:4d}/9999\r", "\b" * 9 + "{:4d}/9999"])
def test_a_bar_that_redraws_one_line_for_hours_is_one_line(step: str) -> None:
    lines = lines_of([*(step.format(i) for i in range(1, 10_000)), "\n"])
    assert lines == ["9999/9999", ""]


def test_an_endless_line_is_bounded_and_the_next_one_whole() -> None:
    lines = lines_of(["x" * 50_000] * 20 + ["\nnext\n"])
    assert len(lines[0]) <= LINE_LIMIT
    assert lines[1:] == ["next", ""]


@given(st.lists(st.sampled_from(["a", "\r", "\b", "\x1b[0m", "\n"]), max_size=300))
def test_no_memory_of_a_line_is_left_after_its_end(pieces: list[Any]) -> None:
    lines = TerminalLines()
    for piece in pieces:
        lines.feed(piece)
    lines.finish()
    assert lines.finish() == ""
    assert lines.feed("fresh\n") == ["fresh"]
