"""Makes a file of a scan that was started: `gridgpu show SCAN --save scan.yaml`."""

from __future__ import annotations

import re
from pathlib import Path

from jupyter_gridgpu.errors import NotebookError, UsageError
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.planning import scan_file
from jupyter_gridgpu.planning.notebook import read_notebook
from jupyter_gridgpu.planning.recorded_options import given_options
from jupyter_gridgpu.store import home


def save_scan(scan: ScanSpec, path: str | Path, overwrite: bool = False) -> list[str]:
    """Write a file that asks for this scan, and return what is to be said of it, in sentences.

    The file names notebook and helper files as beside it: a scan does not keep where they were.
    Raises UsageError or StorageError.
    """
    if scan.recorded:
        other = f": save {scan.origin.name}" if scan.origin and scan.origin.name else ""
        raise UsageError(f"{scan.name} runs points of another scan, and no file has these{other}.")
    folder = Path(path).parent
    notebook = folder / scan.notebook
    options = given_options(scan)
    said = []
    try:
        found = read_notebook(notebook, None)
    except NotebookError:
        found = None
        said.append(f"{notebook} is not there: put it beside the file, or name its place in it.")
    if found is not None and found.digest != scan.notebook_digest:
        said.append(f"{notebook} has changed since {scan.name} was started.")
    # The notebook's own kernel need not be said.
    if found is None or found.kernel != scan.kernel:
        options["kernel"] = scan.kernel
    if not re.fullmatch(rf"{re.escape(home.name_from(scan.notebook))}(-\d+)?", scan.name):
        options["name"] = scan.name
    if scan.files:
        options["files"] = scan.files
        gone = [name for name in scan.files if not (folder / name).exists()]
        if gone:
            said.append(f"{', '.join(gone[:3])}: not beside {path}; say in it where they are.")
    if scan.own_points:
        said.append(f"The {scan.own_points:,} points of --points are not in it: name their file.")
    return [scan_file.save(path, notebook, scan.space, options, overwrite=overwrite), *said]
