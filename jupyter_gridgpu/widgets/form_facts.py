"""What the parameter form shows: parameters and metrics of the notebook, options of a scan."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from jupyter_gridgpu import backends, samplers
from jupyter_gridgpu.model.form_cell import ParameterFacts, join_words, python_text
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.plain_values import NotPlain, plain
from jupyter_gridgpu.model.resources import RUNTIMES
from jupyter_gridgpu.model.scan import AUTO, CHANNELS
from jupyter_gridgpu.model.typed_values import LIST, NUMBER, TEXT_LIMIT
from jupyter_gridgpu.planning import profile_files
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.notebook import Notebook, metric_names, parameters_cell
from jupyter_gridgpu.planning.options import option_list
from jupyter_gridgpu.planning.parameter import NO_VALUE, Parameter, kind_of
from jupyter_gridgpu.store import home, home_mark

PARAMETER_LIMIT = 200
NAME_LIMIT = 200
COMMENT_LIMIT = 200
# The options of the search. All others, but the objective, say where and how jobs run. So a new
# option gets its field in the form without a change here.
SEARCH_OPTIONS = ("sampler", "trials", "name")
OBJECTIVE_OPTIONS = ("maximize", "minimize")  # drawn as one field with a direction
# Options that are shown at once. All others are folded away, in groups.
COMMON_OPTIONS = (
    "on",
    "gpus",
    "memory",
    "walltime",
    "image",
    "parallel",
    "per_gpu",
    "retries",
    "files",
)
OTHER_GROUP = "Jobs"  # of all options that no group below names
GROUPS = {
    "The scan": ("points", "warm_start", "seed", "new"),
    OTHER_GROUP: (),
    "GPUs": ("gpu_model", "vram", "cuda"),
    "Container": ("runtime", "bind"),
    "Batch systems": (
        "queue",
        "account",
        "qos",
        "constraint",
        "no_shared_disk",
        "shared",
        "engine_option",
        "channel",
    ),
    "Environment": ("env", "secret", "expose_secrets", "setup", "python"),
    "PanDA": ("inputs", "out", "exclude_site", "attempts"),
}
# Labels other than the option's name with a capital letter.
LABELS = {
    "on": "Backend",
    "gpus": "GPUs",
    "per_gpu": "Per GPU",
    "parallel": "At once",
    "gpu_model": "GPU model",
    "vram": "VRAM",
    "cuda": "CUDA",
    "cpus": "Cores",
    "qos": "QOS",
    "env": "Variables",
    "secret": "Secrets",
    "inputs": "Datasets",
    "out": "Output dataset",
    "new": "Start another scan",
}


# Options whose values are whole lines: the form has one in each line.
LINE_OPTIONS = ("setup", "engine_option")
_WORDS = {"runtime": RUNTIMES, "channel": CHANNELS}  # the values of options that have few


def shown_parameters(notebook: Notebook) -> dict[str, Parameter]:
    """Return the parameters that a cell can name, at most PARAMETER_LIMIT of them."""
    names = [name for name in notebook.parameters if _can_be_assigned(name)]
    return {name: notebook.parameters[name] for name in names[:PARAMETER_LIMIT]}


def _can_be_assigned(name: str) -> bool:
    # A notebook in another language may have names that are no names in Python.
    return name.isidentifier() and not keyword.iskeyword(name) and len(name) <= NAME_LIMIT


def parameter_facts(parameter: Parameter) -> ParameterFacts:
    """Return the kind and the default of a parameter, on which the text of the cell depends."""
    kind = kind_of(parameter.default)
    # A default such as None has no kind. Then the annotation may tell it.
    if not kind and parameter.type in ("int", "float"):
        kind = NUMBER
    whole = parameter.type == "int" or type(parameter.default) is int
    return ParameterFacts(kind or None, whole, default_text(parameter))


def default_text(parameter: Parameter) -> str:
    """Return the notebook's own value as a cell would have it.

    The text is empty if the value is an expression, or too long to be edited in a form.
    """
    if parameter.default is NO_VALUE:
        return ""
    try:
        text = python_text(plain(parameter.default))
    except (NotPlain, RecursionError):
        return ""
    if len(text) > TEXT_LIMIT or not text.isprintable():
        return ""
    return text


def facts(notebook: Notebook, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return all that the form draws; `rows` are what a new row of each parameter holds.

    Every text is bounded, since somebody else may have written the notebook.
    """
    shown = shown_parameters(notebook)
    options = {option.name or "": option for option in option_list()}
    elsewhere = (*SEARCH_OPTIONS, *OBJECTIVE_OPTIONS)
    where = [name for name in options if name not in elsewhere]
    where.sort(key=lambda name: _place(group_of(name)))
    return {
        "notebook": one_line(notebook.path.name, 200),
        "home": one_line(str(home.home()), 500),
        "mark": home_mark.leave(),
        "cell": parameters_cell(notebook),
        "more": len(notebook.parameters) - len(shown),
        "parameters": [
            {**_parameter(parameter), "start": row}
            for parameter, row in zip(shown.values(), rows, strict=True)
        ],
        "metrics": [one_line(name, 100) for name in metric_names(notebook)],
        "search": [_field(options[name], notebook) for name in SEARCH_OPTIONS],
        "where": [_field(options[name], notebook) for name in where],
    }


