from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest

from jupyter_gridgpu.backends.panda.credentials import identity, monitor, server
from tests.engines.panda.fake import make_token

OIDC = {"PANDA_AUTH": "oidc", "PANDA_AUTH_VO": "wlcg"}


def test_a_token_says_who_and_until_when_and_is_not_shown() -> None:
    token = make_token("me", ends_in=7200)
    found = identity({**OIDC, "PANDA_AUTH_ID_TOKEN": token})
    assert (found.kind, found.name, found.vo, found.problem) == ("token", "me", "wlcg", None)
    assert found.expires == pytest.approx(time.time() + 7200, abs=60)
    assert token not in repr(found)
    assert found.expiry_warning() is None


@pytest.mark.parametrize(("left", "words"), [(300, "runs out at"), (-60, "ran out at")])
def test_a_sign_in_that_ends_is_said_with_what_to_do(left: float, words: str) -> None:
    found = identity({**OIDC, "PANDA_AUTH_ID_TOKEN": make_token(ends_in=left)})
    assert words in str(found.expiry_warning())
    assert "sign in again" in str(found.expiry_warning())


def test_tokens_are_looked_for_where_panda_client_does(tmp_path: Path) -> None:
    file, root = tmp_path / "token", {"PANDA_CONFIG_ROOT": str(tmp_path)}
    file.write_text(make_token("of-file"))
    (tmp_path / ".token").write_text(
        json.dumps({"id_token": make_token("of-store"), "refresh_token": "r"})
    )
    assert identity({**OIDC, **root}).name == "of-store"
    assert identity({**OIDC, **root}).expires is None  # panda-client renews it
    assert identity({**OIDC, **root, "OIDC_AUTH_ID_TOKEN": make_token("of-id")}).name == "of-id"
    assert (
        identity(
            {**OIDC, **root, "OIDC_AUTH_ID_TOKEN": "x", "OIDC_AUTH_TOKEN_FILE": str(file)}
        ).name
        == "of-file"
    )
    both = {"OIDC_AUTH_TOKEN_FILE": str(file), "PANDA_AUTH_ID_TOKEN": make_token("first")}
    assert identity({**OIDC, **both}).name == "first"


def test_what_is_wrong_with_a_sign_in_is_one_sentence(tmp_path: Path) -> None:
    newline = tmp_path / "token"
    newline.write_text(make_token() + "\n")
    cases = {
        "names your VO": {"PANDA_AUTH": "oidc"},
        "no PanDA token": {**OIDC, "OIDC_AUTH_TOKEN_FILE": str(tmp_path / "none")},
        "ends with a newline": {**OIDC, "OIDC_AUTH_TOKEN_FILE": str(newline)},
        "is no token": {**OIDC, "PANDA_AUTH_ID_TOKEN": "rubbish"},
        "no grid proxy": {"X509_USER_PROXY": str(tmp_path / "none")},
        "PANDA_NICKNAME is not set": {"PANDA_AUTH": "x509_no_grid"},
    }
    for words, env in cases.items():
        assert words in str(identity(env).problem)


def test_a_proxy_says_who_and_until_when(tmp_path: Path) -> None:
    proxy = tmp_path / "proxy"
    make = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/DC=ch/CN=Lab User",
    ]
    subprocess.run(
        [*make, "-keyout", "/dev/null", "-out", str(proxy)], check=True, capture_output=True
    )
    found = identity({"X509_USER_PROXY": str(proxy)})
    assert found.problem is None
    assert "Lab User" in str(found.name)
    assert found.expires == pytest.approx(time.time() + 86400, abs=600)
    assert found.expiry_warning(time.time() + 86400 - 600) is not None


def test_servers_are_those_of_panda_client() -> None:
    assert server({}) == "https://pandaserver.cern.ch"
    assert (
        server({"PANDA_URL_SSL": "https://panda.example:25443/server/panda"})
        == "https://panda.example:25443"
    )
    assert monitor({}) == "https://bigpanda.cern.ch"
    assert monitor({"PANDA_URL_SSL": "https://panda.example"}) == ""
    assert monitor({"PANDAMON_URL": "https://mon.example/"}) == "https://mon.example"
    assert monitor({"PANDAMON_URL": "javascript:alert(1)"}) == ""
