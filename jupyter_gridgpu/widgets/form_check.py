"""From a form's state to the cell it stands for, and to what is wrong with it: checked by the very code of the magic."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import click

from jupyter_gridgpu.errors import GridGpuError, SpaceError
from jupyter_gridgpu.model.form_cell import (
    ParameterEntry,
    ParameterFacts,
    assignments,
    check_entry,
    check_word,
    head,
    read_entry,
    right_side,
    sentence,
)
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.space import Axis, Choice, Range, Repeats, Space, axis_size
from jupyter_gridgpu.model.typed_values import FieldError, line
from jupyter_gridgpu.planning.notebook import Notebook, check_space, metric_names, read_notebook
from jupyter_gridgpu.planning.options import option_list, parse_words, to_options, words_of
from jupyter_gridgpu.planning.request import Plan, plan
from jupyter_gridgpu.widgets.form_facts import about, shown_parameters

DIRECTIONS = ("maximize", "minimize")
_LEARNS = "learns as it goes"
_HOW = {
    "grid": "every point",
    "random": "independent points",
    "sobol": "even points",
    "tpe": _LEARNS,
    "cmaes": _LEARNS,
}


@dataclass
class Check:
    """One look at a form's state: the right sides as written, the axes that are sound, the slips."""

    notebook: Notebook
    names: Mapping[str, Any]
    sides: dict[str, str] = field(default_factory=dict)
    axes: dict[str, Axis] = field(default_factory=dict)
    errors: list[dict[str, Any]] = field(default_factory=list)

    def wrong(self, where: str, text: str, part: str = "", suggestion: str | None = None) -> None:
        self.errors.append({"field": where, "part": part, "text": text, "suggestion": suggestion})


