"""Servers that receive metrics: a collector in a process of its own, and a real WebDAV server."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cheroot import wsgi
from wsgidav.wsgidav_app import WsgiDAVApp

from jupyter_gridgpu.channels.push import Account
from jupyter_gridgpu.collector.members import InvitedMembers
from tests.engines.ports import free_port

RUNNER, JOBS = "runner:reads", "jobs:writes"  # the two users of the drop, with their passwords
END_S = 20  # for a collector that is ended


class Collecting:
    """`gridgpu collector`, which can be ended, killed and started again with the same store."""

    def __init__(self, folder: Path, *words: str) -> None:
        """Keep the store in `folder`; `words` are more words of the command line."""
        self.store = folder
        self.port = free_port()
        self.process: subprocess.Popen[str] | None = None
        self._words = words

    @property
    def url(self) -> str:
        """Return the address at which the collector listens."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> Collecting:
        """Start the collector and wait until it says that it listens."""
        command = [
            sys.executable,
            "-m",
            "jupyter_gridgpu.cli",
            "collector",
            "--store",
            str(self.store),
            f"--port={self.port}",
        ]
        self.process = subprocess.Popen([*command, *self._words], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"Collecting on {self.url}\n"
        return self

    def end(self, hard: bool = False) -> None:
        """End the collector if it runs; `hard`, without a warning."""
        if self.process is None:
            return
        if hard:
            self.process.kill()
        else:
            self.process.terminate()
        self.process.communicate(timeout=END_S)
        self.process = None

    def member(self, name: str = "alice") -> dict[str, str]:
        """Return what a member's settings hold."""
        secret = InvitedMembers(self.store).secret(name)
        assert secret is not None
        return {"url": self.url, "user": name, "secret": secret.hex()}

    def account(self, name: str = "alice") -> Account:
        """Return a member's account."""
        return Account(self.member(name))


@contextmanager
def collecting(folder: Path, *words: str) -> Iterator[Collecting]:
    """Run a collector until the block ends."""
    made = Collecting(folder, *words)
    try:
        yield made.start()
    finally:
        made.end(hard=True)


class Dav:
    """A WebDAV server for two users, who may both do everything. It can be away for a while."""

    def __init__(self, folder: Path) -> None:
        """Serve the files of `folder` once it is started."""
        self.folder = folder
        self.port = free_port()
        self.asked: list[tuple[str, str, str]] = []  # method, name, status of every request
        self._server: wsgi.Server | None = None
        self._answering = threading.Lock()

    @property
    def url(self) -> str:
        """Return the address at which the server listens."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> Dav:
        """Start the server. It listens when this returns."""
        self.folder.mkdir(exist_ok=True)
        users = {}
        for text in (RUNNER, JOBS):
            name, _, password = text.partition(":")
            users[name] = {"password": password}
        application = WsgiDAVApp(
            {
                "provider_mapping": {"/": str(self.folder)},
                "http_authenticator": {
                    "accept_basic": True,
                    "accept_digest": False,
                    "default_to_digest": False,
                },
                "simple_dc": {"user_mapping": {"*": users}},
                "logging": {"enable": False},
                "verbose": 0,
            }
        )
        self._server = wsgi.Server(("127.0.0.1", self.port), self._noting(application))
        self._server.prepare()
        threading.Thread(target=self._server.serve, daemon=True).start()
        return self

    def _noting(self, application: Any) -> Any:
        """Return a WSGI application that notes each request and its status in `asked`."""

        def noting(environ: Any, start_response: Any) -> Any:
            def start(status: str, *more: Any) -> Any:
                name = environ["PATH_INFO"].rpartition("/")[2]
                self.asked.append((environ["REQUEST_METHOD"], name, status[:3]))
                return start_response(status, *more)

            # A storage replaces a file in one step. This server writes into the file, so that a
            # reader could see half of it: requests are answered one after the other.
            with self._answering:
                parts = application(environ, start)
                try:
                    return list(parts)
                finally:
                    if hasattr(parts, "close"):
                        parts.close()

        return noting

    def end(self) -> None:
        """End the server if it runs. Its files stay."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def settings(self, secret: str = "5" * 64) -> dict[str, str]:
        """Return the settings of the drop that this server is."""
        return {"url": self.url, "runner": RUNNER, "jobs": JOBS, "secret": secret}


@contextmanager
def dav(folder: Path) -> Iterator[Dav]:
    """Run a WebDAV server until the block ends."""
    made = Dav(folder)
    try:
        yield made.start()
    finally:
        made.end()
