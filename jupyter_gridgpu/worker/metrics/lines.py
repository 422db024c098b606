"""Output of a terminal program as the lines a person would see."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07|\x1b[()][A-Z0-9]")
LINE_LIMIT = 20_000


class TerminalLines:
    """Turns chunks with colours, carriage returns and backspaces into finished plain lines."""

    def __init__(self) -> None:
        self._open = ""

    def feed(self, chunk: str) -> list[str]:
        """Return the lines that `chunk` finished."""
        *lines, self._open = (self._open + chunk).split("\n")
        if len(self._open) > LINE_LIMIT:  # a progress bar that redraws one line for hours
            screen, at = _screen(self._open)
            self._open = screen[-LINE_LIMIT:] + "\b" * min(len(screen) - at, LINE_LIMIT)
        return [resolved(line) for line in lines]

    def rest(self) -> str:
        """Return the line that was never finished."""
        line, self._open = resolved(self._open), ""
        return line


def resolved(line: str) -> str:
    """Return what stands on the screen after `line` was printed: later text overwrites earlier."""
    if "\r" not in line and "\b" not in line and "\x1b" not in line:
        return line[:LINE_LIMIT]
    return _screen(line)[0].rstrip()[:LINE_LIMIT]


def _screen(line: str) -> tuple[str, int]:
    """Return what stands on the screen, and in which column the next character would."""
    line = _ESCAPES.sub("", line[-4 * LINE_LIMIT :])
    screen: list[str] = []
    at = 0
    for char in line:
        if char == "\r":
            at = 0
        elif char == "\b":
            at = max(at - 1, 0)
        else:
            screen[at : at + 1] = [char]
            at += 1
    return "".join(screen), at
