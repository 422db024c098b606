"""The channel `drop`: jobs put files into a storage, and the runner fetches them there.

The storage may speak WebDAV, or anything else that takes PUT and GET of whole files:

    <url>/<scan id>-<word>/v0017.2.jsonl    a line that says which copy wrote it, and that copy's
                                            metrics file
    <url>/<scan id>-<word>/v0017.2.ipynb    the executed notebook, once the job has ended

The word is made from a secret, so that jobs of one scan cannot name the files of another.
"""

from __future__ import annotations

import base64
import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote

from jupyter_gridgpu.channels.fetching import FetchingChannel
from jupyter_gridgpu.errors import Unreachable, UsageError
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths, write_atomic
from jupyter_gridgpu.transport import http, key_files
from jupyter_gridgpu.transport.signing import derive_key, parse_secret

NOTEBOOK_BYTES = 64 * 1024 * 1024
NO_HEADERS: Mapping[str, str] = {}
PIECES_A_ROUND = 100  # of one job's file; then the other jobs have their turn


@dataclass(frozen=True)
class Credential:
    """What a storage asks for: `Bearer TOKEN`, `USER:PASSWORD`, `?name=value`, or nothing.

    The form with `?` is added to the address.
    """

    text: str

    def headers(self) -> dict[str, str]:
        """Return the headers that carry the credential."""
        if not self.text or self.text.startswith("?"):
            return {}
        if self.text.startswith("Bearer "):
            return {"Authorization": self.text}
        return {"Authorization": f"Basic {base64.b64encode(self.text.encode()).decode()}"}

    def query(self) -> str:
        """Return what is added to an address, with its question mark, or an empty text."""
        return self.text if self.text.startswith("?") else ""


class Storage:
    """The user's storage: its address, and the credentials of the runner and of the jobs."""

    def __init__(self, body: dict[str, Any]) -> None:
        """Take the storage from `body`, the user's drop.json. Raises UsageError."""
        url, secret = body.get("url") or "", parse_secret(body.get("secret"))
        runners, jobs = body.get("runner") or "", body.get("jobs") or ""
        are_texts = all(isinstance(text, str) for text in (url, runners, jobs))
        if not are_texts or not url.startswith(("http://", "https://")) or secret is None:
            raise UsageError(f"{key_files.drop_file()} names no storage; run `gridgpu drop use`.")
        self.url = url.rstrip("/")
        self._secret = secret
        self._runners_credential = Credential(runners)
        self._jobs_credential = Credential(jobs)

    def folder(self, scan_id: str) -> str:
        """Return the address of a scan's folder, which only those who know the secret can name."""
        word = derive_key(self._secret, "drop", scan_id).hex()[:32]
        return f"{self.url}/{quote(f'{scan_id}-{word}', safe='')}"

    def sender(self, scan_id: str) -> dict[str, Any]:
        """Return the content of a scan's sender file, which travels with its jobs."""
        credential = self._jobs_credential
        return {
            "kind": "drop",
            "url": self.folder(scan_id),
            "query": credential.query(),
            "headers": credential.headers(),
        }

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] = NO_HEADERS,
        limit: int = http.ANSWER_BYTES,
    ) -> http.HttpAnswer:
        """Ask the storage with the runner's credential. Raises Unreachable."""
        credential = self._runners_credential
        full_url = f"{url}{credential.query()}"
        all_headers = {**credential.headers(), **headers}
        return http.request(method, full_url, None, all_headers, limit=limit)


def load_storage() -> Storage | None:
    """Return the user's storage, or None if they use none. Raises UsageError or StorageError."""
    body = key_files.read(key_files.drop_file())
    return Storage(body) if body is not None else None


@dataclass(frozen=True)
class _Fetched:
    """How far the file of a job was fetched."""

    copy: CopyPaths
    head: int  # bytes of the first line, which names the copy
    size: int  # bytes that were fetched, with the first line
    last_line: bytes
    etag: str = ""  # the storage's name for the version of the file


