"""The output of a terminal program as the lines that a person would see."""

from __future__ import annotations

from jupyter_gridgpu.model.escapes import without_escapes

LINE_LIMIT = 20_000  # characters of one line


class TerminalLines:
    """Turns chunks with colours, carriage returns and backspaces into finished plain lines."""

    def __init__(self) -> None:
        self._unfinished = ""

    def feed(self, chunk: str) -> list[str]:
        """Return the lines that `chunk` finished."""
        *lines, self._unfinished = (self._unfinished + chunk).split("\n")
        # A progress bar may redraw one line for hours. Characters that were overwritten are
        # dropped here, so that the line does not grow without end.
        if len(self._unfinished) > LINE_LIMIT:
            screen, column = _screen(self._unfinished)
            # Backspaces at the end put the cursor back where it was, so that text overwrites
            # the same characters as before.
            back = min(len(screen) - column, LINE_LIMIT)
            self._unfinished = screen[-LINE_LIMIT:] + "\b" * back
        # A cell may print millions of plain lines.
        if _is_plain(chunk) and lines and _is_plain(lines[0]):
            return [line[:LINE_LIMIT] for line in lines]
        return [resolved(line) for line in lines]

    def finish(self) -> str:
        """Return the line that was never finished, and forget it."""
        line = resolved(self._unfinished)
        self._unfinished = ""
        return line


def resolved(line: str) -> str:
    """Return what stands on the screen after `line` was printed: later text overwrites earlier."""
    # Most lines hold no control character, and the loop over characters is slow.
    if _is_plain(line):
        return line[:LINE_LIMIT]
    screen, _ = _screen(line)
    return screen.rstrip()[:LINE_LIMIT]


def _is_plain(text: str) -> bool:
    """Return whether a text holds nothing that moves the cursor or colours text."""
    return "\r" not in text and "\b" not in text and "\x1b" not in text


def _screen(line: str) -> tuple[str, int]:
    """Return what stands on the screen, and the column into which the next character would go."""
    line = without_escapes(line[-4 * LINE_LIMIT :])
    screen: list[str] = []
    column = 0
    for char in line:
        if char == "\r":
            column = 0
        elif char == "\b":
            column = max(column - 1, 0)
        else:
            # The slice replaces a character, or appends one at the end of the line.
            screen[column : column + 1] = [char]
            column += 1
    return "".join(screen), column
