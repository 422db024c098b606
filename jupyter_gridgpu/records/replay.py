"""Makes the plan of a replay: a scan is run again with the same notebook, files, points and image.

With other values or another image the new scan is a variation, which records the changes.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from jupyter_gridgpu import images
from jupyter_gridgpu.errors import SpaceError, UsageError
from jupyter_gridgpu.model.expressions import quoted
from jupyter_gridgpu.model.program import NotKnown, given_by
from jupyter_gridgpu.model.resources import Container
from jupyter_gridgpu.model.scan import Origin, ScanSpec, fingerprint
from jupyter_gridgpu.model.space import Assign, Fixed, Space
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.planning import profiles
from jupyter_gridgpu.planning.backend_choice import accepted_by_backend
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.notebook import (
    Notebook,
    check_space,
    read_notebook,
    space_warnings,
)
from jupyter_gridgpu.planning.option_values import backend_fields, check_texts, container_of
from jupyter_gridgpu.planning.recorded_options import recorded_options
from jupyter_gridgpu.planning.request import Plan
from jupyter_gridgpu.planning.space_apart import space_apart
from jupyter_gridgpu.records.acceptance import effects, require_accepted
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.records.replay_options import replay_options
from jupyter_gridgpu.records.scan_provenance import copied_helper_files
from jupyter_gridgpu.records.selection import select_variants
from jupyter_gridgpu.records.verify import changed_inputs
from jupyter_gridgpu.store import home, points

NAME_END = "-replay"
CHANGE_LIMIT = 300  # characters of the description of one change
TEXT_SHOWN = 80  # characters of a wrong --set in an error text


@dataclass(frozen=True)
class ReplayRequest:
    """Which variants are to be run again, and what is to be different."""

    only: str = ""  # a selection of variants; empty for all
    changes: tuple[str, ...] = ()  # each like `epochs = 50`
    options: Mapping[str, Any] = field(default_factory=dict)  # those that were given, by name
    command: str = ""  # the command or cell that asked for it
    # What a foreign scan says to batch systems: all of it is accepted, or what the user has seen.
    accept: bool | tuple[str, ...] = False


def plan_replay(
    record: Record, request: ReplayRequest = ReplayRequest(), *, ask: bool = True
) -> Plan:
    """Return the plan of a replay.

    Without `ask`, no batch system and no image registry is asked. Raises UsageError (NotAccepted
    for a foreign scan), StorageError or BackendError, with one sentence for what is wrong.
    """
    variants = select_variants(record.view, request.only)
    options, given = replay_options(record.scan, request.options)
    check_texts(options)
    foreign = require_accepted(record, options, given, request.accept)
    container, image_changes = _container(record.scan, options, ask)
    here = not images.starts_container(container)
    kernel = options.kernel
    if "python" in given and "kernel" not in given:
        kernel = None  # that of the new Python
    notebook = _unchanged_notebook(record, here, kernel, options.python is not None)
    values = _parse_changes(request.changes)
    space, value_changes = _changed_space(record.scan, notebook, values)
    origin = _origin(
        record.view.growth.original,
        request.only,
        [*value_changes, *image_changes, *_kernel_changes(record.scan, notebook)],
    )
    point_lines = points.lines(_changed_variant(variant, space, values) for variant in variants)
    files = _helper_files(record)
    scan = replace(
        _replay_spec(record, options, container),
        kernel=notebook.kernel,
        space=space,
        warnings=_effect_warnings(notebook, space, values),
        origin=origin,
        recorded=len(variants),
        recorded_digest=points.digest(point_lines),
    )
    return Plan(
        scan=profiles.with_collector_warning(accepted_by_backend(scan, ask, files), options),
        notebook=notebook,
        files=files,
        asked_name=request.options.get("name"),
        new=bool(request.options.get("new")),
        command=request.command,
        points=point_lines,
        foreign=foreign,
        git=_git_of_origin(record),
    )


def to_accept(scan: ScanSpec) -> list[str]:
    """Return the options that a replay of a foreign scan has to accept, as far as can be shown."""
    try:
        return list(effects(recorded_options(scan), {}))
    except UsageError:  # they are too long, and no replay accepts them
        return []


def _replay_spec(record: Record, options: Options, container: Container) -> ScanSpec:
    """Return the spec of the new scan; space and points are still those of its origin."""
    name = options.name
    if not name:
        # A replay of a replay gets no second ending.
        stem = record.name[: home.NAME_LIMIT - len(NAME_END)].removesuffix(NAME_END)
        name = stem + NAME_END
    return replace(
        record.scan,
        id=f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}",
        name=home.check_name(name),
        created=time.time(),
        # With `--on auto` the queue is chosen anew.
        asked=None,
        choice="",
        # All points are given.
        own_points=0,
        warm_start=(),
        **backend_fields(options, container),
    )


def _container(scan: ScanSpec, options: Options, ask: bool) -> tuple[Container, list[str]]:
    """Return the container to run in, and descriptions of changes of its image.

    The same image keeps its recorded digest, so that a tag that has moved since changes nothing.
    """
    recorded, wanted = scan.container, container_of(options, exact=ask)
    if wanted.image != recorded.image:
        return wanted, [f"image = {wanted.image or 'none'} (was {recorded.image or 'none'})"]
    # If a digest is unknown, a change cannot be detected.
    if wanted.digest is None or recorded.digest is None or wanted.digest == recorded.digest:
        return replace(wanted, digest=recorded.digest or wanted.digest), []
    return wanted, [f"digest of {wanted.image} = {wanted.digest} (was {recorded.digest})"]


def _unchanged_notebook(
    record: Record, kernel_here: bool, kernel: str | None, own_python: bool
) -> Notebook:
    """Return the notebook of the scan's folder. Raises UsageError if it or a file was changed.

    With `kernel_here`, its kernel must be installed on this machine; NotebookError otherwise.
    """
    changed = changed_inputs(record)
    if changed:
        raise UsageError(
            f"{changed[0]} of {record.name} was changed after it ran, so this would be no replay; "
            f"`gridgpu verify {record.name}` says more."
        )
    notebook = read_notebook(record.paths.notebook, kernel_here, kernel, own_python)
    # A scan of an earlier version has no digests of files, but its spec has that of the notebook.
    if notebook.digest != record.scan.notebook_digest:
        raise UsageError(
            f"notebook.ipynb of {record.name} was changed after it ran, so this would be no replay."
        )
    return notebook


def _kernel_changes(scan: ScanSpec, notebook: Notebook) -> list[str]:
    """Return a description of the change if another kernel runs the notebook now."""
    if notebook.kernel == scan.kernel:
        return []
    return [f"kernel = {notebook.kernel} (was {scan.kernel})"]


def _helper_files(record: Record) -> dict[str, Path]:
    """Return the helper files in the scan's folder by the names that they get in the new one."""
    folder = record.paths.files
    return {path.relative_to(folder).as_posix(): path for path in copied_helper_files(record.paths)}


