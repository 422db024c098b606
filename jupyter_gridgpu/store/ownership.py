"""Whose a scan folder is: whether what lies in it may run in the name of this user.

A runner runs the notebook of a scan folder, so whoever can change the folder can run code as the
user who starts the runner. A scan is *foreign* if that may be somebody else: if a file belongs to
another user, if others may write to it, if it is a link, or if the scan was unpacked from a file.
A foreign scan is only looked at.
"""

from __future__ import annotations

import contextlib
import errno
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from jupyter_gridgpu.errors import ForeignScan
from jupyter_gridgpu.store.paths import ScanPaths

# Why a scan is foreign: something in it belongs to another user; others may write to it; it is a
# link, or no plain file; it cannot be checked; it was unpacked.
OWNER, WRITABLE, LINK = "owner", "writable", "link"
UNREADABLE, UNPACKED = "unreadable", "unpacked"
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
LINKS_FOLLOWED = 40  # as many as Linux follows in one path
# All of it is checked to the last file: it holds code that the notebook imports.
CODE_FOLDER = "files"
ROOT = 0


class Foreign(NamedTuple):
    """Why a scan is foreign."""

    why: str  # one of OWNER, WRITABLE, LINK, UNREADABLE, UNPACKED
    text: str  # a sentence for the user: what is wrong, and what to do


def foreign(folder: Path) -> Foreign | None:
    """Return why the scan in a folder is not run by this user; None if it may be run."""
    try:
        return _foreign_above(folder) or _foreign_folder(folder) or _unpacked(folder)
    except OSError as error:
        where = error.filename or folder
        return Foreign(UNREADABLE, f"{where} cannot be checked: {error.strerror or error}.")


def require_own(folder: Path) -> None:
    """Raise ForeignScan, with what to do, unless the scan in a folder may be run by this user."""
    found = foreign(folder)
    if found is not None:
        raise ForeignScan(found.text)


def require_own_home(home: Path) -> None:
    """Raise ForeignScan if scans that are made in the folder `home` could not be run there."""
    try:
        found = _foreign_above(home / "scan")
    except OSError as error:
        found = Foreign(UNREADABLE, f"{home} cannot be checked: {error.strerror or error}.")
    if found is not None:
        raise ForeignScan(found.text)


def owner_name(uid: int) -> str:
    """Return the name of a user, or the number if there is no such user here."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


# what lies above the folder -----------------------------------------------------------------


def _foreign_above(folder: Path) -> Foreign | None:
    """Return a reason if anybody could put another folder into the place of this one.

    Whoever can write to a parent can rename what is in it, unless the sticky bit forbids that. A
    parent of a colleague, or of a shared group, is allowed: group areas of clusters are such, and
    what these people put into the place of the scan would still not belong to the user. The user's
    own home folder, and what lies above it, is not looked at: whoever can write there can change
    the files with which the user's sessions start, and needs no scan.
    """
    trusted = home_and_above()
    for parent in folders_passed(folder):
        if parent in trusted:
            continue
        if anybody_may_replace(os.stat(parent)):
            return Foreign(
                WRITABLE,
                "Anybody may put another folder into the place of the scan, so it is only shown: "
                f"say `chmod o-w {parent}`.",
            )
    return None


def anybody_may_replace(folder: os.stat_result) -> bool:
    """Return whether anybody may put something else into the place of what is in a folder."""
    return bool(folder.st_mode & stat.S_IWOTH) and not folder.st_mode & stat.S_ISVTX


def folders_passed(folder: Path) -> Iterator[Path]:
    """Yield each folder that is passed on the way to `folder`, also through links.

    Each is yielded without a link in it. Raises OSError for links in a circle.
    """
    here = Path("/")
    parts = list(folder.absolute().parts[1:])
    links = 0
    seen = set()
    while parts:
        if here not in seen:
            seen.add(here)
            yield here
        part = parts.pop(0)
        following = here / part
        if part == "..":
            following = here.parent
        elif os.path.islink(following):
            links += 1
            if links > LINKS_FOLLOWED:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(folder))
            target = Path(os.readlink(following))
            following = Path("/") if target.is_absolute() else here
            parts = [*(part for part in target.parts if part != "/"), *parts]
        here = following


def home_and_above() -> set[Path]:
    """Return the home folder of this user and all folders above it."""
    found: set[Path] = set()
    homes = [os.path.expanduser("~")]
    with contextlib.suppress(KeyError):  # in a container, a user may have no entry
        homes.append(pwd.getpwuid(os.geteuid()).pw_dir)
    for home in homes:
        real = Path(os.path.realpath(home))
        found.update((real, *real.parents))
    return found


# the folder and what is in it ---------------------------------------------------------------


def _foreign_folder(folder: Path) -> Foreign | None:
    """Return a reason if the folder, or something in it, is not the user's alone."""
    found = os.stat(folder)
    reason = _foreign_entry(folder, folder, found)
    if reason is not None:
        return reason
    for path, about in _entries(folder, deep=False):
        reason = _foreign_entry(folder, path, about)
        if reason is not None:
            return reason
    return None


