"""The status of our jobs that follows from PanDA's answers, recorded or read from its code."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_gridgpu.backends.batch.inquiry import TaskStatus
from jupyter_gridgpu.backends.panda.failures import dialog, failure
from jupyter_gridgpu.backends.panda.status import LONG_WAIT_S, TaskFacts, task_status

NOW = 1_800_000_000.0


def job(
    seq: int = 1, status: str = "activated", attempt: int = 1, ident: int = 7, **more: Any
) -> dict[str, Any]:
    times = {
        "creationTime": NOW - 60,
        "stateChangeTime": NOW - 30,
        "startTime": None,
        "endTime": None,
    }
    body = {
        "seq": seq,
        "PandaID": ident,
        "jobStatus": status,
        "attemptNr": attempt,
        "maxAttempt": 3,
        "computingSite": "LAB_GPU",
    }
    return {**body, **times, **more}


def seen(
    *jobs: dict[str, Any], status: str = "running", about: TaskFacts | None = None, **body: Any
) -> TaskStatus:
    about = about or TaskFacts(settled=frozenset({1}))
    return task_status({"id": "17", "status": status, "jobs": list(jobs), **body}, 1, about, NOW)[1]


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("pending", "queued"),
        ("defined", "queued"),
        ("assigned", "queued"),
        ("activated", "queued"),
        ("sent", "queued"),
        ("starting", "queued"),
        ("throttled", "queued"),
        ("a word of later", "queued"),
        ("running", "running"),
        ("holding", "running"),
        ("transferring", "running"),
        ("merging", "running"),
        ("finished", "done"),
    ],
)
def test_states_of_jobs_are_ours_and_pandas_own_is_named(status: str, state: str) -> None:
    what = seen(job(status=status))
    assert what.state == state
    assert what.where == "LAB_GPU"
    assert what.message is not None
    assert status in what.message or status == "finished"


FAILED: dict[str, Any] = {
    "transExitCode": "65",
    "pilotErrorCode": 1305,
    "exeErrorCode": 65,
    "exeErrorDiag": "payload exit code 65",
    "pilotErrorDiag": "Non-zero exit code from payload: 65 (CUDA out of memory)",
}


def test_an_attempt_that_failed_is_made_again_by_panda() -> None:
    what = seen(job(status="failed", **FAILED))
    assert what.state == "queued"
    assert "attempt 2 of 3" in str(what.message)
    assert "CUDA out of memory" in str(what.message)


@pytest.mark.parametrize("status", ["failed", "finished", "broken"])
def test_a_failed_job_of_a_task_that_has_ended_is_failed(status: str) -> None:
    what = seen(job(status="failed", **FAILED), status=status)
    assert (what.state, what.reason) == ("failed", "oom")
    assert "pilot 1305" in str(what.message)
    assert "exit code 65" in str(what.message)


def test_the_last_attempt_that_failed_is_the_end_before_the_task_ends() -> None:
    what = seen(
        job(status="failed", attempt=1, ident=9, **FAILED),
        job(status="failed", attempt=3, ident=8, **FAILED),
    )
    assert what.state == "failed"
    assert "after 3 attempts" in str(what.message)


def test_one_attempt_that_finished_counts_whatever_came_before_or_later() -> None:
    assert (
        seen(job(status="failed", **FAILED), job(status="finished", attempt=2, ident=9)).state
        == "done"
    )
    late = seen(
        job(status="finished"),
        job(status="failed", attempt=2, ident=9),
        job(status="activated", attempt=3, ident=10),
    )
    assert late.state == "done"


def test_numbers_of_outputs_and_jobs_do_not_say_which_job_is_which() -> None:
    jobs = [
        job(2, "running", ident=3),
        job(1, "failed", ident=4, attempt=3),
        job(3, "finished", ident=1),
    ]
    found = task_status(
        {"id": "17", "status": "running", "jobs": jobs}, 3, TaskFacts(settled=frozenset({3})), NOW
    )
    assert [found[number].state for number in (1, 2, 3)] == ["failed", "running", "done"]


def test_a_closed_job_is_made_anew_however_often_it_was_tried() -> None:
    assert seen(job(status="closed", attempt=3)).state == "queued"
    assert seen(job(status="closed", attempt=3), status="failed").state == "cancelled"


def test_what_a_finished_job_left_is_waited_for() -> None:
    what = seen(job(status="finished"), about=TaskFacts())
    assert what.state == "running"
    assert "being fetched" in str(what.message)


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        ("registered", "queued", None),
        ("defined", "queued", None),
        ("ready", "queued", None),
        ("running", "queued", None),
        ("scouting", "queued", None),
        ("broken", "failed", "submit"),
        ("exhausted", "failed", "submit"),
        ("failed", "failed", "submit"),
        ("aborted", "cancelled", None),
    ],
)
def test_a_task_without_jobs_speaks_for_them(status: str, state: str, reason: str | None) -> None:
    what = seen(status=status, errorDialog="<b>why</b>")
    assert (what.state, what.reason) == (state, reason)
    assert status in ("registered", "ready", "defined", "running", "scouting") or "why" in str(
        what.message
    )


def test_an_unknown_site_is_said_since_panda_goes_on_looking() -> None:
    words = (
        '<a href="http://127.0.0.1:25080/cache/jedilog/4">log</a> : '
        "unknown site=NO_SUCH_QUEUE. brokerage failed for 1 input"
    )
    for status in ("pending", "ready"):
        what = seen(status=status, errorDialog=words)
        assert what.state == "queued"
        assert "no queue" in str(what.message)
        assert "unknown site=NO_SUCH_QUEUE" in str(what.message)
        assert "<" not in str(what.message)


def test_a_job_that_no_worker_takes_is_suspected_after_a_while() -> None:
    about = TaskFacts("#&nvidia:vram>=100000")
    early, late = (
        seen(job(stateChangeTime=NOW - s), about=about) for s in (LONG_WAIT_S / 2, LONG_WAIT_S * 2)
    )
    assert "for ever" not in str(early.message)
    assert "#&nvidia:vram>=100000" in str(late.message)
    assert late.state == "queued"


MIN = 60.0


@pytest.mark.parametrize(
    ("status", "silent_s", "said"),
    [
        ("running", 20 * MIN, None),
        ("running", 27 * MIN + 5, "no sign of life from the pilot for 27 min; it reports every 30"),
        ("starting", 29 * MIN, "no sign of life from the pilot for 29 min"),
        ("running", 43 * MIN, "no sign of life from the pilot for 40 min: the node"),
        ("running", 125 * MIN, "no sign of life from the pilot for 2 h 05 min"),
        # No pilot has the job.
        ("activated", 20 * MIN, None),
        ("holding", 125 * MIN, None),
        ("transferring", 125 * MIN, None),
    ],
)
def test_a_pilot_that_is_silent_is_told_of(status: str, silent_s: float, said: str | None) -> None:
    heard = NOW - silent_s
    times: dict[str, Any] = {"modificationTime": heard, "stateChangeTime": heard - 90}
    what = seen(job(status=status, startTime=heard - 90, **times))
    assert what.state == ("queued" if status in ("activated", "starting") else "running")
    if said is None:
        assert "sign of life" not in str(what.message)
    else:
        assert said in str(what.message)


def test_what_changed_last_is_a_sign_of_life() -> None:
    """PanDA sets some times back; of a job without any, nothing is said."""
    old = NOW - 3600
    recent = {"modificationTime": old, "stateChangeTime": old, "startTime": NOW - 60}
    for times in (recent, dict.fromkeys(recent)):
        assert "sign of life" not in str(seen(job(status="running", **times)).message)


@pytest.mark.parametrize(
    ("fields", "reason", "words"),
    [
        (FAILED, "oom", "CUDA"),
        (
            {"pilotErrorCode": 1213, "pilotErrorDiag": "Reached maximum batch system time limit"},
            "timeout",
            "pilot 1213",
        ),
        ({"pilotErrorCode": 1150, "pilotErrorDiag": "Looping job"}, "timeout", "Looping"),
        ({"pilotErrorCode": 1099, "pilotErrorDiag": "Failed to stage-in file"}, "node", "stage-in"),
        (
            {"jobDispatcherErrorCode": 100, "jobDispatcherErrorDiag": "lost heartbeat"},
            "node",
            "jobDispatcher 100",
        ),
        (
            {"transExitCode": "74", "pilotErrorCode": 1305, "pilotErrorDiag": "Non-zero exit code"},
            "image",
            "papermill",
        ),
        (
            {"pilotErrorCode": 1310, "pilotErrorDiag": "Apptainer could not pull image"},
            "image",
            "pull",
        ),
        (
            {"taskBufferErrorCode": 100, "taskBufferErrorDiag": "killed by kill by Lab User"},
            "user",
            "killed by kill by Lab User",
        ),
        (
            {"taskBufferErrorCode": 100, "taskBufferErrorDiag": "killed by Panda server: upstream"},
            "node",
            "upstream",
        ),
        (
            {"taskBufferErrorCode": "NULL", "transExitCode": "NULL", "pilotErrorDiag": "NULL"},
            "node",
            "no more than failed",
        ),
        ({"pilotErrorCode": 1379}, "preempted", "1379: the site took the job's place back"),
        ({"pilotErrorCode": 1360}, "image", "the image was not found"),
        ({"pilotErrorCode": 1204}, "timeout", "used up its processor time"),
        ({"pilotErrorCode": 9999}, "node", "(pilot 9999)"),
        # The job itself knows better than a pilot that blames the node.
        ({"pilotErrorCode": 1137, "transExitCode": "82"}, "oom", "more memory than it may"),
        ({"pilotErrorCode": 1212, "transExitCode": "70"}, "oom", "ran out of memory"),
        ({"exeErrorCode": 83, "exeErrorDiag": "SIGTERM came"}, "preempted", "SIGTERM came"),
        ({"pilotErrorCode": "x" * 10_000, "pilotErrorDiag": 5}, "node", "no more"),
        (
            {"pilotErrorCode": 1305, "pilotErrorDiag": "<script>\x1b[31m\n" + "y" * 10_000},
            "node",
            "pilot 1305",
        ),
    ],
)
def test_codes_and_diagnostics_in_words(fields: dict[str, Any], reason: str, words: str) -> None:
    found = failure(job(status="failed", **fields))
    assert found[0] == reason
    assert words in found[1]
    assert len(found[1]) < 500
    assert found[1].isprintable()


def test_the_page_of_the_monitor_is_named_where_there_is_one() -> None:
    about = TaskFacts(monitor="https://monitor.example")
    assert "https://monitor.example/job?pandaid=7" in str(
        seen(job(status="failed"), status="failed", about=about).message
    )
    assert "https://monitor.example/task/17/" in str(seen(status="broken", about=about).message)
    assert seen(job(status="running"), about=about).link == "https://monitor.example/job?pandaid=7"
    assert (seen(status="ready", about=about).link, seen(status="ready").link) == (
        "https://monitor.example/task/17/",
        None,
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [(None, None), ("", None), ("<b></b>", None), (5, None), ("a &lt; b", "a < b")],
)
def test_dialogs_lose_their_markup(text: Any, said: str | None) -> None:
    assert dialog(text) == said
