"""Provenance that only the start of a scan knows: the command, git, and the digests of all that goes into the folder."""

from __future__ import annotations

import os
import platform
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jupyter_gridgpu
from jupyter_gridgpu import images
from jupyter_gridgpu.model import numbers
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.space import Choice, Fixed
from jupyter_gridgpu.planning.request import Plan
from jupyter_gridgpu.store.manifest import digest, digests
from jupyter_gridgpu.store.paths import ScanPaths, write_json
from jupyter_gridgpu.worker.packing import pack

FORMAT = 1
COMMAND_LIMIT = 20_000
DIFF_LIMIT = 200_000
STATUS_LIMIT = 5_000
GIT_S = 5.0
DATA_BYTES = (
    256 * 1024 * 1024
)  # of data files that parameters name; beyond it, size and time of change must do
PATH_LIMIT = 500
# Files that may hold secrets are told by their names, and their changes are left out.
_PRIVATE = (
    "*.env",
    "*.pem",
    "*.key",
    "*.p12",
    "*token*",
    "*secret*",
    "*credential*",
    "*password*",
    "*proxy*",
    "*id_rsa*",
)


def equip(
    plan: Plan, scan: ScanSpec, fill: Callable[[ScanPaths], object] | None, paths: ScanPaths
) -> None:
    """Write into a scan's folder what its jobs need to run anywhere, worker and launcher, and where all of it comes from.

    `fill` adds what else the folder is to have, at the end.
    """
    pack(paths.worker)
    paths.launcher.write_text(images.launcher(scan), encoding="utf-8")
    if plan.points:
        paths.points.write_text(plan.points, encoding="utf-8")
    write(paths, replace(plan, scan=scan))
    if fill is not None:
        fill(paths)


def write(paths: ScanPaths, plan: Plan) -> None:
    """Write provenance.json into a folder that is complete but for it. Raises OSError."""
    folder = plan.notebook.path.parent
    body = {
        "format": FORMAT,
        "gridgpu": jupyter_gridgpu.__version__,
        "time": time.time(),
        "host": socket.gethostname(),
        "python": platform.python_version(),
        "command": plan.command[:COMMAND_LIMIT],
        "git": git(folder, plan.notebook.path.name) if plan.git is None else plan.git,
        "data": data(plan.scan, folder),
        "inputs": inputs(paths),
    }
    write_json(paths.provenance, numbers.strict(body))


def inputs(paths: ScanPaths) -> dict[str, tuple[str, int]]:
    """Return the digests of everything that jobs are made of."""
    names = [
        file.name
        for file in (paths.spec, paths.notebook, paths.worker, paths.launcher, paths.points)
    ]
    return digests(
        paths.folder,
        [*names, *(path.relative_to(paths.folder).as_posix() for path in helper_files(paths))],
    )


def helper_files(paths: ScanPaths) -> list[Path]:
    """The plain files that went along with the notebook."""
    return sorted(
        path for path in paths.files.rglob("*") if path.is_file() and not path.is_symlink()
    )


def data(scan: ScanSpec, folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Return, by parameter, the files that its values name: they are read where they are, not copied."""
    budget, found = DATA_BYTES, {}
    for name, axis in scan.space.axes.items():
        values = (
            [axis.value]
            if isinstance(axis, Fixed)
            else axis.values
            if isinstance(axis, Choice)
            else ()
        )
        files = []
        for path in _files(values, folder):
            stat = path.stat()
            about: dict[str, Any] = {
                "path": str(path),
                "size": stat.st_size,
                "changed": stat.st_mtime,
            }
            budget -= stat.st_size
            if budget >= 0:
                about["sha256"] = digest(path.parent, path.name)[0]
            files.append(about)
        if files:
            found[name] = files
    return found


def _files(values: Any, folder: Path) -> Iterator[Path]:
    for value in values:
        try:
            if (
                isinstance(value, str)
                and 0 < len(value) <= PATH_LIMIT
                and (folder / value).resolve().is_file()
            ):
                path = (folder / value).resolve()
                if os.access(path, os.R_OK):
                    yield path
        except (OSError, ValueError, RuntimeError):  # no name of a file
            continue


def git(folder: Path, notebook: str) -> dict[str, Any] | None:
    """Return commit, branch, status and changes of a folder; None where it is in no repository.

    The notebook itself is left out of the changes, since it is kept as a whole.
    """
    commit = _git(folder, 200, "rev-parse", "HEAD")
    if commit is None:
        return None
    private = [f":(exclude,icase,glob)**/{pattern}" for pattern in _PRIVATE]
    here = ["--", ".", f":(exclude,literal){notebook}", *private]
    diff = (
        _git(
            folder,
            DIFF_LIMIT + 1,
            "diff",
            "--no-ext-diff",
            "--no-textconv",
            "--no-color",
            "HEAD",
            *here,
        )
        or ""
    )
    status = _git(folder, STATUS_LIMIT, "status", "--porcelain", "--", ".") or ""
    return {
        "commit": commit.strip(),
        "branch": (_git(folder, 300, "rev-parse", "--abbrev-ref", "HEAD") or "").strip(),
        "dirty": bool(status.strip()),
        "status": status.splitlines(),
        "diff": diff[:DIFF_LIMIT],
        "cut": len(diff) > DIFF_LIMIT,
    }


def _git(folder: Path, limit: int, *words: str) -> str | None:
    """Return at most `limit` bytes of what git says; None where it fails. Nothing of the repository's is run by it."""
    tame = [
        "-c",
        "core.fsmonitor=false",
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "core.quotePath=false",
    ]
    env = {
        **os.environ,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
        "LC_ALL": "C",
    }
    try:
        ran = subprocess.Popen(
            ["git", *tame, "-C", str(folder), *words],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env,
        )  # fmt: skip
    except OSError:
        return None
    return _bounded_output(ran, limit)


def _bounded_output(ran: subprocess.Popen[bytes], limit: int) -> str | None:
    watchdog = threading.Timer(GIT_S, ran.kill)
    watchdog.start()
    try:
        assert ran.stdout is not None
        with ran.stdout:
            text = ran.stdout.read(limit)
            more = ran.stdout.read(1)
        if more:
            ran.kill()
        return text.decode("utf-8", "replace") if ran.wait() == 0 or more else None
    finally:
        watchdog.cancel()
