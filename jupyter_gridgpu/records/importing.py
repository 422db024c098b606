"""Makes a scan of executed notebooks or of a table of parameters.

An imported scan can be shown, compared and replayed like any other scan. Nothing is run.
"""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_gridgpu import images
from jupyter_gridgpu.errors import NotebookError, SpaceError, UsageError
from jupyter_gridgpu.model import events, numbers
from jupyter_gridgpu.model.job import job_key, variant_id
from jupyter_gridgpu.model.scan import Origin, ScanSpec, plain_defaults
from jupyter_gridgpu.model.space import GRID_LIMIT, Axis, Choice, Fixed, Space
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.planning.backend_choice import accepted_by_backend
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.helper_files import files_digest, helper_files, size_warnings
from jupyter_gridgpu.planning.kernels import Kernel, check_kernel
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
    read_objectives,
)
from jupyter_gridgpu.planning.profiles import with_collector_warning
from jupyter_gridgpu.planning.request import Plan
from jupyter_gridgpu.records.imported_job import write_job
from jupyter_gridgpu.records.papermill_batch import (
    ImportedVariant,
    read_executed,
    read_tables,
    source_notebook,
)
from jupyter_gridgpu.records.parameter_table import SUFFIXES
from jupyter_gridgpu.store import home, points
from jupyter_gridgpu.store.access import closed
from jupyter_gridgpu.store.journal import JournalWriter
from jupyter_gridgpu.store.manifest import ManifestWriter
from jupyter_gridgpu.store.paths import ScanPaths, write_atomic

DEFAULT_NOTEBOOK = "notebook.ipynb"
FILE_NAME_LIMIT = 200  # characters
DEFAULT_OPTIONS = Options()


def plan_import(
    batch: Path,
    notebook: Path | None = None,
    options: Options = DEFAULT_OPTIONS,
    command: str = "",
    *,
    ask: bool = True,
) -> tuple[Plan, list[ImportedVariant]]:
    """Return the plan of the scan that is to be made, and its variants.

    `batch` is a folder of executed notebooks or a table of parameters, and `notebook` is what the
    parameters are for. `options` say how variants run if they are tried again; without `ask`, no
    batch system is asked whether it takes them. Raises UsageError, NotebookError or BackendError.
    """
    check_texts(options)
    variants = _read_variants(batch)
    was_executed = variants[0].path is not None
    container = container_of(options, exact=ask)
    if notebook or not was_executed:
        source = _given_notebook(batch, notebook, options.kernel)
    else:
        source = _common_notebook(variants, options.kernel)
    params = [variant.params for variant in variants]
    if len(params) > GRID_LIMIT:
        raise UsageError(f"{batch} has {len(params):,} variants; a scan may have {GRID_LIMIT:,}.")
    space = space_of_points(params)
    check_space(source, space)
    helpers = helper_files(_helper_folder(batch, notebook, source), options.files)
    sizes = size_warnings(helpers)
    point_lines = _point_lines(params)
    scan = replace(
        _spec(options.name or home.name_from(batch.name), source, space, options),
        **backend_fields(options, container),
        files=tuple(helpers),
        files_digest=files_digest(helpers),
        recorded=len(variants),
        recorded_digest=points.digest(point_lines),
        warnings=(*source.remarks, *sizes),
    )
    found = _checked(scan, source, options.kernel, was_executed)
    scan = replace(scan, warnings=(*scan.warnings, *found))
    scan = with_collector_warning(accepted_by_backend(scan, ask, helpers), options)
    return Plan(scan, source, helpers, options.name, True, command, point_lines), variants


def _checked(
    scan: ScanSpec, notebook: Notebook, kernel: str | None, was_executed: bool
) -> tuple[str, ...]:
    """Return what keeps variants from running, or values from having an effect, in sentences.

    What was executed stays true, whatever would happen now. Parameters alone are there to be run:
    for them, what `gridgpu run` refuses is refused. Raises NotebookError or SpaceError.
    """
    found: list[str] = []
    try:
        if not images.starts_container(scan.container):
            check_kernel(notebook.path, Kernel(notebook.kernel, notebook.language), kernel)
    except NotebookError as error:
        if not was_executed:
            raise
        found.append(str(error))
    try:
        found += space_warnings(notebook, scan.space)
    except SpaceError as error:
        if not was_executed:
            raise
        found.append(str(error))
    return tuple(found)


def _spec(name: str, notebook: Notebook, space: Space, options: Options) -> ScanSpec:
    """Return the spec of an imported scan, but for its backend, helper files and points.

    Raises UsageError if the name is wrong, or if an objective is wrong.
    """
    defaults = {name: parameter.default for name, parameter in notebook.parameters.items()}
    return ScanSpec(
        id=f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}",
        name=home.check_name(name),
        notebook=notebook.path.name,
        kernel=notebook.kernel,
        language=notebook.language,
        space=space,
        sampler="grid",  # it proposes nothing, since all points are given
        seed=0,
        trials=None,
        objectives=read_objectives(options),
        notebook_digest=notebook.digest,
        created=time.time(),
        origin=Origin("import"),
        defaults=plain_defaults(defaults),
    )


def _read_variants(batch: Path) -> list[ImportedVariant]:
    """Return the variants in a folder or a table. Raises UsageError if there is none."""
    reason = closed(batch)
    if reason is not None:
        raise UsageError(f"{batch} cannot be read: {reason}.")
    if not batch.exists():
        raise UsageError(f"There is no {batch}.")
    if batch.is_dir():
        return _read_folder(batch)
    if batch.suffix not in SUFFIXES:
        raise UsageError(
            f"{batch} is no papermill batch: give a folder of executed notebooks, "
            "or a CSV or YAML of parameters."
        )
    return read_tables(batch)


