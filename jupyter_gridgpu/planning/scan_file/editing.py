"""The text of a file of a scan: a new one, and one that is changed where it says something else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.planning.scan_file.comments import merged, of_python, of_yaml
from jupyter_gridgpu.planning.scan_file.fields import VERSION, OptionField, option_fields
from jupyter_gridgpu.planning.scan_file.reading import Written, read_text
from jupyter_gridgpu.planning.scan_file.space_lines import alike
from jupyter_gridgpu.queues import bounded_yaml

INDENT = "  "
_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
_BLOCKS = ("|", ">")


@dataclass(frozen=True)
class Wanted:
    """What a file is to say, in its own words: paths are relative to its folder."""

    notebook: str
    body: str
    options: dict[str, Any]  # by name

    def says(self, written: Written) -> bool:
        """Return whether a file says this already."""
        same = (written.notebook, written.options) == (self.notebook, self.options)
        return same and alike(written.body, self.body)


def fresh(wanted: Wanted) -> str:
    """Return the text of a new file."""
    lines = [f"version: {VERSION}", f"notebook: {scalar(wanted.notebook)}"]
    lines += _space_lines(wanted.body)
    if wanted.options:
        lines += ["options:", *_option_lines(wanted.options, INDENT)]
    return "\n".join(lines) + "\n"


def edited(old: str, written: Written, wanted: Wanted) -> str:
    """Return the text of a file that says what is wanted, and has the comments of the old one."""
    made = _Editor(old, written, wanted).text()
    try:
        if wanted.says(read_text(made, "the new file")):
            return made
    except UsageError:
        pass
    # A mapping in braces and the like is written anew.
    kept = [line for line in old.splitlines() if line.lstrip().startswith("#")]
    return "\n".join([*(line.strip() for line in kept), fresh(wanted)])


# values ---------------------------------------------------------------------------------------


def scalar(text: str, may_be_number: bool = False) -> str:
    """Return a text as YAML has it in one line, in quotes where it needs them."""
    if may_be_number and _NUMBER.fullmatch(text):
        return text
    style = None if text.isprintable() else '"'
    made: str = yaml.safe_dump(text, default_style=style, width=10**9, allow_unicode=True)
    return made.removesuffix("\n").removesuffix("\n...")


def _space_lines(body: str) -> list[str]:
    """Return the field with the lines of a space."""
    head = "space: |"
    if body.startswith(" "):
        head += "2"
    lines = [head, *(f"{INDENT}{line}".rstrip() for line in body.split("\n"))]
    try:
        root = bounded_yaml.compose("\n".join(lines) + "\n")
        if root.value[0][1].value.rstrip("\n") == body:
            return lines
    except UsageError:
        pass
    # Some characters cannot stand in lines of YAML.
    made: str = yaml.safe_dump(body, default_style='"', width=10**9, allow_unicode=False)
    return [f"space: {made.strip()}"]


def _option_lines(options: dict[str, Any], indent: str) -> list[str]:
    fields = {field.name: field for field in option_fields().values()}
    lines: list[str] = []
    for name, value in options.items():
        lines += _entry(fields[name], fields[name].words[0], value, indent)
    return lines


def _entry(field: OptionField, word: str, value: Any, indent: str) -> list[str]:
    """Return the lines of an option."""
    if isinstance(value, tuple) and not (field.alone and len(value) == 1):
        if not value:
            return [f"{indent}{word}: []"]
        return [f"{indent}{word}:", *(f"{indent}{INDENT}- {scalar(item)}" for item in value)]
    if isinstance(value, tuple):
        (value,) = value
    if isinstance(value, str):
        return [f"{indent}{word}: {scalar(value, field.number)}"]
    return [f"{indent}{word}: {str(value).lower()}"]


# changing a file ------------------------------------------------------------------------------


class _Editor:
    """Replaces the lines of those fields that are to say something else."""

    def __init__(self, old: str, written: Written, wanted: Wanted) -> None:
        self._lines = old.splitlines()
        self._written = written
        self._wanted = wanted
        # The first line, the one behind the last, and the new lines.
        self._changes: list[tuple[int, int, list[str]]] = []

    def text(self) -> str:
        """Return the new text."""
        nodes = {key.value: (key, value) for key, value in self._written.root.value}
        if self._written.notebook != self._wanted.notebook:
            self._replace(*nodes["notebook"], [f"notebook: {scalar(self._wanted.notebook)}"])
        if not alike(self._written.body, self._wanted.body):
            self._change_space(*nodes["space"])
        self._change_options(nodes.get("options"))
        for first, end, lines in sorted(self._changes, key=lambda change: -change[0]):
            self._lines[first:end] = lines
        return "\n".join(self._lines) + "\n"

    def _change_space(self, key: Any, value: Any) -> None:
        if getattr(value, "style", None) == "|":
            old = of_python(self._written.body.rstrip("\n"))
            body = "\n".join(merged(old, of_python(self._wanted.body)))
            if not alike(body, self._wanted.body):
                body = self._wanted.body
            self._replace(key, value, _space_lines(body), merge=False)
        else:
            self._replace(key, value, _space_lines(self._wanted.body))

    def _change_options(self, found: tuple[Any, Any] | None) -> None:
        wanted = self._wanted.options
        if found is None:
            if wanted:
                end = len(self._lines)
                self._changes.append((end, end, ["options:", *_option_lines(wanted, INDENT)]))
            return
        key, node = found
        if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
            if self._written.options != wanted:
                self._replace(key, node, ["options:", *_option_lines(wanted, INDENT)])
            return
        indent = " " * node.value[0][0].start_mark.column
        fields = option_fields()
        for inner, value in node.value:
            name = fields[inner.value].name
            if name not in wanted:
                self._replace(inner, value, [])
            elif wanted[name] != self._written.options[name]:
                lines = _entry(fields[inner.value], inner.value, wanted[name], indent)
                self._replace(inner, value, lines)
        more = {name: wanted[name] for name in wanted if name not in self._written.options}
        end = self._last(node) + 1
        self._changes.append((end, end, _option_lines(more, indent)))

    def _replace(self, key: Any, value: Any, lines: list[str], merge: bool = True) -> None:
        """Replace a field by other lines, which get its comments."""
        first, end = key.start_mark.line, self._last(value) + 1
        if merge:
            old = of_yaml(self._lines[first:end])
            lines = merged(old, of_yaml(lines))
        elif found := re.search(r"\s#.*$", self._lines[first]):
            lines = [lines[0] + found[0], *lines[1:]]
        self._changes.append((first, end, lines))

    def _last(self, node: Any) -> int:
        """Return the last line of a node, from 0, without comments and empty lines below it."""
        if isinstance(node, yaml.ScalarNode):
            return self._last_of_scalar(node)
        if node.flow_style or not node.value:
            return int(node.end_mark.line)
        last = node.value[-1]
        return self._last(last[1] if isinstance(last, tuple) else last)

    def _last_of_scalar(self, node: Any) -> int:
        first, last = node.start_mark.line, node.end_mark.line
        if node.end_mark.column == 0 and last > first:
            last -= 1
        if node.style not in _BLOCKS:
            return int(last)
        inside = [line for line in self._lines[first + 1 : last + 1] if line.strip()]
        indent = len(inside[0]) - len(inside[0].lstrip()) if inside else 0
        last = min(last, len(self._lines) - 1)
        while last > first:
            line = self._lines[last]
            if line.strip() and len(line) - len(line.lstrip()) >= indent:
                break
            last -= 1
        return int(last)
