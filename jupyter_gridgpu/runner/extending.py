"""Whether a scan can be extended: asked before a command is left, and again before it is applied.

Between the two, another command may have extended the scan by the same values.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from jupyter_gridgpu import samplers
from jupyter_gridgpu.errors import GridGpuError, SpaceError, UsageError
from jupyter_gridgpu.model import extension as extensions
from jupyter_gridgpu.model.expressions import quoted
from jupyter_gridgpu.model.extension import EXTENDING, TRIALS_LIMIT, Extension
from jupyter_gridgpu.model.growth import Growth
from jupyter_gridgpu.model.program import given_by, meant_by, point_key
from jupyter_gridgpu.model.records import CommandApplied
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.space import GRID_LIMIT, Space
from jupyter_gridgpu.model.view import ScanView


def applicable(view: ScanView, command: CommandApplied) -> CommandApplied:
    """Return an extension as the journal keeps it: with the number of points that there were.

    Raises UsageError, SpaceError or DamagedRecord if the scan cannot be extended by it.
    """
    check_extension(view, extensions.from_json(command))
    if any(command.get(name) is not None for name in EXTENDING):
        command["first"] = view.points
    return command


def check_extension(view: ScanView, wanted: Extension) -> ScanSpec:
    """Return the spec of the scan as it will be.

    Raises UsageError or SpaceError, with one sentence, if the scan cannot be extended by this.
    """
    check_kind(view, wanted)
    scan = view.scan
    # It is made anew, to be refused here with what a later look would refuse.
    growth = Growth(view.growth.original, view.growth.records)
    if wanted.grows:
        growth.add(extensions.to_json(wanted), view.points)
    grown = growth.scan
    # Made only for its checks: a sampler refuses a space that it cannot use.
    samplers.load_for(grown)
    trials = view.extra_trials + wanted.trials + growth.own_points + grown.points()
    total = trials * grown.space.repeat_count
    if total > GRID_LIMIT:
        raise UsageError(
            f"That makes {total:,} variants; a scan may have {GRID_LIMIT:,}. Add fewer points,"
            " values or repeats."
        )
    if wanted.add and scan.trials is None and grown.points() <= scan.points():
        raise UsageError(
            "What is added makes no new point of the grid: conditions and constraints leave all of"
            " them out."
        )
    _check_own(view, grown.space, wanted)
    return grown


def check_kind(view: ScanView, wanted: Extension, own: bool = False) -> ScanSpec:
    """Return the spec of the scan as it will be, as far as its kind allows that.

    With `own`, points of the user's own come as well. Raises UsageError or SpaceError.
    """
    scan, own = view.scan, own or bool(wanted.points)
    if scan.recorded:
        raise UsageError(
            f"{scan.name} has the points it was given; start a scan of a larger space."
        )
    if not wanted.trials and not wanted.grows and not own:
        raise UsageError(
            "extend needs what is to be added: --trials N, --add 'NAME = VALUES', --repeats N or"
            " --points FILE."
        )
    if scan.trials is None and (wanted.trials or own):
        raise UsageError(
            f"{scan.name} is a grid, which has all points of its values and no others: add values"
            " with --add 'NAME = [VALUES]'."
        )
    if not 0 <= wanted.trials <= TRIALS_LIMIT:
        raise UsageError(f"--trials takes a number of points from 1 to {TRIALS_LIMIT:,}.")
    return view.growth.grown(wanted)


def check_used(view: ScanView, wanted: Extension) -> None:
    """Raise UsageError if a sampler would propose no more point with the values that are added."""
    left = view.trials() - view.points + wanted.trials
    if wanted.add and view.scan.trials is not None and left <= 0:
        raise UsageError(
            f"All {view.trials():,} points of {view.scan.name} are proposed already: say with"
            " --trials N how many more are to be tried with the new values."
        )


def _check_own(view: ScanView, space: Space, wanted: Extension) -> None:
    """Raise UsageError or SpaceError unless own points are points of the space, and new."""
    if not wanted.points:
        return
    known = {}
    for ident, variant in view.variants.items():
        with contextlib.suppress(SpaceError):
            known[point_key(space.point(given_by(variant.params)).chosen)] = ident
    for waiting in view.growth.own_after(view.points):
        known[point_key(waiting)] = "a point that waits"
    for number, point in enumerate(wanted.points, 1):
        walked = space.point(meant_by(point))
        if walked.broken is not None:
            raise UsageError(f"Point {number} does not meet {quoted(walked.broken.text)}.")
        key = point_key(walked.chosen)
        if key in known:
            raise UsageError(
                f"Point {number} is {known[key]} already: leave it out. More runs of all points are"
                " asked for with --repeats N."
            )
        known[key] = f"point {number}"


def pending(view: ScanView, commands: Iterable[CommandApplied | None]) -> ScanView:
    """Return the view as it will be once the extensions that wait in the inbox are applied."""
    made = ScanView(view.growth.original)
    made.extensions = list(view.extensions)
    made.points, made.extra_trials = view.points, view.extra_trials
    made.variants, made.commands = view.variants, view.commands
    for command in commands:
        if command is None or command["action"] != "extend" or command["id"] in view.commands:
            continue
        try:
            record = applicable(made, command)
        except GridGpuError:
            continue
        if any(record.get(name) is not None for name in EXTENDING):
            made.growth.add(extensions.to_json(extensions.from_json(record)), made.points)
        made.extra_trials += record["trials"] or 0
    return made
