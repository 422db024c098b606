"""Reads a user's notebook so that papermill and nbclient find in it what they rely on.

Editors and scripts leave metadata of any type: `papermill: null`, tags that are one string. None
of it changes what the cells do, so none of it is a reason to fail.
"""

from __future__ import annotations

from typing import Any

from jupyter_gridgpu.store.json_decoder import parse_json

INJECTED_TAG = "injected-parameters"  # of the cell into which papermill writes the values
FAILING_TAG = "raises-exception"  # of a cell that may fail
_GROUPS = ("papermill", "kernelspec", "language_info", "execution")


def sound_notebook(text: bytes) -> dict[str, Any]:
    """Return the JSON of a notebook in which groups of metadata are groups, and tags are lists.

    Raises ValueError if the text is no notebook.
    """
    body = parse_json(text.decode("utf-8").lstrip("\ufeff"))
    if not isinstance(body, dict) or not isinstance(body.get("cells"), list):
        raise ValueError("it has no list of cells")
    body["metadata"] = _sound_metadata(body.get("metadata"))
    for cell in body["cells"]:
        cell["metadata"] = _sound_metadata(cell.get("metadata"))
        cell["metadata"]["tags"] = _sound_tags(cell["metadata"].get("tags"))
        cell.setdefault("source", "")
        if cell.get("cell_type") == "code" and not isinstance(cell.get("outputs"), list):
            cell["outputs"] = []
    return body


def has_injected_cell(body: dict[str, Any]) -> bool:
    """Return whether a notebook has a cell that papermill will replace by the values."""
    return any(INJECTED_TAG in cell["metadata"]["tags"] for cell in body["cells"])


def allows_errors(metadata: Any) -> bool:
    """Return whether a notebook says that all of its cells may fail, as Jupyter Book reads it."""
    execution = metadata.get("execution")
    return isinstance(execution, dict) and execution.get("allow_errors") is True


def cell_number(cells: list[Any], index: int, injected_is_new: bool) -> int | None:
    """Return the number of the cell at `index` as In [n] shows it when a user runs the notebook.

    Cells without code are not counted, and neither is the cell that papermill has added. That one
    has the number of the cell before it; there is none before the first cell.
    """
    count = 0
    for cell in cells[: index + 1]:
        added = injected_is_new and INJECTED_TAG in cell.metadata.get("tags", [])
        count += bool(cell.cell_type == "code" and cell.source.strip() and not added)
    return count or None


def encodable(text: str) -> str:
    """Return a text that a file can hold: half of a surrogate pair, which none can, becomes `?`."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _sound_metadata(metadata: Any) -> dict[str, Any]:
    if not isinstance(metadata, dict):
        return {}
    for name in _GROUPS:
        if not isinstance(metadata.get(name, {}), dict):
            del metadata[name]
    return metadata


def _sound_tags(tags: Any) -> list[str]:
    if isinstance(tags, str):
        return [tags]
    return [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
