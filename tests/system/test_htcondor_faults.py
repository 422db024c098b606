"""What an HTCondor pool, a runner or a node may suffer without harm to a scan."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.engines.condor import Pool
from tests.kit import eventually

from .helpers import options
from .lab import Lab
from .notebooks import Executed
from .test_htcondor import check_done, gated, messages, on_pool

SILENT_NODE = re.compile(
    r"The node has been silent for (less than a minute|\d+ min);"
    r" HTCondor waits for it until \d\d:\d\d\."
)


def test_while_the_schedd_is_away_nothing_changes_and_a_new_runner_waits_for_it(
    lab: Lab, pool: Pool
) -> None:
    scan, gate = gated(lab, 2)
    for ident in ("v0001", "v0002"):
        scan.wait_for(ident, loss=2)
    pool.kill_schedd()
    eventually(
        lambda: "HTCondor has not answered" in str(scan.events_of("engine.noted")),
        what="the silence is said",
    )
    scan.kill_runner()
    scan.gridgpu("resume")
    eventually(lambda: len(scan.events_of("runner.started")) == 2)
    assert scan.states() == ["running", "running"]
    pool.schedd_back()
    eventually(lambda: len(pool.jobs("ProcId")) == 2, what="the schedd knows its jobs")
    gate.touch()
    check_done(scan, 2)


@pytest.mark.parametrize("sent", [False, True])
def test_a_runner_killed_while_it_sends_is_followed_by_one_that_sends_nothing_twice(
    lab: Lab, pool: Pool, sent: bool
) -> None:
    scan = on_pool(lab, 4)
    if sent:
        eventually(lambda: pool.jobs("ProcId"))  # and perhaps not yet written down
    else:
        eventually((scan.folder / "batches" / "b0001" / "tasks").exists)
    scan.kill_runner()
    scan.gridgpu("resume")
    check_done(scan, 4)
    assert set(scan.attempts().values()) == {1}


def test_a_batch_that_was_sent_and_not_written_down_is_adopted(lab: Lab, pool: Pool) -> None:
    scan, gate = gated(lab, 2)
    eventually(lambda: len(pool.jobs("ProcId")) == 2)
    scan.kill_runner()
    (scan.folder / "batches" / "b0001" / "engine.json").unlink(missing_ok=True)
    lines = (scan.folder / "journal.jsonl").read_text().splitlines(keepends=True)
    later = ("job.submitted", "job.observed", "job.reported")
    kept = [line for line in lines if json.loads(line)["type"] not in later]
    (scan.folder / "journal.jsonl").write_text("".join(kept))
    scan.gridgpu("resume")
    gate.touch()
    check_done(scan, 2)
    assert [path.name for path in (scan.folder / "batches").iterdir()] == ["b0001"]


def with_lease(lab: Lab, pool: Pool, seconds: int) -> Path:
    """Return a configuration by which HTCondor waits so long for a silent node."""
    config = lab.folder / "condor_config"
    config.write_text(f"{pool.config.read_text()}JOB_DEFAULT_LEASE_DURATION = {seconds}\n")
    return config


def test_of_two_copies_that_a_killed_node_leaves_one_counts(lab: Lab, pool: Pool) -> None:
    lab.env["CONDOR_CONFIG"] = str(with_lease(lab, pool, 10))
    scan, gate = gated(lab, 1, *options("--gpus 1 --gpu-model T4"))
    scan.wait_for("v0001", loss=2)
    (ad,) = pool.jobs("JobLeaseDuration")
    assert ad["JobLeaseDuration"] == 20  # a pool takes nothing shorter
    pool.kill_node("node2")
    eventually(
        lambda: any(SILENT_NODE.fullmatch(text) for text in messages(scan)),
        what="the silence is said while HTCondor waits",
    )
    job = scan.folder / "jobs" / "v0001.1"
    eventually(lambda: len(list(job.glob("*/copy.json"))) == 2, what="HTCondor starts it again")
    eventually(
        lambda: scan.variant("v0001")["message"] is None,
        what="nothing is said any more once the job runs elsewhere",
    )
    gate.touch()
    (variant,) = scan.wait()["variants"]
    assert (variant["state"], variant["attempts"]) == ("done", 1)
    winner = json.loads((job / "result.json").read_text())["copy"]
    assert Path(variant["notebook"]).parent.name == winner
    assert set(Executed.read(variant["notebook"]).statuses()) == {"completed"}


def test_a_task_that_its_user_removes_by_hand_is_cancelled_and_not_sent_again(
    lab: Lab, pool: Pool
) -> None:
    import htcondor2

    scan, _gate = gated(lab, 3, *options("--retries 2"))
    for ident in ("v0001", "v0002", "v0003"):
        scan.wait_for(ident, loss=2)
    # One is held, one waits for a machine that is not there, one runs.
    pool.schedd().act(htcondor2.JobAction.Hold, "ProcId == 0", ("to look at it", 0))
    scan.wait_for("v0001", state="queued")
    pool.schedd().edit("ProcId == 1", "Requirements", "False")
    pool.schedd().act(htcondor2.JobAction.Vacate, "ProcId == 1")
    scan.wait_for("v0002", state="queued")
    pool.schedd().act(htcondor2.JobAction.Remove, "true", ("a mistake", 0))
    variants = scan.wait()["variants"]
    said = [variant["message"] for variant in variants]
    assert [(variant["state"], variant["reason"]) for variant in variants] == [
        ("cancelled", "user")
    ] * 3, said
    assert said == ["Removed from HTCondor by physicist: a mistake."] * 3
    assert [variant["attempts"] for variant in variants] == [1] * 3
    # What ran was told before, and kept what it had.
    assert "epoch 2" in Executed.read(variants[2]["notebook"]).text()


def test_a_task_whose_node_is_silent_is_cancelled_as_soon_as_its_user_removes_it(
    lab: Lab, pool: Pool
) -> None:
    import htcondor2

    lab.env["CONDOR_CONFIG"] = str(with_lease(lab, pool, 600))
    scan, gate = gated(lab, 1, *options("--gpus 1 --gpu-model T4"))
    scan.wait_for("v0001", loss=2)
    pool.kill_node("node2")
    eventually(lambda: any(SILENT_NODE.fullmatch(text) for text in messages(scan)))
    pool.schedd().act(htcondor2.JobAction.Remove, "true", ("a mistake", 0))
    (variant,) = scan.wait()["variants"]
    gate.touch()
    assert (variant["state"], variant["reason"], variant["attempts"]) == ("cancelled", "user", 1)
    assert variant["message"] == "Removed from HTCondor by physicist: a mistake."


def test_a_task_that_a_policy_of_the_pool_removes_has_failed_with_its_words(
    lab: Lab, pool: Pool
) -> None:
    scan, gate = gated(lab, 1, "--retries", "0", "--engine-option", "+LongestRun = 2")
    (variant,) = scan.wait()["variants"]
    gate.touch()
    # Its worker saw a signal, as at a preemption, after which it would be sent again.
    assert (variant["state"], variant["reason"]) == ("failed", "node"), variant["message"]
    assert variant["message"] == "Removed by HTCondor: This pool has no room for physicist."


READ_AND_WRITE = """
import pathlib
print(pathlib.Path('data.txt').read_text())
for folder in pathlib.Path.cwd().parents:
    if (folder / 'files').is_dir():
        print('travelled:', [path.name for path in (folder / 'files').iterdir()])
