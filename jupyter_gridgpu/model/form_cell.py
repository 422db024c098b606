"""Makes the text of a `%%gridscan` cell from the entries of a form, one for each parameter.

For example, an entry of the kind "range" with low 1e-4, high 1e-2, `log`, and not `stepped` gives

    lr = loguniform(1e-4, 1e-2)

In this module, `names` are the variables of the notebook that a text of the form may use.
"""

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
    parsed_expression,
    typed_line,
)

KINDS = ("fixed", "list", "range", "repeats")
WRITTEN_LIMIT = 200  # whole numbers that a range writes out
# The axes that each kind may give.
_AXES: dict[str, tuple[type, ...]] = {
    "fixed": (Fixed,),
    "list": (Choice,),
    "range": (Choice, Range),
    "repeats": (Repeats,),
}
RANGE_WORDS = {  # (whole numbers, logarithmic) -> function of the grammar
    (False, False): "uniform",
    (False, True): "loguniform",
    (True, False): "integer",
    (True, True): "logint",
}


@dataclass(frozen=True)
class ParameterEntry:
    """The entry of one parameter in a form: the chosen kind, and the texts as the user typed them.

    The texts of all kinds are kept, for users who change the kind and change it back.
    """

    name: str
    kind: str = "fixed"  # one of KINDS
    value: str = ""  # of the kind fixed
    items: str = ""  # of the kind list, with commas between them
    low: str = ""
    high: str = ""
    points: str = ""  # how many values a range has, if it is stepped
    stepped: bool = True  # else any value between low and high
    by_step: bool = False  # only low, low + step and so on, whatever `stepped` and `log` say
    step: str = ""
    log: bool = False  # spread evenly in the logarithm
    ordered: bool = False  # of the kind list: their order means something
    times: str = ""  # of the kind repeats


@dataclass(frozen=True)
class ParameterFacts:
    """What the notebook's own value tells of a parameter, as far as the cell depends on it."""

    kind: str | None = None  # a kind of typed_values, for example 'a number'; None if not known
    whole: bool = False  # whether the notebook's own value is a whole number
    default: str = ""  # the notebook's own value, as a form shows it


def read_entry(name: str, body: Mapping[str, Any]) -> ParameterEntry:
    """Return the entry that a browser sent.

    Each text becomes one line of bounded length. A value of a wrong type counts as missing.
    """
    texts = {
        key: typed_line(body.get(key))
        for key in ("value", "items", "low", "high", "points", "step", "times")
    }
    kind = body.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        kind = "fixed"
    stepped = body.get("stepped") is not False
    by_step, log, ordered = (body.get(key) is True for key in ("by_step", "log", "ordered"))
    return ParameterEntry(
        name, kind, stepped=stepped, by_step=by_step, log=log, ordered=ordered, **texts
    )


def to_json(entry: ParameterEntry) -> dict[str, Any]:
    """Return the entry as a browser gets it."""
    return {item.name: getattr(entry, item.name) for item in fields(ParameterEntry)}


