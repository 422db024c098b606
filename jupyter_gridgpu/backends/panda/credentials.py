"""Who the user is to PanDA, and until when the sign-in holds.

Tokens and proxies are read anew for each question, from the same files and variables that
panda-client reads. They are neither kept nor shown. No server is asked.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.units import duration_text
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import read_start, users_opener

# The user is warned so many seconds before a sign-in ends. A proxy takes longer to renew.
SOON_S = {"token": 900.0, "proxy": 7200.0}
SERVER = "https://pandaserver.cern.ch"  # panda-client's own default
MONITOR_OF_CERN = "https://bigpanda.cern.ch"
FOLDER = "~/.pathena"  # where PanDA's setup script keeps the files of the user
TOKEN_BYTES = 100_000
OPENSSL_TIMEOUT_S = 10
RENEW = {
    "token": "sign in again, which `pbook` does in a terminal, or put a new token into the file "
    "that OIDC_AUTH_TOKEN_FILE names",
    "proxy": "make a new one with voms-proxy-init",
}


@dataclass(frozen=True)
class Identity:
    """What is known of the user's sign-in."""

    kind: str = "proxy"  # or token
    name: str | None = None
    vo: str | None = None
    # Seconds since the epoch; None if not known, or if panda-client renews the sign-in by itself.
    expires: float | None = None
    source: str = ""  # the file or variable that holds the sign-in
    problem: str | None = None  # one sentence that says what is wrong with the sign-in

    def expiry_warning(self, now: float | None = None) -> str | None:
        """Return one sentence if the sign-in has run out or soon will, else None.

        `now` is the time in seconds since the epoch; the clock's, if it is left out.
        """
        if self.expires is None:
            return None
        if now is None:
            now = time.time()
        left_s = self.expires - now
        if left_s > SOON_S[self.kind]:
            return None
        when = time.strftime("%H:%M", time.localtime(self.expires))
        if left_s <= 0:
            return (
                f"Your {self.kind} for PanDA ran out at {when}: {RENEW[self.kind]}. "
                "Jobs go on, and so will the scan."
            )
        return (
            f"Your {self.kind} for PanDA runs out at {when}, in {duration_text(left_s)}: "
            f"{RENEW[self.kind]}."
        )


def server(env: Mapping[str, str] = os.environ) -> str:
    """Return scheme and host of the PanDA server."""
    found = re.match(r"https?://[^/]+", env.get("PANDA_URL_SSL", ""))
    if found is None:
        return SERVER
    return found[0]


def monitor(env: Mapping[str, str] = os.environ) -> str:
    """Return the address of the monitor's pages, without a slash at its end.

    Return an empty text if there is no monitor.
    """
    default = ""
    if server(env).endswith(".cern.ch"):
        default = MONITOR_OF_CERN
    address = env.get("PANDAMON_URL", default)
    # The address becomes a link in a page, so `javascript:` and quotes are refused.
    if not re.match(r"https?://[^\s<>\"']+$", address):
        return ""
    return address.rstrip("/")


def identity(env: Mapping[str, str] = os.environ) -> Identity:
    """Return who the user is, from variables and files of this machine."""
    kind = env.get("PANDA_AUTH")
    if kind == "oidc":
        return _by_token(env)
    if kind == "x509_no_grid":
        return _by_nickname(env)
    return _by_proxy(env)


def _vo(env: Mapping[str, str]) -> str | None:
    return env.get("PANDA_AUTH_VO") or env.get("OIDC_AUTH_VO")


def _by_nickname(env: Mapping[str, str]) -> Identity:
    name = env.get("PANDA_NICKNAME")
    problem = None
    if not name:
        problem = "PANDA_NICKNAME is not set."
    return Identity(name=name, vo=_vo(env), source="PANDA_NICKNAME", problem=problem)


# tokens -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Token:
    """A token, and where it was looked for."""

    source: str
    text: str | None  # None: there is no token
    renewable: bool = False  # whether panda-client can renew it by itself


