"""What two versions of Slurm said and how it is read, and the options that sbatch gets.

Tests with real daemons are elsewhere.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.backends.batch.exit_codes import exit_meaning
from jupyter_gridgpu.backends.slurm import commands, options, output
from jupyter_gridgpu.backends.slurm.backend import SlurmBackend
from jupyter_gridgpu.backends.slurm.search import started_id
from jupyter_gridgpu.errors import QueueFull
from jupyter_gridgpu.model.resources import Placement, Resources
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan
from tests.second_user import as_other, needs_root, open_place

DATA = Path(__file__).parents[2] / "data" / "slurm"
VERSIONS = ("22.05", "24.11")


def recorded(version: str) -> dict[str, Any]:
    """What squeue said of each job, by what makes the job special."""
    text = (DATA / f"squeue-{version}.txt").read_text()
    found = output.read_tasks(text)
    assert len(found) == len(text.splitlines())
    by_words = {f"{seen.state} {seen.reason} {seen.message}": seen for seen in found.values()}
    return {**by_words, "all": found}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "expected",
    [
        "failed node The node does not see the scan's folder.",
        "failed image The node has no container runtime for the image.",
        "failed image The image could not be used.",
        "failed image There is no Python 3.9 or newer with papermill where the job ran.",
        "failed node The job was killed (signal 9) and left no result.",
        "failed oom Out of memory: the job used more than Slurm gave it. Ask for more --memory.",
        "failed node The node failed.",
        "failed preempted Slurm gave the node to a job of higher priority.",
        "failed submit Slurm gave the job up: no node has what it asks for.",
        "cancelled user Cancelled in Slurm by you or an administrator.",
        "done None None",
        "running None None",
        "queued None Waits in gpu: as many of the scan's jobs as may run at once do.",
        "queued None Waits in down: the partition is down.",
    ],
)
def test_what_two_versions_say_is_the_same(version: str, expected: str) -> None:
    assert expected in recorded(version)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_will_never_start_says_so(version: str) -> None:
    said = " ".join(recorded(version))
    assert "It is held: `scontrol release" in said
    too_long = "It will not start: it asks for more time than short allows."
    assert f"{too_long} Stop it and ask for less --walltime." in said


def test_a_time_limit_and_a_job_that_is_being_cleaned_up() -> None:
    ended = [seen for seen in recorded("24.11")["all"].values() if seen.reason == "timeout"]
    assert [seen.message for seen in ended] == ["The job reached its time limit in Slurm."]
    cleaning = [
        line
        for line in (DATA / "squeue-22.05.txt").read_text().splitlines()
        if "COMPLETING" in line
    ]
    assert [seen.state for seen in output.read_tasks("\n".join(cleaning)).values()] == ["running"]


def test_times_nodes_and_partitions_are_told() -> None:
    seen = next(seen for seen in recorded("24.11")["all"].values() if seen.reason == "oom")
    assert (seen.where, seen.node, seen.started, seen.ended) == (
        "gpu",
        "node1",
        1795560704.0,
        1795560705.0,
    )


def message_of(*cells: str) -> str:
    """Return what is shown of task 7_1 if squeue prints these cells behind its id."""
    line = output.DIVIDER.join(("7_1", *cells, ""))
    return output.read_tasks(line)["7_1"].message or ""


@pytest.mark.parametrize("away_s", [600, 200_000])
def test_an_estimated_start_is_told_with_its_day_where_that_is_another(away_s: int) -> None:
    start = time.time() + away_s
    said = message_of("PENDING", "Priority", "0", f"{start:.0f}", "N/A", "", "gpu")
    form = "%H:%M"
    if away_s > 9999:
        form = "%a %d %b %H:%M"
    when = time.strftime(form, time.localtime(start - start % 300 + 300))
    assert said == f"Waits in gpu: others are before it; starts about {when}."


@pytest.mark.parametrize(
    ("reason", "part"),
    [
        ("QOSMaxJobsPerUserLimit", "a limit of the account is reached (QOSMaxJobsPerUserLimit)"),
        ("AssocGrpGRES", "a limit of the account is reached"),
        ("QOSMaxGRESPerJob", "It will not start in gpu: it asks for more than one job may have"),
        ("QOSMaxWallDurationPerJobLimit", "It will not start in gpu"),
        (
            "ReqNodeNotAvail, UnavailableNodes:node[1-9]",
            "a node that it needs is down, reserved or in use",
        ),
        (
            "launch failed requeued held",
            "It is held (launch failed requeued held): `scontrol release 7_1`",
        ),
        ("Something\x1b[31m new", "Waits in gpu: Something new."),
        ("x" * 5000, "x"),
    ],
)
def test_reasons_are_told_in_words(reason: str, part: str) -> None:
    said = message_of("PENDING", reason, "0", "N/A", "N/A", "", "gpu")
    assert part in said
    assert said.isprintable()
    assert len(said) < 400


def test_what_is_no_answer_is_passed_over() -> None:
    error = "slurm_load_jobs error: Unexpected message received"
    assert output.read_tasks(f"{error}\n\x1f\x1f\n12_[3-9]" + "\x1f" * 8) == {}


def test_what_sacct_says_is_read_like_what_squeue_says() -> None:
    seen = output.read_tasks((DATA / "sacct-22.05.txt").read_text())
    assert {task: (one.state, one.reason, one.node) for task, one in seen.items()} == {
        "53183763": ("failed", "oom", "node1"),
        "53183762_1": ("failed", "node", "node1"),
        "53183762_2": ("failed", "image", "node1"),
        "53183762_3": ("failed", "image", "node1"),
        "53183764_1": ("cancelled", "user", "node1"),
        "53183764_2": ("running", None, "node2"),
    }


@pytest.mark.parametrize(
    ("tasks", "said"),
    [
        (["12_1", "12_2", "12_3", "12_7"], ["12_[1-3,7]"]),
        (["12_5", "13_1", "12_4"], ["12_[4-5]", "13_[1]"]),
        (["12"], ["12"]),
        ([], []),
    ],
)
def test_tasks_are_named_in_few_words(tasks: list[str], said: list[str]) -> None:
    assert commands.array_ids(tasks) == said


@pytest.mark.parametrize("version", VERSIONS)
def test_gpu_models_are_found_by_a_part_of_their_name(version: str) -> None:
    text = (DATA / f"sinfo-{version}.txt").read_text()
    assert options.best_match("A100", options.gres_types(text)) == "a100"
    assert options.best_match("v100", options.features(text)) == "v100"
    assert options.best_match("H100", options.gres_types(text)) is None
    assert (
        options.best_match("a100", {"nvidia_a100_40gb": 9, "nvidia_a100_80gb": 4, "a100": 1})
        == "a100"
    )
    assert (
        options.best_match("a100", {"nvidia_a100_40gb": 4, "nvidia_a100_80gb": 9})
        == "nvidia_a100_80gb"
    )


def test_complaints_are_one_sentence_without_the_commands_name() -> None:
    text = (
        "sbatch: error: invalid partition specified: x\n"
        "sbatch: error: Batch job submission failed: Invalid partition name\n"
    )
    assert output.complaint(text) == "Invalid partition name (invalid partition specified: x)"
    assert output.complaint(
        "allocation failure: Requested node configuration is not available"
    ) == ("Requested node configuration is not available")
    assert output.complaint("") == "no reason given"


def options_of(**changes: Any) -> list[str]:
    scan = small_scan(**{"backend": "slurm", **changes})
    return SlurmBackend(scan, ScanPaths(Path("/scans/one")))._options(20)


def test_options_say_what_jobs_need() -> None:
    wants = Resources(gpus=2, cpus=4, memory_mb=3000, walltime_s=7200, disk_mb=500)
    said = options_of(
        resources=wants, placement=Placement("gpu", "phys", "high", "ib"), parallel=6, per_gpu=2
    )
    assert {
        "--array=1-20%3",
        "--gres=gpu:2",
        "--cpus-per-task=8",
        "--mem=6000M",
        "--time=120",
        "--tmp=1000M",
    } <= set(said)
    assert {
        "--partition=gpu",
        "--account=phys",
        "--qos=high",
        "--constraint=ib",
        "--requeue",
        "--output=/dev/null",
    } <= set(said)
    assert any(word.startswith("--signal=B:USR1@") for word in said)


@pytest.mark.parametrize(
    ("wanted", "lead_s"),
    [
        ({}, 60),
        ({"walltime_s": 120}, 60),
        ({"walltime_s": 7200}, 70),
        ({"grace_s": 5}, 60),
        ({"grace_s": 300}, 310),
        ({"grace_s": 86_400}, 65_535),
        ({"grace_s": 900, "walltime_s": 7200}, 910),
        ({"grace_s": 7200, "walltime_s": 7200}, 3610),
    ],
)
def test_slurm_tells_a_worker_early_enough_to_save(wanted: dict[str, Any], lead_s: int) -> None:
    scan = small_scan(backend="slurm", resources=Resources(**wanted))
    assert f"--signal=B:USR1@{lead_s}" in SlurmBackend(scan, ScanPaths(Path("/s")))._options(1)


def test_what_is_cut_into_small_arrays_shares_what_may_run_at_once() -> None:
    backend = SlurmBackend(
        small_scan(backend="slurm", parallel=6, per_gpu=2), ScanPaths(Path("/scans/one"))
    )
    backend._tasks_in_call = 300
    assert "--array=1-100%1" in backend._options(100), "three arrays of one batch"
    backend._hand_over.full = QueueFull("Slurm: QOSMaxSubmitJobPerUserLimit")
    backend._tracker.unfinished = 0
    assert "--array=1-31%3" in backend._options(31)
    assert (backend.allowed_tasks(0), backend.allowed_tasks(2), backend.allowed_tasks(31)) == (
        3,
        1,
        -28,
    )
    backend._tracker.unfinished = 3
    assert backend.allowed_tasks(0) == 1


@pytest.mark.parametrize(
    "limit", ["AssocMaxSubmitJobLimit", "QOSMaxSubmitJobPerUserLimit", "AssocGrpSubmitJobsLimit"]
)
def test_a_limit_of_jobs_in_the_queue_is_one_for_now(limit: str) -> None:
    found = output.FULL.search(
        f"sbatch: error: {limit}\nsbatch: error: Batch job submission failed: Job violates policy"
    )
    assert found is not None
    assert found[0] == limit
    assert output.FULL.search("sbatch: error: QOSMaxWallDurationPerJobLimit") is None


def test_what_is_not_asked_for_is_left_to_the_cluster() -> None:
    said = options_of()
    assert not [
        word
        for word in said
        if word.startswith(("--gres", "--mem", "--time", "--partition", "--cpus", "--constraint"))
    ]
    assert "--array=1-20" in said


@pytest.mark.parametrize(
    ("walltime_s", "longest_s", "limit_min", "near"),
    [
        (60, None, 4, False),
        (120, None, 5, False),
        (1790, None, 33, False),
        (60, 60, 1, True),
        (120, 180, 3, False),
        (120, 150, 2, True),
        (1800, None, 30, False),
        (None, 60, None, False),
    ],
)
def test_a_short_job_is_ended_by_its_worker_before_slurm_does(
    walltime_s: int | None, longest_s: float | None, limit_min: int | None, near: bool
) -> None:
    """Backfill takes away what lies between --time-min and --time, so nothing does."""
    scan = small_scan(backend="slurm", resources=Resources(walltime_s=walltime_s))
    found = options.time_limit_min(scan, longest_s)
    assert found == limit_min
    said = options.time_options(scan, found)
    assert {word.split("=")[1] for word in said} == ({str(limit_min)} if limit_min else set())
    assert len(said) == (0 if limit_min is None else 1 + (limit_min != 30))
    assert options.limit_is_near(scan, found) is near


def test_the_jobs_of_a_task_have_their_times_together() -> None:
    said = options_of(resources=Resources(walltime_s=90), per_job=2)
    assert {"--time=6", "--time-min=6"} <= set(said)


def test_a_script_survives_any_folder(tmp_path: Path) -> None:
    backend = SlurmBackend(small_scan(name="x"), ScanPaths(tmp_path / "it's $HOME `x`"))
    batch = backend._batches.make([["v0001.1"], ["v0002.1"]])
    script = backend._script(batch)
    assert f"batch='{tmp_path}/it'\"'\"'s $HOME `x`/batches/b0001'" in script


def test_a_batch_that_was_given_up_and_comes_late_runs_nothing(tmp_path: Path) -> None:
    backend = SlurmBackend(small_scan(), ScanPaths(tmp_path))
    batch = backend._batches.make([["v0001.1"], ["v0002.1"]])
    ScanPaths(tmp_path).launcher.write_text('echo "$2"\n')
    task = {**os.environ, "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}

    def said() -> str:
        return subprocess.run(
            ["sh"],
            input=backend._script(batch),
            capture_output=True,
            text=True,
            check=True,
            env=task,
        ).stdout

    assert said() == "v0002.1\n"
    backend._batches.record_id(batch, "7")
    assert said() == "v0002.1\n"
    backend._batches.record_id(batch, None)
    assert said() == ""


def test_the_id_that_a_task_left_is_believed_only_as_a_number(tmp_path: Path) -> None:
    backend = SlurmBackend(dataclasses.replace(small_scan(), backend="slurm"), ScanPaths(tmp_path))
    batch = backend._batches.make([["v0001.1"]])
    for text, known in (
        ("123\n", "123"),
        ('"123"', None),
        ("-5", None),
        ("", None),
        ("[1]", None),
        ("true", None),
    ):
        (batch.folder / "seen").write_text(text)
        assert started_id(batch) == known


@needs_root
def test_a_node_says_why_it_has_no_scan_folder() -> None:
    """It is not there, or a folder above is private to another user."""
    with open_place() as place:
        backend = SlurmBackend(small_scan(), ScanPaths(place / "private" / "scan"))
        backend._batches.make([["v0001.1"]])
        script = backend._script(backend._batches.all()[0])
        elsewhere = script.replace(str(place), f"{place}-gone")
        (place / "private").chmod(0o700)

        def ends() -> list[str]:
            return [
                f"{ran.returncode} {ran.stdout}{ran.stderr}"
                for text in (script, elsewhere)
                for ran in [subprocess.run(["sh", "-c", text], capture_output=True, text=True)]
            ]

        assert as_other(ends) == ["77 ", "71 "]
    assert exit_meaning(77)[0] == exit_meaning(71)[0] == "node"
    assert "may not enter" in exit_meaning(77)[1]
