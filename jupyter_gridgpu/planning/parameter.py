"""A parameter as the notebook declares it, and which values it takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.space import Axis, Choice, Fixed, Range
from jupyter_gridgpu.model.typed_values import LIST, NUMBER, TRUTH

NO_VALUE = object()  # the default of a parameter whose default is an expression, not a value
SHOWN_CHARACTERS = 40  # the most characters of a value in a sentence

# bool comes first, since True is an int for Python, too. The form compares with the same words.
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, TRUTH),
    ((int, float), NUMBER),
    (str, "a string"),
    ((list, tuple), LIST),
    (dict, "a dict"),
)


@dataclass(frozen=True)
class Parameter:
    """A parameter of a notebook, with the default that its parameters cell gives it."""

    name: str
    type: str | None  # the annotation, if there is one
    default: Any  # a plain value, or NO_VALUE
    comment: str  # the comment behind the assignment


def kind_of(value: Any) -> str | None:
    """Return the kind of a value in words, such as `a number`, or None if it is not known."""
    if value is NO_VALUE or value is None:
        return None
    for kind, words in _KINDS:
        if isinstance(value, kind):
            return words
    return None


def check_axis(parameter: Parameter, axis: Axis, notebook_name: str) -> None:
    """Raise SpaceError if a value of the axis is clearly of the wrong type for the parameter."""
    _check_one_or_several(parameter, axis, notebook_name)
    for value in _sample_values(axis):
        _check_value(parameter, axis, value, notebook_name)


def _sample_values(axis: Axis) -> list[Any]:
    """Return values that represent the axis. Of a range, which has too many, that is one value."""
    if isinstance(axis, Fixed):
        return [axis.value]
    if isinstance(axis, Choice):
        return list(axis.values)
    if isinstance(axis, Range):
        if axis.whole:
            return [int(axis.low)]
        return [0.5 * (axis.low + axis.high)]
    return [0]  # repeats give seeds from 0


def _check_one_or_several(parameter: Parameter, axis: Axis, notebook_name: str) -> None:
    """Raise SpaceError if the parameter is a list, and a list in the space is ambiguous."""
    if not isinstance(parameter.default, list) or not isinstance(axis, Choice):
        return
    if any(isinstance(value, list) for value in axis.values):
        return
    raise SpaceError(
        f"{parameter.name}: its default in {notebook_name} is a list, so a list here could be one"
        f" value or several; write fixed({short_text(list(axis.values))}) for one,"
        " choice([...], [...]) for several."
    )


def _check_value(parameter: Parameter, axis: Axis, value: Any, notebook_name: str) -> None:
    wanted = kind_of(parameter.default)
    if parameter.type == "int" and isinstance(value, float):
        # 3.0 can be used as 3, but a continuous range gives other values, too.
        wanted = "a whole number"
        fits = value.is_integer() and not isinstance(axis, Range)
    elif wanted is None or value is None:
        # A default that is an expression or None has no known type, and None is always accepted.
        return
    else:
        fits = kind_of(value) == wanted or (wanted == TRUTH and value in (0, 1))
    if not fits:
        takes = f"{notebook_name} takes {wanted} there ({short_text(parameter.default)})"
        raise SpaceError(f"{parameter.name}: {short_text(value)} is {kind_of(value)}, but {takes}.")


def short_text(value: Any) -> str:
    """Return the value as Python writes it, shortened to fit into a sentence."""
    text = repr(value)
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return text[: SHOWN_CHARACTERS - 1] + "…"