def _parameter(parameter: Parameter) -> dict[str, Any]:
    """Return what the form shows of one parameter."""
    known = parameter_facts(parameter)
    kinds = ["fixed", "list"]
    why = f"{parameter.name} is {known.kind}; ranges and repeats need a number."
    # A parameter of unknown kind may be a number.
    if known.kind in (NUMBER, None):
        kinds = ["fixed", "list", "range", "repeats"]
        why = ""
    return {
        "name": parameter.name,
        "default": one_line(_shown_default(parameter, known), 200) or "",
        "comment": _comment(parameter, known),
        "whole": known.whole,
        "kinds": kinds,
        "why": why,
    }


def _shown_default(parameter: Parameter, known: ParameterFacts) -> str | None:
    if known.default or parameter.default is NO_VALUE:
        return known.default
    return one_line(repr(parameter.default), 60)


def _comment(parameter: Parameter, known: ParameterFacts) -> str:
    comment = one_line(parameter.comment, COMMENT_LIMIT)
    if not comment and known.kind == LIST:
        return "a list; kept as one value"
    return comment or ""


def group_of(name: str) -> str:
    """Return the title of the group that an option is folded away in; "" if it is shown at once."""
    if name in (*SEARCH_OPTIONS, *OBJECTIVE_OPTIONS, *COMMON_OPTIONS):
        return ""
    for title, names in GROUPS.items():
        if name in names:
            return title
    return OTHER_GROUP


def _place(group: str) -> int:
    """Return the place of a group in the form; options that are shown at once come first."""
    return ["", *GROUPS].index(group)


def _field(option: click.Option, notebook: Notebook) -> dict[str, Any]:
    """Return one option as a field, made from its click option."""
    name = option.name or ""
    # Of all values of options, only profiles have titles.
    titles = profile_files.titles() if name == "on" else {}
    choices = _choices(name, titles)
    hints = {
        "name": home.name_from(notebook.path.name),
        "memory": "any",
        "walltime": "any",
        "trials": "all",
        "parallel": "auto",
    }
    return {
        "name": name,
        "flag": option.opts[0],
        "label": LABELS.get(name, name.replace("_", " ").capitalize()),
        "kind": _field_kind(option, choices),
        "choices": choices,
        "titles": titles,
        "hint": hints.get(name, ""),
        # One field of the form takes several values.
        "help": (option.help or "").replace("; may be repeated", ""),
        "group": group_of(name),
        "usual": option_text(Options.__dataclass_fields__[name].default),
    }


def _choices(name: str, titles: Iterable[str]) -> list[str]:
    """Return the values among which a user chooses; an empty list for an option with any value."""
    if name == "on":
        return [*backends.names(), AUTO, *titles]
    if name == "sampler":
        return samplers.names()
    return list(_WORDS.get(name, ()))


def _field_kind(option: click.Option, choices: list[str]) -> str:
    """Return how the form draws an option."""
    if option.is_flag:
        return "flag"
    if choices:
        return "choice"
    if option.name in LINE_OPTIONS:
        return "lines"
    if option.multiple:
        return "several"
    if option.type is click.INT:
        return "number"
    return "text"


def option_text(value: Any, name: str = "") -> str | bool:
    """Return an option's value as the form holds it: a flag as it is, anything else as text.

    Several values become one text with spaces between them, or one line for each.
    """
    if isinstance(value, bool):
        return value
    if value is None:
        return ""
    if isinstance(value, (list, tuple)):
        return "\n".join(map(str, value)) if name in LINE_OPTIONS else join_words(value)
    return str(value)
