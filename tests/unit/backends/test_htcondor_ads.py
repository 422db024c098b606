"""What is made of the words and attributes by which HTCondor tells of jobs."""

from __future__ import annotations

import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_gridgpu.backends.htcondor import ads, bindings

RECORDED: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[2] / "data" / "htcondor" / "ads-23.9.json").read_text()
)


@pytest.mark.parametrize(
    ("name", "state", "reason", "words"),
    [
        ("queue: no machine fits", "queued", None, "Waits for a machine: no match found."),
        ("queue: running", "running", None, None),
        (
            "held: held by its user",
            "queued",
            None,
            "Held: to look at it (by user physicist). It waits for its release.",
        ),
        ("held: over its memory", "failed", "oom", "memory usage exceeded request_memory."),
        (
            "held: over its time",
            "failed",
            "timeout",
            "The job exceeded allowed execute duration of 00:03.",
        ),
        ("left: over its memory", "failed", "oom", "memory usage exceeded request_memory."),
        (
            "left: over its time",
            "failed",
            "timeout",
            "The job exceeded allowed execute duration of 00:03.",
        ),
        (
            "left: removed by a policy",
            "failed",
            "node",
            "Removed by HTCondor: The job attribute PeriodicRemove",
        ),
        (
            "left: removed by its user",
            "cancelled",
            "user",
            "Removed from HTCondor by physicist: ended by its user.",
        ),
        (
            "left: node without the folder",
            "done",
            "node",
            "The node does not see the scan's folder.",
        ),
        (
            "left: ended by a signal",
            "done",
            "node",
            "The job was ended by signal 9 and left no result.",
        ),
        ("left: ended well", "done", None, None),
    ],
)
def test_what_htcondor_said_is_understood(
    name: str, state: str, reason: str | None, words: str | None
) -> None:
    seen = (ads.history_status if name.startswith("left") else ads.queue_status)(
        RECORDED[name], pool="pool"
    )
    assert (seen.state, seen.reason, seen.where) == (state, reason, "pool")
    assert (words or "") in (seen.message or "")
    assert (words is None) == (seen.message is None)
    assert seen.node in (None, "node1@vm", "node2@vm")


def test_a_job_that_waits_says_how_many_machines_fit() -> None:
    waits = RECORDED["queue: no machine fits"]
    assert (
        ads.queue_status(waits, 0).message
        == "Waits, but no machine of the pool fits what it asks for."
    )
    assert ads.queue_status(waits, 3).message == "Waits: 3 machines fit, none is free for it now."
    assert ads.queue_status({**waits, "NumJobStarts": 1}, 1).message == (
        "It ran before, and starts again. Waits: one machine fits, none is free for it now."
    )


# The times of an ad are those of the schedd's clock, and the last moment is its own.
STARTED, SILENT = 1_795_810_320, 1_795_810_324
DISCONNECTED = {
    "JobStatus": ads.RUNNING,
    "RemoteHost": "slot1_1@node2@vm",
    "JobCurrentStartDate": STARTED,
    "JobDisconnectedDate": SILENT,
    "JobCurrentReconnectAttempt": 4,
    "JobLeaseDuration": 1200,
    "ServerTime": SILENT + 200,
}


def at(seconds: float) -> str:
    return time.strftime("%H:%M", time.localtime(seconds))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "The node has been silent for 3 min; HTCondor waits for it until {until}."),
        ({"ServerTime": SILENT + 5}, "The node has been silent for less than a minute;"),
        ({"JobLeaseDuration": None}, "The node has been silent for 3 min; HTCondor waits for it."),
        # It runs on another node, and the date is still that of the first.
        ({"JobCurrentStartDate": SILENT + 30}, None),
        # HTCondor leaves the attempts undefined once the node answers, or when the job runs again.
        ({"JobCurrentReconnectAttempt": None}, None),
        ({"JobDisconnectedDate": None}, None),
        ({"JobStatus": ads.SUSPENDED}, "Suspended by its node."),
    ],
)
def test_a_silent_node_is_said_with_the_end_of_the_wait(
    changes: dict[str, Any], words: str | None
) -> None:
    seen = ads.queue_status({**DISCONNECTED, **changes})
    assert seen.state == "running"
    if words is None:
        assert seen.message is None
    else:
        assert (seen.message or "").startswith(words.format(until=at(SILENT + 1200)))


def test_of_an_idle_job_no_silence_is_said_but_why_it_starts_again() -> None:
    idle = {**DISCONNECTED, "JobStatus": ads.IDLE, "VacateReasonCode": ads.LEASE_OVER}
    seen = ads.queue_status(idle, 1)
    assert seen.message == (
        "Its node was silent for too long; it starts again."
        " Waits: one machine fits, none is free for it now."
    )


BY_HAND = "via condor_rm (by user physicist)"
SITE = "The system macro SYSTEM_PERIODIC_REMOVE expression '{}' evaluated to TRUE"


