"""The channel `push`: jobs push their metrics to a collector, and the runner fetches them there.

One request brings what is new of all jobs of a scan.
"""

from __future__ import annotations

import math
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jupyter_gridgpu.channels.fetching import FetchingChannel
from jupyter_gridgpu.errors import Unreachable, UsageError
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths, read_json, write_json
from jupyter_gridgpu.transport import http, key_files
from jupyter_gridgpu.transport.frames import Frame, whole_frames
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
    parse_secret,
    runner_key,
    signed_headers,
)

ROUTE = "gridgpu/collect"
ANNOUNCED = 8000  # keys of jobs in one request; these stay below BATCH_BYTES
READS_A_ROUND = 200  # requests in one round at most, so that a round ends


class Account:
    """The user's account at a collector.

    It has the address of the collector, the user's name there, and the secret from which keys are
    made.
    """

    def __init__(self, body: dict[str, Any]) -> None:
        """Take the account from `body`, the user's collector.json. Raises UsageError."""
        url, user = body.get("url"), body.get("user")
        if not _is_address(url) or not isinstance(user, str):
            raise UsageError(
                f"{key_files.collector_file()} names no collector; run `gridgpu collector use`."
            )
        secret = parse_secret(body.get("secret"))
        if not USER.fullmatch(user) or secret is None:
            raise UsageError(
                f"{key_files.collector_file()} holds no sound secret; run `gridgpu collector use`."
            )
        self._secret = secret
        self.url = f"{str(url).rstrip('/')}/{ROUTE}"
        self.user = user

    def sender(self, scan_id: str) -> dict[str, str]:
        """Return the content of a scan's sender file, which travels with its jobs.

        The file holds a key that can only write for this scan, and not the user's secret.
        """
        key = job_key(self._secret, scan_id).hex()
        return {"kind": "push", "url": self.url, "scan": scan_id, "user": self.user, "key": key}

    def ask(self, scan_id: str, action: str, body: bytes = b"", cursor: int = 0) -> http.HttpAnswer:
        """Send a signed request for a scan to the collector, and return the answer.

        `action` is ANNOUNCE, READ or REVOKE; `cursor` is for READ. The status of the answer is 200
        or 404. Raises Unreachable where there is no answer, and for any other status.
        """
        claim = Claim(action, self.user, at=cursor).text()
        headers = signed_headers(runner_key(self._secret, scan_id), scan_id, claim, body)
        url = f"{self.url}/{quote(scan_id, safe='')}"
        answer = http.request(METHODS[action], url, body or None, headers)
        # 404 is no trouble: the collector does not know the scan yet, or has forgotten it.
        if answer.status not in (200, 404):
            raise Unreachable(_refusal(http.host(self.url), answer.status))
        return answer


def load_account() -> Account | None:
    """Return the user's account, or None if they use no collector.

    Raises UsageError or StorageError.
    """
    body = key_files.read(key_files.collector_file())
    return Account(body) if body is not None else None


class PushChannel(FetchingChannel):
    """Reads the collector's file of the scan from a cursor on.

    The cursor is kept in the scan's folder, so that a new runner goes on from it.
    """

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        super().__init__(paths)
        self._scan_id = scan.id
        self._announced: set[str] = set()
        self._cursor_file = paths.arrived / "collector.json"
        self._store, self._cursor = _read_cursor(self._cursor_file)

    def fetch(self, keys: set[str], ended: set[str]) -> bool:
        """Announce new jobs, and bring what all jobs of the scan pushed."""
        # The settings are read in each round, since the user may change secret or collector.
        account = load_account()
        if account is None:
            raise UsageError("No collector is known any more; run `gridgpu collector use`.")
        self._announce(account, keys - self._announced)
        came = False
        for _ in range(READS_A_ROUND):
            if not self._fetch_piece(account):
                break
            came = True
        return came

    def _announce(self, account: Account, new: set[str]) -> None:
        """Tell the collector that jobs exist; it takes metrics of no other job."""
        keys = sorted(new)
        for start in range(0, len(keys), ANNOUNCED):
            some = keys[start : start + ANNOUNCED]
            body = " ".join(some).encode()
            assert len(body) <= BATCH_BYTES
            if account.ask(self._scan_id, ANNOUNCE, body).status == 200:
                self._announced |= set(some)

    def _fetch_piece(self, account: Account) -> bool:
        """Fetch one piece of the collector's file, and return whether there was one."""
        answer = account.ask(self._scan_id, READ, cursor=self._cursor)
        store = (answer.headers.get(STORE) or "")[:64]
        # The collector has another store, or it forgot the scan. The jobs send everything again,
        # so the file is read from its beginning.
        if answer.status == 404 or store != self._store:
            self._store, self._cursor, self._announced = store, 0, set()
            self._announce(account, self._keys)
            return True
        # Times in frames are by the collector's clock; the difference makes them times by ours.
        now = time.time()
        skew_s = now - _finite(answer.headers.get(NOW), now)
        end_of_last = 0
        # The last frame may be cut off. The next answer begins with it, since the cursor stays.
        for frame, body, end in whole_frames(answer.body):
            if frame.job in self._announced or frame.job in self._keys:
                self._take(frame, body, frame.time + skew_s)
            end_of_last = end
        self._cursor += end_of_last
        if end_of_last:
            self._save_cursor()
        return end_of_last > 0

    def _take(self, frame: Frame, body: bytes, at: float) -> None:
        copy = self.arrivals.copy(frame.job, frame.copy)
        if copy is not None:
            self.arrivals.add(copy, frame.offset, body, at)

    def _save_cursor(self) -> None:
        # If this fails, the next runner reads the file from an earlier byte, which does no harm.
        with suppress(OSError):
            self._cursor_file.parent.mkdir(exist_ok=True, mode=0o700)
            write_json(self._cursor_file, {"store": self._store, "cursor": self._cursor})


def revoke(scan_id: str) -> None:
    """Have the collector take nothing more for a scan, for good.

    Raises UsageError, StorageError or Unreachable.
    """
    account = load_account()
    if account is None:
        raise UsageError("You use no collector.")
    account.ask(scan_id, REVOKE)


def _is_address(url: Any) -> bool:
    return isinstance(url, str) and url.startswith(("http://", "https://"))


def _refusal(host: str, status: int) -> str:
    reason = ""
    if status == 403:
        reason = ": it does not know your secret; run `gridgpu collector use`"
    return f"{host} answers {status}{reason}."


def _read_cursor(path: Path) -> tuple[str, int]:
    """Return the id of the store that was read last, and the number of bytes read of its file."""
    body = read_json(path, 10_000)
    if not isinstance(body, dict):
        return "", 0
    store, cursor = body.get("store"), body.get("cursor")
    if not isinstance(store, str) or type(cursor) is not int or cursor < 0:
        return "", 0
    return store, cursor


def _finite(text: str | None, default: float) -> float:
    """Return the finite number that a header holds, else `default`."""
    try:
        found = float(text or default)
    except ValueError:
        return default
    return found if math.isfinite(found) else default
