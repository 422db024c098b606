"""The job that an executed notebook becomes in the folder of an imported scan."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from jupyter_gridgpu.backends.base import job_spec
from jupyter_gridgpu.channels.file import FileChannel
from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.job import job_key
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.records.papermill_batch import ImportedVariant, cell_outputs
from jupyter_gridgpu.runner.metrics import MetricsReader
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import copy_file, read_bounded
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths, write_atomic, write_json
from jupyter_gridgpu.worker.metrics.lines import TerminalLines
from jupyter_gridgpu.worker.metrics.recorder import MetricsRecorder

METRICS_BYTES = 512 * 1024 * 1024  # more than a recorder writes
COPY = "imported"  # the name of the copy of an imported job, which has only one


def write_job(
    scan: ScanSpec, paths: ScanPaths, variant_id: str, variant: ImportedVariant
) -> list[tuple[str, Mapping[str, Any]]]:
    """Write the files of the job of one executed notebook.

    Returns the events of the job, as pairs of type and data, for the journal. The files and events
    are those that a worker and a runner would have written. Raises OSError.
    """
    key = job_key(variant_id, 1)
    job = paths.job(key)
    copy = job.copy(COPY)
    copy.folder.mkdir(parents=True, mode=0o700)
    assert variant.path is not None
    copy_file(variant.path, copy.notebook)
    write_json(job.spec, job_spec(scan, key, variant.params))
    _write_metrics(copy, variant)
    outcome = _outcome(scan, variant)
    result = {"key": key, "copy": COPY, **outcome}
    write_json(copy.result, result)
    write_json(job.result, result)
    provenance = variant.body["metadata"].get("gridgpu")
    # A notebook that one of our own jobs executed brings its provenance along.
    if isinstance(provenance, dict):
        write_json(copy.provenance, provenance)
    return _job_events(paths, key, copy, outcome)


def _outcome(scan: ScanSpec, variant: ImportedVariant) -> dict[str, Any]:
    """Return the fields of result.json and of the journal that describe how the notebook ended."""
    reason = None
    if variant.state != "done":
        reason = "notebook"
    return {
        "state": variant.state,
        "reason": reason,
        "message": variant.message,
        "started": variant.started,
        # A job that has ended needs an end time, even if papermill did not write one.
        "ended": variant.ended or variant.started or scan.created,
    }


def _job_events(
    paths: ScanPaths, key: str, copy: CopyPaths, outcome: Mapping[str, Any]
) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the events of a job whose files are written."""
    found: list[tuple[str, Mapping[str, Any]]] = [
        (events.JOB_INTENDED, {"key": key}),
        (events.JOB_SUBMITTED, {"key": key, "engine_id": key}),
    ]
    report = MetricsReader(paths, FileChannel()).finish(key)
    if report:
        found.append((events.JOB_REPORTED, report))
    known = {name: value for name, value in outcome.items() if value is not None}
    notebook = copy.notebook.relative_to(paths.folder).as_posix()
    found.append((events.JOB_OBSERVED, {"key": key, **known, "notebook": notebook}))
    return found


def _write_metrics(copy: CopyPaths, variant: ImportedVariant) -> None:
    """Write metrics.jsonl from the outputs of a notebook: Keras' lines and scrapbook's glue."""
    # `none` does not exist: there is no report file, and only outputs of the notebook are read.
    recorder = MetricsRecorder(copy.metrics, copy.folder / "none")
    for output in cell_outputs(variant.body):
        data = output.get("data")
        if isinstance(data, dict):
            recorder.take_display(data)
        if output.get("output_type") == "stream":
            recorder.take_printed(list(_printed_lines(output.get("text"))))
    recorder.close()
    # The recorder wrote the present time. The real time of a reading is not known, so all readings
    # get the time at which the notebook ended.
    when = round(variant.ended or variant.started or time.time(), 3)
    written = read_bounded(copy.metrics, METRICS_BYTES).splitlines()
    lines = [json.dumps({**parse_json(line), "t": when}) + "\n" for line in written]
    write_atomic(copy.metrics, "".join(lines))


def _printed_lines(text: Any) -> list[str]:
    """Return the lines of a stream output as a terminal would show them.

    A notebook keeps the text as one string or as a list of strings. Progress bars return to the
    start of a line and write over it.
    """
    if isinstance(text, list):
        text = "".join(part for part in text if isinstance(part, str))
    if not isinstance(text, str):
        return []
    terminal = TerminalLines()
    lines = [*terminal.feed(text)]
    last = terminal.finish()  # a last line without a newline
    if last:
        lines.append(last)
    return lines
