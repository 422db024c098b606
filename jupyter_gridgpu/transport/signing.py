"""Signed requests to a collector: what a job may send and a runner may ask, each with a key made for one scan.

    X-GridGpu: v1 write USER JOB COPY OFFSET AGE     a job: these bytes of its metrics file, from OFFSET on
    X-GridGpu: v1 announce USER                      a runner: these jobs exist
    X-GridGpu: v1 read USER CURSOR                   a runner: what came since
    X-GridGpu: v1 revoke USER                        the user: take nothing more for this scan
    X-GridGpu-Digest: SHA-256 of the body
    X-GridGpu-Signature: HMAC-SHA-256 of scan, claim and digest

The key of a job can do the first, and nothing else. A request that is sent again changes nothing: a write says where its
bytes belong, so no clock has to be right.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from jupyter_gridgpu.store.paths import COPY_NAME

CLAIM, DIGEST, SIGNATURE = "X-GridGpu", "X-GridGpu-Digest", "X-GridGpu-Signature"
STORE, NOW = "X-GridGpu-Store", "X-GridGpu-Now"
VERSION = "v1"
WRITE, ANNOUNCE, READ, REVOKE = "write", "announce", "read", "revoke"
METHODS = {WRITE: "POST", ANNOUNCE: "PUT", READ: "GET", REVOKE: "DELETE"}
BATCH_BYTES = 256 * 1024  # of one request
USER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
SCAN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
JOB = re.compile(r"v\d{4,7}\.\d{1,4}")
_WHOLE = re.compile(r"\d{1,12}")
_AGE = re.compile(r"\d{1,9}(\.\d{1,3})?")


@dataclass(frozen=True)
class Claim:
    """What a request says of itself, before anybody believes it."""

    action: str
    user: str
    job: str = ""
    copy: str = ""
    at: int = 0  # a write: the offset of its first byte; a read: the cursor
    age_s: float = 0.0  # of the newest reading when it was sent

    def text(self) -> str:
        more = {
            WRITE: f" {self.job} {self.copy} {self.at} {max(self.age_s, 0.0):.3f}",
            READ: f" {self.at}",
        }
        return f"{VERSION} {self.action} {self.user}{more.get(self.action, '')}"


def parse_claim(text: str) -> Claim | None:
    """Return the claim of a header, or None if it is none."""
    version, _, rest = text[:400].partition(" ")
    words = rest.split(" ")
    if version != VERSION or len(words) < 2 or not USER.fullmatch(words[1]):
        return None
    if words[0] == WRITE and len(words) == 6 and _sound(*words[2:]):
        return Claim(WRITE, words[1], words[2], words[3], int(words[4]), float(words[5]))
    if words[0] == READ and len(words) == 3 and _WHOLE.fullmatch(words[2]):
        return Claim(READ, words[1], at=int(words[2]))
    return Claim(words[0], words[1]) if words[0] in (ANNOUNCE, REVOKE) and len(words) == 2 else None


def _sound(job: str, copy: str, offset: str, age: str) -> bool:
    return bool(
        JOB.fullmatch(job)
        and COPY_NAME.fullmatch(copy)
        and _WHOLE.fullmatch(offset)
        and _AGE.fullmatch(age)
    )


def derive(secret: bytes, *words: str) -> bytes:
    """Return a key for one purpose, from which nothing can be learnt of the secret or of another key."""
    return hmac.new(secret, "\n".join(("gridgpu", *words)).encode(), hashlib.sha256).digest()


def job_key(secret: bytes, scan: str) -> bytes:
    """The key that travels with the jobs of a scan: it can write."""
    return derive(secret, "jobs", scan)


def runner_key(secret: bytes, scan: str) -> bytes:
    """The key that never leaves the user: announce, read, revoke."""
    return derive(secret, "runner", scan)


def signed(key: bytes, scan: str, claim: str, body: bytes = b"") -> dict[str, str]:
    """Return the headers of a request; its method follows from the claim."""
    digest = hashlib.sha256(body).hexdigest()
    return {CLAIM: claim, DIGEST: digest, SIGNATURE: _sign(key, scan, claim, digest)}


def genuine(key: bytes, scan: str, claim: str, digest: str, signature: str) -> bool:
    """Whether headers were signed with a key: known before a byte of the body is read, which must then have the digest."""
    return hmac.compare_digest(
        _sign(key, scan, claim, digest).encode(), signature.encode("utf-8", "replace")
    )


def _sign(key: bytes, scan: str, claim: str, digest: str) -> str:
    return hmac.new(
        key, f"{scan}\n{claim}\n{digest}".encode("utf-8", "replace"), hashlib.sha256
    ).hexdigest()