def _git_of_origin(record: Record) -> dict[str, Any]:
    """Return the state of git that the origin recorded: the notebook is the same one."""
    git = record.provenance().get("git")
    if isinstance(git, dict):
        return git
    # Not None: then `write_provenance` would look for a repository around the scan's folder.
    return {}


def _parse_changes(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return the new values that `--set` gives, by parameter. Raises UsageError."""
    values: dict[str, Any] = {}
    for text in texts:
        name, _, value = (part.strip() for part in text.partition("="))
        axis = None
        if value:
            axis = space_apart(f"{name} = {value}").axes.get(name)
        if not isinstance(axis, Fixed):
            raise UsageError(f"--set {text[:TEXT_SHOWN]}: give one value, like --set epochs=50.")
        if name in values:
            raise UsageError(f"--set {name} is given twice; give it once.")
        values[name] = axis.value
    return values


def _changed_space(
    scan: ScanSpec, notebook: Notebook, values: Mapping[str, Any]
) -> tuple[Space, list[str]]:
    """Return the space with new fixed values, and a description of each change.

    Raises UsageError if a parameter varies, is unknown, or takes no such value.
    """
    body = list(scan.space.body)
    changes = []
    for name, value in values.items():
        axis = scan.space.axes.get(name)
        if name in scan.space.derived:
            raise UsageError(f"--set {name}: it follows from others in {scan.name}; set those.")
        if axis is not None and not (isinstance(axis, Fixed) and name in scan.space.fixed):
            raise UsageError(
                f"--set {name}: it varies in {scan.name}; --only chooses among its variants."
            )
        before = _value_before(axis, notebook, name)
        # Values are compared by their text, because True equals 1 and NaN does not equal NaN. A
        # parameter that the scan did not set is changed even by the notebook's own value.
        if axis is None or repr(before) != repr(value):
            changes.append(f"{name} = {value!r} (was {before!r})"[:CHANGE_LIMIT])
        line = Assign(name, Fixed(value))
        if axis is None:
            body.append(line)
        body = [line if isinstance(item, Assign) and item.name == name else item for item in body]
    if values:
        check_space(notebook, Space({name: Fixed(value) for name, value in values.items()}))
    return Space.of(body, scan.space.defaults), changes


def _effect_warnings(
    notebook: Notebook, space: Space, values: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return what keeps values from reaching the training, in sentences.

    A new value without an effect is refused: SpaceError. The recorded values stay what they were.
    """
    if values:
        space_warnings(notebook, Space({name: space.axes[name] for name in values}))
    try:
        return space_warnings(notebook, space)
    except SpaceError as error:
        return (str(error),)


def _value_before(axis: Fixed | None, notebook: Notebook, name: str) -> Any:
    """Return the value that a parameter had in the scan: its fixed one, or the notebook's own."""
    if axis is not None:
        return axis.value
    parameter = notebook.parameters.get(name)
    if parameter is None:
        return None
    return parameter.default


def _changed_variant(variant: VariantView, space: Space, values: Mapping[str, Any]) -> VariantView:
    """Return a variant with new values, its parameters in the order of the space."""
    params = {**variant.params, **values}
    if values and space.statements:
        # What follows from the new values is computed again, and conditions are decided again.
        known = set(space)
        params = {
            **_completed(space, params, variant),
            **{name: value for name, value in params.items() if name not in known},
        }
    ordered = {name: params[name] for name in space if name in params}
    # A recorded point may have parameters that the space does not have. They come last.
    return VariantView(variant.id, variant.point, variant.repeat, {**ordered, **params})


def _completed(space: Space, params: Mapping[str, Any], variant: VariantView) -> dict[str, Any]:
    """Return all that a variant gets with new values. Raises UsageError if it is no point then."""
    try:
        walked = space.point(given_by(params), variant.repeat)
        if walked.broken is None:
            return walked.params
        reason = f"it does not meet {quoted(walked.broken.text)}"
    except NotKnown:
        reason = "conditions make other parameters active, which have no values there"
    except SpaceError as error:
        reason = str(error).rstrip(".")
    raise UsageError(
        f"--set: with the new values {variant.id} is no point of the space, since {reason}. Choose"
        " other variants by --only, or start a new scan."
    )


def _origin(scan: ScanSpec, only: str, changes: list[str]) -> Origin:
    """Return what the new scan records about the scan that it runs again."""
    kind = "replay"
    if changes:
        kind = "variation"
    return Origin(
        kind, scan.id, scan.name, fingerprint(scan), " ".join(only.split()), tuple(changes)
    )
