"""A collector over HTTP: forged requests, and senders that are late, slow or many."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_gridgpu.channels.push import Account
from jupyter_gridgpu.collector.arriving import SCAN_BODIES
from jupyter_gridgpu.collector.handler import LOGGED_ERRORS
from jupyter_gridgpu.transport import key_files
from jupyter_gridgpu.transport.frames import Frame, whole_frames
from jupyter_gridgpu.transport.signing import (
    ANNOUNCE,
    BATCH_BYTES,
    CLAIM,
    DIGEST,
    READ,
    REVOKE,
    SIGNATURE,
    WRITE,
    Claim,
    job_key,
    signed_headers,
)
from tests.engines.collectors import Collecting, collecting
from tests.kit import eventually
from tests.unit.server.kit import Server, serving

JOB, COPY = "v0001.1", "ab12"
LINES = b"".join(b'{"t":%d,"s":%d,"m":{"loss":%d}}\n' % (step, step, step) for step in range(1, 6))


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    with collecting(tmp_path_factory.mktemp("collector")) as made:
        yield made


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """The Jupyter server of a user, with the extension."""
    with serving(tmp_path / "server", "/user/me/") as made:
        yield made


class Job:
    """A job of a scan, and its runner."""

    def __init__(self, collector: Collecting, scan: str, user: str = "alice") -> None:
        self.collector, self.scan = collector, scan
        self.account: Account = collector.account(user)
        self.user, self.key = user, bytes.fromhex(self.account.sender(scan)["key"])

    def announce(self, *jobs: str) -> Job:
        assert (
            self.account.ask(self.scan, ANNOUNCE, " ".join(jobs or (JOB,)).encode()).status == 200
        )
        return self

    def headers(self, body: bytes, offset: int = 0, **changes: Any) -> dict[str, str]:
        claim = {
            "action": WRITE,
            "user": self.user,
            "job": JOB,
            "copy": COPY,
            "at": offset,
            **changes,
        }
        return signed_headers(self.key, self.scan, Claim(**claim).text(), body)

    def push(
        self, body: bytes, offset: int = 0, headers: dict[str, str] | None = None, **changes: Any
    ) -> tuple[int, Any]:
        return self.ask("POST", body, headers or self.headers(body, offset, **changes))

    def ask(self, method: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.collector.port, timeout=20)
        try:
            connection.request(method, f"/gridgpu/collect/{self.scan}", body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def kept(self) -> dict[tuple[str, str], bytes]:
        """Return what a runner would get, put together: the metrics file of each copy."""
        files: dict[tuple[str, str], bytes] = {}
        for frame, body, _ in whole_frames(self.account.ask(self.scan, READ).body):
            if frame.job:
                have = files.get((frame.job, frame.copy), b"")
                assert frame.offset == len(have)
                files[frame.job, frame.copy] = have + body
        return files


def test_what_a_job_pushes_its_runner_gets(collector: Collecting) -> None:
    job = Job(collector, "plain").announce()
    assert job.push(LINES) == (200, {"next": len(LINES)})
    assert job.kept() == {(JOB, COPY): LINES}


def test_batches_that_come_twice_late_or_overlap_are_kept_once(collector: Collecting) -> None:
    job = Job(collector, "twice").announce()
    first, second = LINES[: len(LINES) // 5], LINES[len(LINES) // 5 :]
    assert job.push(second, len(first)) == (
        409,
        {"message": "What comes before that is not here.", "next": 0},
    )
    for body, offset in ((first, 0), (first, 0), (LINES, 0), (second, len(first)), (first, 0)):
        status, _ = job.push(body, offset)
        assert status == 200
    assert job.kept() == {(JOB, COPY): LINES}


def test_a_request_that_is_replayed_changes_nothing(collector: Collecting) -> None:
    job = Job(collector, "replayed").announce()
    headers = job.headers(LINES)
    assert [job.push(LINES, headers=headers)[0] for _ in range(5)] == [200] * 5
    assert job.kept() == {(JOB, COPY): LINES}
    other = Job(collector, "replayed-elsewhere").announce()
    assert other.push(LINES, headers=headers)[0] == 403
    assert other.kept() == {}


def forgeries(job: Job) -> dict[str, tuple[str, bytes, dict[str, str]]]:
    good = job.headers(LINES)
    stranger = signed_headers(b"x" * 32, job.scan, good[CLAIM], LINES)
    claim = good[CLAIM]
    return {
        "no signature": ("POST", LINES, {}),
        "another key": ("POST", LINES, stranger),
        "another body": ("POST", LINES + b"{}\n", good),
        "another job": ("POST", LINES, {**good, CLAIM: claim.replace(JOB, "v0002.1")}),
        "another copy": ("POST", LINES, {**good, CLAIM: claim.replace(COPY, "cd34")}),
        "another offset": ("POST", LINES, {**good, CLAIM: claim.replace(f"{COPY} 0", f"{COPY} 1")}),
        "another user": ("POST", LINES, {**good, CLAIM: claim.replace("alice", "bob")}),
        "nobody": (
            "POST",
            LINES,
            signed_headers(job.key, job.scan, "v1 write ../../etc v0001.1 ab12 0 0.000", LINES),
        ),
        "a path": (
            "POST",
            LINES,
            signed_headers(job.key, job.scan, "v1 write alice ../x ab12 0 0.000", LINES),
        ),
        "a number": (
            "POST",
            LINES,
            signed_headers(job.key, job.scan, "v1 write alice v0001.1 ab12 -1 nan", LINES),
        ),
        "not hexadecimal": ("POST", LINES, {**good, SIGNATURE: "ü" * 64}),
        "another digest": ("POST", LINES, {**good, DIGEST: "0" * 64}),
        "another method": ("PUT", LINES, good),
        "a job that reads": (
            "GET",
            b"",
            signed_headers(job.key, job.scan, Claim(READ, "alice").text()),
        ),
        "a job that announces": (
            "PUT",
            b"v0002.1",
            signed_headers(job.key, job.scan, Claim(ANNOUNCE, "alice").text(), b"v0002.1"),
        ),
        "a job that revokes": (
            "DELETE",
            b"",
            signed_headers(job.key, job.scan, Claim(REVOKE, "alice").text()),
        ),
        "a word too many": (
            "POST",
            LINES,
            signed_headers(job.key, job.scan, f"{claim} more", LINES),
        ),
    }


FORGERIES = (
    "no signature",
    "another key",
    "another body",
    "another job",
    "another copy",
    "another offset",
    "another user",
    "nobody",
    "a path",
    "a number",
    "not hexadecimal",
    "another digest",
    "another method",
    "a job that reads",
    "a job that announces",
    "a job that revokes",
    "a word too many",
)


@pytest.mark.parametrize("kind", FORGERIES)
def test_what_is_forged_is_refused_and_tells_nothing(collector: Collecting, kind: str) -> None:
    job = Job(collector, "forged").announce()
    method, body, headers = forgeries(job)[kind]
    headers = {name: value.encode().decode("latin-1") for name, value in headers.items()}
    status, answer = job.ask(method, body, headers)
    assert (status, set(answer)) == (403, {"message"})
    assert job.kept() == {}


def test_keys_of_a_scan_are_of_no_use_for_another(collector: Collecting) -> None:
    one, other = Job(collector, "mine").announce(), Job(collector, "yours").announce()
    other.key = one.key
    assert other.push(LINES)[0] == 403
    secret = bytes.fromhex(collector.member()["secret"])
    assert job_key(secret, "mine") == one.key != job_key(secret, "yours")


def test_two_users_with_a_scan_of_one_name_do_not_meet(collector: Collecting) -> None:
    alice, bob = Job(collector, "same").announce(), Job(collector, "same", "bob").announce()
    alice.push(LINES)
    assert bob.kept() == {}
    # These are no whole lines, and alice signed them.
    assert bob.push(LINES[:-1], headers=alice.headers(LINES[:-1]))[0] == 400


def test_a_job_that_nobody_announced_is_not_known(collector: Collecting) -> None:
    job = Job(collector, "unknown")
    assert job.push(LINES)[0] == 404
    job.announce("v0009.1")
    assert job.push(LINES)[0] == 404
    job.announce()
    assert job.push(LINES)[0] == 200


def test_a_revoked_scan_takes_nothing_more_and_stays_so(collector: Collecting) -> None:
    job = Job(collector, "revoked").announce()
    job.push(LINES)
    assert job.account.ask("revoked", REVOKE).status == 200
    job.announce("v0001.1", "v0002.1")
    assert job.push(LINES, len(LINES))[0] == 410
    collector.end()
    collector.start()
    assert job.push(LINES, len(LINES))[0] == 410
    assert job.kept() == {(JOB, COPY): LINES}


def test_an_expelled_member_is_nobody(collector: Collecting) -> None:
    from jupyter_gridgpu.collector.members import InvitedMembers

    job = Job(collector, "expelled", "mallory").announce()
    InvitedMembers(collector.store).expel("mallory")
    assert job.push(LINES)[0] == 403


def test_what_is_too_large_is_refused_before_it_is_read(collector: Collecting) -> None:
    job = Job(collector, "large").announce()
    body = b"x" * BATCH_BYTES + b"\n"
    with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as connection:
        head = {**job.headers(body), "Content-Length": str(len(body)), "Host": "x"}
        connection.sendall(b"POST /gridgpu/collect/large HTTP/1.1\r\n" + _head(head))
        assert b" 413 " in connection.recv(1000).partition(b"\r\n")[0] + b" "


def test_a_body_of_unknown_length_is_refused(collector: Collecting) -> None:
    job = Job(collector, "chunked").announce()
    with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as connection:
        head = {**job.headers(LINES), "Transfer-Encoding": "chunked", "Host": "x"}
        connection.sendall(b"POST /gridgpu/collect/chunked HTTP/1.1\r\n" + _head(head))
        assert b" 413 " in connection.recv(1000).partition(b"\r\n")[0] + b" "


def slowly(job: Job, count: int, body: bytes = LINES, **changes: Any) -> list[socket.socket]:
    """Open connections that send the head of a write and the beginning of its body."""
    head = {**job.headers(body, **changes), "Content-Length": str(len(body)), "Host": "x"}
    start = f"POST /gridgpu/collect/{job.scan} HTTP/1.1\r\n".encode() + _head(head) + body[:10]
    made = []
    for _ in range(count):
        made.append(socket.create_connection(("127.0.0.1", job.collector.port), timeout=20))
        made[-1].sendall(start)
    return made


@pytest.mark.parametrize("whose", ["of another job", "of another scan", "of another member"])
def test_520_slow_bodies_of_one_job_keep_no_other_push_from_being_taken(
    collector: Collecting, whose: str
) -> None:
    scan = "slow-" + whose.rpartition(" ")[2]
    job = Job(collector, scan).announce(JOB, "v0002.1")
    other = {
        "of another job": job,
        "of another scan": Job(collector, f"{scan}-other").announce("v0002.1"),
        "of another member": Job(collector, scan, "bob").announce("v0002.1"),
    }[whose]
    slow = slowly(job, 520)
    try:
        assert other.push(LINES, job="v0002.1") == (200, {"next": len(LINES)})
        # The runner is heard, too, and so is the job itself.
        assert job.push(LINES) == (200, {"next": len(LINES)})
        assert job.kept()[JOB, COPY] == LINES
        # Most of the slow ones have lost their connection, with no answer.
        eventually(
            lambda: sum(map(is_closed, slow)) >= 520 - SCAN_BODIES, what="slow ones are dropped"
        )
    finally:
        for connection in slow:
            connection.close()


def is_closed(connection: socket.socket) -> bool:
    """Return whether the other side has closed a connection without an answer."""
    connection.setblocking(False)
    try:
        return connection.recv(1000) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_the_body_of_a_revoked_key_is_not_waited_for(collector: Collecting) -> None:
    job = Job(collector, "revoked-early").announce()
    assert job.account.ask(job.scan, REVOKE).status == 200
    cases: list[tuple[bytes, dict[str, Any]]] = [(b" 410 ", {}), (b" 404 ", {"job": "v0009.1"})]
    for refused, words in cases:
        # Not a byte of the body comes, or only its beginning.
        head = {**job.headers(LINES, **words), "Content-Length": str(len(LINES)), "Host": "x"}
        with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as connection:
            start = f"POST /gridgpu/collect/{job.scan} HTTP/1.1\r\n".encode()
            connection.sendall(start + _head(head))
            assert refused in connection.recv(1000).partition(b"\r\n")[0]
            # The connection is not held for long either.
            while connection.recv(1000):
                pass
    # Who sends a large body gets the answer, although nobody wants it.
    large = LINES * (BATCH_BYTES // len(LINES))
    assert job.push(large) == (410, {"message": "Nothing more is taken for this scan."})


def test_a_head_that_never_ends_is_cut_off(collector: Collecting) -> None:
    with socket.create_connection(("127.0.0.1", collector.port), timeout=20) as connection:
        connection.sendall(b"POST /gridgpu/collect/x HTTP/1.1\r\n" + b"X: y\r\n" * 4000)
        assert connection.recv(1000)[:12] in (b"", b"HTTP/1.1 400")


def test_what_is_logged_is_bounded(tmp_path: Path) -> None:
    with collecting(tmp_path) as made:
        job = Job(made, "errors").announce()
        (made.store / "scans" / "alice").chmod(0o700)
        for path in made.store.glob("scans/alice/*"):
            path.unlink()
        (made.store / "scans" / "alice" / "errors.frames").mkdir()
        for number in range(60):
            assert job.push(LINES, copy=f"c{number}")[0] == 500
        for _ in range(200):
            with socket.create_connection(("127.0.0.1", made.port), timeout=20) as connection:
                connection.sendall(b"\x16\x03\x01 no HTTP\r\n\r\n")
                connection.recv(100)
        log = made.store / "collector.log"
        assert 0 < log.read_text().count("Traceback") <= LOGGED_ERRORS + 1
        assert log.stat().st_mode & 0o077 == 0


def _head(headers: dict[str, str]) -> bytes:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode() + b"\r\n"


def test_who_is_slow_or_forges_in_masses_keeps_nobody_from_pushing(collector: Collecting) -> None:
    job = Job(collector, "crowd").announce()
    head = {**job.headers(LINES), "Content-Length": str(len(LINES)), "Host": "x"}
    slow = [socket.create_connection(("127.0.0.1", collector.port), timeout=20) for _ in range(100)]
    for connection in slow:
        connection.sendall(b"POST /gridgpu/collect/crowd HTTP/1.1\r\n" + _head(head) + LINES[:10])
    stop, refused = threading.Event(), []

    def flood() -> None:
        forged = signed_headers(b"x" * 32, "crowd", job.headers(LINES)[CLAIM], LINES)
        while not stop.is_set():
            refused.append(job.push(LINES, headers=forged)[0])

    floods = [threading.Thread(target=flood) for _ in range(4)]
    for thread in floods:
        thread.start()
    try:
        for step in range(20):
            assert job.push(LINES, step * len(LINES)) == (200, {"next": (step + 1) * len(LINES)})
    finally:
        stop.set()
        for thread in floods:
            thread.join()
        for connection in slow:
            connection.close()
    assert set(refused) == {403}
    assert job.kept() == {(JOB, COPY): LINES * 20}


def test_a_job_that_floods_is_slowed_down_and_the_others_are_not(collector: Collecting) -> None:
    job = Job(collector, "flood").announce(JOB, "v0002.1")
    answers = (job.push(LINES) for _ in range(5000))
    assert next(answers)[0] == 200
    refused = next(answer for answer in answers if answer[0] != 200)
    assert refused == (429, {"message": "That is faster than is taken here."})
    assert job.push(LINES, job="v0002.1")[0] == 200


def test_a_collector_that_was_killed_goes_on_where_it_was(collector: Collecting) -> None:
    job = Job(collector, "killed").announce()
    job.push(LINES)
    collector.end(hard=True)
    (path,) = collector.store.glob("scans/alice/killed.frames")
    with open(path, "ab") as file:  # what a crash left half
        file.write(Frame(1000, JOB, COPY, len(LINES), 1.0).head() + b"half")
    collector.start()
    assert job.kept() == {(JOB, COPY): LINES}
    assert job.push(LINES, len(LINES)) == (200, {"next": 2 * len(LINES)})
    assert job.kept() == {(JOB, COPY): LINES * 2}


def test_nothing_that_it_keeps_can_be_read_by_others(collector: Collecting) -> None:
    Job(collector, "private").announce().push(LINES)
    modes = {path: path.stat().st_mode & 0o077 for path in collector.store.rglob("*")}
    assert set(modes.values()) == {0}


def test_ones_own_server_is_a_collector_for_oneself(server: Server) -> None:
    """At any base URL, without a login; and for nobody else."""
    path = server.folder / "config" / "gridgpu" / "collector.json"
    settings = {"url": server.url(""), "user": "me", "secret": "5a" * 32}
    key_files.write(path, settings)
    account = Account(settings)
    assert account.ask("scan", ANNOUNCE, b"v0001.1").status == 200
    claim = Claim(WRITE, "me", JOB, COPY).text()
    headers = signed_headers(bytes.fromhex(account.sender("scan")["key"]), "scan", claim, LINES)
    assert server.ask("POST", "gridgpu/collect/scan", LINES, None, headers).body == {
        "next": len(LINES)
    }
    assert [
        body for frame, body, _ in whole_frames(account.ask("scan", READ).body) if frame.job
    ] == [LINES]
    other = signed_headers(job_key(b"x" * 32, "scan"), "scan", claim, LINES)
    assert server.ask("POST", "gridgpu/collect/scan", LINES, None, other).status == 403
    key_files.write(path, {**settings, "secret": "5b" * 32})  # a new secret counts at once
    assert server.ask("POST", "gridgpu/collect/scan", LINES, None, headers).status == 403
