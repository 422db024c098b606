"""The collector of a facility: one process, one port, and members who were invited."""

from __future__ import annotations

import asyncio
import resource
import signal
import socket
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

IDLE_S = 30.0  # a connection that sends no request is closed after so long
HEADER_BYTES = 16 * 1024  # of one request; ours are below 1 kB


def serve(
    folder: Path,
    ip: str,
    port: int,
    tls: ssl.SSLContext | None,
    started: Callable[[int], None],
    limits: CollectorLimits,
) -> None:
    """Run a collector until SIGTERM or SIGINT.

    `folder` holds its secret and its scans. `started` is called with the port once it listens.
    Raises UsageError or StorageError.
    """
    members = InvitedMembers(folder)
    _allow_many_connections()
    # Makes the collector's secret now, so that a folder that cannot be written fails at once.
    members.secret("nobody")
    collector = Collector(members, lambda: folder / "scans", limits)
    settings: dict[str, Any] = {COLLECTOR: collector, "log_function": _log_nothing}
    # A reverse proxy may put any path before the route.
    application = Application([(f"/(?:.*/)?{ROUTE}", CollectHandler)], **settings)
    try:
        sockets = bind_sockets(port, ip)
    except OSError as error:
        raise UsageError(
            f"{ip}:{port} cannot be listened on: {error.strerror}. Choose another --port or --ip."
        ) from None
    asyncio.run(_run(application, sockets, tls, started))
    collector.close()


def _allow_many_connections() -> None:
    """Let this process hold as many files open as the system allows.

    A connection that sends nothing takes one of them for IDLE_S.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _log_nothing(handler: Any) -> None:
    """Log no request: a flood of requests must not fill the log."""


async def _run(
    application: Application,
    sockets: list[socket.socket],
    tls: ssl.SSLContext | None,
    started: Callable[[int], None],
) -> None:
    server = HTTPServer(
        application,
        ssl_options=tls,
        max_body_size=BATCH_BYTES,
        max_header_size=HEADER_BYTES,
        body_timeout=BODY_S,
        idle_connection_timeout=IDLE_S,
        xheaders=False,
    )
    server.add_sockets(sockets)
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # Not every event loop can handle signals; there the process just ends.
        with suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(number, ended.set)
    started(sockets[0].getsockname()[1])
    await ended.wait()
    server.stop()
    await server.close_all_connections()


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return the TLS context of a server, or None without a certificate.

    Raises UsageError or StorageError.
    """
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
