"""The collector of a facility: one process, one port, and members who were invited."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from tornado.netutil import bind_sockets
from tornado.web import Application

from jupyter_gridgpu.collector.connections import BoundedServer, allowed_connections
from jupyter_gridgpu.collector.handler import BODY_S, COLLECTOR, ROUTE, CollectHandler, Collector
from jupyter_gridgpu.collector.members import InvitedMembers
from jupyter_gridgpu.collector.spool import CollectorLimits
from jupyter_gridgpu.errors import StorageError, UsageError
from jupyter_gridgpu.store.access import why
from jupyter_gridgpu.transport.signing import BATCH_BYTES

IDLE_S = 30.0  # a connection that sends no request is closed after so long
LOG = "collector.log"
LOG_BYTES = 1024 * 1024  # of the log, and as many of the one before it
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
    try:
        _log_into(folder)
    except OSError as error:
        reason = why(error, folder)
        raise StorageError(f"Nothing can be kept in {folder}: {reason}.") from None
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


def _log_into(folder: Path) -> None:
    """Have warnings and errors written into a bounded log beside what the collector keeps."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handler = RotatingFileHandler(folder / LOG, maxBytes=LOG_BYTES, backupCount=1, delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.getLogger().addHandler(handler)
    # A line that a full disk does not take would be told of on stderr, at greater length.
    logging.raiseExceptions = False


def _log_nothing(handler: Any) -> None:
    """Log no request: a flood of requests must not fill the log."""


async def _run(
    application: Application,
    sockets: list[socket.socket],
    tls: ssl.SSLContext | None,
    started: Callable[[int], None],
) -> None:
    server = BoundedServer(
        application,
        ssl_options=tls,
        max_body_size=BATCH_BYTES,
        max_header_size=HEADER_BYTES,
        body_timeout=BODY_S,
        idle_connection_timeout=IDLE_S,
        xheaders=False,
        connections=allowed_connections(),
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
        raise StorageError(f"{certificate} cannot be used: {why(error, certificate)}.") from None
    return context
