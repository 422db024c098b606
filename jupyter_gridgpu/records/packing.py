"""Packs a scan into one file, and unpacks a file that somebody sent.

An unpacked file may come from anybody. No name in it can lead out of the new folder, its size is
bounded, and nothing in it is run. The new folder gets a mark that the file has no say in: with the
mark, no runner ever drives the scan (store/ownership.py). A replay makes an own scan of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from jupyter_gridgpu.errors import StorageError, UnknownScan, UsageError
from jupyter_gridgpu.model.records import UnpackedFile
from jupyter_gridgpu.records.record import Record, load_record
from jupyter_gridgpu.records.verify import CODE
from jupyter_gridgpu.store import home
from jupyter_gridgpu.store.access import closed, why
from jupyter_gridgpu.store.opener import open_new, open_users
from jupyter_gridgpu.store.paths import ScanPaths

SUFFIX = ".gridscan.zip"
# Files and folders that are left out of a pack: on another machine they would do harm.
LEFT_OUT = (
    "inbox",
    "unpacked.json",
    "runner.lock",
    "runner.log",
    "batches",
    "fold.json",
    "checkpoint.json",  # the name of fold.json in version 0.1.0
)
LEFT_OUT_OF_JOBS = ("claim.json", "stop")
COUNT_LIMIT = 500_000  # files
SIZE_LIMIT = 50 * 2**30  # bytes when unpacked
RATIO_LIMIT = 200  # unpacked bytes per packed byte; the text of metrics reaches about 20
RATIO_FREE = 10 * 2**20  # bytes; a pack that is smaller when unpacked may have any ratio
PATH_LIMIT = 1000  # characters
NAME_SHOWN = 100  # characters of a name in an error text
SAME_NAME_LIMIT = 1000  # the largest number that is added to a name
CHUNK = 1024 * 1024  # bytes that are copied at once
# Control characters, backslashes, absolute paths of Linux and Windows, empty parts, `.` and `..`
_BAD_PATH = re.compile(r"[\x00-\x1f\x7f\\]|^/|^[A-Za-z]:|(^|/)\.\.?(/|$)|//")
_ENCRYPTED = 0x1  # a flag bit of a zip file's member
# What Python raises for bytes of an archive that were changed.
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError)


# packing ------------------------------------------------------------------------------------


def pack(record: Record, target: Path | None = None) -> Path:
    """Write a scan that has ended into one file and return its path.

    Raises UsageError or StorageError.
    """
    if not record.finished or record.view.active:
        raise UsageError(f"{record.name} has not ended: wait for it or stop it, then pack it.")
    target = (target or Path(f"{record.name}{SUFFIX}")).absolute()
    if os.path.lexists(target):
        raise _is_there_already(target)
    # The pack gets its name when it is complete. A link, unlike a rename, replaces no file that
    # somebody else has just written there.
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with zipfile.ZipFile(
            part, "x", zipfile.ZIP_DEFLATED, compresslevel=4, strict_timestamps=False
        ) as archive:
            for name in _files_to_pack(record.paths.folder):
                _add_file(record, archive, name)
        os.link(part, target)
    except FileExistsError:
        raise _is_there_already(target) from None
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {why(error, target)}.") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return target


def _is_there_already(target: Path) -> UsageError:
    return UsageError(f"{target} is there already; name another place with --output.")


def _files_to_pack(root: Path) -> Iterator[str]:
    """Yield the plain files of a scan's folder, as paths relative to it.

    Links are left out, such as those to the helper files in the folder of every job.
    """
    for folder, folders, files in os.walk(root, followlinks=False):
        here = Path(folder).relative_to(root)
        # os.walk enters the folders that are left in this list, in its order.
        folders.sort()
        if folder == str(root):
            folders[:] = [name for name in folders if name not in LEFT_OUT]
        for name in sorted(files):
            path = here / name
            if not _is_left_out(path) and stat.S_ISREG(os.lstat(root / path).st_mode):
                yield path.as_posix()


def _is_left_out(path: Path) -> bool:
    """Return whether a file, given relative to the scan's folder, stays out of the pack."""
    depth = len(path.parts)
    if depth == 1 and path.name in (*LEFT_OUT, *CODE):
        return True
    # jobs/v0001.1/claim.json
    if depth == 3 and path.name in LEFT_OUT_OF_JOBS:
        return True
    return path.name.endswith(".part")  # a file that was being written when its writer died


def _add_file(record: Record, archive: zipfile.ZipFile, name: str) -> None:
    """Copy a file of the scan's folder into the pack, where it lies in a folder of its own."""
    with record.open(name) as source:
        member = zipfile.ZipInfo.from_file(
            record.paths.folder / name, f"{record.name}/{name}", strict_timestamps=False
        )
        member.compress_type = zipfile.ZIP_DEFLATED
        # The file may be larger than 4 GB, which zip has to know before the first byte.
        with archive.open(member, "w", force_zip64=True) as target:
            shutil.copyfileobj(source, target, CHUNK)


# unpacking ----------------------------------------------------------------------------------


