"""Reads a file of a scan, and says where in it a mistake is."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jupyter_gridgpu.errors import GridGpuError, SpaceError, UsageError
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.planning import declarative, profiles
from jupyter_gridgpu.planning.options import to_options
from jupyter_gridgpu.planning.request import Plan, plan
from jupyter_gridgpu.planning.scan_file.fields import (
    FIELDS,
    VERSION,
    check_tag,
    entries,
    is_nothing,
    option_fields,
    read_options,
    text_of,
    word_of,
)
from jupyter_gridgpu.planning.scan_file.paths import from_file, options_from_file
from jupyter_gridgpu.planning.space_apart import space_apart
from jupyter_gridgpu.queues import bounded_yaml
from jupyter_gridgpu.queues.yaml_values import DeclarationError, shown
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.access import why
from jupyter_gridgpu.store.opener import read_bounded, users_opener

FILE_BYTES = 1_000_000
OBJECTIVES = ("maximize", "minimize")  # they are one choice: whoever gives one, replaces both
SHOWN_LIMIT = 80  # characters of a value in a sentence
_SPACE_EXAMPLE = "write the lines of a cell below `space: |`"
_PYTHON_WORDS = {"true": "True", "false": "False", ".inf": 'float("inf")', ".nan": 'float("nan")'}


@dataclass(frozen=True)
class Written:
    """What the text of a file says, in its own words: paths are relative to its folder."""

    notebook: str
    body: str  # the lines of the space
    body_lines: tuple[int, ...]  # for each of them, its line in the file
    options: dict[str, Any]  # by name
    lines: dict[str, int]  # the line of each option
    root: Any  # the node of the whole


@dataclass(frozen=True)
class ScanFile:
    """A file that was read. Paths are such that this process finds them."""

    path: Path
    written: Written
    notebook: str
    space: Space
    options: dict[str, Any]  # those that it gives, by name, as a command line would

    def merged(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of the file, and those that the user gave instead of them."""
        several = {field.name for field in option_fields().values() if field.several}
        # In Python, a text or a list may stand for several values.
        given = {
            name: profiles.texts(value) if name in several else value
            for name, value in given.items()
        }
        kept = self.options
        if any(name in given for name in OBJECTIVES):
            kept = {name: value for name, value in kept.items() if name not in OBJECTIVES}
        return {**kept, **given}

    def differences(self, given: Mapping[str, Any]) -> str:
        """Return a sentence about what the user gave instead of the file's; "" for nothing."""
        merged = self.merged(given)
        texts = []
        for name in {**self.options, **given}:
            old, new = self.options.get(name), merged.get(name)
            if old == new:
                continue
            word = f"--{word_of(name)}"
            there = "not there" if old is None else f"there {_value_text(name, old)}"
            what = f"no {word}" if new is None else f"{word} {_value_text(name, new)}"
            what = word if new is True else what
            texts.append(f"{what} ({there})")
        return f"Other than in {self.path}: {', '.join(texts)}." if texts else ""

    def plan(self, given: Mapping[str, Any], *, ask: bool = True) -> Plan:
        """Return the plan of the scan; options that the user gave win over those of the file.

        Raises the errors of `planning.request.plan`, with the line of the option that is wrong.
        """
        try:
            return plan(self.notebook, self.space, to_options(self.merged(given)), ask=ask)
        except GridGpuError as error:
            error.args = (self._located(str(error), given), *error.args[1:])
            raise

    def _located(self, text: str, given: Mapping[str, Any]) -> str:
        """Return the text of an error, behind the place in the file that it is about."""
        lines = {name: line for name, line in self.written.lines.items() if name not in given}
        word = re.match(r"--([a-z-]+)", text)
        field = option_fields().get(word[1]) if word else None
        # Some sentences only show the value that is wrong.
        shown = [name for name in lines if repr(self.options[name]) in text]
        names = [field.name] if field else shown
        if len(names) != 1 or names[0] not in lines:
            return text
        return f"{self.path}, line {lines[names[0]]}: {text}"


def read(path: str | Path) -> ScanFile:
    """Return the scan that a file describes. Raises UsageError, with the line of a mistake."""
    place = home.user_path(path)
    written = read_text(text_at(place), place)
    return ScanFile(
        place,
        written,
        str(from_file(written.notebook, place.parent)),
        _space(written, place),
        options_from_file(written.options, written.notebook, place.parent),
    )


def text_at(path: Path) -> str:
    """Return the text of a file. Raises UsageError."""
    try:
        return read_bounded(path, FILE_BYTES, users_opener).decode("utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {why(error, path)}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is no file of a scan: it is not text.") from None


def read_text(text: str, path: Path | str) -> Written:
    """Return what the text of a file says; `path` names it in errors. Raises UsageError."""
    try:
        root = bounded_yaml.compose(text)
    except UsageError as error:
        raise UsageError(f"{path}, {error}.") from None
    if root is None:
        raise UsageError(f"{path} is empty; write a notebook, a space and options.")
    try:
        return _written(root)
    except DeclarationError as mistake:
        raise UsageError(f"{path}, line {mistake.line}: {mistake}.") from None