class DropChannel(FetchingChannel):
    """Asks the storage for each job's file.

    Where the storage knows ETag and Range, only what is new of a file is transferred.
    """

    every_s = 2.0
    slower_s = 5.0
    source = "The storage"

    def __init__(self, scan: ScanSpec, paths: ScanPaths) -> None:
        super().__init__(paths)
        self._scan_id = scan.id
        self._storage: Storage | None = None
        self._url = ""  # of the scan's folder
        self._fetched: dict[str, _Fetched] = {}

    def fetch(self, keys: set[str], ended: set[str]) -> bool:
        """Bring what is new of each job's file, and the notebooks of jobs that have ended."""
        storage = self._storage or self._open_storage()
        came = False
        for key in sorted(keys):
            for _ in range(PIECES_A_ROUND):
                if not self._fetch_piece(storage, key):
                    break
                came = True
            if key in ended:
                self._fetch_notebook(storage, key)
        return came

    def _open_storage(self) -> Storage:
        """Return the storage, with a folder for the scan. Raises UsageError or Unreachable."""
        storage = load_storage()
        if storage is None:
            raise UsageError("No storage is known any more; run `gridgpu drop use`.")
        self._url = storage.folder(self._scan_id)
        # A storage without folders refuses MKCOL, and so does one that has the folder already.
        # Neither is a problem; a wrong credential is.
        answer = storage.ask("MKCOL", f"{self._url}/")
        if answer.status in (401, 403):
            raise Unreachable(
                f"{http.host(self._url)} does not let you make a folder:"
                f" it answers {answer.status}."
            )
        self._storage = storage
        return storage

    def _fetch_piece(self, storage: Storage, key: str) -> bool:
        """Fetch what is new of a job's file, and return whether there was anything."""
        fetched = self._fetched.get(key)
        url = f"{self._url}/{key}.jsonl"
        if fetched is None:
            return self._take_whole(key, storage.ask("GET", url))
        # The request asks again for the last line that we have. If the answer begins with this
        # line, the file has grown; if not, another copy has written it anew.
        headers = {"Range": f"bytes={fetched.size - len(fetched.last_line)}-"}
        if fetched.etag:
            headers["If-None-Match"] = fetched.etag
        answer = storage.ask("GET", url, headers)
        if answer.status == 206 and answer.body.startswith(fetched.last_line):
            return self._take_more(key, fetched, answer)
        # Another copy's file, or one that is just being written anew and is shorter for now.
        if answer.status in (206, 416):
            answer = storage.ask("GET", url)
        return self._take_whole(key, answer)

    def _take_more(self, key: str, fetched: _Fetched, answer: http.HttpAnswer) -> bool:
        """Append the lines that follow those we have, and return whether there were any."""
        lines = _whole_lines(answer.body[len(fetched.last_line) :])
        if lines:
            offset = fetched.size - fetched.head
            self.arrivals.add(fetched.copy, offset, lines, _written_at(answer))
        self._fetched[key] = _Fetched(
            copy=fetched.copy,
            head=fetched.head,
            size=fetched.size + len(lines),
            last_line=_last_line(lines) or fetched.last_line,
            etag=_etag(answer),
        )
        return bool(lines)

    def _take_whole(self, key: str, answer: http.HttpAnswer) -> bool:
        """Take a file from its beginning, and return whether anything in it is new.

        Raises Unreachable if the answer is a refusal.
        """
        # 304: nothing changed. 404: the job has dropped nothing yet.
        if answer.status in (304, 404):
            return False
        if answer.status != 200:
            raise Unreachable(f"{http.host(self._url)} answers {answer.status}.")
        lines = _whole_lines(answer.body)
        head, _, metrics = lines.partition(b"\n")
        copy = self.arrivals.copy(key, _copy_name(head))
        if copy is None or not metrics:
            return False
        before = self.arrivals.size(copy)
        self.arrivals.add(copy, 0, metrics, _written_at(answer))
        self._fetched[key] = _Fetched(
            copy=copy,
            head=len(head) + 1,
            size=len(lines),
            last_line=_last_line(lines),
            etag=_etag(answer),
        )
        return self.arrivals.size(copy) > before

    def _fetch_notebook(self, storage: Storage, key: str) -> None:
        """Bring the notebook of a job that has ended, if the job dropped one."""
        fetched = self._fetched.get(key)
        if fetched is None or fetched.copy.notebook.exists():
            return
        # One byte more than is taken, so that a notebook that is too large is known as such.
        answer = storage.ask("GET", f"{self._url}/{key}.ipynb", limit=NOTEBOOK_BYTES + 1)
        if answer.status == 200 and len(answer.body) <= NOTEBOOK_BYTES:
            write_atomic(fetched.copy.notebook, answer.body)


def _whole_lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1]


def _last_line(lines: bytes) -> bytes:
    """Return the last of whole lines, with its newline."""
    return lines[lines.rfind(b"\n", 0, len(lines) - 1) + 1 :]


def _copy_name(head: bytes) -> str:
    """Return the name of the copy that a file's first line tells, or an empty text."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return str(parse_json(head)["copy"])
    return ""


def _etag(answer: http.HttpAnswer) -> str:
    """Return the ETag of a file that was read to its end, or an empty text if it was cut.

    With the ETag of a file that was cut, the storage would answer that nothing is new although a
    part was never read.
    """
    if len(answer.body) >= http.ANSWER_BYTES:
        return ""
    return (answer.headers.get("ETag") or "")[:200]


def _written_at(answer: http.HttpAnswer) -> float:
    """Return when the file was written, in seconds since 1970 by our clock.

    The storage tells when the file was written and what time it is now. Only the difference is
    used, so the clock of the storage need not agree with ours.
    """
    now = time.time()
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        written = parsedate_to_datetime(answer.headers["Last-Modified"])
        answered = parsedate_to_datetime(answer.headers["Date"])
        return now - max((answered - written).total_seconds(), 0.0)
    return now
