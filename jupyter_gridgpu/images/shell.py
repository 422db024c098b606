"""Writes text for a POSIX shell: command lines, and scripts with places to fill in."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

# Stands before and after the name of a variable in a word. No path and no option can contain it.
_DELIMITER = "\0"


def variable(name: str) -> str:
    """Return a placeholder for the value of a shell variable, as a word or a part of one.

    `quoted` writes it as `${name}`. A dollar sign that is not part of a placeholder stays a plain
    character.
    """
    return f"{_DELIMITER}{name}{_DELIMITER}"


def quoted(word: str) -> str:
    """Return a word as shell text: the shell reads the same word, with its variables filled in."""
    parts = word.split(_DELIMITER)
    if len(parts) == 1:
        return shlex.quote(word)
    # Plain text and names of variables take turns, so every second part is a name.
    written = []
    for index, part in enumerate(parts):
        is_variable = index % 2 == 1
        if is_variable:
            written.append(f"${{{part}}}")
        else:
            written.append(within_quotes(part))
    return f'"{"".join(written)}"'


def within_quotes(text: str) -> str:
    """Return text as it is written between double quotes of a shell."""
    for character in '\\"$`':  # the backslash first, since the others get one
        text = text.replace(character, f"\\{character}")
    return text


def command_line(words: Sequence[str]) -> str:
    """Return the words of a command as shell text."""
    return " ".join(map(quoted, words))


def filled(template: Path, places: Mapping[str, str]) -> str:
    """Return the text of a file of this package, in which `#NAME#` stands for the text of a place.

    All places are filled in at once, since a text could look like another place.
    """
    text = template.read_text(encoding="utf-8")
    return re.sub(r"#([A-Z_]+)#", lambda found: places[found[1]], text)
