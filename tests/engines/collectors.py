"""Where metrics come by: a collector in a process of its own, and a real WebDAV server."""

from __future__ import annotations

import socket
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

RUNNER, JOBS = "runner:reads", "jobs:writes"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Collecting:
    """`gridgpu collector`, which can be ended, killed and started again where it was."""

    def __init__(self, folder: Path, *words: str) -> None:
        self.store, self.port, self._words = folder, free_port(), words
        self.process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> Collecting:
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
        if self.process is not None:
            self.process.kill() if hard else self.process.terminate()
            self.process.communicate(timeout=20)
            self.process = None

    def member(self, name: str = "alice") -> dict[str, str]:
        """Return what a member's settings hold."""
        secret = InvitedMembers(self.store).secret(name)
        assert secret is not None
        return {"url": self.url, "user": name, "secret": secret.hex()}

    def account(self, name: str = "alice") -> Account:
        return Account(self.member(name))


@contextmanager
def collecting(folder: Path, *words: str) -> Iterator[Collecting]:
    made = Collecting(folder, *words)
    try:
        yield made.start()
    finally:
        made.end(hard=True)


class Dav:
    """A WebDAV server for two users, who may both do everything; it can be away for a while."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.asked: list[tuple[str, str, str]] = []  # method, name, status of every request
        self._server: wsgi.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> Dav:
        self.folder.mkdir(exist_ok=True)
        users = {
            name: {"password": password}
            for name, _, password in (text.partition(":") for text in (RUNNER, JOBS))
        }
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
        self._server = wsgi.Server(("127.0.0.1", self.port), self._noted(application))
        self._server.prepare()
        threading.Thread(target=self._server.serve, daemon=True).start()
        return self

    def _noted(self, application: Any) -> Any:
        def asked(environ: Any, start_response: Any) -> Any:
            def start(status: str, *more: Any) -> Any:
                self.asked.append(
                    (environ["REQUEST_METHOD"], environ["PATH_INFO"].rpartition("/")[2], status[:3])
                )
                return start_response(status, *more)

            return application(environ, start)

        return asked

    def end(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def settings(self, secret: str = "5" * 64) -> dict[str, str]:
        return {"url": self.url, "runner": RUNNER, "jobs": JOBS, "secret": secret}


@contextmanager
def dav(folder: Path) -> Iterator[Dav]:
    made = Dav(folder)
    try:
        yield made.start()
    finally:
        made.end()