def _written(root: Any) -> Written:
    nodes = {}
    for key, value in entries(root, "the file"):
        if key.value not in FIELDS:
            raise DeclarationError(key, _unknown_field(key.value))
        nodes[key.value] = value
    if "version" in nodes:
        _check_version(nodes["version"])
    for name, example in (
        ("notebook", "`notebook: train.ipynb`"),
        ("space", "the lines of a cell below `space: |`"),
    ):
        if name not in nodes:
            raise DeclarationError(root, f"the file has no {name}; write {example}")
    body, lines = _body(nodes["space"])
    options: dict[str, Any] = {}
    places: dict[str, int] = {}
    if "options" in nodes and not is_nothing(nodes["options"]):
        options, places = read_options(nodes["options"])
    notebook = text_of(nodes["notebook"], "notebook", "the path of a notebook")
    return Written(notebook, body, lines, options, places, root)


def _unknown_field(name: str) -> str:
    if name.strip("-").replace("_", "-") in option_fields():
        return f"{name} is an option; write it below `options:`"
    return f"the file has no field {name[:40]!r}; there are {', '.join(FIELDS)}"


def _check_version(node: Any) -> None:
    text = text_of(node, "version")
    if text != str(VERSION):
        raise DeclarationError(
            node, f"version {shown(node)} is not known; this program reads version {VERSION}"
        )


# the space ------------------------------------------------------------------------------------


def _space(written: Written, path: Path) -> Space:
    """Return the space that the lines describe. Raises SpaceError, with the line in the file."""
    code = declarative.other_code(written.body)
    try:
        if code is not None:
            raise SpaceError(
                f"Line {code.lineno}: `{declarative.shown(code)}` is code, and a file only"
                " describes a scan: write the values themselves."
            )
        return space_apart(written.body)
    except SpaceError as error:
        text = _in_file(str(error), written.body_lines)
        if "NameError" in text:
            text += " A text stands in quotes, and variables of a notebook are not known here."
        where = f"{path}, l" if text.startswith("Line ") else f"{path}, space: L"
        text = text[1:] if text.startswith("Line ") else text[:1].lower() + text[1:]
        raise SpaceError(f"{where.removesuffix('L')}{text}") from None


def _in_file(text: str, lines: tuple[int, ...]) -> str:
    """Return a text about lines of the space as one about lines of the file."""

    def moved(match: re.Match[str]) -> str:
        number = int(match[2])
        return f"{match[1]}{lines[number - 1] if 0 < number <= len(lines) else number}"

    return re.sub(r"\b([Ll]ine )(\d{1,6})\b", moved, text)


def _body(node: Any) -> tuple[str, tuple[int, ...]]:
    """Return the lines of the space, and for each the line in the file. Raises DeclarationError."""
    if isinstance(node, yaml.MappingNode):
        found = _body_of_mapping(node)
        return "\n".join(side for side, _ in found), tuple(line for _, line in found)
    text = text_of(node, "space", "the lines of a cell below `space: |`")
    first = node.start_mark.line + 1
    count = text.count("\n") + 1
    if node.style == "|":
        return text, tuple(range(first + 1, first + 1 + count))
    return text, (first,) * count


def _body_of_mapping(node: Any) -> list[tuple[str, int]]:
    """Return a line of a cell for each entry, and the line of the entry."""
    found = []
    given: set[str] = set()
    for key, value in entries(node, "space"):
        names = [name.strip() for name in key.value.split(",")]
        if not all(name.isidentifier() for name in names):
            raise DeclarationError(
                key,
                f"{key.value[:40]!r} is no name of a parameter; for conditions and constraints,"
                f" {_SPACE_EXAMPLE}",
            )
        side = _right_side(value, key.value, given)
        try:
            ast.parse(side, mode="eval")
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise DeclarationError(
                value, f"{key.value}: {one_line(side, 40)} is no value; a text stands in quotes"
            ) from None
        found.append((f"{', '.join(names)} = {side}", key.start_mark.line + 1))
        given.update(names)
    return found


def _right_side(node: Any, name: str, given: set[str]) -> str:
    """Return a value as a cell has it, in one line. In quotes it is a text."""
    check_tag(node)
    if isinstance(node, yaml.SequenceNode):
        return f"[{', '.join(_right_side(item, name, given) for item in node.value)}]"
    if isinstance(node, yaml.MappingNode):
        pairs = (
            f"{_right_side(key, name, set())}: {_right_side(value, name, given)}"
            for key, value in entries(node, name)
        )
        return "{" + ", ".join(pairs) + "}"
    text = str(node.value)
    if node.style in ("'", '"'):
        return repr(text)
    if not text:
        raise DeclarationError(node, f"{name} has no value; give one, or remove the line")
    if is_nothing(node):
        return "None"
    word = _PYTHON_WORDS.get(text.lower(), text)
    # A word alone is a text, as always in YAML, unless a line above gives it a value.
    if word.isidentifier() and word not in ("True", "False", "None", *given):
        return repr(word)
    return word if "\n" not in text else f"({' '.join(text.split())})"


def _value_text(name: str, value: Any) -> str:
    """Return a value of an option as a sentence shows it."""
    if isinstance(value, (list, tuple)):
        # Values of variables are shown nowhere.
        texts = [str(item).partition("=")[0] if name == "env" else str(item) for item in value]
        return one_line(", ".join(texts), SHOWN_LIMIT) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return one_line(str(value), SHOWN_LIMIT) or "''"
