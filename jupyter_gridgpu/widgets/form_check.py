"""Checks the state of a form, and makes the cell that the state describes.

The cell is checked by the same code that will run it. So the form and the cell cannot disagree.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import click

from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.model.form_cell import check_word, first_line, split_words
from jupyter_gridgpu.model.form_rows import cell_text, read_rows
from jupyter_gridgpu.model.objective import OBJECTIVES_LIMIT, metric_and_reduction
from jupyter_gridgpu.model.typed_values import FieldError, typed_line
from jupyter_gridgpu.planning.notebook import Notebook, metric_names, read_notebook
from jupyter_gridgpu.planning.options import is_given, option_list, words_for
from jupyter_gridgpu.planning.request import Plan
from jupyter_gridgpu.widgets.form_counts import count_points
from jupyter_gridgpu.widgets.form_facts import (
    LINE_OPTIONS,
    OBJECTIVE_OPTIONS,
    parameter_facts,
    shown_parameters,
)
from jupyter_gridgpu.widgets.form_request import FormRequest
from jupyter_gridgpu.widgets.form_space import CheckedRows


@dataclass
class CheckedForm:
    """What a check of a form has found so far.

    `errors` are sent to the browser; each has a field, a sentence, and perhaps a suggestion. Those
    of options come behind those of the rows.
    """

    notebook: Notebook
    errors: list[dict[str, Any]] = field(default_factory=list)

    def add_error(
        self, where: str, text: str, suggestion: str | None = None, part: str = ""
    ) -> None:
        """Add an error at a field; `part` is the metric of an objective."""
        self.errors.append({"field": where, "part": part, "text": text, "suggestion": suggestion})


def check(
    notebook_path: str,
    state: Mapping[str, Any],
    variables: Mapping[str, Any],
    evaluated: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the answer to a form: the cell, the number of variants, and the errors.

    `variables` are those that values may use. `state` comes from a browser and may hold anything.
    `evaluated` says what lines mean that the form does not look into.
    """
    try:
        check_word(notebook_path)
        notebook = read_notebook(notebook_path, None, _wanted_kernel(state))
    except GridGpuError as error:
        return failed(first_line([notebook_path]), str(error))
    rows = _checked_rows(notebook, state, variables, evaluated or {})
    form = CheckedForm(notebook, rows.errors)
    texts = _option_texts(form, state)
    made = _plan(form, rows, texts)
    head = first_line([notebook_path, *words_for(texts)])
    body = cell_text(rows.lines)
    return {
        "type": "checked",
        "cell": f"{head}\n{body}" if body else head,
        "lines": [rows.rows[line.row].ident for line in rows.lines],
        "errors": form.errors,
        "unchecked": rows.unchecked,
        "warning": _metric_warning(notebook, texts),
        "warnings": _warnings(form, rows, made),
        **count_points(rows, made, bool(texts.get("sampler"))),
    }


def _part(where: str, texts: Mapping[str, Any], error: GridGpuError) -> str:
    """Return the metric that an error of an objective is about; "" for any other error."""
    if where != "--maximize":
        return ""
    metrics = (*(texts.get("maximize") or ()), *(texts.get("minimize") or ()))
    # The last one, since it may be the second with this metric.
    return next((metric for metric in reversed(metrics) if metric in str(error)), "")


def _checked_rows(
    notebook: Notebook,
    state: Mapping[str, Any],
    variables: Mapping[str, Any],
    evaluated: Mapping[str, str],
) -> CheckedRows:
    """Return the rows of a state, checked. The notebook may have changed since it was opened."""
    shown = shown_parameters(notebook)
    facts = {name: parameter_facts(parameter) for name, parameter in shown.items()}
    rows = read_rows(state.get("parameters"), facts)
    checked = CheckedRows(notebook, rows, facts, variables, evaluated)
    checked.check()
    return checked


def _plan(form: CheckedForm, rows: CheckedRows, texts: Mapping[str, Any]) -> Plan | None:
    """Return the plan of the cell, or None if there is nothing to plan, or after an error of it."""
    # Options with an error are left out of the request, so that variants can still be counted.
    wrong = {error["field"] for error in form.errors}
    flags = {option.name or "": option.opts[0] for option in option_list()}
    sound = {name: text for name, text in texts.items() if flags[name] not in wrong}
    if rows.space is None:
        return None
    request = FormRequest(str(form.notebook.path), rows.body, rows.variables)
    try:
        return request.plan(sound)
    except GridGpuError as error:
        row = rows.row_of(error)
        if row is None:
            where = request.field_of(sound, error)
            form.add_error(where, _without_dashes(str(error)), part=_part(where, sound, error))
        else:
            rows.complain(row, str(error))
        return None


