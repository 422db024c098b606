"""Reads what papermill users have already: executed notebooks, or tables of parameters.

The files come from elsewhere. So they are bounded in size, and their content is checked.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.model.plain_values import NotPlain, plain
from jupyter_gridgpu.model.space import GRID_LIMIT
from jupyter_gridgpu.records.parameter_table import YAML_SUFFIXES, read_table
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import read_bounded, users_opener
from jupyter_gridgpu.store.paths import NOTEBOOK_BYTES

MESSAGE_LIMIT = 300  # characters
# Tags of the cells that papermill adds to a notebook that it executes.
ADDED_TAGS = {"injected-parameters", "papermill-error-cell-tag"}


@dataclass(frozen=True)
class ImportedVariant:
    """One variant that is to be imported. Times are Unix seconds.

    `path` and `body` are the file and the JSON of its executed notebook. A variant from a table has
    no notebook.
    """

    params: dict[str, Any]
    path: Path | None = None
    body: dict[str, Any] = field(default_factory=dict)
    state: str = "done"  # or failed
    message: str | None = None  # why it failed
    started: float | None = None
    ended: float | None = None


# executed notebooks -------------------------------------------------------------------------


def read_executed(folder: Path) -> list[ImportedVariant]:
    """Return the notebooks that papermill executed in a folder, in the order of their paths.

    Notebooks that papermill did not write are left out. Raises UsageError if there are too many
    for a scan, or if a parameter has a value that no parameter can have.
    """
    variants = []
    for path in _notebooks(folder):
        body = _read_notebook(path)
        about = _papermill_metadata(body)
        if about is not None:
            variants.append(_executed_variant(path, body, about))
        if len(variants) > GRID_LIMIT:
            raise UsageError(
                f"{folder} has more than {GRID_LIMIT:,} executed notebooks, "
                "which is more than a scan may have."
            )
    return variants


def _notebooks(folder: Path) -> list[Path]:
    """Return all notebooks below a folder, sorted."""
    found = []
    for here, folders, files in os.walk(folder, followlinks=False):
        # Hidden folders such as `.ipynb_checkpoints` hold copies of notebooks. os.walk enters only
        # the folders that are left in this list.
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(here) / name for name in files if _is_visible_notebook(name)]
    return sorted(found)


def _is_visible_notebook(name: str) -> bool:
    return name.endswith(".ipynb") and not name.startswith(".")


def _read_notebook(path: Path) -> dict[str, Any]:
    """Return the content of a notebook, or an empty dict if it is too large or no JSON object."""
    try:
        body = parse_json(read_bounded(path, NOTEBOOK_BYTES, users_opener))
    except (OSError, ValueError):
        return {}
    if isinstance(body, dict):
        return body
    return {}


def _papermill_metadata(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return what papermill wrote into a notebook about its run, or None if it did not run it."""
    metadata = body.get("metadata")
    if not isinstance(metadata, dict) or not isinstance(body.get("cells"), list):
        return None
    about = metadata.get("papermill")
    if not isinstance(about, dict) or not isinstance(about.get("parameters"), dict):
        return None
    return about


def _executed_variant(path: Path, body: dict[str, Any], about: dict[str, Any]) -> ImportedVariant:
    started, ended = _timestamp(about.get("start_time")), _timestamp(about.get("end_time"))
    state, message = "done", None
    if about.get("exception"):
        state, message = "failed", _error_message(body)
    elif ended is None:
        # papermill saves the notebook after each cell. It was killed, or it still runs.
        state, message = "failed", "It had not ended when it was imported."
    params = _plain_params(path, about["parameters"])
    return ImportedVariant(params, path, body, state, message, started, ended)


def _plain_params(path: Path, params: dict[Any, Any]) -> dict[str, Any]:
    """Return parameters as plain JSON values. Raises UsageError, which names the file `path`."""
    try:
        checked: dict[str, Any] = plain(params)
    except NotPlain as error:
        raise UsageError(f"{path} has a parameter that is none: {error}") from None
    return checked


def _timestamp(text: Any) -> float | None:
    """Return a time in ISO 8601 as Unix seconds, or None if the text is no time."""
    if not isinstance(text, str):
        return None
    try:
        # Python 3.10 does not understand a Z at the end, which stands for UTC.
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _error_message(body: dict[str, Any]) -> str:
    """Return the error that ended a notebook, in one line."""
    for output in cell_outputs(body):
        if output.get("output_type") == "error":
            message = one_line(f"{output.get('ename')}: {output.get('evalue')}", MESSAGE_LIMIT)
            return message or "It failed."
    return "It failed."


def cell_outputs(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the outputs of all cells of a notebook in their order."""
    for cell in body["cells"]:
        if not isinstance(cell, dict):
            continue
        outputs = cell.get("outputs")
        if not isinstance(outputs, list):
            continue
        for output in outputs:
            if isinstance(output, dict):
                yield output


def source_notebook(body: dict[str, Any]) -> bytes:
    """Return the notebook that papermill was given, from what papermill made of it.

    The cells and metadata that papermill and we added are removed, and so are all outputs.
    """
    source = copy.deepcopy(body)
    source["metadata"].pop("papermill", None)
    source["metadata"].pop("gridgpu", None)
    source["cells"] = [_source_cell(cell) for cell in source["cells"] if _is_original(cell)]
    return json.dumps(source, indent=1, ensure_ascii=False).encode()


def _is_original(cell: Any) -> bool:
    """Return whether an item in the list of cells is a cell that papermill did not add."""
    return isinstance(cell, dict) and ADDED_TAGS.isdisjoint(_tags(cell))


def _source_cell(cell: dict[str, Any]) -> dict[str, Any]:
    """Remove from a cell what its execution added, and return the cell."""
    metadata = cell.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("papermill", None)
        metadata.pop("execution", None)
    if cell.get("cell_type") == "code":
        cell.update(outputs=[], execution_count=None)
    return cell


def _tags(cell: dict[str, Any]) -> list[str]:
    metadata = cell.get("metadata")
    if not isinstance(metadata, dict):
        return []
    tags = metadata.get("tags")
    if not isinstance(tags, list):
        return []
    return [tag for tag in tags if isinstance(tag, str)]


# tables of parameters -----------------------------------------------------------------------


def read_tables(path: Path) -> list[ImportedVariant]:
    """Return the variants in a CSV or YAML file, or in all YAML files of a folder.

    Raises UsageError if a file is no table.
    """
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in YAML_SUFFIXES)
    variants: list[ImportedVariant] = []
    for file in files:
        variants += [ImportedVariant(_plain_params(file, params)) for params in read_table(file)]
    return variants
