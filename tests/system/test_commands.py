"""Stop, retry, pause, resume, extend: while a scan runs, after it, and while nobody drives it."""

from __future__ import annotations

import json
import shutil
from collections import Counter

from jupyter_gridgpu.store import inbox
from tests.kit import eventually

from .helpers import one_sentence, options, space
from .lab import Lab
from .notebooks import LONG, TRAINING_PARAMETERS, Executed


def test_stop_one_variant(lab: Lab) -> None:
    """One that runs keeps its notebook; one that waits never starts; the others go on."""
    scan = lab.training(3, "--parallel", "1", steps=LONG)
    scan.wait_for("v0001", loss=3)
    scan.gridgpu("stop", variant="v0003")
    scan.gridgpu("stop", variant="v0001")
    first = scan.wait_for("v0001", "cancelled")
    assert first["reason"] == "user"
    assert "Stopped by you at" in first["message"]
    notebook = Executed.read(first["notebook"])
    assert "epoch 3" in notebook.text()
    assert notebook.statuses() == ["completed", "completed", "failed"]
    third = scan.wait_for("v0003", "cancelled")
    assert (third["attempts"], third["notebook"]) == (0, None)
    assert third["message"] == "Stopped before it started."
    lab.hurry()
    body = scan.wait()
    assert body["state"] == "done"
    assert [variant["state"] for variant in body["variants"]] == ["cancelled", "done", "cancelled"]
    assert lab.marks() == ["1", "2"]
    assert "ended already" in scan.gridgpu("stop").stdout


def test_stop_the_scan(lab: Lab) -> None:
    """No process of it is left, and nothing is tried again, though retries were asked for."""
    scan = lab.training(6, *options("--parallel 2 --retries 2"), steps=LONG)
    scan.wait_for("v0001", loss=1)
    scan.wait_for("v0002", loss=2)
    scan.gridgpu("stop")
    body = scan.wait()
    assert body["state"] == "stopped"
    assert [variant["state"] for variant in body["variants"]] == ["cancelled"] * 6
    assert [variant["attempts"] for variant in body["variants"]] == [1, 1, 0, 0, 0, 0]
    eventually(lambda: not scan.processes(), what="nothing is left running")
    assert lab.gridgpu("watch", scan.name, code=1).returncode == 1


def test_stop_right_after_the_start(lab: Lab) -> None:
    scan = lab.training(4, "--parallel", "2", steps=LONG)
    scan.gridgpu("stop")
    body = scan.wait()
    assert body["state"] == "stopped"
    assert {variant["state"] for variant in body["variants"]} <= {"cancelled"}
    eventually(lambda: not scan.processes(), what="nothing is left running")


def test_stop_without_a_runner(lab: Lab) -> None:
    """Jobs outlive their runner, so stopping an orphaned scan has to end them."""
    scan = lab.training(3, "--parallel", "1", steps=LONG)
    scan.wait_for("v0001", loss=1)
    scan.kill_runner()
    assert scan.processes()
    scan.gridgpu("stop")
    body = scan.wait()
    assert body["state"] == "stopped"
    assert [variant["state"] for variant in body["variants"]] == ["cancelled"] * 3
    eventually(lambda: not scan.processes(), what="nothing is left running")


def test_retry_after_the_end(lab: Lab) -> None:
    """What failed or was stopped gets another attempt; what is done stays as it is."""
    scan = lab.training(3, "--parallel", "3", steps=LONG)
    scan.wait_for("v0002")
    scan.gridgpu("stop", variant="v0002")
    # It does not hurry before it is stopped, or it would be done.
    scan.wait_for("v0002", "cancelled")
    lab.hurry()
    body = scan.wait()
    assert [variant["state"] for variant in body["variants"]] == ["done", "cancelled", "done"]
    eventually(lambda: not scan.runners(), what="the runner has gone home")
    scan.gridgpu("retry")
    eventually(lambda: scan.variant("v0002")["attempts"] == 2)
    body = scan.wait()
    assert body["state"] == "done"
    assert [variant["state"] for variant in body["variants"]] == ["done"] * 3
    assert [variant["attempts"] for variant in body["variants"]] == [1, 2, 1]
    assert body["variants"][1]["message"] is None
    assert body["variants"][1]["notebook"].split("/")[-3] == "v0002.2"
    assert Counter(lab.marks())["1"] == 1
    scan.gridgpu("retry", variant="v0001")
    eventually(lambda: scan.variant("v0001")["attempts"] == 2)
    assert scan.wait()["variants"][0]["state"] == "done"


def test_pause_and_resume(lab: Lab) -> None:
    """What runs goes on, nothing new starts; a pause outlives the runner."""
    scan = lab.training(2, "--parallel", "1", steps=LONG)
    scan.wait_for("v0001", loss=1)
    scan.gridgpu("pause")
    scan.wait("paused")
    lab.hurry()
    scan.wait_for("v0001", "done")
    assert scan.show()["state"] == "paused"
    scan.kill_runner()
    assert scan.show()["state"] in ("paused", "orphaned")
    assert lab.marks() == ["1"]
    scan.gridgpu("resume")
    body = scan.wait()
    assert [variant["state"] for variant in body["variants"]] == ["done"] * 2
    assert lab.marks() == ["1", "2"]


