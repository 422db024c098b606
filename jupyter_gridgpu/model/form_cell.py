"""The text of a `%%gridscan` cell, made from what a form says of each parameter."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.space import Axis, Choice, Fixed, Range, Repeats
from jupyter_gridgpu.model.typed_values import (
    LIST,
    NUMBER,
    FieldError,
    check_one,
    check_several,
    line,
    tree,
)

KINDS = ("fixed", "list", "range", "repeats")
WRITTEN_LIMIT = 200  # whole numbers that a range writes out
_AXES: dict[str, tuple[type, ...]] = {
    "fixed": (Fixed,),
    "list": (Choice,),
    "range": (Choice, Range),
    "repeats": (Repeats,),
}
_RANGES = {
    (False, False): "uniform",
    (False, True): "loguniform",
    (True, False): "integer",
    (True, True): "logint",
}


@dataclass(frozen=True)
class ParameterEntry:
    """What a form says of one parameter: the kind chosen, and the texts of all kinds, as typed."""

    name: str
    kind: str = "fixed"
    value: str = ""
    items: str = ""
    low: str = ""
    high: str = ""
    points: str = ""
    stepped: bool = True  # in so many points; else any value between
    log: bool = False
    times: str = ""


@dataclass(frozen=True)
class ParameterFacts:
    """What the notebook says of a parameter, as far as the cell depends on it."""

    kind: str | None = None  # 'a number', 'a list', ... or None where nothing is known
    whole: bool = False
    default: str = ""  # as a form shows it


def read_entry(name: str, body: Mapping[str, Any]) -> ParameterEntry:
    """Return the Wish that a browser sent: one line each, bounded, whatever came."""
    texts = {
        key: line(body.get(key)) for key in ("value", "items", "low", "high", "points", "times")
    }
    kind = body.get("kind")
    kind = kind if isinstance(kind, str) and kind in KINDS else "fixed"
    return ParameterEntry(
        name, kind, stepped=body.get("stepped") is not False, log=body.get("log") is True, **texts
    )


def to_json(wish: ParameterEntry) -> dict[str, Any]:
    """Return the wish as a browser gets it."""
    return {field.name: getattr(wish, field.name) for field in fields(ParameterEntry)}


def written(value: object) -> str:
    """Return a plain value as a cell would have it: `1e-4`, `"adam"`, `[256, 128]`."""
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        return (
            f'"{value}"' if value.isprintable() and not set(value) & set("\"'\\") else repr(value)
        )
    if isinstance(value, dict):
        return (
            "{" + ", ".join(f"{written(key)}: {written(item)}" for key, item in value.items()) + "}"
        )
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(written(item) for item in value)}]"
    return repr(value)


def _float(value: float) -> str:
    """`1e-4` rather than `0.0001`; an infinity as a number that Python reads as one."""
    if 1e-3 <= abs(value) < 1e6 or value == 0:
        return repr(value)
    digits, _, power = f"{value:.15e}".partition("e")
    short = (
        f"{digits.rstrip('0').rstrip('.')}e{int(power)}" if power else f"{'-' * (value < 0)}1e999"
    )
    return short if float(short) == value else repr(value)


def right_side(
    wish: ParameterEntry, about: ParameterFacts, names: Mapping[str, Any] | None = None
) -> str | None:
    """Return what stands right of the `=`, sound or not; None where the notebook's own value is kept."""
    if wish.kind == "fixed":
        return None if wish.value in ("", about.default) else _fixed(wish.value, about)
    if wish.kind == "list":
        return f"choice({_nested(wish.items)})" if about.kind == LIST else f"[{wish.items}]"
    return f"repeats({wish.times})" if wish.kind == "repeats" else _range(wish, about, names)


def _fixed(text: str, about: ParameterFacts) -> str:
    found = tree(text)
    listed = isinstance(found, (ast.List, ast.Tuple)) and text.startswith(("[", "("))
    may_be_list = isinstance(found, ast.Name) and about.kind is None
    return f"fixed({text})" if listed or may_be_list or about.kind == LIST else text


