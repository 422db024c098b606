"""The output of `--dry-run`: what a scan would run, without starting anything."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.scan import ScanSpec, as_asked
from jupyter_gridgpu.model.space import Axis, Choice, Fixed, Range
from jupyter_gridgpu.model.space_cell import cell_body
from jupyter_gridgpu.model.units import count_text, number_text
from jupyter_gridgpu.planning.left_by_constraints import left_by_constraints
from jupyter_gridgpu.planning.options import words_for
from jupyter_gridgpu.planning.profile import option_names
from jupyter_gridgpu.planning.profile_text import profile_text, profile_words
from jupyter_gridgpu.planning.recorded_options import given_options

SHOWN_VALUES = 8  # the most values of a list that are shown
# Options that the text tells in words of its own.
_TOLD = (
    "on", "maximize", "minimize", "trials", "warm_start", "sampler", "env", "secret", "setup",
    "python",
)  # fmt: skip
_PLACES = {"local": "this machine", "auto": "the best queue that fits"}


def plan_text(scan: ScanSpec, files: Iterable[str]) -> str:
    """Say in a few lines what a scan would run; `files` are the names of its helper files."""
    place = _PLACES.get(scan.backend, scan.backend)
    lines = [profile_text(scan)] if scan.profile else []
    count = f"{_count_text(scan)} ({_points_text(scan)})"
    lines.append(f"{scan.notebook} would run as {count} on {place}.")
    if scan.space.statements:
        # Only the cell itself says which lines count where.
        lines += [f"  {line}" for line in cell_body(scan.space).splitlines()]
    else:
        texts = _axis_texts(scan)
        width = max(map(len, texts))
        lines += [f"  {name:<{width}}  {text}" for name, text in texts.items()]
    if scan.objectives:
        what = "Pareto front" if len(scan.objectives) > 1 else "Best"
        lines.append(f"{what}: {', '.join(map(_objective_text, scan.objectives))}.")
    if found := left_by_constraints(scan):
        lines.append(f"The constraints leave {found[0]:,} of {found[1]:,} points.")
    if scan.warm_start:
        lines.append(f"The sampler learns from {_earlier_text(scan)}.")
    if scan.choice:
        lines.append(scan.choice)
    if words := _other_words(scan):
        lines.append(f"Options: {shlex.join(words)}.")
    if names := list(files):
        lines.append(f"With it go: {', '.join(names)}.")
    lines += _environment_lines(scan)
    lines += [f"Warning: {text}" for text in scan.warnings]
    # Otherwise a user might wait for this scan.
    lines.append("Nothing was started.")
    return "\n".join(lines)


def _objective_text(objective: Objective) -> str:
    text = f"{objective.direction} {objective.metric}"
    if objective.reduction != "last":
        text += f" ({objective.reduction} over epochs)"
    return text


def plan_json(scan: ScanSpec) -> dict[str, Any]:
    """Return what a scan would run as one JSON object."""
    body: dict[str, Any] = {
        "notebook": scan.notebook,
        "variants": scan.total(),
        "sampler": scan.sampler,
        "on": scan.backend,
        "params": _axis_texts(scan),
        "objectives": [objective.text for objective in scan.objectives],
        "warnings": list(scan.warnings),
        "env": env_names(scan),
        "secrets": list(scan.environment.secrets),
        "setup": list(scan.environment.setup),
        "python": scan.environment.python,
    }
    if scan.space.statements:
        body["space"] = cell_body(scan.space)
    if scan.origin is not None:
        body["origin"] = asdict(scan.origin)
    if scan.own_points:
        body["own_points"] = scan.own_points
    if found := left_by_constraints(scan):
        body |= {"points": found[0], "points_without_constraints": found[1]}
    if scan.warm_start:
        body["warm_start"] = [asdict(earlier) for earlier in scan.warm_start]
    if scan.choice:
        body |= {"queue": scan.placement.queue, "choice": scan.choice}
    if scan.profile:
        body |= {"profile": scan.profile, "options": profile_words(scan)}
    else:
        body["options"] = ["--on", as_asked(scan).backend, *_other_words(scan)]
    return body


def _other_words(scan: ScanSpec) -> list[str]:
    """Return the options that are told nowhere else in the text, as a command has them."""
    told = {*_TOLD, *(option_names() if scan.profile else ())}
    given = given_options(scan)
    return words_for({name: value for name, value in given.items() if name not in told})


def env_names(scan: ScanSpec) -> list[str]:
    """Return the names of the variables of --env."""
    names = (text.partition("=")[0] for text in scan.environment.variables)
    return list(dict.fromkeys(names))


def _environment_lines(scan: ScanSpec) -> list[str]:
    lines = []
    if names := env_names(scan):
        lines.append(f"Jobs get the variables {', '.join(names)}.")
    if secrets := scan.environment.secrets:
        lines.append(f"Jobs get the secrets {', '.join(secrets)}.")
    if scan.environment.setup:
        lines.append("Before each job, its node runs:")
        lines += [f"  {line}" for line in scan.environment.setup]
    if scan.environment.python:
        lines.append(f"Jobs run with the Python {scan.environment.python}.")
    return lines


def _axis_texts(scan: ScanSpec) -> dict[str, str]:
    """Say in words which values each parameter takes; several lines may give one its values."""
    texts: dict[str, list[str]] = {}
    for name, axis in scan.space.lines():
        texts.setdefault(name, []).append(
            "follows from others" if axis is None else axis_text(axis)
        )
    return {name: ", or ".join(found) for name, found in texts.items()}


def axis_text(axis: Axis) -> str:
    """Say in words which values an axis takes."""
    if isinstance(axis, Fixed):
        return repr(axis.value)
    if isinstance(axis, Choice):
        return _choice_text(axis)
    if isinstance(axis, Range):
        return _range_text(axis)
    return f"seeds 0 to {axis.count - 1}: every point {axis.count} times"


def _choice_text(axis: Choice) -> str:
    shown = ", ".join(_value_text(value) for value in axis.values[:SHOWN_VALUES])
    if len(axis.values) > SHOWN_VALUES:
        shown += f", … ({len(axis.values)} values)"
    return f"one of {shown}"


def _value_text(value: object) -> str:
    # Floats of a linspace have many digits, which nobody reads.
    if isinstance(value, float):
        return number_text(value, 4)
    return repr(value)


def _range_text(axis: Range) -> str:
    kind = "whole numbers" if axis.whole else "numbers"
    text = f"{kind} from {number_text(axis.low)} to {number_text(axis.high)}"
    if axis.step is not None:
        text += f" in steps of {number_text(axis.step)}"
    if axis.log:
        text += ", evenly in the logarithm"
    return text


def _count_text(scan: ScanSpec) -> str:
    """Say how many variants there would be, and how they come from points and repeats."""
    repeats = scan.space.repeats
    # The points of a replay or an import are given, and contain their repeats already.
    if repeats is None or scan.recorded:
        return f"{scan.total()} variants"
    points = scan.space.grid_size() if scan.trials is None else scan.trials
    return f"{points} points x {repeats[1]} repeats = {scan.total()} variants"


def _earlier_text(scan: ScanSpec) -> str:
    """Say which results of earlier scans the sampler learns from."""
    return " and ".join(
        f"{count_text(earlier.results, 'result')} of {earlier.name}" for earlier in scan.warm_start
    )


def _points_text(scan: ScanSpec) -> str:
    """Say where the points come from: a sampler, or the scan that is run again."""
    if scan.origin is None and scan.own_points:
        return f"{scan.own_points:,} of them your own, then sampler {scan.sampler}"
    if scan.origin is None:
        return f"sampler {scan.sampler}"
    text = f"a {scan.origin.kind} of {scan.origin.name}"
    if scan.origin.changes:
        text += f": {'; '.join(scan.origin.changes)}"
    return text