def test_extend(lab: Lab) -> None:
    """More points, while it runs and after it ended; the first ones stay what they were."""
    axes = ["-p", "n = integer(1, 1000)", *space(mark=str(lab.mark), steps=LONG, pause=0.05)]
    asked = options("--sampler random --trials 2 --parallel 2")
    scan = lab.start(lab.notebook(), *axes, *asked)
    eventually(lambda: len(scan.variants()) == 2)
    before = {ident: variant["params"] for ident, variant in scan.variants().items()}
    scan.gridgpu("extend", "--trials", "1")
    eventually(lambda: len(scan.variants()) == 3)
    assert "done" not in scan.states()
    lab.hurry()
    assert scan.wait()["state"] == "done"
    eventually(lambda: not scan.runners())
    scan.gridgpu("extend", "--trials", "1")
    eventually(lambda: len(scan.variants()) == 4)
    body = scan.wait()
    assert [variant["state"] for variant in body["variants"]] == ["done"] * 4
    assert [variant["attempts"] for variant in body["variants"]] == [1] * 4
    assert before == {variant["id"]: variant["params"] for variant in body["variants"][:2]}
    assert lab.marks() == sorted(str(variant["params"]["n"]) for variant in body["variants"])


def test_extend_by_values_and_repeats(lab: Lab) -> None:
    """A grid gets values and repeats, also while its runner is dead; nothing runs twice."""
    axes = ["-p", "n = [1, 2]", "-p", "seed = repeats(1)", *space(mark=str(lab.mark), steps=1)]
    notebook = lab.notebook(parameters=f"{TRAINING_PARAMETERS}\nseed = 0")
    scan = lab.start(notebook, *axes, *options("--parallel 2"))
    assert scan.wait()["state"] == "done"
    eventually(lambda: not scan.runners())
    scan.gridgpu("extend", "--add", "n = [3]")
    scan.kill_runner()
    assert "there already" in one_sentence(
        scan.gridgpu("extend", "--add", "n = [3]", code=2).stderr
    )
    scan.gridgpu("extend", "--repeats", "2", "--add", "n = 4")
    body = eventually(lambda: done if len((done := scan.wait())["variants"]) == 8 else None)
    assert [variant["state"] for variant in body["variants"]] == ["done"] * 8
    assert [variant["attempts"] for variant in body["variants"]] == [1] * 8
    places = {(variant["params"]["n"], variant["params"]["seed"]) for variant in body["variants"]}
    assert places == {(n, seed) for n in (1, 2, 3, 4) for seed in (0, 1)}
    assert lab.marks() == sorted("11223344")
    assert body["warnings"] == ["Extended by n = 3; n = 4; 2 repeats."]


def test_commands_left_while_nobody_drives_the_scan(lab: Lab) -> None:
    """They are obeyed once when a runner comes back, also if one of them turns up again.

    Unsound ones are dropped, and the log says so.
    """
    scan = lab.training(3, "--parallel", "1", steps=LONG)
    scan.wait_for("v0001", loss=1)
    scan.kill_runner()
    box = scan.folder / "inbox"
    ident = inbox.post(box, "stop", ["v0003"])
    shutil.copy(box / f"{ident}.json", lab.folder / "again.json")
    (box / "0-broken.json").write_text('{"action": "st')
    (box / "1-foreign.json").write_text(json.dumps({"action": "format", "variants": ["v0001"]}))
    (box / "2-unknown.json").write_text(json.dumps({"action": "stop", "variants": ["v9999"]}))
    scan.gridgpu("resume")
    scan.wait_for("v0003", "cancelled")
    shutil.copy(lab.folder / "again.json", box / f"{ident}.json")
    eventually(lambda: not list(box.iterdir()), what="the inbox is emptied")
    lab.hurry()
    body = scan.wait()
    assert [variant["state"] for variant in body["variants"]] == ["done", "done", "cancelled"]
    assert lab.marks() == ["1", "2"]
    assert [event["id"] for event in scan.events_of("command.applied")].count(ident) == 1
    assert "0-broken.json" in scan.log()
    assert "1-foreign.json" in scan.log()


def test_what_cannot_be_asked_for(lab: Lab) -> None:
    scan = lab.training(1)
    assert "grid" in one_sentence(scan.gridgpu("extend", "--trials", "1", code=2).stderr)
    assert "v0009" in one_sentence(scan.gridgpu("stop", variant="v0009", code=2).stderr)
    assert "did you mean train?" in one_sentence(lab.gridgpu("stop", "trian", code=2).stderr)
    scan.wait()
