"""The home of scans: the folder that holds them, and how a scan in it is found and made."""

from __future__ import annotations

import fcntl
import json
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
from jupyter_gridgpu.model.fields import NAME as NAME
from jupyter_gridgpu.model.fields import NAME_LIMIT as NAME_LIMIT
from jupyter_gridgpu.model.plain_values import whole_texts
from jupyter_gridgpu.model.scan import ScanSpec
from jupyter_gridgpu.model.scan_record import from_json
from jupyter_gridgpu.store import access, ownership
from jupyter_gridgpu.store.opener import LOCK, copy_file, create_plain, plain_handle
from jupyter_gridgpu.store.paths import ScanPaths, read_json, write_json

NOTEBOOK_NAME_LIMIT = 48  # of a name made from a notebook's, so that a number fits behind it
HOME_VARIABLE = "GRIDGPU_HOME"
PRIVATE = 0o600
READ_ONLY = 0o444
EXECUTABLE = 0o111
Equip = Callable[[ScanPaths], None]
_HOME_AT_START = os.environ.get(HOME_VARIABLE)  # what the variable was when this process began


def home() -> Path:
    """Return the folder that holds the scans: $GRIDGPU_HOME, else `gridgpu` in the user's data."""
    given = os.environ.get(HOME_VARIABLE)
    if given:
        return Path(given).expanduser().absolute()
    import platformdirs  # late: no worker needs it, and an image need not have it

    return Path(platformdirs.user_data_dir("gridgpu", appauthor=False))


def make_home() -> Path:
    """Make the folder that holds the scans, unless it is there, and return it. Raises OSError.

    Whatever the user's umask is, nobody else may write to it, or to the folders above it that are
    made with it: a runner would not run what others may change.
    """
    folder = home()
    for parent in reversed(folder.parents):
        # Not asked for first: another process may make the same folders.
        with suppress(FileExistsError, PermissionError, IsADirectoryError):
            if not parent.is_dir():
                parent.mkdir(mode=0o755)
    folder.mkdir(exist_ok=True, mode=0o700)
    return folder


def use_home(folder: str) -> Path:
    """Keep scans in another folder from now on, and return that folder.

    This holds for this process and for the processes that it starts. An empty `folder` brings back
    the home that the process began with. Raises UsageError if there is no such folder.
    """
    if not folder.strip():
        os.environ.pop(HOME_VARIABLE, None)
        if _HOME_AT_START:
            os.environ[HOME_VARIABLE] = _HOME_AT_START
        return home()
    wanted = Path()
    if folder.isprintable():
        wanted = user_path(folder.strip())
    if not wanted.is_absolute():
        raise UsageError(
            f"{folder!r} cannot hold scans: give a whole path, like /data/scans or ~/scans."
        )
    if not _is_folder(wanted):
        raise UsageError(f"There is no folder {wanted} to keep scans in.")
    os.environ[HOME_VARIABLE] = str(wanted)
    return home()


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that is too long, or a folder that this user may not look into
        return False


def user_path(path: str | Path) -> Path:
    """Return a path with `~` replaced by the home of the user, where there is such a user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:  # there is no user of that name
        return Path(path)


def check_name(name: str) -> str:
    """Return `name` if a scan, and so a folder, can be called like that. Raises UsageError."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name a scan: use up to 64 letters, digits, '.', '_' or '-', "
            "beginning with a letter or digit."
        )
    return name


def name_from(notebook: str) -> str:
    """Return a name for a scan, made from the file name of its notebook."""
    words = re.sub(r"[^A-Za-z0-9._-]+", "-", Path(notebook).stem)
    return words.strip("-._")[:NOTEBOOK_NAME_LIMIT] or "scan"


def load(folder: Path) -> ScanSpec:
    """Return the spec in a scan folder.

    Raises UnknownScan if the folder holds no scan, StorageError if the spec cannot be understood.
    """
    body = read_json(ScanPaths(folder).spec)
    if not isinstance(body, dict):
        closed = access.closed(ScanPaths(folder).spec)
        if closed is not None:
            raise UnknownScan(f"The scan in {folder} cannot be read: {closed}.")
        raise UnknownScan(f"{folder} is no scan folder: it has no readable scan.json.")
    try:
        scan = from_json(whole_texts(body), f"scan.json in {folder}")
    except RecursionError:
        raise StorageError(f"scan.json in {folder} is nested too deeply.") from None
    # A folder that was renamed is found by its new name, so the scan gets the name of its folder.
    if NAME.fullmatch(folder.name):
        return replace(scan, name=folder.name)
    return scan


def folders() -> list[Path]:
    """Return the folders of all scans, the oldest first.

    Raises StorageError if the home exists and cannot be read.
    """
    # The spec is written once, so its time stamp is the time when the scan was made.
    stamps = spec_stamps()
    return sorted(stamps, key=lambda folder: stamps[folder])


def spec_stamps() -> dict[Path, int]:
    """Return the folder of each scan, with the time (ns) of the last change of its spec.

    Raises StorageError if the home exists and cannot be read.
    """
    found: dict[Path, int] = {}
    try:
        for entry in os.scandir(home()):
            if NAME.fullmatch(entry.name):
                stamp = _spec_stamp(Path(entry.path))
                if stamp is not None:
                    found[Path(entry.path)] = stamp
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        reason = access.why(error, home())
        raise StorageError(f"The home of scans, {home()}, cannot be read: {reason}.") from None
    return found


