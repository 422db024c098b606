"""Scans on a real HTCondor pool, as a user starts and sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines.condor import Pool
from tests.kit import eventually

from .helpers import TRAINING, Lab, ScanOfLab, one_sentence

GATED = "import pathlib, time\nwhile not pathlib.Path(gate).exists():\n    time.sleep(0.05)"


@pytest.fixture
def pool(condor_pool: Pool) -> Pool:
    return condor_pool


def on_pool(lab: Lab, count: int, *options: str, steps: int = 3) -> ScanOfLab:
    return lab.training(count, "--on", "htcondor", *options, steps=steps)


def gated(
    lab: Lab, count: int, *options: str, cells: tuple[str, ...] = ()
) -> tuple[ScanOfLab, Path]:
    """A scan whose jobs end when a file is there."""
    gate = lab.folder / "gate"
    notebook = lab.notebook(
        *cells,
        TRAINING,
        GATED,
        parameters="n = 0\nmark = '/dev/null'\nsteps = 2\npause = 0.1\ngate = ''",
    )
    space = [
        f"n = {list(range(1, count + 1))}",
        f"mark = {str(lab.mark)!r}",
        f"gate = {str(gate)!r}",
    ]
    words = [word for line in space for word in ("-p", line)]
    return lab.start(notebook, *words, "--on", "htcondor", *options), gate


def check_done(scan: ScanOfLab, count: int) -> list[dict[str, Any]]:
    body = scan.wait()
    assert [v["state"] for v in body["variants"]] == ["done"] * count, [
        v.get("message") for v in body["variants"]
    ]
    assert [v["attempts"] for v in body["variants"]] == [1] * count
    assert sorted(scan.lab.marks(), key=int) == [str(n) for n in range(1, count + 1)]
    variants: list[dict[str, Any]] = body["variants"]
    return variants


def messages(scan: ScanOfLab) -> set[str]:
    return {event["message"] for event in scan.events_of("job.observed") if event.get("message")}


def test_jobs_get_the_gpu_that_was_asked_for_and_say_where_they_run(lab: Lab, pool: Pool) -> None:
    scan = on_pool(
        lab,
        2,
        "--gpus",
        "1",
        "--gpu-model",
        "a100",
        "--vram",
        "30GB",
        "--cuda",
        "12.0",
        "--account",
        "physics",
    )
    check_done(scan, 2)
    seen = [event for event in scan.events_of("job.observed") if event["state"] == "running"]
    assert {event["node"].partition("@")[0] for event in seen if "@" in event.get("node", "")} == {
        "node1"
    }
    assert {
        event.get("gpu") for event in scan.events_of("job.observed") if event["state"] == "done"
    } <= {"CUDA0", "CUDA1"}
    assert all(
        event["gpu_s"] > 0 for event in scan.events_of("job.observed") if event["state"] == "done"
    )


def test_a_hundred_variants_are_one_cluster_that_says_why_it_waits_and_is_stopped(
    lab: Lab, pool: Pool
) -> None:
    scan = on_pool(lab, 100, "--gpus", "1", "--gpu-model", "H100")
    eventually(
        lambda: any("no machine of the pool fits" in text for text in messages(scan)),
        what="why it waits",
    )
    jobs = pool.jobs("ClusterId", "ProcId", "RequestGPUs")
    assert len(jobs) == 100
    assert len({job["ClusterId"] for job in jobs}) == 1
    scan.gridgpu("stop")
    body = scan.wait("stopped")
    assert {v["state"] for v in body["variants"]} == {"cancelled"}
    eventually(lambda: not pool.jobs("ProcId"), what="the queue is empty")


def test_several_variants_in_one_job_one_after_another_and_side_by_side(
    lab: Lab, pool: Pool
) -> None:
    scan = on_pool(lab, 4, "--per-job", "2", "--per-gpu", "2", "--gpus", "1")
    check_done(scan, 4)
    assert (
        scan.folder / "batches" / "b0001" / "tasks"
    ).read_text() == "v0001.1 v0002.1 v0003.1 v0004.1\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--constraint", "Foo == (("],
            "--constraint 'Foo == ((' is no expression that HTCondor can read.",
        ),
        (["--qos", "high"], "HTCondor knows no --qos"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    lab: Lab, pool: Pool, options: list[str], words: str
) -> None:
    ran = lab.gridgpu(
        "run", str(lab.notebook()), "-p", "n = 1", "--on", "htcondor", *options, code=3
    )
    assert words in one_sentence(ran.stderr)
    assert not lab.home.exists() or not list(lab.home.glob("*/scan.json"))


def test_a_pool_that_is_not_there_is_said_in_one_sentence(lab: Lab, pool: Pool) -> None:
    away = lab.folder / "condor_config"
    away.write_text(pool.config.read_text().replace("127.0.0.1:", "127.0.0.1:1"))
    ran = lab.gridgpu(
        "run",
        str(lab.notebook()),
        "-p",
        "n = 1",
        "--on",
        "htcondor",
        code=3,
        env={"CONDOR_CONFIG": str(away)},
    )
    assert "HTCondor does not answer" in one_sentence(ran.stderr)


def test_a_refused_batch_fails_with_the_pool_s_own_words(lab: Lab, pool: Pool) -> None:
    scan = on_pool(lab, 2, "--account", "chemistry", "--retries", "0")
    body = scan.wait()
    assert [(v["state"], v["reason"]) for v in body["variants"]] == [("failed", "submit")] * 2
    (text,) = messages(scan)
    assert (
        text
        == "The job could not be sent: HTCondor refused it: The accounting group chemistry is not known here."
    )


def test_a_job_that_its_user_holds_waits_and_one_that_is_released_goes_on(
    lab: Lab, pool: Pool
) -> None:
    import htcondor2

    scan, gate = gated(lab, 1)
    scan.wait_for("v0001", loss=2)
    pool.schedd().act(htcondor2.JobAction.Hold, "true", ("to look at it", 0))
    scan.wait_for("v0001", state="queued")
    eventually(
        lambda: any(text.startswith("Held: to look at it") for text in messages(scan)),
        what="why it is held",
    )
    gate.touch()
    pool.schedd().act(htcondor2.JobAction.Release, "true")
    (variant,) = scan.wait()["variants"]
    assert (variant["state"], variant["attempts"]) == ("done", 1)
    assert scan.attempts() == {
        "v0001.1": 2
    }  # a copy that was held, and saved what it had; one that ran to its end


@pytest.mark.parametrize(
    "options", [(), ("--memory", "700MB")], ids=["the pool's limit", "the job's own"]
)
def test_a_job_over_its_memory_is_out_of_memory_whoever_ends_it(
    lab: Lab, pool: Pool, options: tuple[str, ...]
) -> None:
    hungry = lab.notebook(
        "print('eats', flush=True)\nkept = b'x' * 2_500_000_000\nimport time; time.sleep(100)"
    )
    scan = lab.start(hungry, "-p", "n = 1", "--on", "htcondor", "--retries", "0", *options)
    (variant,) = scan.wait()["variants"]
    assert (variant["state"], variant["reason"]) == ("failed", "oom"), messages(scan)
    eventually(
        lambda: not pool.jobs("ProcId"), what="what is held for good does not stay in the queue"
    )


def test_a_job_over_its_walltime_keeps_its_notebook(lab: Lab, pool: Pool) -> None:
    slow = lab.notebook("print('before the limit', flush=True)\nimport time; time.sleep(100)")
    scan = lab.start(slow, "-p", "n = 1", "--on", "htcondor", "--walltime", "5s", "--retries", "0")
    (variant,) = scan.wait()["variants"]
    assert (variant["state"], variant["reason"]) == ("failed", "timeout")
    assert "before the limit" in Path(variant["notebook"]).read_text()
