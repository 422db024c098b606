"""The web server of a facility's collector, which bounds its connections.

Tornado bounds how long the head and the body of a request may take. A connection that sends nothing
is held until then, so there may be only so many of them, from one address and in all.
"""

from __future__ import annotations

import resource
from collections import Counter
from contextlib import suppress
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

CONNECTIONS = 4000  # at the same time, where the system lets a process have so many files
# Of these, a fourth may come from one address. A whole cluster may have one, and so has a proxy.
ADDRESS_SHARE = 4
OWN_FILES = 400  # that the collector itself may have open: those of scans, above all


class BoundedServer(HTTPServer):
    """Closes new connections at once where there are too many."""

    def initialize(self, *args: Any, connections: int = CONNECTIONS, **kwargs: Any) -> None:
        """Take the arguments of Tornado's server, and how many connections there may be."""
        super().initialize(*args, **kwargs)
        self._most = connections
        self._of_address: Counter[str] = Counter()

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve a new connection, or close it."""
        peer = str(address[0]) if address else ""
        total = self._of_address.total()
        if total >= self._most or self._of_address[peer] >= max(self._most // ADDRESS_SHARE, 1):
            stream.close()
            return
        self._of_address[peer] += 1
        super().handle_stream(stream, address)

    def on_close(self, server_conn: Any) -> None:
        """Make room for another connection."""
        super().on_close(server_conn)
        address = server_conn.context.address
        peer = str(address[0]) if address else ""
        self._of_address[peer] -= 1
        if self._of_address[peer] <= 0:
            del self._of_address[peer]


def allowed_connections() -> int:
    """Let this process hold as many files open as it may, and return how many may connect."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    held, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if held == resource.RLIM_INFINITY:
        return CONNECTIONS
    return min(CONNECTIONS, max(held - OWN_FILES, held // 2))
