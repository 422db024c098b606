"""A real Jupyter server with the extension, in a process of its own, and scans for its home.

The scans are written by hand; no runner drives them.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import websocket

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.paths import CopyPaths
from jupyter_gridgpu.testing.examples import Story, small_scan
from tests.kit import eventually

TOKEN = "a-token-for-tests"
WITHIN_S = 30.0


def ended_story(jobs: int = 1) -> Story:
    """The journal of a scan that has ended: accuracies 0.1, 0.2, ..."""
    story = Story()
    story.tell("runner.started")
    for number in range(1, jobs + 1):
        story.run(number, "done", acc=number / 10, lr=number / 100)
    story.tell("scan.finished", state="done")
    return story


def write_scan(
    folder: Path, name: str, story: Story | None = None, created: float = 1.0, **changes: Any
) -> ScanHandle:
    """Make a scan in the home `folder`, complete or not at all; `story` is its journal."""
    scan = replace(small_scan(**changes), name=name, id=f"id-{name}", created=created)
    with pytest.MonkeyPatch.context() as patch:
        aside = folder.with_name("in-the-making")
        patch.setenv("GRIDGPU_HOME", str(aside))
        folder.mkdir(exist_ok=True)
        aside.mkdir(exist_ok=True)
        for left in (aside / name, folder / name):  # by a first try of the same test
            shutil.rmtree(left, ignore_errors=True)
        made = home.create(scan, b"{}", {}, lambda target: None, None)
    (made / "journal.jsonl").write_bytes((story or ended_story()).text())
    return ScanHandle(made.rename(folder / name))


def write_copy(handle: ScanHandle, key: str = "v0001.1", name: str = "ab") -> CopyPaths:
    """Make the folder of a copy of a job."""
    copy = handle.paths.job(key).copy(name)
    copy.folder.mkdir(parents=True)
    return copy


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: Any

    @property
    def message(self) -> str:
        assert set(self.body) == {"message"}, self.body
        return str(self.body["message"])


@dataclass
class Server:
    folder: Path
    base_url: str = "/"
    options: tuple[str, ...] = ()  # further words of the command line
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    pages: list[Any] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "scans"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{self.base_url}{path}"

    def start(self) -> Server:
        self.folder.mkdir(exist_ok=True)
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = found.getsockname()[1]
        places = {
            f"JUPYTER_{name}_DIR": str(self.folder / name.lower())
            for name in ("CONFIG", "RUNTIME", "DATA")
        }
        command = [
            sys.executable,
            "-m",
            "jupyter_server",
            "--no-browser",
            "--allow-root",
            f"--port={self.port}",
            "--ip=127.0.0.1",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={TOKEN}",
            f"--ServerApp.root_dir={self.folder}",
            f"--ServerApp.base_url={self.base_url}",
            "--ServerApp.jpserver_extensions=jupyter_gridgpu.server=True",
            *self.options,
        ]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, **places, "GRIDGPU_HOME": str(self.home)},
                stdout=log,
                stderr=log,
            )
        eventually(self._answers, "the server answers")
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log
        try:
            return self.get("api/status").status == 200
        except OSError:
            return False

    def end(self) -> None:
        for page in self.pages:
            page.close()
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)

    def get(self, path: str, token: str | None = TOKEN, **headers: str) -> Answer:
        return self.ask("GET", path, None, token, headers)

    def api(self, path: str) -> Any:
        """The body of an answer below gridgpu/api/ that is no refusal."""
        found = self.get(f"gridgpu/api/{path}")
        assert found.status == 200, (path, found)
        return found.body

    def refused(self, path: str, status: int) -> str:
        found = self.get(f"gridgpu/api/{path}")
        assert found.status == status, (path, found)
        return found.message

    def command(self, scan: str, body: Any) -> Answer:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", f"gridgpu/api/scans/{scan}/commands", text, TOKEN, {})

    def ask(
        self, method: str, path: str, body: bytes | None, token: str | None, headers: dict[str, str]
    ) -> Answer:
        known = {"Authorization": f"token {token}"} if token else {}
        request = urllib.request.Request(self.url(path), body, {**known, **headers}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=WITHIN_S) as found:
                return Answer(found.status, dict(found.headers), _body(found.read()))
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, dict(error.headers), _body(error.read()))

    def page(self, token: str | None = TOKEN, **headers: str) -> Page:
        known = {"Authorization": f"token {token}"} if token else {}
        url = self.url("gridgpu/api/events").replace("http", "ws", 1)
        made = websocket.create_connection(
            url,
            timeout=WITHIN_S,
            header={**known, **headers},
            suppress_origin="Origin" in headers,
            origin=headers.get("Origin"),
        )
        page = Page(made)
        self.pages.append(page)
        return page


class Page:
    """A page's end of the stream."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def say(self, **body: Any) -> None:
        self._connection.send(json.dumps(body))

    def hear(self, *kinds: str, scan: str | None = None) -> dict[str, Any]:
        """Return the next message, of one of these kinds and about that scan, if they are given."""
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            body: dict[str, Any] = json.loads(self._connection.recv(), parse_constant=_refuse)
            if (not kinds or body["type"] in kinds) and scan in (None, _scan_of(body)):
                return body
        raise AssertionError(f"nothing was heard of {kinds}")

    def opened(self, scan: str, **more: Any) -> dict[str, Any]:
        """Open a scan and return the first that is said of it."""
        self.say(type="open", scan=scan, **more)
        return self.hear("snapshot", "upsert", "missing")

    def silent(self, seconds: float, *kinds: str) -> bool:
        """Whether nothing of these kinds comes for a while."""
        deadline = time.monotonic() + seconds
        try:
            while (left := deadline - time.monotonic()) > 0:
                self._connection.settimeout(left)
                if json.loads(self._connection.recv())["type"] in kinds:
                    return False
        except websocket.WebSocketTimeoutException:
            pass
        finally:
            self._connection.settimeout(WITHIN_S)
        return True

    def close(self) -> None:
        self._connection.close()
        # If the server has closed the connection, close() leaves the socket open.
        self._connection.shutdown()


def _scan_of(body: dict[str, Any]) -> Any:
    scan = body.get("scan")
    return scan["id"] if isinstance(scan, dict) else scan


def _refuse(word: str) -> Any:
    raise AssertionError(f"{word} is no JSON")


def _body(text: bytes) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse)
    except ValueError:
        return text


@contextmanager
def serving(folder: Path, base_url: str = "/", *options: str) -> Iterator[Server]:
    """Start a server, and end it when the test is over."""
    server = Server(folder, base_url, options)
    try:
        yield server.start()
    finally:
        server.end()