for path in pathlib.Path().glob('eos/*.txt'):
    print(path.read_text())
pathlib.Path('model.bin').write_bytes(b'weights')
"""


def _runs_again(pool: Pool) -> bool:
    """Return whether the only task in the queue runs, and has been started more than once."""
    (ad,) = pool.jobs("JobStatus", "NumJobStarts")
    return (ad["JobStatus"], ad["NumJobStarts"] > 1) == (2, True)


def test_without_a_shared_disk_files_travel_and_metrics_come_while_it_runs(
    lab: Lab, pool: Pool
) -> None:
    import htcondor2

    (lab.folder / "data.txt").write_text("seven")
    (lab.folder / "eos").mkdir()
    (lab.folder / "eos" / "large.txt").write_text("eight")
    travels = options("--no-shared-disk --files data.txt --files eos/large.txt")
    travels += ["--shared", str(lab.folder / "eos")]
    scan, gate = gated(lab, 1, *travels, cells=(READ_AND_WRITE,))
    scan.wait_for("v0001", loss=2)
    # Nobody reads what the first copy prints before the second one starts.
    scan.kill_runner()
    pool.schedd().act(htcondor2.JobAction.Vacate, "true")  # its node is wanted by somebody else
    eventually(lambda: _runs_again(pool), what="HTCondor starts it again")
    scan.gridgpu("resume")
    job = scan.folder / "jobs" / "v0001.1"
    eventually(lambda: len(list(job.glob("*/copy.json"))) == 2, what="both copies are known")
    (path,) = eventually(lambda: list(job.glob("*/result.json")), what="the first copy's result")
    first = json.loads(path.read_text())
    assert first["reason"] == "preempted"
    assert "epoch 2" in Executed.read(job / first["copy"] / "output.ipynb").text()
    gate.touch()
    (variant,) = scan.wait()["variants"]
    assert (variant["state"], variant["attempts"]) == ("done", 1)
    text = Executed.read(variant["notebook"]).text()
    assert "seven" in text
    # Nodes see the other helper file where it lies.
    assert "travelled: ['data.txt']" in text
    assert "eight" in text
    artifacts = Path(variant["notebook"]).parent / "artifacts"
    assert (artifacts / "model.bin").read_bytes() == b"weights"
    assert sorted(path.name for path in artifacts.iterdir()) == ["model.bin"]
    assert not [path for path in (scan.folder / "batches" / "b0001").iterdir() if path.is_dir()]
