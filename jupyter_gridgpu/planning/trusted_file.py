"""Reads files that say which code runs: only those that nobody else may have written."""

from __future__ import annotations

import os
from pathlib import Path

from jupyter_gridgpu.errors import UsageError
from jupyter_gridgpu.store import ownership
from jupyter_gridgpu.store.opener import open_users


class Untrusted(UsageError):
    """Somebody else may have written a file. The text is a clause: `x belongs to bob`."""


def read(path: Path, top: Path, limit: int) -> bytes:
    """Return what is in a file below the folder `top`.

    The file, and each folder from `top` on that is passed on the way to it, also through links,
    must belong to root or to this user, and nobody else may write there. Raises Untrusted if that
    is not so, UsageError if the file has more than `limit` bytes, and OSError.
    """
    with open_users(path) as file:
        # The file that is open is checked: another one may get its name at any time.
        opened = os.fstat(file.fileno())
        _check(path, opened)
        _check_folders(path, top)
        # Nobody else can change a name in these folders, so the name still leads to this file.
        if not os.path.samestat(opened, os.stat(path)):
            raise Untrusted(f"{path} was replaced while it was read")
        data = file.read(limit + 1)
    if len(data) > limit:
        raise UsageError(f"it is larger than {limit // 1000:,} kB")
    return data


def _check_folders(path: Path, top: Path) -> None:
    """Raise Untrusted unless all folders from `top` on are those of root or of this user."""
    real = Path(os.path.realpath(top))
    above = set(real.parents)
    # `top` itself may be reached through links: whoever can change these can put any folder there.
    for folder in ownership.folders_passed(real / path.relative_to(top)):
        if folder not in above:
            _check(folder, os.stat(folder))
    _check_above(real, above - ownership.home_and_above())


def _check_above(top: Path, above: set[Path]) -> None:
    """Raise Untrusted if anybody could put another folder into the place of `top`."""
    for folder in above:
        if ownership.anybody_may_replace(os.stat(folder)):
            raise Untrusted(f"{folder}, above {top}, may be written by others")


def _check(path: Path, found: os.stat_result) -> None:
    if found.st_uid not in (ownership.ROOT, os.geteuid()):
        owner = ownership.owner_name(found.st_uid)
        raise Untrusted(f"{path} belongs to {owner}, who is neither root nor you")
    if ownership.others_write(path, found):
        raise Untrusted(f"{path} may be written by others")
