"""The route on which jobs deliver metrics and their runner fetches them: gridgpu/collect/<scan>.

It is the one route that no login opens: every request is signed, see store/signing.py. A signature is checked before a
byte of the body is read. No cookie counts here, so there is nothing that another site could borrow.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from jupyter_server.auth.decorator import allow_unauthenticated
from tornado import web

from jupyter_gridgpu.collector.members import Members
from jupyter_gridgpu.collector.spool import CollectorLimits, Refused, Spool
from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.transport.signing import (
    BATCH_BYTES,
    CLAIM,
    DIGEST,
    JOB,
    METHODS,
    NOW,
    SCAN,
    SIGNATURE,
    STORE,
    WRITE,
    Claim,
    genuine,
    job_key,
    parse_claim,
    runner_key,
)

COLLECTOR = "gridgpu_intake"  # in the server's settings
ROUTE = r"gridgpu/collect/([^/]+)"
BODY_S = 20.0  # for a body to arrive
AT_ONCE = 500  # bodies on their way; each of BATCH_BYTES at most
READ_BYTES = 1024 * 1024

P = ParamSpec("P")
T = TypeVar("T")


class Collector:
    """Members and store of a collector; the store is touched in one thread of its own, which nobody else waits for."""

    def __init__(
        self, members: Members, folder: Callable[[], Path], limits: CollectorLimits | None = None
    ) -> None:
        """`folder` says where the store is now: a user may move the home of their scans."""
        self._members, self._folder, self._limits = members, folder, limits
        self._spool: Spool | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gridgpu-collect")
        self.bodies = 0

    @property
    def spool(self) -> Spool:
        """The store; only for its thread."""
        folder = self._folder()
        if self._spool is None or self._spool.folder != folder:
            if self._spool is not None:
                self._spool.close()
            self._spool = Spool(folder, self._limits)
        return self._spool

    async def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: work(*args, **kwargs)
        )

    def close(self) -> None:
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._spool is not None:
            self._spool.close()

    def check(self, method: str, scan: str, text: str, digest: str, signature: str) -> Claim:
        """Return the claim of a request whose signature is genuine. Raises Refused."""
        claim = parse_claim(text)
        secret = self._members.secret(claim.user) if claim and SCAN.fullmatch(scan) else None
        if claim is None or secret is None or METHODS[claim.action] != method:
            raise Refused(403, "This is signed by nobody who is known here.")
        key = job_key(secret, scan) if claim.action == WRITE else runner_key(secret, scan)
        if not genuine(key, scan, text, digest, signature):
            raise Refused(403, "This is signed by nobody who is known here.")
        return claim


@web.stream_request_body
class CollectHandler(web.RequestHandler):
    """One request of a job or a runner."""

    claim: Claim
    _arriving = False

    @property
    def intake(self) -> Collector:
        found: Collector = self.settings[COLLECTOR]
        return found

    def check_xsrf_cookie(self) -> None:
        """Signatures count here, and cookies do not."""

    def compute_etag(self) -> None:
        """Nothing here is asked for twice unchanged."""

    def set_default_headers(self) -> None:
        self.set_header("Content-Type", "application/json")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.clear_header("Server")

    def prepare(self) -> None:
        """Decide by the head whether the body is wanted at all."""
        headers, scan = self.request.headers, self.path_args[0]
        words = [headers.get(name, "") for name in (CLAIM, DIGEST, SIGNATURE)]
        try:
            self.claim = self.intake.check(self.request.method or "", scan, *words)
        except GridGpuError:
            raise Refused(503, "The collector cannot read its own settings.") from None
        length = headers.get("Content-Length", "0")
        if "Transfer-Encoding" in headers or not length.isdecimal() or int(length) > BATCH_BYTES:
            raise Refused(413, f"Send at most {BATCH_BYTES // 1024} kB at once, and say how many.")
        if self.intake.bodies >= AT_ONCE:
            raise Refused(503, "Too many send at once.", after_s=1)
        self._body: list[bytes] = []
        self._arriving = True
        self.intake.bodies += 1
        self.request.connection.set_body_timeout(BODY_S)  # type: ignore[union-attr]

    def data_received(self, chunk: bytes) -> None:
        self._body.append(chunk)

    def on_finish(self) -> None:
        self._left()

    def on_connection_close(self) -> None:
        self._left()

    def _left(self) -> None:
        if self._arriving:
            self._arriving = False
            self.intake.bodies -= 1

    def body(self) -> bytes:
        """Return the body, which must be the one that was signed. Raises Refused."""
        data = b"".join(self._body)
        if hashlib.sha256(data).hexdigest() != self.request.headers[DIGEST]:
            raise Refused(403, "The body is not the one that was signed.")
        return data

    # what is asked ----------------------------------------------------------------------

    @allow_unauthenticated
    async def post(self, scan: str) -> None:
        claim, body = self.claim, self.body()
        if body[-1:] != b"\n":
            raise Refused(400, "Send whole lines.")
        kept = await self.intake.call(
            lambda: self.intake.spool.write(
                claim.user, scan, claim.job, claim.copy, claim.at, claim.age_s, body
            )
        )
        self.finish({"next": kept})

    @allow_unauthenticated
    async def put(self, scan: str) -> None:
        jobs = set(self.body().decode("ascii", "replace").split())
        if not all(map(JOB.fullmatch, jobs)):
            raise Refused(400, "Name jobs like v0017.2, with blanks between them.")
        await self.intake.call(lambda: self.intake.spool.announce(self.claim.user, scan, jobs))
        self.finish({"jobs": len(jobs)})

    @allow_unauthenticated
    async def get(self, scan: str) -> None:
        data, store = await self.intake.call(
            lambda: (
                self.intake.spool.read(self.claim.user, scan, self.claim.at, READ_BYTES),
                self.intake.spool.ident(),
            )
        )
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header(STORE, store)
        self.set_header(NOW, f"{time.time():.3f}")
        self.finish(data)

    @allow_unauthenticated
    async def delete(self, scan: str) -> None:
        await self.intake.call(lambda: self.intake.spool.revoke(self.claim.user, scan))
        self.finish({"message": "Nothing more is taken for this scan."})

    # refusals -----------------------------------------------------------------------------

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        if not isinstance(value, Refused):
            super().log_exception(typ, value, tb)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        super().send_error(error.status if isinstance(error, Refused) else status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None))[1]
        body: dict[str, Any] = {"message": "The collector could not do that; its log says why."}
        if isinstance(error, Refused):
            body["message"] = error.message
            if error.next_offset is not None:
                body["next"] = error.next_offset
            if error.after_s:
                self.set_header("Retry-After", str(math.ceil(error.after_s)))
        elif isinstance(error, web.HTTPError):
            body["message"] = "That is not served here."
        self.finish(json.dumps(body))