def _nested(items: str) -> str:
    """One list alone would stand for its items."""
    found = tree(f"[{items}]")
    return f"[{items}]" if isinstance(found, ast.List) and len(found.elts) == 1 else items


def _range(wish: ParameterEntry, about: ParameterFacts, names: Mapping[str, Any] | None) -> str:
    if not wish.stepped:
        return f"{_RANGES[about.whole, wish.log]}({wish.low}, {wish.high})"
    return (about.whole and _whole_steps(wish, names)) or _steps(wish)


def _steps(wish: ParameterEntry) -> str:
    return f"{'geomspace' if wish.log else 'linspace'}({wish.low}, {wish.high}, {wish.points})"


def _whole_steps(wish: ParameterEntry, names: Mapping[str, Any] | None) -> str | None:
    """Steps between whole numbers, written out, since linspace and geomspace make floats of them."""
    try:
        _check_range(wish, True, names or {})
        steps = _axis(_steps(wish), names)
    except SpaceError:
        return None
    assert isinstance(steps, Choice)
    return written(list(dict.fromkeys(round(value) for value in steps.values)))


def check_entry(
    wish: ParameterEntry, about: ParameterFacts, names: Mapping[str, Any] | None = None
) -> Axis:
    """Return the axis that a wish comes to. Raises Slip with one sentence for what is wrong in it."""
    _check_texts(wish, about, names or {})
    text = right_side(wish, about, names)
    if text is None:
        return Fixed(None)
    axis = _axis(text, names)
    if not isinstance(axis, _AXES[wish.kind]):
        raise FieldError("Give one value, or choose 'list' for several.", "value")
    return axis


def _check_texts(wish: ParameterEntry, about: ParameterFacts, names: Mapping[str, Any]) -> None:
    if wish.kind == "fixed" and wish.value not in ("", about.default):
        check_one(wish.value, "value", about.kind, names)
    elif wish.kind == "list":
        check_several(wish.items, "items", about.kind, names)
    elif wish.kind == "repeats":
        check_one(wish.times, "times", NUMBER, names)
    elif wish.kind == "range":
        _check_range(wish, about.whole, names)


def _check_range(wish: ParameterEntry, whole: bool, names: Mapping[str, Any]) -> None:
    for part in ("low", "high", "points") if wish.stepped else ("low", "high"):
        check_one(getattr(wish, part), part, NUMBER, names)
    if whole and wish.stepped:
        _axis(f"{_RANGES[True, wish.log]}({wish.low}, {wish.high})", names)
        steps = _axis(_steps(wish), names)
        if isinstance(steps, Choice) and len(steps.values) > WRITTEN_LIMIT:
            raise FieldError(
                f"At most {WRITTEN_LIMIT} points; or choose any whole number between.", "points"
            )


def _axis(text: str, names: Mapping[str, Any] | None) -> Axis:
    try:
        return parse_space(f"x = {text}", names).axes["x"]
    except SpaceError as error:
        raise FieldError(sentence(str(error), "x")) from None


def sentence(text: str, name: str) -> str:
    """Return a complaint about a parameter as it reads beside its field: without line, name and call."""
    text = re.sub(rf"^(Line \d+, )?{re.escape(name)}: ", "", text)
    text = re.sub(r"^[a-z]+\([^:]*\): ", "", text)
    return text if re.match(r"\w+\(", text) else text[:1].upper() + text[1:]


def assignments(sides: Mapping[str, str]) -> str:
    """Return the body of the cell, the signs of equality below each other."""
    width = max((len(name) for name in sides), default=0)
    return "\n".join(f"{name:<{width}} = {side}" for name, side in sides.items())


def head(words: Sequence[str]) -> str:
    """Return the first line of the cell: every word quoted where a shell would have to."""
    return " ".join(["%%gridscan", *map(_quoted, words)])


def check_word(text: str) -> None:
    """Raise Slip for a word that would not reach the magic as it is."""
    if set(text) & set("{}$"):
        raise FieldError(
            "{, } and $ cannot stand in the first line of a cell: IPython would fill them in."
        )


def _quoted(text: str) -> str:
    try:
        return text if shlex.split(text) == [text] else shlex.quote(text)
    except ValueError:
        return shlex.quote(text)
