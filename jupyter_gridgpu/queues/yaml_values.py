"""Reads the values of a declared queue from the nodes of a YAML file.

A node knows its line in the file, so every mistake can be reported with the line. Each `read_...`
function takes a node, returns its value, and raises UsageError with what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from typing import Any

import yaml

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.notes import nearest_name
from jupyter_gridgpu.queues import gpus

TEXT_LIMIT = 200  # characters of a value
SHOWN_LIMIT = 40  # characters of a value in a message
LIST_LIMIT = 64  # entries
NAMED_LIMIT = 12  # fields of a mapping that are all named in a message
# What YAML reads as no value, if it is not in quotes.
_NULL = ("", "~", "null", "Null", "NULL")
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}

Reader = Callable[[Any], Any]


class DeclarationError(Exception):
    """One field of a declaration is wrong. The text says what to write, `line` counts from 1."""

    def __init__(self, node: Any, text: str) -> None:
        super().__init__(text)
        self.line = node.start_mark.line + 1


def read_fields(node: Any, readers: Mapping[str, Reader], what: str) -> dict[str, Any]:
    """Return the values of a mapping by their fields. A field without a value is left out.

    `readers` has a function for each field that there may be, and `what` names the mapping in
    messages. Raises DeclarationError.
    """
    if not isinstance(node, yaml.MappingNode):
        example = next(iter(readers))
        raise DeclarationError(
            node, f"{what} is {_node_text(node)}; write fields like `{example}: ...`"
        )
    values: dict[str, Any] = {}
    for key, value in node.value:
        name = "?"
        if isinstance(key, yaml.ScalarNode):
            name = key.value
        if name not in readers:
            raise DeclarationError(
                key, f"{what} has no field {name[:SHOWN_LIMIT]!r}; {_known(name, readers)}"
            )
        if name in values:
            raise DeclarationError(key, f"{name} is given twice; keep one")
        if not _is_null(value):
            values[name] = read_field(name, readers[name], value)
    return values


def entries_of(root: Any, name: str, limit: int) -> list[Any]:
    """Return the nodes of the list that a file holds in its field `name`, which is its only one.

    Raises DeclarationError for another root node, and for more than `limit` entries.
    """
    found = read_fields(root, {name: as_it_is}, "the file")
    # If nothing stands after `name:`, the field is missing. Then the root node is read as a list,
    # which gives the right mistake: it is none.
    return read_items(found.get(name, root), name, limit)


def need_fields(node: Any, found: Container[str], examples: Mapping[str, str], what: str) -> None:
    """Raise DeclarationError if a mapping lacks one of the fields that `examples` has."""
    for name, example in examples.items():
        if name not in found:
            raise DeclarationError(node, f"{what} has no {name}; write `{name}: {example}`")


def as_it_is(node: Any) -> Any:
    """Return the node itself: the reader of a field that is read later."""
    return node


def _known(name: str, readers: Mapping[str, Reader]) -> str:
    """Return which fields there are, or which one is meant where there are many."""
    nearest = nearest_name(name[:SHOWN_LIMIT], readers)
    if nearest and len(readers) > NAMED_LIMIT:
        return f"perhaps {nearest} is meant"
    return f"there are {', '.join(readers)}"


def _is_null(node: Any) -> bool:
    # A style is a kind of quotes: "" in quotes is an empty text.
    return isinstance(node, yaml.ScalarNode) and node.value in _NULL and not node.style


def read_field(name: str, read: Reader, node: Any) -> Any:
    """Return the value of one field. Raises DeclarationError, which names the field."""
    try:
        return read(node)
    except UsageError as error:
        raise DeclarationError(node, f"{name}: {str(error).rstrip('.')}") from None


def read_items(node: Any, what: str, limit: int = LIST_LIMIT) -> list[Any]:
    """Return the nodes of a list. Raises DeclarationError if there is no list, or a long one."""
    if not isinstance(node, yaml.SequenceNode):
        raise DeclarationError(
            node, f"{what} is {_node_text(node)}; write a list, a '- ' before each"
        )
    if len(node.value) > limit:
        raise DeclarationError(
            node, f"{what} has {len(node.value):,} entries; {limit:,} are the most"
        )
    return list(node.value)


def _node_text(node: Any) -> str:
    """Return `a mapping`, `a list` or `the text 'A100'`."""
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return f"the text {shown(node)}"


def shown(node: Any) -> str:
    """Return a node as a message shows it: the beginning of a value in quotes."""
    if isinstance(node, yaml.ScalarNode):
        return repr(str(node.value)[:SHOWN_LIMIT])
    return _node_text(node)


def read_text(node: Any) -> str:
    """Return one line of text that can be shown."""
    if not isinstance(node, yaml.ScalarNode):
        raise UsageError(f"it is {_node_text(node)}; write one value")
    text = str(node.value.strip())
    if not text or len(text) > TEXT_LIMIT or not text.isprintable():
        raise UsageError(
            f"{shown(node)} is no usable text;"
            f" write up to {TEXT_LIMIT} printable characters on one line"
        )
    return text


def read_argument(node: Any) -> str:
    """Return a text that becomes an argument of a batch system's command."""
    text = read_text(node)
    # A text that begins with a hyphen would become an option, and change what the command does.
    if text.startswith("-"):
        raise UsageError(f"{shown(node)} looks like an option; write a name")
    return text


def read_texts(node: Any) -> tuple[str, ...]:
    """Return the texts of a list, or one text that stands alone."""
    if isinstance(node, yaml.ScalarNode):
        return (read_text(node),)
    return tuple(read_text(item) for item in read_items(node, "it"))


def whole_number(least: int) -> Reader:
    """Return a function that reads a whole number from `least` up."""

    def read(node: Any) -> int:
        text = read_text(node)
        if not re.fullmatch(r"[+-]?\d{1,9}", text) or int(text) < least:
            # A negative `least` only bounds the number, and would tell the user nothing.
            limit = ""
            if least >= 0:
                limit = f" from {least} up"
            raise UsageError(f"{shown(node)} is no whole number{limit}")
        return int(text)

    return read


def read_flag(node: Any) -> bool:
    """Return the value of true, yes, on, false, no or off."""
    word = read_text(node).lower()
    if word not in _FLAGS:
        raise UsageError(f"{shown(node)} is neither true nor false")
    return _FLAGS[word]


def read_version(node: Any) -> str:
    """Return a version like 12.4, as it is written."""
    text = read_text(node)
    if gpus.version(text) is None:
        raise UsageError(f"{shown(node)} is no version; write one like 12.4")
    return text
