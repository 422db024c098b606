"""Disks on which what another host has written is seen late.

NFS, and other disks that come over a network, keep for up to a minute what they have once seen:
that a file is not there, how large it is, what is in a folder. So a look that finds nothing proves
nothing. What proves something is what the server itself decides: a name that is given only once.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from pathlib import Path

from jupyter_gridgpu.store.opener import create_plain, open_plain
from jupyter_gridgpu.store.shared_paths import is_below

TABLE = "/proc/self/mountinfo"
USUAL_S = 60.0  # NFS keeps attributes for so long where nobody has set another time
SPARE_S = 5.0
_OF_DISKS = frozenset(("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "jfs", "bcachefs"))
_OF_ONE_HOST = frozenset(("tmpfs", "ramfs", "overlay", "squashfs", "rootfs"))
# Over a network, but all hosts see the same at once.
_COHERENT = frozenset(("lustre", "gpfs", "beegfs", "ceph", "gfs2", "ocfs2"))
PROMPT = _OF_DISKS | _OF_ONE_HOST | _COHERENT
_TIMES = re.compile(r"\b(?:acregmax|acdirmax|actimeo)=(\d{1,6})\b")


def seen_late_s(path: Path, table: str = TABLE) -> float:
    """Return for how many seconds at most this host may see an old state of a folder.

    It is 0.0 for a disk on which everybody sees the same at once, or where nothing is known.
    """
    kind, options = mount_of(path, table)
    if not kind or kind in PROMPT:
        return 0.0
    if kind.startswith("nfs"):
        if "noac" in options.split(","):
            return 0.0
        return max([float(time) for time in _TIMES.findall(options)], default=USUAL_S) + SPARE_S
    return USUAL_S + SPARE_S


def mount_of(path: Path, table: str = TABLE) -> tuple[str, str]:
    """Return kind and options of the file system that holds a path; ("", "") if not known."""
    try:
        with open_plain(table) as file:
            lines = file.read().decode("utf-8", "replace").splitlines()
        here = os.path.realpath(path)
    except OSError:  # not on Linux
        return "", ""
    best, found = -1, ("", "")
    for line in lines:
        # 36 35 98:0 /root /mnt rw,noatime shared:1 - nfs4 server:/export rw,acdirmax=60
        fields, _, rest = line.partition(" - ")
        words, more = fields.split(), rest.split()
        if len(words) < 6 or len(more) < 3:
            continue
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), words[4])
        # Of two mounts at one place, the later one counts.
        if is_below(here, point) and len(point) >= best:
            best, found = len(point), (more[0], more[2])
    return found


def freshen(folder: Path) -> None:
    """Have this host ask the server anew what is in a folder, as far as the disk can do that.

    To change the folder does it: NFS then drops what it knew of it.
    """
    mark = folder / f".look.{uuid.uuid4().hex[:8]}"
    with contextlib.suppress(OSError):
        create_plain(mark, b"")
    with contextlib.suppress(OSError):
        mark.unlink()


def has_size(path: Path, size: int, exact: bool) -> bool:
    """Return whether a file is seen here with at least, or exactly, this many bytes."""
    try:
        # To open a file makes NFS ask for its size.
        with open_plain(path) as file:
            seen = os.fstat(file.fileno()).st_size
    except OSError:
        return False
    return seen == size if exact else seen >= size
