"""Takes out of texts what steers terminals and pages: colours, titles, links, cursor moves.

A name, a value or a message may come from anybody. Every face shows texts that went through
`visible`, or through `one_line` in `job.py`, which does the same and bounds them too. What programs
read (`--json`, exported data) has the texts as they are; JSON escapes them.
"""

from __future__ import annotations

import re
from typing import Any

# ECMA-48: a control sequence (`ESC [ 31 m`), a string up to its end (`ESC ] 0;title BEL`), and
# a single command (`ESC ( B`). The C1 characters mean the same as ESC and one more character.
_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*(?:[@-~]|$)"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c|$)"
    r"|\x1b[ -/]*[0-~]"
)
_STARTS = re.compile("[\x1b\x90\x98\x9b\x9d\x9e\x9f]")


def without_escapes(text: str) -> str:
    """Return a text without the sequences that terminals obey; a sequence that was cut off ends it.

    Other control characters stay.
    """
    # Most texts hold none, and one quick look tells.
    if not _STARTS.search(text):
        return text
    return _SEQUENCES.sub("", text)


def visible(text: str) -> str:
    """Return a text as it may be shown: without sequences for terminals and hidden characters.

    Control characters and marks that change the direction of writing become spaces. Ends of lines
    and tabs stay. Bytes that are no UTF-8, which Python keeps as halves of surrogate pairs, are
    shown by their numbers, so that the name of a file can still be recognised.
    """
    if text.isprintable():
        return text
    plain = without_escapes(text).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(char if char.isprintable() or char in "\n\t" else " " for char in plain)


def visible_value(value: Any) -> Any:
    """Return a JSON value in which each text, also each key, is as `visible` makes it."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, list):
        return [visible_value(item) for item in value]
    if isinstance(value, dict):
        return {visible(key): visible_value(item) for key, item in value.items()}
    return value
