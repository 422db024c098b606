"""Making a scan of a papermill batch, so that it can be shown, compared and replayed."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_gridgpu.backends.base import job_spec
from jupyter_gridgpu.channels.file import FileChannel
from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model import events, numbers
from jupyter_gridgpu.model.job import job_key, variant_id
from jupyter_gridgpu.model.scan import Origin, ScanSpec, parse_objective, plain_defaults
from jupyter_gridgpu.model.space import GRID_LIMIT, Axis, Choice, Fixed, Space
from jupyter_gridgpu.model.view import VariantView
from jupyter_gridgpu.planning.notebook import Notebook, check_space, read_notebook
from jupyter_gridgpu.planning.request import Plan, digest_of, helper_files
from jupyter_gridgpu.records.papermill_batch import TABLES, Executed, executed, source, table
from jupyter_gridgpu.runner.metrics import MetricsReader
from jupyter_gridgpu.store import home, points
from jupyter_gridgpu.store.journal import JournalWriter
from jupyter_gridgpu.store.manifest import ManifestWriter
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths, write_json
from jupyter_gridgpu.worker.metrics.lines import TerminalLines
from jupyter_gridgpu.worker.metrics.recorder import MetricsRecorder

COPY = "imported"  # the one copy of every imported job


def plan_import(
    batch: Path, notebook: Path | None = None, name: str | None = None, files: tuple[str, ...] = (),
    objective: tuple[str, str] | None = None, command: str = "",
) -> tuple[Plan, list[Executed]]:  # fmt: skip
    """Return the Plan of a batch's scan, and its variants. Raises UsageError or NotebookError."""
    variants = _variants(batch)
    found = (
        _given(batch, notebook) if variants[0].path is None or notebook else _executed_one(variants)
    )
    params = [variant.params for variant in variants]
    if len(params) > GRID_LIMIT:
        raise UsageError(f"{batch} has {len(params):,} variants; a scan may have {GRID_LIMIT:,}.")
    space = space_of(params)
    check_space(found, space)
    helpers = helper_files(
        found.path.parent if notebook else batch if batch.is_dir() else batch.parent, files
    )
    given = points.lines(
        VariantView(variant_id(n), n - 1, 0, one) for n, one in enumerate(params, 1)
    )
    scan = ScanSpec(
        id=f"{time.strftime('%Y%m%d-%H%M%S')}-{uuid.uuid4().hex[:6]}", name=home.check_name(name or home.name_from(batch.name)),
        notebook=found.path.name, kernel=found.kernel, language=found.language, space=space, sampler="grid", seed=0, trials=None,
        objective=parse_objective(*objective) if objective else None, files=tuple(helpers), notebook_digest=found.digest,
        files_digest=digest_of(helpers), created=time.time(), recorded=len(variants), recorded_digest=points.digest(given),
        origin=Origin("import"),
        defaults=plain_defaults({name: parameter.default for name, parameter in found.parameters.items()}),
    )  # fmt: skip
    return Plan(scan, found, helpers, name, True, command, given), variants


def _variants(batch: Path) -> list[Executed]:
    if not batch.exists():
        raise UsageError(f"There is no {batch}.")
    if batch.is_dir():
        found = executed(batch) or (
            table(batch / "parameters") if (batch / "parameters").is_dir() else table(batch)
        )
        if not found:
            raise UsageError(
                f"{batch} has no notebook that papermill executed, and no YAML file of parameters."
            )
        return found
    if batch.suffix not in TABLES:
        raise UsageError(
            f"{batch} is no papermill batch: give a folder of executed notebooks, or a CSV or YAML of parameters."
        )
    return table(batch)


def _given(batch: Path, notebook: Path | None) -> Notebook:
    """The notebook that parameters are for."""
    beside = batch / "notebook.ipynb"
    if notebook is None and not beside.exists():
        raise UsageError(
            f"{batch} holds parameters: say with --notebook which notebook they are for."
        )
    return read_notebook(notebook or beside, kernel_here=False)


def _executed_one(variants: list[Executed]) -> Notebook:
    """The one notebook that all were executed from. Raises UsageError if there is more than one."""
    first = variants[0]
    assert first.path is not None
    with tempfile.TemporaryDirectory() as folder:
        name = _source_name(first)
        made = [_read(Path(folder) / name, source(first.body))]
        digests = {made[0].digest: first.path}
        for variant in variants[1:]:
            other = _read(Path(folder) / name, source(variant.body))
            digests.setdefault(other.digest, variant.path or Path())
    if len(digests) > 1:
        other_path = list(digests.values())[1]
        raise UsageError(
            f"{first.path} and {other_path} are not of the same notebook; import their folders one by one."
        )
    return made[0]


def _read(path: Path, content: bytes) -> Notebook:
    path.write_bytes(content)
    return read_notebook(path, kernel_here=False)


