"""The route on which jobs deliver metrics and their runner fetches them: gridgpu/collect/<scan>.

It is the one route that needs no login: every request is signed, see transport/signing.py. Before a
byte of the body is read, the signature is checked, and whether the spool would take what the
request brings. Cookies do not count here, so another web site cannot make a browser send a valid
request.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from jupyter_server.auth.decorator import allow_unauthenticated
from tornado import web
from tornado.iostream import StreamClosedError

from jupyter_gridgpu.collector.arriving import ArrivingBodies, groups
from jupyter_gridgpu.collector.members import Members
from jupyter_gridgpu.collector.rate_limit import TokenBucket
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
    is_genuine,
    job_key,
    parse_claim,
    runner_key,
)

COLLECTOR = "gridgpu_metrics_collector"  # the key of the Collector in the web server's settings
ROUTE = r"gridgpu/collect/([^/]+)"
# A body must arrive within this time, so that slow connections do not pile up.
BODY_S = 20.0
# A sender who is refused may still be sending. The connection is closed after so long, and what
# comes until then goes nowhere: closed at once, the sender would often not get the answer.
LINGER_S = 2.0
# Errors that are logged: so many at once, and one in so many seconds in the long run.
LOGGED_ERRORS, LOGGED_EVERY_S = 20, 60.0
# Bytes of one answer to a runner. It asks again at once, and other requests get their turn.
READ_BYTES = 1024 * 1024
PIECE_BYTES = 64 * 1024
SIZE_DIGITS = 15  # of the size of a body, which is 64 kB at most

P = ParamSpec("P")
T = TypeVar("T")


class Collector:
    """The members and the spool of a collector.

    The spool waits for a disk, so one thread of its own uses it and the event loop never waits.
    """

    def __init__(
        self, members: Members, folder: Callable[[], Path], limits: CollectorLimits | None = None
    ) -> None:
        """Begin without a spool, which the first request opens.

        `folder` returns where the spool is now: a user may move the home of their scans.
        """
        self._members, self._folder, self._limits = members, folder, limits
        self._spool: Spool | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="gridgpu-collect")
        self.bodies = ArrivingBodies()
        self.errors = TokenBucket(1 / LOGGED_EVERY_S, LOGGED_ERRORS)

    def check(self, method: str, scan: str, text: str, digest: str, signature: str) -> Claim:
        """Return the claim of a request whose signature is genuine.

        `text`, `digest` and `signature` are the headers of the request. Raises Refused, or
        StorageError if the secrets cannot be read.
        """
        # The same refusal for every reason, so that nobody can find out which users exist.
        refusal = Refused(403, "This is signed by nobody who is known here.")
        claim = parse_claim(text)
        if claim is None or not SCAN.fullmatch(scan):
            raise refusal
        secret = self._members.secret(claim.user)
        if secret is None or METHODS[claim.action] != method:
            raise refusal
        key = job_key(secret, scan) if claim.action == WRITE else runner_key(secret, scan)
        if not is_genuine(key, scan, text, digest, signature):
            raise refusal
        return claim

    async def call(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, called in the thread of the spool."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: work(*args, **kwargs)
        )

    @property
    def spool(self) -> Spool:
        """The spool. Only its thread may use it."""
        folder = self._folder()
        if self._spool is None or self._spool.folder != folder:
            if self._spool is not None:
                self._spool.close()
            self._spool = Spool(folder, self._limits)
        return self._spool

    def close(self) -> None:
        """End the thread and close the files of the spool."""
        self._thread.shutdown(wait=True, cancel_futures=True)
        if self._spool is not None:
            self._spool.close()


@web.stream_request_body
class CollectHandler(web.RequestHandler):
    """One request of a job or a runner.

    Tornado calls `prepare` when it has the headers, `data_received` for each piece of the body,
    then the method that the request names.
    """

    claim: Claim

    @property
    def collector(self) -> Collector:
        """The collector of this server."""
        found: Collector = self.settings[COLLECTOR]
        return found

    # Before the body ----------------------------------------------------------------------

    def set_default_headers(self) -> None:
        """Set the headers of every answer, without the one that names the web server."""
        self.set_header("Content-Type", "application/json")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.clear_header("Server")

    def check_xsrf_cookie(self) -> None:
        """Accept requests without the cookie: signatures count here, and cookies do not."""

    def compute_etag(self) -> None:
        """Return None: no client asks for the same answer twice, so ETags are of no use."""

    async def prepare(self) -> None:
        """Decide by the headers whether the body is wanted. Raises Refused."""
        headers, scan = self.request.headers, self.path_args[0]
        signature = [headers.get(name, "") for name in (CLAIM, DIGEST, SIGNATURE)]
        try:
            self.claim = self.collector.check(self.request.method or "", scan, *signature)
        except GridGpuError:
            # The text of the error names a path of this machine, so the sender does not get it.
            raise Refused(503, "The collector cannot read its own settings.") from None
        # A chunked body tells no length, so it could not be refused before it is read.
        size = body_size(headers.get("Content-Length", "0"))
        if "Transfer-Encoding" in headers or size is None or size > BATCH_BYTES:
            raise Refused(413, f"Send at most {BATCH_BYTES // 1024} kB at once, and say how many.")
        self._pieces: list[bytes] = []
        self.collector.bodies.begin(self, groups(self.claim, scan))
        self.request.connection.set_body_timeout(BODY_S)  # type: ignore[union-attr]
        if self.claim.action == WRITE:
            await self._admit(scan, size)

    async def _admit(self, scan: str, size: int) -> None:
        """Answer at once if the spool would not take a body of so many bytes."""
        claim = self.claim
        try:
            await self.collector.call(
                lambda: self.collector.spool.admit(claim.user, scan, claim.job, claim.copy, size)
            )
        except Refused as refusal:
            self._release_body()
            body = json.dumps(self._told(refusal)).encode()
            self.set_status(refusal.status)
            self.set_header("Content-Length", len(body))
            self.set_header("Connection", "close")
            with suppress(StreamClosedError):
                self.write(body)
                await self.flush()
                await self._linger(size)
            self.finish()

    async def _linger(self, left: int) -> None:
        """Let the sender come to the end of a body, which nobody reads."""
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._discard(left), LINGER_S)

    async def _discard(self, left: int) -> None:
        """Throw away so many bytes. Raises StreamClosedError if the sender goes away."""
        stream = self.request.connection.stream  # type: ignore[union-attr]
        piece = bytearray(PIECE_BYTES)
        while left > 0:
            left -= await stream.read_into(piece, partial=True)

    def drop(self) -> None:
        """Close the connection, since others of its kind began later."""
        self.request.connection.stream.close()  # type: ignore[union-attr]

    # The body -----------------------------------------------------------------------------

    def data_received(self, chunk: bytes) -> None:
        """Keep a piece of the body."""
        self._pieces.append(chunk)

    def body(self) -> bytes:
        """Return the body, which must be the one that was signed. Raises Refused."""
        data = b"".join(self._pieces)
        if hashlib.sha256(data).hexdigest() != self.request.headers[DIGEST]:
            raise Refused(403, "The body is not the one that was signed.")
        return data

    # Requests -----------------------------------------------------------------------------

    @allow_unauthenticated
    async def post(self, scan: str) -> None:
        """Take lines of a job's metrics file; answer with the offset of the next lines."""
        claim, body = self.claim, self.body()
        # Half a line is refused, so that the runner only ever gets whole lines.
        if body[-1:] != b"\n":
            raise Refused(400, "Send whole lines.")
        next_offset = await self.collector.call(
            lambda: self.collector.spool.write(
                claim.user, scan, claim.job, claim.copy, claim.at, claim.age_s, body
            )
        )
        self.finish({"next": next_offset})

    @allow_unauthenticated
    async def put(self, scan: str) -> None:
        """Take the keys of jobs that exist."""
        jobs = set(self.body().decode("ascii", "replace").split())
        if not all(map(JOB.fullmatch, jobs)):
            raise Refused(400, "Name jobs like v0017.2, with blanks between them.")
        user = self.claim.user
        await self.collector.call(lambda: self.collector.spool.announce(user, scan, jobs))
        self.finish({"jobs": len(jobs)})

    @allow_unauthenticated
    async def get(self, scan: str) -> None:
        """Answer with the next bytes of a scan's file, the store's id, and the time."""
        claim = self.claim

        def read() -> tuple[bytes, str]:
            spool = self.collector.spool
            return spool.read(claim.user, scan, claim.at, READ_BYTES), spool.store_id()

        data, store = await self.collector.call(read)
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header(STORE, store)
        self.set_header(NOW, f"{time.time():.3f}")
        self.finish(data)

    @allow_unauthenticated
    async def delete(self, scan: str) -> None:
        """Take nothing more for a scan, for good."""
        user = self.claim.user
        await self.collector.call(lambda: self.collector.spool.revoke(user, scan))
        self.finish({"message": "Nothing more is taken for this scan."})

    # After the answer ---------------------------------------------------------------------

    def on_finish(self) -> None:
        """Make room for another body."""
        self._release_body()

    def on_connection_close(self) -> None:
        """Make room for another body if the sender goes away before its own is complete."""
        self._release_body()

    def _release_body(self) -> None:
        # Tornado may call both on_finish and on_connection_close for one request.
        self.collector.bodies.end(self)

    # Refusals -----------------------------------------------------------------------------

    def log_exception(self, typ: Any, value: Any, tb: Any) -> None:
        """Log some errors, but no refusals: a flood of requests must not fill the log."""
        if isinstance(value, Refused) or self.collector.errors.wait_s(1) > 0:
            return
        self.collector.errors.take(1)
        super().log_exception(typ, value, tb)

    def send_error(self, status_code: int = 500, **kwargs: Any) -> None:
        """Answer with the status of a refusal, where Tornado would say 500."""
        error = kwargs.get("exc_info", (None, None))[1]
        super().send_error(error.status if isinstance(error, Refused) else status_code, **kwargs)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with one sentence."""
        error = kwargs.get("exc_info", (None, None))[1]
        body: dict[str, Any] = {"message": "The collector could not do that; its log says why."}
        if isinstance(error, Refused):
            body = self._told(error)
        elif isinstance(error, web.HTTPError):
            body["message"] = "That is not served here."
        self.finish(json.dumps(body))

    def _told(self, refusal: Refused) -> dict[str, Any]:
        """Return the body of a refusal, which may tell the next offset; set when to try again."""
        if refusal.after_s:
            self.set_header("Retry-After", str(math.ceil(refusal.after_s)))
        if refusal.next_offset is not None:
            return {"message": refusal.message, "next": refusal.next_offset}
        return {"message": refusal.message}


def body_size(text: str) -> int | None:
    """Return the number of bytes that a header promises, or None if it promises no such number."""
    # Python refuses to read numbers of thousands of digits, with an error of its own.
    if not text.isascii() or not text.isdecimal() or len(text) > SIZE_DIGITS:
        return None
    return int(text)
