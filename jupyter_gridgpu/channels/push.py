"""Metrics through a collector: jobs push them there, the runner fetches them, all of a scan in one request."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from jupyter_gridgpu.channels.fetching import FetchingChannel
from jupyter_gridgpu.errors import Unreachable, UsageError
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths, read_json, write_json
from jupyter_gridgpu.transport import http, key_files
from jupyter_gridgpu.transport.frames import Frame, frames
from jupyter_gridgpu.transport.signing import (
    ANNOUNCE,
    BATCH_BYTES,
    METHODS,
    NOW,
    READ,
    REVOKE,
    STORE,
    USER,
    Claim,
    job_key,
    runner_key,
    signed,
)

ROUTE = "gridgpu/collect"
ANNOUNCED = 8000  # jobs of one request
ROUNDS = 200  # requests in a row, before others have their turn


class Account:
    """What a user has at a collector: its address, who they are there, and the secret that keys are made of."""

    def __init__(self, body: dict[str, Any]) -> None:
        """Raises UsageError for what is none."""
        url, user, secret = body.get("url"), body.get("user"), body.get("secret")
        if not (
            isinstance(url, str)
            and url.startswith(("http://", "https://"))
            and isinstance(user, str)
        ):
            raise UsageError(
                f"{key_files.collector_file()} names no collector; run `gridgpu collector use`."
            )
        try:
            self._secret = bytes.fromhex(secret or "")
        except (TypeError, ValueError):
            self._secret = b""
        if not USER.fullmatch(user) or len(self._secret) < 32:
            raise UsageError(
                f"{key_files.collector_file()} holds no sound secret; run `gridgpu collector use`."
            )
        self.url, self.user = f"{url.rstrip('/')}/{ROUTE}", user

    def sender(self, scan_id: str) -> dict[str, str]:
        """What travels with the jobs of a scan: it opens nothing but the way in, for that scan."""
        key = job_key(self._secret, scan_id).hex()
        return {"kind": "push", "url": self.url, "scan": scan_id, "user": self.user, "key": key}

    def ask(self, scan_id: str, action: str, body: bytes = b"", cursor: int = 0) -> http.HttpAnswer:
        """Ask the collector something for a scan. Raises Unreachable, also for what it refuses."""
        headers = signed(
            runner_key(self._secret, scan_id),
            scan_id,
            Claim(action, self.user, at=cursor).text(),
            body,
        )
        url = f"{self.url}/{quote(scan_id, safe='')}"
        answer = http.ask(METHODS[action], url, body or None, headers)
        if answer.status not in (200, 404):
            raise Unreachable(
                f"{http.host(self.url)} answers {answer.status}{_words(answer.status)}."
            )
        return answer


def account() -> Account | None:
    """Return the user's collector, if they use one. Raises UsageError, StorageError."""
    body = key_files.read(key_files.collector_file())
    return Account(body) if body is not None else None


class PushChannel(FetchingChannel):
    """Keeps a cursor in the collector's file of the scan; both survive the runner."""

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        super().__init__(paths)
        self._scan_id = scan.id
        self._announced: set[str] = set()
        self._state = paths.arrived / "collector.json"
        self._store, self._cursor = _state(self._state)

    def fetch(self, keys: set[str], ended: set[str]) -> bool:
        user = (
            account()
        )  # read anew each time: the user may have another secret, or another collector, by now
        if user is None:
            raise UsageError("No collector is known any more; run `gridgpu collector use`.")
        self._announce(user, keys - self._announced)
        came = False
        for _ in range(ROUNDS):
            if not self._piece(user):
                break
            came = True
        return came

    def _announce(self, user: Account, new: set[str]) -> None:
        names = sorted(new)
        for at in range(0, len(names), ANNOUNCED):
            some = names[at : at + ANNOUNCED]
            body = " ".join(some).encode()
            assert len(body) <= BATCH_BYTES
            if user.ask(self._scan_id, ANNOUNCE, body).status == 200:
                self._announced |= set(some)

    def _piece(self, user: Account) -> bool:
        """Fetch one piece of the scan's file; whether there was one."""
        answer = user.ask(self._scan_id, READ, cursor=self._cursor)
        store = (answer.headers.get(STORE) or "")[:64]
        if (
            answer.status == 404 or store != self._store
        ):  # another store, or one that forgot: from its beginning
            self._store, self._cursor, self._announced = store, 0, set()
            self._announce(user, self._keys)
            return True
        skew = time.time() - _number(answer.headers.get(NOW), time.time())
        moved = 0
        for frame, body, end in frames(answer.body):
            if frame.job in self._announced or frame.job in self._keys:
                self._take(frame, body, frame.time + skew)
            moved = end
        self._cursor += moved
        if moved:
            self.keep()
        return moved > 0

    def _take(self, frame: Frame, body: bytes, at: float) -> None:
        copy = self.arrivals.copy(frame.job, frame.copy)
        if copy is not None:
            self.arrivals.add(copy, frame.offset, body, at)

    def keep(self) -> None:
        """Remember how far it was read; one that cannot is read again, which does no harm."""
        with suppress(OSError):
            self._state.parent.mkdir(exist_ok=True, mode=0o700)
            write_json(self._state, {"store": self._store, "cursor": self._cursor})


def revoke(scan_id: str) -> None:
    """Have nothing more taken for a scan. Raises UsageError, StorageError, Unreachable."""
    user = account()
    if user is None:
        raise UsageError("You use no collector.")
    user.ask(scan_id, REVOKE)


def _state(path: Any) -> tuple[str, int]:
    body = read_json(path, 10_000)
    store, cursor = (body.get("store"), body.get("cursor")) if isinstance(body, dict) else ("", 0)
    if not isinstance(store, str) or not isinstance(cursor, int) or cursor < 0:
        return "", 0
    return store, cursor


def _number(text: str | None, default: float) -> float:
    try:
        found = float(text or default)
    except ValueError:
        return default
    return found if math.isfinite(found) else default


def _words(status: int) -> str:
    return ": it does not know your secret; run `gridgpu collector use`" if status == 403 else ""
