"""A job on the grid: `worker.pyz grid N` runs task N of the batch that was unpacked in the working folder.

    worker.pyz worker.sh notebook.ipynb files/    as in a scan folder
    jobs.jsonl                                    line N: what the jobs of task N are to run, as a JSON list
    input.txt                                     files of input datasets, comma-separated, where there are any

It leaves userJobMetadata.json (worker/metadata.py) and OUTPUT, an archive of all that the jobs left. A notebook that failed
is a finished job for the grid, which keeps nothing of failed ones; only what another node might do better is a failure.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths, read_json, write_json
from jupyter_gridgpu.worker import grid_metadata

OUTPUT = "gridgpu.tgz"
INPUTS = "input.txt"
NODE, IMAGE = 70, 73  # exit codes where results say so; the others are the launcher's
_ELSEWHERE = {
    "node": NODE,
    "preempted": NODE,
    "image": IMAGE,
}  # reasons that another node may not have
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def run_task(number: int, folder: Path | None = None) -> int:
    """Run task `number` (from 1) in `folder`, by default the working folder. Returns the exit code for the grid."""
    scan = ScanPaths((folder or Path()).absolute())
    keys = _lay_out(scan, number)
    _take_inputs(scan)
    try:
        code = _launch(["sh", str(scan.launcher), str(scan.folder), *keys])
    finally:
        copies = {key: copy for key in keys if (copy := _counts(scan, key)) is not None}
        (scan.folder / grid_metadata.NAME).write_text(grid_metadata.pack(copies), encoding="utf-8")
        _archive(scan, keys)
    return exit_code([_result(copy) for copy in copies.values()], code)


def exit_code(results: Sequence[dict[str, Any]], code: int) -> int:
    """Return 0 if a job left a result that another node would not better, else what went wrong on this one."""
    if any(result.get("reason") not in _ELSEWHERE for result in results):
        return 0
    reasons = [_ELSEWHERE[str(result["reason"])] for result in results]
    return code or (reasons[0] if reasons else NODE)


def _lay_out(scan: ScanPaths, number: int) -> list[str]:
    """Write the job.json of each job of the task, and return their keys."""
    with open(scan.folder / "jobs.jsonl", encoding="utf-8") as file:
        specs = json.loads(next(line for i, line in enumerate(file, 1) if i == number))
    for spec in specs:
        job = scan.job(spec["key"])
        job.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(job.spec, spec)
    return [spec["key"] for spec in specs]


def _take_inputs(scan: ScanPaths) -> None:
    """Put the files of input datasets among the files that the notebook finds beside it."""
    with contextlib.suppress(OSError):
        for name in (
            (scan.folder / INPUTS).read_text(encoding="utf-8").replace("\n", ",").split(",")
        ):
            source = scan.folder / name.strip()
            if name.strip() and source.is_file():
                scan.files.mkdir(exist_ok=True, mode=0o700)
                (scan.files / source.name).symlink_to(source)


def _launch(argv: list[str]) -> int:
    """Run the launcher; signals that end this process are passed on to it, and it is waited for."""
    launched = subprocess.Popen(argv)
    for number in _SIGNALS:
        signal.signal(number, lambda number, _: launched.send_signal(number))
    code = launched.wait()
    return code if code >= 0 else 128 - code


def _counts(scan: ScanPaths, key: str) -> CopyPaths | None:
    """The copy of a job whose result was published, else the newest."""
    body = read_json(scan.job(key).result, 1_000_000)
    copies = scan.job(key).copies()
    named = [
        copy for copy in copies if isinstance(body, dict) and copy.folder.name == body.get("copy")
    ]
    return next(iter([*named, *copies[-1:]]), None)


def _result(copy: CopyPaths) -> dict[str, Any]:
    body = read_json(copy.result, 1_000_000)
    return body if isinstance(body, dict) else {"reason": "node"}


def _archive(scan: ScanPaths, keys: Sequence[str]) -> None:
    """Pack what the jobs left, but for links to what came along with them. Its absence would be a failure of the grid's."""
    with tarfile.open(scan.folder / OUTPUT, "w:gz", compresslevel=6) as archive:
        for key in keys:
            for path in sorted(scan.job(key).folder.rglob("*")):
                if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK):
                    archive.add(path, path.relative_to(scan.folder).as_posix())
