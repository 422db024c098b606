"""The doctor about PanDA: the sign-in, until when it holds, and the server."""

from __future__ import annotations

import pytest

from jupyter_gridgpu.doctor import panda as panda_part
from tests.engines.panda import FakePanda
from tests.engines.panda.fake import make_token
from tests.engines.panda.fixture import panda

__all__ = ["panda"]


def said() -> str:
    return " | ".join(f"{finding.level}: {finding.text}" for finding in panda_part.panda())


def test_who_is_signed_in_sees_identity_expiry_and_server(panda: FakePanda) -> None:
    words = said()
    assert "token of labuser, VO wlcg, until " in words
    assert panda.url in words
    assert "ok: The server answers; datasets begin with user.labuser." in words
    assert "problem" not in words


def test_a_sign_in_that_ran_out_is_a_problem_and_nobody_is_asked(
    panda: FakePanda, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PANDA_AUTH_ID_TOKEN", make_token(ends_in=-60.0))
    assert "problem: Your token for PanDA ran out" in said()
    assert panda.calls == []


def test_a_silent_server_is_a_problem(panda: FakePanda) -> None:
    panda.trouble[""] = "500"
    page = "PanDA answered with a web page, not with data: 502 Bad Gateway (HTTP 500)"
    assert f"problem: {page}" in said()


def test_who_does_not_use_the_grid_has_no_problem(
    panda: FakePanda, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PANDA_AUTH", "PANDA_URL_SSL"):
        monkeypatch.delenv(name)
    monkeypatch.setattr("os.access", lambda *asked: False)
    assert "note: There is no grid proxy" in said()
