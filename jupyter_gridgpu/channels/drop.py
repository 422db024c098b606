"""Metrics through a storage that both sides reach, over WebDAV or anything else that takes PUT and GET of whole files.

    <url>/<scan id>-<word>/v0017.2.jsonl    a line that says which copy wrote it, and that copy's metrics file
    <url>/<scan id>-<word>/v0017.2.ipynb    its notebook, once it has ended

The word is made of a secret, so that jobs of one scan cannot name the files of another.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from jupyter_gridgpu.channels.fetching import FetchingChannel
from jupyter_gridgpu.errors import Unreachable, UsageError
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths
from jupyter_gridgpu.transport import http, key_files
from jupyter_gridgpu.transport.signing import derive

NOTEBOOK_BYTES = 64 * 1024 * 1024
NONE: Mapping[str, str] = {}
PIECES = 100  # of one file in one round


@dataclass(frozen=True)
class Credential:
    """`Bearer TOKEN`, `USER:PASSWORD`, `?name=value` for the address, or nothing."""

    text: str

    def headers(self) -> dict[str, str]:
        if not self.text or self.text.startswith("?"):
            return {}
        if self.text.startswith("Bearer "):
            return {"Authorization": self.text}
        return {"Authorization": f"Basic {base64.b64encode(self.text.encode()).decode()}"}

    def query(self) -> str:
        return self.text if self.text.startswith("?") else ""


class Storage:
    """The user's storage: where it is, and with what the runner and the jobs come there."""

    def __init__(self, body: dict[str, Any]) -> None:
        """Raises UsageError for what is none."""
        url, mine, jobs, secret = (
            body.get(name) or "" for name in ("url", "runner", "jobs", "secret")
        )
        texts = all(isinstance(text, str) for text in (url, mine, jobs, secret))
        if not texts or not url.startswith(("http://", "https://")) or len(secret) < 64:
            raise UsageError(f"{key_files.drop_file()} names no storage; run `gridgpu drop use`.")
        self.url, self._secret = url.rstrip("/"), bytes.fromhex(secret)
        self._mine, self._jobs = Credential(mine), Credential(jobs)

    def folder(self, scan_id: str) -> str:
        word = derive(self._secret, "drop", scan_id).hex()[:32]
        return f"{self.url}/{quote(f'{scan_id}-{word}', safe='')}"

    def sender(self, scan_id: str) -> dict[str, Any]:
        """What travels with the jobs of a scan."""
        url, query = self.folder(scan_id), self._jobs.query()
        return {"kind": "drop", "url": url, "query": query, "headers": self._jobs.headers()}

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] = NONE,
        limit: int = http.ANSWER_BYTES,
    ) -> http.HttpAnswer:
        """Ask the storage with the runner's credential. Raises Unreachable."""
        return http.ask(
            method,
            f"{url}{self._mine.query()}",
            None,
            {**self._mine.headers(), **headers},
            limit=limit,
        )


def storage() -> Storage | None:
    """Return the user's storage, if they use one. Raises UsageError, StorageError."""
    body = key_files.read(key_files.drop_file())
    return Storage(body) if body is not None else None


@dataclass(frozen=True)
class _Known:
    """How far a file was read: of which copy it is, how long its head, and its last whole line."""

    copy: CopyPaths
    head: int
    size: int
    last: bytes
    etag: str = ""


class DropChannel(FetchingChannel):
    """Asks for each job's file, and is given what is new of it where the storage knows ETag and Range."""

    every_s = 2.0
    slower_s = 5.0
    source = "The storage"

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        super().__init__(paths)
        self._scan_id = scan.id
        self._storage: Storage | None = None
        self._url = ""
        self._known: dict[str, _Known] = {}

    def fetch(self, keys: set[str], ended: set[str]) -> bool:
        store = self._storage or self._ready()
        came = False
        for key in sorted(keys):
            for _ in range(PIECES):
                if not self._piece(store, key):
                    break
                came = True
            if key in ended:
                self._notebook(store, key)
        return came

    def _ready(self) -> Storage:
        """Make the scan's folder, where the storage has folders."""
        store = storage()
        if store is None:
            raise UsageError("No storage is known any more; run `gridgpu drop use`.")
        self._url = store.folder(self._scan_id)
        answer = store.ask("MKCOL", f"{self._url}/")
        if answer.status in (401, 403):
            raise Unreachable(
                f"{http.host(self._url)} does not let you make a folder: it answers {answer.status}."
            )
        self._storage = store
        return store

    def _piece(self, store: Storage, key: str) -> bool:
        """Take what is new of a job's file; whether there was anything."""
        known = self._known.get(key)
        url = f"{self._url}/{key}.jsonl"
        if known is None:
            return self._whole(key, store.ask("GET", url))
        unless = {"If-None-Match": known.etag} if known.etag else {}
        answer = store.ask(
            "GET", url, {"Range": f"bytes={known.size - len(known.last)}-", **unless}
        )
        if answer.status == 206 and answer.body.startswith(known.last):
            return self._more(key, known, answer)
        if answer.status in (
            206,
            416,
        ):  # the file of another copy, or one that is just being written anew
            answer = store.ask("GET", url)
        return self._whole(key, answer)

    def _more(self, key: str, known: _Known, answer: http.HttpAnswer) -> bool:
        lines = _lines(answer.body[len(known.last) :])
        if lines:
            self.arrivals.add(known.copy, known.size - known.head, lines, _written(answer))
        last = _last(lines) or known.last
        self._known[key] = _Known(
            known.copy, known.head, known.size + len(lines), last, _etag(answer)
        )
        return bool(lines)

    def _whole(self, key: str, answer: http.HttpAnswer) -> bool:
        if answer.status in (304, 404):
            return False
        if answer.status != 200:
            raise Unreachable(f"{http.host(self._url)} answers {answer.status}.")
        lines = _lines(answer.body)
        head, _, rest = lines.partition(b"\n")
        copy = self.arrivals.copy(key, _copy_name(head))
        if copy is None or not rest:
            return False
        before = self.arrivals.size(copy)
        self.arrivals.add(copy, 0, rest, _written(answer))
        self._known[key] = _Known(copy, len(head) + 1, len(lines), _last(lines), _etag(answer))
        return self.arrivals.size(copy) > before

    def _notebook(self, store: Storage, key: str) -> None:
        """Bring the notebook of a job that has ended; a storage that has none says so."""
        known = self._known.get(key)
        if known is None or known.copy.notebook.exists():
            return
        answer = store.ask("GET", f"{self._url}/{key}.ipynb", limit=NOTEBOOK_BYTES + 1)
        if answer.status == 200 and len(answer.body) <= NOTEBOOK_BYTES:
            part = known.copy.notebook.with_suffix(".part")
            part.write_bytes(answer.body)
            os.replace(part, known.copy.notebook)


def _lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1]


def _last(lines: bytes) -> bytes:
    """The last of whole lines, with its newline."""
    return lines[lines.rfind(b"\n", 0, len(lines) - 1) + 1 :]


def _copy_name(head: bytes) -> str:
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(json.loads(head)["copy"])
    return ""


def _etag(answer: http.HttpAnswer) -> str:
    """The version that was read; none where it was not read to its end."""
    return "" if len(answer.body) >= http.ANSWER_BYTES else (answer.headers.get("ETag") or "")[:200]


def _written(answer: http.HttpAnswer) -> float:
    """When the file was written, by our clock: the storage says when, and what time it has now."""
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        written, now = (
            parsedate_to_datetime(answer.headers[name]) for name in ("Last-Modified", "Date")
        )
        return time.time() - max((now - written).total_seconds(), 0.0)
    return time.time()
