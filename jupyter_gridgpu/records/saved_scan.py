"""Makes a file of a scan that was started: `gridgpu show SCAN --save scan.yaml`."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jupyter_gridgpu.errors import NotebookError, StorageError, UsageError
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.planning import scan_file
from jupyter_gridgpu.planning.notebook import read_notebook
from jupyter_gridgpu.planning.recorded_options import given_options
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.access import why
from jupyter_gridgpu.store.opener import create_plain, holds
from jupyter_gridgpu.store.paths import write_atomic
from jupyter_gridgpu.store.points import read_all


def save_scan(scan: ScanSpec, points: Path, path: str | Path, overwrite: bool = False) -> list[str]:
    """Write a file that asks for this scan, and return what is to be said of it, in sentences.

    `points` is the scan's points.jsonl. Points of the user's own go into a file of their own. The
    file names notebook and helper files as beside it: a scan does not keep where they were. Raises
    UsageError or StorageError.
    """
    if scan.recorded:
        other = f": save {scan.origin.name}" if scan.origin and scan.origin.name else ""
        raise UsageError(f"{scan.name} runs points of another scan, and no file has these{other}.")
    folder = home.user_path(path).parent
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
        options["points"] = str(_save_points(scan, points, home.user_path(path), overwrite))
    return [scan_file.save(path, notebook, scan.space, options, overwrite=overwrite), *said]


def _save_points(scan: ScanSpec, points: Path, path: Path, overwrite: bool) -> Path:
    """Write the user's own points into a JSON file beside the file `path`, and return its path."""
    target = path.with_name(f"{path.stem}-points.json")
    repeated = scan.space.repeats
    rows = [
        {name: value for name, value in line["params"].items() if name != (repeated or ("",))[0]}
        for line in read_all(points, scan.own_points * scan.space.repeat_count)
        if line["repeat"] == 0
    ]
    # `--points` reads NaN as Python writes it.
    text = json.dumps(rows, indent=1) + "\n"
    try:
        if overwrite:
            write_atomic(target, text)
        elif not holds(target, text.encode()):
            create_plain(target, text.encode())
    except FileExistsError:
        raise UsageError(f"{target}: it is there and has other points; say --overwrite.") from None
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {why(error, target)}.") from None
    return target
