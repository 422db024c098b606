"""userJobMetadata.json: what a grid job hands back when it has ended, where no disk is shared.

PanDA keeps at most 1 MB of JSON of a job, and of jobs that finished only. So the file carries what matters most, as far as
there is room:

    {"gridgpu": 1, "jobs": {"v0001.1": {"copy": "4f1c09aa", "files": {"result.json": DATA, ...}, "cut": ["output.ipynb"]}}}

`copy` is the name of the copy's folder, DATA base64 of zlib of a file in it (FILES, in this order of importance), `cut`
names the files of which a part is missing: metrics are thinned out, notebooks lose their largest outputs, logs their
beginning. `pack` runs in the job, `unpack` where the scan is; what it reads is untrusted.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_gridgpu.store.paths import COPY_NAME, CopyPaths

NAME = "userJobMetadata.json"
VERSION = 1
LIMIT = 950_000  # bytes of the whole file; PanDA drops one of more than 1 MB
FILES = (
    "result.json",
    "copy.json",
    "metrics.jsonl",
    "output.ipynb",
    "worker.log",
    "provenance.json",
)
UNPACKED_LIMIT = 64 * 1024 * 1024  # bytes of one file
METRICS_SHARE = 0.5  # of a job's room, that metrics may take before they are thinned
LOG_BYTES = 256_000


def pack(copies: Mapping[str, CopyPaths], limit: int = LIMIT) -> str:
    """Return the text of the file for jobs (key -> the copy that counts)."""
    room = limit // max(len(copies), 1) - 200
    jobs = {key: _Parcel(room).fill(copy) for key, copy in copies.items()}
    return json.dumps({"gridgpu": VERSION, "jobs": jobs}, separators=(",", ":"))


class _Parcel:
    """What of one job's files fits into the room it has."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._files: dict[str, str] = {}
        self._cut: list[str] = []

    def fill(self, copy: CopyPaths) -> dict[str, Any]:
        for path in (copy.result, copy.about):
            self._take(path.name, _read(path))
        self._metrics(copy.metrics)
        self._notebook(copy.notebook)
        log = _read(copy.log)
        self._take(copy.log.name, log[-LOG_BYTES:], cut=len(log) > LOG_BYTES) or self._take(
            copy.log.name, log[-4096:], True
        )
        self._take(copy.provenance.name, _read(copy.provenance))
        cut = {"cut": self._cut} if self._cut else {}
        return {"copy": copy.folder.name, "files": self._files, **cut}

    def _take(self, name: str, data: bytes, cut: bool = False, share: float = 1.0) -> bool:
        """Add a file if there is room; whether it is in."""
        if not data:
            return True
        text = base64.b64encode(zlib.compress(data, 9)).decode("ascii")
        size = len(text) + len(name) + 10
        if size > self._room * share:
            return False
        self._room -= size
        self._files[name] = text
        self._cut += [name] * cut
        return True

    def _metrics(self, path: Path) -> None:
        """Take the lines, or as many as fit: every second, fourth, ..., and always the last."""
        data, every = _read(path), 1
        lines = data.splitlines(keepends=True)
        while not self._take(path.name, data, cut=every > 1, share=METRICS_SHARE) and every <= len(
            lines
        ):
            every *= 2
            data = b"".join([*lines[:-1][::every], *lines[-1:]])

    def _notebook(self, path: Path) -> None:
        """Take the notebook, without its largest outputs where it must be."""
        data = _read(path)
        if self._take(path.name, data):
            return
        for limit in (100_000, 10_000, 1000, 0):
            if (smaller := _without_outputs(data, limit)) and self._take(
                path.name, smaller, cut=True
            ):
                return


def _read(path: Path) -> bytes:
    """What a file holds; a missing one, or one that is no plain file, holds nothing."""
    try:
        with open(path, "rb") as file:
            return file.read(UNPACKED_LIMIT) if not path.is_symlink() else b""
    except OSError:
        return b""


def _without_outputs(data: bytes, limit: int) -> bytes:
    """Return a notebook with a word in place of each output of more than `limit` characters; empty if it is none."""
    try:
        body = json.loads(data)
        for cell in body["cells"]:
            for i, output in enumerate(cell.get("outputs", [])):
                size = len(json.dumps(output))
                if size > limit + 200:
                    text = (
                        f"[An output of {size:,} characters did not fit into the job's metadata.]\n"
                    )
                    cell["outputs"][i] = {"output_type": "stream", "name": "stderr", "text": text}
        return json.dumps(body).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return b""


def unpack(body: Any, key: str) -> tuple[str, dict[str, bytes]] | None:
    """Return copy name and files of a job in what was read back, or None if there is nothing sound of it."""
    try:
        job = body["jobs"][key]
        copy, files = job["copy"], job["files"]
        if body["gridgpu"] != VERSION or not COPY_NAME.fullmatch(copy):
            return None
        return copy, {name: data for name in FILES if (data := _data(files.get(name))) is not None}
    except (KeyError, TypeError, AttributeError):
        return None


def _data(text: Any) -> bytes | None:
    if not isinstance(text, str):
        return None
    try:
        return zlib.decompressobj().decompress(
            base64.b64decode(text, validate=True), UNPACKED_LIMIT
        )
    except (ValueError, binascii.Error, zlib.error):
        return None
