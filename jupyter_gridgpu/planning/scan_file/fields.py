"""The options of a scan as fields of a file, made from the declared ones: none can be forgotten."""

from __future__ import annotations

import dataclasses
import re
from functools import cache
from typing import Any, get_args, get_origin

import click
import yaml

from jupyter_gridgpu.model.notes import nearest_name
from jupyter_gridgpu.planning.declaration import Options, wording_of
from jupyter_gridgpu.planning.options import magic_options, option_list
from jupyter_gridgpu.queues.yaml_values import DeclarationError, shown

VERSION = 1
FIELDS = ("version", "notebook", "space", "options")
# What a user may write instead of an option, and what is meant.
_OTHER_WORDS = {
    "profile": "on: NAME",
    "backend": "on: NAME",
    "objective": "maximize: NAME",
    "metric": "maximize: NAME",
}
VALUES_LIMIT = 10_000  # of one option
_WHOLE = re.compile(r"[+-]?[0-9]{1,19}")
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_NOTHING = ("", "~", "null", "Null", "NULL")
_TAGS = "tag:yaml.org,2002:"
_KNOWN_TAGS = {_TAGS + kind for kind in ("str", "int", "float", "bool", "null", "seq", "map")}
_KNOWN_TAGS |= {_TAGS + kind for kind in ("timestamp", "value", "merge")}


@dataclasses.dataclass(frozen=True)
class OptionField:
    """An option as a field of a file. Its words are those of the command, without dashes."""

    name: str  # of the field of Options
    words: tuple[str, ...]  # the first is the usual one
    is_flag: bool
    whole: bool  # a whole number
    number: bool  # a number or a text
    several: bool
    alone: bool  # where it has several values, a single one is written without a list
    help_text: str

    def read(self, node: Any) -> Any:
        """Return the value that a node gives, as the command line would have it.

        Raises DeclarationError.
        """
        if self.several:
            return self._values(node)
        text = text_of(node, self.words[0])
        if self.is_flag:
            if text.lower() not in _FLAGS:
                raise DeclarationError(
                    node, f"{self.words[0]}: {shown(node)} is neither true nor false"
                )
            return _FLAGS[text.lower()]
        if self.whole:
            if not _WHOLE.fullmatch(text):
                raise DeclarationError(node, f"{self.words[0]}: {shown(node)} is no whole number")
            return int(text)
        return text

    def _values(self, node: Any) -> tuple[str, ...]:
        word = self.words[0]
        if isinstance(node, yaml.SequenceNode):
            if len(node.value) > VALUES_LIMIT:
                raise DeclarationError(
                    node, f"{word} has {len(node.value):,} values; {VALUES_LIMIT:,} are the most"
                )
            return tuple(text_of(item, word) for item in node.value)
        if isinstance(node, yaml.MappingNode) and self.name == "env":
            return tuple(_variable(key, value) for key, value in entries(node, word))
        text = text_of(node, word, "one value or a list")
        if node.style in ("|", ">"):
            return tuple(line for line in text.splitlines() if line.strip())
        return (text,)


@cache
def option_fields() -> dict[str, OptionField]:
    """Return the field of each word that an option has."""
    types = {declared.name: declared.type for declared in dataclasses.fields(Options)}
    found: dict[str, OptionField] = {}
    for option in option_list():
        name = option.name or ""
        words = tuple(word.removeprefix("--") for word in option.opts)
        made = OptionField(
            name=name,
            words=words,
            is_flag=option.is_flag,
            whole=option.type is click.INT,
            number=bool({int, float}.intersection(get_args(types[name]))),
            several=option.multiple,
            alone=option.multiple and get_origin(types[name]) is not tuple,
            help_text=option.help or "",
        )
        found.update(dict.fromkeys(words, made))
    return found


def word_of(name: str) -> str:
    """Return the field that holds the option of this name."""
    return wording_of(Options.__dataclass_fields__[name]).words[0].removeprefix("--")


def read_options(node: Any) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the options that a mapping gives, by their names, and the line of each.

    Raises DeclarationError.
    """
    known = option_fields()
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key, value in entries(node, "options"):
        found = known.get(key.value)
        if found is None:
            raise DeclarationError(key, _unknown_option(key.value))
        if found.name in values:
            raise DeclarationError(key, f"{' and '.join(found.words)} are one option; keep one")
        values[found.name] = found.read(value)
        lines[found.name] = key.start_mark.line + 1
    return values, lines


def _unknown_option(word: str) -> str:
    """Return a sentence about a word that is no option of a scan."""
    known = option_fields()
    plain = word.strip("-").replace("_", "-")
    if plain in known:
        return f"{word[:40]!r} is written {plain} here"
    if plain in _OTHER_WORDS:
        return f"there is no option {plain}; write `{_OTHER_WORDS[plain]}`"
    for declared in dataclasses.fields(Options):
        old = wording_of(declared).old_word
        if old == f"--{plain}":
            return f"{plain} is called {word_of(declared.name)} now"
    commands = (*(name for option in magic_options.params for name in option.opts), "--json")
    if f"--{plain}" in (*commands, "--no-wait"):
        return f"{plain} belongs to the command, not into the file"
    nearest = nearest_name(plain[:40], known)
    hint = f"perhaps {nearest} is meant" if nearest else "`gridgpu run --help` lists them all"
    return f"there is no option {word[:40]!r}; {hint}"


# nodes of YAML --------------------------------------------------------------------------------


def entries(node: Any, what: str) -> list[tuple[Any, Any]]:
    """Return the pairs of a mapping, each with a text as its key, and no key twice.

    Raises DeclarationError.
    """
    check_tag(node)
    if not isinstance(node, yaml.MappingNode):
        text = f"the text {shown(node)}" if isinstance(node, yaml.ScalarNode) else "a list"
        raise DeclarationError(node, f"{what} is {text}; write fields like `name: value`")
    seen: set[str] = set()
    for key, _ in node.value:
        check_tag(key)
        if not isinstance(key, yaml.ScalarNode):
            raise DeclarationError(key, f"{what} has a field whose name is no text")
        if key.value in seen:
            raise DeclarationError(key, f"{key.value[:40]} is given twice; keep one")
        seen.add(key.value)
    return list(node.value)


def text_of(node: Any, what: str, wanted: str = "one value") -> str:
    """Return the text of a node, as it is written. Raises DeclarationError."""
    check_tag(node)
    if not isinstance(node, yaml.ScalarNode):
        kind = "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
        raise DeclarationError(node, f"{what} is {kind}; write {wanted}")
    if is_nothing(node):
        raise DeclarationError(node, f"{what} has no value; give one, or remove the line")
    return str(node.value)


def is_nothing(node: Any) -> bool:
    """Return whether a node is what YAML reads as no value. In quotes, an empty text is one."""
    return isinstance(node, yaml.ScalarNode) and node.value in _NOTHING and not node.style


def check_tag(node: Any) -> None:
    """Raise DeclarationError for a tag like `!!python/name:os.system`, which means nothing here."""
    if node.tag not in _KNOWN_TAGS:
        raise DeclarationError(node, f"the tag {node.tag[:40]!r} means nothing here; remove it")


def _variable(key: Any, value: Any) -> str:
    """Return NAME=VALUE of an entry, or NAME if it has no value."""
    return key.value if is_nothing(value) else f"{key.value}={text_of(value, f'env: {key.value}')}"
