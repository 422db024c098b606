"""What finished jobs left, brought into the scan's folder.

Results, metrics and notebooks come in the metadata of a job, which PanDA keeps. Artifacts are in
the job's output file, an archive on the grid, which is fetched with rucio where rucio is set up.

    batches/b0001/meta/3.json    the metadata of job 3, as client.py fetched them
    batches/b0001/rucio/         where rucio puts output files, until they are unpacked

All of this comes from jobs and is untrusted: names are checked before they become paths, and only
plain files are taken.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from jupyter_gridgpu.backends.batch.batches import Batch
from jupyter_gridgpu.store.opener import open_new, open_plain
from jupyter_gridgpu.store.paths import (
    COPY_NAME,
    JobPaths,
    ScanPaths,
    publish,
    read_json,
    write_atomic,
)
from jupyter_gridgpu.worker.grid_metadata import FILES, unpack

METADATA_BYTES = 8_000_000
METADATA_TRIES = 3  # how often the metadata of a job that finished are asked for
DOWNLOAD_S = 1800.0
DOWNLOAD_TRIES = 2  # how often rucio is asked for an output file that does not come
DOWNLOAD_FILES = 50  # in one call of rucio
FILE_BYTES = 4 * 1024**3  # of one file in an archive
_COPY_FILES = (*FILES, "launch.log")


class LeftByJobs:
    """Knows of each finished job whether more of what it left may come."""

    def __init__(self, paths: ScanPaths) -> None:
        self._rucio = Rucio(paths)
        # How often metadata were asked for, by the name of a batch and the number of a job in it.
        self._tries: dict[tuple[str, int], int] = {}

    def note_asked(self, batch: Batch, number: int) -> None:
        """Note that PanDA was asked for the metadata of a job."""
        place = (batch.name, number)
        self._tries[place] = self._tries.get(place, 0) + 1

    def has_all_metadata(self, batch: Batch, number: int) -> bool:
        """Return whether no more metadata of a job are to be asked for.

        They are here, or PanDA was asked METADATA_TRIES times in vain.
        """
        if has_metadata(batch, number):
            return True
        return self._tries.get((batch.name, number), 0) >= METADATA_TRIES

    def settled(self, batch: Batch, jobs: Sequence[Mapping[str, Any]]) -> frozenset[int]:
        """Return the numbers of finished jobs of which nothing more will be fetched.

        `jobs` are those of the batch as PanDA describes them.
        """
        # Of several tries at a job that finished, the last one listed counts.
        names = {job["seq"]: job["outputs"] for job in jobs if job["jobStatus"] == "finished"}
        settled = set()
        for number, of_job in names.items():
            # Rucio must be asked even if metadata are missing, since this call starts a download.
            downloaded = self._rucio.settled(batch, number, of_job)
            if downloaded and self.has_all_metadata(batch, number):
                settled.add(number)
        return frozenset(settled)


# metadata -----------------------------------------------------------------------------


def metadata_folder(batch: Batch) -> Path:
    """Return the folder that holds the metadata of a batch."""
    return batch.folder / "meta"


def has_metadata(batch: Batch, number: int) -> bool:
    """Return whether the metadata of a job are here."""
    return _metadata_file(batch, number).exists()


def take_metadata(paths: ScanPaths, batch: Batch, number: int) -> None:
    """Write the files that a job's metadata hold into the folders of our jobs.

    Files that are there already stay as they are. Raises OSError.
    """
    body = read_json(_metadata_file(batch, number), METADATA_BYTES)
    for key in batch.tasks[number - 1]:
        unpacked = unpack(body, key)
        if unpacked is None:
            continue
        copy_name, files = unpacked
        copy = paths.job(key).copy(copy_name)
        copy.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        for name, data in files.items():
            _write_new(copy.folder / name, data)
        if copy.result.is_file():
            publish(copy.result, paths.job(key).result)


def _metadata_file(batch: Batch, number: int) -> Path:
    return metadata_folder(batch) / f"{number}.json"


def _write_new(path: Path, data: bytes) -> None:
    """Write a file that is not there yet, whole or not at all. Raises OSError."""
    if path.exists() or path.is_symlink():
        return
    write_atomic(path, data)


# output files -------------------------------------------------------------------------


class Rucio:
    """Downloads output files in a thread of its own. Without rucio, nothing is downloaded."""

    def __init__(self, paths: ScanPaths) -> None:
        self._paths = paths
        self._thread: threading.Thread | None = None
        # By the name of a batch and the number of a job in it.
        self._wanted: dict[tuple[str, int], tuple[Batch, str]] = {}
        self._tries: dict[tuple[str, int], int] = {}
        self._settled: set[tuple[str, int]] = set()  # downloaded, or given up

    def settled(self, batch: Batch, number: int, names: Sequence[str]) -> bool:
        """Return whether no more output files of a job will come.

        `names` are the files as PanDA names them, `SCOPE:NAME`. If files may still come, they are
        downloaded, and a later call returns True.
        """
        place = (batch.name, number)
        if place in self._settled or not names or not _rucio_is_set_up():
            return True
        # A job has one output file.
        self._wanted[place] = (batch, names[0])
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._download, daemon=True)
            self._thread.start()
        return False

    def _download(self) -> None:
        """Fetch some of the files that are wanted now, and unpack those that came."""
        chosen = list(self._wanted.items())[:DOWNLOAD_FILES]
        # A call of rucio puts its files into one folder, so there is one call for each batch.
        by_folder: dict[Path, dict[tuple[str, int], str]] = {}
        for place, (batch, name) in chosen:
            by_folder.setdefault(batch.folder / "rucio", {})[place] = name
        for folder, names in by_folder.items():
            # PanDA's name must not be read as an option of rucio.
            _run_rucio(folder, [name for name in names.values() if not name.startswith("-")])
            for place, name in names.items():
                self._unpack(place, folder / PurePosixPath(name.split(":", 1)[-1]).name)
            shutil.rmtree(folder, ignore_errors=True)

    def _unpack(self, place: tuple[str, int], archive: Path) -> None:
        """Unpack an output file. A file that did not come is given up after DOWNLOAD_TRIES."""
        self._tries[place] = self._tries.get(place, 0) + 1
        batch, _ = self._wanted[place]
        _, number = place
        came = take_archive(self._paths, batch.tasks[number - 1], archive)
        if came or self._tries[place] >= DOWNLOAD_TRIES:
            del self._wanted[place]
            self._settled.add(place)


def _rucio_is_set_up() -> bool:
    """Return whether rucio is installed here, with a configuration or an account."""
    configured = any(
        os.environ.get(name) for name in ("RUCIO_HOME", "RUCIO_CONFIG", "RUCIO_ACCOUNT")
    )
    return configured and shutil.which("rucio") is not None


def _run_rucio(folder: Path, names: Sequence[str]) -> None:
    """Download files into a folder. Errors are ignored: the caller looks which files came."""
    folder.mkdir(mode=0o700, exist_ok=True)
    command = ["rucio", "download", "--no-subdir", "--dir", str(folder), *names]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=DOWNLOAD_S)


def take_archive(paths: ScanPaths, keys: Sequence[str], archive: Path) -> bool:
    """Unpack an output file into the folders of its jobs; return whether the file was there.

    Files that are there already stay as they are.
    """
    if not archive.is_file() or archive.is_symlink():
        return False
    # Of an archive that is torn, the members before the damage are taken.
    with (
        contextlib.suppress(OSError, tarfile.TarError, EOFError, ValueError),
        open_plain(archive) as packed,
        tarfile.open(fileobj=packed) as members,
    ):
        for member in members:
            _take_member(paths, keys, members, member)
    for key in keys:
        job = paths.job(key)
        for copy in job.copies():
            if copy.result.is_file():
                publish(copy.result, job.result)
    return True


def _take_member(
    paths: ScanPaths, keys: Sequence[str], archive: tarfile.TarFile, member: tarfile.TarInfo
) -> None:
    """Write one file of an archive into its job's folder, if that is a file which jobs leave."""
    if not member.isreg() or member.size > FILE_BYTES:
        return
    target = _target(paths, keys, member.name)
    if target is None or target.exists() or target.is_symlink():
        return
    target.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    source = archive.extractfile(member)
    if source is not None:
        with source, open_new(target) as file:
            shutil.copyfileobj(source, file)


