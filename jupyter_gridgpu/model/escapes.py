"""Takes the control sequences of terminals out of a text: colours, titles, links, cursor moves."""

from __future__ import annotations

import re

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
