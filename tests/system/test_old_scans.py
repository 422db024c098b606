"""Scans that an earlier version made are shown, go on, run again and compare as they did then."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.kit import eventually
from tests.old_scans import CACHED, ENDED, NAMES, SLURM, UNFINISHED, bring, comparable, expected

from .helpers import strict_json
from .lab import ENDED as ENDED_STATES
from .lab import Lab, ScanOfLab
from .notebooks import Executed

NOT_SENT = ("batches", "checkpoint.json", "runner.lock", "runner.log")


def old(lab: Lab, name: str) -> ScanOfLab:
    """Return a copy of an old scan, in the home of the lab."""
    return ScanOfLab(lab, name, bring(name, lab.home))


def best_value(scan: ScanOfLab) -> float:
    """Return the objective of the best variant, as the export has it."""
    body = exported(scan)
    values = {variant["id"]: variant["objective"] for variant in body["variants"]}
    return float(values[body["best"]])


def exported(scan: ScanOfLab) -> dict[str, Any]:
    """Return the scan as `gridgpu export --to json` writes it."""
    target = scan.lab.folder / f"{scan.name}-exported.json"
    target.unlink(missing_ok=True)
    scan.gridgpu("export", "--to", "json", "-o", str(target))
    body = strict_json(target.read_text(encoding="utf-8"))
    assert isinstance(body, dict)
    return body


def replayed(scan: ScanOfLab, *words: str, code: int = 0) -> ScanOfLab:
    """Run an old scan again to its end; `code` is 1 where a variant of it fails."""
    return scan.lab.scan_of(scan.gridgpu("replay", *words, "--json", code=code))


def check_reproduced(again: ScanOfLab, count: int) -> None:
    """`gridgpu compare` finds that a replay gave what its origin, an old scan, had given."""
    body = strict_json(again.gridgpu("compare", "--json").stdout)
    found = (body["verdict"], body["counts"], body["kind"])
    assert found == ("reproduced", {"reproduced": count}, "replay")


# looking ------------------------------------------------------------------------------


def test_old_scans_are_listed_and_shown_as_they_were(lab: Lab) -> None:
    scans = [old(lab, name) for name in NAMES]
    listed = strict_json(lab.gridgpu("list", "--json").stdout)["scans"]
    states = {each["scan"]: each["state"] for each in listed}
    assert states == {name: expected(name)["state"] for name in NAMES}
    for scan in scans:
        assert comparable(scan.show()) == expected(scan.name)
    assert "Best: v0001 with max(acc) 0.9667" in lab.gridgpu("show", ENDED).stdout
    assert "b c light" in lab.gridgpu("logs", f"{ENDED}/v0003").stdout


@pytest.mark.parametrize("name", NAMES)
def test_no_file_of_an_old_scan_has_changed(lab: Lab, name: str) -> None:
    body = strict_json(old(lab, name).gridgpu("verify", "--json").stdout)
    assert (body["verdict"], body["changed"], body["missing"]) == ("unchanged", [], [])
    assert body["checked"] > 5


def test_old_scans_are_exported_with_their_curves(lab: Lab) -> None:
    values = {ENDED: 1 - 0.1 / 3, SLURM: 1 - 0.1 / 3, CACHED: 0.0011294626173656694 / 3}
    for name, value in values.items():
        scan = old(lab, name)
        assert best_value(scan) == pytest.approx(value)
        body = exported(scan)
        assert (body["best"], body["state"]) == ("v0001", "done")
        assert body["provenance"]["command"].startswith("gridgpu run train.ipynb ")
        for variant in body["variants"]:
            lr, seed = variant["params"]["lr"], variant["params"].get("seed", 0)
            accuracies = [1 - lr / epoch - seed / 1000 for epoch in (1, 2, 3)]
            assert variant["curves"]["acc"]["values"] == pytest.approx(accuracies)
            assert variant["curves"]["größe"]["values"] == ["NaN", "Infinity", "Infinity"]
            assert variant["provenance"]["host"] == "lab"


def test_two_old_scans_are_compared(lab: Lab) -> None:
    """One ran on a single machine and one on Slurm; all else was the same."""
    old(lab, ENDED)
    old(lab, SLURM)
    body = strict_json(lab.gridgpu("compare", ENDED, SLURM, "--json").stdout)
    assert (body["verdict"], body["counts"]) == ("reproduced", {"reproduced": 4})


def test_an_old_scan_is_sent_without_what_belongs_to_a_run(lab: Lab, tmp_path: Path) -> None:
    there = Lab(tmp_path / "there")
    there.folder.mkdir()
    for name in (CACHED, SLURM):
        made = tmp_path / f"{name}.zip"
        old(lab, name).gridgpu("pack", "-o", str(made))
        there.gridgpu("unpack", str(made))
        assert not [each for each in NOT_SENT if (there.home / name / each).exists()]
        assert strict_json(there.gridgpu("show", name, "--json").stdout)["best"] == "v0001"
        assert there.gridgpu("verify", name).returncode == 0


# going on -----------------------------------------------------------------------------


def test_an_unfinished_old_scan_goes_on_to_its_end(lab: Lab) -> None:
    """Its second variant was running when its runner and worker were killed: it is tried again."""
    scan = old(lab, UNFINISHED)
    before = scan.events()
    assert "goes on" in scan.gridgpu("resume").stdout
    body = scan.wait()
    assert body["state"] == "done"
    assert [variant["state"] for variant in body["variants"]] == ["done"] * 4
    assert [variant["attempts"] for variant in body["variants"]] == [1, 2, 1, 1]
    losses = [variant["metrics"]["loss"] for variant in body["variants"]]
    assert losses == pytest.approx([lr / 3 for lr in (0.1, 0.2, 0.3, 0.4)])
    for variant in body["variants"]:
        assert set(Executed.read(variant["notebook"]).statuses()) == {"completed"}
    events = scan.events()
    assert events[: len(before)] == before
    assert {event["term"] for event in events[len(before) :]} == {2}
    eventually(lambda: not scan.processes(), what="nothing is left running")
    assert scan.gridgpu("verify").returncode == 0  # the worker that came with the scan ran the jobs


def test_an_old_scan_with_a_cached_fold_is_extended(lab: Lab) -> None:
    """The cached fold ends before the events that follow."""
    scan = old(lab, CACHED)
    scan.gridgpu("extend", "--trials", "1")
    eventually(lambda: len(scan.variants()) == 3 and scan.state() in ENDED_STATES)
    body = scan.show()
    first_two = comparable({**body, "variants": body["variants"][:2]})["variants"]
    assert first_two == expected(CACHED)["variants"]
    assert [variant["state"] for variant in body["variants"]] == ["done"] * 3
    eventually(lambda: not scan.processes())
    assert scan.gridgpu("verify").returncode == 0


# once more ----------------------------------------------------------------------------


def test_a_replay_of_an_old_scan_reproduces_it(lab: Lab) -> None:
    scan = old(lab, ENDED)
    again = replayed(scan, code=1)
    states = [variant["state"] for variant in again.show()["variants"]]
    assert states == ["done", "done", "done", "failed"]
    check_reproduced(again, 4)
    assert best_value(again) == best_value(scan)


def test_a_replay_of_an_old_scan_of_slurm_runs_here(lab: Lab) -> None:
    here = ("--on", "local", "--gpus", "0", "--per-job", "1", "--only", "done")
    check_reproduced(replayed(old(lab, SLURM), *here), 3)


def test_a_replay_of_an_old_scan_takes_the_word_metrics(lab: Lab) -> None:
    again = replayed(old(lab, CACHED), "--metrics", "end")
    assert strict_json((again.folder / "scan.json").read_text())["channel"] == "end"
    check_reproduced(again, 2)


@pytest.mark.parametrize("name", [ENDED, CACHED, UNFINISHED])
def test_the_command_of_an_old_scan_finds_it(lab: Lab, name: str) -> None:
    """The command is that of its provenance; the one of `cached` says `--metrics end`."""
    scan = old(lab, name)
    shutil.copy(scan.folder / "notebook.ipynb", lab.folder / "train.ipynb")
    shutil.copy(scan.folder / "files" / "jets.txt", lab.folder)
    command = strict_json((scan.folder / "provenance.json").read_text())["command"]
    program, *words = shlex.split(command)
    assert program == "gridgpu"
    wait = [] if "--no-wait" in words else ["--no-wait"]
    ran = lab.gridgpu(*words, *wait)
    assert "Started" not in ran.stdout + ran.stderr
    assert [spec.parent.name for spec in lab.home.glob("*/scan.json")] == [name]
    if name == UNFINISHED:  # who asks for it once more starts its runner
        assert scan.wait()["state"] == "done"