def _spec_stamp(folder: Path) -> int | None:
    """Return the time of the last change of a spec, or None if the folder holds no spec.

    One folder that cannot be looked into is in nobody's way: it counts as a scan that was made at
    time 0, and `load` says what is wrong with it.
    """
    try:
        return os.stat(ScanPaths(folder).spec).st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return 0


def find(scan: str) -> Path:
    """Return the folder of a scan that is given by name, id or folder.

    Raises UnknownScan, which suggests the name that is most alike.
    """
    if os.sep in scan or scan in (".", ".."):
        folder = user_path(scan).absolute()
        if _spec_stamp(folder) is not None:
            return folder
        raise UnknownScan(f"{scan} is no scan folder: it has no scan.json.")
    if NAME.fullmatch(scan) and _spec_stamp(home() / scan) is not None:
        return home() / scan
    known = folders()
    for folder in known:
        if _spec(folder).get("id") == scan:
            return folder
    raise UnknownScan(
        f"There is no scan {scan!r}{_suggestion(scan, known)} `gridgpu list` shows those there are."
    )


def _spec(folder: Path) -> dict[str, Any]:
    """Return scan.json as it is, or an empty dict if it cannot be read."""
    body = read_json(ScanPaths(folder).spec)
    if not isinstance(body, dict):
        return {}
    return body


def _suggestion(scan: str, known: list[Path]) -> str:
    import difflib  # late: it is needed for a mistyped name only

    close = difflib.get_close_matches(scan, [folder.name for folder in known], n=1)
    if not close:
        return "."
    return f"; did you mean {close[0]}?"


def find_fingerprint(fingerprint: str, name: str | None) -> Path | None:
    """Return the folder of the newest scan that was started by the same request, or None.

    If `name` is given, the scan must have this name, or must have been requested with this name.
    Scans of others, and those that were unpacked, are passed over.
    """
    for folder in reversed(folders()):
        body = _spec(folder)
        names = (None, body.get("name"), body.get("asked_name"))
        if body.get("fingerprint") != fingerprint or name not in names:
            continue
        if _is_readable(folder) and not _is_of_others(folder):
            return folder
    return None


def _is_readable(folder: Path) -> bool:
    """Return whether a folder holds a sound spec; one that does not must not hide another scan."""
    try:
        load(folder)
    except (UnknownScan, StorageError):
        return False
    return True


def _is_of_others(folder: Path) -> bool:
    found = ownership.foreign(folder)
    # A folder with wrong modes is the user's: what to do about it is said when its runner starts.
    return found is not None and found.why in (ownership.OWNER, ownership.UNPACKED)


@contextmanager
def starting() -> Iterator[None]:
    """Hold a lock of the home while a scan is looked for and made, so that two clicks start one.

    Raises StorageError if the home cannot be written.
    """
    try:
        make_home()
        handle = plain_handle(home() / ".starting", LOCK)
    except OSError as error:
        raise StorageError(
            f"Scans cannot be kept in {home()}: {access.why(error, home())}. "
            "Set GRIDGPU_HOME to a folder you can write."
        ) from None
    try:
        # On a file system without locks, two clicks at the same moment may start two scans. That is
        # better than to start none.
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def free_name(wanted: str) -> str:
    """Return `wanted`, or the first of wanted-2, wanted-3, ... that no scan has."""
    name, number = wanted, 1
    while (home() / name).exists():
        number += 1
        tail = f"-{number}"
        name = wanted[: NAME_LIMIT - len(tail)] + tail
    return name


def create(
    scan: ScanSpec, notebook: bytes, files: dict[str, Path], equip: Equip, asked_name: str | None
) -> Path:
    """Make the folder of a new scan and return it.

    `files` maps names in the scan folder to the files and folders that are copied there. `equip`
    adds the rest (worker, launcher, provenance) before anybody sees the folder. Raises
    StorageError; then there is no folder.
    """
    # What is written here must be readable again, whatever was asked for.
    from_json(json.loads(json.dumps(scans.to_json(scan))), "The spec of this scan")
    folder = home() / scan.name
    try:
        # The folder is filled under another name, which is no name of a scan, and then renamed. So
        # it is complete or missing, and the rename fails if another scan has taken the name.
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
    """Write all files of a new scan. Raises OSError."""
    create_plain(paths.notebook, notebook)
    for folder in (paths.files, paths.inbox, paths.jobs):
        folder.mkdir(mode=0o700)
    for name, source in files.items():
        _copy(source, paths.files / name)
    # All jobs of the scan read the same helper files, so no job may change them for the others.
    for path in paths.files.rglob("*"):
        if path.is_file():
            # A program among them must stay one.
            path.chmod(READ_ONLY | (path.stat().st_mode & EXECUTABLE))
        else:
            path.chmod(path.stat().st_mode & ~ownership.OTHERS_WRITE)
    body = scans.to_json(scan)
    write_json(
        paths.spec, {**body, "fingerprint": scans.fingerprint(scan), "asked_name": asked_name}
    )
    equip(paths)
    # A user's umask may let the group write. A runner would not run what others may change.
    for path in paths.folder.iterdir():
        if path.is_file():
            path.chmod(PRIVATE)


def _copy(source: Path, target: Path) -> None:
    """Copy a file, or a folder with its content. Raises OSError."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_copy_file)
    else:
        _copy_file(source, target)


def _copy_file(source: str | Path, target: str | Path) -> None:
    """Copy a file with its times and its mode. Raises OSError, also for a pipe or a device."""
    copy_file(source, target)
    shutil.copystat(source, target)
