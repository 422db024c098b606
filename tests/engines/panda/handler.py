"""How the stand-in reads HTTP requests and sends answers."""

from __future__ import annotations

import json
import re
import time
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.engines.panda.answers import answer
from tests.engines.panda.tokens import refusal

if TYPE_CHECKING:
    from tests.engines.panda.fake import FakePanda

HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
SLOW_S = 5


def handler_for(panda: FakePanda) -> type[BaseHTTPRequestHandler]:
    """Return a handler of requests to `panda`; the HTTP server makes one for each connection."""
    return type("Handler", (_Handler,), {"panda": panda})


class _Handler(BaseHTTPRequestHandler):
    panda: FakePanda

    def log_message(self, *words: Any) -> None:
        """Print nothing."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        """Answer a request, or fail in the way that the test wants."""
        url = urlsplit(self.path)
        endpoint = url.path.removeprefix("/api/v1/")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        trouble = self.panda.trouble.get(endpoint, self.panda.trouble.get("", ""))
        if trouble == "down":
            self.close_connection = True
            return
        if trouble == "slow":
            time.sleep(SLOW_S)
        if trouble in ("500", "html"):
            self._send(500 if trouble == "500" else 200, HTML)
        elif endpoint.startswith("/auth/"):
            self._send(200, json.dumps(self._auth_config()))
        elif words := refusal(self.headers.get("Authorization") or ""):
            self._send(403, words)
        else:
            self._serve_endpoint(endpoint, url.query, body)

    def _serve_endpoint(self, endpoint: str, query: str, body: bytes) -> None:
        self.panda.calls.append(endpoint)
        # A field that is given more than once counts once.
        fields = {name: values[0] for name, values in parse_qs(query).items()}
        with self.panda.lock:
            found = answer(self.panda, endpoint, fields, self._read(body))
        self._send(200 if found is not None else 404, json.dumps(found))

    def _auth_config(self) -> dict[str, str]:
        """Return where a client is to sign in."""
        return {
            "audience": f"{self.panda.url}/oidc/",
            "oidc_config_url": f"{self.panda.url}/oidc/openid-configuration",
            "client_secret": "none",
            "client_id": "lab-wlcg",
            "vo": "wlcg",
        }

    def _read(self, data: bytes) -> Any:
        """Return the body of a request: JSON, or a file with its name."""
        kind = self.headers.get("Content-Type") or ""
        if kind.startswith("multipart/"):
            head = f"Content-Type: {kind}\r\n\r\n"
            message = BytesParser(policy=HTTP).parsebytes(head.encode() + data)
            part = next(iter(message.iter_parts()))
            # A name of a file in the cache is never a path.
            name = re.sub(r"[^A-Za-z0-9._-]", "", Path(part.get_filename() or "").name)
            return {"filename": name, "content": part.get_payload(decode=True)}
        if not data:
            return {}
        return json.loads(data)

    def _send(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
