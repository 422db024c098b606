"""What is asked of PanDA through the real panda-client, and what is made of false answers."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.backends.base import Job, job_spec
from jupyter_gridgpu.backends.panda import client_call
from jupyter_gridgpu.backends.panda.backend import PandaBackend
from jupyter_gridgpu.errors import AnswerPending, BackendError, Unreachable
from jupyter_gridgpu.model.resources import Container, Placement
from jupyter_gridgpu.model.scan import to_json
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.testing.examples import small_scan
from tests.engines.panda import FakePanda
from tests.engines.panda.fake import make_token
from tests.engines.panda.fixture import panda
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
        "does not answer as it should",
    ),
    ("500", lambda panda: panda.trouble.update({"": "500"}) or {}, "Bad Gateway"),
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


def test_a_server_that_takes_too_long_is_waited_for_no_longer(panda: FakePanda) -> None:
    panda.trouble[""] = "slow"
    with pytest.raises(Unreachable, match="did not answer within 2 s"):
        client_call.call("check", {}, 2.0)


@pytest.fixture
def scan_folder(tmp_path: Path) -> ScanPaths:
    paths = ScanPaths(tmp_path / "scan")
    paths.folder.mkdir()
    write_json(paths.spec, to_json(small_scan(backend="panda")))
    for path in (paths.worker, paths.launcher, paths.notebook):
        path.write_text(path.name)
    return paths


def hand_over(paths: ScanPaths, count: int = 2) -> dict[str, str | Exception]:
    """Submit until there is an answer that is not 'later'."""
    made = PandaBackend(small_scan(backend="panda"), paths)
    keys = [f"v{number:04d}.1" for number in range(1, count + 1)]
    jobs = [Job(key, paths.job(key), job_spec(small_scan(), key, {"lr": 0.1})) for key in keys]

    def settled() -> dict[str, str | Exception] | None:
        answers = made.submit(jobs)
        if any(isinstance(answer, AnswerPending) for answer in answers.values()):
            return None
        return answers

    answers = eventually(settled, "PanDA answers")
    made.close()
    return answers


def test_a_task_of_many_jobs_is_three_calls(panda: FakePanda, scan_folder: ScanPaths) -> None:
    panda.hold = True
    assert set(hand_over(scan_folder, 300).values()) == {f"1_{number}" for number in range(1, 301)}
    assert panda.calls == [
        "file_server/validate_cache_file",
        "file_server/upload_cache_file",
        "task/submit",
    ]
    assert not list((scan_folder.batches / "b0001").glob("*.tar.gz"))


def test_what_panda_refuses_is_said_once_and_not_sent_again(
    panda: FakePanda, scan_folder: ScanPaths
) -> None:
    scan_folder.files.mkdir()
    (scan_folder.files / "big").write_bytes(random.Random(1).randbytes(11_000_000))
    answers = hand_over(scan_folder)
    assert {type(answer) for answer in answers.values()} == {BackendError}
    assert "big (11.0 MB)" in str(answers["v0001.1"])
    assert panda.calls == []


def test_what_did_not_reach_panda_is_tried_again(panda: FakePanda, scan_folder: ScanPaths) -> None:
    panda.trouble["task/submit"] = "500"
    answers = hand_over(scan_folder)
    assert {type(answer) for answer in answers.values()} == {Unreachable}
    assert "Bad Gateway" in str(answers["v0001.1"])
    panda.trouble.clear()
    assert set(hand_over(scan_folder).values()) == {"1_1", "1_2"}
    assert len(panda.jedi.tasks) == 1


def test_an_answer_that_was_lost_is_found_by_the_name_of_the_task(
    panda: FakePanda, scan_folder: ScanPaths
) -> None:
    assert hand_over(scan_folder)["v0001.1"] == "1_1"
    for name in ("answer.json", "engine.json"):
        (scan_folder.batches / "b0001" / name).unlink()
    assert hand_over(scan_folder)["v0001.1"] == "1_1"
    assert len(panda.jedi.tasks) == 1
    assert panda.calls.count("file_server/upload_cache_file") == 1
