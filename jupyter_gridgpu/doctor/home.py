"""Checks the folder that holds the scans, and the scans in it."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from jupyter_gridgpu import client
from jupyter_gridgpu.doctor.finding import Finding, counted, note, ok, problem
from jupyter_gridgpu.errors import StorageError
from jupyter_gridgpu.model.queue import memory_text
from jupyter_gridgpu.store import home as homes
from jupyter_gridgpu.store.access import why
from jupyter_gridgpu.store.late_disk import mount_of

LITTLE_MB = 2048  # less free space (MB) is a note
NAMED = 3  # scans that cannot be read and are named
FULL_MB = 200  # less free space (MB) is a problem
MEGABYTE = 2**20
# File systems that other machines see too, by their names in /proc/self/mounts.
NETWORK_FILE_SYSTEMS = {
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
SET_HOME = "Set GRIDGPU_HOME to a folder you can write."


def folder() -> list[Finding]:
    """Look whether scans can be kept: space, file system, locks, links, and who else may write.

    A folder that cannot be written, or has less than FULL_MB free, is a problem.
    """
    home = homes.home()
    # The doctor must not make the home. If there is none yet, its parent is tried out instead.
    existing = next(path for path in (home, *home.parents) if os.path.exists(path))
    kind = file_system(existing)
    try:
        with tempfile.TemporaryDirectory(prefix=".doctor-", dir=existing) as scratch:
            found = [_locks(Path(scratch)), *_links(Path(scratch))]
    except OSError as error:
        return [problem(f"Scans cannot be kept in {home}: {why(error, home)}.", SET_HOME)]
    place = str(home)
    if existing != home:
        place += ", which is made with the first scan"
    return [ok(place), _space(existing, kind), *found, *_writable_by_others(home)]


def _space(folder: Path, kind: str) -> Finding:
    free_mb = shutil.disk_usage(folder).free // MEGABYTE
    where = "on a network file system " if kind in NETWORK_FILE_SYSTEMS else ""
    text = f"{memory_text(free_mb)} free {where}({kind})"
    if free_mb < FULL_MB:
        advice = "Remove scans you do not need, or set GRIDGPU_HOME."
        return problem(f"{text}: too little for a scan.", advice)
    if free_mb < LITTLE_MB:
        return note(f"{text}.", "A scan keeps a notebook for each variant; mind the quota too.")
    return ok(f"{text}.")


def _locks(scratch: Path) -> Finding:
    """Lock one file twice, through two handles. The second one must not get the lock."""
    with open(scratch / "lock", "w") as first, open(scratch / "lock") as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return ok("File locks are honoured.")
        except OSError as error:
            return _no_locks(error.strerror or str(error))
    # Some network file systems grant every lock.
    return _no_locks("two owners got one lock")


def _no_locks(why: str) -> Finding:
    return note(
        f"File locks do not work here ({why}).",
        "Scans fall back to time stamps: start the runner of a scan on one machine only,"
        " or set GRIDGPU_HOME.",
    )


def _links(scratch: Path) -> list[Finding]:
    """Look whether hard links can be made, with which results are published."""
    (scratch / "one").touch()
    try:
        os.link(scratch / "one", scratch / "two")
    except OSError as error:
        text = (
            f"Hard links do not work here ({error.strerror}): results are published in another way."
        )
        return [note(text)]
    return []


def _writable_by_others(home: Path) -> list[Finding]:
    # Whoever can write into a scan's folder can make the user's runner start any program.
    if home.exists() and home.stat().st_mode & 0o022:
        return [note(f"Others may write into {home}.", f"chmod go-w {home}")]
    return []


def file_system(path: Path) -> str:
    """Return the kind of the file system that holds a folder, as the kernel names it."""
    return mount_of(path)[0] or "unknown"


def scans() -> list[Finding]:
    """Look how many scans there are, and which are unfinished and have no runner.

    A home that cannot be read is a problem. A scan that cannot be read, or that has no runner, is a
    note.
    """
    try:
        known, left_out = client.look_at_scans(lambda scan: (scan.name, scan.state))
    except StorageError as error:
        return [problem(str(error), SET_HOME)]
    found = [ok(counted(len(known), "scan", "scans"))]
    found += [note(f"{item.folder.name} is left out: {item.why}") for item in left_out[:NAMED]]
    orphans = [name for name, state in known if state == "orphaned"]
    if orphans:
        names = counted(len(orphans), "scan", "scans", orphans)
        verbs = ("has", "is") if len(orphans) == 1 else ("have", "are")
        text = f"{names} {verbs[0]} no runner and {verbs[1]} not finished."
        found.append(note(text, f"gridgpu resume {orphans[0]}"))
    return found
