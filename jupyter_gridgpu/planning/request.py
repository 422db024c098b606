"""Checks the request of a user, and makes the plan of a scan of it.

Every mistake in a request is found here, before anything is started.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jupyter_gridgpu import images, samplers
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.grammar import parse_space, space_of
from jupyter_gridgpu.model.objective import Objective
from jupyter_gridgpu.model.scan import ScanSpec, plain_defaults
from jupyter_gridgpu.model.space import GRID_LIMIT, Space
from jupyter_gridgpu.planning.backend_choice import accepted_by_backend
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.helper_files import files_digest, helper_files, size_warnings
from jupyter_gridgpu.planning.honoured import option_warnings
from jupyter_gridgpu.planning.notebook import (
    Notebook,
    check_space,
    read_notebook,
    space_warnings,
)
from jupyter_gridgpu.planning.option_values import (
    backend_fields,
    check_texts,
    container_of,
    not_negative,
    positive,
    read_objectives,
)
from jupyter_gridgpu.planning.points_file import own_points
from jupyter_gridgpu.planning.profiles import with_collector_warning
from jupyter_gridgpu.planning.sample_points import point_warnings
from jupyter_gridgpu.planning.space_apart import space_apart
from jupyter_gridgpu.planning.warm_start import warm_start
from jupyter_gridgpu.store import home


@dataclass(frozen=True)
class Plan:
    """A checked request: the scan that would be started, and what goes into its folder."""

    scan: ScanSpec
    notebook: Notebook
    files: dict[str, Path] = field(
        default_factory=dict
    )  # helper files, by their names in the scan folder
    asked_name: str | None = None  # the name that the user gave, if any
    new: bool = False  # start another scan even if the same request was made before
    command: str = ""  # the command or cell that asked for the scan
    points: str = ""  # the content of points.jsonl, if points are given
    earlier: str = ""  # the content of earlier.jsonl, if results of earlier scans are taken
    foreign: bool = False  # somebody else chose the values of the parameters
    git: dict[str, Any] | None = None  # state of the notebook's repository; None: not looked up yet


def plan(
    notebook: str | Path,
    space: str | Mapping[str, Any] | Space,
    options: Options,
    names: Mapping[str, Any] | None = None,
    *,
    ask: bool = True,
) -> Plan:
    """Return the Plan of a request.

    `space` is a cell body, a mapping or a Space; `names` are variables that the expressions of a
    cell body may use. The batch system is asked whether it would take the jobs, unless `ask` is
    False: a form checks while its user types, and must not wait.

    Raises UsageError, SpaceError, NotebookError or BackendError with one sentence for the user.
    """
    check_texts(options)
    # The image comes first: with an image, the kernel need not be installed here.
    container = container_of(options, exact=ask)
    here = not images.starts_container(container)
    found = read_notebook(notebook, here, options.kernel, options.python is not None)
    defaults = plain_defaults({name: item.default for name, item in found.parameters.items()})
    wanted = _space_for(found, _read_space(space, names), defaults)
    own = own_points(options.points, wanted)
    sampler, trials = _choose_sampler(wanted, read_objectives(options), options, own.count)
    files = helper_files(found.path.parent, options.files)
    warnings = (*_space_remarks(found, wanted, sampler), *size_warnings(files))
    scan = ScanSpec(
        **_identity(options, found),
        space=wanted,
        sampler=sampler,
        seed=not_negative("seed", options.seed),
        trials=trials,
        objectives=read_objectives(options),
        **own.fields(),
        files=tuple(files),
        **backend_fields(options, container),
        files_digest=files_digest(files),
        defaults=defaults,
        warnings=warnings,
    )
    warm = warm_start(options.warm_start, scan)
    scan = accepted_by_backend(_with_option_warnings(warm.added_to(scan)), ask, files)
    scan = with_collector_warning(scan, options)
    asked = (options.name, options.new)
    return Plan(scan, found, files, *asked, points=own.lines, earlier=warm.lines)


def _identity(options: Options, notebook: Notebook) -> dict[str, Any]:
    """Return the fields of a new scan that say which one it is, and of which notebook."""
    return {
        "id": f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}",
        "name": _scan_name(options, notebook),
        "notebook": notebook.path.name,
        "kernel": notebook.kernel,
        "language": notebook.language,
        "notebook_digest": notebook.digest,
        "created": time.time(),
    }


def _scan_name(options: Options, notebook: Notebook) -> str:
    if options.name is None:
        return home.name_from(notebook.path.name)
    return home.check_name(options.name)


def _read_space(space: object, names: Mapping[str, Any] | None) -> Space:
    if isinstance(space, Space):
        return space
    if isinstance(space, str):
        return space_apart(space) if names is None else parse_space(space, names)
    if isinstance(space, Mapping):
        return space_of(space)
    raise UsageError(
        f"The space is a {type(space).__name__}; give a mapping like {{'lr': [1e-3, 1e-4]}}."
    )


def _space_for(notebook: Notebook, space: Space, defaults: Mapping[str, Any]) -> Space:
    """Return a space with the notebook's own values. Raises SpaceError, NotebookError."""
    check_space(notebook, space)
    return space.with_defaults(defaults)


