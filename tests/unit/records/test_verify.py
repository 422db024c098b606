"""What verify says of files that were changed, removed or replaced."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from jupyter_gridgpu.records.record import Record, load_record
from jupyter_gridgpu.records.verify import changed_inputs, verify

from .kit import tree, write_scan

OLD = Path(__file__).parents[2] / "data/format1"


def looked(record: Record) -> tuple[int, list[str], list[str]]:
    found = verify(load_record(record.paths.folder))
    return found.exit_code, found.changed, found.missing


def test_what_was_not_touched_is_unchanged_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "größe.txt").write_text("x")
    record = write_scan(files={"größe.txt": tmp_path / "größe.txt"})
    before = tree(record.paths.folder)
    found = verify(record)
    assert found.exit_code == 0
    assert found.checked == 17
    assert "files/größe.txt" not in found.changed
    assert tree(record.paths.folder) == before
    assert json.loads(json.dumps(found.to_json()))["verdict"] == "unchanged"


def test_a_changed_file_is_told_from_a_missing_one() -> None:
    record = write_scan()
    notebook = record.paths.job("v0001.1").copy("ab").notebook
    notebook.write_text(notebook.read_text().replace("4", "5", 1))
    assert looked(record) == (1, ["jobs/v0001.1/ab/output.ipynb"], [])
    shutil.rmtree(record.paths.job("v0002.1").copy("ab").folder)
    code, changed, missing = looked(record)
    assert (code, len(changed), len(missing)) == (1, 1, 4)
    notebook.unlink()
    assert looked(record)[0] == 3


def test_a_link_in_place_of_a_file_is_a_change() -> None:
    record = write_scan()
    metrics = record.paths.job("v0001.1").copy("ab").metrics
    copy = metrics.with_name("elsewhere")
    metrics.rename(copy)
    metrics.symlink_to(copy)
    assert looked(record) == (1, ["jobs/v0001.1/ab/metrics.jsonl"], [])


def test_the_spec_and_what_went_in_are_checked_too() -> None:
    record = write_scan()
    record.paths.worker.write_bytes(b"another")
    record.paths.notebook.write_text("{}")
    assert looked(record)[1] == ["notebook.ipynb", "worker.pyz"]
    assert changed_inputs(record) == ["notebook.ipynb"]
    body = json.loads(record.paths.provenance.read_text())
    record.paths.provenance.write_text(json.dumps({**body, "inputs": {}}))
    assert "provenance.json" in looked(record)[1]


def test_jobs_without_digests_are_said() -> None:
    record = write_scan()
    lines = record.paths.manifest.read_text().splitlines(keepends=True)
    record.paths.manifest.write_text("".join(lines[:-1]))
    found = verify(record)
    assert (found.exit_code, found.unrecorded) == (3, ["v0002.1"])


def test_of_a_scan_of_an_earlier_version_nothing_can_be_said() -> None:
    found = verify(load_record(OLD))
    assert (found.checked, found.exit_code) == (0, 3)
    assert len(found.unrecorded) == 6


def test_a_manifest_cannot_name_what_is_outside() -> None:
    record = write_scan()
    line = {
        "key": "v0001.1",
        "files": {"../../etc/passwd": ["0" * 64, 1], "/etc/passwd": ["0" * 64, 1]},
    }
    record.paths.manifest.write_text(json.dumps(line) + "\n")
    found = verify(record)
    assert found.changed == ["../../etc/passwd", "/etc/passwd"]