def _target(paths: ScanPaths, keys: Sequence[str], name: str) -> Path | None:
    """Return the path for a member `jobs/KEY/COPY/...`; None for a member that no job leaves."""
    parts = PurePosixPath(name).parts
    if len(parts) < 3 or parts[0] != "jobs" or parts[1] not in keys:
        return None
    if ".." in parts or not name.isprintable():
        return None
    job = paths.job(parts[1])
    if len(parts) == 3:
        # The launcher's log is the only file of the job itself.
        if parts[2] == job.log.name:
            return job.log
        return None
    return _target_in_copy(job, parts[2], parts[3:])


def _target_in_copy(job: JobPaths, copy: str, parts: Sequence[str]) -> Path | None:
    """Return the path for a file of a copy, or None for a file that no job leaves.

    `parts` is the path of the file in the copy's folder.
    """
    known_file = len(parts) == 1 and parts[0] in _COPY_FILES
    if not COPY_NAME.fullmatch(copy) or not (known_file or parts[0] == "artifacts"):
        return None
    target = job.copy(copy).folder.joinpath(*parts)
    # A folder on the way may be a link that leads out of the job's folder.
    root = os.path.realpath(job.folder) + os.sep
    if not os.path.realpath(target.parent).startswith(root):
        return None
    return target
