"""The state in which a form opens.

Every parameter is kept at the notebook's own value. If the user chooses a list or a range, it
begins with values near the notebook's own, so that the first cell a user sees is a sensible one.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, NamedTuple

from jupyter_gridgpu.errors import SpaceError
from jupyter_gridgpu.model.form_cell import ParameterEntry, python_text
from jupyter_gridgpu.model.form_reading import rows_of
from jupyter_gridgpu.model.form_rows import TEXT, FormRow, row_json
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.space_cell import cell_body
from jupyter_gridgpu.model.typed_values import TRUTH
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.notebook import Notebook
from jupyter_gridgpu.planning.options import option_list
from jupyter_gridgpu.planning.parameter import Parameter
from jupyter_gridgpu.widgets.form_facts import (
    OBJECTIVE_OPTIONS,
    option_text,
    parameter_facts,
    shown_parameters,
)

FLOAT_LIMIT = 1e300  # four times a number below this is still finite


class StartingRange(NamedTuple):
    """A range around a default with `points` values, which are at equal factors if `log`."""

    low: float
    high: float
    points: int
    log: bool


def first_state(notebook: Notebook, values: Mapping[str, Any], body: str = "") -> dict[str, Any]:
    """Return the state in which a form opens.

    `values` are the options of the magic's line, `body` the lines of a cell that the form shows.
    """
    defaults = {name: field.default for name, field in Options.__dataclass_fields__.items()}
    given = {**defaults, **values}
    names = [option.name or "" for option in option_list()]
    texts = {name: option_text(given[name], name) for name in names}
    first, *others = _objectives(given) or [{"direction": "maximize", "metric": ""}]
    return {
        "parameters": _rows(notebook, body),
        **first,
        "others": others,
        "options": {name: text for name, text in texts.items() if name not in OBJECTIVE_OPTIONS},
    }


def _objectives(given: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the objectives, each as a direction and a metric."""
    return [
        {"direction": direction, "metric": metric}
        for direction in OBJECTIVE_OPTIONS
        for metric in _listed(given[direction])
    ]


def _listed(value: Any) -> list[str]:
    """Return the metrics of an option, of which Python may give one as a text."""
    return [value] if isinstance(value, str) else list(value or ())


def starting_rows(notebook: Notebook) -> list[dict[str, Any]]:
    """Return a row for each parameter, as a browser gets it."""
    entries = map(starting_entry, shown_parameters(notebook).values())
    return [row_json(FormRow(entry.name, entry=entry)) for entry in entries]


def _rows(notebook: Notebook, body: str) -> list[dict[str, Any]]:
    """Return a row for each line of a cell, and for each parameter that no line gives."""
    shown = shown_parameters(notebook)
    facts = {name: parameter_facts(parameter) for name, parameter in shown.items()}
    rows = rows_of(body, facts, lambda name: starting_entry(shown[name]))
    given = {name for row in rows for name in row.given()}
    # Above the lines, which can read them there.
    others = [row for row in starting_rows(notebook) if row["name"] not in given]
    return [*others, *map(row_json, rows)]


def evaluated_lines(state: Mapping[str, Any], variables: Mapping[str, Any]) -> dict[str, str]:
    """Return for lines that the form does not look into other lines, which mean the same.

    They are evaluated once, when the form is opened on a cell: its user runs that cell. Lines that
    read parameters have no value of their own and are left out.
    """
    found: dict[str, str] = {}
    for row in state["parameters"]:
        text = row.get("text", "")
        if row["row"] != TEXT or not row["names"]:
            continue
        with suppress(SpaceError):
            lines = cell_body(parse_space(text, variables))
            if lines.count("\n") <= text.count("\n"):
                found[text] = lines
    return found


def starting_entry(parameter: Parameter) -> ParameterEntry:
    """Return what the form holds of a parameter before the user has changed anything."""
    known = parameter_facts(parameter)
    items = known.default
    if known.kind == TRUTH:
        items = "False, True"
    entry = ParameterEntry(parameter.name, value=known.default, items=items, times="3")
    low, high, points, log = _range_around(parameter.default, known.whole)
    return replace(
        entry, low=_end_text(low, log), high=_end_text(high, log), points=str(points), log=log
    )


def _range_around(default: Any, whole: bool) -> StartingRange:
    """Return a range around a default, or around 0 if it is no number.

    The range is logarithmic for numbers whose size is what matters, such as a learning rate.
    """
    value = 0
    # type(), since True is an int for isinstance.
    if type(default) in (int, float) and abs(default) < FLOAT_LIMIT:
        value = default
    if whole:
        return _whole_range_around(value)
    if 0 < value <= 0.01 or value >= 100:
        return StartingRange(_without_noise(value / 10), _without_noise(value * 10), 5, True)
    if 0 < value <= 1:
        # Probably a fraction, such as a dropout, which cannot be above 1.
        return StartingRange(0.0, min(_without_noise(2 * value), 1.0), 5, False)
    return _linear_range(float(value), 0.0, 5)


def _whole_range_around(value: float) -> StartingRange:
    number = int(value)
    if value >= 4:
        return StartingRange(number // 4, number * 4, 5, True)
    if value > 0:
        # Numbers of layers, epochs and the like begin at 1.
        return _linear_range(number, 1, 4)
    return _linear_range(number, 0, 4)


def _linear_range(value: float, origin: float, points: int) -> StartingRange:
    """Return the range between `origin` and twice the value."""
    low, high = origin, 2 * value
    if value < 0:
        low, high = 2 * value, origin
    elif value == 0:
        high = type(value)(1)
    if low >= high:  # a parameter of whole numbers with a default like 0.5, which is 0 here
        return StartingRange(origin, origin + points - 1, points, False)
    return StartingRange(low, high, points, False)


def _end_text(value: float, log: bool) -> str:
    """Return one end of a range as text: `1e-2` beside `1e-4`, and `0` rather than `0.0`."""
    number = value
    if value == int(value) and abs(value) < 1e6:
        number = int(value)
    plain = python_text(number)
    if not log or isinstance(value, int):
        return plain
    digits, power = f"{value:.6e}".split("e")
    short = f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
    if len(short) > len(plain):
        return plain
    return short


def _without_noise(value: float) -> float:
    """Return a number with six digits, so that 0.001 / 10 is 1e-4 without a rounding error."""
    return float(f"{value:.6g}")
