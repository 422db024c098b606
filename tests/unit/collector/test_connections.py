"""The connections of a facility's collector, and the bodies that arrive, are bounded."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

import pytest
from tornado.netutil import bind_sockets
from tornado.web import Application

from jupyter_gridgpu.collector import arriving
from jupyter_gridgpu.collector.arriving import ArrivingBodies, groups
from jupyter_gridgpu.collector.connections import BoundedServer
from jupyter_gridgpu.transport.signing import ANNOUNCE, WRITE, Claim
from tests.kit import run_async

IDLE = 60.0


class FakeSender:
    """A request that only knows whether it was dropped."""

    dropped = False

    def drop(self) -> None:
        self.dropped = True


def arrive(bodies: ArrivingBodies, count: int, user: str, scan: str, job: str) -> list[FakeSender]:
    made = [FakeSender() for _ in range(count)]
    for sender in made:
        bodies.begin(sender, groups(Claim(WRITE, user, job), scan))
    return made


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no body count as young."""
    monkeypatch.setattr(arriving, "YOUNG_S", 0.0)


@pytest.mark.usefixtures("old")
def test_each_group_gives_way_within_itself() -> None:
    bodies = ArrivingBodies()
    honest = arrive(bodies, 1, "bob", "scan", "v0001.1")
    first = arrive(bodies, 1, "alice", "other", "v0001.1")
    same_job = arrive(bodies, 50, "alice", "scan", "v0001.1")
    assert [sender.dropped for sender in same_job] == [True] * 46 + [False] * 4
    jobs = [arrive(bodies, 4, "alice", "scan", f"v{number:04d}.1") for number in range(2, 50)]
    assert sum(not sender.dropped for job in jobs for sender in job) == arriving.SCAN_BODIES
    scans = [arrive(bodies, 4, "alice", f"s{n}", f"v{j:04d}.1") for n in range(9) for j in range(9)]
    assert not honest[0].dropped
    assert first[0].dropped
    assert sum(not sender.dropped for scan in scans for sender in scan) == arriving.MEMBER_BODIES
    # Requests of runners have room of their own.
    runner = FakeSender()
    bodies.begin(runner, groups(Claim(ANNOUNCE, "alice"), "scan"))
    for number in range(100):
        arrive(bodies, 4, f"user{number}", "scan", "v0001.1")
    assert len(bodies) == arriving.WRITE_BODIES + 1
    assert not runner.dropped


def test_a_young_body_is_not_dropped_for_its_own_job() -> None:
    bodies = ArrivingBodies()
    many = arrive(bodies, 20, "alice", "scan", "v0001.1")
    assert not any(sender.dropped for sender in many)
    for sender in many:
        bodies.end(sender)
        bodies.end(sender)
    assert len(bodies) == 0
    assert not bodies._senders


def test_connections_are_bounded_in_all_and_of_one_address() -> None:
    run_async(_connect())


async def _connect() -> None:
    server = BoundedServer(Application([]), connections=8, idle_connection_timeout=IDLE)
    sockets = bind_sockets(0, "127.0.0.1", family=socket.AF_INET)
    server.add_sockets(sockets)
    port = sockets[0].getsockname()[1]

    async def connect(source: str) -> socket.socket | None:
        """Return a connection from an address once it is served, or None if it is closed."""
        made = socket.socket()
        made.setblocking(False)
        made.bind((source, 0))
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError):
            await loop.sock_connect(made, ("127.0.0.1", port))
            await loop.sock_sendall(made, b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
            if await asyncio.wait_for(loop.sock_recv(made, 1), 20):
                return made
        made.close()
        return None

    first = [await connect("127.0.0.2") for _ in range(4)]
    assert [made is not None for made in first] == [True, True, False, False]
    others = [await connect(f"127.0.0.{number}") for number in range(3, 11)]
    assert [made is not None for made in others] == [True] * 6 + [False] * 2
    # A connection that ends makes room for another one.
    held = [made for made in (*first, *others) if made is not None]
    held.pop(0).close()
    until = time.monotonic() + 20
    while (again := await connect("127.0.0.2")) is None:
        assert time.monotonic() < until
    for made in (*held, again):
        made.close()
    server.stop()
    await server.close_all_connections()
