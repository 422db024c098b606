"""Scans on a real HTCondor pool, as a user starts and sees them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.engines.condor import Pool
from tests.kit import eventually

from .helpers import one_sentence, options, space
from .lab import Lab, ScanOfLab
from .notebooks import LONG, TRAINING

GATED = "import pathlib, time\nwhile not pathlib.Path(gate).exists():\n    time.sleep(0.05)"
GATED_PARAMETERS = "n = 0\nmark = '/dev/null'\nsteps = 2\npause = 0.1\ngate = ''"
HERE = ("--on", "htcondor")
# What the options of a test make of a job. HTCondor itself would wait for a node for twice as long.
WITH_OPTIONS = {
    "JobFlavour": "tomorrow",
    "X": 3,
    "ConcurrencyLimits": "x",
    "JobPrio": 5,
    "JobLeaseDuration": 1200,
}
# The pool has a limit of its own, below this.
HUNGRY = """
print('eats', flush=True)
kept = b'x' * 2_500_000_000
import time; time.sleep(100)
"""


def on_pool(lab: Lab, count: int, *words: str, steps: int = 3) -> ScanOfLab:
    """Start a scan of trainings on the pool."""
    return lab.training(count, *HERE, *words, steps=steps)


def gated(lab: Lab, count: int, *words: str, cells: tuple[str, ...] = ()) -> tuple[ScanOfLab, Path]:
    """Start a scan whose jobs end when a file is there, and return it with that file."""
    gate = lab.folder / "gate"
    notebook = lab.notebook(*cells, TRAINING, GATED, parameters=GATED_PARAMETERS)
    axes = space(n=list(range(1, count + 1)), mark=str(lab.mark), gate=str(gate))
    return lab.start(notebook, *axes, *HERE, *words), gate


def check_done(scan: ScanOfLab, count: int) -> None:
    """Check that all variants are done at their first attempt, and that each ran once."""
    variants = scan.wait()["variants"]
    said = [variant.get("message") for variant in variants]
    assert [variant["state"] for variant in variants] == ["done"] * count, said
    assert [variant["attempts"] for variant in variants] == [1] * count
    assert sorted(scan.lab.marks(), key=int) == [str(number) for number in range(1, count + 1)]


def messages(scan: ScanOfLab) -> set[str]:
    """Return all that was said of the jobs of a scan."""
    return {event["message"] for event in scan.events_of("job.observed") if event.get("message")}


def observed(scan: ScanOfLab, state: str) -> list[dict[str, Any]]:
    """Return the events by which jobs were seen in a state."""
    return [event for event in scan.events_of("job.observed") if event["state"] == state]


def test_jobs_get_the_gpu_that_was_asked_for_and_say_where_they_run(lab: Lab, pool: Pool) -> None:
    asked = "--gpus 1 --gpu-model a100 --vram 30GB --cuda 12.0 --account physics"
    scan = on_pool(lab, 2, *options(asked), steps=LONG)

    def slots() -> list[str]:
        # While a job starts, its node is not known, or known without its slot.
        nodes = [str(event.get("node")) for event in observed(scan, "running")]
        return [node for node in nodes if "@" in node]

    eventually(slots, what="a job says where it runs")
    lab.hurry()
    check_done(scan, 2)
    assert {slot.partition("@")[0] for slot in slots()} == {"node1"}
    ends = observed(scan, "done")
    assert {event.get("gpu") for event in ends} <= {"CUDA0", "CUDA1"}
    assert all(event["gpu_s"] > 0 for event in ends)


def test_a_hundred_variants_are_one_cluster_that_says_why_it_waits_and_is_stopped(
    lab: Lab, pool: Pool
) -> None:
    own = ('+JobFlavour = "tomorrow"', "MY.X = 3", "concurrency_limits = x", "priority = 5")
    words = [word for option in own for word in ("--engine-option", option)]
    scan = on_pool(lab, 100, *options("--gpus 1 --gpu-model H100"), *words)
    eventually(
        lambda: any("no machine of the pool fits" in text for text in messages(scan)),
        what="why it waits",
    )
    jobs = pool.jobs("ClusterId", "ProcId", "RequestGPUs", *WITH_OPTIONS)
    assert len(jobs) == 100
    assert len({job["ClusterId"] for job in jobs}) == 1
    assert {name: jobs[0][name] for name in WITH_OPTIONS} == WITH_OPTIONS
    scan.gridgpu("stop")
    body = scan.wait("stopped")
    assert {variant["state"] for variant in body["variants"]} == {"cancelled"}
    eventually(lambda: not pool.jobs("ProcId"), what="the queue is empty")


def test_several_variants_in_one_job_one_after_another_and_side_by_side(
    lab: Lab, pool: Pool
) -> None:
    scan = on_pool(lab, 4, *options("--per-job 2 --per-gpu 2 --gpus 1"))
    check_done(scan, 4)
    tasks = scan.folder / "batches" / "b0001" / "tasks"
    assert tasks.read_text() == "v0001.1 v0002.1 v0003.1 v0004.1\n"


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            ["--constraint", "Foo == (("],
            "--constraint 'Foo == ((' is no expression that HTCondor can read.",
        ),
        (["--qos", "high"], "HTCondor knows no --qos"),
        (["--engine-option", "MY.Cmd = 1"], "the scan says what its jobs run"),
        (["--engine-option", "+X = 3 +"], "HTCondor cannot read the value 3 +"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_sent(
    lab: Lab, pool: Pool, asked: list[str], said: str
) -> None:
    ran = lab.gridgpu("run", str(lab.notebook()), *space(n=1), *HERE, *asked, code=3)
    assert said in one_sentence(ran.stderr)
    assert not lab.home.exists() or not list(lab.home.glob("*/scan.json"))


def test_a_pool_that_is_not_there_is_said_in_one_sentence(lab: Lab, pool: Pool) -> None:
    away = lab.folder / "condor_config"
    away.write_text(pool.config.read_text().replace("127.0.0.1:", "127.0.0.1:1"))
    words = ["run", str(lab.notebook()), *space(n=1), *HERE]
    ran = lab.gridgpu(*words, code=3, env={"CONDOR_CONFIG": str(away)})
    assert "HTCondor does not answer" in one_sentence(ran.stderr)


def test_a_refused_batch_fails_with_the_pool_s_own_words(lab: Lab, pool: Pool) -> None:
    scan = on_pool(lab, 2, *options("--account chemistry --retries 0"))
    body = scan.wait()
    ends = [(variant["state"], variant["reason"]) for variant in body["variants"]]
    assert ends == [("failed", "submit")] * 2
    (text,) = messages(scan)
    assert text == (
        "The job could not be sent: HTCondor refused it:"
        " The accounting group chemistry is not known here."
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
    # One copy was held, and saved what it had; the other ran to its end.
    assert scan.attempts() == {"v0001.1": 2}


@pytest.mark.parametrize(
    "limit", [(), ("--memory", "700MB")], ids=["the pool's limit", "the job's own"]
)
def test_a_job_over_its_memory_is_out_of_memory_whoever_ends_it(
    lab: Lab, pool: Pool, limit: tuple[str, ...]
) -> None:
    scan = lab.start(lab.notebook(HUNGRY), *space(n=1), *HERE, "--retries", "0", *limit)
    (variant,) = scan.wait()["variants"]
    assert (variant["state"], variant["reason"]) == ("failed", "oom"), messages(scan)
    eventually(
        lambda: not pool.jobs("ProcId"), what="what is held for good does not stay in the queue"
    )


def test_a_job_over_its_walltime_keeps_its_notebook(lab: Lab, pool: Pool) -> None:
    slow = lab.notebook("print('before the limit', flush=True)\nimport time; time.sleep(100)")
    scan = lab.start(slow, *space(n=1), *HERE, *options("--walltime 5s --retries 0"))
    (variant,) = scan.wait()["variants"]
    assert (variant["state"], variant["reason"]) == ("failed", "timeout")
    assert "before the limit" in Path(variant["notebook"]).read_text()