def unpack(source: Path, into: Path | None = None, name: str | None = None) -> Path:
    """Unpack a scan into a new folder of the home of scans, or of `into`, and return the folder.

    Without a `name` it is called as in the pack, with a number if that is taken. Raises UsageError
    or StorageError.
    """
    parent = (into or home.home()).absolute()
    try:
        if into is None:
            home.make_home()
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with (
            open_users(source) as file,
            zipfile.ZipFile(file) as archive,
            tempfile.TemporaryDirectory(prefix=".new-", dir=parent) as scratch,
        ):
            packed_name, members = _checked_members(archive, source)
            unpacked = Path(scratch) / "scan"
            _extract(archive, members, unpacked, source)
            _mark(ScanPaths(unpacked), source)
            new_name = home.check_name(name or packed_name)
            _check_scan(unpacked, parent, source)
            target = _free_place(parent, new_name, exact=name is not None)
            os.rename(unpacked, target)
            return target
    except (*_DAMAGED, NotImplementedError, RuntimeError, ValueError) as error:
        # A damaged pack, or one with a compression or encryption that Python does not know.
        raise UsageError(f"{source} is no sound pack of a scan: {error}.") from None
    except OSError as error:
        reason = closed(source) or why(error, parent)
        raise StorageError(f"{source} cannot be unpacked: {reason}.") from None


def _refused(source: Path, why: str) -> UsageError:
    return UsageError(f"{source} is no sound pack of a scan: {why}.")


def _checked_members(archive: zipfile.ZipFile, source: Path) -> tuple[str, list[zipfile.ZipInfo]]:
    """Return the name of the scan in a pack, and the pack's files.

    All names and sizes are checked before anything is written. Raises UsageError.
    """
    if len(archive.infolist()) > COUNT_LIMIT:
        raise _refused(source, f"it has more than {COUNT_LIMIT:,} files")
    members = [member for member in archive.infolist() if not member.filename.endswith("/")]
    names = {member.filename.split("/")[0] for member in members}
    if len(names) != 1:
        raise _refused(source, "it does not hold one folder")
    # On a disk that ignores case, the second of two such files would replace the first.
    if len({member.filename.casefold() for member in members}) != len(members):
        raise _refused(source, "it has a file twice")
    for member in members:
        _check_member(member, source)
    size = sum(member.file_size for member in members)
    packed_size = sum(member.compress_size for member in members)
    # A small file of zeros could otherwise fill the disk.
    if size > SIZE_LIMIT or size > max(RATIO_FREE, RATIO_LIMIT * packed_size):
        raise _refused(source, f"it would become {size / 2**30:.1f} GB")
    return names.pop(), members


def _check_member(member: zipfile.ZipInfo, source: Path) -> None:
    """Raise UsageError unless a file of a pack is a plain file below the scan's folder."""
    path = member.filename
    shown = repr(path[:NAME_SHOWN])
    if _BAD_PATH.search(path) or len(path) > PATH_LIMIT or "/" not in path:
        raise _refused(source, f"{shown} is no name of a file in a scan")
    # The upper 16 bits are the file's mode on Unix. They are 0 in a pack that Windows made.
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG) or member.flag_bits & _ENCRYPTED:
        raise _refused(source, f"{shown} is no plain file")
    # On a disk that ignores case, another spelling names the same file.
    if path.split("/")[1].casefold() in LEFT_OUT:
        raise _refused(source, f"{shown} belongs in no pack")


def _extract(
    archive: zipfile.ZipFile, members: list[zipfile.ZipInfo], folder: Path, source: Path
) -> None:
    """Write the files of a pack into a new folder. Raises UsageError or OSError."""
    for member in members:
        parts = member.filename.split("/")[1:]
        # Packs of earlier versions hold our code. It could be anything, and nothing needs it.
        if parts[0].casefold() in CODE:
            continue
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The size that a pack states for a file may be wrong. So the bytes are counted.
        left = member.file_size
        with open_new(target, 0o600) as file, archive.open(member) as packed:
            while data := packed.read(min(CHUNK, left + 1)):
                left -= len(data)
                if left < 0:
                    shown = repr(member.filename[:NAME_SHOWN])
                    raise _refused(source, f"{shown} is larger than it says")
                file.write(data)


def _mark(paths: ScanPaths, source: Path) -> None:
    """Mark a scan as unpacked. Raises OSError, also if there is such a file."""
    body: UnpackedFile = {"file": str(source.absolute()), "time": time.time()}
    with open_new(paths.unpacked, 0o600) as file:
        file.write(json.dumps(body).encode())


def _check_scan(folder: Path, parent: Path, source: Path) -> None:
    """Raise UsageError unless an unpacked folder is a scan that has ended and is new in `parent`.

    Folders that a pack has not kept because they were empty are made again.
    """
    try:
        record = load_record(folder)
    except (UnknownScan, StorageError) as error:
        reason = str(error).replace(str(folder), "its folder").rstrip(".")
        raise _refused(source, reason) from None
    # A record is of what has ended. Nothing would go on with the rest.
    if not record.finished or record.view.active:
        raise _refused(source, "its scan had not ended")
    known = _folder_of_same_scan(parent, record)
    if known is not None:
        raise UsageError(f"The scan in {source} is here already: {known}.")
    for name in ("inbox", "files", "jobs"):
        (folder / name).mkdir(mode=0o700, exist_ok=True)


def _folder_of_same_scan(parent: Path, record: Record) -> Path | None:
    """Return the folder in `parent` that holds the same scan, or None if there is none."""
    for entry in sorted(parent.iterdir()):
        if not home.NAME.fullmatch(entry.name):
            continue
        try:
            if home.load(entry).id == record.scan.id:
                return entry
        except (UnknownScan, StorageError):
            continue
    return None


def _free_place(parent: Path, name: str, exact: bool) -> Path:
    """Return a path in `parent` where nothing is yet.

    It ends in `name`, or unless `exact` in name-2, name-3 and so on. Raises UsageError.
    """
    target = parent / name
    number = 2
    while target.exists() and not exact and number < SAME_NAME_LIMIT:
        end = f"-{number}"
        target = parent / (name[: home.NAME_LIMIT - len(end)] + end)
        number += 1
    if target.exists():
        raise UsageError(f"{target} is there already; name another with --name.")
    return target
