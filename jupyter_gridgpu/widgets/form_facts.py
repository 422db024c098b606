"""What the parameter form shows before anything is typed: the notebook's parameters, the options, where to start from."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from jupyter_gridgpu import backends, samplers
from jupyter_gridgpu.model.form_cell import ParameterEntry, ParameterFacts, to_json, written
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.plain_values import NotPlain, plain
from jupyter_gridgpu.model.scan import AUTO
from jupyter_gridgpu.model.typed_values import LIST, NUMBER, TEXT_LIMIT, TRUTH
from jupyter_gridgpu.planning.notebook import (
    NOTHING,
    Notebook,
    Parameter,
    kind_of,
    metric_names,
    parameters_cell,
)
from jupyter_gridgpu.planning.options import option_list
from jupyter_gridgpu.planning.request import Options
from jupyter_gridgpu.store import home

PARAMETER_LIMIT = 200
COMMENT_LIMIT = 200
SEARCH = ("sampler", "trials", "name")  # the other options say where jobs run
APART = (
    "maximize",
    "minimize",
    "seed",
    "files",
    "bind",
    "inputs",
    "exclude_site",
    "new",
)  # drawn as the objective, or only carried along
COMMON = (
    "on",
    "gpus",
    "memory",
    "walltime",
    "image",
    "parallel",
    "per_gpu",
    "retries",
)  # the others are folded away
LABELS = {
    "on": "Engine", "gpus": "GPUs", "per_gpu": "Per GPU", "parallel": "At once", "gpu_model": "GPU model", "vram": "VRAM",
    "cuda": "CUDA", "cpus": "Cores", "qos": "QOS",
}  # fmt: skip


def shown_parameters(notebook: Notebook) -> dict[str, Parameter]:
    """Return the parameters that a cell can name, as many as a form takes."""
    names = [
        name
        for name in notebook.parameters
        if name.isidentifier() and not keyword.iskeyword(name) and len(name) <= 200
    ]
    return {name: notebook.parameters[name] for name in names[:PARAMETER_LIMIT]}


def about(parameter: Parameter) -> ParameterFacts:
    """Return what the cell needs to know of a parameter."""
    whole = parameter.type == "int" or type(parameter.default) is int
    kind = kind_of(parameter.default) or (NUMBER if parameter.type in ("int", "float") else None)
    return ParameterFacts(kind, whole, default_text(parameter))


def default_text(parameter: Parameter) -> str:
    """Return the notebook's own value as the cell would have it; empty where it is an expression, or too long to edit."""
    try:
        text = "" if parameter.default is NOTHING else written(plain(parameter.default))
    except (NotPlain, RecursionError):
        return ""
    return text if len(text) <= TEXT_LIMIT and text.isprintable() else ""


