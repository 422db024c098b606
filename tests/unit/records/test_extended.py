"""The record of a scan that was extended: exports and replays have its space as it is now."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_gridgpu.cli.app import gridgpu
from jupyter_gridgpu.model import extension
from jupyter_gridgpu.model.extension import Extension
from jupyter_gridgpu.model.grammar import parse_space
from jupyter_gridgpu.model.scan import fingerprint
from jupyter_gridgpu.planning import scan_file
from jupyter_gridgpu.planning.notebook import read_notebook
from jupyter_gridgpu.records.export import export
from jupyter_gridgpu.records.input_differences import differences
from jupyter_gridgpu.records.record import Record
from jupyter_gridgpu.records.replay import plan_replay
from jupyter_gridgpu.testing.examples import Story, notebook_json

from .kit import write_scan

pytestmark = pytest.mark.usefixtures("scans_home")
NOTEBOOK = notebook_json("lr = 0.1\nseed = 0", "acc = 1 - lr")


@pytest.fixture
def record(tmp_path: Path) -> Record:
    (tmp_path / "n.ipynb").write_text(NOTEBOOK)
    digest = read_notebook(tmp_path / "n.ipynb").digest
    jobs = {1: {"acc": [0.5]}, 4: {"acc": [0.9]}}
    made = write_scan(jobs=jobs, notebook=NOTEBOOK, notebook_digest=digest)
    made.view.growth.add(extension.to_json(Extension(add=parse_space("lr = [0.4, 5]").body)), 3)
    return made


def test_a_replay_has_the_wider_space_and_names_the_first_request(record: Record) -> None:
    plan = plan_replay(record)
    assert plan.scan.space == parse_space("lr = [0.1, 0.2, 0.3, 0.4, 5]")
    assert plan.scan.recorded == 2
    assert plan.scan.origin is not None
    assert plan.scan.origin.fingerprint == fingerprint(record.view.growth.original)


def test_a_report_says_what_the_scan_was_extended_by(record: Record, tmp_path: Path) -> None:
    page = export(record, "html", tmp_path / "a.html").read_text(encoding="utf-8")
    assert "Extended by lr = 0.4, 5." in page


def test_two_scans_differ_in_what_one_was_extended_by(record: Record) -> None:
    other = write_scan("other", {1: {"acc": [0.5]}}, notebook=NOTEBOOK)
    (found,) = [item for item in differences(record, other) if item.what == "parameter lr"]
    assert "0.4" in str(found)
    assert "0.4" not in str(differences(other, other))


def test_the_file_of_an_extended_scan_asks_for_the_scan_as_it_began(
    record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    added = extension.to_json(Extension(add=parse_space("lr = [0.4]").body))
    story = Story()
    story.tell("command.applied", id="c", action="extend", variants=None, first=0, **added)
    record.paths.journal.write_bytes(story.text())
    gridgpu.main(["show", "small", "--save", str(tmp_path / "s.yaml")], standalone_mode=False)
    said = capsys.readouterr()
    assert "Extended by lr = 0.4." in said.out
    assert "has the scan as it was started." in said.err
    assert scan_file.read(tmp_path / "s.yaml").space == record.view.growth.original.space
