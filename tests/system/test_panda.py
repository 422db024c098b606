"""Whole scans on the stand-in of PanDA.

panda-client is the real one, each scan has its own runner, and jobs really run.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.engines.panda import FakePanda
from tests.engines.panda.fake import make_token
from tests.engines.panda.proxy import Proxy
from tests.kit import eventually

from .helpers import command_of, one_sentence, options, space
from .lab import Lab, ScanOfLab
from .notebooks import LONG
from .panda_lab import token_file


@pytest.fixture
def proxy(lab: Lab, panda: FakePanda) -> Iterator[Proxy]:
    """Yield a proxy before the stand-in, which the scans of the lab go through."""
    made = Proxy(panda.url)
    lab.env.update(made.environment())
    yield made
    made.stop()


def scan_of(lab: Lab, count: int, *words: str, **changes: Any) -> ScanOfLab:
    """Start a scan of short trainings at the site that has a GPU."""
    there = options("--on panda --site LAB_GPU")
    return lab.training(count, *there, *words, **{"steps": 2, "pause": 0.0, **changes})


def message(scan: ScanOfLab, ident: str = "v0001") -> str:
    """Return the newest message about the jobs of a variant, or an empty text."""
    for event in reversed(scan.events_of("job.observed")):
        if event["key"].startswith(ident) and event.get("message"):
            return str(event["message"])
    return ""


def note(scan: ScanOfLab) -> str:
    """Return what was said last of PanDA as a whole; 'None' if all is well again."""
    noted = scan.events_of("engine.noted")
    return str(noted[-1]["message"]) if noted else ""


def test_a_scan_runs_on_the_grid_and_comes_home(lab: Lab, panda: FakePanda) -> None:
    image = "docker://atlasml/ml-base:latest"
    asked = options(f"--minimize loss --gpus 1 --vram 40GB --image {image}")
    scan = scan_of(lab, 3, *asked)
    body = scan.wait("done")
    assert [variant["metrics"]["loss"] for variant in body["variants"]] == [2.0, 4.0, 6.0]
    assert body["best"] == "v0001"
    for variant in body["variants"]:
        assert "epoch 2" in (scan.folder / variant["notebook"]).read_text()
    params = panda.jedi.tasks[1].params
    assert len(panda.jedi.tasks) == 1
    assert params["architecture"] == "#&nvidia:vram>=40960"
    assert params["multiStepExec"]["containerOptions"]["containerImage"] == image
    assert {event.get("where") for event in scan.events_of("job.observed")} >= {"LAB_GPU"}


def test_several_variants_are_one_job_and_each_comes_home(lab: Lab, panda: FakePanda) -> None:
    scan = scan_of(lab, 3, "--per-job", "2")
    scan.wait("done")
    assert [job.number for job in panda.jedi.jobs.values()] == [1, 2]
    assert lab.marks() == ["1", "2", "3"]


def test_a_failed_notebook_is_a_finished_job_and_our_own_policy_decides(
    lab: Lab, panda: FakePanda
) -> None:
    notebook = lab.notebook("raise ValueError('bad ' + str(n))")
    scan = lab.start(notebook, *space(n=[1]), *options("--on panda --retries 1"))
    eventually(lambda: scan.state() == "done", what="the scan ends")
    states = [event["state"] for event in scan.events_of("job.observed")]
    assert states.count("failed") == 2
    assert "ValueError: bad 1" in message(scan)
    assert [job.status for job in panda.jedi.jobs.values()] == ["finished", "finished"]
    first = panda.jedi.tasks[1]
    # JEDI ends a task some steps after its last job.
    eventually(lambda: first.status == "done", what="the first task is done")


def test_a_site_that_fails_a_job_is_tried_again_by_panda_and_says_why(
    lab: Lab, panda: FakePanda
) -> None:
    panda.fails[1, 1] = {"pilotErrorCode": 1099, "pilotErrorDiag": "Failed to stage-in file"}
    lost = {"jobDispatcherErrorCode": 100, "jobDispatcherErrorDiag": "lost heartbeat"}
    for attempt in (1, 2):
        panda.fails[2, attempt] = lost
    scan = scan_of(lab, 3, "--attempts", "2")
    body = scan.wait("done")
    assert [variant["state"] for variant in body["variants"]] == ["done", "failed", "done"]
    assert "lost heartbeat" in message(scan, "v0002")
    assert "after 2 attempts" in message(scan, "v0002")
    assert lab.marks() == ["1", "3"]
    assert eventually(lambda: panda.jedi.tasks[1].status == "finished")


def test_stopping_a_variant_kills_its_job_and_the_others_go_on(lab: Lab, panda: FakePanda) -> None:
    scan = scan_of(lab, 2, "--attempts", "2", steps=LONG, pause=0.1)

    def statuses() -> list[str]:
        return [job.status for job in list(panda.jedi.jobs.values())]

    eventually(lambda: statuses() == ["running", "running"], what="both run")
    scan.gridgpu("stop", variant="v0002")
    scan.wait_for("v0002", "cancelled")
    lab.hurry()
    body = scan.wait("done")
    assert [variant["state"] for variant in body["variants"]] == ["done", "cancelled"]
    second = [job for job in panda.jedi.jobs.values() if job.number == 2]
    assert {job.attempt: job.status for job in second} == {1: "cancelled", 2: "cancelled"}


def test_stopping_a_scan_kills_its_task_until_panda_has_it(lab: Lab, panda: FakePanda) -> None:
    panda.hold = True
    scan = scan_of(lab, 3)
    eventually(lambda: "queued" in scan.states())
    scan.gridgpu("stop")
    body = scan.wait("stopped")
    assert {variant["state"] for variant in body["variants"]} == {"cancelled"}
    assert eventually(lambda: panda.jedi.tasks[1].status == "aborted")
    assert lab.marks() == []


@pytest.mark.parametrize("moment", ["file_server/validate_cache_file", "task/submit"])
def test_a_runner_killed_while_it_sends_sends_nothing_twice(
    lab: Lab, panda: FakePanda, moment: str
) -> None:
    panda.trouble[moment] = "slow"
    scan = scan_of(lab, 2)
    eventually((scan.folder / "batches" / "b0001" / "answer.lock").exists)
    assert scan.kill_runner() == 1
    panda.trouble.clear()
    scan.gridgpu("resume")
    assert {variant["state"] for variant in scan.wait("done")["variants"]} == {"done"}
    assert lab.marks() == ["1", "2"]
    assert len(panda.jedi.tasks) == 1


def test_a_task_that_was_taken_while_its_answer_was_lost_is_adopted_by_name(
    lab: Lab, panda: FakePanda
) -> None:
    panda.hold = True
    scan = scan_of(lab, 2)
    eventually(lambda: "queued" in scan.states())
    scan.kill_runner()
    for name in ("engine.json", "answer.json"):
        (scan.folder / "batches" / "b0001" / name).unlink()
    journal = scan.folder / "journal.jsonl"
    later = ("job.submitted", "job.observed")
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if json.loads(line)["type"] not in later))
    panda.hold = False
    scan.gridgpu("resume")
    assert {variant["state"] for variant in scan.wait("done")["variants"]} == {"done"}
    assert len(panda.jedi.tasks) == 1
    assert lab.marks() == ["1", "2"]


def test_a_server_in_trouble_changes_nothing_and_is_said(lab: Lab, panda: FakePanda) -> None:
    panda.hold = True
    scan = scan_of(lab, 1)
    eventually(lambda: "queued" in scan.states())
    panda.trouble[""] = "html"
    eventually(lambda: "PanDA has not answered" in note(scan), what=f"a note; {scan.log()}")
    assert scan.states() == ["queued"]
    panda.trouble.clear()
    panda.hold = False
    scan.wait("done")
    assert note(scan) in ("", "None")


def test_a_scan_comes_home_through_a_gateway_that_does_harm(
    lab: Lab, panda: FakePanda, proxy: Proxy
) -> None:
    """Each kind of request is harmed in several ways; the runner is killed in between."""
    for endpoint in (
        "file_server/upload_cache_file",
        "task/submit",
        "task/get_tasks_detailed_info_since",
        "task/get_detailed_info",
        "task/get_job_descriptions",
        "job/get_description_incl_archive",
    ):
        proxy.faults[endpoint] = ["lost", "html after"]
    scan = scan_of(lab, 3)
    eventually(lambda: panda.jedi.tasks, what=f"PanDA has a task; {scan.log()}")
    scan.kill_runner()
    scan.gridgpu("resume")
    body = scan.wait("done")
    assert [variant["state"] for variant in body["variants"]] == ["done"] * 3
    assert lab.marks() == ["1", "2", "3"]
    assert [task.reactivations for task in panda.jedi.tasks.values()] == [0]
    assert "<" not in "".join(str(event) for event in scan.events_of("engine.noted"))


def test_what_cannot_be_sent_is_said_at_once(lab: Lab, panda: FakePanda) -> None:
    """A minute of silence is what a batch system has by default, and nobody waits for that here."""
    lab.env["GRIDGPU_POLL_S"] = "60"
    panda.trouble["task/submit"] = "html"
    scan = scan_of(lab, 1)
    page = "PanDA answered with a web page, not with data: 502 Bad Gateway"
    eventually(lambda: note(scan) != "", what=f"a note; {scan.log()}", within_s=45.0)
    assert note(scan) == f"1 job could not be sent yet; it is tried again. ({page}.)"
    assert scan.states()[0] in ("new", "queued")
    panda.trouble.clear()
    scan.gridgpu("stop")


def test_a_sign_in_that_ran_out_pauses_the_scan_until_there_is_another(
    lab: Lab, panda: FakePanda
) -> None:
    panda.hold = True
    scan = scan_of(lab, 2)
    eventually(lambda: "queued" in scan.states())
    token_file(lab).write_text(make_token(ends_in=-60.0))
    eventually(lambda: "ran out" in note(scan))
    assert set(scan.states()) == {"queued"}
    panda.hold = False
    token_file(lab).write_text(make_token())
    assert {variant["state"] for variant in scan.wait("done")["variants"]} == {"done"}


def test_files_that_are_too_large_are_refused_with_what_to_drop(lab: Lab, panda: FakePanda) -> None:
    (lab.folder / "jets.npz").write_bytes(os.urandom(11_000_000))
    words = [*space(n=[1]), *options("--on panda --files jets.npz")]
    ran = lab.gridgpu("run", str(lab.notebook()), *words, code=3)
    assert "jets.npz (11.0 MB)" in one_sentence(ran.stderr)


def test_an_unknown_site_and_a_gpu_that_nobody_has_are_said(lab: Lab, panda: FakePanda) -> None:
    nowhere = options("--on panda --site NO_SUCH_QUEUE --name lost")
    lost = lab.start(lab.notebook(), *space(n=[1]), *nowhere)
    eventually(lambda: "unknown site=NO_SUCH_QUEUE" in message(lost))
    assert lost.states() == ["queued"]
    waits = scan_of(lab, 1, *options("--gpus 1 --gpu-model A100 --name waits"))
    eventually(lambda: "Waits for a free place at LAB_GPU" in message(waits))
    assert waits.states() == ["queued"]


@pytest.mark.parametrize(
    ("status", "said"),
    [("broken", "no such dataset user.me:jets"), ("exhausted", "low CPU efficiency 5 percent")],
)
def test_a_task_that_makes_no_jobs_fails_them_with_pandas_reason(
    lab: Lab, panda: FakePanda, status: str, said: str
) -> None:
    panda.jedi.end_as = (status, said)
    scan = scan_of(lab, 1)
    scan.wait("done")
    assert scan.states() == ["failed"]
    assert f"is {status}: {said}" in message(scan)


def test_a_finished_job_of_which_nothing_came_back_is_no_success(
    lab: Lab, panda: FakePanda
) -> None:
    panda.drop_metadata = True
    scan = scan_of(lab, 1)
    scan.wait("done")
    assert scan.states() == ["failed"]
    assert "nothing of it came back" in message(scan)


def test_a_notebook_of_megabytes_comes_home_without_its_largest_outputs(
    lab: Lab, panda: FakePanda
) -> None:
    noise = "import base64, os\nprint(base64.b64encode(os.urandom(1_500_000)).decode())"
    notebook = lab.notebook(f"{noise}\nprint('kept', n)")
    scan = lab.start(notebook, *space(n=[1]), *options("--on panda"))
    body = scan.wait("done")
    assert scan.states() == ["done"]
    text = (scan.folder / body["variants"][0]["notebook"]).read_text()
    assert "did not fit into the job's metadata" in text


def test_no_token_is_ever_written_or_shown(lab: Lab, panda: FakePanda) -> None:
    token = token_file(lab).read_text()
    scan = scan_of(lab, 1)
    eventually(lambda: scan.states() != ["new"])
    lines = [" ".join(command_of(process)) for process in scan.processes()]
    scan.wait("done")
    parts = (token, token.split(".")[1])
    for root in (scan.folder, panda.cache):
        for path in root.rglob("*"):
            data = path.read_bytes() if path.is_file() else b""
            assert not [part for part in parts if part.encode() in data], path
    for part in parts:
        assert not [line for line in lines if part in line]
    assert base64.urlsafe_b64decode(parts[1] + "==")
    assert json.loads((scan.folder / "scan.json").read_text())["backend"] == "panda"
    assert not re.search(r"Traceback|Error", scan.log())


def test_a_sampler_that_learns_sends_one_task_for_each_generation(
    lab: Lab, panda: FakePanda
) -> None:
    panda.slots = 4
    asked = options("--minimize loss --sampler tpe --trials 6 --parallel 3 --on panda")
    axes = ["-p", "n = uniform(1.0, 2.0)", *space(steps=1, pause=0.0)]
    scan = lab.start(lab.notebook(), *axes, *asked)
    scan.wait("done")
    assert [task.size for task in panda.jedi.tasks.values()] == [3, 3]
