"""A registry of images on this machine: it serves what an OCI archive holds, under whatever tag, and counts who asks."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_ASKED = re.compile(r"/v2/(?P<name>[a-z0-9/-]+)/(?P<kind>manifests|blobs)/(?P<ref>[\w.:-]+)")


@dataclass
class Registry:
    port: int = 0
    blobs: dict[str, bytes] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)  # name:tag -> digest of a manifest
    pulls: list[str] = field(default_factory=list)  # manifests that were asked for

    def push(self, name: str, archive: Path) -> str:
        """Serve the image of an OCI archive as `name`, like ml/base:latest; return how a user writes it."""
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                if member.isfile() and member.name.startswith("blobs/"):
                    file = tar.extractfile(member)
                    self.blobs[member.name.removeprefix("blobs/").replace("/", ":")] = (
                        file.read() if file else b""
                    )
            index = tar.extractfile("index.json")
            assert index is not None
            self.tags[name] = json.loads(index.read())["manifests"][0]["digest"]
        return f"docker://127.0.0.1:{self.port}/{name}"

    def move(self, name: str) -> None:
        """Have a tag name another image, with the same layers."""
        manifest = json.loads(self.blobs[self.tags[name]])
        config = self._keep(
            {**json.loads(self.blobs[manifest["config"]["digest"]]), "author": "somebody else"}
        )
        known = {**manifest["config"], "digest": config, "size": len(self.blobs[config])}
        self.tags[name] = self._keep({**manifest, "config": known})

    def _keep(self, body: object) -> str:
        data = json.dumps(body).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = data
        return digest

    def answer(self, name: str, kind: str, ref: str) -> tuple[bytes, str, str] | None:
        """Return body, type and digest of what is asked for."""
        if kind == "blobs":
            return (self.blobs[ref], "application/octet-stream", ref) if ref in self.blobs else None
        self.pulls.append(f"{name}:{ref}")
        digest = self.tags.get(f"{name}:{ref}", ref)
        return (
            (self.blobs[digest], "application/vnd.oci.image.manifest.v1+json", digest)
            if digest in self.blobs
            else None
        )


@contextmanager
def registry() -> Iterator[Registry]:
    """Serve until the block ends."""
    made = Registry()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            asked = _ASKED.fullmatch(self.path)
            body, kind, digest = (
                made.answer(**asked.groupdict()) if asked else (b"{}", "application/json", "")
            ) or (b"", "", "")
            self.send_response(200 if kind else 404)
            for name, value in (
                ("Content-Type", kind),
                ("Docker-Content-Digest", digest),
                ("Content-Length", str(len(body))),
            ):
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *words: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def trusting(folder: Path, made: Registry) -> dict[str, str]:
    """Return the environment in which runtimes speak plain HTTP with the registry."""
    conf = folder / "registries.conf"
    conf.write_text(f'[[registry]]\nlocation = "127.0.0.1:{made.port}"\ninsecure = true\n')
    return {
        "CONTAINERS_REGISTRIES_CONF": str(conf),
        "APPTAINER_NOHTTPS": "true",
        "APPTAINER_CACHEDIR": str(folder / "cache"),
    }
