"""A proxy between panda-client and a server of PanDA that does harm to single requests.

It works before the stand-in and before a real server alike.
"""

from __future__ import annotations

import threading
import time
import urllib.request
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.engines.panda.asking import send
from tests.engines.panda.handler import HTML

POLL_S = 0.05
KEPT_HEADERS = ("Authorization", "Origin", "Content-Type", "Accept")
# What happens to a request, by the name of the fault: whether the server gets it at all, and what
# the client gets in place of the answer. None: the connection is closed without an answer.
FAULTS: dict[str, tuple[bool, tuple[int, str] | None]] = {
    "refused": (False, None),  # the server never hears of it
    "lost": (True, None),  # the server acts, and its answer is lost
    "500": (False, (500, HTML)),
    "500 after": (True, (500, HTML)),
    "html": (False, (200, HTML)),
    "html after": (True, (200, HTML)),
    "cut": (True, (200, '{"success": true, "message": "succ')),
    "empty": (False, (200, "")),
}


class Proxy:
    """Passes requests on to `target`.

    `faults` says what happens to the next requests to an endpoint: a fault each, and then nothing.
    Before each request `before` is called with its endpoint, after the server acted `after`.
    """

    def __init__(self, target: str) -> None:
        self.target = target
        self.faults: dict[str, list[str]] = {}
        self.delay_s = 0.0  # of each request
        self.calls: list[str] = []
        self.before: Callable[[str], None] = lambda endpoint: None
        self.after: Callable[[str], None] = lambda endpoint: None
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,))
        self._thread.start()

    def environment(self) -> dict[str, str]:
        """Return the variables by which panda-client comes here."""
        address = f"http://127.0.0.1:{self._server.server_address[1]}/server/panda"
        return dict.fromkeys(("PANDA_URL", "PANDA_URL_SSL", "PANDACACHE_URL"), address)

    def stop(self) -> None:
        """End the proxy."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy

    def log_message(self, *words: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        proxy = self.proxy
        endpoint = urlsplit(self.path).path.removeprefix("/api/v1/")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        proxy.calls.append(endpoint)
        proxy.before(endpoint)
        time.sleep(proxy.delay_s)
        planned = proxy.faults.get(endpoint) or proxy.faults.get("", [])
        acts, answer = FAULTS[planned.pop(0)] if planned else (True, (0, ""))
        if acts:
            real = self._asked(body)
            proxy.after(endpoint)
            if answer == (0, ""):
                answer = real
        if answer is None:
            self.close_connection = True
            return
        self._send(*answer)

    def _asked(self, body: bytes) -> tuple[int, str]:
        """Return status and text of the real server's answer."""
        headers = {name: self.headers[name] for name in KEPT_HEADERS if self.headers[name]}
        data = body if self.command == "POST" else None
        url = f"{self.proxy.target}{self.path}"
        return send(urllib.request.Request(url, data, headers, method=self.command))

    def _send(self, status: int, text: str) -> None:
        data = text.encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            # The test has killed the client.
            self.close_connection = True
