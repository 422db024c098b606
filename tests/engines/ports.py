"""TCP ports for servers that the tests start."""

from __future__ import annotations

import contextlib
import socket


def free_port() -> int:
    """Return a port of this machine that nobody listens on now."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Return so many ports, all different, that nobody listens on now."""
    with contextlib.ExitStack() as stack:
        # All are open at the same time, since a port that was given back may be given out again.
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
