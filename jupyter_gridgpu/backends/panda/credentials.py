"""Who the user is to PanDA, and until when: read where panda-client reads it, kept nowhere, and never shown itself."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.units import duration

SOON_S = {"token": 900.0, "proxy": 7200.0}  # before the end, when a word of it is due
SERVER = "https://pandaserver.cern.ch"  # panda-client's own default
FOLDER = "~/.pathena"  # where panda's setup script keeps what is the user's
TOKEN_BYTES = 100_000
RENEW = {
    "token": "sign in again, which `pbook` does in a terminal, or put a new token into the file that OIDC_AUTH_TOKEN_FILE names",
    "proxy": "make a new one with voms-proxy-init",
}


@dataclass(frozen=True)
class Identity:
    """What is known of the user's sign-in. `problem` says in one sentence what is wrong with it."""

    kind: str = "proxy"  # or token
    name: str | None = None
    vo: str | None = None
    expires: float | None = (
        None  # seconds since the epoch; None: not known, or renewed by panda-client itself
    )
    source: str = ""
    problem: str | None = None

    def words(self, now: float | None = None) -> str | None:
        """Return one sentence if the sign-in has run out or soon will."""
        left = (
            None if self.expires is None else self.expires - (time.time() if now is None else now)
        )
        if left is None or left > SOON_S[self.kind]:
            return None
        when = time.strftime("%H:%M", time.localtime(self.expires))
        if left <= 0:
            return f"Your {self.kind} for PanDA ran out at {when}: {RENEW[self.kind]}. Jobs go on, and so will the scan."
        return f"Your {self.kind} for PanDA runs out at {when}, in {duration(left)}: {RENEW[self.kind]}."


def server(env: Mapping[str, str] = os.environ) -> str:
    """Return scheme and host of the PanDA server."""
    found = re.match(r"https?://[^/]+", env.get("PANDA_URL_SSL", ""))
    return found[0] if found else SERVER


def monitor(env: Mapping[str, str] = os.environ) -> str:
    """Return the address of the monitor's pages, without a slash at its end; empty where there is none."""
    given = env.get(
        "PANDAMON_URL", "https://bigpanda.cern.ch" if server(env).endswith(".cern.ch") else ""
    )
    return given.rstrip("/") if re.match(r"https?://[^\s<>\"']+$", given) else ""


def identity(env: Mapping[str, str] = os.environ) -> Identity:
    """Return who the user is by what lies on this machine; nobody is asked."""
    if env.get("PANDA_AUTH") == "oidc":
        return _token(env)
    if env.get("PANDA_AUTH") == "x509_no_grid":
        name = env.get("PANDA_NICKNAME")
        return Identity(
            name=name,
            vo=_vo(env),
            source="PANDA_NICKNAME",
            problem=None if name else "PANDA_NICKNAME is not set.",
        )
    return _proxy(env)


def _vo(env: Mapping[str, str]) -> str | None:
    return env.get("PANDA_AUTH_VO") or env.get("OIDC_AUTH_VO")


# tokens ---------------------------------------------------------------------------------


def _token(env: Mapping[str, str]) -> Identity:
    vo = _vo(env)
    if vo is None:
        return Identity(
            "token",
            problem="PANDA_AUTH is oidc, and neither PANDA_AUTH_VO nor OIDC_AUTH_VO names your VO.",
        )
    source, text, renewable = _find_token(env)
    if text is None:
        return Identity(
            "token",
            vo=vo,
            source=source,
            problem=f"There is no PanDA token in {source}: {RENEW['token']}.",
        )
    if text != text.strip():
        return Identity(
            "token",
            vo=vo,
            source=source,
            problem=f"The token in {source} ends with a newline: write it without.",
        )
    claims = _claims(text)
    if claims is None:
        return Identity(
            "token",
            vo=vo,
            source=source,
            problem=f"What {source} holds is no token: {RENEW['token']}.",
        )
    ends = claims.get("exp")
    expires = float(ends) if isinstance(ends, (int, float)) and not renewable else None
    return Identity("token", bounded(claims.get("preferred_username"), 80), vo, expires, source)


def _find_token(env: Mapping[str, str]) -> tuple[str, str | None, bool]:
    """Return where the token is looked for, the token, and whether panda-client can renew it."""
    if "PANDA_AUTH_ID_TOKEN" in env:
        return "PANDA_AUTH_ID_TOKEN", env["PANDA_AUTH_ID_TOKEN"] or None, False
    if "OIDC_AUTH_TOKEN_FILE" in env:
        return env["OIDC_AUTH_TOKEN_FILE"], _read(Path(env["OIDC_AUTH_TOKEN_FILE"])), False
    if "OIDC_AUTH_ID_TOKEN" in env:
        return "OIDC_AUTH_ID_TOKEN", env["OIDC_AUTH_ID_TOKEN"] or None, False
    path = Path(env.get("PANDA_CONFIG_ROOT", FOLDER)).expanduser() / ".token"
    try:
        body = json.loads(_read(path) or "")
        return str(path), str(body["id_token"]), bool(body.get("refresh_token"))
    except (ValueError, KeyError, TypeError):
        return str(path), None, False


def _read(path: Path) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read(TOKEN_BYTES)
    except (OSError, ValueError):
        return None


def _claims(token: str) -> dict[str, Any] | None:
    try:
        middle = token.split(".")[1]
        body = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (ValueError, IndexError):
        return None
    return body if isinstance(body, dict) else None


# proxies --------------------------------------------------------------------------------


def _proxy(env: Mapping[str, str]) -> Identity:
    path = Path(env.get("X509_USER_PROXY") or f"/tmp/x509up_u{os.getuid()}")
    if not os.access(path, os.R_OK):
        return Identity(
            vo=_vo(env),
            source=str(path),
            problem=f"There is no grid proxy {path}: {RENEW['proxy']}.",
        )
    said = _openssl(path)
    name = re.search(r"subject\s*=\s*(.*)", said)
    ends = re.search(r"notAfter\s*=\s*(.*)", said)
    return Identity(
        "proxy",
        bounded(name[1], 120) if name else None,
        _vo(env),
        _date(ends[1]) if ends else None,
        str(path),
    )


def _openssl(path: Path) -> str:
    try:
        command = ["openssl", "x509", "-noout", "-subject", "-enddate", "-in", str(path)]
        return subprocess.run(
            command, capture_output=True, text=True, timeout=10, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return ""


def _date(text: str) -> float | None:
    """Seconds since the epoch of `Nov 25 10:00:00 2026 GMT`."""
    try:
        month, day, clock, year, _ = text.split()
        return parsedate_to_datetime(f"{day} {month} {year} {clock} +0000").timestamp()
    except (ValueError, TypeError):
        return None
