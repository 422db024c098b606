"""The folder that holds the scans: what its file system can, and the scans in it that nobody drives."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from jupyter_gridgpu import client
from jupyter_gridgpu.doctor.finding import Finding, note, ok, problem, several
from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model.queue import gb
from jupyter_gridgpu.store import home as homes

LITTLE_MB = 2048
FULL_MB = 200
# What mounts call file systems that other machines see too.
NETWORK = {
    "nfs",
    "nfs4",
    "afs",
    "cifs",
    "smb3",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "glusterfs",
    "fuse.sshfs",
    "fuse.eos",
    "fuse.eosxd",
}
ELSEWHERE = "Set GRIDGPU_HOME to a folder you can write."


def folder() -> list[Finding]:
    """Whether scans can be kept, and what the file system does with locks and links."""
    where = homes.home()
    there = next(path for path in (where, *where.parents) if path.exists())
    kind = file_system(there)
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=there) as scratch:
            found = [_locks(Path(scratch)), *_links(Path(scratch))]
    except OSError as error:
        return [problem(f"Scans cannot be kept in {where}: {error.strerror}.", ELSEWHERE)]
    made = "" if there == where else ", which is made with the first scan"
    return [ok(f"{where}{made}"), _space(there, kind), *found, *_private(where)]


def _space(there: Path, kind: str) -> Finding:
    free = shutil.disk_usage(there).free // 2**20
    words = f"{gb(free)} free {'on a network file system ' if kind in NETWORK else ''}({kind})"
    if free < FULL_MB:
        return problem(
            f"{words}: too little for a scan.", "Remove scans you do not need, or set GRIDGPU_HOME."
        )
    if free < LITTLE_MB:
        return note(f"{words}.", "A scan keeps a notebook for each variant; mind the quota too.")
    return ok(f"{words}.")


def _locks(scratch: Path) -> Finding:
    """Two handles of one file: the second must not get the lock that the first has."""
    with open(scratch / "lock", "w") as first, open(scratch / "lock") as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return ok("File locks are honoured.")
        except OSError as error:
            return _lockless(error.strerror or str(error))
    return _lockless("two owners got one lock")


def _lockless(why: str) -> Finding:
    advice = "Scans fall back to time stamps: start the runner of a scan on one machine only, or set GRIDGPU_HOME."
    return note(f"File locks do not work here ({why}).", advice)


def _links(scratch: Path) -> list[Finding]:
    (scratch / "one").touch()
    try:
        os.link(scratch / "one", scratch / "two")
    except OSError as error:
        return [
            note(
                f"Hard links do not work here ({error.strerror}): results are published in another way."
            )
        ]
    return []


def _private(where: Path) -> list[Finding]:
    if where.exists() and where.stat().st_mode & 0o022:
        return [note(f"Others may write into {where}.", f"chmod go-w {where}")]
    return []


def file_system(path: Path) -> str:
    """Return what kind of file system holds a folder, as mounts call it."""
    best, kind = "", "unknown"
    try:
        lines = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return kind
    real = str(path.resolve())
    for line in lines:
        words = line.split(" ")
        point = words[1].replace("\\040", " ") if len(words) > 2 else ""
        if (real == point or real.startswith(point.rstrip("/") + "/")) and len(point) >= len(best):
            best, kind = point, words[2]
    return kind


def scans() -> list[Finding]:
    """How many scans there are, and those that are unfinished and have no runner."""
    try:
        known = client.list_scans()
    except StorageError as error:
        return [problem(str(error), ELSEWHERE)]
    orphans = [scan.name for scan in known if scan.state == "orphaned"]
    found = [ok(several(len(known), "scan", "scans"))]
    if orphans:
        words = f"{several(len(orphans), 'scan', 'scans', orphans)} {'has' if len(orphans) == 1 else 'have'} no runner and"
        found.append(
            note(
                f"{words} {'is' if len(orphans) == 1 else 'are'} not finished.",
                f"gridgpu resume {orphans[0]}",
            )
        )
    return found
