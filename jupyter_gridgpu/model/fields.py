"""Reads the keys of a record and checks each of them: its type, its range, its form.

A record may have been written by anybody: a folder, a pack or a job may come from somebody else. So
nothing of it reaches a path, a text that is shown, or an order before it was read here. What is
wrong is one sentence that names the file and the key:

    scan.json in /data/btag cannot be read: `created` is "x", and should be a number.

Keys that nobody asks for are passed over, since a later version may have written them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

from jupyter_gridgpu.errors import DamagedRecord
from jupyter_gridgpu.model import numbers

T = TypeVar("T")
NAME_LIMIT = 64  # of the name of a scan, which is the name of its folder
NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_LIMIT - 1}}}")
# Ids, and names of backends and samplers.
WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
DIGEST = re.compile(r"[A-Za-z0-9][A-Za-z0-9:._+-]{0,199}")
TEXT_LIMIT = 1_000_000  # characters of one text
ITEMS_LIMIT = 100_000  # of one list
NODES_LIMIT = 1_000_000  # values of a nested value, with all that is in them
DEPTH_LIMIT = 50  # levels of lists and objects in each other; values of users have a few
PLAIN_NAME = "a name of letters, digits, '.', '_' and '-'"
LATEST = 1e11  # as seconds since the epoch, this is the year 5138
SHOWN = 60  # characters of a wrong value that a sentence quotes


class Fields:
    """The keys of one JSON object. Every method raises DamagedRecord if its key is not sound.

    A `default` stands for a key that is missing; without one, the key must be there.
    """

    def __init__(self, body: object, record: str, prefix: str = "") -> None:
        """`record` names the file in sentences, `prefix` the keys that lead to this object."""
        self._record = record
        self._prefix = prefix
        if not isinstance(body, dict):
            key = prefix.rstrip(".")
            raise _damaged(record, f"`{key}`" if key else "it", body, "an object")
        self._body = body

    def need(self, *names: str) -> None:
        """Check that keys are there, whatever they hold."""
        for name in names:
            if name not in self._body:
                raise DamagedRecord(
                    f"{self._record} cannot be read: `{self._prefix}{name}` is missing."
                )

    def text(
        self,
        name: str,
        default: str | None = None,
        *,
        form: Callable[[str], object] | None = None,
        what: str = "a text",
        limit: int = TEXT_LIMIT,
    ) -> str:
        """Return a text. `form` says whether it is sound, for example `NAME.fullmatch`."""
        value = self._get(name, default)
        if not isinstance(value, str) or len(value) > limit or (form and not form(value)):
            raise self._damaged(name, value, what)
        return value

    def name(self, name: str, default: str | None = None) -> str:
        """Return a text that can be a part of a path; only a `default` may be another text."""
        value = self._get(name, default)
        if default is not None and value == default:
            return default
        return self.text(name, form=WORD.fullmatch, what=PLAIN_NAME)

    def digest(self, name: str, default: str | None = None) -> str:
        """Return a digest, which may be empty."""
        if self._get(name, default) == "":
            return ""
        return self.text(name, default, form=DIGEST.fullmatch, what="a digest")

    def whole(
        self, name: str, low: int = 0, high: int = numbers.LARGEST_INT, default: int | None = None
    ) -> int:
        """Return a whole number from `low` to `high`."""
        value = self._get(name, default)
        # type(), since True is an int for isinstance.
        if type(value) is not int or not low <= value <= high:
            raise self._damaged(name, value, f"a whole number from {low:,} to {high:,}")
        return value

    def number(
        self, name: str, low: float = 0, high: float = LATEST, default: float | None = None
    ) -> float:
        """Return a finite number from `low` to `high`."""
        value = self._get(name, default)
        if type(value) not in (int, float) or not low <= value <= high:
            raise self._damaged(name, value, f"a number from {low:g} to {high:g}")
        return float(value) if isinstance(value, float) else value

    def truth(self, name: str, default: bool | None = None) -> bool:
        """Return True or False."""
        value = self._get(name, default)
        if not isinstance(value, bool):
            raise self._damaged(name, value, "true or false")
        return value

    def one_of(self, name: str, values: Collection[str], default: str | None = None) -> str:
        """Return one of a few texts."""
        value = self._get(name, default)
        if not isinstance(value, str) or value not in values:
            raise self._damaged(name, value, f"one of {', '.join(values)}")
        return value

    def items(self, name: str, default: Iterable[Any] | None = None) -> list[Any]:
        """Return a list of at most ITEMS_LIMIT values, which are not checked."""
        value = self._get(name, default)
        if isinstance(value, tuple):
            return list(value)
        if not isinstance(value, list) or len(value) > ITEMS_LIMIT:
            raise self._damaged(name, value, f"a list of at most {ITEMS_LIMIT:,} values")
        return value

    def texts(
        self,
        name: str,
        default: Iterable[str] | None = None,
        *,
        form: Callable[[str], object] | None = None,
        what: str = "a text",
    ) -> tuple[str, ...]:
        """Return a list of texts, each checked as `text` does."""
        found = self.items(name, default)
        for value in found:
            if not isinstance(value, str) or len(value) > TEXT_LIMIT or (form and not form(value)):
                raise self._damaged(name, value, f"a list, each of it {what}")
        return tuple(found)

    def value(self, name: str) -> Any:
        """Return a value of any kind that is neither nested too deeply nor too large."""
        value = self._get(name, None, nullable=True)
        if not is_bounded(value):
            raise self._damaged(name, value, f"nested at most {DEPTH_LIMIT} levels deep, and small")
        return value

    def inner(self, name: str, default: dict[str, Any] | None = None) -> Fields:
        """Return the keys of an object inside this one."""
        return Fields(self._get(name, default), self._record, f"{self._prefix}{name}.")

    def inner_list(self, name: str) -> list[Fields]:
        """Return the keys of each object of a list."""
        prefix = f"{self._prefix}{name}"
        found = self.items(name)
        return [
            Fields(item, self._record, f"{prefix}[{index}].") for index, item in enumerate(found)
        ]

    def maybe(self, name: str, read: Callable[..., T], *args: Any, **more: Any) -> T | None:
        """Return what the method `read` reads of a key, or None if the key is null or missing."""
        if self._body.get(name) is None:
            return None
        return read(name, *args, **more)

    def wrong(self, name: str, what: str) -> DamagedRecord:
        """Return the error that says of a key that it should be something else."""
        return self._damaged(name, self._body.get(name), what)

    def _get(self, name: str, default: Any, nullable: bool = False) -> Any:
        value = self._body.get(name, default)
        if value is None and not nullable:
            self.need(name)
        return value

    def _damaged(self, name: str, value: object, what: str) -> DamagedRecord:
        return _damaged(self._record, f"`{self._prefix}{name}`", value, what)


def _damaged(record: str, key: str, value: object, what: str) -> DamagedRecord:
    return DamagedRecord(f"{record} cannot be read: {key} is {shown(value)}, and should be {what}.")


def shown(value: object) -> str:
    """Return a value as a sentence quotes it: short, and in one line."""
    if isinstance(value, (dict, list)):
        return "an object" if isinstance(value, dict) else "a list"
    if isinstance(value, str):
        value = value[:SHOWN]
    try:
        text = json.dumps(value)
    except (ValueError, TypeError):  # a number of many thousand digits
        text = "a value of another kind"
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def is_bounded(value: object, depth: int = DEPTH_LIMIT, nodes: int = NODES_LIMIT) -> bool:
    """Return whether a JSON value has at most so many levels and values in it.

    The levels are looked at one after another, since recursion could be too deep itself.
    """
    level, seen = [value], 0
    while level:
        seen += len(level)
        if depth < 0 or seen > nodes:
            return False
        depth -= 1
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                inner += item.values()
            elif isinstance(item, list):
                inner += item
        level = inner
    return True


def is_time(value: object) -> bool:
    """Return whether a value is a time in seconds since the epoch that can be true."""
    return type(value) in (int, float) and 0 <= value <= LATEST  # type: ignore[operator]


def is_amount(value: object) -> bool:
    """Return whether a value is a finite number that is not negative."""
    return type(value) in (int, float) and 0 <= value < math.inf  # type: ignore[operator]


def is_file_name(text: str) -> bool:
    """Return whether a text names a file and leads into no other folder."""
    return 0 < len(text.encode("utf-8", "replace")) <= 255 and not (
        "/" in text or "\0" in text or text in (".", "..")
    )


def is_inner_path(text: str) -> bool:
    """Return whether a text is a path below a folder: neither absolute nor upwards."""
    return 0 < len(text) <= 4096 and all(is_file_name(part) for part in text.split("/"))
