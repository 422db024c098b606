"""Signed requests to a collector: what a job may send, and what a runner may ask.

A request carries three headers:

    X-GridGpu: v1 write USER JOB COPY OFFSET AGE     a job: bytes of its metrics file from OFFSET
                                                     on, whose newest reading is AGE seconds old
    X-GridGpu: v1 announce USER                      a runner: these jobs exist
    X-GridGpu: v1 read USER CURSOR                   a runner: what came after byte CURSOR
    X-GridGpu: v1 revoke USER                        the user: take nothing more for this scan
    X-GridGpu-Digest: SHA-256 of the body
    X-GridGpu-Signature: HMAC-SHA-256 of scan, claim and digest

The first header is the claim. The key of a job can sign `write` and nothing else. A request that
somebody sends again changes nothing, since a write says where its bytes belong. So requests need no
time stamp, and no clock has to be right.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Any

from jupyter_gridgpu.store.paths import COPY_NAME

CLAIM, DIGEST, SIGNATURE = "X-GridGpu", "X-GridGpu-Digest", "X-GridGpu-Signature"
STORE, NOW = "X-GridGpu-Store", "X-GridGpu-Now"  # headers of an answer: the store's id, its time
VERSION = "v1"
WRITE, ANNOUNCE, READ, REVOKE = "write", "announce", "read", "revoke"
METHODS = {WRITE: "POST", ANNOUNCE: "PUT", READ: "GET", REVOKE: "DELETE"}
BATCH_BYTES = 256 * 1024  # of the body of one request
CLAIM_LIMIT = 400  # characters of a claim; a longer one is cut, which makes it unsound
SECRET_BYTES = 32  # the least that a secret has
# Names become names of files and folders in the collector's store, so none can be a path.
USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
SCAN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
JOB = re.compile(r"v\d{4,7}\.\d{1,4}", re.ASCII)
_BYTES = re.compile(r"\d{1,12}", re.ASCII)
_AGE = re.compile(r"\d{1,9}(\.\d{1,3})?", re.ASCII)


@dataclass(frozen=True)
class Claim:
    """The first header of a request: what the sender asks for, not yet checked.

    A claim counts only if the signature of the request is genuine.
    """

    action: str  # WRITE, ANNOUNCE, READ or REVOKE
    user: str
    job: str = ""
    copy: str = ""
    at: int = 0  # a write: the offset of its first byte; a read: the cursor
    age_s: float = 0.0  # of the newest reading when it was sent

    def text(self) -> str:
        """Return the claim as a header holds it."""
        head = f"{VERSION} {self.action} {self.user}"
        if self.action == WRITE:
            return f"{head} {self.job} {self.copy} {self.at} {max(self.age_s, 0.0):.3f}"
        if self.action == READ:
            return f"{head} {self.at}"
        return head


def parse_claim(text: str) -> Claim | None:
    """Return the claim that a header holds, or None if the header is unsound."""
    version, *fields = text[:CLAIM_LIMIT].split(" ")
    if version != VERSION or len(fields) < 2 or not USER.fullmatch(fields[1]):
        return None
    action, user, *details = fields
    # Each form is matched in full, so that nothing unknown hides behind a sound part.
    if action == WRITE and len(details) == 4 and _is_sound_write(*details):
        job, copy, offset, age = details
        return Claim(WRITE, user, job, copy, int(offset), float(age))
    if action == READ and len(details) == 1 and _BYTES.fullmatch(details[0]):
        return Claim(READ, user, at=int(details[0]))
    if action in (ANNOUNCE, REVOKE) and not details:
        return Claim(action, user)
    return None


def _is_sound_write(job: str, copy: str, offset: str, age: str) -> bool:
    return bool(
        JOB.fullmatch(job)
        and COPY_NAME.fullmatch(copy)
        and _BYTES.fullmatch(offset)
        and _AGE.fullmatch(age)
    )


def parse_secret(text: Any) -> bytes | None:
    """Return a secret from its hexadecimal digits; None for anything else, or too few digits."""
    try:
        secret = bytes.fromhex(text)
    except (TypeError, ValueError):
        return None
    if len(secret) < SECRET_BYTES:
        return None
    return secret


def derive_key(secret: bytes, *purpose: str) -> bytes:
    """Return a key for one purpose; nobody can compute the secret or another key from it."""
    message = "\n".join(("gridgpu", *purpose)).encode()
    return hmac.new(secret, message, hashlib.sha256).digest()


def job_key(secret: bytes, scan: str) -> bytes:
    """Return the key that travels with the jobs of a scan: it can sign `write` alone."""
    return derive_key(secret, "jobs", scan)


def runner_key(secret: bytes, scan: str) -> bytes:
    """Return the key that stays with the user: it can sign `announce`, `read` and `revoke`."""
    return derive_key(secret, "runner", scan)


def signed_headers(key: bytes, scan: str, claim: str, body: bytes = b"") -> dict[str, str]:
    """Return the headers of a signed request; its method follows from the claim."""
    digest = hashlib.sha256(body).hexdigest()
    return {CLAIM: claim, DIGEST: digest, SIGNATURE: _signature(key, scan, claim, digest)}


def is_genuine(key: bytes, scan: str, claim: str, digest: str, signature: str) -> bool:
    """Return whether headers were signed with a key.

    The body is not needed, so a forged request is refused before its body is read. Code that reads
    the body must still check that the body has this digest.
    """
    expected = _signature(key, scan, claim, digest).encode()
    # compare_digest() takes the same time for every text, so that nobody learns from the time how
    # much of a forged signature is right.
    return hmac.compare_digest(expected, signature.encode("utf-8", "replace"))


def _signature(key: bytes, scan: str, claim: str, digest: str) -> str:
    message = f"{scan}\n{claim}\n{digest}".encode("utf-8", "replace")
    return hmac.new(key, message, hashlib.sha256).hexdigest()