def _entries(folder: Path, deep: bool) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield what is in a folder; of helper files, also what is in their folders."""
    with os.scandir(folder) as entries:
        for entry in entries:
            about = entry.stat(follow_symlinks=False)
            yield Path(entry.path), about
            if stat.S_ISDIR(about.st_mode) and (deep or entry.name == CODE_FOLDER):
                yield from _entries(Path(entry.path), deep=True)


def _foreign_entry(folder: Path, path: Path, found: os.stat_result) -> Foreign | None:
    """Return a reason if a file or folder of a scan is not the user's alone."""
    if found.st_uid != os.geteuid():
        return Foreign(
            OWNER,
            f"{path} belongs to {owner_name(found.st_uid)}, whose notebook would run as you, so "
            "the scan is only shown, and not continued: `gridgpu replay` makes one of your own.",
        )
    if stat.S_ISLNK(found.st_mode):
        return Foreign(
            LINK,
            f"{path} is a link, so the scan is only shown: put the file itself there.",
        )
    if not stat.S_ISREG(found.st_mode) and not stat.S_ISDIR(found.st_mode):
        return Foreign(
            LINK,
            f"{path} is no plain file and no folder, so the scan is only shown: remove it.",
        )
    if others_write(path, found):
        return Foreign(
            WRITABLE,
            f"Others may write to {_name(folder, path)}, so the scan is only shown: say "
            f"`chmod -R go-w {folder}` if all in it is yours.",
        )
    return None


def _name(folder: Path, path: Path) -> str:
    """Return what a sentence that has the folder calls a file in it."""
    return "its folder" if path == folder else str(path.relative_to(folder))


def others_write(path: Path, found: os.stat_result) -> bool:
    """Return whether others than the user may write to a file or folder."""
    if found.st_mode & stat.S_IWOTH:
        return True
    return bool(found.st_mode & stat.S_IWGRP) and not _is_private_group(path, found)


def _is_private_group(path: Path, found: os.stat_result) -> bool:
    """Return whether the group of a file has no other member than this user.

    Some systems give each user a group of the same name, and files may then be written by the
    group. With an access list, the bits of the group stand for all that are in the list.
    """
    if found.st_gid == ROOT:
        return False
    try:
        user = pwd.getpwuid(os.geteuid())
        group = grp.getgrgid(found.st_gid)
    except KeyError:
        return False
    if group.gr_name != user.pw_name or user.pw_gid != group.gr_gid:
        return False
    return set(group.gr_mem) <= {user.pw_name} and not _has_access_list(path)


def _has_access_list(path: Path) -> bool:
    if not hasattr(os, "listxattr"):  # macOS keeps its lists beside the bits of the group
        return False
    try:
        return "system.posix_acl_access" in os.listxattr(path, follow_symlinks=False)
    except OSError:  # a file system that has none
        return False


def _unpacked(folder: Path) -> Foreign | None:
    """Return a reason if the scan was unpacked from a file that somebody may have sent."""
    if not os.path.lexists(ScanPaths(folder).unpacked):
        return None
    return Foreign(
        UNPACKED,
        f"Unpacked: read only; `gridgpu replay {folder.name}` runs it again as a scan of your own.",
    )
