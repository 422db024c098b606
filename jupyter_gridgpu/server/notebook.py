"""The executed notebook of a job as Jupyter's contents API would return it.

The notebook was written by a job, so nothing in it is trusted: it is returned without the marks
that would let a page run what is in its outputs.
"""

from __future__ import annotations

import json
import math
import os
from datetime import datetime, timezone
from pathlib import PurePath
from typing import Any

from jupyter_gridgpu.client import ScanHandle
from jupyter_gridgpu.errors import StorageError, UnknownJob, UsageError

# The keys of metadata that are removed. `widgets` is one of them: JupyterLab makes every widget
# model in it when a notebook is opened, and so would run the code of an anywidget.
UNTRUSTED = ("trusted", "signature", "widgets")
NOTEBOOK_BYTES = 50 * 1024 * 1024  # the largest notebook that is sent to a page


def contents(handle: ScanHandle, job: str) -> bytes:
    """Return the contents model of a job's notebook as JSON.

    Raises UnknownJob if the job has saved no notebook yet, UsageError if the notebook is too large
    for a page, StorageError if it cannot be read.
    """
    files = handle.files(job)
    path = files.notebook()
    if path is None:
        raise UnknownJob(f"{files.key} has saved no notebook yet.")
    with files.open(path) as file:
        status = os.fstat(file.fileno())
        if status.st_size > NOTEBOOK_BYTES:
            raise UsageError(
                f"The notebook of {files.key} is larger than the {NOTEBOOK_BYTES // 2**20} MB"
                f" that a page can show; it is {path}."
            )
        # Bounded here too, since the job may still write to the file.
        text = file.read(NOTEBOOK_BYTES)
    notebook = _untrusted(_parse(text, files.key))
    name = f"{PurePath(handle.scan.notebook).stem}-{files.key}.ipynb"
    model = {
        "name": name,
        "path": f"{handle.name}/{name}",
        "type": "notebook",
        "format": "json",
        "writable": False,
        "created": _iso_time(status.st_ctime),
        "last_modified": _iso_time(status.st_mtime),
        "mimetype": None,
        "size": status.st_size,
    }
    return _dumps(model, notebook)


def _parse(text: bytes, key: str) -> dict[str, Any]:
    """Return the notebook of job `key`.

    Raises StorageError if the text is no JSON or no notebook of format 4.
    """
    try:
        # json would hold up all other threads while it reads a large notebook. A hook that is
        # written in Python gives them their turn. NaN and infinities become null, since strict
        # JSON does not have them.
        notebook = json.loads(
            text,
            object_hook=lambda item: item,
            parse_constant=lambda word: None,
            parse_float=_finite,
        )
    except (ValueError, RecursionError):
        raise StorageError(f"The notebook of {key} cannot be read: it is not JSON.") from None
    if not isinstance(notebook, dict) or not _is_notebook(notebook):
        raise StorageError(f"The notebook of {key} cannot be read: it is no notebook of format 4.")
    return notebook


def _is_notebook(notebook: dict[str, Any]) -> bool:
    cells = notebook.get("cells")
    if notebook.get("nbformat") != 4 or not isinstance(cells, list):
        return False
    return all(isinstance(cell, dict) and isinstance(cell.get("cell_type"), str) for cell in cells)


def _finite(word: str) -> float | None:
    """Return a number, or None for one like 1e999, which is infinite for Python."""
    value = float(word)
    if not math.isfinite(value):
        return None
    return value


def _untrusted(notebook: dict[str, Any]) -> dict[str, Any]:
    """Remove metadata that would let a page believe that its user ran the notebook.

    Texts that a notebook file keeps as lists of lines are joined, as the contents API does. Returns
    the notebook, which is changed in place.
    """
    for part in (notebook, *notebook["cells"]):
        metadata = part.get("metadata")
        if not isinstance(metadata, dict):
            metadata = {}
        part["metadata"] = {
            name: value for name, value in metadata.items() if name not in UNTRUSTED
        }
    for cell in notebook["cells"]:
        cell["source"] = _joined(cell.get("source", ""))
        outputs = cell.get("outputs")
        if isinstance(outputs, list):
            for output in outputs:
                _join_output(output)
    return notebook


def _join_output(output: Any) -> None:
    """Join the lines of the texts in one output, in place."""
    if not isinstance(output, dict):
        return
    if "text" in output:
        output["text"] = _joined(output["text"])
    data = output.get("data")
    if isinstance(data, dict):
        for kind, value in data.items():
            # Data of a JSON type may be a list of texts by itself.
            if "json" not in kind:
                data[kind] = _joined(value)


def _joined(text: Any) -> Any:
    """Return one text for a list of lines, and anything else as it is."""
    if isinstance(text, list) and all(isinstance(line, str) for line in text):
        return "".join(text)
    return text


def _dumps(model: dict[str, Any], notebook: dict[str, Any]) -> bytes:
    """Return model and notebook as JSON.

    The JSON is made cell by cell: while one piece is made, no other thread of Python runs.
    """
    cells = b",".join(json.dumps(cell).encode() for cell in notebook.pop("cells"))
    # The closing brace is cut off, so that one more member can be added.
    start = json.dumps(model).encode()[:-1]
    rest = json.dumps(notebook).encode()[:-1]
    comma = b""
    if notebook:
        comma = b","
    return b'%s,"content":%s%s"cells":[%s]}}' % (start, rest, comma, cells)


def _iso_time(seconds: float) -> str:
    """Return a Unix time as ISO 8601 in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat().replace("+00:00", "Z")
