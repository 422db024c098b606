"""Keeps the comments of lines that are replaced by other lines."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import SequenceMatcher

_YAML_COMMENT = re.compile(r"(?:^|(?<=\s))#")


@dataclass
class CommentedLine:
    """A line with what it says, the comment behind it, and the comments above it."""

    code: str
    comment: str = ""
    above: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        """What it says, however it is aligned; what it is indented by counts."""
        indent = len(self.code) - len(self.code.lstrip())
        return f"{indent} {' '.join(self.code.split())}"

    @property
    def target(self) -> str:
        """The name that it is about: what stands before `=` or `:`."""
        return re.split(r"[=:]", self.code)[0].strip()

    def text(self) -> str:
        """Return the whole line."""
        return self.code + self.comment


Text = tuple[list[CommentedLine], list[str]]  # the lines, and the comments below the last one


def of_python(text: str) -> Text:
    """Return the lines of a cell, and the comments below the last one."""
    places: dict[int, int] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                places[token.start[0]] = token.start[1]
    except (tokenize.TokenError, SyntaxError):  # what is no Python has no comments
        places = {}
    lines = text.splitlines()
    return _lines((line, places.get(number)) for number, line in enumerate(lines, 1))


def of_yaml(lines: Iterable[str]) -> Text:
    """Return lines of YAML, and the comments below the last one."""
    found = []
    for line in lines:
        starts = (match.start() for match in _YAML_COMMENT.finditer(line))
        found.append((line, next((at for at in starts if not _in_quotes(line[:at])), None)))
    return _lines(found)


def _in_quotes(before: str) -> bool:
    return before.count('"') % 2 == 1 or before.count("'") % 2 == 1


def _lines(lines: Iterable[tuple[str, int | None]]) -> Text:
    """Return lines with their comments; each comes with the column of its comment, if any."""
    found: list[CommentedLine] = []
    above: list[str] = []
    for text, column in lines:
        code = (text if column is None else text[:column]).rstrip()
        if code:
            found.append(CommentedLine(code, text[len(code) :].rstrip(), above))
            above = []
        else:
            above.append(text.rstrip())
    return found, above


def merged(old: Text, new: Text) -> list[str]:
    """Return the new lines, with all comments above old ones, and those behind what stays."""
    before, after = old[0], new[0]
    made: list[str] = []
    matcher = SequenceMatcher(
        None, [line.key for line in before], [line.key for line in after], autojunk=False
    )
    for what, start, end, first, last in matcher.get_opcodes():
        if what == "equal":
            for line, other in zip(before[start:end], after[first:last], strict=True):
                made += _above(line, other)
                made.append(line.text() if line.comment else line.code + other.comment)
            continue
        named = {line.target: line for line in before[start:end]}
        for line in before[start:end]:
            made += line.above
        for other in after[first:last]:
            known = named.get(other.target)
            made += [text for text in other.above if text not in made]
            made.append(other.code + (other.comment or (known.comment if known else "")))
    return made + old[1] + [text for text in new[1] if text not in old[1]]


def _above(line: CommentedLine, other: CommentedLine) -> list[str]:
    return line.above + [text for text in other.above if text.strip() and text not in line.above]
