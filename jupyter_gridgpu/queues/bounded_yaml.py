"""Reads YAML whose author may mean harm: nodes, aliases and numbers are counted beforehand.

An alias is a node once more. Ten lines, each of which names the one before ten times, stand for
ten thousand million nodes. So an alias counts as all that it stands for, before anything is built.
"""

from __future__ import annotations

from typing import Any

import yaml

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import one_line

NODES_LIMIT = 500_000
DEPTH_LIMIT = 100  # levels of lists and mappings in each other
# Characters of a number. To YAML, `1:30:00` is a number to the base 60, and a long one would take
# for ever.
NUMBER_LIMIT = 4_000
REASON_LIMIT = 120  # characters of what YAML or Python say
_NUMBER_STARTS = ("+", "-", ".", *"0123456789")
# libyaml is many times as fast as Python's own code, but not everywhere there.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load(text: str) -> Any:
    """Return what a text in YAML says.

    Raises UsageError if it cannot be read. Its text is the end of a sentence, and begins with the
    line: `line 3: it is not YAML`.
    """
    check(text)
    try:
        return yaml.load(text, Loader=LOADER)
    except yaml.YAMLError as error:
        raise UsageError(reason_of(error)) from None
    # The functions that make values of texts fail with many types of errors: `!!int ""` with an
    # IndexError, `!!timestamp x` with an AttributeError.
    except Exception as error:
        reason = one_line(str(error), REASON_LIMIT)
        raise UsageError(f"somewhere: a value has no meaning ({reason})") from None


def compose(text: str) -> Any:
    """Return the nodes of a text in YAML, which know their lines; None for an empty text.

    Raises UsageError with the reason if the text cannot be read.
    """
    check(text)
    try:
        return yaml.compose(text, Loader=LOADER)
    except yaml.YAMLError as error:
        raise UsageError(reason_of(error)) from None


def check(text: str) -> None:
    """Raise UsageError with the reason if a text is no YAML, or stands for too many nodes."""
    counter = _Counter()
    try:
        for event in yaml.parse(text, Loader=LOADER):
            counter.take(event)
    except yaml.YAMLError as error:
        raise UsageError(reason_of(error)) from None
    except (ValueError, RecursionError):
        raise UsageError("somewhere: it is nested too deeply, or is no text") from None


def reason_of(error: yaml.YAMLError) -> str:
    """Return where a text is no YAML and why, as a part of a sentence."""
    line = "somewhere"
    position = getattr(error, "problem_mark", None)
    if position is not None:
        line = f"line {position.line + 1}"  # yaml counts lines from 0
    reason = one_line(str(getattr(error, "problem", None) or "unreadable"), REASON_LIMIT)
    return f"{line}: it is not YAML ({reason}); mind the indentation"


class _Counter:
    """Counts the nodes of a text from the events of its parser. An alias counts as its node."""

    def __init__(self) -> None:
        self._nodes = 0
        self._sizes: dict[str, int] = {}  # nodes by anchor
        # The lists and mappings that are not at their end yet: anchor, and nodes before.
        self._open: list[tuple[str | None, int]] = []

    def take(self, event: yaml.Event) -> None:
        """Count an event. Raises UsageError with the reason if there is too much."""
        if isinstance(event, yaml.AliasEvent):
            size = self._sizes.get(event.anchor)
            if size is None:
                raise UsageError(f"{_line(event)}: an alias stands for no node before it")
            self._add(size, event)
        elif isinstance(event, yaml.ScalarEvent):
            _check_number(event)
            self._add(1, event)
            if event.anchor:
                self._sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            self._open.append((event.anchor, self._nodes))
            if len(self._open) > DEPTH_LIMIT:
                raise UsageError(f"{_line(event)}: there are more than {DEPTH_LIMIT} levels")
            self._add(1, event)
            # An alias of a node inside of itself has no end.
            self._sizes.pop(event.anchor, None)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = self._open.pop()
            if anchor:
                self._sizes[anchor] = self._nodes - before

    def _add(self, nodes: int, event: yaml.Event) -> None:
        self._nodes += nodes
        if self._nodes > NODES_LIMIT:
            raise UsageError(f"{_line(event)}: there are more than {NODES_LIMIT:,} values and keys")


def _check_number(event: yaml.ScalarEvent) -> None:
    """Raise UsageError if a text would become a very long number."""
    if len(event.value) <= NUMBER_LIMIT:
        return
    is_number = not event.style and event.value.startswith(_NUMBER_STARTS)
    if event.tag or is_number:
        raise UsageError(f"{_line(event)}: a number has more than {NUMBER_LIMIT:,} characters")


def _line(event: yaml.Event) -> str:
    return f"line {event.start_mark.line + 1}"
