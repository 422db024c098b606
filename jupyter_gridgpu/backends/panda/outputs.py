"""What finished jobs left, brought into the scan's folder: from their metadata, and by rucio where that is set up.

    batches/b0001/meta/3.json    what job 3 handed back in its metadata
    batches/b0001/rucio/         where rucio puts output files, until they are unpacked

All of it comes from jobs: names are looked at before they become paths, and only plain files are taken.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from jupyter_gridgpu.backends.batch.batches import Batch
from jupyter_gridgpu.store.paths import COPY_NAME, ScanPaths, publish, read_json
from jupyter_gridgpu.worker.grid_metadata import FILES, unpack

META_BYTES = 8_000_000
DOWNLOAD_S = 1800.0
TRIES = 2  # at a file that rucio does not bring
TOGETHER = 50  # files of one download
FILE_BYTES = 4 * 1024**3
_OURS = (*FILES, "launch.log")


def meta_folder(batch: Batch) -> Path:
    return batch.folder / "meta"


def has_meta(batch: Batch, number: int) -> bool:
    return (meta_folder(batch) / f"{number}.json").exists()


def take_meta(paths: ScanPaths, batch: Batch, number: int) -> None:
    """Write the files that a job's metadata hold into the folders of its jobs; what is there already stays."""
    body = read_json(meta_folder(batch) / f"{number}.json", META_BYTES)
    for key in batch.tasks[number - 1]:
        if (found := unpack(body, key)) is not None:
            copy = paths.job(key).copy(found[0])
            copy.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            for name, data in found[1].items():
                _write_new(copy.folder / name, data)
            if copy.result.is_file():
                publish(copy.result, paths.job(key).result)


def _write_new(path: Path, data: bytes) -> None:
    """Make a file whole, or not at all."""
    if path.exists() or path.is_symlink():
        return
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(data)
    part.replace(path)


class Rucio:
    """Downloads output files in a thread of its own; a scan that has no rucio goes on without."""

    def __init__(self, paths: ScanPaths) -> None:
        self._paths = paths
        self._thread: threading.Thread | None = None
        self._wanted: dict[tuple[str, int], tuple[Batch, str]] = {}
        self._tries: dict[tuple[str, int], int] = {}
        self._over: set[tuple[str, int]] = set()

    @staticmethod
    def there() -> bool:
        """Whether rucio can be asked: its command is there, and it has a configuration or an account."""
        configured = (
            os.environ.get("RUCIO_HOME")
            or os.environ.get("RUCIO_CONFIG")
            or os.environ.get("RUCIO_ACCOUNT")
        )
        return shutil.which("rucio") is not None and bool(configured)

    def settled(self, batch: Batch, number: int, names: Sequence[str]) -> bool:
        """Whether all came of a job's output files (`scope:name`) that will; if not, they are asked for."""
        place = (batch.name, number)
        if place in self._over or not names or not self.there():
            return True
        self._wanted[place] = (batch, names[0])
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._download, daemon=True)
            self._thread.start()
        return False

    def _download(self) -> None:
        """Fetch what is wanted by now, and unpack what came."""
        chosen = dict(list(self._wanted.items())[:TOGETHER])
        for folder in {batch.folder / "rucio" for batch, _ in chosen.values()}:
            here = {
                place: name
                for place, (batch, name) in chosen.items()
                if batch.folder / "rucio" == folder
            }
            self._run(folder, [name for name in here.values() if not name.startswith("-")])
            for place, name in here.items():
                self._took(place, folder / PurePosixPath(name.split(":", 1)[-1]).name)
            shutil.rmtree(folder, ignore_errors=True)

    @staticmethod
    def _run(folder: Path, names: list[str]) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        command = ["rucio", "download", "--no-subdir", "--dir", str(folder), *names]
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=DOWNLOAD_S
            )

    def _took(self, place: tuple[str, int], archive: Path) -> None:
        self._tries[place] = self._tries.get(place, 0) + 1
        batch = self._wanted[place][0]
        if (
            take_archive(self._paths, batch.tasks[place[1] - 1], archive)
            or self._tries[place] >= TRIES
        ):
            del self._wanted[place]
            self._over.add(place)


def take_archive(paths: ScanPaths, keys: Sequence[str], archive: Path) -> bool:
    """Unpack an output file into the folders of its jobs; whether there was one. What is there already stays."""
    if not archive.is_file() or archive.is_symlink():
        return False
    with (
        contextlib.suppress(OSError, tarfile.TarError, EOFError, ValueError),
        tarfile.open(archive) as members,
    ):
        for member in members:
            target = _target(paths, keys, member.name)
            if (
                target is None
                or not member.isreg()
                or member.size > FILE_BYTES
                or target.exists()
                or target.is_symlink()
            ):
                continue
            target.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
            if (source := members.extractfile(member)) is not None:
                with source, open(target, "xb") as file:
                    shutil.copyfileobj(source, file)
    for key in keys:
        for copy in paths.job(key).copies():
            if copy.result.is_file():
                publish(copy.result, paths.job(key).result)
    return True


def _target(paths: ScanPaths, keys: Sequence[str], name: str) -> Path | None:
    """Where a member `jobs/KEY/COPY/...` goes; None for one that a job does not leave."""
    parts = PurePosixPath(name).parts
    if (
        len(parts) < 3
        or parts[0] != "jobs"
        or parts[1] not in keys
        or ".." in parts
        or not name.isprintable()
    ):
        return None
    job = paths.job(parts[1])
    if len(parts) == 3:
        return job.log if parts[2] == job.log.name else None
    ours = len(parts) == 4 and parts[3] in _OURS
    if not COPY_NAME.fullmatch(parts[2]) or not (ours or parts[3] == "artifacts"):
        return None
    target = job.copy(parts[2]).folder.joinpath(*parts[3:])
    inside = os.path.realpath(target.parent).startswith(os.path.realpath(job.folder) + os.sep)
    return target if inside else None