@pytest.mark.parametrize(
    ("ad", "state", "reason", "words"),
    [
        # Its worker gets the time to save that was asked for.
        ({"ServerTime": SILENT + 70}, "running", None, "by physicist: via condor_rm. It saves"),
        ({"ServerTime": SILENT + 700}, "cancelled", "user", "by physicist: via condor_rm."),
        ({"RemoteHost": None}, "cancelled", "user", "Removed from HTCondor by physicist: via"),
        (
            {"JobDisconnectedDate": SILENT, "JobCurrentReconnectAttempt": 2},
            "cancelled",
            "user",
            "Removed from HTCondor by physicist: via condor_rm.",
        ),
        (
            {"RemoteHost": None, "RemoveReason": "too (very) long. (by user root)"},
            "cancelled",
            "user",
            "Removed from HTCondor by root: too (very) long.",
        ),
        (
            {"RemoteHost": None, "RemoveReason": SITE.format("RemoteWallClockTime > 9")},
            "failed",
            "timeout",
            "Removed by HTCondor: The system macro",
        ),
        (
            {"RemoteHost": None, "RemoveReason": SITE.format("ResidentSetSize > 9")},
            "failed",
            "oom",
            "evaluated to TRUE.",
        ),
        # SYSTEM_PERIODIC_REMOVE_REASON is what the site likes to say.
        (
            {"RemoteHost": None, "NumJobStarts": 2, "RemoveReason": "Ask the help desk"},
            "failed",
            "node",
            "Removed by HTCondor: Ask the help desk.",
        ),
        (
            {"RemoteHost": None, "NumJobStarts": 0, "RemoveReason": "Ask the help desk"},
            "failed",
            "submit",
            "Removed by HTCondor: Ask the help desk.",
        ),
    ],
)
def test_a_job_that_is_being_removed(
    ad: dict[str, Any], state: str, reason: str | None, words: str
) -> None:
    removed = {
        "JobStatus": ads.REMOVED,
        "RemoteHost": "slot1_1@node2@vm",
        "RemoveReason": BY_HAND,
        "JobMaxVacateTime": 60,
        "JobCurrentStartDate": STARTED,
        "EnteredCurrentStatus": SILENT,
        "ServerTime": SILENT + 3,
    }
    seen = ads.queue_status({**removed, **ad})
    assert (seen.state, seen.reason) == (state, reason)
    assert words in (seen.message or "")
    if state != "running":
        assert ads.history_status({**removed, **ad}).message == seen.message


def test_a_schedd_whose_clock_is_behind_still_tells_what_became_of_jobs() -> None:
    asked: list[str] = []

    class FakeSchedd:
        def history(self, constraint: str, projection: Any, match: int, since: str) -> list[Any]:
            asked.append(since)
            return []

    condor = SimpleNamespace(Schedd=FakeSchedd, param={"COLLECTOR_HOST": "pool"})
    bindings.history(condor, ["7.0"], since=100_000.0)
    before = int(asked[0].removeprefix("EnteredCurrentStatus < "))
    assert 100_000 - 2 * 3600 < before < 100_000 - 600


@pytest.mark.parametrize(
    ("code", "text", "reason"),
    [
        (34, "Job has gone over cgroup memory limit of 512 megabytes.", "oom"),
        (34, "Job has used more disk than it asked for", "node"),
        (13, "Transfer input files failure: reading from file /data/ml.sif: (errno 2)", "image"),
        (
            26,
            "The system macro SYSTEM_PERIODIC_HOLD expression evaluated to TRUE: wall time limit",
            "timeout",
        ),
        (6, "Error from slot1@n1: Failed to execute", "node"),
        (None, None, "node"),
    ],
)
def test_a_job_that_is_held_for_good_has_failed_for_a_reason(
    code: int | None, text: str | None, reason: str
) -> None:
    seen = ads.queue_status({"JobStatus": ads.HELD, "HoldReasonCode": code, "HoldReason": text})
    assert (seen.state, seen.reason) == ("failed", reason)
    assert seen.message
    assert seen.message.startswith("Held by HTCondor: ")


def test_ten_thousand_jobs_are_read_quickly() -> None:
    many = [{**RECORDED["queue: running"], "ProcId": number} for number in range(10_000)]
    before = time.process_time()
    assert (
        len({ads.task_id(ad): ads.queue_status(ad) for ad in json.loads(json.dumps(many))})
        == 10_000
    )
    assert time.process_time() - before < 5.0  # a tenth of it on a quiet machine


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "Unable to commit transaction, SCHEDD:2:The group x is not known.",
            "The group x is not known.",
        ),
        (
            "Failed to create job ad, errmsg=Submit:-1:Parse error in expression:",
            "Parse error in expression:",
        ),
        ("Unable to locate local daemon.", "Unable to locate local daemon."),
    ],
)
def test_a_refusal_is_told_without_names_of_functions(said: str, words: str) -> None:
    assert ads.refusal(said).startswith(words)
