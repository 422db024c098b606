"""Where scans live, and how one is found by name, id or folder."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from jupyter_gridgpu.errors import StorageError, UnknownScan, UsageError
from jupyter_gridgpu.model import scan as scans
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.store.paths import ScanPaths, read_json, write_json

NAME_LIMIT = 64
NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{NAME_LIMIT - 1}}}")


HOME = "GRIDGPU_HOME"
Equip = Callable[[ScanPaths], None]
_FIRST = os.environ.get(HOME)


def home() -> Path:
    """The folder that holds the scans: $GRIDGPU_HOME, else `gridgpu` in the user's data folder."""
    if given := os.environ.get(HOME):
        return Path(given).expanduser().absolute()
    import platformdirs

    return Path(platformdirs.user_data_dir("gridgpu", appauthor=False))


def move(folder: str) -> Path:
    """Keep scans in another folder from now on, here and in what this process starts; "" is where they were at first.

    Returns the folder. Raises UsageError if it is none.
    """
    if not folder.strip():
        os.environ.pop(HOME, None)
        os.environ.update({HOME: _FIRST} if _FIRST else {})
        return home()
    wanted = user_path(folder.strip()) if folder.isprintable() else Path()
    if not wanted.is_absolute():
        raise UsageError(
            f"{folder!r} cannot hold scans: give a whole path, like /data/scans or ~/scans."
        )
    if not _is_folder(wanted):
        raise UsageError(f"There is no folder {wanted} to keep scans in.")
    os.environ[HOME] = str(wanted)
    return home()


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, a part that may not be looked into
        return False


def user_path(path: str | Path) -> Path:
    """Return a path with `~` resolved where that can be."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # nobody of that name
        return Path(path)


def check_name(name: str) -> str:
    """Return `name` if it can name a scan and its folder. Raises UsageError."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a scan: use up to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit."
        )
    return name


def name_from(notebook: str) -> str:
    """Return a scan name made of a notebook's file name."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", Path(notebook).stem).strip("-._")[:48] or "scan"


def load(folder: Path) -> ScanSpec:
    """Return the spec in a scan folder; a scan is called as its folder is, which may have been moved.

    Raises UnknownScan or StorageError.
    """
    body = read_json(ScanPaths(folder).spec)
    if not isinstance(body, dict):
        raise UnknownScan(f"{folder} is no scan folder: it has no readable scan.json.")
    scan = scans.from_json(body)
    if not isinstance(scan.name, str) or not NAME.fullmatch(scan.name):
        raise StorageError(
            f"scan.json in {folder} cannot be read: {scan.name!r} is no name of a scan."
        )
    return replace(scan, name=folder.name) if NAME.fullmatch(folder.name) else scan


def folders() -> list[Path]:
    """Return the folders of all scans, oldest first. Raises StorageError if the home is there and cannot be read."""
    try:
        entries = [
            entry
            for entry in os.scandir(home())
            if NAME.fullmatch(entry.name) and ScanPaths(Path(entry.path)).spec.exists()
        ]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StorageError(
            f"The home of scans, {home()}, cannot be read: {error.strerror}."
        ) from None
    return [
        Path(entry.path)
        for entry in sorted(
            entries, key=lambda entry: ScanPaths(Path(entry.path)).spec.stat().st_mtime_ns
        )
    ]


def find(scan: str) -> Path:
    """Return the folder of a scan given by name, id or folder. Raises UnknownScan, with the nearest name."""
    if os.sep in scan or scan in (".", ".."):
        folder = user_path(scan).absolute()
        if ScanPaths(folder).spec.exists():
            return folder
        raise UnknownScan(f"{scan} is no scan folder: it has no scan.json.")
    if NAME.fullmatch(scan) and ScanPaths(home() / scan).spec.exists():
        return home() / scan
    known = folders()
    for folder in known:
        if _spec(folder).get("id") == scan:
            return folder
    raise UnknownScan(
        f"There is no scan {scan!r}{_nearest(scan, known)} `gridgpu list` shows those there are."
    )


def _spec(folder: Path) -> dict[str, Any]:
    body = read_json(ScanPaths(folder).spec)
    return body if isinstance(body, dict) else {}


def _nearest(scan: str, known: list[Path]) -> str:
    import difflib

    close = difflib.get_close_matches(scan, [folder.name for folder in known], n=1)
    return f"; did you mean {close[0]}?" if close else "."


def find_fingerprint(fingerprint: str, name: str | None) -> Path | None:
    """Return the newest scan (of that name, if one is given) that was started by the same request."""
    for folder in reversed(folders()):
        body = _spec(folder)
        if body.get("fingerprint") == fingerprint and name in (
            None,
            body.get("name"),
            body.get("asked_name"),
        ):
            return folder
    return None


@contextmanager
def starting() -> Iterator[None]:
    """Hold the home folder while a scan is looked for and created, so that two clicks start one scan."""
    try:
        home().mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(home() / ".starting", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StorageError(
            f"Scans cannot be kept in {home()}: {error.strerror}. Set GRIDGPU_HOME to a folder you can write."
        ) from None
    try:
        with suppress(OSError):  # without locks, two clicks at once may start two scans
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def free_name(wanted: str) -> str:
    """Return `wanted`, or the first of wanted-2, wanted-3, ... that no scan has."""
    name, n = wanted, 1
    while (home() / name).exists():
        n += 1
        tail = f"-{n}"
        name = wanted[: NAME_LIMIT - len(tail)] + tail
    return name


def create(
    scan: ScanSpec, notebook: bytes, files: dict[str, Path], equip: Equip, asked_name: str | None
) -> Path:
    """Make the folder of a new scan, complete or not at all, and return it; `equip` fills in the rest. Raises StorageError."""
    folder = home() / scan.name
    try:
        part = Path(tempfile.mkdtemp(prefix=".new-", dir=home()))
        try:
            _fill(ScanPaths(part), scan, notebook, files, equip, asked_name)
            os.rename(part, folder)
        except BaseException:
            shutil.rmtree(part, ignore_errors=True)
            raise
    except OSError as error:
        raise StorageError(
            f"The scan cannot be kept in {folder}: {error.strerror or error}."
        ) from None
    return folder


def _fill(
    paths: ScanPaths,
    scan: ScanSpec,
    notebook: bytes,
    files: dict[str, Path],
    equip: Equip,
    asked_name: str | None,
) -> None:
    paths.notebook.write_bytes(notebook)
    for folder in (paths.files, paths.inbox, paths.jobs):
        folder.mkdir(mode=0o700)
    for name, source in files.items():
        target = paths.files / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy2)(source, target)
    for path in paths.files.rglob("*"):
        if path.is_file():
            path.chmod(0o444)  # all jobs of the scan read the same ones
    write_json(
        paths.spec,
        {**scans.to_json(scan), "fingerprint": scans.fingerprint(scan), "asked_name": asked_name},
    )
    equip(paths)
