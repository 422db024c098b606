"""Running a scan again from its folder: the same notebook, files, points and image; or a variation that says what it changed."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from jupyter_gridgpu import images
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.resources import Container
from jupyter_gridgpu.model.scan import Origin, ScanSpec, fingerprint
from jupyter_gridgpu.model.space import Fixed, Space
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.planning.notebook import Notebook, check_space, read_notebook
from jupyter_gridgpu.planning.request import Options, Plan, checked, container_of, engine_fields
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.records.scan_provenance import helper_files
from jupyter_gridgpu.records.selection import choose
from jupyter_gridgpu.records.verify import changed_inputs
from jupyter_gridgpu.store import home, points

NAME = "-replay"


@dataclass(frozen=True)
class ReplayRequest:
    """What is to be run again, and what is to be different; `options` are those that were given, by their names."""

    only: str = ""
    changes: tuple[str, ...] = ()  # each like `epochs = 50`
    options: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""


def plan_replay(record: Record, wish: ReplayRequest = ReplayRequest(), *, ask: bool = True) -> Plan:
    """Return the Plan of a replay. Raises UsageError, StorageError or EngineError with one sentence for what is wrong."""
    variants = choose(record.view, wish.only)
    options = _options(record.scan, wish)
    container, said = _container(record.scan, options, ask)
    notebook = _notebook(record, kernel_here=not images.contained(container))
    changes = _changes(wish.changes)
    space, changed = _changed_space(record.scan, notebook, changes)
    said = [*changed, *said]
    given = points.lines(_changed(variant, space, changes) for variant in variants)
    made = _scan(record, options, container, space, given)
    made = checked(
        replace(made, origin=_origin(record.scan, wish.only, said), recorded=len(variants)), ask
    )
    files = {
        path.relative_to(record.paths.files).as_posix(): path for path in helper_files(record.paths)
    }
    git = record.provenance().get("git")
    return Plan(
        made, notebook, files, wish.options.get("name"), bool(wish.options.get("new")), wish.command, given,
        git if isinstance(git, dict) else {},
    )  # fmt: skip


def _scan(
    record: Record, options: Options, container: Container, space: Space, given: str
) -> ScanSpec:
    scan, fields = record.scan, engine_fields(options, container)
    name = options.name or scan.name[: home.NAME_LIMIT - len(NAME)].removesuffix(NAME) + NAME
    return replace(
        scan, id=f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}", name=home.check_name(name), space=space,
        recorded_digest=points.digest(given), created=time.time(), asked=None, choice="", **fields,
    )  # fmt: skip


def _options(scan: ScanSpec, wish: ReplayRequest) -> Options:
    """The options of the scan as it ran, with those changed that were given."""
    asked, image, place = scan.resources, scan.container, scan.placement
    given = dict(wish.options)
    ran = Options(
        on=scan.backend, parallel=scan.parallel, per_gpu=scan.per_gpu, per_job=scan.per_job, gpus=asked.gpus,
        gpu_model=asked.gpu_model, vram=asked.vram_mb, cuda=asked.cuda, cpus=asked.cpus, retries=scan.retries,
        walltime=asked.walltime_s, memory=asked.memory_mb, disk=asked.disk_mb, image=image.image,
        runtime=image.runtime, bind=image.binds, queue=place.queue, account=place.account, qos=place.qos,
        constraint=place.constraint, no_shared_disk=not place.shared, exclude_site=place.exclude, inputs=place.inputs,
        out=place.output, attempts=place.attempts,
    )  # fmt: skip
    if given.get("on", scan.backend) != scan.backend:
        # Words of one engine say nothing to another.
        ran = replace(
            ran, queue=None, account=None, qos=None, constraint=None, no_shared_disk=False
        )
        ran = replace(ran, exclude_site=(), inputs=(), out=None, attempts=None)
    return replace(ran, **given)


def _container(scan: ScanSpec, options: Options, ask: bool) -> tuple[Container, list[str]]:
    """Return the container to run in, and what of it is not what it was. The same image is kept by its digest."""
    was, made = scan.container, container_of(options, exact=ask)
    if made.image != was.image:
        return made, [f"image = {made.image or 'none'} (was {was.image or 'none'})"]
    if made.digest is None or was.digest is None or made.digest == was.digest:
        return replace(made, digest=was.digest or made.digest), []
    return made, [f"digest of {made.image} = {made.digest} (was {was.digest})"]


def _notebook(record: Record, kernel_here: bool) -> Notebook:
    """Return the notebook of the folder, if it is what ran."""
    changed = changed_inputs(record)
    if changed:
        raise UsageError(
            f"{changed[0]} of {record.name} was changed after it ran, so this would be no replay; `gridgpu verify {record.name}`"
            " says more."
        )
    found = read_notebook(record.paths.notebook, kernel_here)
    if found.digest != record.scan.notebook_digest:
        raise UsageError(
            f"notebook.ipynb of {record.name} was changed after it ran, so this would be no replay."
        )
    return found


def _changes(texts: tuple[str, ...]) -> dict[str, Any]:
    """Return the new values of --set by parameter."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        axis = (
            parse_space(f"{name.strip()} = {value.strip()}").axes.get(name.strip())
            if equals and value.strip()
            else None
        )
        if not isinstance(axis, Fixed):
            raise UsageError(f"--set {text[:80]}: give one value, like --set epochs=50.")
        found[name.strip()] = axis.value
    return found


def _changed_space(
    scan: ScanSpec, notebook: Notebook, changes: Mapping[str, Any]
) -> tuple[Space, list[str]]:
    """Return the space with new fixed values, and what was changed in words."""
    said, axes = [], dict(scan.space.axes)
    for name, value in changes.items():
        axis = axes.get(name)
        if axis is not None and not isinstance(axis, Fixed):
            raise UsageError(
                f"--set {name}: it varies in {scan.name}; --only chooses among its variants."
            )
        was = (
            axis.value
            if axis
            else notebook.parameters[name].default
            if name in notebook.parameters
            else None
        )
        if axis is None or repr(was) != repr(value):
            said.append(f"{name} = {value!r} (was {was!r})"[:300])
        axes[name] = Fixed(value)
    if changes:
        check_space(notebook, Space({name: axes[name] for name in changes}))
    return Space(axes), said


def _changed(variant: VariantView, space: Space, changes: Mapping[str, Any]) -> VariantView:
    params = {**variant.params, **changes}
    ordered = {
        name: params[name]
        for name in [
            *(n for n in space if n in params),
            *(n for n in params if n not in space.axes),
        ]
    }
    return VariantView(variant.id, variant.point, variant.repeat, ordered)


def _origin(scan: ScanSpec, only: str, said: list[str]) -> Origin:
    kind = "variation" if said else "replay"
    return Origin(kind, scan.id, scan.name, fingerprint(scan), " ".join(only.split()), tuple(said))
