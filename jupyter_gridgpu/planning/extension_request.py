"""Checks what a user asks `extend` for: it meets the same checks as the space of a new scan."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import SpaceError, UsageError
from jupyter_gridgpu.model.axis_words import REPEATS_LIMIT
from jupyter_gridgpu.model.extension import (
    TRIALS_LIMIT,
    Extension,
    require_axes,
    to_json,
)
from jupyter_gridgpu.model.grammar import space_of
from jupyter_gridgpu.model.plain_values import NotPlain, plain
from jupyter_gridgpu.model.program import meant_by
from jupyter_gridgpu.model.space import Space
from jupyter_gridgpu.model.units import count_text
from jupyter_gridgpu.model.view import ScanView
from jupyter_gridgpu.planning.notebook import check_space, read_notebook
from jupyter_gridgpu.planning.parameter import short_text
from jupyter_gridgpu.planning.points_file import read_points
from jupyter_gridgpu.planning.sample_points import point_warnings
from jupyter_gridgpu.planning.space_apart import is_quick, space_apart
from jupyter_gridgpu.runner.extending import check_extension, check_kind, check_used
from jupyter_gridgpu.store.paths import ScanPaths

Points = str | Path | Sequence[Mapping[str, Any]]
BYTES_LIMIT = 900_000  # of what one command adds: a line of the journal has an end
Lines = str | Sequence[str] | Mapping[Any, Any]


@dataclass(frozen=True)
class ExtensionRequest:
    """What a user wants to add to a scan."""

    trials: int | None = None  # points that the sampler proposes in addition
    add: Lines = ()  # lines like `lr = [1e-5, 3e-5]`, or a mapping of names and values
    repeats: int | None = None  # how often every point is run in all
    points: Points | None = None  # own points: a file, or a list of mappings
    # Whether the lines may call more than the words of a space. Those of a program may not.
    any_call: bool = True


@dataclass(frozen=True)
class CheckedExtension:
    """An extension that the scan can have, and what is to be said of it."""

    extension: Extension
    variants: int  # how many more there will be
    warnings: tuple[str, ...] = ()

    def text(self) -> str:
        """Return what is asked for, and what is to be said of it, as the rest of a sentence."""
        what = "; ".join(self.extension.texts())
        if self.extension.grows:
            what += f" ({count_text(self.variants, 'variant')} more)"
        return " ".join([f"{what}.", *self.warnings])


def checked(view: ScanView, paths: ScanPaths, request: ExtensionRequest) -> CheckedExtension:
    """Return the extension that a request asks for.

    `view` is the scan with all that is to be applied to it. Raises UsageError (SpaceError,
    NotebookError), with one sentence, if the scan cannot be extended by this.
    """
    wanted = Extension(
        _whole("trials", request.trials, TRIALS_LIMIT) or 0,
        _added(request.add, request.any_call),
        _whole("repeats", request.repeats, REPEATS_LIMIT),
    )
    if request.points is None:
        grown = check_extension(view, wanted)
    else:
        space = check_kind(view, wanted, own=True).space
        wanted = replace(wanted, points=tuple(_own_points(request.points, space)))
        grown = check_extension(view, wanted)
    if len(json.dumps(to_json(wanted))) > BYTES_LIMIT:
        raise UsageError(
            f"That is more than {BYTES_LIMIT // 1000:,} kB for one command: extend the scan in"
            " several steps."
        )
    check_used(view, wanted)
    warnings: tuple[str, ...] = ()
    if wanted.add:
        notebook = read_notebook(paths.notebook, None, view.scan.kernel)
        # Sentences name the notebook as the user knows it.
        notebook = replace(notebook, path=paths.notebook.with_name(view.scan.notebook))
        check_space(notebook, grown.space)
        warnings = point_warnings(notebook, grown.space, grown.sampler)
    points = view.trials() - view.scan.points() + grown.points()
    points += wanted.trials + len(wanted.points)
    return CheckedExtension(wanted, points * grown.space.repeat_count - view.total(), warnings)


def _whole(name: str, value: Any, limit: int) -> int | None:
    # type(), since True is an int for isinstance.
    if value is not None and (type(value) is not int or not 1 <= value <= limit):
        raise UsageError(f"--{name} takes a whole number from 1 to {limit:,}.")
    return value


def _own_points(points: Points, space: Space) -> list[dict[str, Any]]:
    """Return the points that a user gives. Raises UsageError."""
    if isinstance(points, (str, Path)):
        return read_points(points, space)
    found = []
    for number, point in enumerate(points, 1):
        try:
            found.append(space.point(meant_by(_named(point, space))).chosen)
        except (SpaceError, NotPlain) as error:
            raise UsageError(f"Point {number}: {error}") from None
    if not found:
        raise UsageError("There are no points to add: give a file, or a list of mappings.")
    return found


def _named(point: object, space: Space) -> dict[str, Any]:
    """Return the values of a point. Raises SpaceError or NotPlain."""
    if not isinstance(point, Mapping):
        raise SpaceError("it is no mapping of parameters and values.")
    for name in point:
        if name not in set(space):
            raise SpaceError(f"{short_text(name)} is no parameter of the space.")
    return {name: plain(value) for name, value in point.items()}


def _added(lines: Lines, any_call: bool) -> tuple[Any, ...]:
    """Return the statements with the values that are to be added. Raises UsageError."""
    if not isinstance(lines, Mapping):
        lines = [lines] if isinstance(lines, str) else list(lines)
    if not lines:
        return ()
    try:
        space = _space(lines, any_call)
        require_axes(space.body)
    except SpaceError as error:
        raise SpaceError(f"--add: {error}") from None
    return space.body


def _space(lines: list[str] | Mapping[Any, Any], any_call: bool) -> Space:
    if isinstance(lines, Mapping):
        return space_of(lines)
    if not all(isinstance(line, str) for line in lines):
        raise SpaceError("give lines like lr = [1e-5, 3e-5].")
    body = "\n".join(lines)
    if not any_call and not is_quick(body):
        raise SpaceError("give values alone; `gridgpu extend` takes other expressions, too.")
    return space_apart(body)
