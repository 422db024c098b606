"""docs/records.schema.json describes what scans of every format have on disk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError  # type: ignore[import-untyped]

from jupyter_gridgpu.backends.base import job_spec
from jupyter_gridgpu.model import events
from jupyter_gridgpu.model.fold import COMMANDS, HANDLERS
from jupyter_gridgpu.model.job import REASONS, STATES
from jupyter_gridgpu.store import inbox
from jupyter_gridgpu.testing.examples import small_scan

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data"
SCANS = [DATA / "format1", *sorted(path.parent for path in DATA.glob("format2/*/scan.json"))]
SCHEMA = json.loads((ROOT / "docs" / "records.schema.json").read_text(encoding="utf-8"))
FILES = {  # pattern in a scan folder -> the schema of the file, or of each of its lines
    "journal.jsonl": "JournalLine",
    "manifest.jsonl": "ManifestLine",
    "runner.lock": "LeaseFile",
    "batches/*/engine.json": "BatchFile",
    "jobs/*/job.json": "JobSpec",
    "jobs/*/claim.json": "JobClaim",
    "jobs/*/result.json": "JobResult",
    "jobs/*/*/result.json": "JobResult",
    "jobs/*/*/copy.json": "CopyInfo",
}


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({**SCHEMA, "$ref": f"#/$defs/{name}"})


def bodies(path: Path) -> Iterator[Any]:
    """Yield the JSON objects of a file: the only one, or one for each line."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".jsonl":
        yield from map(json.loads, text.splitlines())
    else:
        yield json.loads(text)


def test_the_schema_itself_is_sound() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("pattern", FILES)
def test_scans_that_were_kept_fit_the_schema(pattern: str) -> None:
    check, seen = validator(FILES[pattern]), 0
    for scan in SCANS:
        for path in scan.glob(pattern):
            for body in bodies(path):
                check.validate(body)
                seen += 1
    assert seen


def test_lines_of_metrics_fit_the_schema() -> None:
    metrics, heartbeat, seen = validator("MetricsLine"), validator("HeartbeatLine"), 0
    for scan in SCANS:
        for path in scan.glob("jobs/*/*/metrics.jsonl"):
            for body in bodies(path):
                (heartbeat if "beat" in body else metrics).validate(body)
                seen += 1
    assert seen


def test_a_line_with_a_key_that_nobody_writes_does_not_fit() -> None:
    line = {"seq": 1, "term": 1, "t": 1.0, "type": "job.intended", "key": "v0001.1"}
    validator("JournalLine").validate(line)
    with pytest.raises(ValidationError):
        validator("JournalLine").validate({**line, "moon": "full"})


def test_what_is_written_now_fits_the_schema(tmp_path: Path) -> None:
    spec = job_spec(small_scan(), "v0001.1", {"lr": 0.1})
    validator("JobSpec").validate({**spec, "env": {}})
    inbox.post(tmp_path, "extend", trials=3)
    (path,) = inbox.pending(tmp_path)
    validator("CommandFile").validate(json.loads(path.read_text(encoding="utf-8")))
    command = inbox.read(path)
    assert command is not None
    line = events.Event(1, 1, 1.0, events.COMMAND_APPLIED, dict(command)).line()
    validator("CommandApplied").validate(json.loads(line))


def test_every_event_has_a_record_and_a_place_in_the_fold() -> None:
    assert set(events.RECORDS) == set(HANDLERS)


def test_the_words_are_those_of_the_code() -> None:
    words = {
        name: set(SCHEMA["$defs"][name]["enum"]) for name in ("State", "Reason", "CommandName")
    }
    assert words == {"State": set(STATES), "Reason": set(REASONS), "CommandName": set(COMMANDS)}
