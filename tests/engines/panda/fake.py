"""The stand-in's server: PanDA's HTTP API, its sign-in, and the knobs by which a test makes it fail."""

from __future__ import annotations

import base64
import json
import re
import struct
import threading
import time
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.engines.panda.answers import answer
from tests.engines.panda.jedi import Jedi
from tests.engines.panda.pilot import Pilot
from tests.engines.panda.tasks import Gpu, Job, stamp

USER = "labuser"
HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>Bad Gateway</h1></body></html>"
CACHE_LIMIT = 10 * 1024 * 1024
GPU_SITE, CPU_SITE = "LAB_GPU", "LAB_CPU"


class FakePanda:
    """A server with two sites, one of which has a GPU. `live` lets JEDI and the workers go on by themselves."""

    def __init__(self, folder: Path, live: bool = True) -> None:
        self.lock = threading.RLock()
        self.jedi = Jedi({GPU_SITE: Gpu(), CPU_SITE: None})
        self.cache, self.storage = folder / "cache", folder / "storage"
        for path in (self.cache, self.storage):
            path.mkdir(parents=True)
        self.pilot = Pilot(self, folder / "jobs")
        self.calls: list[str] = []  # the endpoints that were asked, in order
        # the knobs
        self.slots = 2  # jobs at once
        self.pace_s = 0.02  # between two steps
        self.heartbeat_s = 0.1
        self.hold = False  # no worker takes a job
        self.drop_metadata = False
        self.fails: dict[
            tuple[int, int], dict[str, Any]
        ] = {}  # (number, attempt) -> how the site fails it
        self.datasets: dict[str, bytes] = {}  # files that every job gets
        self.trouble: dict[str, str] = {}  # endpoint, or "" for all -> down, 500, html, slow
        self._sums: dict[tuple[int, int], str] = {}
        self._live = live
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("Handler", (_Handler,), {"panda": self})
        )
        self._server.daemon_threads = True
        self._threads = [
            threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        ]
        self._threads += [threading.Thread(target=self._go_on, daemon=True)] if live else []
        for thread in self._threads:
            thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def environment(self, token: str | None = None) -> dict[str, str]:
        """What panda-client needs to find it and to sign in."""
        address = f"{self.url}/server/panda"
        return {
            "PANDA_URL": address, "PANDA_URL_SSL": address, "PANDACACHE_URL": address, "PANDA_BEHIND_REAL_LB": "1",
            "PANDA_AUTH": "oidc", "PANDA_AUTH_VO": "wlcg", "PANDA_AUTH_ID_TOKEN": token or make_token(),
        }  # fmt: skip

    def stop(self) -> None:
        self._over.set()
        self.pilot.end()
        self._server.shutdown()
        self._server.server_close()
        for thread in self._threads:
            thread.join(10)

    def tell(self, job: Job, status: str, **fields: Any) -> None:
        """What a worker says of its job, as it asks the server to note it."""
        with self.lock:
            fields = (
                {**fields, "endTime": stamp(time.time())}
                if status in ("finished", "failed", "cancelled")
                else fields
            )
            job.outcome = status
            job.metadata = job.metadata if status == "finished" else None
            job.set("holding" if "endTime" in fields else status, **fields)

    def job(self, number: int, attempt: int | None = None, task: int | None = None) -> Job:
        """The newest job of a sequence number."""
        found = [
            job
            for job in self.jedi.jobs.values()
            if job.number == number and job.task.ident in (task, job.task.ident)
        ]
        return [job for job in found if attempt in (None, job.attempt)][-1]

    def _go_on(self) -> None:
        while not self._over.wait(self.pace_s):
            with self.lock:
                for task in list(self.jedi.tasks.values()):
                    self.jedi.advance(task)
                self.pilot.take()

    # the files of jobs ------------------------------------------------------------------

    def validate(self, size: int, checksum: int) -> dict[str, Any]:
        name = self._sums.get((size, checksum))
        return {
            "success": name is not None,
            "message": f"FOUND:127.0.0.1:{name}" if name else "NOTFOUND",
            "data": None,
        }

    def upload(self, name: str, data: bytes) -> dict[str, Any]:
        if len(data) > CACHE_LIMIT:
            head = f"ERROR: upload failure. Exceeded size limit {len(data) // 1024**2} MB > 10 MB."
            words = "Please submit the job without --noBuild/--libDS since those options impose a tighter size limit"
            return {"success": False, "message": f"{head} {words}", "data": None}
        (self.cache / name).write_bytes(data)
        checksum, _ = struct.unpack("II", data[-8:])
        self._sums[len(data), checksum] = name
        return {"success": True, "message": "", "data": None}


def make_token(name: str = USER, ends_in: float = 3600.0, **claims: Any) -> str:
    """Return a token of the shape of real ones; nobody signed it."""
    body = {
        "preferred_username": name,
        "name": "Lab User",
        "groups": ["/wlcg"],
        "aud": "lab",
        "exp": time.time() + ends_in,
    }
    parts = [{"alg": "none"}, {**body, **claims}]
    return (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in parts
        )
        + ".lab"
    )


def refusal(authorization: str) -> str | None:
    """Return why a request is not let in, in the server's words."""
    token = authorization.removeprefix("Bearer ")
    parts, head = token.split("."), "ERROR : Token authentication failed."
    if len(parts) != 3:
        return f"{head} Invalid token. Not enough segments"
    claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    if parts[2] != "lab":
        return f"{head} Invalid token. Signature verification failed"
    if claims["exp"] < time.time():
        return f"{head} Invalid token. Signature has expired"
    if not claims.get("aud"):
        return f"{head} Invalid token. cannot extract client_id from token"
    return None if "/wlcg" in claims["groups"] else f"{head} Not a member of the wlcg group"


class _Handler(BaseHTTPRequestHandler):
    panda: FakePanda

    def log_message(self, *words: Any) -> None:
        """Nothing is printed."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        url = urlsplit(self.path)
        endpoint = url.path.removeprefix("/api/v1/")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        trouble = self.panda.trouble.get(endpoint, self.panda.trouble.get("", ""))
        if trouble == "down":
            self.close_connection = True
            return
        if trouble == "slow":
            time.sleep(5)
        if trouble in ("500", "html"):
            self._answer(500 if trouble == "500" else 200, HTML)
        elif endpoint.startswith("/auth/"):
            self._answer(200, json.dumps(self._auth_config()))
        elif words := refusal(self.headers.get("Authorization") or ""):
            self._answer(403, words)
        else:
            self.panda.calls.append(endpoint)
            with self.panda.lock:
                found = answer(
                    self.panda,
                    endpoint,
                    {k: v[0] for k, v in parse_qs(url.query).items()},
                    self._body(body),
                )
            self._answer(200 if found is not None else 404, json.dumps(found))

    def _auth_config(self) -> dict[str, str]:
        names = {
            "audience": f"{self.panda.url}/oidc/",
            "oidc_config_url": f"{self.panda.url}/oidc/openid-configuration",
        }
        return {**names, "client_secret": "none", "client_id": "lab-wlcg", "vo": "wlcg"}

    def _body(self, data: bytes) -> Any:
        kind = self.headers.get("Content-Type") or ""
        if kind.startswith("multipart/"):
            message = BytesParser(policy=HTTP).parsebytes(
                f"Content-Type: {kind}\r\n\r\n".encode() + data
            )
            part = next(iter(message.iter_parts()))
            name = re.sub(r"[^A-Za-z0-9._-]", "", Path(part.get_filename() or "").name)
            return {"filename": name, "content": part.get_payload(decode=True)}
        return json.loads(data) if data else {}

    def _answer(self, status: int, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
