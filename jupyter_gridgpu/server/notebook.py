"""The executed notebook of a job as Jupyter's contents API would give it, read-only and trusted in nothing."""

from __future__ import annotations

import json
import math
import os
from datetime import datetime, timezone
from pathlib import PurePath
from typing import Any

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import StorageError, UnknownJob, UsageError

# `widgets` too: of a notebook that is opened every model in there is made, and the code of an anywidget run
UNTRUSTED = ("trusted", "signature", "widgets")
NOTEBOOK_BYTES = 50 * 1024 * 1024


def contents(handle: ScanHandle, job: str) -> bytes:
    """Return the contents model as JSON. Raises UnknownJob if nothing was saved yet, UsageError, StorageError."""
    files = handle.files(job)
    path = files.notebook()
    if path is None:
        raise UnknownJob(f"{files.key} has saved no notebook yet.")
    with files.open(path) as file:
        found = os.fstat(file.fileno())
        if found.st_size > NOTEBOOK_BYTES:
            raise UsageError(
                f"The notebook of {files.key} is larger than the {NOTEBOOK_BYTES // 2**20} MB that a page can show; it is {path}."
            )
        text = file.read(NOTEBOOK_BYTES)
    body = _untrusted(_parsed(text, files.key))
    name = f"{PurePath(handle.scan.notebook).stem}-{files.key}.ipynb"
    model = {
        "name": name, "path": f"{handle.name}/{name}", "type": "notebook", "format": "json", "writable": False,
        "created": _iso(found.st_ctime), "last_modified": _iso(found.st_mtime), "mimetype": None, "size": found.st_size,
    }  # fmt: skip
    return _dumped(model, body)


def _parsed(text: bytes, key: str) -> dict[str, Any]:
    """The notebook as a dict that is sound enough to be shown."""
    try:
        # A hook in Python lets other threads have their turn while a large notebook is read.
        body = json.loads(
            text,
            object_hook=lambda item: item,
            parse_constant=lambda word: None,
            parse_float=_finite,
        )
    except (ValueError, RecursionError):
        raise StorageError(f"The notebook of {key} cannot be read: it is not JSON.") from None
    cells = body.get("cells") if isinstance(body, dict) and body.get("nbformat") == 4 else None
    if not isinstance(cells, list) or not all(
        isinstance(cell, dict) and isinstance(cell.get("cell_type"), str) for cell in cells
    ):
        raise StorageError(f"The notebook of {key} cannot be read: it is no notebook of format 4.")
    found: dict[str, Any] = body
    return found


def _finite(word: str) -> float | None:
    """A number that JSON can say; 1e999 is none."""
    value = float(word)
    return value if math.isfinite(value) else None


def _untrusted(body: dict[str, Any]) -> dict[str, Any]:
    """Take away what would let a page believe that its user has run it; texts in one piece, as the contents API has them."""
    for part in (body, *body["cells"]):
        metadata = part.get("metadata")
        kept = metadata if isinstance(metadata, dict) else {}
        part["metadata"] = {name: value for name, value in kept.items() if name not in UNTRUSTED}
    for cell in body["cells"]:
        cell["source"] = _whole(cell.get("source", ""))
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) else []:
            if isinstance(output, dict):
                _join(output)
    return body


def _join(output: dict[str, Any]) -> None:
    if "text" in output:
        output["text"] = _whole(output["text"])
    data = output.get("data")
    if isinstance(data, dict):
        output["data"] = {
            kind: value if "json" in kind else _whole(value) for kind, value in data.items()
        }


def _whole(text: Any) -> Any:
    """A text that a notebook file keeps as a list of its lines."""
    lines = isinstance(text, list) and all(isinstance(line, str) for line in text)
    return "".join(text) if lines else text


def _dumped(model: dict[str, Any], body: dict[str, Any]) -> bytes:
    """Write it cell by cell: while one is written, the interpreter does nothing else."""
    cells = b",".join(json.dumps(cell).encode() for cell in body.pop("cells"))
    rest = json.dumps(body).encode()[:-1]
    comma = b"," if body else b""
    return b'%s,"content":%s%s"cells":[%s]}}' % (
        json.dumps(model).encode()[:-1],
        rest,
        comma,
        cells,
    )


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")
