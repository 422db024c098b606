"""Bounds what the outputs of a cell leave in the notebook, and says there what was left out.

A notebook that prints or draws for days would become too large to be saved every few seconds, and
to be opened. Of printed text the beginning and the end are kept, of displays the beginning.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import nbformat

HEAD_LIMIT = 7 * 1024 * 1024  # characters of the beginning of a cell's text
TAIL_LIMIT = 1024 * 1024  # characters of its end
MERGED_LIMIT = 64 * 1024  # characters up to which one output takes the text of further messages
DISPLAY_LIMIT = 32 * 1024 * 1024  # characters by which displays may grow in one cell
DISPLAYS_LIMIT = 5000  # displays of one cell
ERROR_LIMIT = 256 * 1024  # characters of one line of a traceback, and of an error's message


class KeptOutput:
    """What is kept of the outputs of one cell, or of one widget that shows outputs."""

    def __init__(self, logged: bool = True) -> None:
        """`logged` says whether the log has the printed text that is left out here."""
        self.logged = logged
        self.clear()

    def clear(self) -> None:
        """Begin anew, as a cell does, or after clear_output()."""
        self._text = 0  # characters of text that are kept
        self._tail: deque[str] = deque()
        self._tail_size = 0
        self._lines = 0  # that were left out
        self._tail_node: Any = None
        self._displayed = 0  # characters by which displays have grown
        self._displays = 0
        self._displays_left_out = 0
        self._display_node: Any = None

    def add_text(self, outputs: list[Any], name: str, text: str) -> None:
        """Keep a text of the stream `name`, as far as there is room for it."""
        cut = _cut(text, HEAD_LIMIT - self._text) if self._tail_node is None else 0
        if cut:
            self._text += cut
            _append(outputs, name, text[:cut])
        if cut == len(text):
            return
        if self._tail_node is None:
            self._tail_node = nbformat.v4.new_output("stream", name=name)
            outputs.append(self._tail_node)
        self._tail.append(text[cut:])
        self._tail_size += len(text) - cut
        while self._tail_size > TAIL_LIMIT:
            self._shorten_tail()

    def accepts_display(self, data: Any, before: int = 0) -> bool:
        """Return whether a display is kept; `before` is the size of the one that it replaces."""
        growth = size_of(data) - before
        full = self._displays >= DISPLAYS_LIMIT and not before
        if full or (growth > 0 and self._displayed + growth > DISPLAY_LIMIT):
            self._displays_left_out += 1
            return False
        self._displays += not before
        self._displayed += growth
        return True

    def refresh(self, outputs: list[Any]) -> None:
        """Write into the outputs, before they are saved, what was left out, and the last text."""
        if self._tail_node is not None:
            note = ""
            if self._lines:
                there = ", the log has them" if self.logged else ""
                note = f"\n... {self._lines:,} lines left out{there} ...\n"
            self._tail_node["text"] = note + "".join(self._tail)
        if self._displays_left_out:
            if self._display_node is None:
                self._display_node = nbformat.v4.new_output("stream", name="stderr")
                outputs.append(self._display_node)
            self._display_node["text"] = f"... {self._displays_left_out:,} displays left out ...\n"

    def _shorten_tail(self) -> None:
        """Drop the oldest text of the tail, up to the end of a line."""
        first = self._tail.popleft()
        self._tail_size -= len(first)
        excess = self._tail_size + len(first) - TAIL_LIMIT
        # The rest of a very long message is kept.
        keep = first.find("\n", excess) + 1 if len(first) > excess else 0
        if keep:
            self._tail.appendleft(first[keep:])
            self._tail_size += len(first) - keep
            first = first[:keep]
        self._lines += first.count("\n")


def size_of(data: Any) -> int:
    """Return about how many characters a part of a message takes in the notebook."""
    if isinstance(data, str):
        return len(data)
    if isinstance(data, Mapping):
        return sum(len(str(key)) + size_of(value) for key, value in data.items())
    if isinstance(data, (list, tuple)):
        return sum(map(size_of, data))
    return 8


def bound_error(content: dict[str, Any]) -> None:
    """Shorten the texts of an error message in place."""
    for key in ("ename", "evalue"):
        content[key] = _shortened(content.get(key))
    lines = content.get("traceback")
    content["traceback"] = [_shortened(line) for line in lines] if isinstance(lines, list) else []


def _shortened(text: Any) -> str:
    shown = text if isinstance(text, str) else str(text or "")
    if len(shown) <= ERROR_LIMIT:
        return shown
    return f"{shown[:ERROR_LIMIT]}… {len(shown) - ERROR_LIMIT:,} characters left out"


def _append(outputs: list[Any], name: str, text: str) -> None:
    """Append text to the last output if it is short and of the same stream, else a new output."""
    last = outputs[-1] if outputs else {}
    mergeable = last.get("output_type") == "stream" and last.get("name") == name
    if mergeable and len(last["text"]) < MERGED_LIMIT:
        last["text"] += text
    else:
        outputs.append(nbformat.v4.new_output("stream", name=name, text=text))


def _cut(text: str, room: int) -> int:
    """Return how much of a text fits into a room: all of it, or whole lines if there are some."""
    if len(text) <= room:
        return len(text)
    room = max(room, 0)
    return text.rfind("\n", 0, room) + 1 or room