def _wanted_kernel(state: Mapping[str, Any]) -> str | None:
    options = state.get("options")
    return typed_line(options.get("kernel")) or None if isinstance(options, dict) else None


def _warnings(form: CheckedForm, rows: CheckedRows, made: Plan | None) -> list[str]:
    """Return what is to be said beside the errors: that of a plan, or else that of the notebook."""
    if made:
        return list(made.scan.warnings)
    if rows.space is not None:  # the request was refused, and the error says why
        return []
    return [_without_dashes(text) for text in form.notebook.remarks]


def failed(cell: str, text: str) -> dict[str, Any]:
    """Return the answer for a form that could not be checked; `text` says why."""
    return {
        "type": "checked",
        "cell": cell,
        "errors": [{"field": "", "part": "", "text": text, "suggestion": None}],
        "warning": None,
        "lines": [],
        "unchecked": False,
        "warnings": [],
        **count_points(None, None, False),
    }


def _option_texts(form: CheckedForm, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as texts, and add an error for each value that an option cannot have.

    Names in the state that are no options are left out.
    """
    given = state.get("options")
    if not isinstance(given, dict):
        given = {}
    objectives = _objectives(state)
    texts: dict[str, Any] = {}
    for option in option_list():
        name = option.name or ""
        if name in OBJECTIVE_OPTIONS:
            texts[name] = [
                metric for direction, metric in objectives if metric and direction == name
            ]
        else:
            texts[name] = _option_value(form, option, given.get(name))
        _check_option(form, option, texts[name])
    return texts


def _objectives(state: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return direction and metric of each objective, also of those without a metric yet."""
    others = state.get("others")
    listed = [state, *(others[:OBJECTIVES_LIMIT] if isinstance(others, list) else [])]
    found = []
    for body in listed:
        if isinstance(body, dict):
            direction = body.get("direction")
            known = direction if direction in OBJECTIVE_OPTIONS else "maximize"
            found.append((str(known), typed_line(body.get("metric"))))
    return found


def _option_value(form: CheckedForm, option: click.Option, value: Any) -> str | bool | list[str]:
    """Return the value of an option, which a browser sent, as it is written in the cell.

    An option that may be repeated has several values; words that cannot be told apart are an error.
    """
    if option.is_flag:
        return value is True
    if option.name in LINE_OPTIONS:
        lines = value.splitlines() if isinstance(value, str) else []
        return list(filter(None, map(typed_line, lines)))
    text = typed_line(value)
    if option.multiple:
        try:
            return split_words(text)
        except FieldError as error:
            form.add_error(option.opts[0], str(error))
            return []
    # `24 GB` becomes `24GB`, which needs no quotes in the cell.
    if option.metavar in ("SIZE", "TIME") and re.fullmatch(r"[\w. ]+", text):
        return text.replace(" ", "")
    return text


def _check_option(form: CheckedForm, option: click.Option, value: Any) -> None:
    """Add an error if a value cannot stand in a cell, or is not the whole number it must be."""
    if not is_given(value):
        return
    where = option.opts[0]
    words = [str(value)]
    if isinstance(value, list):
        words = value
    try:
        for word in words:
            check_word(word)
    except FieldError as error:
        form.add_error(where, str(error))
        return
    if option.type is click.INT and not re.fullmatch(r"[+-]?\d+", str(value)):
        # The user has probably written 1,000 or 1 000 or 20.0.
        suggestion = re.sub(r"[ ,'_]|\.0*$", "", str(value))
        if suggestion.isdecimal():
            form.add_error(where, "Not a whole number.", suggestion)
        else:
            form.add_error(where, "Not a whole number.")


def _without_dashes(text: str) -> str:
    """Return an error text for a form, whose fields have names without dashes."""
    text = text.replace("say which with --maximize NAME or --minimize NAME", "give an objective")
    text = text.replace("--gpus", "GPUs")
    # `--trials N` becomes `trials`: the placeholder has no meaning beside a field.
    text = re.sub(
        r"--([a-z][a-z-]*)(?: (?:NAME|N)\b)?", lambda match: match[1].replace("-", " "), text
    )
    return text[:1].upper() + text[1:]


def _metric_warning(notebook: Notebook, texts: Mapping[str, Any]) -> str | None:
    """Return a warning if an objective is a word that stands nowhere in the notebook.

    It is no error: the notebook may make the name of the metric while it runs.
    """
    known = metric_names(notebook)
    for text in (*(texts.get("maximize") or ()), *(texts.get("minimize") or ())):
        name, _ = metric_and_reduction(text) or ("", None)
        # Where no metric is found in the notebook, nothing is known about their names. Keras itself
        # puts `val_` before the names of metrics.
        if not name or not known or name in known:
            continue
        if name.removeprefix("val_").encode() in notebook.content:
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else "."
        return f"{name[:60]} stands nowhere in the notebook{hint}"
    return None
