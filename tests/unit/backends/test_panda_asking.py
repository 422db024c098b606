"""What is asked of PanDA through the real panda-client, and what is made of false answers."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.backends.panda import client_call
from jupyter_gridgpu.backends.panda.backend import PandaBackend
from jupyter_gridgpu.backends.panda.strange_answers import LastAnswer
from jupyter_gridgpu.backends.panda.wrapped_client import _clean
from jupyter_gridgpu.errors import BackendError, Unreachable
from jupyter_gridgpu.model.resources import Container, Placement
from jupyter_gridgpu.store.paths import ScanPaths
from jupyter_gridgpu.testing.examples import small_scan
from tests.engines.panda import FakePanda
from tests.engines.panda.fake import make_token
from tests.engines.panda.fixture import panda
from tests.engines.panda.small_batch import SmallBatch, scan_folder
from tests.kit import eventually

__all__ = ["panda"]


def backend(**changes: Any) -> PandaBackend:
    return PandaBackend(small_scan(backend="panda", **changes), ScanPaths(Path("/nowhere")))


def test_a_server_that_answers_takes_the_scan(panda: FakePanda) -> None:
    backend(placement=Placement(output="user.labuser.mine", queue="LAB_GPU")).check()
    assert panda.calls == ["system/is_alive"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"placement": Placement(qos="high")}, "no --qos"),
        ({"placement": Placement(constraint="gpu")}, "no --constraint"),
        ({"container": Container("/home/me/image.sif")}, "docker://NAME"),
        ({"container": Container("docker://a/b", runtime="podman")}, "--runtime"),
        ({"container": Container("docker://a/b", binds=("/data",))}, "no --bind"),
    ],
)
def test_what_panda_cannot_grant_is_refused_without_asking(
    changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(BackendError, match=said):
        backend(**changes).check(ask=False)


def test_datasets_begin_with_the_name_of_the_user(panda: FakePanda) -> None:
    with pytest.raises(BackendError, match=r"begin with user\.labuser\."):
        backend(placement=Placement(output="user.somebody.else")).check()


TROUBLES: list[tuple[str, Callable[[FakePanda], dict[str, str]], str]] = [
    (
        "expired",
        lambda panda: {"PANDA_AUTH_ID_TOKEN": make_token(ends_in=-60.0)},
        "Signature has expired",
    ),
    (
        "forged",
        lambda panda: {"PANDA_AUTH_ID_TOKEN": make_token() + "x"},
        "Signature verification failed",
    ),
    ("rubbish", lambda panda: {"PANDA_AUTH_ID_TOKEN": "rubbish"}, "is no token"),
    ("no VO", lambda panda: {"PANDA_AUTH_VO": ""}, "names your VO"),
    (
        "html",
        lambda panda: panda.trouble.update({"": "html"}) or {},
        "PanDA answered with a web page, not with data: 502 Bad Gateway",
    ),
    ("500", lambda panda: panda.trouble.update({"": "500"}) or {}, "502 Bad Gateway (HTTP 500)"),
    ("down", lambda panda: panda.trouble.update({"": "down"}) or {}, "does not answer"),
    ("nobody", lambda panda: {"PANDA_URL_SSL": "http://127.0.0.1:9/server/panda"}, "refused"),
]


@pytest.mark.parametrize(
    ("trouble", "said"), [one[1:] for one in TROUBLES], ids=[one[0] for one in TROUBLES]
)
def test_nothing_is_begun_where_panda_does_not_answer(
    panda: FakePanda,
    monkeypatch: pytest.MonkeyPatch,
    trouble: Callable[[FakePanda], dict[str, str]],
    said: str,
) -> None:
    for name, value in trouble(panda).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BackendError) as refused:
        backend().check()
    assert said in str(refused.value)
    assert make_token()[:20] not in str(refused.value)


PAGE = "PanDA answered with a web page, not with data: 502 Bad Gateway"


SENDING = ("file_server/validate_cache_file", "file_server/upload_cache_file", "task/submit")
ASKING = (
    "task/get_detailed_info",
    "task/get_job_descriptions",
    "job/get_description_incl_archive",
)


@pytest.mark.parametrize("trouble", ["html", "500"])
def test_a_web_page_is_said_to_be_one_whatever_was_asked(
    panda: FakePanda, tmp_path: Path, trouble: str
) -> None:
    end = " (HTTP 500)" if trouble == "500" else ""
    panda.hold = True
    batch = SmallBatch(scan_folder(tmp_path / "scan"), count=1)
    for endpoint in SENDING:
        panda.trouble = {endpoint: trouble}
        assert str(batch.hand_over()["v0001.1"]) == f"{PAGE}{end}"
    panda.trouble = {}
    batch.hand_over()
    batch.close()
    job = eventually(lambda: panda.jedi.jobs.get(1), "PanDA has made the job")
    job.status = "finished"
    question = {"id": "1", "size": 1, "folder": str(tmp_path), "unwanted": [], "kept": []}
    for endpoint in ASKING:
        panda.trouble = {endpoint: trouble}
        with pytest.raises(Unreachable) as said:
            client_call.call("ask", {"tasks": [{**question, "killed": False}]}, 30.0)
        assert str(said.value) == f"{PAGE}{end}"


@pytest.mark.parametrize(
    ("code", "body", "said"),
    [
        (0, "<!DOCTYPE html><title>Sign &amp; in</title>" + " x" * 9, "web page.*: Sign & in$"),
        (
            0,
            "\n <html><body><script>if (a<b) {}</script><p>Down\nfor   now</p>",
            "page.*Down for now",
        ),
        (0, "<html><head><style>b {}</style></head><body></body></html>", "page.*it says nothing"),
        (0, "<html><body><p>cut <b", "page.*: cut b"),
        (0, "<html><h1>Token eyJhbGciOiJub25l.eyJleHAiOiAxfQ12.abc</h1>", "page.*Token …"),
        (503, "<HTML><BODY><H1>503 Service Unavailable", r"page.*503 Service.*\(HTTP 503\)"),
        (503, "no server is available", r"with an error: no server is available \(HTTP 503\)"),
        (0, f"<html>{'x ' * 10**5}", "page.*: x x x"),
        (0, "", "with nothing"),
        (502, " ", r"with nothing \(HTTP 502\)"),
        (0, "OK", "no data: OK"),
        (0, "[1, 2]", "no data"),
        (0, '{"success": true, "mess', "no data"),
        (0, '{"success": false, "message": "no such task"}', "answered: no such task"),
        (0, '{"success": true}', None),
        (1, "[Errno 111] Connection refused", None),
    ],
)
def test_an_answer_that_is_no_data_is_named(code: int, body: str, said: str | None) -> None:
    class Client:
        class _HttpClient:
            def _send(self, url: str) -> tuple[int, bytes]:
                return code, body.encode()

    answers = LastAnswer(Client)
    Client._HttpClient()._send("http://somewhere")
    found = answers.strange()
    if said is None:
        assert found is None
        return
    shown = _clean(str(found))
    assert re.search(said, shown)
    assert not re.search(r"<\w", shown)
    assert len(shown) <= 200
    answers.forget()
    assert answers.strange() is None


def test_a_web_page_is_known_from_the_parser_alone() -> None:
    """Another version of panda-client may send in another way."""
    answers = LastAnswer(object())
    with pytest.raises(json.JSONDecodeError) as error:
        json.loads("<html><title>Bad Gateway</title>")
    answers.learn(error.value)
    assert str(answers.strange()).endswith("not with data: Bad Gateway")


def test_a_server_that_takes_too_long_is_waited_for_no_longer(panda: FakePanda) -> None:
    panda.trouble[""] = "slow"
    with pytest.raises(Unreachable, match="did not answer within 2 s"):
        client_call.call("check", {}, 2.0)


@pytest.fixture
def batch(tmp_path: Path, panda: FakePanda) -> Iterator[SmallBatch]:
    made = SmallBatch(scan_folder(tmp_path / "scan"))
    yield made
    made.close()


def test_a_task_of_many_jobs_is_three_calls(panda: FakePanda, tmp_path: Path) -> None:
    panda.hold = True
    batch = SmallBatch(scan_folder(tmp_path / "scan"), count=300)
    assert set(batch.hand_over().values()) == {f"1_{number}" for number in range(1, 301)}
    batch.close()
    assert panda.calls == [
        "file_server/validate_cache_file",
        "file_server/upload_cache_file",
        "task/submit",
    ]
    assert not list((batch.paths.batches / "b0001").glob("*.tar.gz"))


def test_what_panda_refuses_is_said_once_and_not_sent_again(
    panda: FakePanda, batch: SmallBatch
) -> None:
    batch.paths.files.mkdir()
    (batch.paths.files / "big").write_bytes(random.Random(1).randbytes(11_000_000))
    answers = batch.hand_over()
    assert {type(answer) for answer in answers.values()} == {BackendError}
    assert "big (11.0 MB)" in str(answers["v0001.1"])
    assert panda.calls == []


def test_what_did_not_reach_panda_is_tried_again(panda: FakePanda, batch: SmallBatch) -> None:
    panda.trouble["task/submit"] = "500"
    answers = batch.hand_over()
    assert {type(answer) for answer in answers.values()} == {Unreachable}
    assert "Bad Gateway" in str(answers["v0001.1"])
    panda.trouble.clear()
    assert set(batch.hand_over().values()) == {"1_1", "1_2"}
    assert len(panda.jedi.tasks) == 1


def test_an_answer_that_was_lost_is_found_by_the_name_of_the_task(
    panda: FakePanda, batch: SmallBatch
) -> None:
    for _ in range(2):
        assert batch.hand_over()["v0001.1"] == "1_1"
        for name in ("answer.json", "engine.json"):
            (batch.paths.batches / "b0001" / name).unlink()
        batch.another_runner()
    assert len(panda.jedi.tasks) == 1
    assert panda.calls.count("file_server/upload_cache_file") == 1
