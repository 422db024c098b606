"""Tokens of users of the stand-in, and why a token is refused."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

USER = "labuser"
SIGNATURE = "lab"  # stands for a signature


def make_token(name: str = USER, ends_in: float = 3600.0, **claims: Any) -> str:
    """Return a token of the shape of real ones, valid for `ends_in` seconds. Nobody signed it."""
    body = {
        "preferred_username": name,
        "name": "Lab User",
        "groups": ["/wlcg"],
        "aud": "lab",
        "exp": time.time() + ends_in,
    }
    return f"{_encoded({'alg': 'none'})}.{_encoded({**body, **claims})}.{SIGNATURE}"


def refusal(authorization: str) -> str | None:
    """Return why a request is not let in, in the server's words; None if it is let in."""
    why = _flaw(authorization.removeprefix("Bearer "))
    if why is None:
        return None
    return f"ERROR : Token authentication failed. {why}"


def _flaw(token: str) -> str | None:
    parts = token.split(".")
    if len(parts) != 3:
        return "Invalid token. Not enough segments"
    if parts[2] != SIGNATURE:
        return "Invalid token. Signature verification failed"
    # base64 needs the padding that tokens go without.
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    if claims["exp"] < time.time():
        return "Invalid token. Signature has expired"
    if not claims.get("aud"):
        return "Invalid token. cannot extract client_id from token"
    if "/wlcg" not in claims["groups"]:
        return "Not a member of the wlcg group"
    return None


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
