"""Saves the scan that a form describes as a file, which `gridgpu run` takes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import GridGpuError
from jupyter_gridgpu.model.typed_values import typed_line
from jupyter_gridgpu.planning import scan_file
from jupyter_gridgpu.planning.declaration import Options
from jupyter_gridgpu.planning.options import read_options_line


def save(
    checked: Mapping[str, Any], path: object, overwrite: bool, variables: Mapping[str, Any]
) -> dict[str, Any]:
    """Write the scan of a checked form into a file, and return a sentence for the browser.

    `path` comes from the browser. `variables` are those that values of the form may use.
    """
    try:
        return {"saved": True, "text": _save(checked, typed_line(path), overwrite, variables)}
    except (GridGpuError, OSError) as error:
        text = str(error).replace("--save ", "").replace("say --overwrite", "switch on overwrite")
        return {"saved": False, "text": text}


def _save(
    checked: Mapping[str, Any], path: str, overwrite: bool, variables: Mapping[str, Any]
) -> str:
    if checked["errors"]:
        raise GridGpuError("Correct the values first; then the scan can be saved.")
    if checked["unchecked"]:
        raise GridGpuError(
            "Lines of the cell can only be computed when it runs: run the cell with --save FILE."
        )
    first, _, body = str(checked["cell"]).partition("\n")
    if not body:
        raise GridGpuError("Nothing varies yet, so there is no scan to save.")
    values = read_options_line(shlex.split(first)[1:])
    names = {field.name for field in fields(Options)}
    options = {name: value for name, value in values.items() if name in names}
    return scan_file.save(
        Path(path or "scan.yaml"),
        values["notebook"],
        body,
        options,
        variables=variables,
        overwrite=overwrite,
    )