def _read_folder(folder: Path) -> list[ImportedVariant]:
    """Return the variants in a folder: executed notebooks, or else YAML files of parameters."""
    variants = read_executed(folder)
    if not variants:
        # `gridgpu export --to papermill` puts the tables into a folder `parameters`.
        tables = folder / "parameters"
        if not tables.is_dir():
            tables = folder
        variants = read_tables(tables)
    if not variants:
        raise UsageError(
            f"{folder} has no notebook that papermill executed, and no YAML file of parameters."
        )
    return variants


def _given_notebook(batch: Path, notebook: Path | None, kernel: str | None) -> Notebook:
    """Return the notebook that the parameters are for: the given one, or the one beside them."""
    beside = batch / DEFAULT_NOTEBOOK
    if notebook is None and not beside.exists():
        raise UsageError(
            f"{batch} holds parameters: say with --notebook which notebook they are for."
        )
    # An import runs nothing. Whether the kernel is installed here is checked later.
    return read_notebook(notebook or beside, kernel_here=False, wanted_kernel=kernel)


def _common_notebook(variants: list[ImportedVariant], kernel: str | None) -> Notebook:
    """Return the one notebook that all variants were executed from.

    Raises UsageError if there is more than one.
    """
    first = variants[0]
    assert first.path is not None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _original_name(first)
        common = _read_source(path, first, kernel)
        for variant in variants[1:]:
            if _read_source(path, variant, kernel).digest != common.digest:
                raise UsageError(
                    f"{first.path} and {variant.path} are not of the same notebook; "
                    "import their folders one by one."
                )
    return common


def _read_source(path: Path, variant: ImportedVariant, kernel: str | None) -> Notebook:
    """Write the notebook that a variant was executed from to `path`, and return it."""
    try:
        write_atomic(path, source_notebook(variant.body))
    except RecursionError:
        raise UsageError(f"{variant.path} is no notebook: it is nested too deeply.") from None
    return read_notebook(path, kernel_here=False, wanted_kernel=kernel)


def _original_name(variant: ImportedVariant) -> str:
    """Return the file name of the notebook that papermill was given, if it can be used."""
    path = variant.body["metadata"]["papermill"].get("input_path")
    # The content of the file may be anybody's, and this text becomes a file name.
    if not isinstance(path, str) or not path.isprintable():
        return DEFAULT_NOTEBOOK
    name = Path(path).name
    if not name.endswith(".ipynb") or len(name) > FILE_NAME_LIMIT:
        return DEFAULT_NOTEBOOK
    return name


def _helper_folder(batch: Path, notebook: Path | None, source: Notebook) -> Path:
    """Return the folder to which the patterns of helper files are relative."""
    if notebook is not None:
        return source.path.parent
    if batch.is_dir():
        return batch
    return batch.parent


def _point_lines(params: Sequence[dict[str, Any]]) -> str:
    """Return the text of points.jsonl for variants with these parameters."""
    variants = []
    for index, values in enumerate(params):
        variants.append(VariantView(variant_id(index + 1), point=index, repeat=0, params=values))
    return points.lines(variants)


def space_of_points(params: Sequence[dict[str, Any]]) -> Space:
    """Return the space that has these points.

    A parameter with the same value in all points is fixed, any other one is a choice.
    """
    # A value may be a list, which cannot be in a set, and True equals 1. So values are compared by
    # their JSON text.
    values_by_name: dict[str, dict[str, Any]] = {}
    for point in params:
        for name, value in point.items():
            text = json.dumps(numbers.encode_all(value), sort_keys=True)
            values_by_name.setdefault(name, {}).setdefault(text, value)
    axes: dict[str, Axis] = {}
    for name, by_text in values_by_name.items():
        values = tuple(by_text.values())
        # A point without the parameter has the notebook's own value, which may differ.
        in_all_points = all(name in point for point in params)
        if len(values) == 1 and in_all_points:
            axes[name] = Fixed(values[0])
        else:
            axes[name] = Choice(values)
    return Space(axes)


# the folder ---------------------------------------------------------------------------------


def write_imported_scan(plan: Plan, variants: list[ImportedVariant], paths: ScanPaths) -> None:
    """Write the journal and the jobs of an imported scan into its new folder. Raises OSError.

    Executed notebooks become jobs that have ended. Variants of a table wait, and the scan is
    stopped, until the user asks to run them.
    """
    was_executed = variants[0].path is not None
    writer = JournalWriter(paths.journal, 0, 1)
    try:
        writer.append([(events.RUNNER_STARTED, {})])
        writer.append([(events.VARIANT_PROPOSED, point) for point in points.read(paths.points)])
        if was_executed:
            _write_jobs(plan.scan, paths, variants, writer)
            state = "done"
        else:
            writer.append([(events.COMMAND_APPLIED, _stop_command())])
            state = "stopped"
        writer.append([(events.SCAN_FINISHED, {"state": state})])
    finally:
        writer.close()


def _write_jobs(
    scan: ScanSpec, paths: ScanPaths, variants: list[ImportedVariant], writer: JournalWriter
) -> None:
    keys = []
    for number, variant in enumerate(variants, 1):
        name = variant_id(number)
        writer.append(write_job(scan, paths, name, variant))
        keys.append(job_key(name, 1))
    ManifestWriter(paths).add(keys)


def _stop_command() -> dict[str, Any]:
    """Return the data of the event that keeps the variants of a table from being run."""
    return {"id": "import", "action": "stop", "variants": None, "trials": None, "by": "import"}