def facts(notebook: Notebook) -> dict[str, Any]:
    """Return all that the form draws; every text in it may come from the notebook and is bounded."""
    shown = shown_parameters(notebook)
    options = {option.name or "": option for option in option_list()}
    where = [name for name in options if name not in (*SEARCH, *APART)]
    return {
        "notebook": bounded(notebook.path.name, 200),
        "cell": parameters_cell(notebook),
        "more": len(notebook.parameters) - len(shown),
        "parameters": [_parameter(parameter) for parameter in shown.values()],
        "metrics": [bounded(name, 100) for name in metric_names(notebook)],
        "search": [_field(options[name], notebook) for name in SEARCH],
        "where": [_field(options[name], notebook) for name in where],
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    known = about(parameter)
    numeric = known.kind in (NUMBER, None)
    shown = known.default or (
        "" if parameter.default is NOTHING else bounded(repr(parameter.default), 60)
    )
    comment = bounded(parameter.comment, COMMENT_LIMIT) or (
        "a list; kept as one value" if known.kind == LIST else ""
    )
    return {
        "name": parameter.name,
        "default": bounded(shown, 200) or "",
        "comment": comment,
        "whole": known.whole,
        "kinds": ["fixed", "list", "range", "repeats"] if numeric else ["fixed", "list"],
        "why": ""
        if numeric
        else f"{parameter.name} is {known.kind}; ranges and repeats need a number.",
    }


def _engines() -> list[str]:
    return [*backends.names(), AUTO]


def _field(option: click.Option, notebook: Notebook) -> dict[str, Any]:
    """One option as a field, by what click knows of it, so that a new option has its field too."""
    name = option.name or ""
    choices = {"on": _engines, "sampler": samplers.names}.get(name)
    hints = {
        "name": home.name_from(notebook.path.name),
        "memory": "any",
        "walltime": "any",
        "trials": "all",
        "parallel": "auto",
    }
    return {
        "name": name,
        "label": LABELS.get(name, name.replace("_", " ").capitalize()),
        "kind": "flag"
        if option.is_flag
        else "choice"
        if choices
        else "number"
        if option.type is click.INT
        else "text",
        "choices": choices() if choices else [],
        "hint": hints.get(name, ""),
        "help": option.help or "",
        "rare": name not in (*SEARCH, *COMMON),
        "usual": _text(Options.__dataclass_fields__[name].default),
    }


def first_state(notebook: Notebook, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state a form opens with: every parameter fixed at its own value, the options as the magic got them."""
    direction = "minimize" if values.get("minimize") else "maximize"
    defaults = {name: field.default for name, field in Options.__dataclass_fields__.items()}
    texts = {
        name: _text({**defaults, **values}[name])
        for name in (option.name or "" for option in option_list())
    }
    return {
        "parameters": [
            to_json(starting_wish(parameter)) for parameter in shown_parameters(notebook).values()
        ],
        "direction": direction,
        "metric": texts[direction],
        "options": {name: text for name, text in texts.items() if name not in APART},
    }


def _text(value: Any) -> str | bool:
    return value if isinstance(value, bool) else "" if value is None else str(value)


def starting_wish(parameter: Parameter) -> ParameterEntry:
    """Return where every kind of variation starts from: near the notebook's own value."""
    known = about(parameter)
    items = "False, True" if known.kind == TRUTH else known.default
    low, high, points, log = _around(parameter.default, known.whole)
    wish = ParameterEntry(parameter.name, value=known.default, items=items, times="3")
    return replace(wish, low=_end(low, log), high=_end(high, log), points=str(points), log=log)


def _around(default: Any, whole: bool) -> tuple[float, float, int, bool]:
    """A range around a default: by factors where its size is what matters, else from zero up."""
    value = default if type(default) in (int, float) and abs(default) < 1e300 else 0
    if whole:
        return (
            (int(value) // 4, int(value) * 4, 5, True)
            if value >= 4
            else _linear(int(value), 1 if value > 0 else 0, 4)
        )
    if 0 < value <= 0.01 or value >= 100:
        return _rounded(value / 10), _rounded(value * 10), 5, True
    return (
        (0.0, min(_rounded(2 * value), 1.0), 5, False)
        if 0 < value <= 1
        else _linear(float(value), 0.0, 5)
    )


def _linear(value: float, zero: float, points: int) -> tuple[float, float, int, bool]:
    ends = (
        (zero, 2 * value)
        if value > 0
        else (2 * value, zero)
        if value < 0
        else (zero, type(value)(1))
    )
    return (*ends, points, False) if ends[0] < ends[1] else (zero, zero + points - 1, points, False)


def _end(value: float, log: bool) -> str:
    """One end of a range: `1e-2` beside `1e-4`, `0` rather than `0.0`."""
    digits, power = f"{value:.6e}".split("e")
    short = f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
    plain = written(int(value) if value == int(value) and abs(value) < 1e6 else value)
    return short if log and len(short) <= len(plain) and not isinstance(value, int) else plain


def _rounded(value: float) -> float:
    """Without the noise of the last bits: 0.001 / 10 is 1e-4."""
    return float(f"{value:.6g}")
