"""The collector alone, for a facility: one process, one port, members who were invited."""

from __future__ import annotations

import asyncio
import resource
import signal
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application

from jupyter_gridgpu.collector.handler import BODY_S, COLLECTOR, ROUTE, CollectHandler, Collector
from jupyter_gridgpu.collector.members import InvitedMembers
from jupyter_gridgpu.collector.spool import CollectorLimits
from jupyter_gridgpu.errors import StorageError, UsageError
from jupyter_gridgpu.transport.signing import BATCH_BYTES

IDLE_S = 30.0  # for a request to begin
HEADER_BYTES = 16 * 1024


def serve(
    folder: Path,
    ip: str,
    port: int,
    tls: ssl.SSLContext | None,
    started: Callable[[int], None],
    limits: CollectorLimits,
) -> None:
    """Take readings until SIGTERM or SIGINT; `started` hears the port. Raises UsageError, StorageError."""
    members = InvitedMembers(folder)
    _many_connections()
    members.secret("nobody")  # the secret is made now, or it is said that it cannot be
    intake = Collector(members, lambda: folder / "scans", limits)
    settings: dict[str, Any] = {COLLECTOR: intake, "log_function": _quiet}
    application = Application([(f"/(?:.*/)?{ROUTE}", CollectHandler)], **settings)
    asyncio.run(_run(application, intake, ip, port, tls, started))


def _many_connections() -> None:
    """Let this process hold as many open as it may: whoever opens some and says nothing holds them for IDLE_S."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _quiet(handler: Any) -> None:
    """Whoever floods a collector does not fill its log."""


async def _run(
    application: Application,
    intake: Collector,
    ip: str,
    port: int,
    tls: ssl.SSLContext | None,
    started: Callable[[int], None],
) -> None:
    server = HTTPServer(
        application, ssl_options=tls, max_body_size=BATCH_BYTES, max_header_size=HEADER_BYTES, body_timeout=BODY_S,
        idle_connection_timeout=IDLE_S, xheaders=False,
    )  # fmt: skip
    try:
        sockets = bind_sockets(port, ip)
    except OSError as error:
        raise UsageError(
            f"{ip}:{port} cannot be listened on: {error.strerror}. Choose another --port or --ip."
        ) from None
    server.add_sockets(sockets)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
    started(sockets[0].getsockname()[1])
    await ended.wait()
    server.stop()
    await server.close_all_connections()
    intake.close()


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return how to serve over TLS; None without a certificate. Raises UsageError or StorageError."""
    if certificate is None:
        if key is not None:
            raise UsageError("--key is given and no --certificate.")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise StorageError(f"{certificate} cannot be used: {error.strerror or error}.") from None
    return context
