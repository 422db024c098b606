"""A registry of images on this machine, which counts who asks.

It serves what an OCI archive holds, under any tag.
"""

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
JSON, BLOB = "application/json", "application/octet-stream"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Answer:
    """The body of an answer, its content type, and the digest of what was asked for."""

    body: bytes
    kind: str
    digest: str = ""


@dataclass
class Registry:
    """What the registry has, by digest and by tag."""

    port: int = 0
    blobs: dict[str, bytes] = field(default_factory=dict)  # by digest
    tags: dict[str, str] = field(default_factory=dict)  # name:tag -> digest of a manifest
    pulls: list[str] = field(default_factory=list)  # manifests that were asked for

    def push(self, name: str, archive: Path) -> str:
        """Serve the image of an OCI archive as `name`, like ml/base:latest.

        Returns how a user writes it.
        """
        with tarfile.open(archive) as tar:
            for member in tar.getmembers():
                if member.isfile() and member.name.startswith("blobs/"):
                    digest = member.name.removeprefix("blobs/").replace("/", ":")
                    self.blobs[digest] = _content(tar, member)
            index = json.loads(_content(tar, tar.getmember("index.json")))
        self.tags[name] = index["manifests"][0]["digest"]
        return f"docker://127.0.0.1:{self.port}/{name}"

    def move(self, name: str) -> None:
        """Have a tag name another image, with the same layers."""
        manifest = json.loads(self.blobs[self.tags[name]])
        old = json.loads(self.blobs[manifest["config"]["digest"]])
        config = self._keep({**old, "author": "somebody else"})
        known = {**manifest["config"], "digest": config, "size": len(self.blobs[config])}
        self.tags[name] = self._keep({**manifest, "config": known})

    def _keep(self, body: object) -> str:
        """Keep an object as a blob and return its digest."""
        data = json.dumps(body).encode()
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self.blobs[digest] = data
        return digest

    def answer(self, path: str) -> Answer | None:
        """Return what is at a path, or None if there is nothing."""
        asked = _ASKED.fullmatch(path)
        if asked is None:
            # A client asks first whether there is a registry at all.
            return Answer(b"{}", JSON)
        digest, kind = asked["ref"], BLOB
        if asked["kind"] == "manifests":
            tag = f"{asked['name']}:{asked['ref']}"
            self.pulls.append(tag)
            digest, kind = self.tags.get(tag, digest), MANIFEST
        if digest not in self.blobs:
            return None
        return Answer(self.blobs[digest], kind, digest)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None
    return file.read()


@contextmanager
def registry() -> Iterator[Registry]:
    """Serve until the block ends."""
    made = Registry()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found = made.answer(self.path)
            answer = found or Answer(b"", "")
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Docker-Content-Digest", answer.digest)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(answer.body)

        do_HEAD = do_GET

        def log_message(self, *words: object) -> None:
            """Print nothing."""

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