def _by_token(env: Mapping[str, str]) -> Identity:
    vo = _vo(env)
    if vo is None:
        problem = "PANDA_AUTH is oidc, and neither PANDA_AUTH_VO nor OIDC_AUTH_VO names your VO."
        return Identity("token", problem=problem)
    token = _find_token(env)
    if token.text is None:
        problem = f"There is no PanDA token in {token.source}: {RENEW['token']}."
        return Identity("token", vo=vo, source=token.source, problem=problem)
    # panda-client sends a newline along, and the server then refuses the token without saying why.
    if token.text != token.text.strip():
        problem = f"The token in {token.source} ends with a newline: write it without."
        return Identity("token", vo=vo, source=token.source, problem=problem)
    claims = _claims(token.text)
    if claims is None:
        problem = f"What {token.source} holds is no token: {RENEW['token']}."
        return Identity("token", vo=vo, source=token.source, problem=problem)
    name = one_line(claims.get("preferred_username"), 80)
    expires = None
    if isinstance(claims.get("exp"), (int, float)) and not token.renewable:
        expires = float(claims["exp"])
    return Identity("token", name, vo, expires, token.source)


def _find_token(env: Mapping[str, str]) -> _Token:
    """Return the token that panda-client would use, from the first place that has one.

    The places are looked at in the same order as in panda-client.
    """
    if "PANDA_AUTH_ID_TOKEN" in env:
        return _Token("PANDA_AUTH_ID_TOKEN", env["PANDA_AUTH_ID_TOKEN"] or None)
    if "OIDC_AUTH_TOKEN_FILE" in env:
        file = env["OIDC_AUTH_TOKEN_FILE"]
        return _Token(file, _read(Path(file)))
    if "OIDC_AUTH_ID_TOKEN" in env:
        return _Token("OIDC_AUTH_ID_TOKEN", env["OIDC_AUTH_ID_TOKEN"] or None)
    path = Path(env.get("PANDA_CONFIG_ROOT", FOLDER)).expanduser() / ".token"
    try:
        body = parse_json(_read(path) or "")
        return _Token(str(path), str(body["id_token"]), bool(body.get("refresh_token")))
    except (ValueError, KeyError, TypeError):
        return _Token(str(path), None)


def _read(path: Path) -> str | None:
    """Return the text of a file, or None if it cannot be read."""
    try:
        return read_start(path, TOKEN_BYTES, users_opener).decode()
    except (OSError, ValueError):
        return None


def _claims(token: str) -> dict[str, Any] | None:
    """Return the claims in a token, or None if it is no token.

    The signature is not checked: the server does that.
    """
    try:
        middle = token.split(".")[1]
        # Tokens leave out the `=` at the end, which Python's base64 wants.
        padding = "=" * (-len(middle) % 4)
        body = parse_json(base64.urlsafe_b64decode(middle + padding))
    except (ValueError, IndexError):
        return None
    if not isinstance(body, dict):
        return None
    return body


# proxies ------------------------------------------------------------------------------


def _by_proxy(env: Mapping[str, str]) -> Identity:
    path = Path(env.get("X509_USER_PROXY") or f"/tmp/x509up_u{os.getuid()}")
    if not os.access(path, os.R_OK):
        problem = f"There is no grid proxy {path}: {RENEW['proxy']}."
        return Identity(vo=_vo(env), source=str(path), problem=problem)
    text = _certificate(path)
    name = None
    subject = re.search(r"subject\s*=\s*(.*)", text)
    if subject:
        name = one_line(subject[1], 120)
    expires = None
    end = re.search(r"notAfter\s*=\s*(.*)", text)
    if end:
        expires = _seconds(end[1])
    return Identity("proxy", name, _vo(env), expires, str(path))


def _certificate(path: Path) -> str:
    """Return what openssl prints of a certificate's subject and end; "" if openssl fails."""
    command = ["openssl", "x509", "-noout", "-subject", "-enddate", "-in", str(path)]
    try:
        process = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=OPENSSL_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return ""
    return process.stdout


def _seconds(text: str) -> float | None:
    """Return `Nov 25 10:00:00 2026 GMT` in seconds since the epoch, or None if it is no time."""
    try:
        # The names of months must be English whatever the locale, so strptime will not do.
        month, day, clock, year, _ = text.split()
        return parsedate_to_datetime(f"{day} {month} {year} {clock} +0000").timestamp()
    except (ValueError, TypeError):
        return None