def python_text(value: object) -> str:
    """Return a plain value as a cell would have it: `1e-4`, `"adam"`, `[256, 128]`."""
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, str):
        # Double quotes, as most people write them, unless something in the text needs a backslash.
        simple = value.isprintable() and not set(value) & set("\"'\\")
        return f'"{value}"' if simple else repr(value)
    if isinstance(value, dict):
        pairs = (f"{python_text(key)}: {python_text(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(python_text(item) for item in value)}]"
    return repr(value)


def _float(value: float) -> str:
    """Return `1e-4` rather than `0.0001`, and for an infinity a number that Python reads as one."""
    if 1e-3 <= abs(value) < 1e6 or value == 0:
        return repr(value)
    digits, _, power = f"{value:.15e}".partition("e")
    if power:
        short = f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
    else:
        # An infinity or NaN. Python has no literal of these, but reads 1e999 as an infinity.
        short = "-1e999" if value < 0 else "1e999"
    # Sixteen digits do not tell every float from its neighbours, and NaN equals nothing.
    return short if float(short) == value else repr(value)


def right_side(
    entry: ParameterEntry, about: ParameterFacts, names: Mapping[str, Any] | None = None
) -> str | None:
    """Return what stands right of the `=`, or None where the notebook's own value is kept.

    The text need not be sound: the form shows it while the user types.
    """
    if entry.kind == "fixed":
        if entry.value in ("", about.default):
            return None
        return one_value(entry.value, about)
    if entry.kind == "repeats":
        return f"repeats({entry.times})"
    if entry.kind == "range":
        return _range(entry, about, names)
    if entry.ordered:
        return f"ordinal([{entry.items}])"
    # In a bare list, a list of lists could be one value or several: `choice` leaves no doubt.
    if about.kind == LIST:
        return f"choice({_nested(entry.items)})"
    return f"[{entry.items}]"


def one_value(text: str, about: ParameterFacts) -> str:
    """Return one value; `fixed(...)` around it where it is a list, or may be one."""
    found = parsed_expression(text)
    listed = isinstance(found, (ast.List, ast.Tuple)) and text.startswith(("[", "("))
    may_be_list = isinstance(found, ast.Name) and about.kind is None
    if listed or may_be_list or about.kind == LIST:
        return f"fixed({text})"
    return text


def _nested(items: str) -> str:
    """Return the arguments of `choice`; one list alone gets brackets, else it is its items."""
    found = parsed_expression(f"[{items}]")
    if isinstance(found, ast.List) and len(found.elts) == 1:
        return f"[{items}]"
    return items


def _range(entry: ParameterEntry, about: ParameterFacts, names: Mapping[str, Any] | None) -> str:
    """Return the call for a range: any value between its ends, `points` values, or steps."""
    if entry.by_step:
        return f"{RANGE_WORDS[about.whole, False]}({entry.low}, {entry.high}, step={entry.step})"
    if not entry.stepped:
        return f"{RANGE_WORDS[about.whole, entry.log]}({entry.low}, {entry.high})"
    if about.whole:
        return _whole_steps(entry, names) or _steps(entry)
    return _steps(entry)


def _steps(entry: ParameterEntry) -> str:
    """Return the call for `points` values of a range."""
    word = "geomspace" if entry.log else "linspace"
    return f"{word}({entry.low}, {entry.high}, {entry.points})"


def _whole_steps(entry: ParameterEntry, names: Mapping[str, Any] | None) -> str | None:
    """Return the whole numbers of a stepped range, written out; None if the range is not sound.

    They are written out, since linspace and geomspace make floats.
    """
    try:
        _check_range(entry, True, names or {})
        steps = _axis(_steps(entry), names)
    except SpaceError:
        return None
    assert isinstance(steps, Choice)
    # Many steps between near ends come to the same numbers: each is written once.
    return python_text(list(dict.fromkeys(round(value) for value in steps.values)))


def check_entry(
    entry: ParameterEntry, about: ParameterFacts, names: Mapping[str, Any] | None = None
) -> Axis:
    """Return the axis of an entry. Raises FieldError if the entry is wrong."""
    _check_texts(entry, about, names or {})
    text = right_side(entry, about, names)
    if text is None:
        return Fixed(None)
    axis = _axis(text, names)
    if not isinstance(axis, _AXES[entry.kind]):
        raise FieldError("Give one value, or choose 'list' for several.", "value")
    return axis


def _check_texts(entry: ParameterEntry, about: ParameterFacts, names: Mapping[str, Any]) -> None:
    """Raise FieldError if a text of the chosen kind is no value, or more than a value."""
    if entry.kind == "fixed" and entry.value not in ("", about.default):
        check_one(entry.value, "value", about.kind, names)
    elif entry.kind == "list":
        check_several(entry.items, "items", about.kind, names)
    elif entry.kind == "repeats":
        check_one(entry.times, "times", NUMBER, names)
    elif entry.kind == "range":
        _check_range(entry, about.whole, names)


def _check_range(entry: ParameterEntry, whole: bool, names: Mapping[str, Any]) -> None:
    """Raise FieldError if a range is not sound; with `whole`, its ends must be whole numbers."""
    check_one(entry.low, "low", NUMBER, names)
    check_one(entry.high, "high", NUMBER, names)
    if entry.by_step:
        check_one(entry.step, "step", NUMBER, names)
    if entry.by_step or not entry.stepped:
        return
    check_one(entry.points, "points", NUMBER, names)
    if whole:
        # The grammar complains about ends that are not whole.
        _axis(f"{RANGE_WORDS[True, entry.log]}({entry.low}, {entry.high})", names)
        steps = _axis(_steps(entry), names)
        if isinstance(steps, Choice) and len(steps.values) > WRITTEN_LIMIT:
            raise FieldError(
                f"At most {WRITTEN_LIMIT} points; or choose any whole number between.", "points"
            )


def _axis(text: str, names: Mapping[str, Any] | None) -> Axis:
    """Return the axis of a right side. Raises FieldError."""
    try:
        return parse_space(f"x = {text}", names).axes["x"]
    except SpaceError as error:
        raise FieldError(complaint(str(error), "x")) from None


def complaint(text: str, name: str) -> str:
    """Return a complaint about a parameter as it reads beside its field.

    Line, name and call are left out: `Line 1, x: uniform(2, 1): the lower end must be ...` becomes
    `The lower end must be ...`.
    """
    text = re.sub(rf"^(Line \d+, )?{re.escape(name)}: ", "", text)
    text = re.sub(r"^[a-z]+\([^:]*\): ", "", text)
    # A text that begins with the name of a function keeps its small letter.
    if re.match(r"\w+\(", text):
        return text
    return text[:1].upper() + text[1:]


def assignments(sides: Mapping[str, str]) -> str:
    """Return the body of the cell, with the `=` of all lines below each other."""
    width = max((len(name) for name in sides), default=0)
    return "\n".join(f"{name:<{width}} = {side}" for name, side in sides.items())


def first_line(words: Sequence[str]) -> str:
    """Return the first line of the cell: every word quoted where a shell would have to."""
    return " ".join(["%%gridscan", *map(_quoted, words)])


def check_word(text: str) -> None:
    """Raise FieldError for a word that would not reach the magic as it is."""
    if set(text) & set("{}$"):
        raise FieldError(
            "{, } and $ cannot stand in the first line of a cell: IPython would fill them in."
        )


def split_words(text: str) -> list[str]:
    """Return the words of a text field that takes several values: `a.npz "b c.npz", d/*.csv`.

    Words stand apart by spaces or commas; quotes keep them together. Raises FieldError if a quote
    is not closed.
    """
    reader = shlex.shlex(text, posix=True, punctuation_chars=False)
    reader.whitespace += ","
    reader.whitespace_split = True
    reader.commenters = ""
    try:
        return list(reader)
    except ValueError:
        raise FieldError("A quote is not closed.") from None


def join_words(words: Sequence[object]) -> str:
    """Return the text that `split_words` reads as these words."""
    return " ".join(_kept_together(str(word)) for word in words)


def _kept_together(word: str) -> str:
    """Return a word with quotes around it, if it needs them."""
    # A comma separates words in the field, though it does not for a shell.
    return f"'{word}'" if "," in word and shlex.quote(word) == word else shlex.quote(word)


def _quoted(text: str) -> str:
    """Return a word with quotes around it if it needs them: the magic splits its line by shlex."""
    try:
        if shlex.split(text) == [text]:
            return text
    except ValueError:
        # A quote that is never closed.
        pass
    return shlex.quote(text)
