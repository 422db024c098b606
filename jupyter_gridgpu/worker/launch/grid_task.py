"""Runs one task of a batch on the grid: `worker.pyz grid N` in the folder of the unpacked sandbox.

    worker.pyz worker.sh notebook.ipynb files/    as in a scan folder
    jobs.jsonl                                    line N: the jobs of task N, as a JSON list
    input.txt                                     files of input datasets, comma-separated

`input.txt` is there only if the scan asks for datasets. The task leaves userJobMetadata.json (see
grid_metadata.py) and OUTPUT, an archive of all that its jobs left. PanDA keeps nothing of a job
that failed. So the task reports success even if a notebook failed; the result in the metadata says
that it did. The task reports a failure only if another node might do better, or if the metadata
cannot be written. Then its exit code says the reason, and the message of the result goes where the
pilot looks for one (see `_say_why`).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jupyter_gridgpu.model.exit_codes import (
    CODE_OF_REASON,
    EXIT_NODE,
    LAUNCHER_EXITS,
    OUR_EXITS,
)
from jupyter_gridgpu.model.job import one_line
from jupyter_gridgpu.store.json_decoder import parse_json
from jupyter_gridgpu.store.opener import open_new, open_plain, read_bounded, users_opener
from jupyter_gridgpu.store.paths import CopyPaths, ScanPaths, read_json, write_atomic, write_json
from jupyter_gridgpu.store.tail import tail_text
from jupyter_gridgpu.worker import grid_metadata
from jupyter_gridgpu.worker.work_folder import is_helper_copy

OUTPUT = "gridgpu.tgz"
INPUTS = "input.txt"
INPUTS_BYTES = 64_000_000
RESULT_BYTES = 1_000_000
LOG_END_BYTES = 4096
# Reasons of failures that may not happen on another node, so that PanDA should try the task there.
_TRY_ELSEWHERE = ("node", "preempted", "image")
_NO_RESULT: dict[str, Any] = {"reason": "node"}  # of a copy that left none
ERROR_REPORT = "payload_error_report.json"  # which PanDA's pilot reads
MESSAGE_LENGTH = 200  # PanDA keeps about 250 characters
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


def run_task(number: int, folder: Path | None = None) -> int:
    """Run task `number`, counted from 1, and return the exit code for the grid.

    `folder` is that of the sandbox, by default the working folder.
    """
    scan = ScanPaths((folder or Path()).absolute())
    keys = _write_specs(scan, number)
    _link_inputs(scan)
    (scan.folder / ERROR_REPORT).unlink(missing_ok=True)
    launcher_code = _run_launcher(["sh", str(scan.launcher), str(scan.folder), *keys])
    # Files are collected whatever happened, since PanDA removes the folder afterwards.
    copies = _copies_to_return(scan, keys)
    results = [_result(copy) for copy in copies.values()]
    code = exit_code(results, launcher_code)
    message = _message(scan, keys, results)
    try:
        write_atomic(scan.folder / grid_metadata.FILE_NAME, grid_metadata.pack(copies))
        _archive(scan, keys)
    except OSError as error:
        # Nothing comes back without these files, so the code must say what became of the jobs.
        code = exit_code_of_lost(results, launcher_code)
        message = f"{message} What the job left could not be written: {error.strerror}.".strip()
    if code:
        _say_why(scan, code, message)
    return code


def exit_code(results: Sequence[dict[str, Any]], code: int) -> int:
    """Return the exit code of a task with these results, whose launcher ended with `code`.

    The exit code is 0 if any job left a result that another node could not improve, since PanDA
    would lose this result with a failure. Otherwise it is the launcher's code, or if that is 0, the
    code for the reason of the first result.
    """
    # A job that is done has no reason, so it is not among those to try elsewhere.
    if any(result.get("reason") not in _TRY_ELSEWHERE for result in results):
        return 0
    return exit_code_of_lost(results, code)


def exit_code_of_lost(results: Sequence[dict[str, Any]], code: int) -> int:
    """Return the exit code of a task whose results do not come back. It is never 0."""
    known = [result for result in results if result is not _NO_RESULT]
    # The launcher's own codes say what it found.
    if code in LAUNCHER_EXITS or (code and not known):
        return code
    for result in known:
        if result.get("reason") in CODE_OF_REASON:
            return CODE_OF_REASON[str(result["reason"])]
    return code or EXIT_NODE


def _message(scan: ScanPaths, keys: Sequence[str], results: Sequence[dict[str, Any]]) -> str:
    """Return why the jobs of a task failed: the first result's message, or the launcher's."""
    for result in results:
        if line := one_line(result.get("message"), MESSAGE_LENGTH):
            return line
    for key in keys:
        with contextlib.suppress(OSError):
            lines = tail_text(scan.job(key).log, LOG_END_BYTES).strip().splitlines()
            if lines and (line := one_line(lines[-1], MESSAGE_LENGTH)):
                return line
    return ""


def _say_why(scan: ScanPaths, code: int, message: str) -> None:
    """Tell the pilot why a task fails.

    It reads an error report, and older versions look for a line `ERROR: ...` on stderr.
    """
    _, meaning = OUR_EXITS.get(code, (None, f"The job ended with exit code {code}."))
    text = one_line(message or meaning, MESSAGE_LENGTH)
    print(f"ERROR: {text}", file=sys.stderr, flush=True)
    # On a full disk, the line above must do.
    with contextlib.suppress(OSError):
        write_json(scan.folder / ERROR_REPORT, {"error_code": code, "error_diag": text})


def _write_specs(scan: ScanPaths, number: int) -> list[str]:
    """Write the job.json of each job of a task, and return the keys of the jobs."""
    with open_plain(scan.folder / "jobs.jsonl") as file:
        specs = parse_json(next(itertools.islice(file, number - 1, None)))
    for spec in specs:
        job = scan.job(spec["key"])
        job.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_json(job.spec, spec)
    return [spec["key"] for spec in specs]


def _link_inputs(scan: ScanPaths) -> None:
    """Make links to the files of input datasets in the folder of helper files.

    The notebook finds them beside itself.
    """
    try:
        text = read_bounded(scan.folder / INPUTS, INPUTS_BYTES, users_opener).decode()
        names = text.replace("\n", ",").split(",")
    except OSError:  # the scan asks for no datasets
        return
    with contextlib.suppress(OSError):
        for name in map(str.strip, names):
            source = scan.folder / name
            if name and source.is_file():
                # A link, since inputs are large; the job's own folder links to it again.
                scan.files.mkdir(exist_ok=True, mode=0o700)
                (scan.files / source.name).symlink_to(source)


def _run_launcher(command: list[str]) -> int:
    """Run the launcher and return its exit code; 128 + N if signal N ended it.

    Signals that ask this process to end are passed on to the launcher, which becomes the worker.
    The worker saves the notebook; this function waits until the worker has ended.
    """
    launcher = subprocess.Popen(command)
    # The pilot sends a signal to the task when its time is over.
    for number in _SIGNALS:
        signal.signal(number, lambda number, _: launcher.send_signal(number))
    code = launcher.wait()
    if code < 0:
        return 128 - code
    return code


def _copies_to_return(scan: ScanPaths, keys: Sequence[str]) -> dict[str, CopyPaths]:
    """Return key -> the copy whose files the metadata gets; a job without a copy is left out."""
    copies = {}
    for key in keys:
        copy = _copy_to_return(scan, key)
        if copy is not None:
            copies[key] = copy
    return copies


def _copy_to_return(scan: ScanPaths, key: str) -> CopyPaths | None:
    """Return the copy of a job whose result was published, else the newest; None without copies."""
    copies = scan.job(key).copies()
    if not copies:
        return None
    published = read_json(scan.job(key).result, RESULT_BYTES)
    if isinstance(published, dict):
        for copy in copies:
            if copy.folder.name == published.get("copy"):
                return copy
    return copies[-1]


def _result(copy: CopyPaths) -> dict[str, Any]:
    """Return the result of a copy; without a result, the copy counts as ended by its node."""
    result = read_json(copy.result, RESULT_BYTES)
    if isinstance(result, dict):
        return result
    return _NO_RESULT


def _archive(scan: ScanPaths, keys: Sequence[str]) -> None:
    """Pack all that the jobs left into OUTPUT.

    The archive is made even if it is empty, since PanDA expects it. Links are left out: they lead
    to files that came with the sandbox.
    """
    target = scan.folder / OUTPUT
    target.unlink(missing_ok=True)  # a job may have left something of this name
    with (
        open_new(target) as file,
        tarfile.open(target, "w:gz", fileobj=file, compresslevel=6) as archive,
    ):
        for key in keys:
            for path in sorted(scan.job(key).folder.rglob("*")):
                if path.is_symlink() or not path.is_file() or not os.access(path, os.R_OK):
                    continue
                # jobs/KEY/COPY/artifacts/...
                copy = scan.job(key).folder / path.relative_to(scan.job(key).folder).parts[0]
                if not is_helper_copy(scan, copy / "artifacts", path):
                    archive.add(path, path.relative_to(scan.folder).as_posix())