def _space_remarks(notebook: Notebook, space: Space, sampler: str) -> tuple[str, ...]:
    """Return what is to be said of notebook and space, in sentences. Raises SpaceError."""
    return (
        *notebook.remarks,
        *space.remarks,
        *space_warnings(notebook, space),
        *point_warnings(notebook, space, sampler),
    )


def _choose_sampler(
    space: Space, objectives: tuple[Objective, ...], options: Options, own: int
) -> tuple[str, int | None]:
    """Return the name of the sampler and the number of points, which is None for a whole grid.

    Without `--sampler` it is a grid if the trials cover the grid, else TPE. `own` points come from
    a file. Raises UsageError.
    """
    trials = positive("trials", options.trials)
    size = space.grid_size()
    grid_fits = size is not None and (trials is None or size <= trials)
    default = "grid" if grid_fits else "tpe"
    if own and own == trials and not objectives and not grid_fits:
        default = "random"  # it gets nothing to do
    name = default if options.sampler is None else options.sampler
    if name == "grid" and size is not None and not grid_fits:
        raise UsageError(
            f"The grid has {size:,} points, more than --trials {trials}: leave --trials out for"
            " all of them, or take a sample of it with --sampler random."
        )
    if own and name != "grid":
        _check_own(own, trials, options)
    # Made only for its checks: a sampler refuses a space or an objective that it cannot use.
    samplers.load(name, space, objectives)
    if name == "grid":
        return name, None
    if trials is None:
        raise UsageError(f"--sampler {name} needs to know how many points to try: give --trials N.")
    return name, trials


def _check_own(own: int, trials: int | None, options: Options) -> None:
    """Raise UsageError unless `--trials` leaves room for the points of a file."""
    if trials is None:
        raise UsageError(
            f"--points {options.points} says which points come first, not how many there are: give"
            f" --trials N, which counts its {own} points, too."
        )
    if trials < own:
        raise UsageError(
            f"--trials {trials} is fewer than the {own} points of {options.points}, which count:"
            " give more, or take points out of the file."
        )


def _with_option_warnings(scan: ScanSpec) -> ScanSpec:
    """Return the scan with what is to be said of its options.

    Raises UsageError if it has too many variants.
    """
    # A slip in `repeats` or --trials must not fill the disk with folders of jobs.
    if scan.total() > GRID_LIMIT:
        raise UsageError(
            f"That makes {scan.total():,} variants; a scan may have {GRID_LIMIT:,}."
            " Use fewer --trials or repeats."
        )
    return replace(scan, warnings=(*scan.warnings, *option_warnings(scan)))