def _source_name(variant: Executed) -> str:
    """The notebook's own name, where papermill kept it."""
    about = variant.body["metadata"]["papermill"]
    path = about.get("input_path")
    name = Path(path).name if isinstance(path, str) and path.isprintable() else ""
    return name if name.endswith(".ipynb") and len(name) <= 200 else "notebook.ipynb"


def space_of(params: Sequence[dict[str, Any]]) -> Space:
    """Return the space that has these points: what is the same in all is fixed, the rest are choices."""
    values: dict[str, dict[str, Any]] = {}
    for one in params:
        for name, value in one.items():
            values.setdefault(name, {}).setdefault(
                json.dumps(numbers.strict(value), sort_keys=True), value
            )
    axes: dict[str, Axis] = {}
    for name, known in values.items():
        everywhere = all(name in one for one in params)
        axes[name] = (
            Fixed(next(iter(known.values())))
            if len(known) == 1 and everywhere
            else Choice(tuple(known.values()))
        )
    return Space(axes)


# the folder -------------------------------------------------------------------------------


def fill(plan: Plan, variants: list[Executed], paths: ScanPaths) -> None:
    """Write the journal and the jobs of an imported scan into its folder, which nobody sees yet. Raises OSError."""
    writer = JournalWriter(paths.journal, 0, 1)
    try:
        writer.append([(events.RUNNER_STARTED, {})])
        writer.append([(events.VARIANT_PROPOSED, point) for point in points.read(paths.points)])
        if variants[0].path is None:
            stop = {
                "id": "import",
                "action": "stop",
                "variants": None,
                "trials": None,
                "by": "import",
            }
            writer.append([(events.COMMAND_APPLIED, stop)])
        else:
            for number, variant in enumerate(variants, 1):
                writer.append(_job(plan.scan, paths, variant_id(number), variant))
            ManifestWriter(paths).add(
                [job_key(variant_id(number), 1) for number in range(1, len(variants) + 1)]
            )
        writer.append(
            [(events.SCAN_FINISHED, {"state": "stopped" if variants[0].path is None else "done"})]
        )
    finally:
        writer.close()


def _job(
    scan: ScanSpec, paths: ScanPaths, ident: str, variant: Executed
) -> list[tuple[str, dict[str, Any]]]:
    """Write what one executed notebook becomes as a job, and return its events."""
    key = job_key(ident, 1)
    job, copy = paths.job(key), paths.job(key).copy(COPY)
    copy.folder.mkdir(parents=True, mode=0o700)
    assert variant.path is not None
    shutil.copyfile(variant.path, copy.notebook)
    write_json(job.spec, job_spec(scan, key, variant.params))
    _metrics(copy, variant)
    reason = None if variant.state == "done" else "notebook"
    times = {"started": variant.started, "ended": variant.ended or variant.started or scan.created}
    result = {
        "key": key,
        "copy": COPY,
        "state": variant.state,
        "reason": reason,
        "message": variant.message,
        **times,
    }
    for path in (copy.result, job.result):
        write_json(path, result)
    about = variant.body["metadata"].get("gridgpu")
    if isinstance(about, dict):  # it was executed by this project
        write_json(copy.provenance, about)
    told = MetricsReader(paths, FileChannel()).finish(key)
    seen = {
        name: value
        for name, value in result.items()
        if name not in ("key", "copy") and value is not None
    }
    notebook = copy.notebook.relative_to(paths.folder).as_posix()
    return [
        (events.JOB_INTENDED, {"key": key}),
        (events.JOB_SUBMITTED, {"key": key, "engine_id": key}),
        *([(events.JOB_REPORTED, told)] if told else []),
        (events.JOB_OBSERVED, {"key": key, **seen, "notebook": notebook}),
    ]


def _metrics(copy: CopyPaths, variant: Executed) -> None:
    """Read from a notebook's outputs what a worker would have read while they came: Keras' lines and scrapbook's glue."""
    metrics = MetricsRecorder(copy.metrics, copy.folder / "none")
    for cell in variant.body["cells"]:
        for output in cell.get("outputs", []) if isinstance(cell, dict) else ():
            if not isinstance(output, dict):
                continue
            if isinstance(output.get("data"), dict):
                metrics.glued(output["data"])
            for line in _lines(output.get("text")) if output.get("output_type") == "stream" else ():
                metrics.printed(line)
    metrics.close()
    when = round(variant.ended or variant.started or time.time(), 3)
    lines = [
        json.dumps({**json.loads(line), "t": when})
        for line in copy.metrics.read_text(encoding="utf-8").splitlines()
    ]
    copy.metrics.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def _lines(text: Any) -> list[str]:
    whole = (
        "".join(part for part in text if isinstance(part, str)) if isinstance(text, list) else text
    )
    if not isinstance(whole, str):
        return []
    screen = TerminalLines()
    return [*screen.feed(whole), *filter(None, [screen.rest()])]
