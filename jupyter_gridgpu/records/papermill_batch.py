"""A papermill batch that somebody has already: executed notebooks, or a table of parameters. Read, not believed."""

from __future__ import annotations

import copy
import csv
import json
import math
import os
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import bounded
from jupyter_gridgpu.model.plain_values import NotPlain, plain
from jupyter_gridgpu.model.space import GRID_LIMIT

NOTEBOOK_BYTES = 100 * 1024 * 1024
TABLE_BYTES = 50 * 1024 * 1024
ADDED = (
    "injected-parameters",
    "papermill-error-cell-tag",
)  # cells that papermill puts into what it executes
TABLES = (".csv", ".yaml", ".yml")


@dataclass(frozen=True)
class Executed:
    """One variant of a batch; `path` is its executed notebook, if it was executed."""

    params: dict[str, Any]
    path: Path | None = None
    body: dict[str, Any] = field(default_factory=dict)
    state: str = "done"
    message: str | None = None
    started: float | None = None
    ended: float | None = None


def executed(folder: Path) -> list[Executed]:
    """Return what papermill left in a folder, in the order of the names. Notebooks that papermill did not write are left out."""
    found = []
    for path in _notebooks(folder):
        body = _body(path)
        about = (
            body.get("metadata", {}).get("papermill")
            if isinstance(body.get("metadata"), dict)
            else None
        )
        if (
            isinstance(about, dict)
            and isinstance(about.get("parameters"), dict)
            and isinstance(body.get("cells"), list)
        ):
            found.append(_executed(path, body, about))
        if len(found) > GRID_LIMIT:
            raise UsageError(
                f"{folder} has more than {GRID_LIMIT:,} executed notebooks, which is more than a scan may have."
            )
    return found


def _notebooks(folder: Path) -> list[Path]:
    found = []
    for here, folders, files in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [
            Path(here) / name
            for name in files
            if name.endswith(".ipynb") and not name.startswith(".")
        ]
    return sorted(found)


def _body(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            data = file.read(NOTEBOOK_BYTES + 1)
        body = json.loads(data) if len(data) <= NOTEBOOK_BYTES else None
    except (OSError, ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _executed(path: Path, body: dict[str, Any], about: dict[str, Any]) -> Executed:
    failed = about.get("exception")
    started, ended = _time(about.get("start_time")), _time(about.get("end_time"))
    unfinished = ended is None and not failed
    message = (
        _error(body) if failed else "It had not ended when it was imported." if unfinished else None
    )
    state = "failed" if failed or unfinished else "done"
    return Executed(_params(path, about["parameters"]), path, body, state, message, started, ended)


def _params(path: Path, params: dict[Any, Any]) -> dict[str, Any]:
    try:
        made: dict[str, Any] = plain(params)
    except NotPlain as error:
        raise UsageError(f"{path} has a parameter that is none: {error}") from None
    return made


def _time(text: Any) -> float | None:
    try:
        return (
            datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
            if isinstance(text, str)
            else None
        )
    except (ValueError, OverflowError, OSError):
        return None


def _error(body: dict[str, Any]) -> str:
    """The error that ended a notebook, in one line."""
    for cell in body["cells"]:
        for output in cell.get("outputs", []) if isinstance(cell, dict) else ():
            if isinstance(output, dict) and output.get("output_type") == "error":
                return (
                    bounded(f"{output.get('ename')}: {output.get('evalue')}", 300) or "It failed."
                )
    return "It failed."


def source(body: dict[str, Any]) -> bytes:
    """Return the notebook that was executed: without papermill's cells, outputs and marks."""
    made = copy.deepcopy(body)
    made["metadata"] = {
        name: value
        for name, value in made["metadata"].items()
        if name not in ("papermill", "gridgpu")
    }
    made["cells"] = [
        cell
        for cell in made["cells"]
        if isinstance(cell, dict) and not set(ADDED) & set(_tags(cell))
    ]
    for cell in made["cells"]:
        metadata = cell.get("metadata")
        if isinstance(metadata, dict):
            for name in ("papermill", "execution"):
                metadata.pop(name, None)
        if cell.get("cell_type") == "code":
            cell.update(outputs=[], execution_count=None)
    return json.dumps(made, indent=1, ensure_ascii=False).encode()


def _tags(cell: dict[str, Any]) -> list[str]:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []


# tables of parameters ---------------------------------------------------------------------


def table(path: Path) -> list[Executed]:
    """Return the parameters in a CSV or YAML file, or in a folder of YAML files, one variant each."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in (".yaml", ".yml"))
        return [Executed(_params(file, one)) for file in files for one in _yaml(file)]
    read = _csv if path.suffix == ".csv" else _yaml
    return [Executed(_params(path, one)) for one in read(path)]


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > TABLE_BYTES:
            raise UsageError(f"{path} is larger than {TABLE_BYTES // 2**20} MB.")
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}."
        ) from None


def _yaml(path: Path) -> list[dict[str, Any]]:
    """A mapping is one variant; a list of mappings, or a mapping of names to mappings, several."""
    import yaml

    try:
        body = yaml.safe_load(_text(path))
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UsageError(f"{path} is no YAML: {' '.join(str(error).split())}.") from None
    items = body if isinstance(body, list) else [body]
    if isinstance(body, dict) and body and all(isinstance(value, dict) for value in body.values()):
        items = list(body.values())
    if not items or not all(isinstance(item, dict) and item for item in items):
        raise UsageError(
            f"{path} has no parameters: write a list of mappings, one for each variant."
        )
    return items


def _csv(path: Path) -> list[dict[str, Any]]:
    """The first line names the parameters; an empty cell leaves the notebook's own value."""
    try:
        rows = list(csv.reader(_text(path).splitlines()))
    except csv.Error as error:
        raise UsageError(f"{path} is no CSV: {error}.") from None
    names = [name.strip() for name in rows[0]] if rows else []
    if not names or not all(names) or len(set(names)) != len(names):
        raise UsageError(f"{path}: the first line has to name the parameters, each once.")
    found = []
    for number, row in enumerate(rows[1:], 2):
        if len(row) > len(names):
            raise UsageError(f"{path}, line {number}: there are more values than names.")
        if any(cell.strip() for cell in row):
            found.append(
                {name: value(cell) for name, cell in zip(names, row, strict=False) if cell.strip()}
            )
    if not found:
        raise UsageError(f"{path} has no line of values.")
    return found


def value(cell: str) -> Any:
    """Return what a cell of a table means: a number, True or False, JSON; else it is a text."""
    text = cell.strip()
    words = {
        "true": True,
        "false": False,
        "nan": math.nan,
        "inf": math.inf,
        "infinity": math.inf,
        "-inf": -math.inf,
    }
    if text.lower() in words:
        return words[text.lower()]
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return float(text) if text[-1:].isdigit() or text.endswith(".") else text
    except ValueError:
        return text