def check(
    written_as: str, state: Mapping[str, Any], carried: Mapping[str, Any], names: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the answer to a form: the cell, how many variants it makes, and one sentence for each thing that is wrong.

    `carried` are options that the form does not show; `names` the variables that values may use.
    """
    try:
        check_word(written_as)
        found = Check(read_notebook(written_as), names)
    except GridGpuError as error:
        return failed(head([written_as]), str(error))
    for wish, known in _wishes(found.notebook, state):
        _parameter(found, wish, known)
    texts = _option_texts(found, state, carried)
    first = head([written_as, *words_of(texts)])
    sound = {
        name: texts[name]
        for name in texts
        if f"--{_dashed(name)}" not in {error["field"] for error in found.errors}
    }
    made = _plan(found, written_as, sound) if found.axes else None
    cell = "\n".join(filter(None, [first, assignments(found.sides)]))
    warning = _metric_warning(found.notebook, texts)
    checked = {"type": "checked", "cell": cell, "errors": found.errors, "warning": warning}
    return {**checked, **_counts(found.axes, made, bool(sound.get("sampler")))}


def failed(cell: str, text: str) -> dict[str, Any]:
    """Return the answer where nothing can be said but why."""
    errors = [{"field": "", "part": "", "text": text, "suggestion": None}]
    return {
        "type": "checked",
        "cell": cell,
        "errors": errors,
        "warning": None,
        **_counts({}, None, False),
    }


def _wishes(
    notebook: Notebook, state: Mapping[str, Any]
) -> list[tuple[ParameterEntry, ParameterFacts]]:
    """What the state says of the parameters that the notebook has now."""
    listed = state.get("parameters")
    bodies = (
        {str(body.get("name")): body for body in listed if isinstance(body, dict)}
        if isinstance(listed, list)
        else {}
    )
    shown = shown_parameters(notebook)
    return [
        (read_entry(name, bodies[name]), about(parameter))
        for name, parameter in shown.items()
        if name in bodies
    ]


def _parameter(found: Check, wish: ParameterEntry, known: ParameterFacts) -> None:
    side = right_side(wish, known, found.names)
    if side is None:
        return
    found.sides[wish.name] = side
    try:
        axis = check_entry(wish, known, found.names)
        check_space(found.notebook, Space({wish.name: axis}))
        # Together with those above, since some rules are about two of them.
        parse_space(
            assignments({name: found.sides[name] for name in [*found.axes, wish.name]}), found.names
        )
    except FieldError as slip:
        found.wrong(wish.name, str(slip), slip.part, slip.suggestion)
    except SpaceError as error:
        found.wrong(wish.name, sentence(str(error), wish.name))
    else:
        found.axes[wish.name] = axis


def _option_texts(
    found: Check, state: Mapping[str, Any], carried: Mapping[str, Any]
) -> dict[str, Any]:
    """The options as texts; what is no such option is left out, what is no value of it is noted."""
    given = state.get("options")
    given = given if isinstance(given, dict) else {}
    texts = {**carried}
    direction = state.get("direction")
    for option in option_list():
        name = option.name or ""
        if name in DIRECTIONS:
            texts[name] = (
                line(state.get("metric"))
                if name == (direction if direction in DIRECTIONS else "maximize")
                else ""
            )
        elif name not in carried:
            texts[name] = (
                given.get(name) is True
                if option.is_flag
                else _compact(option, line(given.get(name)))
            )
        _check_option(found, option, texts[name])
    return texts


def _compact(option: click.Option, text: str) -> str:
    """`24 GB` as `24GB`: a size or a time needs no quotes in the cell."""
    return (
        text.replace(" ", "")
        if option.metavar in ("SIZE", "TIME") and re.fullmatch(r"[\w. ]+", text)
        else text
    )


def _check_option(found: Check, option: click.Option, text: Any) -> None:
    if text in (None, "", False, ()):
        return
    where = option.opts[0]
    try:
        for word in text if isinstance(text, (list, tuple)) else [str(text)]:
            check_word(word)
    except FieldError as slip:
        found.wrong(where, str(slip))
        return
    if option.type is click.INT and not re.fullmatch(r"[+-]?\d+", str(text)):
        joined = re.sub(r"[ ,'_]|\.0*$", "", str(text))
        found.wrong(where, "Not a whole number.", "", joined if joined.isdecimal() else None)


def _plan(found: Check, written_as: str, texts: Mapping[str, Any]) -> Plan | None:
    """The request of the cell, without what is known to be wrong already; a further mistake is noted at its field."""
    try:
        return _request(found, written_as, texts)
    except GridGpuError as error:
        found.wrong(_blamed(found, written_as, texts, str(error)), _spoken(str(error)))
        return None


def _request(found: Check, written_as: str, texts: Mapping[str, Any]) -> Plan:
    values = parse_words([written_as, *words_of(texts)])
    body = assignments({name: found.sides[name] for name in found.axes})
    return plan(values["notebook"], body, to_options(values), found.names, ask=False)


def _blamed(found: Check, written_as: str, texts: Mapping[str, Any], text: str) -> str:
    """The field that a complaint is about: the one it asks for, that it begins with, or without which all is well."""
    flags = {option.opts[0] for option in option_list()}
    asked = re.search(r"(?:give|say which with|Use fewer) (--[a-z-]+)", text) or re.match(
        r"(--[a-z-]+)", text
    )
    if asked and asked[1] in flags:
        return "--maximize" if asked[1] == "--minimize" else asked[1]
    for option in option_list():
        name = option.name or ""
        if (
            texts.get(name)
            and words_of({name: texts[name]})
            and _is_well(found, written_as, {**texts, name: None})
        ):
            return "--maximize" if name == "minimize" else option.opts[0]
    named = re.search(r"(--[a-z-]+)", text)
    return named[1] if named and named[1] in flags else ""


def _is_well(found: Check, written_as: str, texts: Mapping[str, Any]) -> bool:
    try:
        _request(found, written_as, texts)
    except GridGpuError:
        return False
    return True


def _spoken(text: str) -> str:
    """A complaint about options in the words of a form, which has no dashes."""
    text = text.replace(
        "say which with --maximize NAME or --minimize NAME", "give an objective"
    ).replace("--gpus", "GPUs")
    text = re.sub(
        r"--([a-z][a-z-]*)(?: (?:NAME|N)\b)?", lambda found: found[1].replace("-", " "), text
    )
    return text[:1].upper() + text[1:]


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _counts(axes: Mapping[str, Axis], made: Plan | None, chosen: bool) -> dict[str, Any]:
    """How many points every axis has, and all together, as far as that can be said."""
    space = Space(dict(axes))
    each = {
        name: _size(axis)
        for name, axis in axes.items()
        if isinstance(axis, (Choice, Range, Repeats))
    }
    repeats = space.repeats[1] if space.repeats else 1
    grid, trials = space.grid_size(), made.scan.trials if made else None
    sizes = sorted(size for size in each.values() if size is not None)
    factors = sizes if trials is None else [trials, *([repeats] if repeats > 1 else [])]
    total = made.scan.total() if made else grid * repeats if grid is not None and axes else None
    return {
        "variants": total,
        "points": {
            "factors": factors if total is not None else [],
            "each": each,
            "trials": trials,
            "grid": grid,
        },
        "words": _words(space, made, grid, chosen),
    }


def _size(axis: Choice | Range | Repeats) -> int | None:
    return axis.count if isinstance(axis, Repeats) else axis_size(axis)


def _words(space: Space, made: Plan | None, grid: int | None, chosen: bool) -> dict[str, str]:
    """What stands beside the fields, by field; of a sampler that was not chosen, its name too."""
    repeated, count = space.repeats or ("", 1)
    words = {repeated: f"times each, seeds {_seeds(count)}"} if repeated else {}
    if made:
        sampler, trials = made.scan.sampler, made.scan.trials
        words["--sampler"] = ": ".join(filter(None, ["" if chosen else sampler, _HOW.get(sampler)]))
        often = f"{count} times" if repeated else ""
        points = f"all {grid:,}" if trials is None else f"of {grid:,}" if grid else ""
        words["--trials"] = ", ".join(filter(None, [points, often]))
    return words


def _seeds(count: int) -> str:
    return ", ".join(map(str, range(count))) if count <= 4 else f"0 to {count - 1}"


def _metric_warning(notebook: Notebook, texts: Mapping[str, Any]) -> str | None:
    """Say so if the objective is a word that stands nowhere in the notebook: probably a slip of the pen."""
    text = texts.get("maximize") or texts.get("minimize") or ""
    name = re.sub(r"^\s*(?:last|max|min)\s*\(\s*(.*?)\s*\)\s*$", r"\1", text)
    known = metric_names(notebook)
    if (
        not name
        or name in known
        or name.removeprefix("val_").encode() in notebook.content
        or not known
    ):
        return None
    near = difflib.get_close_matches(name, known, n=1)
    return (
        f"{name[:60]} stands nowhere in the notebook{f'; did you mean {near[0]}?' if near else '.'}"
    )
