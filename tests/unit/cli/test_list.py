"""`gridgpu list`: a folder that is no sound scan is left out, with a sentence."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from jupyter_gridgpu import client
from jupyter_gridgpu.cli.app import gridgpu
from jupyter_gridgpu.store import home
from tests.unit.server.kit import write_scan


def damaged(folder: Path, key: str, value: object) -> None:
    spec = write_scan(folder.parent, folder.name).paths.spec
    spec.write_text(json.dumps({**json.loads(spec.read_text()), key: value}))


def listed(*words: str) -> Result:
    result = CliRunner().invoke(gridgpu, ["list", *words], catch_exceptions=False)
    assert result.exit_code == 0
    return result


BAD = [("created", "x"), ("id", "../../../x"), ("space", {}), ("name", "\x1b[31mred")]


@pytest.mark.parametrize(("key", "value"), BAD)
def test_one_bad_scan_is_left_out_and_is_in_nobodys_way(
    scans_home: Path, key: str, value: object
) -> None:
    write_scan(scans_home, "sound")
    damaged(scans_home / "bad", key, value)
    told = listed()
    assert "sound" in told.stdout
    assert told.stderr.startswith("1 scan is left out:\n  bad: scan.json in ")
    assert f"`{key}`" in told.stderr
    body = json.loads(listed("--json").stdout)
    assert [scan["scan"] for scan in body["scans"]] == ["sound"]
    assert [Path(item["folder"]).name for item in body["left_out"]] == ["bad"]
    assert f"`{key}`" in body["left_out"][0]["why"]


def test_many_bad_scans_are_counted(scans_home: Path) -> None:
    for number in range(9):
        damaged(scans_home / f"bad{number}", "created", "x")
    told = listed()
    assert told.stderr.startswith("9 scans are left out:")
    assert len(told.stderr.splitlines()) == 7
    assert "There are no scans" not in told.stdout
    assert len(json.loads(listed("--json").stdout)["left_out"]) == 9


def test_a_journal_that_cannot_be_read_leaves_one_scan_out(scans_home: Path) -> None:
    write_scan(scans_home, "sound")
    journal = write_scan(scans_home, "bad").paths.journal
    journal.unlink()
    journal.mkdir()
    os.chmod(journal, 0o755)
    assert "bad" in listed().stderr
    assert [scan.name for scan in client.list_scans()] == ["sound"]


def test_a_damaged_scan_of_the_same_request_hides_no_sound_one(scans_home: Path) -> None:
    sound = write_scan(scans_home, "sound")
    fingerprint = json.loads(sound.paths.spec.read_text())["fingerprint"]
    damaged(scans_home / "later", "created", "x")
    assert home.find_fingerprint(fingerprint, None) == sound.folder
