"""Writes and reads userJobMetadata.json: what a grid job hands back at its end.

PanDA keeps at most 1 MB of JSON of a job, and only of jobs that finished. So the file carries what
matters most, as far as it fits:

    {"gridgpu": 1,
     "jobs": {"v0001.1": {"copy": "4f1c09aa",
                          "files": {"result.json": DATA, ...},
                          "cut": ["output.ipynb"]}}}

`copy` is the name of the copy's folder. DATA is a file of this folder, compressed by zlib and
written in base64; FILES names the files, the most important first. `cut` names the files of which a
part is missing: metrics are thinned out, a notebook loses its largest outputs, a log its beginning.
`pack` runs in the job and `unpack` in the runner; what `unpack` reads is not trusted.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import read_start
from jupyter_gridgpu.store.paths import COPY_NAME, CopyPaths

FILE_NAME = "userJobMetadata.json"
VERSION = 1
LIMIT = 950_000  # bytes of the whole file; PanDA drops a file of more than 1 MB
FILES = (
    "result.json",
    "copy.json",
    "metrics.jsonl",
    "output.ipynb",
    "worker.log",
    "provenance.json",
)
UNPACKED_LIMIT = 64 * 1024 * 1024  # bytes of one file
METRICS_SHARE = 0.5  # part of a job's bytes that its metrics may take
LOG_BYTES = 256_000
SHORT_LOG_BYTES = 4096  # of a log whose last LOG_BYTES do not fit
OUTPUT_LIMITS = (100_000, 10_000, 1000, 0)  # characters of one output, tried in turn
FRAME_BYTES = 200  # for a job's key, copy and cut, and the brackets around them
ENTRY_BYTES = 10  # for the quotes and brackets around one file
NOTE_CHARACTERS = 200  # a note in place of an output takes about as many


def pack(copies: Mapping[str, CopyPaths], limit: int = LIMIT) -> str:
    """Return the text of userJobMetadata.json, of at most `limit` bytes.

    `copies` maps the key of each job of the task to the copy that counts. Jobs get equal shares.
    """
    share = limit // max(len(copies), 1) - FRAME_BYTES
    jobs = {key: _PackedJob(share).fill(copy) for key, copy in copies.items()}
    return json.dumps({"gridgpu": VERSION, "jobs": jobs}, separators=(",", ":"))


class _PackedJob:
    """The files of one job, as many of them as fit into a number of bytes."""

    def __init__(self, bytes_left: int) -> None:
        self._bytes_left = bytes_left
        self._files: dict[str, str] = {}
        self._cut: list[str] = []

    def fill(self, copy: CopyPaths) -> dict[str, Any]:
        """Add the files of `copy` in the order of FILES and return the job's JSON object."""
        # The result is added first, while there is room: without it the job would count as lost.
        for path in (copy.result, copy.about):
            self._add(path.name, _read(path))
        self._add_metrics(copy.metrics)
        self._add_notebook(copy.notebook)
        self._add_log(copy.log)
        self._add(copy.provenance.name, _read(copy.provenance))
        job: dict[str, Any] = {"copy": copy.folder.name, "files": self._files}
        if self._cut:
            job["cut"] = self._cut
        return job

    def _add(self, name: str, data: bytes, cut: bool = False, share: float = 1.0) -> bool:
        """Add a file if it takes at most `share` of the bytes left; return whether it fits.

        `cut` says that a part of the file is missing. An empty file is left out and counts as
        fitting.
        """
        if not data:
            return True
        text = base64.b64encode(zlib.compress(data, 9)).decode("ascii")
        size = len(text) + len(name) + ENTRY_BYTES
        # Only the compressed file tells its size: how much it shrinks is not known before.
        if size > self._bytes_left * share:
            return False
        self._bytes_left -= size
        self._files[name] = text
        if cut:
            self._cut.append(name)
        return True

    def _add_metrics(self, path: Path) -> None:
        """Add the metrics, or every second line, every fourth ..., and always the last one."""
        data = _read(path)
        lines = data.splitlines(keepends=True)
        every = 1
        # How well lines compress is not known before, so the file is halved until it fits.
        while not self._add(path.name, data, cut=every > 1, share=METRICS_SHARE):
            if every > len(lines):
                return
            every *= 2
            data = b"".join([*lines[:-1][::every], *lines[-1:]])

    def _add_notebook(self, path: Path) -> None:
        """Add the notebook; if it does not fit, without its largest outputs."""
        data = _read(path)
        if self._add(path.name, data):
            return
        # Large outputs are mostly figures; the text and the code stay as long as possible.
        for limit in OUTPUT_LIMITS:
            smaller = _without_outputs(data, limit)
            if smaller and self._add(path.name, smaller, cut=True):
                return

    def _add_log(self, path: Path) -> None:
        """Add the end of the log, where a failure is told."""
        log = _read(path)
        if not self._add(path.name, log[-LOG_BYTES:], cut=len(log) > LOG_BYTES):
            self._add(path.name, log[-SHORT_LOG_BYTES:], cut=True)


def _read(path: Path) -> bytes:
    """Return what a file holds, b"" if it is missing or no plain file: a link may lead anywhere."""
    try:
        return read_start(path, UNPACKED_LIMIT)
    except OSError:
        return b""


def _without_outputs(data: bytes, limit: int) -> bytes:
    """Return a notebook with a note in place of each output of more than `limit` characters.

    Returns b"" if `data` is no notebook.
    """
    try:
        body = parse_json(data)
        for cell in body["cells"]:
            outputs = cell.get("outputs", [])
            for index, output in enumerate(outputs):
                size = len(json.dumps(output))
                if size > limit + NOTE_CHARACTERS:
                    outputs[index] = _note(size)
        return json.dumps(body).encode()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):  # json.dumps
        return b""


def _note(size: int) -> dict[str, str]:
    text = f"[An output of {size:,} characters did not fit into the job's metadata.]\n"
    return {"output_type": "stream", "name": "stderr", "text": text}


def unpack(body: Any, key: str) -> tuple[str, dict[str, bytes]] | None:
    """Return the copy's name and the files of job `key`, as far as they are sound.

    `body` is the JSON that PanDA returned. Returns None if it holds nothing sound of the job.
    """
    try:
        job = body["jobs"][key]
        copy, packed = job["copy"], job["files"]
        if body["gridgpu"] != VERSION or not COPY_NAME.fullmatch(copy):
            return None
        # Only known names are taken, since they become file names.
        files = {}
        for name in FILES:
            data = _unpack_file(packed.get(name))
            if data is not None:
                files[name] = data
        return copy, files
    except (KeyError, TypeError, AttributeError):
        return None


def _unpack_file(text: Any) -> bytes | None:
    if not isinstance(text, str):
        return None
    try:
        compressed = base64.b64decode(text, validate=True)
        # A few bytes may stand for gigabytes: no more than the limit is unpacked.
        return zlib.decompressobj().decompress(compressed, UNPACKED_LIMIT)
    except (ValueError, binascii.Error, zlib.error):
        return None
